r"""What a spin diode makes of a microwave: the rectified voltage, simulated in time or by linear response, and its sensitivity.

The rectified voltage is :math:`V_{dc} = \langle I R \rangle - \langle I R \rangle_{I_{ac} = 0}`. The second term is that of the
same device from the same state without alternating drive; it vanishes without direct current and is a mean over time where the
device oscillates by itself.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from holdfast.core.checks import check_one_of, check_quantity, refuse
from holdfast.devices.spintronics.diode.linear import linear_response
from holdfast.devices.spintronics.diode.rectification import Rectification, supplied
from holdfast.devices.spintronics.macrospin.drive import LINE_IMPEDANCE, Drive, incident_amplitude
from holdfast.devices.spintronics.macrospin.equilibrium import equilibrium
from holdfast.devices.spintronics.macrospin.simulation import simulate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from holdfast.devices.spintronics.macrospin.response import Response
    from holdfast.devices.spintronics.macrospin.stack import SpinDiode

__all__ = ["read_voltage", "rectified_voltage", "sensitivity_spectrum"]


def rectified_voltage(
    diode: SpinDiode,
    drive: Drive,
    *,
    duration: float,
    settle: float = 0.0,
    impedance: float = LINE_IMPEDANCE,
    **run: Any,
) -> Rectification:
    """Rectified voltage and the powers that made it, from a simulation in time.

    The voltage is a mean over whole periods of the drive, of which a drive of frequency 0 has none: it would stand still at the
    sine of its phase. Its limit for slow drives comes from :func:`~holdfast.devices.spintronics.linear_response`, or from a low
    frequency.

    Parameters
    ----------
    diode : one device or an ensemble; its numbers and the drive's broadcast to the shape of the batch (B...)
    drive : what is sent through it; frequencies > 0 wherever its amplitude is not 0
    duration, settle : of the average, and before it, in s
    impedance : of the line in ohm
    run : any further setting of :func:`~holdfast.devices.spintronics.simulate`: ``dt``, ``start``, ``seed``, ``window`` and so on

    Returns
    -------
    Rectification with both runs. Above 0 K the run without alternating drive has the same noise, which their difference sheds.

    Raises
    ------
    InputError : an alternating drive of frequency 0; otherwise as :func:`~holdfast.devices.spintronics.simulate` does
    FloatingPointError : as :func:`~holdfast.devices.spintronics.simulate` does

    Warns
    -----
    UserWarning : voltages beyond the junction's breakdown

    Examples
    --------
    >>> from holdfast.devices.spintronics import MacrospinDevice, SpinDiode, SpinTorque, TunnelJunction
    >>> layer = MacrospinDevice(ms=1e6, thickness=2e-9, area=7.854e-15, alpha=0.01, field=(4e4, 0, 0), demag=(0, 0, 6e5))
    >>> spins = (0.5, 0.866, 0)
    >>> diode = SpinDiode(layer=layer, torque=SpinTorque(polarization=spins), junction=TunnelJunction(reference=spins))
    >>> found = rectified_voltage(diode, Drive(i_ac=1e-5, frequency=5.633e9), duration=20e-9, settle=20e-9)
    >>> f"{1e6 * found.v_dc:.1f} uV, {found.sensitivity_incident:.0f} V/W"
    '-9.0 uV, -93 V/W'
    """
    _check_alternating(drive)
    driven = simulate(diode, drive, duration=duration, settle=settle, **run)
    idle = None
    if np.any(np.asarray(drive.i_dc)) or np.any(np.asarray(drive.v_dc)):
        warm = bool((np.asarray(diode.layer.temperature) > 0).any())
        none = np.zeros(driven.v_dc.shape) if warm else 0.0  # the whole batch, so that device k has the same noise
        quiet = Drive(i_dc=drive.i_dc, v_dc=drive.v_dc, phase=none)
        idle = simulate(diode, quiet, duration=duration, settle=settle, **run)
    resistance = driven.r_mean if idle is None else np.broadcast_to(idle.r_mean, driven.v_dc.shape)
    _warn_of_breakdown(diode, drive, resistance)
    seen: Any = resistance
    if diode.series is not None:
        current = 0.0 if idle is None else idle.i_mean
        seen = resistance + np.asarray(diode.series.thermal_voltage) / (current + np.asarray(diode.series.saturation_current))
    powers = supplied(diode, drive, seen, impedance=impedance)
    absorbed, incident = (np.broadcast_to(power, driven.v_dc.shape) for power in powers)
    return Rectification(
        frequency=np.broadcast_to(np.asarray(drive.frequency, dtype=float), driven.v_dc.shape),
        v_dc=driven.v_dc if idle is None else driven.v_dc - idle.v_dc,
        resistance=resistance,
        absorbed=absorbed,
        incident=incident,
        response=driven,
        idle=idle,
    )


def _check_alternating(drive: Drive) -> None:
    """Refuse an alternating drive that does not alternate."""
    amplitude = np.abs(np.asarray(drive.i_ac)) + np.abs(np.asarray(drive.v_ac)) + np.abs(np.asarray(drive.field_ac)).sum(axis=-1)
    if np.any((np.asarray(drive.frequency) == 0) & (amplitude > 0)):
        refuse(
            "frequency",
            "is 0 Hz for an alternating drive, which has no whole period to average over",
            allowed="frequencies > 0",
            remedy="Use linear_response(diode, drive).rectify(0.0) for the limit of slow drives, or a low frequency.",
        )


def _warn_of_breakdown(diode: SpinDiode, drive: Drive, resistance: NDArray[np.floating]) -> None:
    """Warn where the largest voltage over the junction is more than the barrier stands."""
    highest = float(np.max((np.abs(np.asarray(drive.i_dc)) + np.abs(np.asarray(drive.i_ac))) * resistance))
    if highest > diode.junction.breakdown:
        warnings.warn(
            f"The voltage across the junction reaches {highest:.3g} V, beyond its breakdown at {diode.junction.breakdown:g} V: "
            "lower the currents, or set TunnelJunction(breakdown=...) to what the barrier withstands.",
            stacklevel=3,
        )


def sensitivity_spectrum(
    diode: SpinDiode,
    frequency: ArrayLike,
    *,
    power: ArrayLike,
    i_dc: ArrayLike = 0.0,
    method: Literal["linear", "simulated"] = "linear",
    impedance: float = LINE_IMPEDANCE,
    **run: Any,
) -> Rectification:
    """Rectification against frequency for a given power on the line.

    Parameters
    ----------
    diode : one device or an ensemble (B...)
    frequency : array (F,) in Hz; spacings above a quarter of the line's half width miss peaks. 0 is the limit of slow drives,
        for ``"linear"`` only
    power : array (B...), of the incident wave in W
    i_dc : array (B...), direct current in A
    method : ``"linear"`` for small signals below the threshold, ``"simulated"`` for any
    impedance : of the line in ohm
    run : ``duration`` and further settings of :func:`rectified_voltage` for ``"simulated"``; ``start`` for both

    Returns
    -------
    Rectification with arrays (F, B...): ``sensitivity_incident`` and ``sensitivity_absorbed`` are its spectra
    """
    check_one_of(method, "method", allowed=("linear", "simulated"))
    cold = diode.replace(temperature=0.0)
    start = run.get("start")
    rest = equilibrium(cold, Drive(i_dc=np.asarray(i_dc, dtype=float)), start=start)
    drive = Drive(i_dc=np.asarray(i_dc, dtype=float), i_ac=incident_amplitude(power, rest.resistance, impedance=impedance))
    f = np.asarray(check_quantity(frequency, "frequency", unit="Hz", low=0))
    shape = np.broadcast_shapes(np.shape(drive.i_ac), rest.converged.shape)
    f = f.reshape(f.shape + (1,) * len(shape))
    if method == "linear":
        return linear_response(cold, drive, start=start).rectify(f, impedance=impedance)
    return rectified_voltage(diode, drive.replace(frequency=f), impedance=impedance, **run)


def read_voltage(driven: Response, idle: Response, *, read: Drive) -> NDArray[np.floating]:
    r"""Direct voltage in V of a junction that a current of its own reads while another one drives the layer.

    In a device of three terminals the drive runs in a strip below the layer and the read current, too small to act, through the
    junction. A direct read current measures the mean resistance change, an alternating one of the drive's frequency the part that
    swings in phase: :math:`V = I_{dc} (\bar R - \bar R_0) + \tfrac12 I_{ac} (R_{\sin} \cos\varphi + R_{\cos} \sin\varphi)`.

    Parameters
    ----------
    driven, idle : responses with and without the alternating drive
    read : direct and alternating current through the junction in A, and its phase; its frequency is the drive's
    """
    phase = np.asarray(read.phase, dtype=float)
    swing = driven.lock_in.real * np.cos(phase) + driven.lock_in.imag * np.sin(phase)
    return np.asarray(np.asarray(read.i_dc) * (driven.r_mean - idle.r_mean) + 0.5 * np.asarray(read.i_ac) * swing)
