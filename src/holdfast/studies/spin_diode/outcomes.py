"""What the points say together: means over starts, and the curves of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.curve import Curve
from holdfast.core.estimate import Estimate, exact, extreme, mean_t
from holdfast.studies.spin_diode.rectifiers import AMPLITUDES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from holdfast.core.experiment import Measurement, Point

__all__ = ["Outcomes", "tag"]

SENSITIVITY = "log10 of sensitivity in V/W (absorbed)"


def tag(share: float) -> str:
    """A share of the threshold as part of a metric's name: s105 is 1.05."""
    return f"s{round(100 * share)}"


def _mean(values: Any) -> Estimate:
    """Mean over starts; equal values are exact."""
    sample = np.asarray(values, dtype=float)
    return exact(sample[0], sample.size) if np.ptp(sample) == 0 or sample.size == 1 else mean_t(sample)


def _curve(name: str, at: Iterable[float], estimates: Sequence[Estimate], axes: tuple[str, str, str]) -> Curve:
    """A curve over ``axes``: what runs along, its unit, and what is estimated."""
    axis, unit, quantity = axes
    return Curve(name=name, at=tuple(map(float, at)), estimates=tuple(estimates), axis=axis, unit=unit, quantity=quantity)


class Outcomes:
    """What was measured, by part; parts that are missing give nothing, so that their claims become errors."""

    def __init__(self, measurements: Iterable[tuple[Point, Measurement]]) -> None:
        self.parts: dict[str, list[tuple[Point, Measurement]]] = {}
        for point, measurement in measurements:
            self.parts.setdefault(point["part"], []).append((point, measurement))

    def part(self, name: str) -> list[tuple[Point, Measurement]]:
        """Points and measurements of one part."""
        return self.parts.get(name, [])

    def tongues(self) -> dict[float, dict[str, Any]]:
        """Arrays (starts, amplitudes) of the locked diode by share of the threshold."""
        found: dict[float, list[Any]] = {}
        for point, measurement in self.part("locking"):
            found.setdefault(point["share"], []).append(measurement.arrays)
        return {share: {name: np.stack([one[name] for one in runs]) for name in runs[0]} for share, runs in sorted(found.items())}

    def metrics(self) -> dict[str, Estimate]:
        """The quantities of several points that the claims name."""
        found = {}
        for share, runs in self.tongues().items():
            name = f"locking.{tag(share)}"
            for place, amplitude in enumerate(AMPLITUDES):
                label = f"{round(1e6 * amplitude)}uA"
                found[f"{name}.sensitivity_{label}"] = _mean(runs["sensitivity"][:, place])
                found[f"{name}.incident_{label}"] = _mean(runs["incident"][:, place])
                found[f"{name}.width_{label}"] = _mean(runs["width"][:, place])
            steps = np.diff(runs["width"], axis=1).T
            found[f"{name}.least_widening"] = extreme((mean_t(step, level=1 - 0.05 / len(steps)) for step in steps), "least")
            voltage, power = np.log(np.maximum(runs["voltage"][:, 1:4], 1e-30)), np.log(runs["power"][:, 1:4])
            found[f"{name}.slope"] = _mean([np.polyfit(x, y, 1)[0] for x, y in zip(power, voltage, strict=True)])
        return found

    def curves(self) -> Iterator[Curve]:
        """All curves of the page."""
        yield from self._lines()
        yield from self._biases()
        yield from self._widths()
        yield from self._powers()
        yield from self._tails()
        yield from self._antiferromagnets()
        yield from self._ensembles()

    def _lines(self) -> Iterator[Curve]:
        for point, measurement in self.part("line"):
            arrays = measurement.arrays
            for at, name, label in (("fine", "linear", "linear"), ("frequency", "timed", "simulated")):
                values = [exact(1e6 * value) for value in arrays[name]]
                title = f"line shape {label}, field-like {point['field_like']:g}"
                yield _curve(title, arrays[at] / 1e9, values, ("frequency", "GHz", "rectified voltage in uV"))

    def _biases(self) -> Iterator[Curve]:
        points = self.part("bias")
        if len(points) > 1:
            shares = [point["share"] for point, _ in points]
            for name, label in (("sensitivity", "bias gain simulated"), ("linear", "bias gain linear")):
                values = [exact(np.log10(found.estimates[f"bias.{name}"].value)) for _, found in points]
                yield _curve(label, shares, values, ("direct current over threshold", "", SENSITIVITY))
            tongues = self.tongues()
            if tongues:
                best = [_mean(np.log10(np.maximum(runs["sensitivity"][:, 1], 1e-30))) for runs in tongues.values()]
                yield _curve("bias gain locked to 5 uA", tongues, best, ("direct current over threshold", "", SENSITIVITY))
            for name, label in (("nep", "bias noise with magnetic"), ("nep_johnson", "bias noise of Johnson alone")):
                values = [exact(1e12 * found.estimates[f"bias.{name}"].value) for _, found in points]
                yield _curve(label, shares, values, ("direct current over threshold", "", "noise-equivalent power in pW/sqrt(Hz)"))

    def _widths(self) -> Iterator[Curve]:
        for share, runs in self.tongues().items():
            widths = [_mean(column) for column in runs["width"].T / 1e6]
            amplitudes = [1e6 * amplitude for amplitude in AMPLITUDES]
            yield _curve(f"locking range at {share:g}", amplitudes, widths, ("injected current", "uA", "locking range in MHz"))

    def _powers(self) -> Iterator[Curve]:
        axes = ("absorbed power", "nW", SENSITIVITY)
        for _, measurement in self.part("power"):
            values = [exact(value) for value in np.log10(measurement.arrays["sensitivity"])]
            yield _curve("power law passive", 1e9 * measurement.arrays["power"], values, axes)
        for share, runs in self.tongues().items():
            held = (runs["sensitivity"] > 0).all(axis=0)
            if held.any():
                values = [_mean(column) for column in np.log10(runs["sensitivity"][:, held]).T]
                yield _curve(f"power law locked at {share:g}", 1e9 * runs["power"][0, held], values, axes)

    def _tails(self) -> Iterator[Curve]:
        for point, measurement in self.part("tail"):
            voltage, frequency = measurement.arrays["voltage"], measurement.arrays["frequency"] / 1e9
            values = [mean_t(column) for column in (voltage / np.abs(voltage.mean(axis=0)).max()).T]
            yield _curve(f"low tail {point['device']}", frequency, values, ("frequency", "GHz", "voltage over its largest"))

    def _antiferromagnets(self) -> Iterator[Curve]:
        for part, quantity, family in (
            ("neel_tuning", "resonance in GHz", "Neel tuning"),
            ("neel_rotating", "rotation in GHz", "Neel rotation"),
        ):
            for point, measurement in self.part(part):
                arrays = measurement.arrays
                if point.get("kind") != "onset":
                    suffix = f", damping {point['alpha']:g}" if "alpha" in point else ""
                    for name, label in (("expected", "closed form"), ("frequency", "simulated")):
                        values = [exact(value) for value in arrays[name] / 1e9]
                        yield _curve(f"{family} {label}{suffix}", arrays["share"], values, ("torque over threshold", "", quantity))

    def _ensembles(self) -> Iterator[Curve]:
        points = self.part("ensemble")
        if len(points) > 1:
            frequencies = [point["frequency"] / 1e9 for point, _ in points]
            for name, label in (("mean", "device ensemble mean"), ("sd", "device ensemble deviation")):
                values = [found.estimates[f"ensemble.{name}"] for _, found in points]
                yield _curve(label, frequencies, values, ("frequency", "GHz", "sensitivity of an ensemble in V/W"))
