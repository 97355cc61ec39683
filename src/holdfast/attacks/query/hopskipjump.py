r"""HopSkipJump: toward the nearest wrong answer by queries that are answered with labels alone.

Source: J. Chen, M. I. Jordan and M. J. Wainwright, *HopSkipJumpAttack: a query-efficient decision-based attack*, IEEE S&P 2020,
arXiv:1904.02144, Algorithms 1 and 2. At a point of the boundary, the answers at random neighbours give its normal:

.. math:: \hat g = \frac1B \sum_b (\phi(x + \delta u_b) - \bar\phi)\, u_b, \qquad \phi = \pm 1

All examples go through the rounds together. Each round searches the boundary by halving, estimates its normal, and steps across.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, fields
from typing import Any

import torch

from holdfast.attacks.active import ActiveSet
from holdfast.attacks.projection import perturbation_norm
from holdfast.attacks.query.directions import Directions, unit
from holdfast.attacks.query.oracle import GROUP, Oracle, inside, query_problem
from holdfast.attacks.threat import AttackResult, ThreatModel
from holdfast.core.checks import check_whole, refuse
from holdfast.core.seeds import Seeds

__all__ = ["BoundaryResult", "hopskipjump"]

HALVINGS = 30  # of an interval at most: float32 cannot resolve more
STEPS = 25  # lengths of a step that are tried, each half the last


@dataclass(frozen=True, kw_only=True)
class BoundaryResult(AttackResult):
    """What an attack on labels found: success is judged against eps, and beyond it there is the nearest input that fools.

    Parameters
    ----------
    nearest : tensor (N, ...), the nearest input found that fools, inside the box; the example itself where none was found
    distance : tensor (N,), of that input in the norm of the threat model; 0 where the example was wrong from the start, inf where
        nothing was found
    """

    nearest: torch.Tensor
    distance: torch.Tensor


def hopskipjump(  # noqa: PLR0913 - each argument is a setting chosen by name
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    target_class: int | torch.Tensor | None = None,
    starts: torch.Tensor | None = None,
    queries: int = 5000,
    first_samples: int = 100,
    start_draws: int = 100,
    stop_inside: bool = False,
    seed: int = 0,
    batch_size: int = 500,
) -> BoundaryResult:
    """Walk along the boundary of the wanted answer toward the example; only the predicted class is looked at.

    Source: arXiv:1904.02144, Algorithm 2, for L2 and L-infinity.

    Parameters
    ----------
    model : module, callable or :class:`~holdfast.core.target.Target` that answers with labels (N,) or scores (N, K)
    x : tensor (N, ...), floating point, inside the box
    y : integer tensor (N,), the right classes
    threat : ``"linf"`` or ``"l2"``; its radius decides about success only, the search goes on to smaller distances
    target_class : class to be reached, one or per example; None: any wrong class
    starts : inputs (N, ...) in the box that are answered as wanted, one per example, such as images of the target class; None:
        random noise, blended into the example as little as it takes. A targeted attack seldom succeeds without
    queries : on each example at most, the first look at it included
    first_samples : queries in the first estimate of a normal; it grows with the square root of the round
    start_draws : random inputs tried per example for a start
    stop_inside : an example leaves as soon as its distance is within eps
    seed : of all draws
    batch_size : inputs per pass

    Returns
    -------
    BoundaryResult; `x_adv` is the nearest input found where that lies within eps, and the example itself elsewhere

    Raises
    ------
    InputError : see :func:`~holdfast.attacks.problem.pose`; starts of another shape or outside the box; other norms

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.nets import mlp
    >>> net, x = mlp(8, classes=3), torch.rand(20, 8)
    >>> y = net(x).argmax(1)
    >>> result = hopskipjump(lambda x: net(x).argmax(1), x, y, ThreatModel("l2", 0.5), queries=200)
    >>> bool((result.distance[result.success] <= 0.5 + 1e-6).all())
    True
    """
    check_whole(first_samples, "first_samples", low=1)
    check_whole(start_draws, "start_draws", low=1)
    if threat.norm not in {"linf", "l2"}:
        refuse("norm", f"is {threat.norm!r}", allowed="linf or l2 for hopskipjump()")
    problem = query_problem(model, x, y, threat, target_class=target_class, access="labels")
    if starts is not None and starts.shape != x.shape:
        refuse("starts", f"has shape {tuple(starts.shape)}", allowed=f"one input per example, {tuple(x.shape)}")
    if starts is not None and not bool(((starts >= threat.bounds[0]) & (starts <= threat.bounds[1])).all()):
        refuse("starts", "leaves the box or is not finite", allowed=f"values in {threat.bounds}")
    oracle = Oracle(problem, queries=queries, access="labels", batch_size=batch_size)
    walk = _BoundaryWalk(oracle, first_samples=first_samples, stop_inside=stop_inside)
    with oracle.asking():
        rows = oracle.begin()
        walk.distance[oracle.found.success] = 0
        for number, part in enumerate(rows.split(GROUP)):
            generator = Seeds(seed).torch("hopskipjump", number, device=str(x.device))
            walk.go(part, starts, start_draws, Directions(x, threat, subspace=None, generator=generator))
    return walk.result()


@dataclass
class _Front(ActiveSet):
    """Examples on their way along the boundary, and where each stands, on the wanted side of it."""

    rows: torch.Tensor
    edge: torch.Tensor


@dataclass
class _Interval(ActiveSet):
    """The shares of the way to `edge` between which the boundary lies; `places` are those in the batch."""

    rows: torch.Tensor
    places: torch.Tensor
    edge: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor


@dataclass
class _Crossing(ActiveSet):
    """Directions and lengths of the steps that are tried from `edge`; `places` are those in the batch."""

    rows: torch.Tensor
    places: torch.Tensor
    edge: torch.Tensor
    direction: torch.Tensor
    length: torch.Tensor


class _BoundaryWalk:
    """The nearest input that fools, per example, and the ways to a nearer one."""

    def __init__(self, oracle: Oracle, *, first_samples: int, stop_inside: bool) -> None:
        self.oracle, self.first_samples, self.stop_inside = oracle, first_samples, stop_inside
        problem = oracle.problem
        self.norm, self.x, self.box = problem.threat.norm, problem.x, problem.threat.bounds
        self.nearest = problem.x.clone()
        self.distance = torch.full_like(problem.eps, torch.inf)
        features = problem.x[0].numel()
        self.theta = features ** (-1.5 if self.norm == "l2" else -2.0)  # relative resolution of the boundary: the authors' code

    def go(self, rows: torch.Tensor, starts: torch.Tensor | None, draws: int, directions: Directions) -> None:
        """Attack the examples `rows` until their queries are spent."""
        movable = directions.movable.view(self.x[0].shape) > 0
        if starts is not None:
            self.ask(rows, torch.where(movable, starts[rows].to(self.x), self.x[rows]))
        self.blend(rows, draws, movable, directions.generator)
        rows = rows[self.distance[rows].isfinite()]
        front = _Front(rows, self.nearest[rows])
        for turn in itertools.count(1):
            front.drop(self.ended(front.rows))
            if len(front.rows) == 0:
                return
            front.edge = self.bisect(front.rows, front.edge)
            front.drop(self.ended(front.rows))
            size = max(1, 4 * GROUP // self.count(turn))  # bounds the memory
            for rows, edge in zip(front.rows.split(size), front.edge.split(size), strict=True) if len(front.rows) else ():
                edge.copy_(self.jump(rows, edge, self.normal(rows, edge, turn, directions), turn))

    def count(self, turn: int) -> int:
        """Queries in the estimate of a normal in round `turn` = 1, 2, ..."""
        return int(self.first_samples * math.sqrt(turn))

    def ended(self, rows: torch.Tensor) -> torch.Tensor:
        """Boolean (n,): the examples are out of queries, or as near as is wanted."""
        near = self.oracle.problem.eps[rows] if self.stop_inside else 0
        return (self.oracle.left[rows] <= 0) | (self.distance[rows] <= near)

    def ask(self, rows: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Boolean (n,): which of the `inputs` (n, ...) are answered as wanted; the nearest ones of distinct `rows` are kept."""
        hit = self.oracle.problem.fooled(self.oracle.ask(rows, inputs, allowed=False), rows)
        far = self.oracle.problem.distance(rows, inputs)
        nearer = hit & (far < self.distance[rows])
        self.nearest[rows[nearer]], self.distance[rows[nearer]] = inputs[nearer], far[nearer]
        return hit

    def blend(self, rows: torch.Tensor, draws: int, movable: torch.Tensor, generator: torch.Generator) -> None:
        """Random noise for the examples without a start yet, in every second draw mixed with the example."""
        for draw in range(draws):
            rows = rows[self.distance[rows].isinf() & ~self.ended(rows)]
            if len(rows) == 0:
                return
            noise = torch.rand(self.x[rows].shape, generator=generator, dtype=self.x.dtype, device=self.x.device)
            noise = self.box[0] + (self.box[1] - self.box[0]) * noise
            share = float(torch.rand((), generator=generator, device=generator.device)) if draw % 2 else 1.0
            self.ask(rows, torch.where(movable, torch.lerp(self.x[rows], noise, share).clamp(*self.box), self.x[rows]))

    def bisect(self, rows: torch.Tensor, edge: torch.Tensor) -> torch.Tensor:
        """Inputs (n, ...) on the wanted side of the boundary, within theta of it, between the examples and `edge`.

        The way is straight in L2; in L-infinity it leads through the boxes around the example.
        """
        found, low = edge.clone(), torch.zeros(len(rows), dtype=edge.dtype, device=edge.device)
        at = _Interval(rows, torch.arange(len(rows), device=rows.device), edge, low, torch.ones_like(low))
        for _ in range(HALVINGS):
            at.drop((at.high - at.low <= self.theta) | (self.oracle.left[at.rows] <= 0))
            if len(at.rows) == 0:
                break
            middle = (at.low + at.high) / 2
            inputs = self.between(self.x[at.rows], at.edge, middle)
            hit = self.ask(at.rows, inputs)
            found[at.places[hit]] = inputs[hit]
            at.high = torch.where(hit, middle, at.high)
            at.low = torch.where(hit, at.low, middle)
        return found

    def between(self, x: torch.Tensor, edge: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        """`x` at share 0, `edge` at share 1."""
        share = share.view(-1, *(1,) * (x.ndim - 1))
        if self.norm == "l2":
            return (x + share * (edge - x)).clamp(*self.box)
        radius = share * perturbation_norm(edge - x, "linf").view_as(share)
        return torch.minimum(torch.maximum(edge, x - radius), x + radius)

    def normal(self, rows: torch.Tensor, edge: torch.Tensor, turn: int, directions: Directions) -> torch.Tensor:
        """Unit estimates (n, ...) of the boundary's normal at `edge` toward the wanted side, as far as the budget goes."""
        wanted, features = self.count(turn), edge[0].numel()
        width = self.oracle.problem.distance(rows, edge) * self.theta * features ** (0.5 if self.norm == "l2" else 1.0)
        width = torch.full_like(width, 0.1 * (self.box[1] - self.box[0])) if turn == 1 else width
        width = width.clamp_min(torch.finfo(width.dtype).tiny).view(-1, 1, 1)
        drawn = directions.draw(len(rows), wanted, cube=self.norm == "linf")
        at = edge.flatten(1)[:, None]
        inputs = (at + width * drawn).clamp(*self.box)
        drawn = (inputs - at) / width
        asked = torch.arange(wanted, device=rows.device) < self.oracle.left[rows][:, None]
        example, column = asked.nonzero(as_tuple=True)
        answers = torch.zeros_like(drawn[..., 0])
        scores = self.oracle.ask(rows[example], inputs[example, column].view(-1, *edge.shape[1:]), allowed=False)
        answers[example, column] = torch.where(self.oracle.problem.fooled(scores, rows[example]), 1.0, -1.0).to(answers.dtype)
        mean = answers.sum(1, keepdim=True) / asked.sum(1, keepdim=True).clamp_min(1)
        weight = torch.where(mean.abs() == 1, answers, (answers - mean) * asked)
        return unit((weight[:, None] @ drawn).squeeze(1)).view_as(edge)

    def jump(self, rows: torch.Tensor, edge: torch.Tensor, normal: torch.Tensor, turn: int) -> torch.Tensor:
        """Inputs (n, ...) across the boundary: a step from `edge`, half as far again until the answer is the wanted one."""
        found, direction = edge.clone(), normal if self.norm == "l2" else normal.sign()
        length = self.oracle.problem.distance(rows, edge).view(-1, *(1,) * (edge.ndim - 1)) / math.sqrt(turn)
        at = _Crossing(rows, torch.arange(len(rows), device=rows.device), edge, direction, length)
        for _ in range(STEPS):
            at.drop(self.oracle.left[at.rows] <= 0)
            if len(at.rows) == 0:
                break
            inputs = (at.edge + at.length * at.direction).clamp(*self.box)
            hit = self.ask(at.rows, inputs)
            found[at.places[hit]] = inputs[hit]
            at.length = at.length / 2
            at.drop(hit)
        return found

    def result(self) -> BoundaryResult:
        """The nearest inputs, and which of them lie in the ball."""
        found, problem = self.oracle.found, self.oracle.problem
        size = perturbation_norm(found.x_adv - self.x, self.norm)
        lucky = found.success & (size < self.distance)  # a query about the normal that fooled inside the ball
        self.nearest[lucky], self.distance[lucky] = found.x_adv[lucky], size[lucky]
        everyone = torch.arange(len(self.x), device=self.x.device)
        chosen = (self.distance > 0) & self.distance.isfinite() & inside(problem, everyone, self.nearest)
        found.x_adv[chosen], found.success[chosen] = self.nearest[chosen], True
        result = self.oracle.result()
        return BoundaryResult(
            **{entry.name: getattr(result, entry.name) for entry in fields(AttackResult)},
            nearest=problem.returned(everyone, self.nearest),
            distance=self.distance,
        )
