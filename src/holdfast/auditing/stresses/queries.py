"""The adversarial card's black-box attacks: by scores, or by labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch

from holdfast.attacks import ThreatModel
from holdfast.attacks.query import hopskipjump, square
from holdfast.auditing.stresses.answers import ANSWERED, examples_of
from holdfast.auditing.stresses.attacked import NORMS, REMEDY, Norm, chunk_of, middle_eps, survived, tried, with_pictures
from holdfast.auditing.stresses.cards import ADVERSARIAL
from holdfast.core.checks import check_one_of, check_whole, check_within
from holdfast.core.curve import Curve
from holdfast.core.estimate import proportion
from holdfast.core.experiment import Measurement, Summary
from holdfast.core.stress import ActivePasses, Axis, Card, Cost, Stress, StressContext

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.attacks import AttackResult
    from holdfast.core.experiment import Point
    from holdfast.core.stress import Facts, Preset
    from holdfast.core.target import Access

__all__ = ["HopSkipJump", "QueryAttack", "Square"]

LOOKS = (1, 3, 10, 30, 100, 300, 1000, 3000)  # queries at which the curve is read off


@dataclass(frozen=True, kw_only=True)
class QueryAttack(Stress):
    """An attack at one size with a budget of queries for each example.

    Its class says as `reach` which share of its size a gradient attack needs to fool as many, and as `calls` how often it calls the
    network for each query of an example, because a search may ask several at once; a query takes as long as so many `passes`.

    Parameters
    ----------
    eps : attack size in units of the input
    queries : per example, that of the clean input included; one more reads the answer off
    norm : ``"linf"``, ``"l2"`` or ``"l1"``
    examples : rows of the data, None for all
    """

    version: ClassVar[int] = 2
    card: ClassVar[Card] = ADVERSARIAL
    axes: ClassVar[Mapping[str, Axis]] = {"queries": Axis(clause="after {value:.0f} queries per example")}
    remedy: ClassVar[str] = REMEDY
    metrics: ClassVar[tuple[str, ...]] = ANSWERED
    norms: ClassVar[tuple[str, ...]] = NORMS
    reach: ClassVar[float] = 0.5
    calls: ClassVar[float] = 1.0
    passes: ClassVar[float] = 1.0
    eps: float
    queries: int = 2000
    norm: Norm = "linf"
    examples: int | None = 200

    def __post_init__(self) -> None:
        check_within(self.eps, "eps", low=0.0)
        check_whole(self.queries, "queries", low=2)
        check_one_of(self.norm, "norm", allowed=self.norms)

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self:
        """300, 2000 or 10000 queries for each of 50, 200 or 1000 examples, at the middle attack size."""
        queries, examples = {"quick": (300, 50), "standard": (2000, 200), "deep": (10_000, 1000)}[preset]
        return cls(eps=middle_eps(facts), queries=queries, examples=examples)

    def unfit(self, facts: Facts) -> str:
        """Needs inputs that small steps can change."""
        return facts.why_no_steps

    def strength(self, point: Point) -> tuple[str, float]:
        """Norm and radius."""
        del point
        return self.norm, self.eps

    def points(self) -> list[Point]:
        """One point: what fewer queries would have found is read off it."""
        return [{"queries": self.queries}]

    def estimate(self, point: Point) -> Cost:
        """All queries; an example that is fooled needs no more."""
        del point
        size = self.reach * self.eps
        steps = round(self.calls * self.queries)
        search = ActivePasses(norm=self.norm, eps=size, forward=self.passes * self.queries, steps=steps)
        return Cost(forward=2, active=(search,), queries=self.queries + 1)

    def attack(self, context: StressContext, x: torch.Tensor, y: torch.Tensor, seed: int) -> AttackResult:
        """The attack on a part of the examples."""
        raise NotImplementedError

    def measure(self, point: Point, context: StressContext) -> Measurement:
        """Accuracy under the attack; per example, how many queries it took (0: it was not fooled)."""
        del point
        data = examples_of(context, self.examples)
        found: list[Any] = []
        chunk = chunk_of(data)
        for index, (x, y) in enumerate(data.batches(chunk)):
            context.check_time()
            seed = context.seeds.integer("search", index)
            found.append(self.attack(context, x.to(context.device), y.to(context.device), seed))
            context.tick(min(1.0, (index + 1) * chunk / len(data)))
        adversarial = torch.cat([part.x_adv.cpu() for part in found])
        success = torch.cat([part.success.cpu() for part in found])
        asked = torch.cat([part.queries.cpu() for part in found])
        taken = asked.masked_fill(~success, 0).numpy().astype(np.int32)
        answered = survived(tried(context, adversarial), data.y)
        correct = answered.arrays["correct"]
        taken[correct] = 0  # random answers alone had fooled it
        taken[~correct & (taken == 0)] = self.queries  # and here they do so at the end
        answered = replace(answered, arrays={**answered.arrays, "queries": taken})
        rows = np.flatnonzero(~correct & (taken > 1))  # an example that took one query was wrong from the start
        return with_pictures(answered, data, adversarial[torch.from_numpy(rows)], rows, before=data.y.cpu().numpy())

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Accuracy against the queries per example."""
        if not measurements:
            return Summary()
        taken = measurements[0][1].arrays["queries"]
        looks = sorted({*(look for look in LOOKS if look < self.queries), self.queries})
        robust = [int(((taken == 0) | (taken > look)).sum()) for look in looks]
        curve = Curve(
            name=self.name,
            axis="queries",
            unit="per example",
            at=tuple(map(float, looks)),
            estimates=tuple(proportion(count, len(taken)) for count in robust),
        )
        return Summary(curves=(curve,))


