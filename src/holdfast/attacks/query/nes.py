r"""NES: climb along a gradient that is estimated from pairs of answers on both sides of the input.

.. math:: \hat g = \frac1{q s} \sum_{i=1}^{q/2} \bigl[L(x + s u_i) - L(x - s u_i)\bigr]\, u_i, \qquad u_i \sim N(0, I)

Source: A. Ilyas, L. Engstrom, A. Athalye and J. Lin, *Black-box adversarial attacks with limited queries and information*, ICML
2018, arXiv:1804.08598, Algorithm 1. Here all u have length 1, since only the direction of the estimate counts.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import torch

from holdfast.attacks.active import ActiveSet
from holdfast.attacks.query.differences import Differences
from holdfast.attacks.query.directions import Directions
from holdfast.attacks.query.oracle import GROUP, Oracle, query_problem
from holdfast.attacks.threat import per_example
from holdfast.attacks.transforms import Direction
from holdfast.core.checks import check_whole, check_within, refuse
from holdfast.core.seeds import Seeds

if TYPE_CHECKING:
    from holdfast.attacks.losses import Loss
    from holdfast.attacks.threat import AttackResult, ThreatModel

__all__ = ["nes"]


def nes(  # noqa: PLR0913 - each argument is a setting chosen by name
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    target_class: int | torch.Tensor | None = None,
    queries: int = 10_000,
    samples: int = 50,
    sigma: float = 1e-2,
    step_size: float | torch.Tensor | None = None,
    momentum: float = 0.0,
    loss: str | Loss = "ce",
    seed: int = 0,
    batch_size: int = 500,
) -> AttackResult:
    """Climb along gradients from antithetic pairs of random directions.

    Parameters
    ----------
    model : module, callable or :class:`~holdfast.core.target.Target` that answers with scores (N, K)
    x, y : examples (N, ...) in the box, right classes (N,)
    threat : ``"linf"`` or ``"l2"``, radius (one or per example), box, mask
    target_class : class to be reached, one or per example; None: any wrong class
    queries : on each example at most, the first look at it included
    samples : queries per step, even: half as many directions
    sigma : length of the shift along a direction, in units of the input; doubled where all pairs of a step are answered alike
    step_size : one or per example; default ``eps / 10``
    momentum, loss : as in :func:`~holdfast.attacks.pgd`
    seed : of the directions
    batch_size : inputs per pass

    Returns
    -------
    AttackResult inside ball and box

    Raises
    ------
    InputError : see :func:`~holdfast.attacks.problem.pose`; a target that gives labels alone; an odd number of samples; other norms

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.nets import mlp
    >>> x, y = torch.rand(20, 8), torch.arange(20) % 3
    >>> result = nes(mlp(8, classes=3), x, y, ThreatModel("linf", 0.1), queries=60, samples=10)
    >>> int(result.queries.max()) <= 60
    True
    """
    if check_whole(samples, "samples", low=2) % 2:
        refuse("samples", f"is {samples}", allowed="even numbers: each direction is asked about on both sides")
    check_within(momentum, "momentum", low=0.0)
    if threat.norm not in {"linf", "l2"}:
        refuse("norm", f"is {threat.norm!r}", allowed="linf or l2 for nes()")
    problem = query_problem(model, x, y, threat, target_class=target_class, access="scores")
    oracle = Oracle(problem, queries=queries, loss=loss, batch_size=batch_size)
    differences = Differences(oracle, sigma)
    sizes = problem.eps / 10 if step_size is None else per_example(step_size, "step_size", problem.x)
    with oracle.asking():
        for number, rows in enumerate(oracle.begin().split(max(1, GROUP // samples))):
            generator = Seeds(seed).torch("nes", number, device=str(x.device))
            directions = Directions(problem.x, threat, subspace=None, generator=generator)
            _NESClimb(differences, rows, sizes=sizes, momentum=momentum).run(directions, samples // 2)
    return oracle.result()


class _NESClimb(ActiveSet):
    """Examples on their way: where each stands, and the objective there."""

    def __init__(self, differences: Differences, rows: torch.Tensor, *, sizes: torch.Tensor, momentum: float) -> None:
        self.oracle, self.differences, self.rows = differences.oracle, differences, rows
        self.ball, self.sizes = self.oracle.problem.ball(rows), sizes[rows]
        self.adv, self.steer = self.ball.x.clone(), Direction(momentum)
        self.base = differences.value(rows, self.oracle.clean[rows])

    def run(self, directions: Directions, pairs: int) -> None:
        """Climb until all are fooled or cannot afford a pair and a look at where it leads."""
        for step in itertools.count(1):
            self.drop(self.oracle.found.success[self.rows] | (self.oracle.left[self.rows] <= 2))
            if len(self.rows) == 0:
                return
            drawn = directions.draw(len(self.rows), pairs)
            both = torch.stack([drawn, -drawn], 2).flatten(1, 2)
            affordable = (self.oracle.left[self.rows] - 1) // 2 * 2
            slopes, _ = self.differences.slopes(self.rows, self.adv, self.base, directions=both, wanted=affordable)
            estimate = (slopes[:, None] @ both).squeeze(1)
            self.ball.step_(self.adv, self.steer(estimate.view_as(self.adv)), self.sizes)
            self.base = self.differences.value(self.rows, self.oracle.ask(self.rows, self.adv, steps=step))
