r"""What an attack maximises: one number per example, larger where the network is more wrong.

Cross entropy is climbed through its soft margin :math:`m = \log\sum_{i \ne y} e^{z_i} - z_y`. Because
:math:`\mathrm{CE} = \log(1 + e^m)`, both have the same gradient direction for each example; but that of m never vanishes,
while that of CE is rounded to zero once the right logit leads by more than about 17 (float32, its own term) or 103 (all of it).
A network with saturated logits therefore cannot hide from it. DLR: F. Croce and M. Hein, ICML 2020 (arXiv:2003.01690), Eqs. (6)
and (7); margin: N. Carlini and D. Wagner, IEEE S&P 2017 (arXiv:1608.04644), f6.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from holdfast.core.checks import check_one_of, refuse

__all__ = [
    "LOSSES",
    "Loss",
    "Objective",
    "cross_entropy",
    "cw_margin",
    "dlr",
    "dlr_targeted",
    "logit",
    "make_objective",
    "soft_margin",
    "soft_margin_slope",
]

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
LOSSES = ("ce", "cw_margin", "dlr", "logit")


def _at(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return logits.gather(1, y[:, None]).squeeze(1)


def _without(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return logits.scatter(1, y[:, None], -torch.inf)


def soft_margin(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Log-sum-exp of the other logits minus the logit of class `y` (N,)."""
    return _without(logits, y).logsumexp(1) - _at(logits, y)


def soft_margin_slope(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Gradient (N, K) of the soft margin in the logits: the softmax over the other classes, and -1 at class `y`."""
    return _without(logits, y).softmax(1).scatter_(1, y[:, None], -1.0)


def cross_entropy(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Negative log-probability (N,) of class `y` in nat, exact for any size of the logits.

    Examples
    --------
    >>> cross_entropy(torch.tensor([[0.0, 0.0], [0.0, 1000.0]]), torch.tensor([0, 0])).tolist()
    [0.6931471824645996, 1000.0]
    """
    return nn.functional.softplus(soft_margin(logits, y))


def cw_margin(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Largest other logit minus the logit of class `y` (N,); positive where the answer is wrong."""
    return _without(logits, y).amax(1) - _at(logits, y)


def dlr(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Difference-of-logits ratio (N,): the margin in units of the distance between the largest and the third largest logit."""
    top = logits.topk(3, dim=1).values
    return cw_margin(logits, y) / _apart(top[:, 0] - top[:, 2])


def dlr_targeted(logits: torch.Tensor, y: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
    """Difference-of-logits ratio (N,) of class `goal` over class `y`."""
    top = logits.topk(4, dim=1).values
    return (_at(logits, goal) - _at(logits, y)) / _apart(top[:, 0] - (top[:, 2] + top[:, 3]) / 2)


def _apart(distance: torch.Tensor) -> torch.Tensor:
    """Fit to be divided by, in half precision too."""
    return distance.clamp_min(max(1e-12, torch.finfo(distance.dtype).tiny))


def logit(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Minus the logit of class `y` (N,)."""
    return -_at(logits, y)


Climb = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]


@dataclass(frozen=True)
class Objective:
    """What an attack climbs and what it reports.

    Parameters
    ----------
    climb : from logits (N, K), labels (N,) and target classes (N,) or None to what is maximised (N,)
    report : from that value to the loss in its usual form
    slope : from the same to the gradient of `climb` in the logits (N, K), where it is known in closed form
    """

    climb: Climb
    report: Callable[[torch.Tensor], torch.Tensor]
    slope: Climb | None = None

    def value(self, logits: torch.Tensor, y: torch.Tensor, goal: torch.Tensor | None) -> torch.Tensor:
        """The reported loss (N,)."""
        return self.report(self.climb(logits, y, goal))


def _unchanged(value: torch.Tensor) -> torch.Tensor:
    return value


def make_objective(loss: str | Loss, *, classes: int, targeted: bool) -> Objective:
    """The objective behind the name or the callable `loss`.

    Parameters
    ----------
    loss : ``"ce"``, ``"cw_margin"``, ``"dlr"``, ``"logit"``, or a callable from logits and labels (the target classes in a targeted
        attack) to what is to be maximised (N,)
    classes : K; ``"dlr"`` needs 3, and 4 if targeted, and gives way to ``"cw_margin"`` below, with a warning
    targeted : approach the target class instead of leaving the right one: the loss of that class is minimised
    """
    if callable(loss):
        return Objective(_checked(loss), _unchanged)
    check_one_of(loss, "loss", allowed=LOSSES)
    if classes < 2:
        refuse("model", f"has {classes} output", allowed="at least two logits per example")
    needed = 4 if targeted else 3
    if loss == "dlr" and classes < needed:
        warnings.warn(
            f"DLR needs {needed} classes and the model has {classes}: the plain margin is used.", UserWarning, stacklevel=3
        )
        loss = "cw_margin"
    if loss == "dlr" and targeted:
        return Objective(_dlr_toward, _unchanged)
    if loss == "ce":
        return _cross_entropy_objective(targeted=targeted)
    plain = {"cw_margin": cw_margin, "dlr": dlr, "logit": logit}[loss]
    if targeted:
        return Objective(lambda logits, y, goal: -plain(logits, y if goal is None else goal), _unchanged)
    return Objective(lambda logits, y, goal: plain(logits, y), _unchanged)  # noqa: ARG005 - the form of all objectives


def _cross_entropy_objective(*, targeted: bool) -> Objective:
    """Climbs the soft margin, reports the cross entropy (its negative, of the target class)."""
    sign = -1 if targeted else 1
    return Objective(
        lambda logits, y, goal: sign * soft_margin(logits, y if goal is None else goal),
        nn.functional.logsigmoid if targeted else nn.functional.softplus,
        lambda logits, y, goal: sign * soft_margin_slope(logits, y if goal is None else goal),
    )


def _checked(loss: Loss) -> Climb:
    """The user's loss; refused if it does not give one number per example."""

    def climb(logits: torch.Tensor, y: torch.Tensor, goal: torch.Tensor | None) -> torch.Tensor:
        value = loss(logits, y if goal is None else goal)
        if value.shape != y.shape:
            refuse("loss", f"gives shape {tuple(value.shape)}", allowed=f"one number per example, {tuple(y.shape)}")
        return value

    return climb


def _dlr_toward(logits: torch.Tensor, y: torch.Tensor, goal: torch.Tensor | None) -> torch.Tensor:
    return dlr_targeted(logits, y, y if goal is None else goal)
