r"""Prior knowledge of the gradient of a network that only answers queries, and the weight that it deserves.

Source: S. Cheng, Y. Dong, T. Pang, H. Su and J. Zhu, *Improving black-box adversarial attacks with a transfer-based prior*, NeurIPS
2019, arXiv:1906.06919.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from holdfast.attacks.ascent import input_gradient
from holdfast.attacks.losses import Loss, make_objective
from holdfast.attacks.precision import at_least_single
from holdfast.attacks.query.directions import unit
from holdfast.core.checks import check_labels, check_whole, refuse
from holdfast.core.target import answer
from holdfast.nets import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Prior", "averaged", "loss_gradient", "optimal_lambda"]

Prior = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def optimal_lambda(alpha2: torch.Tensor, dimension: int | torch.Tensor, samples: int) -> torch.Tensor:
    r"""Weight of a prior among random directions that makes the estimate of a gradient point best.

    The estimate is the mean of :math:`(g \cdot u_i) u_i` over q directions
    :math:`u_i = \sqrt\lambda v + \sqrt{1 - \lambda}\,\xi_i` with :math:`\xi_i` random unit vectors orthogonal to the unit prior v.
    With :math:`a = \alpha^2` the squared cosine between v and the gradient g in D dimensions,

    .. math:: \lambda = \frac{(1 - a)(1 - a(D + 2q - 2))}{a^2 D (D + 2q - 2) - 2 a D q + 1}

    maximises :math:`(g \cdot E\hat g)^2 / E|\hat g|^2`; it is 0 for :math:`a \le 1/(D + 2q - 2)` and 1 for
    :math:`a \ge (2q - 1)/(D + 2q - 2)`. Source: arXiv:1906.06919, Eq. (13) and its neighbours.

    Parameters
    ----------
    alpha2 : a, tensor of any shape with values in [0, 1]
    dimension : D, >= 2; a number or a tensor like `alpha2`
    samples : q, >= 1

    Returns
    -------
    tensor like `alpha2` with values in [0, 1]

    Examples
    --------
    >>> weights = optimal_lambda(torch.tensor([0.0, 0.15**2, 1.0]), 784, 10)
    >>> [round(weight, 2) for weight in weights.tolist()]
    [0.0, 0.5, 1.0]
    """
    check_whole(samples, "samples", low=1)
    if not bool(((alpha2 >= 0) & (alpha2 <= 1)).all()):
        refuse("alpha2", f"runs from {float(alpha2.min()):g} to {float(alpha2.max()):g}", allowed="squared cosines in [0, 1]")
    reach = dimension + 2 * samples - 2
    value = (1 - alpha2) * (1 - alpha2 * reach) / (alpha2**2 * dimension * reach - 2 * alpha2 * dimension * samples + 1)
    return torch.where(alpha2 * reach <= 1, 0.0, torch.where(alpha2 * reach >= 2 * samples - 1, 1.0, value))


def averaged(priors: Sequence[Prior]) -> Prior:
    """The mean direction of several priors, each taken at length 1: several sources vote.

    Parameters
    ----------
    priors : at least one callable ``(x_adv, rows) -> (n, ...)``
    """
    if len(priors) == 0:
        refuse("priors", "is empty", allowed="at least one callable")

    def mean(x_adv: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        votes = [unit(prior(x_adv, rows).flatten(1).nan_to_num(0.0, 0.0, 0.0)) for prior in priors]
        return torch.stack(votes).mean(0).view_as(x_adv)

    return mean


def loss_gradient(model: Any, y: torch.Tensor, *, target_class: int | torch.Tensor | None = None, loss: str | Loss = "ce") -> Prior:
    """The gradient of an attack's loss on another network, as a prior, or on the attacked one itself, to judge a prior.

    Parameters
    ----------
    model : a network with the labels of the attacked one; the passes over it are not counted as queries
    y : right classes (N,) of the examples that will be attacked
    target_class, loss : of the attack

    Returns
    -------
    callable from inputs (n, ...) and the examples (n,) that they belong to, to gradients (n, ...)

    Examples
    --------
    >>> from holdfast.nets import mlp
    >>> loss_gradient(mlp(4, classes=3), torch.zeros(2, dtype=torch.long))(torch.rand(2, 4), torch.arange(2)).shape
    torch.Size([2, 4])
    """
    check_labels(y, "y")
    y = y.long()
    goal = None if target_class is None else torch.as_tensor(target_class, device=y.device).expand(y.shape)

    def value(x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        logits = at_least_single(answer(model, x))
        for name, wanted in (("y", y), ("target_class", goal)):
            if wanted is not None:
                check_labels(wanted, name, classes=logits.shape[1])
        objective = make_objective(loss, classes=logits.shape[1], targeted=goal is not None)
        return objective.climb(logits, y[rows], None if goal is None else goal[rows])

    def gradient(x_adv: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        with frozen(model):
            return input_gradient(value, x_adv, rows)

    return gradient
