"""How much of its largest voltage a diode keeps at low frequency, and the drive from which on it does.

A resonant diode keeps nothing far below its resonance; one whose moment the drive turns through large angles, as that of an easy
cone, rectifies slow signals too once the drive is strong enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import check_within, refuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["keeping_drive", "low_frequency_share"]


def low_frequency_share(voltage: ArrayLike) -> float:
    """Size of the mean voltage at the lowest frequency over its largest, in [0, 1].

    Parameters
    ----------
    voltage : array (runs, frequencies) in V, frequencies rising; runs differ by their noise, which the mean sheds

    Examples
    --------
    >>> low_frequency_share([[1.0, -4.0], [3.0, -12.0]])
    0.25
    """
    mean = np.abs(np.atleast_2d(np.asarray(voltage, dtype=float)).mean(axis=0))
    return float(mean[0] / mean.max())


def keeping_drive(voltage: ArrayLike, drive: ArrayLike, *, share: float = 0.5) -> float:
    """The least drive from which on :func:`low_frequency_share` is at least `share`, linear between drives.

    Parameters
    ----------
    voltage : array (runs, drives, frequencies) in V
    drive : array (drives,), rising
    share : in (0, 1)

    Returns
    -------
    In the unit of `drive`; its ends where the share is reached before the first or not before the last one

    Examples
    --------
    >>> keeping_drive([[[0.0, 4.0], [1.0, 4.0], [3.0, 4.0]]], [1.0, 2.0, 3.0])
    2.5
    """
    check_within(share, "share", low=0, high=1, low_open=True)
    volts, strengths = np.asarray(voltage, dtype=float), np.asarray(drive, dtype=float)
    if volts.ndim != 3 or volts.shape[1] != len(strengths) or (np.diff(strengths) <= 0).any():
        refuse(
            "voltage", f"has shape {volts.shape} for {len(strengths)} drives", allowed="(runs, drives, frequencies), drives rising"
        )
    kept = [low_frequency_share(volts[:, place]) for place in range(len(strengths))]
    return float(np.interp(share, np.maximum.accumulate(kept), strengths))
