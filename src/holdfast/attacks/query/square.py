"""The Square attack: a random search over blocks that reads scores only.

Source: M. Andriushchenko, F. Croce, N. Flammarion and M. Hein, ECCV 2020, arXiv:1912.00049. The proposals are in
:mod:`holdfast.attacks.query.windows`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from holdfast.attacks.active import ActiveSet
from holdfast.attacks.query.oracle import GROUP, Oracle, query_problem
from holdfast.attacks.query.windows import propose, start
from holdfast.core.checks import check_whole, check_within, refuse
from holdfast.core.seeds import Seeds

if TYPE_CHECKING:
    from holdfast.attacks.losses import Loss
    from holdfast.attacks.threat import AttackResult, ThreatModel

__all__ = ["square"]

HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # steps of 10 000 after which the share is halved: the official code


def square(  # noqa: PLR0913 - each argument is a setting chosen by name
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    target_class: int | torch.Tensor | None = None,
    queries: int = 5000,
    p_init: float = 0.8,
    loss: str | Loss = "cw_margin",
    restarts: int = 1,
    seed: int = 0,
    batch_size: int = 500,
) -> AttackResult:
    """Random search that changes one block at a time and keeps changes that raise the loss; examples leave once they are fooled.

    Source: arXiv:1912.00049, Algorithm 1, with its schedule of block sizes stretched to the budget. Inputs that are not images
    (N, channels, height, width) change at random coordinates instead of blocks.

    Parameters
    ----------
    model : module, callable or :class:`~holdfast.core.target.Target` that answers with scores; no gradient is needed
    x : tensor (N, ...), floating point, inside the box
    y : integer tensor (N,), the right classes
    threat : ``"linf"``, ``"l2"`` or ``"l1"``, radius (one or per example), box, mask
    target_class : class to be reached, one or per example; None: any wrong class
    queries : forward passes on each example at most, the one on the example itself included
    p_init : share of the input that the first blocks cover, in (0, 1]
    loss : ``"cw_margin"``, ``"ce"``, ``"dlr"``, ``"logit"`` or a callable ``(logits, labels) -> (N,)`` that is maximised
    restarts : independent searches that share the budget
    seed : of the search
    batch_size : examples per pass

    Returns
    -------
    AttackResult inside ball and box; where the budget is exhausted without success, the input with the largest loss

    Raises
    ------
    InputError : see :func:`~holdfast.attacks.problem.pose`; a target that gives labels alone; the norm ``"l0"``

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.nets import mlp
    >>> x, y = torch.rand(20, 8), torch.arange(20) % 3
    >>> result = square(mlp(8, classes=3), x, y, ThreatModel("linf", 0.1), queries=50)
    >>> int(result.queries.max()) <= 50
    True
    """
    check_whole(restarts, "restarts", low=1)
    check_within(p_init, "p_init", low=0.0, high=1.0, low_open=True)
    if threat.norm == "l0":
        refuse("norm", "is 'l0'", allowed="linf, l2 or l1 for square()")
    problem = query_problem(model, x, y, threat, target_class=target_class, access="scores")
    oracle = Oracle(problem, queries=queries, loss=loss, batch_size=batch_size)
    seeds = Seeds(seed)
    with oracle.asking():
        for number, rows in enumerate(oracle.begin().split(GROUP)):
            for restart in range(restarts):
                generator = seeds.torch("square", number, restart, device=str(x.device))
                steps = (queries - 1) * (restart + 1) // restarts - (queries - 1) * restart // restarts
                _SquareSearch(oracle, rows).run(steps=steps, p_init=p_init, generator=generator)
    return oracle.result()


class _SquareSearch(ActiveSet):
    """One search from a new start: the examples, the best input of each, and the objective there."""

    def __init__(self, oracle: Oracle, rows: torch.Tensor) -> None:
        self.oracle, self.rows = oracle, oracle.going(rows)
        self.ball = oracle.problem.ball(self.rows)
        self.adv, self.best = self.ball.x, torch.full_like(self.ball.eps, -torch.inf)

    def run(self, *, steps: int, p_init: float, generator: torch.Generator) -> None:
        """At most `steps` queries per example."""
        for step in range(steps):
            if len(self.rows) == 0:
                return
            share = _share(step - 1, steps, p_init)
            proposal = propose(self.ball, self.adv, share, generator) if step else start(self.ball, generator)
            value = self.oracle.value(self.rows, self.oracle.ask(self.rows, proposal, steps=step + 1)).to(self.best.dtype)
            better = value > self.best
            self.best = torch.where(better, value, self.best)
            self.adv = torch.where(better.view(-1, *(1,) * (self.adv.ndim - 1)), proposal, self.adv)
            self.drop(self.oracle.found.success[self.rows] | (self.oracle.left[self.rows] <= 0))


def _share(step: int, steps: int, p_init: float) -> float:
    """Share of the input that a block covers at a step of a search of `steps`."""
    return p_init / 2 ** sum(int(step / steps * 10_000) > limit for limit in HALVINGS)
