"""Magnetic neurons on the bench of ``holdfast device``, in closed form or simulated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.devices.entry import Bench, DeviceEntry, Parameter, PhysicalQuantity, parameters_of
from holdfast.devices.spintronics import AutoOscillatorNeuron, HardAxisNeuron, RectifierNeuron, ThermalSigmoidNeuron
from holdfast.devices.spintronics.entries.controls import method, runs
from holdfast.devices.spintronics.neurons.simulation import simulate_neuron
from holdfast.devices.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.devices.spintronics.neurons import JunctionNeuron

__all__ = ["neuron_entries"]

Array = np.ndarray
METHOD = method("closed", "by the closed form, or by the mean over the motion of macrospins")
RUNS = runs(8)
USE = "as neurons: arXiv:2106.16043"


def neuron_entries() -> tuple[DeviceEntry, ...]:
    """A thermal sigmoid, a field-driven one, an oscillator's power, a rectifier."""
    voltage = PhysicalQuantity(name="voltage", unit="V", meaning="of the read current across the junction")
    return (
        _neuron(
            "thermal-sigmoid",
            ThermalSigmoidNeuron(),
            title="Superparamagnetic tunnel junction: thermal agitation biased by a current",
            drive="through the junction, polarised along the axis",
            output=voltage,
            source=f"stationary distribution: W. F. Brown, Phys. Rev. 130 (1963) 1677; {USE}",
        ),
        _neuron(
            "hard-axis",
            HardAxisNeuron(),
            title="Perpendicular layer over a strip line: turned away from its easy axis by a field",
            drive="in the strip line",
            output=voltage,
            source=f"energy minimum and Boltzmann average; {USE}",
            without=("alpha",),  # moves neither the minimum nor the average
        ),
        _neuron(
            "auto-oscillator-power",
            AutoOscillatorNeuron(),
            title="Spin-torque oscillator read by its power: silent below the threshold current",
            drive="through the layer",
            output=PhysicalQuantity(name="power", unit="W", meaning="emitted into a matched load"),
            source=f"A. Slavin and V. Tiberkevich, IEEE Trans. Magn. 45 (2009) 1875; {USE}",
        ),
        _rectifier(),
    )


def _rectifier() -> DeviceEntry:
    device = RectifierNeuron()
    entry = _neuron(
        "cone-diode",
        device,
        title="Non-resonant spin diode: an easy cone that rectifies an alternating current above a soft threshold",
        drive="amplitude of the alternating current",
        output=PhysicalQuantity(name="voltage", unit="V", meaning="rectified"),
        source="class of non-resonant rectifiers: G. Finocchio et al., arXiv:2103.13793; device and numbers are ours",
        closed=False,
        without=("read_current", "largest"),
    )
    return replace(entry, sweep=Sweep(name="current", values=np.linspace(0, device.largest, 25)))


def _neuron(
    name: str,
    device: JunctionNeuron,
    *,
    title: str,
    drive: str,
    output: PhysicalQuantity,
    source: str,
    closed: bool = True,
    without: tuple[str, ...] = (),
) -> DeviceEntry:
    """A magnetic neuron, in closed form or simulated."""
    own = parameters_of(device, without=without)

    def measure(bench: Bench) -> Mapping[str, Any]:
        ready = replace(device, **bench.of(entry.name for entry in own))
        if closed and bench["method"] == "closed":
            return {output.name: ready.response(bench["current"])}
        return {output.name: _simulated(device, bench, [entry.name for entry in own])}

    def operating(settings: Mapping[str, Any]) -> Sweep:
        ready = replace(device, **{entry.name: settings[entry.name] for entry in own})
        return Sweep(name="current", values=np.linspace(*ready.operating_range, 65))

    return DeviceEntry(
        name=name,
        title=title,
        source=source,
        parameters=(
            *own,
            Parameter(name="current", unit="A", meaning=drive),
            *((METHOD,) if closed else ()),
            RUNS,
        ),
        outputs=(output,),
        sweep=operating,
        measure=measure,
    )


def _simulated(device: JunctionNeuron, bench: Bench, names: list[str]) -> Array:
    """Simulated output (rows, K). Drives that differ from device to device are run one after the other."""
    count = int(bench["runs"])
    drive, values = np.asarray(bench["current"], dtype=float), bench.of(names)
    rows = np.broadcast_shapes(*(np.shape(value) for value in bench.parameters.values() if not isinstance(value, str)))
    if drive.ndim == 1:  # swept: every device sees the same drives
        ready = replace(device, **{name: np.ravel(value) if np.ndim(value) else value for name, value in values.items()})
        return simulate_neuron(ready, drive, runs=count, seed=bench.seed).output.T
    if drive.ndim == 2:  # a family over drives: something else is swept
        ready = replace(device, **values)
        return np.stack([simulate_neuron(ready, one, runs=count, seed=bench.seed).output[0] for one in drive])
    flat = {name: np.broadcast_to(value, rows).ravel() if np.ndim(value) else value for name, value in values.items()}
    return simulate_neuron(replace(device, **flat), drive, runs=count, seed=bench.seed).output.reshape(rows)
