"""The adversarial card's attacks along the gradient, over attack sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from holdfast.attacks import ThreatModel, apgd, apgd_targeted, fgsm, pgd
from holdfast.attacks.worst import with_rows
from holdfast.auditing.stresses.answers import examples_of
from holdfast.auditing.stresses.attacked import NORMS, Norm, accuracy_curve, attacked, check_sizes, default_eps
from holdfast.core.checks import check_one_of, check_whole
from holdfast.core.estimate import exact
from holdfast.core.experiment import Finding, Measurement, Summary
from holdfast.core.stress import Cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from holdfast.core.experiment import Context, Point
    from holdfast.core.stress import Facts, Preset
    from holdfast.core.target import Access

__all__ = ["APGD", "FGSM", "PGD"]

CERTAIN = exact(1.0)  # stands in for the clean accuracy where eps = 0 was not asked for


@dataclass(frozen=True, kw_only=True)
class FGSM:
    """One gradient step of the full attack size.

    Parameters
    ----------
    eps : attack sizes in units of the input, increasing
    norm : ``"linf"``, ``"l2"`` or ``"l1"``
    examples : rows of the data, None for all
    """

    name: ClassVar[str] = "fgsm"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Single-step attack (FGSM)"
    card: ClassVar[str] = "adversarial"
    requires: ClassVar[Access] = "gradients"
    eps: tuple[float, ...]
    norm: Norm = "linf"
    examples: int | None = None

    def __post_init__(self) -> None:
        check_sizes(self.eps)
        check_one_of(self.norm, "norm", allowed=NORMS)

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self:
        """Sizes after :func:`default_eps`; 1000 examples in ``quick``, all otherwise."""
        return cls(eps=default_eps(facts), examples=1000 if preset == "quick" else None)

    def unfit(self, facts: Facts) -> str:
        """Fits every target with input gradients."""
        del facts
        return ""

    def strength(self, point: Point) -> tuple[str, float]:
        """Norm and radius, so that attacks can be joined: an example counts as robust only if none of them fools it."""
        return self.norm, point["eps"]

    def points(self) -> list[Point]:
        """One point per attack size."""
        return [{"eps": size} for size in self.eps]

    def estimate(self, point: Point) -> Cost:
        """One step and two forward passes."""
        del point
        return Cost(forward=4, backward=1)

    def measure(self, point: Point, context: Context) -> Measurement:
        """Accuracy under the attack of size ``point["eps"]``."""
        data = examples_of(context, self.examples)
        threat = ThreatModel(norm=self.norm, eps=point["eps"], bounds=context.target.bounds)  # type: ignore[union-attr]
        return attacked(context, data, lambda x, y, _: fgsm(context.target, x, y, threat, batch_size=context.batch_size))

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Accuracy against attack size."""
        return accuracy_curve(self.name, measurements)


