"""What all points together say: the quantities that the claims name, and curves."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.combination import Combination
from holdfast.core.curve import Curve
from holdfast.core.estimate import Estimate, bootstrap, exact, extreme, mean_t, proportion
from holdfast.devices.spintronics.linewidth import phase_diffusion, variance_ratio
from holdfast.studies.oscillator_binding.parts import WINDOW
from holdfast.studies.oscillator_binding.recipe import TARGETS, tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from holdfast.core.experiment import Measurement, Point

__all__ = ["Outcomes"]

Found = list[tuple["Point", "Measurement"]]


class Outcomes:
    """Measurements by part; what is missing gives nothing, so that its claims become errors."""

    def __init__(self, measurements: Iterable[tuple[Point, Measurement]]) -> None:
        self.parts: dict[str, Found] = defaultdict(list)
        for point, measurement in measurements:
            self.parts[point["part"]].append((point, measurement))

    def metrics(self) -> dict[str, Estimate]:
        """All quantities by name."""
        found: dict[str, Estimate] = {}
        for _, measurement in self.parts["model"]:
            found |= {f"model.{name}": value for name, value in measurement.estimates.items()}
        for point, measurement in self.parts["locking"]:
            if "name" in point:
                found[f"locking.{point['name']}"] = measurement.estimates["half_range"]
        for part in (self.maps, self.sequences, self.learning, self.noise, self.diffusion):
            found |= dict(part())
        return found

    def maps(self) -> Iterator[tuple[str, Estimate]]:
        """Shares of each partition, averaged over starts."""
        for kind, runs in _grouped(self.parts["map"], "engine", "noise").items():
            name = f"map.{kind[0]}.{tag(kind[1])}"
            shares = {
                label: np.array([measurement.estimates[label].value for _, measurement in runs]) for label in runs[0][1].estimates
            }
            for label, values in shares.items():
                yield f"{name}.{label}", mean_t(values)
            yield f"{name}.least", mean_t(np.min([*shares.values()], axis=0))
            yield f"{name}.asymmetry", mean_t(shares["p12"] - shares["p23"])

    def sequences(self) -> Iterator[tuple[str, Estimate]]:
        """For each variant of the task the target that did worst: of the six targets, and of all where there are more."""
        six = [(point, found) for point, found in self.parts["sequence"] if point["target"] in TARGETS]
        yield from _worst("sequence", six)
        if len(self.parts["sequence"]) > len(six):
            yield from _worst("every", self.parts["sequence"])

    def learning(self) -> Iterator[tuple[str, Estimate]]:
        """Shares of seeds that learnt, passes, and accuracies, by the spread of the devices."""
        for (spread,), runs in _grouped(self.parts["learning"], "spread").items():
            name = f"learning.{tag(spread)}"
            values = {key: np.array([measurement.estimates[key].value for _, measurement in runs]) for key in runs[0][1].estimates}
            yield f"{name}.solved", proportion(int(values["solved"].sum()), len(runs))
            yield f"{name}.passes", bootstrap(values["passes"], lambda sample: float(np.median(sample)))
            yield f"{name}.most_passes", exact(values["passes"].max(), len(runs), "largest")
            yield f"{name}.accuracy", mean_t(values["accuracy"])
            yield f"{name}.closed_form_accuracy", mean_t(values["closed_form_accuracy"])
            if spread > 0:
                yield f"{name}.repaired", mean_t(values["accuracy"] - values["closed_form_accuracy"])

    def noise(self) -> Iterator[tuple[str, Estimate]]:
        """Mean accuracy at each level, and its largest rise from a level to the next."""
        levels = self.noise_levels()
        for level, estimate in levels.items():
            yield f"noise.{tag(level)}.accuracy", estimate
        runs = [*self._by_level().values()]
        if len(runs) > 1:
            accuracies = [_balanced(found, level=1 - 0.05 / (len(runs) - 1)) for found in runs]
            yield "noise.largest_rise", extreme(after.minus(before).estimate() for before, after in pairwise(accuracies))
            first, last = ([measurement.estimates["accuracy"].value for _, measurement in runs[end]] for end in (0, -1))
            yield "noise.lost", mean_t(np.subtract(first, last))

    def _by_level(self) -> dict[tuple[Any, ...], Found]:
        return dict(sorted(_grouped(self.parts["noise"], "noise").items()))

    def noise_levels(self) -> dict[float, Estimate]:
        """Accuracy by noise level, averaged over targets."""
        return {
            level: mean_t([measurement.estimates["accuracy"].value for _, measurement in runs])
            for (level,), runs in self._by_level().items()
        }

    def diffusion(self) -> Iterator[tuple[str, Estimate]]:
        """Phase noise of one oscillator against theory, and of synchronised ones against one."""
        runs = {(point["oscillators"], point["strength"]): found for point, found in self.parts["diffusion"]}
        alone = next((found for (oscillators, _), found in runs.items() if oscillators == 1), None)
        if alone is None:
            return
        single = alone.arrays["advances"][:, 0]
        rate, theory = phase_diffusion(single, WINDOW), alone.estimates["theory"].value
        yield "diffusion.against_theory", Estimate(rate.value / theory, rate.lo / theory, rate.hi / theory, rate.n, rate.method)
        for (oscillators, strength), found in runs.items():
            advances = found.arrays["advances"]
            if oscillators > 1 and strength == 2e5:
                yield f"diffusion.common_of_{oscillators}", variance_ratio(advances.mean(axis=1), single)
                yield f"diffusion.each_of_{oscillators}", variance_ratio(advances[:, 0], single)
            elif oscillators > 1 and strength == 0:
                yield f"diffusion.uncoupled_each_of_{oscillators}", variance_ratio(advances[:, 0], single)

    def curves(self) -> Iterator[Curve]:
        """Locking against coupling, line width against coupling, accuracy against noise."""
        tongue = sorted((point["strength"] / 1e6, found) for point, found in self.parts["locking"] if "name" not in point)
        if len(tongue) > 1:
            at = tuple(strength for strength, _ in tongue)
            for name, key in (("simulated", "half_range"), ("adiabatic theory", "adiabatic")):
                yield _curve(name, "coupling", at, [found.estimates[key] for _, found in tongue], "MHz", "locking half-range (MHz)")
            kuramoto = [exact(2 * strength) for strength in at]
            yield _curve("phase oscillators", "coupling", at, kuramoto, "MHz", "locking half-range (MHz)")
        pairs = sorted(
            (p["strength"] / 1e6, found.arrays["advances"]) for p, found in self.parts["diffusion"] if p["oscillators"] == 2
        )
        alone = [found.arrays["advances"][:, 0] for p, found in self.parts["diffusion"] if p["oscillators"] == 1]
        if len(pairs) > 1 and alone:
            ratios = [variance_ratio(advances[:, 0], alone[0]) for _, advances in pairs]
            at = tuple(strength for strength, _ in pairs)
            yield _curve("one of two oscillators", "coupling", at, ratios, "MHz", "line width over that of one alone")
        levels = self.noise_levels()
        if len(levels) > 1:
            at = tuple(float(np.log10(level)) for level in levels)
            yield _curve("mean over targets", "log10 of the noise n", at, [*levels.values()], "", "balanced accuracy")


def _worst(family: str, found: Found) -> Iterator[tuple[str, Estimate]]:
    """The least and the largest of each share over targets, and all hits together."""
    for (variant, noise), runs in _grouped(found, "variant", "noise").items():
        name = f"{family}.{variant}.{tag(noise)}"
        for key in ("hits", "false_alarms", "fires_on", "order_kept"):
            values = [measurement.estimates[key] for _, measurement in runs if key in measurement.estimates]
            if values:
                yield f"{name}.least_{key}", min(values, key=lambda value: value.value)
                yield f"{name}.most_{key}", max(values, key=lambda value: value.value)
        hits = [measurement.estimates["hits"] for _, measurement in runs]
        yield f"{name}.hits", proportion(round(sum(hit.value * hit.n for hit in hits)), sum(hit.n for hit in hits))


def _balanced(found: Found, *, level: float) -> Combination:
    """Mean balanced accuracy over these targets; its interval comes from the presentations, not from the choice of targets."""
    parts = []
    for key in ("hits", "false_alarms"):
        shares = [measurement.estimates[key] for _, measurement in found]
        count = sum(share.n for share in shares)
        parts.append(Combination.of(proportion(round(sum(share.value * share.n for share in shares)), count, level=level)))
    hits, wrong = parts
    return hits.minus(wrong).scaled(0.5).plus(Combination(0.5))


def _curve(name: str, axis: str, at: tuple[float, ...], estimates: list[Estimate], unit: str, quantity: str) -> Curve:
    return Curve(name=name, axis=axis, at=at, estimates=tuple(estimates), unit=unit, quantity=quantity)


def _grouped(found: Found, *keys: str) -> dict[tuple[Any, ...], Found]:
    """Measurements by the values of some of their point's keys."""
    groups: dict[tuple[Any, ...], Found] = defaultdict(list)
    for point, measurement in found:
        groups[tuple(point[key] for key in keys)].append((point, measurement))
    return groups
