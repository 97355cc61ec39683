"""The spin diode, and the oscillator that it becomes at larger direct currents, on the bench of ``holdfast device``."""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import check_within, refuse
from holdfast.devices.entry import DeviceEntry, Parameter, PhysicalQuantity, parameters_of
from holdfast.devices.spintronics import (
    Drive,
    MacrospinDevice,
    SpinDiode,
    SpinTorque,
    TunnelJunction,
    linear_response,
    rectified_voltage,
    simulate,
)
from holdfast.devices.spintronics.entries.controls import method, times, vector
from holdfast.devices.spintronics.macrospin import easy_plane_half_width, easy_plane_resonance
from holdfast.devices.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.devices.entry import Bench

__all__ = ["rectifier_entries"]

LAYER = MacrospinDevice(ms=1e6, thickness=2e-9, area=pi * 50e-9**2, alpha=0.01)
READER = TunnelJunction()
FIELD, EASY_PLANE = 4e4, 6e5  # A/m
TIMES, IDLE = ("duration", "settle", "dt"), ("phase", "v_dc", "v_ac")
STILL = 1e-3  # amplitude below which the moment counts as at rest
CLASSES = "passive and active rectifiers: G. Finocchio et al., arXiv:2103.13793; device and numbers are ours"


def rectifier_entries() -> tuple[DeviceEntry, ...]:
    """The resonant rectifier and the oscillator that the same layer becomes at larger direct currents."""
    return (_diode(), _oscillator())


def _layered(*, angle: float, duration: float, settle: float) -> tuple[Parameter, ...]:
    """The parameters that both devices have."""
    return (
        *parameters_of(LAYER, without=("hk1", "hk2", "vcma", "barrier", "temperature")),
        Parameter(name="field", unit="A/m", default=FIELD, meaning="in the plane, along x, > 0"),
        Parameter(name="easy_plane", unit="A/m", default=EASY_PLANE, meaning="field that holds the moment in the plane, normal z"),
        Parameter(name="r_p", unit="ohm", default=READER.r_p, meaning="resistance with the layer parallel to the reference, > 0"),
        Parameter(name="tmr", default=READER.tmr, meaning="tunnel magnetoresistance ratio, R_AP / R_P - 1, >= 0"),
        *parameters_of(SpinTorque(), without=("asymmetry", "quadratic")),
        Parameter(
            name="angle", unit="rad", default=angle, meaning="of the reference layer and its spins to the field, in the plane"
        ),
        Parameter(name="temperature", unit="K", default=0.0, meaning="of the layer, >= 0"),
        *times(duration=duration, settle=settle, dt=1e-12),
    )


def _stack(bench: Bench) -> SpinDiode:
    """The layer, junction and torque that the bench describes."""
    c, s = np.cos(bench["angle"]), np.sin(bench["angle"])
    direction = vector(c, s, 0.0)
    layer = MacrospinDevice(
        **bench.of(("ms", "thickness", "area", "alpha", "temperature")),
        field=vector(bench["field"], 0.0, 0.0),
        demag=vector(0.0, 0.0, bench["easy_plane"]),
    )
    return SpinDiode(
        layer=layer,
        junction=TunnelJunction(r_p=bench["r_p"], tmr=bench["tmr"], reference=direction),
        torque=SpinTorque(polarization=direction, efficiency=bench["efficiency"], field_like=bench["field_like"]),
    )


def _around_resonance(settings: Mapping[str, Any]) -> Sweep:
    """Eight half widths to both sides of the resonance of the design, four points in each."""
    for name in ("field", "alpha"):
        check_within(settings[name], name, low=0, low_open=True)
    check_within(settings["easy_plane"], "easy_plane", low=0)
    centre = float(easy_plane_resonance(settings["field"], settings["easy_plane"]))
    width = float(easy_plane_half_width(settings["field"], settings["easy_plane"], alpha=settings["alpha"]))
    return Sweep(name="frequency", values=np.linspace(max(centre - 8 * width, centre / 20), centre + 8 * width, 65))


def _diode() -> DeviceEntry:
    def measure(bench: Bench) -> Mapping[str, Any]:
        drive = Drive(**bench.of(("i_ac", "i_dc", "frequency")))
        if bench["method"] == "closed":
            if np.any(np.asarray(bench["temperature"]) != 0):
                refuse(
                    "temperature",
                    "is not 0 K with the method 'closed'",
                    allowed="0 K in closed form",
                    remedy="The method 'simulation' takes heat into account.",
                )
            found = linear_response(_stack(bench), drive).rectify()
        else:
            found = rectified_voltage(_stack(bench), drive, seed=bench.seed, tick=bench.tick, **bench.of(TIMES))
        return {"voltage": found.v_dc, "sensitivity": found.sensitivity_absorbed}

    return DeviceEntry(
        name="spin-diode",
        title="Resonant spin-torque diode: an in-plane layer that rectifies a microwave current",
        source=CLASSES,
        parameters=(
            *parameters_of(Drive(i_ac=1e-5), without=("frequency", *IDLE)),
            Parameter(
                name="frequency",
                unit="Hz",
                default=float(easy_plane_resonance(FIELD, EASY_PLANE)),
                meaning="of the alternating current, > 0",
            ),
            method("simulation", "step by step through time, or in closed form: the exact response to small signals at 0 K"),
            *_layered(angle=pi / 3, duration=1e-7, settle=1e-7),
        ),
        outputs=(
            PhysicalQuantity(name="voltage", unit="V", meaning="rectified: mean voltage less that without alternating current"),
            PhysicalQuantity(name="sensitivity", unit="V/W", meaning="rectified voltage per absorbed power"),
        ),
        sweep=_around_resonance,
        measure=measure,
        also=(
            "frequency=4.6e9:6.6e9:81 --sweep field_like=-0.3,0,0.3",
            "i_ac=1e-6:3e-5:30:log",
            "frequency=4.6e9:6.6e9:81 --angle 2.618 --sweep i_dc=0,1e-4,2e-4,3e-4",
        ),
    )


def _oscillator() -> DeviceEntry:
    def measure(bench: Bench) -> Mapping[str, Any]:
        found = simulate(
            _stack(bench),
            Drive(i_dc=bench["i_dc"]),
            start=(1.0, 0.02, 0.0),
            seed=bench.seed,
            tick=bench.tick,
            **bench.of(TIMES),
        )
        moving = found.amplitude > STILL
        return {"frequency": np.where(moving, found.frequency, np.nan), "amplitude": found.amplitude, "resistance": found.r_mean}

    return DeviceEntry(
        name="spin-torque-oscillator",
        title="Spin-torque oscillator: the layer of the spin diode above its threshold current",
        source=CLASSES,
        parameters=(
            *parameters_of(Drive(i_dc=6e-4), without=("i_ac", "frequency", *IDLE)),
            *_layered(angle=5 * pi / 6, duration=5e-8, settle=1.5e-7),
        ),
        outputs=(
            PhysicalQuantity(
                name="frequency", unit="Hz", meaning="of the moment's swing in the plane; none where it has come to rest"
            ),
            PhysicalQuantity(name="amplitude", meaning="root mean square of the moment's component in the plane, across the field"),
            PhysicalQuantity(name="resistance", unit="ohm", meaning="mean"),
        ),
        sweep=Sweep(name="i_dc", values=np.linspace(0, 8e-4, 41)),
        measure=measure,
        also=("i_dc=2e-4:8e-4:31 --sweep alpha=0.01,0.015,0.02", "i_dc=0:8e-4:41 --temperature 300", "field=2e4:8e4:25"),
    )
