"""Posteriors over networks: samples of weights, what draws them, and how their predictions fare under attack."""

from holdfast.bayes.cancellation import CancellationTable, cancellation_ratio
from holdfast.bayes.comparison import compared_protocols, protocol_curves
from holdfast.bayes.diagnostics import Diagnostics
from holdfast.bayes.ensemble import ensemble, train_ensemble
from holdfast.bayes.geometry import ascend_off, orthogonal_to, split_gradient, tangent_basis
from holdfast.bayes.gradients import ExpectedGradient, expected_input_gradient
from holdfast.bayes.hmc import hmc
from holdfast.bayes.kept import kept_posterior, perceptron_posterior
from holdfast.bayes.laplace import laplace
from holdfast.bayes.noisy import device_posterior, noisy_posterior
from holdfast.bayes.objectives import posterior_objective
from holdfast.bayes.outcome import ProtocolResult, softmax_robustness
from holdfast.bayes.packing import pack_posterior, unpack_posterior
from holdfast.bayes.posterior import Posterior
from holdfast.bayes.prior import Prior
from holdfast.bayes.protocols import adaptive_protocol, named_protocol, paper_protocol
from holdfast.bayes.regression import linear_regression
from holdfast.bayes.reporting import cancellation_curves, posterior_quantities, protocol_notes, sample_notes
from holdfast.bayes.sghmc import sghmc
from holdfast.bayes.variational import MeanField, mfvi, normal_divergence, normal_sampler

__all__ = [
    "CancellationTable",
    "Diagnostics",
    "ExpectedGradient",
    "MeanField",
    "Posterior",
    "Prior",
    "ProtocolResult",
    "adaptive_protocol",
    "ascend_off",
    "cancellation_curves",
    "cancellation_ratio",
    "compared_protocols",
    "device_posterior",
    "ensemble",
    "expected_input_gradient",
    "hmc",
    "kept_posterior",
    "laplace",
    "linear_regression",
    "mfvi",
    "named_protocol",
    "noisy_posterior",
    "normal_divergence",
    "normal_sampler",
    "orthogonal_to",
    "pack_posterior",
    "paper_protocol",
    "perceptron_posterior",
    "posterior_objective",
    "posterior_quantities",
    "protocol_curves",
    "protocol_notes",
    "sample_notes",
    "sghmc",
    "softmax_robustness",
    "split_gradient",
    "tangent_basis",
    "train_ensemble",
    "unpack_posterior",
]
