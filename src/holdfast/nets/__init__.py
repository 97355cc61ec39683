"""Small networks, the one training loop, networks as functions of their weights, and what happens inside them."""

from holdfast.core.seeds import seeded
from holdfast.nets.augment import random_flip, random_shift, sign_noise
from holdfast.nets.computed import bake_weights, closed_weights, computed_weights, copied
from holdfast.nets.digest import weights_digest
from holdfast.nets.evaluate import Evaluation, device_of, evaluate, predict, restore_batchnorm
from holdfast.nets.features import FeatureUnits, InFeatureUnits
from holdfast.nets.fit import Epoch, FitResult, fit
from holdfast.nets.functional import (
    StackedModels,
    evaluating,
    frozen,
    named_weights,
    per_example_gradients,
    round_ste,
    stack,
    stacked_logits,
    stacked_predict,
    with_weights,
)
from holdfast.nets.hooks import LayerRecord, features, layer_records, recording, unit_counts
from holdfast.nets.kept import kept
from holdfast.nets.places import Intercepted, Position, functions_named, has_weights
from holdfast.nets.small import Normalized, ResidualBlock, ResidualNet, conv_net, lenet, mlp, resnet8, resnet20, tiny_cnn
from holdfast.nets.widths import OwnWidths, own_widths, whole_numbers

__all__ = [
    "Epoch",
    "Evaluation",
    "FeatureUnits",
    "FitResult",
    "InFeatureUnits",
    "Intercepted",
    "LayerRecord",
    "Normalized",
    "OwnWidths",
    "Position",
    "ResidualBlock",
    "ResidualNet",
    "StackedModels",
    "bake_weights",
    "closed_weights",
    "computed_weights",
    "conv_net",
    "copied",
    "device_of",
    "evaluate",
    "evaluating",
    "features",
    "fit",
    "frozen",
    "functions_named",
    "has_weights",
    "kept",
    "layer_records",
    "lenet",
    "mlp",
    "named_weights",
    "own_widths",
    "per_example_gradients",
    "predict",
    "random_flip",
    "random_shift",
    "recording",
    "resnet8",
    "resnet20",
    "restore_batchnorm",
    "round_ste",
    "seeded",
    "sign_noise",
    "stack",
    "stacked_logits",
    "stacked_predict",
    "tiny_cnn",
    "unit_counts",
    "weights_digest",
    "whole_numbers",
    "with_weights",
]
