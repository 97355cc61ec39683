"""The device card: the network on simulated chips whose weights and neurons vary."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from holdfast.auditing.stresses.answers import ANSWERED, OVER_CHIPS, answers, chips_measured, examples_of
from holdfast.auditing.stresses.cards import DEVICE
from holdfast.auditing.stresses.curves import checked_curves, read_curves
from holdfast.auditing.stresses.noted import noted, notes_of
from holdfast.core.checks import check_whole, refuse
from holdfast.core.digits import with_interval
from holdfast.core.estimate import FEWEST_FOR_P05
from holdfast.core.experiment import Finding, Measurement, Summary
from holdfast.core.grammar import Metric
from holdfast.core.runs import Runs
from holdfast.core.stress import Axis, Card, Cost, Stress, StressContext
from holdfast.hardware import activation_variation, curve_variation, fused_neurons, weight_noise
from holdfast.nets import own_widths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from holdfast.core.curve import Curve
    from holdfast.core.experiment import Point, Severity
    from holdfast.core.stress import Facts, Preset
    from holdfast.core.target import Access

__all__ = ["ActivationVariation", "WeightNoise"]

Kind = Literal["additive", "multiplicative"]
CHIPS: dict[str, int] = {"quick": 5, "standard": 20, "deep": 100}


def _check_strengths(values: Any, name: str, *, example: str = "[0, 0.05, 0.1]") -> None:
    row = isinstance(values, (list, tuple)) and all(isinstance(value, (int, float)) for value in values)
    if not row or not values or not min(values) >= 0 or list(values) != sorted(set(values)):
        refuse(name, f"is {values}", allowed=f"a list of increasing numbers >= 0, such as {example}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Inside the block nothing warns that copies of a network ran one after another, or of gates, which are noted."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="gates inside .* run in one operation")
        warnings.filterwarnings("ignore", message=".*cannot be vectorised over models", category=RuntimeWarning)
        yield


NOTES = {"p05": "p05: the 5th percentile of {} chips.", "worst": "Worst: the least accurate of {} chips."}


def _low(chips: int) -> tuple[str, str]:
    """What tells how low a chip of `chips` may lie: its metric, and its words; few chips show no 5th percentile."""
    return ("p05", "5th percentile") if chips >= FEWEST_FOR_P05 else ("worst", f"worst of {chips} chips")


def _curves(axis: str, name: str, runs: Runs, *, chips: int, unit: str = "relative") -> tuple[Curve, ...]:
    metric, _ = _low(chips)
    low = runs.curve(f"{name}, {metric}", over=axis, of=metric, unit=unit)
    return runs.curve(name, over=axis, unit=unit) + tuple(replace(curve, notes=(NOTES[metric].format(chips),)) for curve in low)


def _severity(axis: str, strength: float) -> Severity:
    """High for 10 % of relative noise or less; of a measured spread for half of it or less, low for more than there is."""
    if axis == "measured_spread":
        return "high" if strength <= 0.5 else "medium" if strength <= 1 else "low"
    return "medium" if strength >= 0.1 else "high"


def _at(what: str, axis: str, strength: float) -> str:
    """What was done to the chips, at which strength."""
    if axis != "measured_spread":
        return f"{what} of {strength:.0%}"
    return f"{what} at " + ("the full measured spread" if strength == 1 else f"{strength:g} times the measured spread")


def _finding(
    stress: WeightNoise | ActivationVariation, what: str, measurements: Sequence[tuple[Point, Measurement]]
) -> tuple[Finding, ...]:
    """The least strength at which one chip in twenty, or the worst of fewer, loses more than two points."""
    if not measurements:
        return ()
    clean = measurements[0][1].estimates["accuracy"]
    metric, words = _low(stress.chips)
    for point, found in measurements[1:]:
        low = found.estimates[metric]
        if low.value < clean.value - 0.02:
            (axis, strength), *_ = point.items()
            return (
                Finding(
                    id=f"device.{stress.name}.yield",
                    severity=_severity(axis, strength),
                    text=f"Accuracy with {_at(what, axis, strength)}, {words}: {with_interval(low)}.",
                    evidence=str(Metric(f"device.{stress.name}.{metric}", ((axis, strength),))),
                    estimate=low,
                    threshold=f"two points below {clean.value:.3g}",
                    remedy=stress.remedy,
                ),
            )
    return ()


@dataclass(frozen=True, kw_only=True)
class WeightNoise(Stress):
    """Every weight is off by normal noise, drawn anew for each chip.

    Parameters
    ----------
    sigma : standard deviations relative to the largest weight of each tensor (additive) or to the weight (multiplicative)
    chips : Monte Carlo draws
    kinds : the first is the main curve
    examples : rows of the data, None for all
    """

    name: ClassVar[str] = "weight_noise"
    version: ClassVar[int] = 3
    title: ClassVar[str] = "Noise on the weights"
    card: ClassVar[Card] = DEVICE
    requires: ClassVar[Access] = "weights"
    short: ClassVar[str] = "Weight noise"
    importance: ClassVar[float] = 0.85
    metrics: ClassVar[tuple[str, ...]] = OVER_CHIPS
    axes: ClassVar[Mapping[str, Axis]] = {"sigma": Axis(clause="at weight noise of {value:.1%}")}
    remedy: ClassVar[str] = (
        "Train with weights that are drawn anew around their values in every batch (holdfast.nets.fit, on_batch=...)."
    )
    sigma: tuple[float, ...] = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
    chips: int = 5
    kinds: tuple[Kind, ...] = ("additive", "multiplicative")
    examples: int | None = None

    def __post_init__(self) -> None:
        _check_strengths(self.sigma, "sigma")
        check_whole(self.chips, "chips", low=2)

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self:
        """5, 20 or 100 chips."""
        del facts
        return cls(chips=CHIPS[preset], examples=1000 if preset == "quick" else None)

    def unfit(self, facts: Facts) -> str:
        """Needs weights that can be changed."""
        return facts.why_not("weights")

    def points(self) -> list[Point]:
        """One per kind and strength; the main kind is not named."""
        return [
            {"sigma": width} if kind == self.kinds[0] else {"sigma": width, "kind": kind}
            for kind in self.kinds
            for width in self.sigma
        ]

    def estimate(self, point: Point) -> Cost:
        """One forward pass per chip."""
        chips = self.chips if point["sigma"] else 1
        return Cost(forward=0.9 * chips, fixed_seconds=0.005, fixed_seconds_per_weight=1e-8 * chips)

    def measure(self, point: Point, context: StressContext) -> Measurement:
        """Accuracy over chips."""
        data = examples_of(context, self.examples).to(context.device)
        kind = point.get("kind", self.kinds[0])
        with _quiet():
            found = weight_noise(
                context.target.module,
                data,
                sigma=point["sigma"],
                mode=kind,
                count=self.chips if point["sigma"] else 1,
                seed=context.seeds.integer("chips", kind),
                batch_size=context.batch_size,
                samples=context.target.samples,
                check_time=context.check_time,
            )
        again = ", ".join(own_widths(context.target.module).in_each_pass)
        notes = [f"the network rounds the noisy weights of {again} by itself, which hides noise below half a step"] if again else []
        return noted(chips_measured(found), notes)

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Mean over chips, and how low they may lie, against strength."""
        main = [entry for entry in measurements if "kind" not in entry[0]]
        others = (_curves("sigma", kind, Runs(measurements).where(kind=kind), chips=self.chips) for kind in self.kinds[1:])
        curves = sum(others, _curves("sigma", self.kinds[0], Runs(main), chips=self.chips))
        findings = _finding(self, f"{self.kinds[0]} weight noise", main)
        return Summary(curves=curves, findings=findings, notes=notes_of(measurements))


