"""What one point measures, part by part."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.estimate import Estimate, exact
from holdfast.core.experiment import Measurement
from holdfast.core.seeds import Seeds
from holdfast.devices.spintronics import AutoOscillatorNetwork, SequenceBinder, locking_range, simulate_network, synchronization_map
from holdfast.devices.spintronics.oscillators import LockCriterion, adiabatic_half_range, all_to_all, phase_noise_rate
from holdfast.devices.spintronics.oscillators.linewidth import phase_advances
from holdfast.devices.spintronics.oscillators.recognition import fitted_to, recognition, selective_coupling
from holdfast.devices.spintronics.oscillators.vortex import VortexNetwork

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from holdfast.core.experiment import Context, Point

__all__ = ["BEST", "TARGETS", "WINDOW", "diffusion", "learning", "locking", "model", "noisy", "partitions", "sequence"]

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
WINDOW = 8e-6  # s in which phases diffuse
SLIPS = 5e5  # phase slips per second that a bound group may suffer where noise is strong


def _group(
    strength: float, *, oscillators: int = 3, phase: float = BEST, noise: float = 0.0, n: float = 60e6
) -> AutoOscillatorNetwork:
    """Equal oscillators at twice their threshold, coupled all to all with `strength` in Hz; `n` is their nonlinearity in Hz."""
    return AutoOscillatorNetwork(
        supercriticality=[2.0] * oscillators, nonlinearity=n, coupling=all_to_all(oscillators, strength, phase), noise=noise
    )


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
    net = _group(point["strength"], oscillators=2, phase=point["phase"], n=point["nonlinearity"])
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
