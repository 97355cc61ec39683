"""Checks for gradient masking: whether the attacks of the adversarial card failed only for lack of a gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from holdfast.attacks import ThreatModel, check_masking
from holdfast.auditing.stresses.answers import examples_of
from holdfast.auditing.stresses.attacked import NORMS, Norm, climbs, middle_eps
from holdfast.auditing.stresses.cards import ADVERSARIAL
from holdfast.core.checks import check_one_of, check_whole, check_within
from holdfast.core.estimate import exact
from holdfast.core.experiment import Finding, Measurement, Quantity, Summary
from holdfast.core.stress import ActivePasses, Card, Cost, Stress, StressContext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.core.experiment import Point
    from holdfast.core.stress import Facts, Preset
    from holdfast.core.target import Access

__all__ = ["Masking"]

WHOLE_RANGE = 10.0  # times the attack size: at least the whole range of the input, at the sizes that one chooses


@dataclass(frozen=True, kw_only=True)
class Masking(Stress):
    """Seven checks for gradient masking; a flag means that the attacks above may overstate robustness.

    Parameters
    ----------
    eps : attack size of the checks, in units of the input
    steps : steps of the iterated attack
    queries : of the search without gradients
    norm : ``"linf"``, ``"l2"`` or ``"l1"``
    examples : rows of the data, None for all
    """

    name: ClassVar[str] = "masking"
    version: ClassVar[int] = 3
    title: ClassVar[str] = "Gradient masking"
    card: ClassVar[Card] = ADVERSARIAL
    requires: ClassVar[Access] = "gradients"
    short: ClassVar[str] = "Gradient masking"
    importance: ClassVar[float] = 0.75
    metrics: ClassVar[tuple[str, ...]] = ("flags",)
    joint_metrics: ClassVar[tuple[str, ...]] = ("flags",)
    remedy: ClassVar[str] = "Look for saturated logits, rounding without a gradient, or randomness; attack a copy without them."
    eps: float
    steps: int = 10
    queries: int = 100
    norm: Norm = "linf"
    examples: int | None = 200

    def __post_init__(self) -> None:
        check_within(self.eps, "eps", low=0.0)
        check_whole(self.steps, "steps", low=1)
        check_whole(self.queries, "queries", low=1)
        check_one_of(self.norm, "norm", allowed=NORMS)

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self:
        """200, 500 or 1000 examples, 10, 40 or 100 steps, 100, 500 or 2000 queries; the middle attack size."""
        steps, queries, examples = {"quick": (10, 100, 200), "standard": (40, 500, 500), "deep": (100, 2000, 1000)}[preset]
        return cls(eps=middle_eps(facts), steps=steps, queries=queries, examples=examples)

    def points(self) -> list[Point]:
        """One point."""
        return [{}]

    def estimate(self, point: Point) -> Cost:
        """The checks' own count of passes."""
        del point
        once = ActivePasses(norm=self.norm, eps=0.0, forward=12, backward=1, steps=11)  # the single step, the draws of noise
        more = 4 * self.steps  # twice the steps and two new restarts
        again = ActivePasses(norm=self.norm, eps=self.eps, forward=more, backward=more, steps=more, afterwards=True)
        search = ActivePasses(norm=self.norm, eps=self.eps, forward=self.queries, steps=self.queries, afterwards=True)
        sizes = (climbs(self.norm, times * self.eps, steps=self.steps) for times in (0.5, 2.0, WHOLE_RANGE))
        own = climbs(self.norm, self.eps, steps=self.steps, restarts=2)
        return Cost(forward=8, backward=1, active=(once, *own, *sum(sizes, ()), again, search))

    def measure(self, point: Point, context: StressContext) -> Measurement:
        """All checks with their evidence."""
        del point
        data = examples_of(context, self.examples).to(context.device)
        context.check_time()
        threat = ThreatModel(norm=self.norm, eps=self.eps, bounds=context.target.bounds)
        checks = check_masking(
            context.target,
            data.x,
            data.y,
            threat,
            steps=self.steps,
            queries=self.queries,
            seed=context.seeds.integer("checks"),
            batch_size=context.batch_size,
        )
        entries = [
            {
                "id": check.id,
                "title": check.title,
                "flag": check.flagged,
                "text": check.text,
                "value": check.value.value,
                "threshold": check.threshold,
            }
            for check in checks
        ]
        flags = sum(bool(check.flagged) for check in checks)
        return Measurement(estimates={"flags": exact(flags, len(data))}, details={"checks": entries})

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """A finding for each flag."""
        findings = tuple(
            Finding(
                id=f"adversarial.masking.{check['id']}",
                severity="high",
                text=f"Gradients may be masked, so the robustness above may be overstated: {check['text']}",
                evidence="adversarial.masking.flags",
                remedy=self.remedy,
            )
            for _, found in measurements
            for check in found.details["checks"]
            if check["flag"]
        )
        found = measurements[0][1].estimates if measurements else {}
        return Summary(quantities=tuple(Quantity(name, estimate) for name, estimate in found.items()), findings=findings)
