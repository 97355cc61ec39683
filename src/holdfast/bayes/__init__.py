"""Posteriors over networks: samples of weights, what draws them, and how their predictions fare under attack."""

from holdfast.bayes.diagnostics import Diagnostics
from holdfast.bayes.hmc import hmc
from holdfast.bayes.posterior import Posterior
from holdfast.bayes.prior import Prior
from holdfast.bayes.sghmc import sghmc

__all__ = ["Diagnostics", "Posterior", "Prior", "hmc", "sghmc"]
