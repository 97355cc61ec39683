"""Injection locking: an oscillating diode takes over the frequency of a weak drive, and rectifies it strongly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import check_quantity, check_within, refuse
from holdfast.devices.spintronics.diode.voltage import rectified_voltage
from holdfast.devices.spintronics.macrospin.drive import Drive
from holdfast.devices.spintronics.macrospin.simulation import simulate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from holdfast.devices.spintronics.diode.rectification import Rectification
    from holdfast.devices.spintronics.macrospin.stack import SpinDiode

__all__ = ["Locking", "injection_locking"]

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Locking:
    """A locking tongue; F detunings, batch (B...).

    Parameters
    ----------
    free_frequency : in Hz, of the oscillation without drive, (B...)
    detuning : of the drive from it in Hz, (F,)
    locked : whether the oscillation ran at the drive's frequency, (F, B...)
    pulled : oscillation's frequency less the drive's in Hz, (F, B...)
    rectified : voltages and powers, (F, B...)
    """

    free_frequency: Array
    detuning: Array
    locked: Array
    pulled: Array
    rectified: Rectification

    @property
    def width(self) -> Array:
        """Width in Hz of the widest unbroken range of locked detunings, (B...): their number times the spacing."""
        run = longest = np.zeros(self.locked.shape[1:], dtype=int)
        for row in self.locked:
            run = np.where(row, run + 1, 0)
            longest = np.maximum(longest, run)
        return longest * float(np.diff(self.detuning).mean())

    def largest(self, values: Array) -> Array:
        """Largest size of `values` (F, B...) among the locked detunings, (B...); 0 where none locks."""
        return np.asarray(np.where(self.locked, np.abs(values), 0.0).max(axis=0))


def injection_locking(
    diode: SpinDiode,
    *,
    i_dc: ArrayLike,
    i_ac: ArrayLike,
    detuning: ArrayLike,
    duration: float,
    settle: float,
    slips: float = 0.5,
    **run: Any,
) -> Locking:
    """Where a drive near the frequency of free oscillation locks it, and what it then rectifies.

    Parameters
    ----------
    diode : one device or an ensemble
    i_dc : array in A, beyond the threshold; broadcasts with the devices
    i_ac : array, amplitude of the drive in A; broadcasts to the batch (B...)
    detuning : array (F,) in Hz, evenly spaced, at least 2
    duration, settle : of the runs in s
    slips : cycles by which a locked oscillation may differ from the drive over the whole run; thermal noise makes some
    run : further settings of :func:`~holdfast.devices.spintronics.simulate`

    Returns
    -------
    Locking

    Raises
    ------
    InputError : a device that does not oscillate without drive, or detunings that are not evenly spaced
    """
    aside = np.asarray(check_quantity(detuning, "detuning", unit="Hz"))
    if aside.ndim != 1 or len(aside) < 2 or not np.allclose(np.diff(aside), aside[1] - aside[0]) or aside[1] <= aside[0]:
        refuse("detuning", f"has shape {aside.shape}", allowed="at least 2 rising, evenly spaced detunings")
    check_within(slips, "slips", low=0)
    direct = np.asarray(check_quantity(i_dc, "i_dc", unit="A"))
    amplitude = np.asarray(check_quantity(i_ac, "i_ac", unit="A"))
    free = simulate(diode, Drive(i_dc=direct), duration=duration, settle=settle, **run)
    silent = _silent(free.frequency, free.amplitude)
    if silent.any():
        refuse(
            "i_dc",
            f"leaves {int(silent.sum())} of {silent.size} devices at rest",
            allowed="currents beyond `threshold_current`",
            remedy="Look at the sign of the current and of the polarization, or give a longer `settle`.",
        )
    shape = np.broadcast_shapes(free.frequency.shape, amplitude.shape)
    frequency = free.frequency + aside.reshape(-1, *([1] * len(shape)))
    found = rectified_voltage(
        diode, Drive(i_dc=direct, i_ac=amplitude, frequency=frequency), duration=duration, settle=settle, **run
    )
    assert found.response is not None, "a simulation keeps its response"
    pulled = found.response.frequency - found.frequency
    return Locking(
        free_frequency=np.broadcast_to(free.frequency, shape),
        detuning=aside,
        locked=(found.response.frequency > 0) & (np.abs(pulled) * duration <= slips),
        pulled=pulled,
        rectified=found,
    )


def _silent(frequency: NDArray[np.floating], amplitude: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Devices that do not oscillate: no cycles, or a swing below what an oscillation has."""
    return (frequency == 0) | (amplitude < 1e-4)
