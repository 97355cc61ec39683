"""The adversarial card: single-step and iterated gradient attacks over attack sizes, and whether to believe them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import torch

from holdfast.attacks import ThreatModel, check_masking, fgsm, masking_passes, pgd
from holdfast.auditing.stresses.answers import examples_of, logits_of, measured
from holdfast.core.checks import check_one_of, check_whole, refuse
from holdfast.core.curve import Curve
from holdfast.core.estimate import exact
from holdfast.core.experiment import Finding, Measurement, Summary
from holdfast.core.stress import Cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.core.experiment import Context, Point
    from holdfast.core.stress import Facts, Preset
    from holdfast.core.target import Access
    from holdfast.data import Examples

__all__ = ["FGSM", "PGD", "Masking", "default_eps"]

Norm = Literal["linf", "l2"]
CERTAIN = exact(1.0)  # stands in for the clean accuracy where eps = 0 was not asked for
SHOWN = 6  # examples kept as pictures
CHUNK = 1000  # examples attacked by one call, whatever fits into a pass, so that random starts do not depend on memory


def default_eps(facts: Facts) -> tuple[float, ...]:
    """Attack sizes: tenths of the range for one channel (digits, glyphs), 1/255 to 16/255 of it otherwise."""
    width = facts.bounds[1] - facts.bounds[0]
    grey = len(facts.shape) != 3 or facts.shape[0] == 1
    steps = (0.0, 0.05, 0.1, 0.2, 0.3) if grey else (0.0, 1 / 255, 2 / 255, 4 / 255, 8 / 255, 16 / 255)
    return tuple(width * step for step in steps)


def _check_sizes(eps: tuple[float, ...]) -> None:
    if not eps or any(size < 0 for size in eps) or list(eps) != sorted(set(eps)):
        refuse("eps", f"is {eps}", allowed="increasing sizes >= 0 in units of the input, e.g. (0, 0.1, 0.3)")


def _attacked(context: Context, data: Examples, attack: Any) -> Measurement:
    """Accuracy after `attack(x, y, chunk index)`, with the first fooled examples as pictures."""
    target = context.target
    assert target is not None, "an audit always has a target"
    batches = []
    for index, (x, y) in enumerate(data.batches(CHUNK)):
        context.check_time()
        batches.append(attack(x.to(context.device), y.to(context.device), index).x_adv.cpu())
        context.tick(min(1.0, (index + 1) * CHUNK / len(data)))
    adversarial = torch.cat(batches)
    found = measured(logits_of(target, adversarial, context), data.y)
    clean = logits_of(target, data.x, context).argmax(1)
    fooled = np.flatnonzero(~found.arrays["correct"] & (clean == data.y.cpu()).numpy())[:SHOWN]
    if not len(fooled) or data.x.ndim != 4:
        return found
    shown = {
        "shown_index": fooled,
        "shown_clean": data.x[fooled].cpu().numpy(),
        "shown_stressed": adversarial[fooled].numpy(),
        "shown_before": clean.numpy()[fooled],
    }
    return Measurement(estimates=found.estimates, arrays={**found.arrays, **shown}, details=found.details)


def _summary(name: str, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
    if not measurements:
        return Summary()
    curve = Curve(
        name=name,
        axis="eps",
        unit="input units",
        at=tuple(point["eps"] for point, _ in measurements),
        estimates=tuple(found.estimates["accuracy"] for _, found in measurements),
    )
    return Summary(curves=(curve,))


@dataclass(frozen=True, kw_only=True)
class FGSM:
    """One gradient step of the full attack size.

    Parameters
    ----------
    eps : attack sizes in units of the input, increasing
    norm : ``"linf"`` or ``"l2"``
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
        _check_sizes(self.eps)
        check_one_of(self.norm, "norm", allowed=("linf", "l2"))

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self:
        """Sizes after :func:`default_eps`; 1000 examples in ``quick``, all otherwise."""
        return cls(eps=default_eps(facts), examples=1000 if preset == "quick" else None)

    def unfit(self, facts: Facts) -> str:
        """Fits every target with input gradients."""
        del facts
        return ""

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
        return _attacked(context, data, lambda x, y, _: fgsm(context.target, x, y, threat, batch_size=context.batch_size))

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Accuracy against attack size."""
        return _summary(self.name, measurements)


@dataclass(frozen=True, kw_only=True)
class PGD:
    """Projected gradient descent from random starts.

    Parameters
    ----------
    eps : attack sizes in units of the input, increasing
    steps : gradient steps, each 2.5 eps/steps long
    restarts : random starts; an example counts as robust only if all fail
    norm : ``"linf"`` or ``"l2"``
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
        _check_sizes(self.eps)
        check_whole(self.steps, "steps", low=1)
        check_whole(self.restarts, "restarts", low=1)
        check_one_of(self.norm, "norm", allowed=("linf", "l2"))

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self:
        """10, 40 or 100 steps and 1, 2 or 5 restarts; 1000 examples in ``quick``, all otherwise."""
        steps, restarts = {"quick": (10, 1), "standard": (40, 2), "deep": (100, 5)}[preset]
        return cls(eps=default_eps(facts), steps=steps, restarts=restarts, examples=1000 if preset == "quick" else None)

    def unfit(self, facts: Facts) -> str:
        """Fits every target with input gradients."""
        del facts
        return ""

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
                generator=context.seeds.torch("start", index, device=x.device.type),
                batch_size=context.batch_size,
            )

        return _attacked(context, data, attack)

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Accuracy against attack size, and how bad the smallest damaging size is."""
        summary = _summary(self.name, measurements)
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
class Masking:
    """Seven checks of whether gradients lead where they should: a flag means that the attacks above overstate robustness.

    Parameters
    ----------
    eps : attack size of the checks, in units of the input
    steps : steps of the iterated attack
    queries : of the search without gradients
    norm : ``"linf"`` or ``"l2"``
    examples : rows of the data, None for all
    """

    name: ClassVar[str] = "masking"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Gradient masking"
    card: ClassVar[str] = "adversarial"
    requires: ClassVar[Access] = "gradients"
    eps: float
    steps: int = 10
    queries: int = 100
    norm: Norm = "linf"
    examples: int | None = 200

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self:
        """200, 500 or 1000 examples; the middle attack size."""
        sizes = default_eps(facts)
        steps, examples = {"quick": (10, 200), "standard": (40, 500), "deep": (100, 1000)}[preset]
        return cls(eps=sizes[len(sizes) // 2], steps=steps, examples=examples)

    def unfit(self, facts: Facts) -> str:
        """Fits every target with input gradients."""
        del facts
        return ""

    def points(self) -> list[Point]:
        """One point."""
        return [{}]

    def estimate(self, point: Point) -> Cost:
        """The checks' own count of passes; early stopping makes them cheaper."""
        del point
        forward, backward = masking_passes(steps=self.steps, queries=self.queries)
        return Cost(forward=forward, backward=backward)

    def measure(self, point: Point, context: Context) -> Measurement:
        """All checks with their evidence."""
        del point
        data = examples_of(context, self.examples).to(context.device)
        context.check_time()
        threat = ThreatModel(norm=self.norm, eps=self.eps, bounds=context.target.bounds)  # type: ignore[union-attr]
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
                remedy="Look for saturated logits, rounding without a gradient, or randomness; attack a copy without them.",
            )
            for _, found in measurements
            for check in found.details["checks"]
            if check["flag"]
        )
        return Summary(metrics=dict(measurements[0][1].estimates) if measurements else {}, findings=findings)
