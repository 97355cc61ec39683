"""The adversarial card's attacks along the gradient, over attack sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from holdfast.attacks import ThreatModel, apgd, apgd_targeted, fgsm, pgd
from holdfast.attacks.worst import with_rows
from holdfast.auditing.stresses.answers import ANSWERED, examples_of
from holdfast.auditing.stresses.attacked import (
    NORMS,
    REMEDY,
    SIZE,
    Norm,
    accuracy_curve,
    attacked,
    check_sizes,
    climbs,
    default_eps,
)
from holdfast.auditing.stresses.cards import ADVERSARIAL
from holdfast.core.checks import check_one_of, check_whole
from holdfast.core.stress import ActivePasses, Axis, Card, Cost, Stress, StressContext

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from holdfast.attacks import AttackResult
    from holdfast.core.experiment import Measurement, Point, Summary
    from holdfast.core.stress import Facts, Preset
    from holdfast.core.target import Access

__all__ = ["APGD", "FGSM", "PGD", "GradientAttack"]

ENOUGH_FOR_DLR = 4  # classes: with fewer, the scale of that loss would be the margin itself


@dataclass(frozen=True, kw_only=True)
class GradientAttack(Stress):
    """An attack along the gradient, at several sizes; an attack of its own needs `attack`, `estimate` and `preset`.

    Parameters
    ----------
    eps : attack sizes in units of the input, increasing
    norm : ``"linf"``, ``"l2"`` or ``"l1"``
    examples : rows of the data, None for all
    """

    version: ClassVar[int] = 2
    card: ClassVar[Card] = ADVERSARIAL
    requires: ClassVar[Access] = "gradients"
    metrics: ClassVar[tuple[str, ...]] = ANSWERED
    axes: ClassVar[Mapping[str, Axis]] = {"eps": SIZE}
    remedy: ClassVar[str] = REMEDY
    eps: tuple[float, ...]
    norm: Norm = "linf"
    examples: int | None = None

    def __post_init__(self) -> None:
        check_sizes(self.eps)
        check_one_of(self.norm, "norm", allowed=NORMS)

    def strength(self, point: Point) -> tuple[str, float]:
        """Norm and radius, so that attacks can be joined: an example counts as robust only if none of them fools it."""
        return self.norm, point["eps"]

    def points(self) -> list[Point]:
        """One point per attack size."""
        return [{"eps": size} for size in self.eps]

    def attack(self, context: StressContext, x: torch.Tensor, y: torch.Tensor, *, threat: ThreatModel, index: int) -> AttackResult:
        """The attack on one part of the examples; `index` counts the parts."""
        raise NotImplementedError

    def measure(self, point: Point, context: StressContext) -> Measurement:
        """Accuracy under the attack of size ``point["eps"]``; the same random starts whatever the batch size of a retry."""
        threat = ThreatModel(norm=self.norm, eps=point["eps"], bounds=context.target.bounds)

        def attack(x: torch.Tensor, y: torch.Tensor, index: int) -> AttackResult:
            return self.attack(context, x, y, threat=threat, index=index)

        return attacked(context, examples_of(context, self.examples), attack)

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Accuracy against attack size."""
        return accuracy_curve(self.name, measurements)


@dataclass(frozen=True, kw_only=True)
class FGSM(GradientAttack):
    """One gradient step of the full attack size.

    Parameters
    ----------
    eps : attack sizes in units of the input, increasing
    norm : ``"linf"``, ``"l2"`` or ``"l1"``
    examples : rows of the data, None for all
    """

    name: ClassVar[str] = "fgsm"
    title: ClassVar[str] = "Single-step attack (FGSM)"
    short: ClassVar[str] = "FGSM"
    importance: ClassVar[float] = 0.65

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self:
        """Sizes after :func:`default_eps`; 1000 examples in ``quick``, all otherwise."""
        return cls(eps=default_eps(facts), examples=1000 if preset == "quick" else None)

    def estimate(self, point: Point) -> Cost:
        """Three forward passes, and a step of the examples that are right."""
        step = ActivePasses(norm=self.norm, eps=0.0, forward=2, backward=1, steps=1)
        return Cost(forward=3, active=(step,) if point["eps"] > 0 else (), fixed_seconds=0.005)

    def attack(self, context: StressContext, x: torch.Tensor, y: torch.Tensor, *, threat: ThreatModel, index: int) -> AttackResult:
        """FGSM."""
        del index
        return fgsm(context.target, x, y, threat, batch_size=context.batch_size)


