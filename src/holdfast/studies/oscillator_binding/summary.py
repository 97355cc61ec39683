"""What the points of each part say together."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.combination import Combination
from holdfast.core.drawn import curve
from holdfast.core.estimate import Estimate, bootstrap, exact, extreme, mean_t, proportion
from holdfast.core.experiment import Drawing, Quantity
from holdfast.devices.spintronics.oscillators.drawing import partition_figure
from holdfast.devices.spintronics.oscillators.linewidth import phase_diffusion, variance_ratio
from holdfast.devices.spintronics.oscillators.recognition import balanced_accuracy, pooled
from holdfast.studies.oscillator_binding.measure import WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.core.runs import Runs
    from holdfast.studies.study import Row

__all__ = ["of_diffusers", "of_learners", "of_maps", "of_noise", "of_pairs", "of_tasks"]

ENGINES = {"universal": "three oscillators", "vortex": "three vortices (Thiele equation)"}
SHARES = {"none": 0.324, "p12": 0.160, "p13": 0.133, "p23": 0.159, "p123": 0.224}  # of a map, by our own earlier runs


def of_pairs(study: Any, runs: Runs) -> Iterator[Row]:
    """The tongue: half-range against coupling, simulated and by theory."""
    tongue = {point["strength"] / 1e6: found.estimates for point, found in runs if "name" not in point}
    words = {"axis": "coupling", "unit": "MHz", "quantity": "locking half-range (MHz)", "chart": "Locking range against coupling"}
    for name, key in (("simulated", "half_range"), ("adiabatic theory", "adiabatic")):
        yield from curve(name, {strength: found[key] for strength, found in tongue.items()}, **words)
    yield from curve("phase oscillators", {strength: exact(2 * strength) for strength in tongue}, **words)


def of_maps(study: Any, runs: Runs) -> Iterator[Row]:
    """Shares of each partition, averaged over starts, and the map itself."""
    for at, group in runs.by("engine", "noise"):
        shares = {label: group.values(label) for label in group.names}
        for label, values in shares.items():
            yield Quantity(label, mean_t(values), at)
        yield Quantity("least", mean_t(np.min([*shares.values()], axis=0)), at)
        yield Quantity("asymmetry", mean_t(shares["p12"] - shares["p23"]), at)
        if at["engine"] == "universal":
            level = 1 - 0.05 / len(SHARES)
            off = [Combination.of(mean_t(shares[label], level=level)).minus(Combination(SHARES[label])).size() for label in SHARES]
            yield Quantity("largest_deviation", extreme(one.estimate() for one in off), at)
        if at["noise"] == 0:
            found, device = group.first.arrays, ENGINES[at["engine"]]
            picture = partition_figure(found["partition"], found["currents"], found["currents"])
            yield Drawing(title=f"Who synchronises with whom: {device}", figure=picture, note="Without noise, the first start.")


def of_tasks(study: Any, runs: Runs) -> Iterator[Row]:
    """For each variant the target that did worst: of the six targets, and of all where there are more."""
    six = runs.where(suite="six")
    coupling = runs.where(variant="coupled").first.details["coupling"]
    yield (
        f"Sequences are presented at a coupling of {coupling / 1e6:g} MHz, the largest of "
        f"{', '.join(f'{tried / 1e6:g}' for tried in study.couplings)} MHz at which each of all 27 targets binds without noise and "
        "nothing else does, with phases that are drawn apart from those that judge."
    )
    for targets, chosen in (("six", six), *([("every", runs)] if len(runs) > len(six) else [])):
        for at, group in chosen.by("variant", "noise"):
            place = {**at, "targets": targets}
            for key in group.names:
                yield Quantity(f"least_{key}", min(group.estimates(key), key=lambda one: one.value), place)
                yield Quantity(f"most_{key}", max(group.estimates(key), key=lambda one: one.value), place)
            yield Quantity("all_hits", pooled(group.estimates("hits")), place)


def of_learners(study: Any, runs: Runs) -> Iterator[Row]:
    """Shares of seeds that learnt, passes, and accuracies, by the spread of the devices."""
    for at, group in runs.by("spread"):
        yield Quantity("solved", proportion(int(group.values("solved").sum()), len(group)), at)
        yield Quantity("passes", bootstrap(group.values("passes"), lambda sample: float(np.median(sample))), at)
        yield Quantity("most_passes", exact(group.values("passes").max(), len(group), "largest"), at)
        for name in ("accuracy", "closed_form_accuracy"):
            yield Quantity(name, mean_t(group.values(name)), at)
        if at["spread"] > 0:
            yield Quantity("repaired", mean_t(group.values("accuracy") - group.values("closed_form_accuracy")), at)


def of_noise(study: Any, runs: Runs) -> Iterator[Row]:
    """Mean accuracy at each level, its largest rise from a level to the next, and what is lost in all."""
    levels = {at["noise"]: group for at, group in runs.by("noise")}
    means = {noise: mean_t(group.values("accuracy")) for noise, group in levels.items()}
    for noise, mean in means.items():
        yield Quantity("mean_accuracy", mean, {"noise": noise})
    words = {"axis": "noise n", "quantity": "balanced accuracy", "chart": "Recognition against noise", "log": "x"}
    yield from curve("mean over six targets", means, **words)
    if len(levels) > 1:
        level = 1 - 0.05 / (len(levels) - 1)
        shares = [(group.estimates("hits"), group.estimates("false_alarms")) for group in levels.values()]
        balanced = [balanced_accuracy(hits, false_alarms, level=level) for hits, false_alarms in shares]
        yield Quantity("largest_rise", extreme(after.minus(before).estimate() for before, after in pairwise(balanced)))
        first, *_, last = levels.values()
        yield Quantity("lost", mean_t(first.values("accuracy") - last.values("accuracy")))


def of_diffusers(study: Any, runs: Runs) -> Iterator[Row]:
    """Phase noise of one oscillator against theory, and of synchronised ones against one."""
    alone = runs.where(oscillators=1)
    single = alone.arrays("advances")[0][:, 0]
    rate, theory = phase_diffusion(single, WINDOW), alone.values("theory")[0]
    yield Quantity("against_theory", Estimate(rate.value / theory, rate.lo / theory, rate.hi / theory, rate.n, rate.method))
    widths: dict[float, Estimate] = {}
    for point, found in runs.where(oscillators=(2, 3)):
        at: dict[str, Any] = {key: point[key] for key in ("oscillators", "strength")}
        advances = found.arrays["advances"]
        yield Quantity("common", variance_ratio(advances.mean(axis=1), single), at)
        each = variance_ratio(advances[:, 0], single)
        yield Quantity("each", each, at)
        if at["oscillators"] == 2:
            widths[at["strength"] / 1e6] = each
    words = {"axis": "coupling", "unit": "MHz", "quantity": "line width over that of one alone"}
    yield from curve("one of two oscillators", widths, chart="Line width against coupling", **words)
