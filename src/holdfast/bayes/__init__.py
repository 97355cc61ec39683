"""Posteriors over networks: samples of weights, what draws them, and how their predictions fare under attack."""

from holdfast.bayes.cancellation import CancellationTable, cancellation_ratio
from holdfast.bayes.diagnostics import Diagnostics
from holdfast.bayes.ensemble import ensemble, train_ensemble
from holdfast.bayes.gradients import ExpectedGradient, expected_input_gradient
from holdfast.bayes.hmc import hmc
from holdfast.bayes.posterior import Posterior
from holdfast.bayes.prior import Prior
from holdfast.bayes.sghmc import sghmc
from holdfast.bayes.variational import MeanField, mfvi, normal_divergence

__all__ = [
    "CancellationTable",
    "Diagnostics",
    "ExpectedGradient",
    "MeanField",
    "Posterior",
    "Prior",
    "cancellation_ratio",
    "ensemble",
    "expected_input_gradient",
    "hmc",
    "mfvi",
    "normal_divergence",
    "sghmc",
    "train_ensemble",
]