@dataclass(frozen=True, kw_only=True)
class PGD(GradientAttack):
    """Projected gradient descent from random starts.

    Parameters
    ----------
    eps : attack sizes in units of the input, increasing
    steps : gradient steps, each 2.5 eps/steps long
    restarts : random starts; an example counts as robust only if all fail
    norm : ``"linf"``, ``"l2"`` or ``"l1"``
    examples : rows of the data, None for all
    """

    name: ClassVar[str] = "pgd"
    title: ClassVar[str] = "Iterated attack (PGD)"
    short: ClassVar[str] = "PGD"
    importance: ClassVar[float] = 0.95
    steps: int = 40
    restarts: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(self.steps, "steps", low=1)
        check_whole(self.restarts, "restarts", low=1)

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self:
        """10, 40 or 100 steps and 1, 2 or 5 restarts; 1000 examples in ``quick``, all otherwise."""
        steps, restarts = {"quick": (10, 1), "standard": (40, 2), "deep": (100, 5)}[preset]
        return cls(eps=default_eps(facts), steps=steps, restarts=restarts, examples=1000 if preset == "quick" else None)

    def estimate(self, point: Point) -> Cost:
        """All steps of all restarts; the examples that are fooled leave."""
        active = climbs(self.norm, point["eps"], steps=self.steps, restarts=self.restarts)
        return Cost(forward=3, active=active, fixed_seconds=0.005)

    def attack(self, context: StressContext, x: torch.Tensor, y: torch.Tensor, *, threat: ThreatModel, index: int) -> AttackResult:
        """PGD; each part of the examples has its own random starts."""

        def clock(gradient: torch.Tensor) -> torch.Tensor:
            context.check_time()
            return gradient

        return pgd(
            context.target,
            x,
            y,
            threat,
            steps=self.steps,
            restarts=self.restarts,
            grad_transform=(clock,),
            early_stop=context.target.samples == 1,  # a random network is not fooled for good where one answer is wrong
            seed=context.seeds.integer("start", index),
            batch_size=context.batch_size,
        )


@dataclass(frozen=True, kw_only=True)
class APGD(GradientAttack):
    """Gradient attacks with adaptive step sizes: by the cross entropy, then toward wrong classes for the examples that remain.

    Parameters
    ----------
    eps : attack sizes in units of the input, increasing
    steps : gradient steps of each attack
    goals : wrong classes that each example is driven toward, one after another
    norm : ``"linf"``, ``"l2"`` or ``"l1"``
    examples : rows of the data, None for all
    """

    name: ClassVar[str] = "apgd"
    title: ClassVar[str] = "Self-pacing attacks (APGD)"
    short: ClassVar[str] = "APGD"
    importance: ClassVar[float] = 0.5
    steps: int = 50
    goals: int = 3
    examples: int | None = 500

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(self.steps, "steps", low=1)
        check_whole(self.goals, "goals", low=1)

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self | None:
        """50 steps and 3 goals in ``standard``, 100 and 9 in ``deep``, left out in ``quick``."""
        if preset == "quick":
            return None
        steps, goals, examples = {"standard": (50, 3, 500), "deep": (100, 9, None)}[preset]
        return cls(eps=default_eps(facts), steps=steps, goals=min(goals, max(1, facts.classes - 1)), examples=examples)

    def estimate(self, point: Point) -> Cost:
        """All steps, then those toward all goals; the examples that are fooled leave."""
        active = climbs(self.norm, point["eps"], steps=self.steps, restarts=1 + self.goals)
        return Cost(forward=6, active=active, fixed_seconds=0.01)

    def attack(self, context: StressContext, x: torch.Tensor, y: torch.Tensor, *, threat: ThreatModel, index: int) -> AttackResult:
        """The worse of both attacks."""
        steady = context.target.samples == 1  # otherwise a first success may be chance, and the attack goes on
        settings: dict[str, Any] = {"steps": self.steps, "batch_size": context.batch_size, "early_stop": steady}
        seeds = [context.seeds.integer(kind, index) for kind in ("cross entropy", "goals")]
        first = apgd(context.target, x, y, threat, seed=seeds[0], **settings)
        context.check_time()
        left = (~first.success).nonzero().squeeze(1)
        if len(left) == 0:
            return first
        settings["loss"] = "dlr" if context.data.classes >= ENOUGH_FOR_DLR else "cw_margin"
        second = apgd_targeted(context.target, x[left], y[left], threat, classes=self.goals, seed=seeds[1], **settings)
        return with_rows(first, left, second)
