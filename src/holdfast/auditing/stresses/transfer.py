"""The adversarial card's attack by imitation: a surrogate that learned from the target's answers is attacked in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch

from holdfast.attacks import ThreatModel, pgd
from holdfast.attacks.transfer import distil
from holdfast.auditing.stresses.answers import ANSWERED, examples_of, logits_of
from holdfast.auditing.stresses.attacked import NORMS, Norm, left_standing, middle_eps, survived, tried, with_pictures
from holdfast.auditing.stresses.cards import ADVERSARIAL
from holdfast.core.checks import as_written, check_one_of, check_whole, check_within
from holdfast.core.digits import with_interval
from holdfast.core.estimate import proportion
from holdfast.core.experiment import Finding, Measurement, Quantity, Summary
from holdfast.core.stress import Card, Cost, Stress, StressContext
from holdfast.core.target import predicted_classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.core.experiment import Point
    from holdfast.core.stress import Facts, Preset
    from holdfast.core.target import Access

__all__ = ["Transfer"]

FEWEST = 200  # unlabelled inputs below which a surrogate is too weak to be worth an attack
SECONDS_PER_LESSON = 4e-3  # of training per unlabelled input: a guess for small images on one core


@dataclass(frozen=True, kw_only=True)
class Transfer(Stress):
    """A surrogate learns the target's answers to unlabelled inputs; inputs that fool it are tried on the target.

    The inputs are those of ``data.unlabelled``, or else the rows of the data that are not attacked, without their labels.

    Parameters
    ----------
    eps : attack size in units of the input
    queries : of each surrogate to the target
    surrogates : networks, each with its own weights and inputs; an example counts as robust only if all of them fail
    steps : gradient steps on a surrogate
    norm : ``"linf"``, ``"l2"`` or ``"l1"``
    examples : rows of the data that are attacked
    """

    name: ClassVar[str] = "transfer"
    version: ClassVar[int] = 2
    title: ClassVar[str] = "Attack on a surrogate (transfer)"
    card: ClassVar[Card] = ADVERSARIAL
    requires: ClassVar[Access] = "labels"
    short: ClassVar[str] = "Transfer"
    importance: ClassVar[float] = 0.4
    metrics: ClassVar[tuple[str, ...]] = (*ANSWERED, "agreement", "surrogate_accuracy")
    joint_metrics: ClassVar[tuple[str, ...]] = ("accuracy",)
    remedy: ClassVar[str] = "Limit and watch queries to the service, and see the finding on all attacks together."
    eps: float
    queries: int = 1000
    surrogates: int = 1
    steps: int = 40
    norm: Norm = "linf"
    examples: int | None = 200

    def __post_init__(self) -> None:
        check_within(self.eps, "eps", low=0.0)
        check_whole(self.queries, "queries", low=1)
        check_whole(self.surrogates, "surrogates", low=1)
        check_whole(self.steps, "steps", low=1)
        check_one_of(self.norm, "norm", allowed=NORMS)

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self | None:
        """One surrogate with 1000 answers in ``standard``, three with 5000 in ``deep``, left out in ``quick``."""
        if preset == "quick":
            return None
        queries, surrogates, examples = {"standard": (1000, 1, 200), "deep": (5000, 3, 1000)}[preset]
        return cls(eps=middle_eps(facts), queries=queries, surrogates=surrogates, examples=examples)

    def unfit(self, facts: Facts) -> str:
        """Needs inputs that small steps can change, and some besides those that are attacked."""
        if facts.why_no_steps:
            return facts.why_no_steps
        pool = facts.unlabelled or facts.examples - min(self.examples or facts.examples, facts.examples)
        if pool >= FEWEST:
            return ""
        more = as_written("unlabelled", "SOURCE")
        return f"it needs {FEWEST} inputs to learn from besides those that it attacks and there are {pool}; give {more}"

    def strength(self, point: Point) -> tuple[str, float]:
        """Norm and radius."""
        del point
        return self.norm, self.eps

    def points(self) -> list[Point]:
        """One point per surrogate."""
        return [{"surrogate": number} for number in range(1, self.surrogates + 1)]

    def estimate(self, point: Point) -> Cost:
        """Training of the surrogate, steps on it, and two queries per attacked example."""
        del point
        lessons = SECONDS_PER_LESSON * self.queries
        return Cost(forward=self.steps + 2, backward=self.steps, queries=2, fixed_queries=self.queries, fixed_seconds=lessons)

    def measure(self, point: Point, context: StressContext) -> Measurement:
        """Accuracy on inputs that fool the surrogate, and how often both agree on clean inputs."""
        data = examples_of(context, self.examples).to(context.device)
        number = int(point["surrogate"])
        pool = context.extras.get("unlabelled")
        inputs = (context.data[len(data) :].x if pool is None else pool).to(context.device)
        twin = distil(context.target, inputs, queries=self.queries, seed=context.seeds.integer("surrogate", number))
        context.tick(0.7)
        context.check_time()
        threat = ThreatModel(norm=self.norm, eps=self.eps, bounds=context.target.bounds)
        seed = context.seeds.integer("start", number)
        settings: dict[str, Any] = {"early_stop": False, "skip_wrong": False, "batch_size": context.batch_size}
        found = pgd(twin, data.x, data.y, threat, steps=self.steps, momentum=1.0, seed=seed, **settings)
        with torch.no_grad():
            before = predicted_classes(logits_of(context.target, data.x, context))
            agreed = int((predicted_classes(twin(data.x)).cpu() == before).sum())
        answered = survived(tried(context, found.x_adv), data.y)
        rows = (~torch.from_numpy(answered.arrays["correct"]) & (before == data.y.cpu())).nonzero().squeeze(1)
        estimates = {**answered.estimates, "agreement": proportion(agreed, len(data)), "surrogate_accuracy": found.accuracy}
        kept = Measurement(estimates=estimates, arrays=answered.arrays)
        return with_pictures(kept, data, found.x_adv.cpu()[rows], rows.numpy(), before=before.numpy())

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Accuracy under all surrogates together, and whether a surrogate is enough for an attacker."""
        if not measurements:
            return Summary()
        kept = [found.arrays for _, found in measurements]
        n = len(kept[0]["correct"])
        left = left_standing([(arrays["correct"].astype(bool), arrays.get("selection")) for arrays in kept], n)
        together = proportion(int(left.sum()), n)
        findings = []
        best = min((found for _, found in measurements), key=lambda found: found.estimates["accuracy"].value)
        if together.hi < best.estimates["agreement"].value / 2:
            finding = Finding(
                id="adversarial.transfer.imitation",
                severity="high",
                text=f"Accuracy under transfer from a surrogate trained on {self.queries} queries: {with_interval(together)}.",
                evidence="adversarial.transfer.accuracy",
                estimate=together,
                threshold="half of the inputs that target and surrogate answer alike",
                remedy=self.remedy,
            )
            findings.append(finding)
        return Summary(quantities=(Quantity("accuracy", together, rows=left),), findings=tuple(findings))
