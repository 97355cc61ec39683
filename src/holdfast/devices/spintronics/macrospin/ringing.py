"""Free ringing: a device is turned a little out of its rest and swings back, at its own frequency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import check_within, refuse
from holdfast.devices.spintronics.macrospin.equilibrium import equilibrium
from holdfast.devices.spintronics.macrospin.layer import unit_vector
from holdfast.devices.spintronics.macrospin.schedule import longest_step
from holdfast.devices.spintronics.macrospin.simulation import simulate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from holdfast.devices.spintronics.macrospin.drive import Drive
    from holdfast.devices.spintronics.macrospin.response import Response
    from holdfast.devices.spintronics.macrospin.stack import SpinDiode

__all__ = ["ring_down"]


def ring_down(
    diode: SpinDiode,
    drive: Drive,
    *,
    duration: float,
    angle: float = 1e-3,
    axis: ArrayLike = (0.0, 0.0, 1.0),
    start: ArrayLike | None = None,
    **run: Any,
) -> Response:
    """The motion after the moment, or both sublattices of an antiferromagnet, were turned out of their rest.

    Parameters
    ----------
    diode : one device or an ensemble, at 0 K
    drive : direct current under which it rests
    duration : of the ringing in s; a closed form of the frequency says how long a period is
    angle : of the turn in rad, > 0; frequencies shift with its square
    axis : of the turn, (3,), not along the moment
    start : from which the rest is looked for, as in :func:`~holdfast.devices.spintronics.equilibrium`
    run : further settings of :func:`~holdfast.devices.spintronics.simulate`; default of ``dt``: the longest step's share of 0.9

    Returns
    -------
    Response whose ``frequency`` is that of the ringing

    Raises
    ------
    InputError : a device without a stable rest under this current, or an axis along its moment

    Examples
    --------
    >>> from holdfast.devices.spintronics import AntiferromagnetDevice, Drive, SpinDiode
    >>> layer = AntiferromagnetDevice(ms=1e6, thickness=2e-9, area=1e-14, alpha=1e-3, demag=(-2e4, 0, 0), exchange=4e6)
    >>> f"{ring_down(SpinDiode(layer=layer), Drive(), duration=1e-9).frequency / 1e9:.1f} GHz"
    '14.1 GHz'
    """
    check_within(angle, "angle", low=0, low_open=True)
    rest = equilibrium(diode, drive, start=start)
    if not rest.stable.all():
        refuse(
            "drive",
            f"leaves {int((~rest.stable).sum())} of {rest.stable.size} devices without a stable state",
            allowed="direct currents below `threshold_current`",
        )
    around = np.asarray(unit_vector(axis, "axis"))
    aside = np.cross(around, rest.m)
    watch = aside if aside.ndim == rest.converged.ndim + 1 else (aside[..., 0, :] - aside[..., 1, :]) / 2
    if (np.linalg.norm(watch, axis=-1) < 1e-6).any():
        refuse("axis", f"is {axis!r}, along the moment", allowed="an axis across it, which turns it")
    step = {"dt": longest_step(diode, drive)} | run
    return simulate(diode, drive, duration=duration, start=rest.m + np.tan(angle) * aside, watch=watch, **step)
