"""Posteriors over networks: samples of weights, what draws them, and how their predictions fare under attack."""

from holdfast.bayes.diagnostics import Diagnostics
from holdfast.bayes.posterior import Posterior
from holdfast.bayes.prior import Prior

__all__ = ["Diagnostics", "Posterior", "Prior"]
