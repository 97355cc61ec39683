"""The shift card: inputs that a camera, the weather or a compression changed, and inputs of another resolution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import torch

from holdfast.auditing.stresses.answers import ANSWERED, Passes, examples_of, judged, passes_of, whole_blocks
from holdfast.auditing.stresses.cards import SHIFT
from holdfast.core.checks import check_one_of, check_within, refuse
from holdfast.core.curve import Curve
from holdfast.core.digits import with_interval
from holdfast.core.estimate import Estimate, mean_t
from holdfast.core.experiment import Finding, Measurement, Quantity, Summary
from holdfast.core.runs import Runs
from holdfast.core.stress import Axis, Card, Cost, Stress, StressContext
from holdfast.core.target import predicted_classes
from holdfast.shift import BENCHMARK_CORRUPTIONS, CORRUPTIONS, corrupt, resize, resolution_round_trip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from holdfast.core.experiment import Point
    from holdfast.core.stress import Facts, Preset
    from holdfast.core.target import Access
    from holdfast.data import Examples
    from holdfast.shift.resolution import Kernel

__all__ = ["Corruptions", "Resolution"]

QUICK = ("gaussian_noise", "motion_blur", "fog", "contrast", "jpeg_compression")
SHOWN = 3  # examples kept as pictures
VALUES = 4_000_000  # of the inputs between two checks of the time


def _answers_to(context: StressContext, data: Examples, change: Callable[[torch.Tensor, int], torch.Tensor]) -> Measurement:
    """What the target answers to changed inputs; some of those wrong, or else the first, are kept as pictures if they changed."""
    target = context.target
    passes, first = [], 0
    rows = max(1, min(context.batch_size, VALUES // math.prod(data.shape)))
    rows = rows if target.samples == 1 else whole_blocks(rows)
    shown: dict[str, np.ndarray] = {}
    for x, y in data.batches(rows):
        context.check_time()
        changed = change(x, first)
        passes.append(passes_of(target, changed, context, first=first))
        if not shown and changed.shape == x.shape and not torch.equal(changed, x):
            wrong = (predicted_classes(passes[-1].logits) != y.cpu()).nonzero()[:SHOWN, 0]
            places = wrong if len(wrong) else wrong.new_zeros(1)
            shown = {
                "shown_index": places.numpy(),
                "shown_clean": x.cpu()[places].numpy(),
                "shown_stressed": changed.cpu()[places].numpy(),
            }
        first += len(x)
    return judged(Passes.joined(passes), data.y, arrays=shown)


@dataclass(frozen=True, kw_only=True)
class Corruptions(Stress):
    """Noise, blur, weather and digital damage at five severities (ImageNet-C family; frost is procedural).

    Parameters
    ----------
    kinds : names out of :data:`holdfast.shift.CORRUPTIONS`
    severities : out of 1 to 5, increasing
    examples : rows of the data, None for all
    """

    name: ClassVar[str] = "corruptions"
    version: ClassVar[int] = 2
    title: ClassVar[str] = "Corrupted images"
    card: ClassVar[Card] = SHIFT
    requires: ClassVar[Access] = "labels"
    short: ClassVar[str] = "Corruptions"
    importance: ClassVar[float] = 0.8
    metrics: ClassVar[tuple[str, ...]] = ANSWERED
    joint_metrics: ClassVar[tuple[str, ...]] = ("mean_accuracy",)
    axes: ClassVar[Mapping[str, Axis]] = {"severity": Axis(clause="at severity {value:.1f}")}
    remedy: ClassVar[str] = "Add it to the training inputs: holdfast.nets.fit(..., augment=...) with holdfast.shift.corrupt."
    kinds: tuple[str, ...] = BENCHMARK_CORRUPTIONS
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    examples: int | None = None

    def __post_init__(self) -> None:
        for kind in self.kinds:
            check_one_of(kind, "kinds", allowed=CORRUPTIONS)
        if (
            not self.severities
            or not set(self.severities) <= set(range(1, 6))
            or list(self.severities) != sorted(set(self.severities))
        ):
            refuse("severities", f"is {self.severities}", allowed="increasing whole numbers from 1 to 5")

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self:
        """Five kinds at severities 1, 3 and 5 on 1000 examples in ``quick``; all 15 x 5 otherwise."""
        del facts
        return cls(kinds=QUICK, severities=(1, 3, 5), examples=1000) if preset == "quick" else cls()

    def unfit(self, facts: Facts) -> str:
        """Needs images in [0, 1] of 1 or 3 channels."""
        return facts.why_no_image

    def points(self) -> list[Point]:
        """One per kind and severity."""
        return [{"corruption": kind, "severity": severity} for kind in self.kinds for severity in self.severities]

    def estimate(self, point: Point) -> Cost:
        """One query per example and the making of the image."""
        seconds = 3e-4 if point["corruption"] == "frost" else 2e-5
        return Cost(forward=1, queries=1, seconds=seconds, seconds_per_value=1.2e-8, fixed_seconds=0.003)

    def measure(self, point: Point, context: StressContext) -> Measurement:
        """Accuracy on corrupted inputs; the damage of an image does not depend on the batch it comes in."""
        seed = context.seeds.integer(point["corruption"]) % 2**32

        def change(x: torch.Tensor, first: int) -> torch.Tensor:
            damaged: torch.Tensor = corrupt(x, point["corruption"], point["severity"], seed=seed, first_index=first)
            return damaged

        return _answers_to(context, examples_of(context, self.examples), change)

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """One curve per kind, and the mean accuracy over all points (images serve as their own pairs, so rows are averaged)."""
        if not measurements:
            return Summary()
        runs, shares = Runs(measurements), _shares(measurements)
        mean = Quantity("mean_accuracy", _clipped_mean(shares), rows=shares)
        kinds = (runs.where(corruption=kind).curve(kind.replace("_", " "), over="severity") for kind in self.kinds)
        curves = tuple(curve for found in kinds for curve in found)
        by_severity = {at["severity"]: _clipped_mean(_shares(group.entries)) for at, group in runs.by("severity")}
        strengths = tuple(sorted(by_severity))
        overall = Curve(name="mean", axis="severity", at=strengths, estimates=tuple(by_severity[at] for at in strengths))
        worst = min(
            (entry for entry in measurements if entry[0]["severity"] == self.severities[-1]),
            key=lambda entry: entry[1].estimates["accuracy"].value,
            default=measurements[-1],
        )
        finding = Finding(
            id="shift.corruptions.worst",
            severity="medium" if worst[1].estimates["accuracy"].value < 0.5 else "low",
            text=f"The most harmful corruption is {worst[0]['corruption'].replace('_', ' ')} "
            f"at severity {worst[0]['severity']}: accuracy {with_interval(worst[1].estimates['accuracy'])}.",
            evidence=f"shift.corruptions.accuracy[corruption={worst[0]['corruption']},severity={worst[0]['severity']}]",
            estimate=worst[1].estimates["accuracy"],
            remedy=self.remedy,
        )
        notes = ("frost is procedural, so its numbers do not compare with published ones",) if "frost" in self.kinds else ()
        return Summary(curves=(overall, *curves), quantities=(mean,), findings=(finding,), notes=notes)


def _shares(measurements: Sequence[tuple[Point, Measurement]]) -> NDArray[np.float64]:
    """Array (n,): the share of the points at which each example is right."""
    return np.asarray(np.mean([found.arrays["correct"] for _, found in measurements], axis=0))


def _clipped_mean(shares: NDArray[np.float64]) -> Estimate:
    """Mean with an interval over examples: each example's own share is one observation."""
    mean = mean_t(shares)
    return Estimate(mean.value, max(0.0, mean.lo), min(1.0, mean.hi), mean.n, mean.method, mean.level)