@dataclass(frozen=True, kw_only=True)
class ActivationVariation(Stress):
    """Every neuron has its own gain, steepness, threshold and offset, drawn anew for each chip.

    Neurons are activation modules, activation functions, and modules of the user's own classes that change each number by itself.
    A module without weights that is called behind several layers is other hardware at each place. A layer that is called again is
    the same hardware at another time, and so are the neurons behind it.

    With `curves`, measured or simulated (``holdfast device NAME --samples 200 --spread ...`` writes them), the neurons are those
    devices instead. Each layer has one gain and offset before its devices and one behind, so that the nominal device imitates the
    layer's own activation as well as it can (:mod:`holdfast.hardware.imitation`); every unit of every chip is a device drawn from
    the file, and keeps its distance from the nominal one. At a measured spread of 0 all devices are nominal: what is then lost
    against `own_activations_accuracy`, that of the network as it is, is the price of the curve's shape.

    Parameters
    ----------
    spread : relative standard deviations; not used with `curves`
    chips : Monte Carlo draws
    examples : rows of the data, None for all
    curves : CSV file, the drive in the first column and one column per device; a column `nominal` is the nominal device, otherwise
        the mean is. Drives that are not equally far apart are resampled
    measured_spread : with `curves`, factors on the deviations of the devices from the nominal one
    curves_digest : of the file's content, filled in; where it is given, another content is refused
    """

    name: ClassVar[str] = "activation_variation"
    version: ClassVar[int] = 4
    title: ClassVar[str] = "Device-to-device variation of neurons"
    card: ClassVar[Card] = DEVICE
    requires: ClassVar[Access] = "weights"
    short: ClassVar[str] = "Activation variation"
    importance: ClassVar[float] = 0.55
    metrics: ClassVar[tuple[str, ...]] = (*OVER_CHIPS, *(f"own_activations_{name}" for name in ANSWERED))
    axes: ClassVar[Mapping[str, Axis]] = {"spread": Axis(clause="at a device spread of {value:.1%}")}
    remedy: ClassVar[str] = "Train with devices drawn anew (holdfast.hardware.fresh_devices) or trim each chip (recalibrate)."
    spread: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2, 0.3)
    chips: int = 5
    examples: int | None = None
    curves: str | None = None
    measured_spread: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0)
    curves_digest: str = ""

    def __post_init__(self) -> None:
        _check_strengths(self.spread, "spread")
        _check_strengths(self.measured_spread, "measured_spread", example="[0, 0.5, 1]")
        check_whole(self.chips, "chips", low=2)
        if self.curves is not None:
            object.__setattr__(self, "curves", str(self.curves))
            object.__setattr__(self, "curves_digest", checked_curves(self.curves, self.curves_digest))

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self:
        """5, 20 or 100 chips."""
        del facts
        return cls(chips=CHIPS[preset], examples=1000 if preset == "quick" else None)

    def unfit(self, facts: Facts) -> str:
        """Needs activations that devices can take the place of."""
        return facts.why_not("devices")

    @property
    def _axis(self) -> str:
        return "spread" if self.curves is None else "measured_spread"

    def points(self) -> list[Point]:
        """One per strength."""
        strengths: tuple[float, ...] = getattr(self, self._axis)
        return [{self._axis: strength} for strength in strengths]

    def estimate(self, point: Point) -> Cost:
        """One forward pass per chip, with costlier activations."""
        return Cost(forward=2 * self._count(point), fixed_seconds=0.01 if self.curves is None else 0.5)

    def _count(self, point: Point) -> int:
        """Chips; one where they are all equal."""
        return self.chips if point[self._axis] else 1

    def measure(self, point: Point, context: StressContext) -> Measurement:
        """Accuracy over chips."""
        data = examples_of(context, self.examples).to(context.device)
        settings: Any = {
            "count": self._count(point),
            "seed": context.seeds.integer("chips"),
            "batch_size": context.batch_size,
            "samples": context.target.samples,
            "check_time": context.check_time,
        }
        net = context.target.module
        fused = ", ".join(fused_neurons(net))
        notes = [f"the gates inside {fused} stay ideal, because they run in one operation"] if fused else []
        if self.curves is None:
            with _quiet():
                varied = activation_variation(net, data, spread=point["spread"], **settings)
            return noted(chips_measured(varied), notes)
        curves = read_curves(self.curves)
        with _quiet():
            found = chips_measured(curve_variation(net, data, curves, times=point["measured_spread"], **settings))
        own = {} if point["measured_spread"] else answers(context.target, data, context).estimates
        found = noted(found, notes)
        return replace(
            found,
            estimates={**found.estimates, **{f"own_activations_{name}": estimate for name, estimate in own.items()}},
            details={**found.details, "curves": self.curves, "devices": len(curves)},
        )

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Mean over chips, and how low they may lie, against spread."""
        if self.curves is None:
            curves = _curves("spread", "neurons", Runs(measurements), chips=self.chips)
            return Summary(curves=curves, findings=_finding(self, "a device spread", measurements), notes=notes_of(measurements))
        name = f"devices of {Path(self.curves).name}"
        return Summary(
            curves=_curves("measured_spread", name, Runs(measurements), chips=self.chips, unit="times that of the curves"),
            findings=(
                *_shape_finding(name, measurements),
                *_finding(self, name, measurements),
            ),
            notes=notes_of(measurements),
        )


def _shape_finding(name: str, measurements: Sequence[tuple[Point, Measurement]]) -> tuple[Finding, ...]:
    """That the nominal device loses more than two points against the network's own activations."""
    for point, found in measurements:
        own, nominal = found.estimates.get("own_activations_accuracy"), found.estimates["accuracy"]
        if own is not None and nominal.value < own.value - 0.02:
            return (
                Finding(
                    id="device.activation_variation.shape",
                    severity="medium",
                    text=f"Accuracy with nominal {name} for the network's activations: {with_interval(nominal)}.",
                    evidence=str(Metric("device.activation_variation.accuracy", tuple(point.items()))),
                    estimate=nominal,
                    threshold=f"two points below {own.value:.3g}",
                    remedy="Train the network with these curves in place (holdfast.hardware.hardware_activations).",
                ),
            )
    return ()
