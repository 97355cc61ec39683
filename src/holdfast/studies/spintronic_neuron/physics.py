"""Magnetic devices as neurons: their simulated curves in network units, and the simulation beside the closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from holdfast.core.estimate import exact
from holdfast.core.experiment import Measurement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from holdfast.core.experiment import Context
    from holdfast.devices import CharacteristicCurves
    from holdfast.devices.spintronics import JunctionNeuron

__all__ = ["curves_of", "measure_closed_form"]

FABRICATED = 200  # devices that the units of a network draw from
DRIVES, RUNS = 21, 2  # of each simulated curve; more runs make it less noisy
COMPARED, REPEATED = 9, 64  # drives and runs of the comparison with the closed form


def _device(kind: str) -> tuple[JunctionNeuron, Literal["sigmoid", "relu"]]:
    """The nominal device and its family."""
    from holdfast.devices.spintronics import AutoOscillatorNeuron, HardAxisNeuron, ThermalSigmoidNeuron

    found: dict[str, tuple[JunctionNeuron, Literal["sigmoid", "relu"]]] = {
        "thermal": (ThermalSigmoidNeuron(), "sigmoid"),
        "hard_axis": (HardAxisNeuron(), "sigmoid"),
        "oscillator": (AutoOscillatorNeuron(), "relu"),
    }
    return found[kind]


def curves_of(kind: str, spread: float, context: Context) -> CharacteristicCurves:
    """Simulated curves in network units, with this spread of damping, thickness and area."""
    from holdfast.devices import CharacteristicCurves, in_network_units
    from holdfast.devices.spintronics import neuron_curves

    device, family = _device(kind)
    settings = {"spread": spread, "samples": FABRICATED, "points": DRIVES, "runs": RUNS}

    def build() -> Mapping[str, NDArray[np.floating]]:
        context.check_time()
        curves = neuron_curves(
            device,
            spread=dict.fromkeys(("alpha", "thickness", "area"), spread),
            samples=FABRICATED,
            points=DRIVES,
            seed=context.seeds.integer("fabrication", kind),
            method="simulation",
            runs=RUNS,
        )
        return {"x": curves.x, "y": curves.y, "stderr": np.asarray(curves.stderr)}

    found = context.memo("curves", {"kind": kind, **settings}, build)
    curves = CharacteristicCurves(x=found["x"], y=found["y"], stderr=found["stderr"], nominal=device.response(found["x"]))
    return in_network_units(curves.made_monotone(), family)


def measure_closed_form(kind: str, context: Context) -> Measurement:
    """Largest distance in standard errors between the simulated mean state and its closed form, over the operating range."""
    from holdfast.devices.spintronics import simulate_neuron

    device, _ = _device(kind)
    drive = np.linspace(*device.operating_range, COMPARED)
    run = simulate_neuron(device, drive, runs=REPEATED, seed=context.seeds.integer("comparison", kind))
    distances = (run.state[:, 0] - device.mean_state(drive)) / run.state_stderr[:, 0]
    largest = exact(float(np.abs(distances).max()), COMPARED, "largest")
    return Measurement(estimates={"distance": largest}, arrays={"drive": drive, "distances": distances})