@dataclass(frozen=True, kw_only=True)
class Resolution(Stress):
    """Images of another resolution.

    Parameters
    ----------
    scales : factors on height and width, increasing
    mode : ``"native"``: the network gets the resized image; ``"round_trip"``: it is brought back to the network's own size first
    kernel : of the interpolation
    examples : rows of the data, None for all
    """

    name: ClassVar[str] = "resolution"
    version: ClassVar[int] = 3
    title: ClassVar[str] = "Other resolutions"
    card: ClassVar[Card] = SHIFT
    requires: ClassVar[Access] = "labels"
    short: ClassVar[str] = "Resolution"
    importance: ClassVar[float] = 0.35
    metrics: ClassVar[tuple[str, ...]] = ANSWERED
    axes: ClassVar[Mapping[str, Axis]] = {"scale": Axis(clause="at {value:.2f} times its own resolution")}
    scales: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    mode: Literal["native", "round_trip"] = "round_trip"
    kernel: Kernel = "bilinear"
    examples: int | None = None

    def __post_init__(self) -> None:
        check_one_of(self.mode, "mode", allowed=("native", "round_trip"))
        for scale in self.scales:
            check_within(scale, "scales", low=0.0, low_open=True)
        if list(self.scales) != sorted(set(self.scales)):
            refuse("scales", f"is {self.scales}", allowed="increasing factors, e.g. (0.5, 1, 2)")

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self:
        """0.5 to 2 where the network takes other sizes, 0.25 to 1 and back to its own size otherwise."""
        examples = 1000 if preset == "quick" else None
        if facts.other_sizes:
            return cls(scales=(0.5, 0.75, 1.0, 1.5, 2.0), mode="native", examples=examples)
        return cls(examples=examples)

    def unfit(self, facts: Facts) -> str:
        """Needs images; native sizes need a network that takes them."""
        if facts.why_no_image:
            return facts.why_no_image
        return "the network takes one size only; use mode = round_trip" if self.mode == "native" and not facts.other_sizes else ""

    def points(self) -> list[Point]:
        """One per scale."""
        return [{"scale": scale} for scale in self.scales]

    def estimate(self, point: Point) -> Cost:
        """One query per example; native sizes cost as their area."""
        area = point["scale"] ** 2 if self.mode == "native" else 1.0
        return Cost(forward=area, queries=1, seconds=2e-5)

    def measure(self, point: Point, context: StressContext) -> Measurement:
        """Accuracy at the scale."""

        def change(x: torch.Tensor, first: int) -> torch.Tensor:
            del first
            if self.mode == "native":
                return resize(x, scale=point["scale"], kernel=self.kernel)
            return resolution_round_trip(x, point["scale"], kernel=self.kernel)

        return _answers_to(context, examples_of(context, self.examples), change)

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Accuracy against scale, each curve from the smallest change on: smaller images, and larger ones where there are any."""
        known = {point["scale"]: found.estimates["accuracy"] for point, found in measurements}
        name, unit = self.mode.replace("_", " "), "of the image's own size"
        smaller = sorted((scale for scale in known if scale <= 1), reverse=True)
        larger = sorted(scale for scale in known if scale >= 1) if max(known, default=1.0) > 1 else []
        drawn = ((name, unit, smaller), (f"{name}, larger", f"{unit}, enlarged", larger))
        return Summary(
            curves=tuple(
                Curve(name=name, axis="scale", unit=unit, at=tuple(scales), estimates=tuple(known[scale] for scale in scales))
                for name, unit, scales in drawn
                if scales
            )
        )
