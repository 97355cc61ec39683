r"""What an attacker of a posterior may climb: five functions of the samples' logits, one number per example.

=================  ===============================================================================================
expected           :math:`\log \tfrac 1S \sum_s \mathrm{CE}(f_s, y)`: climbs the mean gradient, the paper's attack
predictive_nll     soft margin of the predictive: climbs :math:`-\log p(y|x)`, what is predicted
predictive_margin  :math:`\max_{k \ne y} \log p_k - \log p_y`: what is decided
mean_logits        soft margin of the mean logits: another prediction, which saturates later
second_softmax     cross entropy of the predictive *probabilities* taken for logits, as in the paper's code
=================  ===============================================================================================

The first has the direction of :math:`\tfrac 1S \sum_s \nabla \mathrm{CE}(f_s, y)`, because a logarithm changes only the length, and
it does not underflow. The last vanishes where the predictive is certain: that looks like robustness and is none. Sources:
G. Carbone et al., arXiv:2002.04359, and its public code; Y. Feng et al., arXiv:2404.19640.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from holdfast.attacks.losses import cw_margin, soft_margin
from holdfast.bayes.posterior import reduce_logits
from holdfast.core.checks import check_one_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.attacks.ascent import InputObjective
    from holdfast.bayes.posterior import Posterior

__all__ = ["OBJECTIVES", "PosteriorLoss", "posterior_objective"]

PosteriorLoss = Literal["expected", "predictive_nll", "predictive_margin", "mean_logits", "second_softmax"]
FAR = -15.0  # soft margin below which log(CE) is the margin itself to single precision


def expected(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Logarithm of the mean cross entropy (N,) of the samples' logits (S, N, K)."""
    margin = soft_margin(logits.flatten(0, 1), y.repeat(len(logits))).view(len(logits), len(y))
    near = nn.functional.softplus(margin.clamp_min(FAR)).log()
    return torch.where(margin < FAR, margin, near).logsumexp(0) - math.log(len(logits))


def predictive_nll(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Soft margin (N,) of the predictive: climbs its negative log-likelihood, and never vanishes."""
    return soft_margin(_log_predictive(logits), y)


def predictive_margin(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Largest other log-probability minus that of class `y` (N,)."""
    return cw_margin(_log_predictive(logits), y)


def mean_logits(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Soft margin (N,) of the mean logits, another prediction than the predictive."""
    return soft_margin(logits.mean(0), y)


def second_softmax(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Cross entropy (N,) of the mean probabilities taken for logits, as in the paper's code."""
    return nn.functional.cross_entropy(logits.softmax(-1).mean(0), y, reduction="none")


def _log_predictive(logits: torch.Tensor) -> torch.Tensor:
    return reduce_logits(iter((logits,)), "log_mean_exp", len(logits))


OBJECTIVES: dict[PosteriorLoss, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "expected": expected,
    "predictive_nll": predictive_nll,
    "predictive_margin": predictive_margin,
    "mean_logits": mean_logits,
    "second_softmax": second_softmax,
}


def posterior_objective(
    posterior: Posterior, y: torch.Tensor, loss: PosteriorLoss = "expected", *, chunk: int | None = None
) -> InputObjective:
    """What :func:`~holdfast.attacks.ascend` can climb to attack a posterior.

    Parameters
    ----------
    posterior : samples of a network's weights
    y : integer tensor (N,), the right classes of all examples
    loss : one of the five names of :mod:`holdfast.bayes.objectives`
    chunk : number of weight samples at once, to bound memory; each part is computed again on the way back

    Returns
    -------
    function from inputs (n, ...) and the examples (n,) that they belong to, to what is maximised (n,)

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel, ascend
    >>> from holdfast.bayes import Posterior
    >>> from holdfast.nets import mlp
    >>> post = Posterior.of_models([mlp(4, classes=3, seed=seed) for seed in range(5)])
    >>> x, y = torch.rand(6, 4), torch.arange(6) % 3
    >>> ascend(posterior_objective(post, y), x, ThreatModel("linf", 0.1), steps=1).shape
    torch.Size([6, 4])
    """
    value = OBJECTIVES[check_one_of(loss, "loss", allowed=OBJECTIVES)]  # type: ignore[index]  # checked
    return lambda x, rows: value(posterior.logits(x, chunk=chunk), y[rows])
