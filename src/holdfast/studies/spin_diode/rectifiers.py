"""Parts of the study that rectify: line shapes, bias, locking, low-frequency tails, powers, noise and arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.estimate import bootstrap, exact
from holdfast.core.experiment import Measurement
from holdfast.core.seeds import Seeds
from holdfast.devices import fabricate
from holdfast.devices.spintronics import (
    Drive,
    harvest,
    injection_locking,
    linear_response,
    noise_equivalent_power,
    rectified_voltage,
    threshold_current,
)
from holdfast.devices.spintronics.diode import fit_lorentzian, magnetic_noise
from holdfast.devices.spintronics.macrospin import easy_plane_half_width, easy_plane_resonance
from holdfast.studies.spin_diode.designs import ALPHA, EASY_PLANE, FIELD, cone, in_plane

if TYPE_CHECKING:
    from holdfast.core.experiment import Point

__all__ = ["AMPLITUDES", "bias", "ensemble", "formulae", "line", "locking", "power", "tail"]

AMPLITUDES = (2e-6, 5e-6, 10e-6, 20e-6, 40e-6)  # A, of the injected current
SPREAD, MISALIGNMENT = {"alpha": 0.05, "thickness": 0.02, "tmr": 0.1}, 0.02  # relative; in rad


def line(point: Point, seed: int) -> Measurement:
    """The passive line, stepped through time and linear, at 10 uA."""
    del seed
    diode, drive = in_plane(field_like=point["field_like"]), Drive(i_ac=1e-5)
    resonance = float(easy_plane_resonance(FIELD, EASY_PLANE))
    f = np.linspace(0.5, 1.6, point["frequencies"]) * resonance
    small = linear_response(diode, drive)
    timed = rectified_voltage(diode, drive.replace(frequency=f), duration=100e-9, settle=60e-9)
    fine = small.rectify(np.linspace(0.5, 1.6, 4001) * resonance)
    fitted = fit_lorentzian(f, timed.v_dc)
    peak = float(np.abs(fine.v_dc).max())
    values = {
        "deviation": np.abs(timed.v_dc - small.v_dc(f)).max() / peak,
        "antisymmetric": fitted.antisymmetric_fraction,
        "width_ratio": fitted.half_width / easy_plane_half_width(FIELD, EASY_PLANE, alpha=ALPHA),
        "peak": peak,
        "sensitivity_absorbed": np.abs(fine.sensitivity_absorbed).max(),
        "sensitivity_incident": np.abs(fine.sensitivity_incident).max(),
    }
    return Measurement(
        estimates={f"line.{name}": exact(value) for name, value in values.items()},
        arrays={"frequency": f, "timed": timed.v_dc, "fine": fine.frequency[::10], "linear": fine.v_dc[::10]},
    )


def bias(point: Point, seed: int) -> Measurement:
    """Sensitivity and noise of the active diode at a share of its threshold, at 1 uA."""
    del seed
    diode = in_plane(150.0)
    i_dc = point["share"] * float(threshold_current(diode))
    drive = Drive(i_dc=i_dc, i_ac=1e-6)
    small = linear_response(diode, drive)
    f = small.resonance + np.linspace(-3, 3, point["frequencies"]) * small.half_width
    timed = rectified_voltage(diode, drive.replace(frequency=f), duration=150e-9, settle=200e-9, start=(1, 1e-3, 0))
    linear = small.rectify(f)
    sensitivity = float(np.abs(timed.sensitivity_absorbed).max())
    magnetic = float(magnetic_noise(diode.replace(temperature=300.0), drive, 1e6))
    nep = noise_equivalent_power(sensitivity, float(small.state.resistance), magnetic=magnetic)
    johnson = noise_equivalent_power(sensitivity, float(small.state.resistance))
    values = {
        "sensitivity": sensitivity,
        "linear": np.abs(linear.sensitivity_absorbed).max(),
        "incident": np.abs(timed.sensitivity_incident).max(),
        "deviation": np.abs(timed.v_dc - linear.v_dc).max() / np.abs(linear.v_dc).max(),
        "nep": nep,
        "nep_johnson": johnson,
    }
    return Measurement(estimates={f"bias.{name}": exact(value) for name, value in values.items()})


def locking(point: Point, seed: int) -> Measurement:
    """The tongue of the oscillating diode from one random direction."""
    diode = in_plane(150.0)
    start = Seeds(seed).numpy("start").normal(size=3)
    found = injection_locking(
        diode,
        i_dc=point["share"] * float(threshold_current(diode)),
        i_ac=np.array(AMPLITUDES),
        detuning=np.linspace(-150e6, 150e6, point["detunings"]),
        duration=point["duration"],
        settle=200e-9,
        start=start,
    )
    held = np.where(found.locked, np.abs(found.rectified.sensitivity_absorbed), 0.0)
    voltage = np.where(found.locked, np.abs(found.rectified.v_dc), 0.0).max(axis=0)
    return Measurement(
        estimates={
            "locking.free_frequency": exact(found.free_frequency[0]),
            "locking.power_5uA": exact(found.rectified.absorbed[0, 1]),
        },
        arrays={
            "sensitivity": held.max(axis=0),
            "incident": np.where(found.locked, np.abs(found.rectified.sensitivity_incident), 0.0).max(axis=0),
            "voltage": voltage,
            "width": found.width,
            "power": found.rectified.absorbed[0],
        },
    )


def tail(point: Point, seed: int) -> Measurement:
    """The line from 50 MHz to 6 GHz at 300 K and 100 uA, over noise seeds; how much of its peak is left at 50 MHz."""
    diode = cone(point["device"], alpha=np.full((point["seeds"], 1), 0.02))
    f = np.geomspace(50e6, 6e9, point["frequencies"])
    start = (0.3, 0.1, 0.95)
    found = rectified_voltage(
        diode, Drive(i_ac=1e-4, frequency=f), duration=point["duration"], settle=50e-9, start=start, seed=seed
    )

    def share(runs: Any) -> float:
        return float(abs(runs[:, 0].mean()) / np.abs(runs.mean(axis=0)).max())

    return Measurement(
        estimates={"tail.share": bootstrap(found.v_dc, share), "tail.low": bootstrap(np.abs(found.v_dc[:, 0]))},
        arrays={"frequency": f, "voltage": found.v_dc},
    )


def power(point: Point, seed: int) -> Measurement:
    """Passive voltage against absorbed power from 1 to 20 uA, and the slope of its logarithm."""
    del point, seed
    amplitudes = np.geomspace(1e-6, 20e-6, 9)
    resonance = float(easy_plane_resonance(FIELD, EASY_PLANE))
    found = rectified_voltage(in_plane(), Drive(i_ac=amplitudes, frequency=resonance), duration=100e-9, settle=60e-9)
    slope = np.polyfit(np.log(found.absorbed), np.log(np.abs(found.v_dc)), 1)[0]
    return Measurement(
        estimates={"power.passive_slope": exact(slope)},
        arrays={"power": found.absorbed, "sensitivity": np.abs(found.sensitivity_absorbed)},
    )


def formulae(point: Point, seed: int) -> Measurement:
    """Noise-equivalent power of 1 kohm and 1 kV/W against its value in decimals, and eight simulated diodes in series."""
    del point, seed
    by_hand = (4 * 1.380649e-23 * 300 * 1000) ** 0.5 / 1000
    diode, drive = in_plane(), Drive(i_ac=1e-5, frequency=float(easy_plane_resonance(FIELD, EASY_PLANE)))
    found = rectified_voltage(diode, drive, duration=60e-9, settle=40e-9)
    volts, ohms, watts = float(found.v_dc), float(found.resistance), float(found.absorbed)
    one, eight = (harvest(np.full(n, volts), ohms, watts) for n in (1, 8))
    loaded = harvest(np.full(8, volts), ohms, watts, load=1234.0)
    expected = (8 * volts) ** 2 * 1234.0 / (8 * ohms + 1234.0) ** 2
    values = {
        "nep_error": abs(float(noise_equivalent_power(1000.0, 1000.0)) / by_hand - 1),
        "load_error": abs(float(loaded.load_power) / expected - 1),
        "voltage_gain": eight.voltage / one.voltage,
        "power_gain": eight.load_power / one.load_power,
        "efficiency": eight.efficiency,
    }
    return Measurement(estimates={f"formulae.{name}": exact(value) for name, value in values.items()})


def ensemble(point: Point, seed: int) -> Measurement:
    """Sensitivity of many passive diodes at one frequency, as fabrication spreads them."""
    nominal = in_plane(temperature=point["temperature"])
    drawn = fabricate(nominal, SPREAD, absolute={"misalignment": MISALIGNMENT}, samples=point["devices"], seed=point["draw"])
    drive = Drive(i_ac=1e-5, frequency=point["frequency"])
    found = rectified_voltage(drawn, drive, duration=point["duration"], settle=20e-9, dt=8e-13, seed=seed)
    sensitivity = -found.sensitivity_absorbed
    spread = bootstrap(sensitivity, lambda values: float(values.std(ddof=1)))
    return Measurement(
        estimates={"ensemble.mean": bootstrap(sensitivity), "ensemble.sd": spread}, arrays={"sensitivity": sensitivity}
    )
