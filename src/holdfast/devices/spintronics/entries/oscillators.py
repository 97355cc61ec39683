"""Antiferromagnets, pairs of auto-oscillators and vortices on the bench of ``holdfast device``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.devices.entry import DeviceEntry, Parameter, PhysicalQuantity, parameters_of
from holdfast.devices.spintronics import (
    AntiferromagnetDevice,
    AutoOscillatorNetwork,
    Drive,
    SpinDiode,
    SpinTorque,
    VortexNetwork,
    all_to_all,
    simulate,
    simulate_network,
)
from holdfast.devices.spintronics.entries.controls import method, times, vector
from holdfast.devices.spintronics.macrospin import (
    current_for_pull,
    neel_rotation,
    neel_start,
    neel_tilt,
    rotation_field,
    tilted_resonance,
)
from holdfast.devices.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.devices.entry import Bench

__all__ = ["oscillator_entries"]

MS, THICKNESS, AREA = 1e6, 2e-9, 1e-14  # of no consequence where the torque is given as a field and it is cold
PARTS = ("frequency", "coupling", "delay", "sources")  # of a network, which the pair sets by itself
PAIR_TIMES = {"duration": "of the run, the transient included", "discard": "transient that is left out"}
NEAR = 0.9999  # of the largest tilt, where a run beyond it begins


def oscillator_entries() -> tuple[DeviceEntry, ...]:
    """An antiferromagnet under torque, two oscillators that lock, a vortex that gyrates."""
    return (_antiferromagnet(), _pair(), _vortex())


def _rotation_and_resonance(bench: Bench) -> Mapping[str, Any]:
    """Rotation and resonance in Hz of the antiferromagnets on the bench."""
    easy, pull = np.asarray(bench["easy_axis"]), np.asarray(bench["pull"], dtype=float)
    layer = AntiferromagnetDevice(
        ms=MS,
        thickness=THICKNESS,
        area=AREA,
        **bench.of(("alpha", "exchange")),
        demag=vector(-easy, 0.0, np.asarray(bench["hard_axis"])),
    )
    threshold = rotation_field(layer)
    resting = np.abs(pull) < threshold
    resonance = np.where(resting, tilted_resonance(layer, pull), np.nan)
    if bench["method"] == "closed":
        return {"rotation": neel_rotation(layer, pull), "resonance": resonance}
    diode = SpinDiode(layer=layer, torque=SpinTorque(polarization=(0.0, 0.0, 1.0)))
    tilt = neel_tilt(layer, np.clip(pull, -NEAR * threshold, NEAR * threshold))
    run = simulate(
        diode,
        Drive(i_dc=current_for_pull(diode, pull)),
        start=neel_start(tilt),
        tick=bench.tick,
        **bench.of(("duration", "settle", "dt")),
    )
    return {"rotation": run.frequency, "resonance": resonance}


def _antiferromagnet() -> DeviceEntry:
    return DeviceEntry(
        name="antiferromagnet",
        title="Antiferromagnet: its resonance under a torque, and its rotation beyond",
        source="H. V. Gomonay and V. M. Loktev, Phys. Rev. B 81 (2010) 144427; R. Khymyn et al., Sci. Rep. 7 (2017) 43705",
        parameters=(
            Parameter(name="pull", unit="A/m", meaning="damping-like field of the torque, spins along z"),
            Parameter(name="alpha", default=0.005, meaning="Gilbert damping, > 0"),
            Parameter(name="exchange", unit="A/m", default=4e6, meaning="exchange field between the sublattices, > 0"),
            Parameter(name="easy_axis", unit="A/m", default=2e4, meaning="field of the easy axis x, > 0"),
            Parameter(name="hard_axis", unit="A/m", default=0.0, meaning="field of the hard axis z, >= 0"),
            method("simulation", "step by step through time from the resting tilt, or in closed form: limits once it rotates"),
            *times(duration=1e-8, settle=5e-9, dt=1e-13),
        ),
        outputs=(
            PhysicalQuantity(
                name="rotation",
                unit="Hz",
                meaning="of the Neel vector; in closed form none where the sublattices would have become parallel",
            ),
            PhysicalQuantity(name="resonance", unit="Hz", meaning="in the plane, closed form; none where there is no rest"),
        ),
        sweep=Sweep(name="pull", values=np.linspace(0, 3e4, 41)),
        measure=_rotation_and_resonance,
        also=("pull=0:3e4:41 --sweep alpha=0.005,0.05", "pull=0:3e4:41 --method closed"),
    )


def _pair() -> DeviceEntry:
    own = parameters_of(AutoOscillatorNetwork(), without=PARTS)

    def measure(bench: Bench) -> Mapping[str, Any]:
        half = np.asarray(bench["detuning"], dtype=float)[..., None] / 2
        rows: Any = {entry.name: np.asarray(bench[entry.name])[..., None] for entry in own}
        network = AutoOscillatorNetwork(
            **rows,
            frequency=half * np.array([-1.0, 1.0]),
            coupling=all_to_all(2, bench["coupling"], bench["coupling_phase"]),
        )
        seen = simulate_network(network, seed=bench.seed, **bench.of(("duration", "discard", "dt")))
        frequency = np.asarray(seen.mean_frequency)
        return {"beat": frequency[..., 1] - frequency[..., 0], "order": seen.order}

    return DeviceEntry(
        name="oscillator-pair",
        title="Two coupled auto-oscillators: over which difference of frequencies do they lock?",
        source="A. Slavin and V. Tiberkevich, IEEE Trans. Magn. 45 (2009) 1875; binding: arXiv:2001.08044",
        parameters=(
            Parameter(name="detuning", unit="Hz", meaning="of the second oscillator against the first, without coupling"),
            Parameter(name="coupling", unit="Hz", default=2e5, meaning="coupling rate over 2 π"),
            Parameter(name="coupling_phase", unit="rad", default=float(np.arctan(20 / 3)), meaning="phase of the coupling"),
            *own,
            *times(PAIR_TIMES, duration=4e-5, discard=2e-5, dt=1e-9),
        ),
        outputs=(
            PhysicalQuantity(name="beat", unit="Hz", meaning="difference of the mean frequencies; 0 where they are locked"),
            PhysicalQuantity(name="order", meaning="mean length of the average phasor, 1 for equal phases"),
        ),
        sweep=Sweep(name="detuning", values=np.linspace(-5e6, 5e6, 81)),
        measure=measure,
        also=("detuning=-5e6:5e6:81 --sweep coupling=0,1e5,2e5", "detuning=0:5e6:41 --sweep nonlinearity=0,3e7,6e7"),
    )


def _vortex() -> DeviceEntry:
    own = parameters_of(VortexNetwork(), without=("coupling", "delay", "noise", "sources"))

    def measure(bench: Bench) -> Mapping[str, Any]:
        rows: Any = {entry.name: np.asarray(bench[entry.name])[..., None] for entry in own}
        network = VortexNetwork(**rows)
        return {
            "gyration": network.free_frequency[..., 0],
            "radius": np.sqrt(network.free_power[..., 0]),
            "relaxation": network.relaxation[..., 0],
        }

    return DeviceEntry(
        name="vortex-oscillator",
        title="Vortex oscillator: how fast and how far out the core gyrates in its disc",
        source="Thiele equation as in A. Dussaux et al., Phys. Rev. B 86 (2012) 014402",
        parameters=own,
        outputs=(
            PhysicalQuantity(name="gyration", unit="Hz", meaning="frequency of the core"),
            PhysicalQuantity(name="radius", meaning="of the gyration over that of the disc"),
            PhysicalQuantity(name="relaxation", unit="Hz", meaning="rate at which a disturbed radius returns, over 2 π"),
        ),
        sweep=Sweep(name="supercriticality", values=np.linspace(1.02, 1.8, 40)),
        measure=measure,
        also=("supercriticality=1.02:1.45:40 --sweep hardening=0,0.25,0.5",),
    )