@dataclass(frozen=True, kw_only=True)
class PGD:
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
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Iterated attack (PGD)"
    card: ClassVar[str] = "adversarial"
    requires: ClassVar[Access] = "gradients"
    eps: tuple[float, ...]
    steps: int = 40
    restarts: int = 1
    norm: Norm = "linf"
    examples: int | None = None

    def __post_init__(self) -> None:
        check_sizes(self.eps)
        check_whole(self.steps, "steps", low=1)
        check_whole(self.restarts, "restarts", low=1)
        check_one_of(self.norm, "norm", allowed=NORMS)

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self:
        """10, 40 or 100 steps and 1, 2 or 5 restarts; 1000 examples in ``quick``, all otherwise."""
        steps, restarts = {"quick": (10, 1), "standard": (40, 2), "deep": (100, 5)}[preset]
        return cls(eps=default_eps(facts), steps=steps, restarts=restarts, examples=1000 if preset == "quick" else None)

    def unfit(self, facts: Facts) -> str:
        """Fits every target with input gradients."""
        del facts
        return ""

    def strength(self, point: Point) -> tuple[str, float]:
        """Norm and radius, so that attacks can be joined: an example counts as robust only if none of them fools it."""
        return self.norm, point["eps"]

    def points(self) -> list[Point]:
        """One point per attack size."""
        return [{"eps": size} for size in self.eps]

    def estimate(self, point: Point) -> Cost:
        """All steps of all restarts; early stopping makes large sizes cheaper than this."""
        passes = self.steps * self.restarts if point["eps"] > 0 else 0
        return Cost(forward=passes + 3, backward=passes)

    def measure(self, point: Point, context: Context) -> Measurement:
        """Accuracy under the attack of size ``point["eps"]``; the same random starts whatever the batch size of a retry."""
        data = examples_of(context, self.examples)
        threat = ThreatModel(norm=self.norm, eps=point["eps"], bounds=context.target.bounds)  # type: ignore[union-attr]

        def clock(gradient: torch.Tensor) -> torch.Tensor:
            context.check_time()
            return gradient

        def attack(x: torch.Tensor, y: torch.Tensor, index: int) -> Any:
            return pgd(
                context.target,
                x,
                y,
                threat,
                steps=self.steps,
                restarts=self.restarts,
                grad_transform=(clock,),
                generator=context.seeds.torch("start", index, device=str(x.device)),
                batch_size=context.batch_size,
            )

        return attacked(context, data, attack)

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Accuracy against attack size, and how bad the smallest damaging size is."""
        summary = accuracy_curve(self.name, measurements)
        for point, found in measurements:
            accuracy = found.estimates["accuracy"]
            clean = measurements[0][1].estimates["accuracy"] if measurements[0][0]["eps"] == 0 else CERTAIN
            if point["eps"] > 0 and accuracy.hi < clean.value / 2:
                finding = Finding(
                    id="adversarial.pgd.half",
                    severity="high",
                    text=f"An attack of size eps = {point['eps']:.3g} ({self.norm}) leaves an accuracy of {accuracy}.",
                    evidence=f"adversarial.pgd.accuracy[eps={point['eps']:.6g}]",
                    estimate=accuracy,
                    threshold=f"half the clean accuracy, {clean.value / 2:.3g}",
                    remedy="Train on attacked inputs: holdfast.nets.fit(..., on_batch=...) with holdfast.attacks.pgd.",
                )
                return Summary(curves=summary.curves, findings=(finding,))
        return summary


@dataclass(frozen=True, kw_only=True)
class APGD:
    """Gradient attacks that choose their own step sizes: by the cross entropy, then toward wrong classes what is left.

    Parameters
    ----------
    eps : attack sizes in units of the input, increasing
    steps : gradient steps of each attack
    goals : wrong classes that each example is driven toward, one after another
    norm : ``"linf"``, ``"l2"`` or ``"l1"``
    examples : rows of the data, None for all
    """

    name: ClassVar[str] = "apgd"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Self-pacing attacks (APGD)"
    card: ClassVar[str] = "adversarial"
    requires: ClassVar[Access] = "gradients"
    eps: tuple[float, ...]
    steps: int = 50
    goals: int = 3
    norm: Norm = "linf"
    examples: int | None = 500

    def __post_init__(self) -> None:
        check_sizes(self.eps)
        check_whole(self.steps, "steps", low=1)
        check_whole(self.goals, "goals", low=1)
        check_one_of(self.norm, "norm", allowed=NORMS)

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self | None:
        """50 steps and 3 goals in ``standard``, 100 and 9 in ``deep``, left out in ``quick``."""
        if preset == "quick":
            return None
        steps, goals, examples = {"standard": (50, 3, 500), "deep": (100, 9, None)}[preset]
        return cls(eps=default_eps(facts), steps=steps, goals=min(goals, max(1, facts.classes - 1)), examples=examples)

    def unfit(self, facts: Facts) -> str:
        """Fits every target with input gradients."""
        del facts
        return ""

    def strength(self, point: Point) -> tuple[str, float]:
        """Norm and radius."""
        return self.norm, point["eps"]

    def points(self) -> list[Point]:
        """One point per attack size."""
        return [{"eps": size} for size in self.eps]

    def estimate(self, point: Point) -> Cost:
        """All steps toward all goals; what is fooled early is cheaper."""
        passes = self.steps * (1 + self.goals) if point["eps"] > 0 else 0
        return Cost(forward=passes + 6, backward=passes)

    def measure(self, point: Point, context: Context) -> Measurement:
        """Accuracy under the worse of both attacks of size ``point["eps"]``."""
        data = examples_of(context, self.examples)
        threat = ThreatModel(norm=self.norm, eps=point["eps"], bounds=context.target.bounds)  # type: ignore[union-attr]
        settings: dict[str, Any] = {"steps": self.steps, "batch_size": context.batch_size}

        def attack(x: torch.Tensor, y: torch.Tensor, index: int) -> Any:
            draws = [context.seeds.torch(kind, index, device=str(x.device)) for kind in ("cross entropy", "goals")]
            first = apgd(context.target, x, y, threat, generator=draws[0], **settings)
            context.check_time()
            left = (~first.success).nonzero().squeeze(1)
            if len(left) == 0:
                return first
            second = apgd_targeted(context.target, x[left], y[left], threat, classes=self.goals, generator=draws[1], **settings)
            return with_rows(first, left, second)

        return attacked(context, data, attack)

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Accuracy against attack size."""
        return accuracy_curve(self.name, measurements)
