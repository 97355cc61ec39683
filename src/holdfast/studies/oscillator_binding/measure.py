"""What one point measures, part by part, and what the points of a part say together."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.combination import Combination
from holdfast.core.drawn import curve
from holdfast.core.estimate import Estimate, bootstrap, exact, extreme, mean_t, proportion
from holdfast.core.experiment import Drawing, Measurement, Quantity
from holdfast.core.seeds import Seeds
from holdfast.devices.spintronics import AutoOscillatorNetwork, SequenceBinder, locking_range, simulate_network, synchronization_map
from holdfast.devices.spintronics.oscillators import LockCriterion, adiabatic_half_range, all_to_all, phase_noise_rate
from holdfast.devices.spintronics.oscillators.drawing import partition_figure
from holdfast.devices.spintronics.oscillators.linewidth import phase_advances, phase_diffusion, variance_ratio
from holdfast.devices.spintronics.oscillators.recognition import (
    balanced_accuracy,
    fitted_to,
    pooled,
    recognition,
    selective_coupling,
)
from holdfast.devices.spintronics.oscillators.vortex import VortexNetwork

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from holdfast.core.experiment import Context, Point
    from holdfast.core.runs import Runs
    from holdfast.studies.study import Row

NU = 20 / 3  # nonlinearity of the default device at twice its threshold
BEST = math.atan(NU)  # coupling phase that widens locking most
TARGETS = ("012", "201", "111", "002", "220", "102")  # those that the weights were chosen with
MISMATCH = (0.4e6, -0.4e6, 0.0)  # Hz, fixed, inside the locking range
INCOMMENSURATE = (3e6, 5e6, 7.5e6)  # Hz, weights of the events
VARIANTS: dict[str, tuple[float | None, tuple[float, ...]]] = {  # coupling in Hz (None: chosen by a rule), weights in Hz
    "coupled": (None, INCOMMENSURATE),
    "commensurate": (2e5, (8 * 0.35e6, 10 * 0.35e6, 13 * 0.35e6)),
    "uncoupled": (0.0, INCOMMENSURATE),
}
ENGINES = {"universal": "three oscillators", "vortex": "three vortices (Thiele equation)"}
SHARES = {"none": 0.324, "p12": 0.160, "p13": 0.133, "p23": 0.159, "p123": 0.224}  # of a map, by our own earlier runs
WINDOW = 8e-6  # s in which phases diffuse
SLIPS = 5e5  # phase slips per second that a bound group may suffer where noise is strong


def _group(strength: float, *, oscillators: int = 3, phase: float = BEST, **settings: Any) -> AutoOscillatorNetwork:
    """Equal oscillators at twice their threshold, coupled all to all with `strength` in Hz."""
    coupling = all_to_all(oscillators, strength, phase)
    return AutoOscillatorNetwork(supercriticality=[2.0] * oscillators, coupling=coupling, **settings)


def _vortices(strength: float) -> VortexNetwork:
    """Three equal vortices at 1.3 times their threshold, coupled all to all at the phase that widens locking most."""
    alone = VortexNetwork(supercriticality=[1.3] * 3)
    phase = math.atan(float(alone.phase_amplitude_ratio[0]))
    return VortexNetwork(supercriticality=[1.3] * 3, coupling=all_to_all(3, strength, phase))


def model(study: Any, point: Point, context: Context) -> Measurement:
    """Closed forms of one oscillator against their numbers, and the decay of a small kick of its power."""
    net = AutoOscillatorNetwork(supercriticality=[2.0])
    known = {"nu": (net.phase_amplitude_ratio, NU), "p0": (net.free_power, 1 / 3), "G_p": (net.relaxation, 3e6)}
    errors = {name: abs(float(found[0]) / value - 1) for name, (found, value) in known.items()}
    seen = simulate_network(net, 40e-9, dt=5e-10, start=np.sqrt(net.free_power) * 1.001, trace_every=1e-9)
    kick = np.abs(seen.trace[:, 0]) ** 2 - net.free_power[0]
    rate = -np.polyfit(seen.trace_times, np.log(kick), 1)[0]
    decay = rate / (4 * np.pi * float(net.relaxation[0]))
    return Measurement(estimates={"closed_form_error": exact(max(errors.values())), "kick_decay": exact(decay)}, details=errors)


def locking(study: Any, point: Point, context: Context) -> Measurement:
    """The locking half-range of a pair in MHz, and the adiabatic one."""
    net = _group(point["strength"], oscillators=2, phase=point["phase"], nonlinearity=point["nonlinearity"])
    found = locking_range(net, seed=context.own_seed(point))
    half, step = found.half_range / 1e6, found.resolution / 1e6
    measured = Estimate(half, half - step, half + step, 1, "grid", 1 - 1e-9)
    return Measurement(estimates={"half_range": measured, "adiabatic": exact(float(adiabatic_half_range(net)) / 1e6)})


def partitions(study: Any, point: Point, context: Context) -> Measurement:
    """Shares of the five partitions over two currents, each the one in which most of several runs from other phases ended."""
    vortex = point["engine"] == "vortex"
    net = _vortices(1e5) if vortex else _group(2e5, noise=point["noise"])
    currents = np.linspace(*((1.15, 1.45) if vortex else (1.4, 2.6)), point["side"])
    found = synchronization_map(
        net, {"i1": currents, "i3": currents}, starts=point["votes"], seed=context.own_seed(point), duration=8e-6, discard=4e-6
    )
    shares = {
        label if label == "none" else f"p{label}": exact(share, found.partition.size) for label, share in found.fractions().items()
    }
    return Measurement(estimates=shares, arrays={"partition": found.partition.astype(np.int8), "currents": currents})


def sequence(study: Any, point: Point, context: Context) -> Measurement:
    """Whether one target binds and everything else does not."""
    strength, weights = VARIANTS[point["variant"]]
    coupling = _chosen_coupling(study, context) if strength is None else strength
    net = _group(coupling, noise=point["noise"])
    binder = SequenceBinder(net, weights=weights, mismatch=MISMATCH, seed=context.own_seed(point))
    found = recognition(binder, _events(point), repeats=point["repeats"])
    return Measurement(estimates=found.estimates, details={"coupling": coupling})


def _chosen_coupling(study: Any, context: Context) -> float:
    """The largest coupling in Hz that recognises every target and nothing else without noise, with phases that judge nothing."""
    seed = context.seeds.integer("design")

    def binder(coupling: float) -> SequenceBinder:
        return SequenceBinder(_group(coupling), weights=INCOMMENSURATE, mismatch=MISMATCH, seed=seed)

    def build() -> Mapping[str, NDArray[np.floating]]:
        context.check_time()
        return {"coupling": np.array(selective_coupling(study.couplings, binder, repeats=study.design_repeats))}

    settings = {"couplings": study.couplings, "repeats": study.design_repeats}
    return float(context.memo("design", settings, build)["coupling"])


def _events(point: Point) -> tuple[int, ...]:
    return tuple(map(int, point["target"]))


def learning(study: Any, point: Point, context: Context) -> Measurement:
    """Learning of one target from random offsets, on devices that deviate from the ones that currents are computed for."""
    nominal, seed = _group(1e5, noise=1e-4), context.own_seed(point)
    deviation = Seeds(seed).numpy("devices").normal(size=(2, 3)) * point["spread"]
    actual = replace(nominal, nonlinearity=60e6 * (1 + deviation[0]), frequency=18e6 * deviation[1])
    settings: Mapping[str, Any] = {"net": actual, "nominal": nominal, "mismatch": MISMATCH, "seed": seed}
    learned, _ = fitted_to(SequenceBinder(learning="rule", **settings), _events(point))
    assert learned.learned_ is not None
    errors = learned.learned_.errors[0]
    after = recognition(SequenceBinder(learning="rule", **settings), _events(point), repeats=100)
    before = recognition(SequenceBinder(**settings), _events(point), repeats=100)
    values = {
        "passes": len(errors),
        "solved": float(errors[-1] == 0),
        "accuracy": after.balanced,
        "closed_form_accuracy": before.balanced,
    }
    return Measurement(
        estimates={name: exact(value) for name, value in values.items()},
        arrays={"offsets": learned.learned_.trajectory[0]},
        details={"errors": list(errors)},
    )


def noisy(study: Any, point: Point, context: Context) -> Measurement:
    """Balanced accuracy of one target's recognition at a noise level."""
    net, criterion = _group(1e5, noise=point["noise"]), LockCriterion(slip_rate=SLIPS)
    binder = SequenceBinder(net, mismatch=MISMATCH, criterion=criterion, seed=context.own_seed(point))
    found = recognition(binder, _events(point), repeats=point["repeats"])
    return Measurement(estimates={**found.estimates, "accuracy": exact(found.balanced)})


def diffusion(study: Any, point: Point, context: Context) -> Measurement:
    """Phase advances in independent runs, and the rate that theory gives to one oscillator."""
    net = _group(point["strength"], oscillators=point["oscillators"], noise=1e-4)
    advances = phase_advances(net, runs=point["runs"], duration=WINDOW + 4e-6, discard=4e-6, seed=context.own_seed(point))
    return Measurement(estimates={"theory": exact(float(phase_noise_rate(net)[0]))}, arrays={"advances": advances})


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