@dataclass(frozen=True, kw_only=True)
class Square(QueryAttack):
    """Random search over square patches: uses scores and no gradient, so that gradient masking does not affect it.

    Parameters
    ----------
    eps : attack size in units of the input
    queries : per example, that of the clean input included; one more reads the answer off
    norm : ``"linf"``, ``"l2"`` or ``"l1"``
    examples : rows of the data, None for all
    """

    name: ClassVar[str] = "square"
    title: ClassVar[str] = "Score queries (Square)"
    requires: ClassVar[Access] = "scores"
    short: ClassVar[str] = "Square"
    importance: ClassVar[float] = 0.7
    reach: ClassVar[float] = 0.8
    calls: ClassVar[float] = 0.5

    def attack(self, context: StressContext, x: torch.Tensor, y: torch.Tensor, seed: int) -> AttackResult:
        """The Square attack."""
        threat = ThreatModel(norm=self.norm, eps=self.eps, bounds=context.target.bounds)
        return square(context.target, x, y, threat, queries=self.queries, seed=seed, batch_size=context.batch_size)


@dataclass(frozen=True, kw_only=True)
class HopSkipJump(QueryAttack):
    """A walk along the decision boundary: uses nothing but the predicted class.

    Parameters
    ----------
    eps : attack size in units of the input
    queries : per example, that of the clean input included; one more reads the answer off
    norm : ``"linf"`` or ``"l2"``
    examples : rows of the data, None for all
    """

    name: ClassVar[str] = "hopskipjump"
    title: ClassVar[str] = "Label queries (HopSkipJump)"
    requires: ClassVar[Access] = "labels"
    short: ClassVar[str] = "HopSkipJump"
    importance: ClassVar[float] = 0.45
    reach: ClassVar[float] = 0.2
    calls: ClassVar[float] = 0.05
    passes: ClassVar[float] = 1.3
    norms: ClassVar[tuple[str, ...]] = ("linf", "l2")

    def attack(self, context: StressContext, x: torch.Tensor, y: torch.Tensor, seed: int) -> AttackResult:
        """HopSkipJump, which ends for an example once it is inside the ball."""
        threat = ThreatModel(norm=self.norm, eps=self.eps, bounds=context.target.bounds)
        settings: dict[str, Any] = {"queries": self.queries, "seed": seed, "batch_size": context.batch_size}
        return hopskipjump(context.target, x, y, threat, stop_inside=True, **settings)
