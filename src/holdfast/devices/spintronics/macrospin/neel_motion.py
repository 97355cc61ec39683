"""Simulated motions of an antiferromagnet's Neel vector beside their closed forms: ringing and rotation under a torque."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import check_quantity
from holdfast.devices.spintronics.macrospin.antiferromagnet import (
    neel_rotation,
    neel_start,
    neel_tilt,
    rotation_field,
    tilted_resonance,
)
from holdfast.devices.spintronics.macrospin.drive import Drive
from holdfast.devices.spintronics.macrospin.ringing import ring_down
from holdfast.devices.spintronics.macrospin.schedule import longest_step
from holdfast.devices.spintronics.macrospin.simulation import simulate
from holdfast.devices.spintronics.macrospin.stack import current_for_pull

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from holdfast.devices.spintronics.macrospin.stack import SpinDiode

__all__ = ["NeelMotion", "neel_ringing", "neel_spinning"]

Array = np.ndarray
PERIODS = 42  # of the ringing at rest


@dataclass(frozen=True, kw_only=True)
class NeelMotion:
    """Frequencies at several torques, arrays (K,).

    Parameters
    ----------
    share : of the torque from which on the Neel vector has no rest
    frequency : simulated, in Hz; 0 without motion
    expected : by the closed form, in Hz
    cycles : that were counted
    """

    share: Array
    frequency: Array
    expected: Array
    cycles: Array

    @property
    def error(self) -> float:
        """Largest relative deviation from the closed form where it expects a motion."""
        moving = self.expected > 0
        return float(np.abs(self.frequency[moving] / self.expected[moving] - 1).max(initial=0.0))


def neel_ringing(diode: SpinDiode, share: ArrayLike, *, angle: float = 0.01) -> NeelMotion:
    """The resonance in the plane at shares of the torque that would rotate the Neel vector.

    Parameters
    ----------
    diode : antiferromagnet with the easy axis x and the spins of its current along z
    share : array (K,), in [0, 1)
    angle : in rad, of the turn out of the tilted rest

    Examples
    --------
    >>> from holdfast.devices.spintronics.diode import antiferromagnetic_diode
    >>> found = neel_ringing(antiferromagnetic_diode(alpha=1e-3), [0.0, 0.8])
    >>> (found.frequency / 1e9).round(1).tolist()
    [14.1, 10.9]
    """
    shares = np.asarray(check_quantity(share, "share", low=0, high=np.nextafter(1, 0)), dtype=float)
    pull = shares * rotation_field(diode.layer)
    expected, drive = np.asarray(tilted_resonance(diode.layer, pull)), Drive(i_dc=current_for_pull(diode, pull))
    duration = PERIODS / float(tilted_resonance(diode.layer, 0.0))
    rung = ring_down(diode, drive, duration=duration, angle=angle, start=(1, 0, 0))
    return NeelMotion(share=shares, frequency=rung.frequency, expected=expected, cycles=rung.cycles)


def neel_spinning(diode: SpinDiode, share: ArrayLike, *, duration: float, settle: float) -> NeelMotion:
    """The rotation at shares of the torque from which on the Neel vector has no rest, begun from the nearest rest.

    Parameters
    ----------
    diode : as in :func:`neel_ringing`
    share : array (K,), >= 0
    duration, settle : of the count, and before it, in s
    """
    shares = np.asarray(check_quantity(share, "share", low=0), dtype=float)
    least = rotation_field(diode.layer)
    drive = Drive(i_dc=current_for_pull(diode, shares * least))
    start = neel_start(neel_tilt(diode.layer, np.minimum(shares, 1.0) * least))
    found = simulate(diode, drive, duration=duration, settle=settle, dt=longest_step(diode, drive), start=start)
    expected = np.where(shares > 1, neel_rotation(diode.layer, shares * least), 0.0)
    return NeelMotion(share=shares, frequency=found.frequency, expected=expected, cycles=found.cycles)
