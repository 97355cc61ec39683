"""The precision card: the network with fewer bits in its weights or in its activations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from holdfast.auditing.stresses.answers import ANSWERED, answers, examples_of
from holdfast.auditing.stresses.cards import PRECISION
from holdfast.auditing.stresses.noted import noted, notes_of
from holdfast.core.checks import refuse
from holdfast.core.digits import with_interval
from holdfast.core.estimate import mcnemar
from holdfast.core.experiment import Finding, Measurement, Summary
from holdfast.core.runs import Runs
from holdfast.core.stress import Axis, Card, Cost, Stress, StressContext
from holdfast.nets import bake_weights, named_weights, own_widths, with_weights
from holdfast.quantize import out_of_reach, quantize_activations, quantize_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from holdfast.core.curve import Curve
    from holdfast.core.experiment import Point
    from holdfast.core.stress import Facts, Preset
    from holdfast.core.target import Access

__all__ = ["ActBits", "WeightBits", "fewest_safe_bits"]

Scaling = Literal["per_channel", "per_tensor"]
BITS = (8, 6, 5, 4, 3, 2)
BITS_AXIS = Axis(clause="at {value:.1f} bits")
REMEDY = "Train through the rounding: holdfast.quantize.UniformQuantizer passes gradients straight through."
FEW = 200  # examples for the layers one by one


def _check_bits(bits: tuple[int, ...]) -> None:
    if not bits or list(bits) != sorted(set(bits), reverse=True) or bits[-1] < 1 or bits[0] > 16:
        refuse("bits", f"is {bits}", allowed="falling whole numbers from 16 to 1, the sign included, e.g. (8, 4, 2)")


def _curve(name: str, runs: Runs) -> tuple[Curve, ...]:
    return runs.curve(name.replace("_", " "), over="bits", unit="bits, sign included")


def fewest_safe_bits(measurements: Sequence[tuple[Point, Measurement]], before: Measurement | None = None) -> int | None:
    """The least width that, as every wider one, is not significantly less accurate than `before`; None where no width is safe.

    Widths are tested one after another on the same examples (exact McNemar test, p < 0.05), down to the first that loses.

    Parameters
    ----------
    measurements : points of falling width with right and wrong per example
    before : the network that is not rounded, at least on the same first examples; None: the widest one stands for it
    """
    safe = None
    start = (before or measurements[0][1]).arrays["correct"]
    for point, found in measurements:
        right = found.arrays["correct"]
        first = start[: len(right)]
        if right.sum() < first.sum() and mcnemar(first, right) < 0.05:
            break
        safe = int(point["bits"])
    return safe


def _finding(name: str, what: str, measurements: Sequence[tuple[Point, Measurement]]) -> tuple[Finding, ...]:
    """The first width with a significant loss, and the least width without a measurable one."""
    if len(measurements) < 2:
        return ()
    reference = measurements[0][1].estimates["accuracy"]
    fallen = [(point, found) for point, found in measurements if found.estimates["accuracy"].hi < reference.lo]
    if not fallen:
        return ()
    point, found = fallen[0]
    return (
        Finding(
            id=f"precision.{name}.cliff",
            severity="medium" if point["bits"] <= 4 else "high",
            text=(
                f"Accuracy with {what} of {point['bits']} bits: {with_interval(found.estimates['accuracy'])}; "
                f"{fewest_safe_bits(measurements)} bits show no significant loss."
            ),
            evidence=f"precision.{name}.accuracy[bits={point['bits']}]",
            estimate=found.estimates["accuracy"],
            threshold=f"the interval at {measurements[0][0]['bits']} bits, {with_interval(reference)}",
            remedy=REMEDY,
        ),
    )


@dataclass(frozen=True, kw_only=True)
class WeightBits(Stress):
    """Weights rounded to a symmetric uniform grid; norm layers and biases keep their precision.

    Parameters
    ----------
    bits : widths including the sign, falling
    layers_at : width at which each layer is also rounded alone, on at most 200 examples; None: not at all
    scalings : ``"per_channel"`` (one step per output channel), ``"per_tensor"``; the first is the main curve
    examples : rows of the data, None for all
    """

    name: ClassVar[str] = "weight_bits"
    version: ClassVar[int] = 2
    title: ClassVar[str] = "Weights with fewer bits"
    card: ClassVar[Card] = PRECISION
    requires: ClassVar[Access] = "weights"
    short: ClassVar[str] = "Weight bits"
    importance: ClassVar[float] = 0.9
    metrics: ClassVar[tuple[str, ...]] = ANSWERED
    axes: ClassVar[Mapping[str, Axis]] = {"bits": BITS_AXIS}
    remedy: ClassVar[str] = REMEDY
    bits: tuple[int, ...] = BITS
    layers_at: int | None = 3
    scalings: tuple[Scaling, ...] = ("per_channel",)
    examples: int | None = None

    def __post_init__(self) -> None:
        _check_bits(self.bits)

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self:
        """Per channel in ``quick``; per tensor and 1 bit as well otherwise."""
        del facts
        if preset == "quick":
            return cls(examples=1000)
        return cls(bits=(*BITS, 1), scalings=("per_channel", "per_tensor"))

    def unfit(self, facts: Facts) -> str:
        """Needs weights that can be changed."""
        return facts.why_not("weights")

    def points(self) -> list[Point]:
        """One per width and scaling; the main scaling is not named."""
        return [
            {"bits": width} if scaling == self.scalings[0] else {"bits": width, "scaling": scaling}
            for scaling in self.scalings
            for width in self.bits
        ]

    def estimate(self, point: Point) -> Cost:
        """One forward pass, and some for each layer alone at one width."""
        layers = min(FEW, self.examples or FEW) if point["bits"] == self.layers_at and "scaling" not in point else 0
        return Cost(forward=1, forward_per_layer=layers, fixed_seconds=0.003, fixed_seconds_per_weight=1e-8)

    def measure(self, point: Point, context: StressContext) -> Measurement:
        """Accuracy of a rounded copy."""
        target = context.target
        per_channel = point.get("scaling", self.scalings[0]) == "per_channel"
        rounded = quantize_weights(target.module, point["bits"], per_channel=per_channel)
        found = answers(target.carrying(rounded), examples_of(context, self.examples), context)
        own = own_widths(target.module).of_weights
        notes = [f"the network quantizes its weights itself ({own}); this rounds once more"] if own else []
        found = noted(found, notes)
        if point["bits"] != self.layers_at or "scaling" in point:
            return found
        return replace(found, details={**found.details, "layers": self._layer_by_layer(rounded, context)})

    def _layer_by_layer(self, rounded: nn.Module, context: StressContext) -> list[dict[str, Any]]:
        """Accuracy with one layer rounded and all others as they are."""
        target = context.target
        few = examples_of(context, min(FEW, self.examples or FEW))
        entries = []
        for name, weight in named_weights(rounded).items():
            alone = with_weights(bake_weights(target.module), {name: weight.detach()})
            accuracy = answers(target.carrying(alone), few, context).estimates["accuracy"]
            entries.append({"name": name, "value": accuracy.value, "lo": accuracy.lo, "hi": accuracy.hi})
        return entries

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Accuracy against bits, one curve per scaling."""
        main = [entry for entry in measurements if "scaling" not in entry[0]]
        others = (_curve(scaling, Runs(measurements).where(scaling=scaling)) for scaling in self.scalings[1:])
        curves = sum(others, _curve(self.scalings[0], Runs(main)))
        return Summary(curves=curves, findings=_finding(self.name, "weights", main), notes=notes_of(measurements))


