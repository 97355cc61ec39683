"""Which time steps resolve the motion, and when it is sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import check_whole, check_within, refuse
from holdfast.devices.spintronics.constants import GAMMA0, thermal_field
from holdfast.devices.spintronics.macrospin.stack import fastest_field, numbers_of

if TYPE_CHECKING:
    from holdfast.devices.spintronics.macrospin.drive import Drive
    from holdfast.devices.spintronics.macrospin.stack import SpinDiode

__all__ = ["EVERY", "Schedule", "check_thermal_step", "is_warm", "longest_step", "schedule"]

EVERY = 4  # steps from sample to sample: 8 samples in a period of the fastest motion that a step may have
LARGEST_TURN = 0.2  # rad per step, of a moment across the largest field; precession about a real equilibrium is slower
LARGEST_KICK = 0.1  # rad per step, standard deviation of the turn by the thermal field
LARGEST_HEATING = 0.04  # relative excess of the thermal variance that Heun's method may cause
FASTEST_DRIVE = 0.2  # cycles per step
FASTEST_SAMPLED = 0.25  # cycles per sample
FEWEST_PERIODS = 10


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Steps and samples of a run.

    Parameters
    ----------
    dt : step in s
    steps : in all
    first : step of the first sample
    every : steps from sample to sample
    samples : number of samples
    """

    dt: float
    steps: int
    first: int
    every: int
    samples: int


def is_warm(diode: SpinDiode) -> bool:
    """Whether a device is above 0 K."""
    return bool((numbers_of(diode.layer.temperature) > 0).any())


def schedule(
    diode: SpinDiode,
    drive: Drive,
    *,
    duration: float,
    settle: float,
    dt: float,
    every: int = EVERY,
    averages: bool = True,
) -> Schedule:
    """Steps and samples, if the step resolves the motion and the window holds enough periods.

    Parameters
    ----------
    diode, drive : what is run
    duration, settle, dt : in s
    every : steps from sample to sample
    averages : False for a run of which only the trace is wanted: it may be short and sparsely sampled

    Raises
    ------
    InputError : with the largest step, the smallest window or the densest sampling that is needed
    """
    check_within(dt, "dt", low=0, low_open=True)
    check_within(settle, "settle", low=0)
    check_within(duration, "duration", low=0, low_open=True)
    safe = _longest_turn(diode, drive)
    if dt > safe:
        allowed = f"at most {safe:.2g} s for these fields"
        refuse("dt", f"is {dt:g} s", allowed=allowed, remedy=f"A step may turn the moment by {LARGEST_TURN} rad.")
    frequency = numbers_of(drive.frequency)
    highest = float(frequency.max())
    if highest * dt > FASTEST_DRIVE:
        refuse("frequency", f"is {highest:g} Hz", allowed=f"at most {FASTEST_DRIVE / dt:.3g} Hz with dt = {dt:g} s")
    sampled = check_whole(every, "every", low=1)
    moving = frequency[frequency > 0]
    if averages and moving.size:
        if highest * dt * sampled > FASTEST_SAMPLED:
            densest = max(1, int(FASTEST_SAMPLED / (highest * dt)))
            refuse(
                "every", f"is {sampled} steps for a drive of {highest:g} Hz", allowed=f"at most {densest}, 4 samples in a period"
            )
        if moving.min() * duration < FEWEST_PERIODS:
            least = FEWEST_PERIODS / moving.min()
            wanted = f"at least {least:.3g} s, {FEWEST_PERIODS} periods of the slowest drive"
            refuse("duration", f"is {duration:g} s", allowed=wanted)
    length = max(1, round(duration / dt))
    sampled, first = min(length, sampled), round(settle / dt)
    return Schedule(dt=dt, steps=first + length, first=first, every=sampled, samples=length // sampled)


def check_thermal_step(diode: SpinDiode, drive: Drive, dt: float) -> None:
    r"""Refuse a step at which Heun's method would make the moment hotter than its bath.

    A step of Heun's method stretches a precession that turns by `x` by the factor :math:`1 + x^4 / 8` and so works against the
    damping :math:`\alpha x`: the thermal variance is too large by :math:`x^3 / 8 \alpha`. The turn `x` is that about the largest
    field, which is pessimistic where a moment precesses more slowly.

    Raises
    ------
    InputError : with the largest step that is allowed
    """
    safe = _longest_heating(diode, drive)
    if dt > safe:
        remedy = "A longer step would make the moment hotter than its bath by more than 4 %."
        refuse("dt", f"is {dt:g} s", allowed=f"at most {safe:.2g} s for these fields and this damping", remedy=remedy)
    safe = _longest_kick(diode)
    if dt > safe:
        remedy = f"The heat of a step may turn the moment by {LARGEST_KICK} rad."
        refuse("dt", f"is {dt:g} s", allowed=f"at most {safe:.2g} s for this volume and temperature", remedy=remedy)


def longest_step(diode: SpinDiode, drive: Drive, *, share: float = 0.9) -> float:
    """Time step in s for a simulation: a share of the longest one that is accepted at this temperature and drive.

    Parameters
    ----------
    diode, drive : what is run
    share : of the longest step, in (0, 1]

    Examples
    --------
    >>> from holdfast.devices.spintronics import AntiferromagnetDevice, Drive, SpinDiode
    >>> layer = AntiferromagnetDevice(ms=1e6, thickness=2e-9, area=1e-14, alpha=5e-3, demag=(-2e4, 0, 0), exchange=4e6)
    >>> f"{longest_step(SpinDiode(layer=layer), Drive()):.3g} s"
    '2.02e-13 s'
    """
    check_within(share, "share", low=0, low_open=True, high=1)
    limits = [_longest_turn(diode, drive)]
    highest = float(numbers_of(drive.frequency).max())
    if highest > 0:
        limits.append(min(FASTEST_DRIVE, FASTEST_SAMPLED / EVERY) / highest)
    if is_warm(diode):
        limits += [_longest_heating(diode, drive), _longest_kick(diode)]
    return share * min(limits)


def _longest_turn(diode: SpinDiode, drive: Drive) -> float:
    """Step in s that turns a moment across the largest field by LARGEST_TURN."""
    field = fastest_field(diode, drive)
    return LARGEST_TURN / (GAMMA0 * field) if field > 0 else np.inf


def _longest_heating(diode: SpinDiode, drive: Drive) -> float:
    """Step in s at which Heun's method makes the moment hotter than its bath by LARGEST_HEATING."""
    alpha = float(numbers_of(diode.layer.alpha).min())
    return _longest_turn(diode, drive) * float((8 * alpha * LARGEST_HEATING) ** (1 / 3)) / LARGEST_TURN


def _longest_kick(diode: SpinDiode) -> float:
    """Step in s whose heat turns the moment by LARGEST_KICK; the turn grows as the root of the step."""
    layer = diode.layer
    volume = numbers_of(layer.thickness) * numbers_of(layer.area)
    field = thermal_field(numbers_of(layer.alpha), numbers_of(layer.temperature), ms=numbers_of(layer.ms), volume=volume, dt=1.0)
    kick = float(np.max(GAMMA0 * field))
    return (LARGEST_KICK / kick) ** 2 if kick > 0 else np.inf