@dataclass(frozen=True, kw_only=True)
class ActBits(Stress):
    """What flows into layers and into products of activations, rounded to a uniform grid; ranges are those of the first examples.

    Parameters
    ----------
    bits : widths, falling
    calibration : examples that set the ranges
    examples : rows of the data, None for all
    """

    name: ClassVar[str] = "act_bits"
    version: ClassVar[int] = 3
    title: ClassVar[str] = "Activations with fewer bits"
    card: ClassVar[Card] = PRECISION
    requires: ClassVar[Access] = "weights"
    short: ClassVar[str] = "Activation bits"
    importance: ClassVar[float] = 0.6
    metrics: ClassVar[tuple[str, ...]] = ANSWERED
    axes: ClassVar[Mapping[str, Axis]] = {"bits": BITS_AXIS}
    remedy: ClassVar[str] = REMEDY
    bits: tuple[int, ...] = BITS
    calibration: int = 256
    examples: int | None = None

    def __post_init__(self) -> None:
        _check_bits(self.bits)

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self:
        """1000 examples in ``quick``, all and 1 bit otherwise."""
        del facts
        return cls(examples=1000) if preset == "quick" else cls(bits=(*BITS, 1))

    def unfit(self, facts: Facts) -> str:
        """Needs layers whose inputs can be rounded."""
        return facts.why_not("activation_bits")

    def points(self) -> list[Point]:
        """One per width."""
        return [{"bits": width} for width in self.bits]

    def estimate(self, point: Point) -> Cost:
        """A forward pass and the calibration."""
        del point
        return Cost(forward=3, fixed_seconds=0.005)

    def measure(self, point: Point, context: StressContext) -> Measurement:
        """Accuracy of a copy with rounded activations."""
        target = context.target
        data = examples_of(context, self.examples)
        ranges = data[: self.calibration].x.to(context.device)
        seen = ranges if target.preprocess is None else target.preprocess(ranges)
        rounded = quantize_activations(target.module, point["bits"], seen)
        own = own_widths(target.module).of_activations
        notes = [f"the network quantizes its activations itself ({own}); this rounds once more"] if own else []
        return noted(answers(target.carrying(rounded), data, context), (*notes, *out_of_reach(rounded)))

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Accuracy against bits."""
        ranges = f"ranges were taken from the first {self.calibration} of the examples that are measured, without their labels"
        notes = (ranges, *notes_of(measurements)) if measurements else ()
        curves = _curve("activations", Runs(measurements))
        return Summary(curves=curves, findings=_finding(self.name, "activations", measurements), notes=notes)
