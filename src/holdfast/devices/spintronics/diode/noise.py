r"""Noise of a diode: Johnson's, the thermal motion of the magnetisation under a direct current, and the power that drowns in it.

Magnetic noise is :math:`S_V = I_{dc}^2 S_R`, from a simulated thermal run by Welch's method or, for small motion, in closed form
from the linearised equations: the thermal field is white, so :math:`S_V(f) = 4 \alpha k_B T / (\mu_0 M_s \gamma_0 V)\; |V_x
(i\omega - J)^{-1} B|^2`, where `B` is what a field does to the motion. Spectra are one-sided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import check_quantity, check_whole, refuse
from holdfast.devices.spintronics.constants import BOLTZMANN, GAMMA0, thermal_field
from holdfast.devices.spintronics.diode.linear import linear_response
from holdfast.devices.spintronics.macrospin.motion import Motion, tangents
from holdfast.devices.spintronics.macrospin.simulation import simulate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from holdfast.devices.spintronics.macrospin.drive import Drive
    from holdfast.devices.spintronics.macrospin.stack import SpinDiode

__all__ = ["NoiseSpectrum", "johnson_noise", "magnetic_noise", "noise_equivalent_power", "noise_spectrum"]

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class NoiseSpectrum:
    """A spectrum of the voltage's noise.

    Parameters
    ----------
    frequency : in Hz, (F,)
    density : one-sided, in V^2/Hz, (F, B...)
    variance : of the voltage in V^2, (B...)
    """

    frequency: Array
    density: Array
    variance: Array


def johnson_noise(resistance: ArrayLike, temperature: ArrayLike) -> NDArray[np.floating]:
    r"""Voltage noise in V per root hertz, :math:`\sqrt{4 k_B T R}` (H. Nyquist, Phys. Rev. 32 (1928) 110).

    Examples
    --------
    >>> f"{johnson_noise(1e3, 300.0):.3g}"
    '4.07e-09'
    """
    ohms = check_quantity(resistance, "resistance", unit="ohm", low=0)
    return np.asarray(np.sqrt(4 * BOLTZMANN * ohms * check_quantity(temperature, "temperature", unit="K", low=0)))


def noise_equivalent_power(
    sensitivity: ArrayLike, resistance: ArrayLike, *, temperature: ArrayLike = 300.0, magnetic: ArrayLike = 0.0
) -> NDArray[np.floating]:
    r"""Power in W per root hertz whose voltage equals the noise, :math:`\sqrt{4 k_B T R + S_V} / |\varepsilon|`.

    Parameters
    ----------
    sensitivity : array in V/W; 0 gives infinity
    resistance : array in ohm
    temperature : array in K
    magnetic : array in V^2/Hz, magnetic noise at the frequency of the read-out

    Examples
    --------
    >>> f"{noise_equivalent_power(1000.0, 1e3):.3g}"
    '4.07e-12'
    """
    volts = np.sqrt(johnson_noise(resistance, temperature) ** 2 + check_quantity(magnetic, "magnetic", unit="V^2/Hz", low=0))
    with np.errstate(divide="ignore"):
        return np.asarray(volts / np.abs(check_quantity(sensitivity, "sensitivity", unit="V/W")))


def magnetic_noise(diode: SpinDiode, drive: Drive, frequency: ArrayLike, *, start: ArrayLike | None = None) -> NDArray[np.floating]:
    """Magnetic noise of the voltage in V^2/Hz for small motion about the stable state under a direct current.

    Parameters
    ----------
    diode : one device or an ensemble (B...), at its temperature
    drive : its direct current
    frequency : array in Hz that broadcasts with (B...)
    start : as in :func:`~holdfast.devices.spintronics.linear_response`

    Returns
    -------
    array in V^2/Hz

    Raises
    ------
    InputError : a current beyond the threshold
    """
    cold = diode.replace(temperature=0.0)
    small = linear_response(cold, drive, start=start)
    omega = 2 * np.pi * np.asarray(check_quantity(frequency, "frequency", unit="Hz", low=0))
    jacobian, gradient = small.jet.jacobian, small.jet.first[..., -1, :-1]
    matrix = 1j * omega[..., None, None] * np.eye(jacobian.shape[-1]) - np.swapaxes(jacobian, -1, -2)
    reply = np.linalg.solve(matrix, np.broadcast_to(gradient, matrix.shape[:-1])[..., None])[..., 0]
    kicks = _kicks(cold, drive, small.state.m)
    layer = diode.layer
    density = 2 * thermal_field(layer.alpha, layer.temperature, ms=layer.ms, volume=layer.volume, dt=1.0) ** 2
    return np.asarray(density * (np.abs((reply[..., None, :] * kicks).sum(-1)) ** 2).sum(-1))


def _kicks(diode: SpinDiode, drive: Drive, state: NDArray[np.floating]) -> NDArray[np.floating]:
    """Velocity of each coordinate per A/m of field on each sublattice, (B..., 3 S, 2 S)."""
    motion = Motion(diode, drive)
    m = state if motion.sublattices == 2 else state[..., None, :]
    scale = np.asarray(GAMMA0 / (1 + np.asarray(diode.layer.alpha, dtype=float) ** 2))
    found = []
    for place in range(motion.sublattices):
        for axis in range(3):
            field: list[Any] = [0.0, 0.0, 0.0]
            field[axis] = 1e-20j
            speed = motion.velocity(m, field=tuple(field)).imag / 1e-20
            local = (speed[..., None, :] * tangents(m)).sum(-1)
            local = local * np.eye(motion.sublattices)[place][:, None]  # a field on one sublattice moves that one
            found.append(scale[..., None] * local.reshape(*local.shape[:-2], -1))
    return np.stack(np.broadcast_arrays(*found), axis=-2)


def noise_spectrum(
    diode: SpinDiode, drive: Drive, *, duration: float, settle: float, segments: int = 8, every: int = 20, **run: Any
) -> NoiseSpectrum:
    """Spectrum of the voltage of a simulated run, by :func:`scipy.signal.welch`.

    Parameters
    ----------
    diode : one device or an ensemble (B...), above 0 K
    drive : its direct current
    duration, settle : of the run, and before it, in s
    segments : into which the run is cut, each overlapping the next by half; more of them give a smoother, coarser spectrum
    every : steps between two samples; motion above half the sampling rate is folded back
    run : further settings of :func:`~holdfast.devices.spintronics.simulate`
    """
    from scipy.signal import welch

    check_whole(segments, "segments", low=1)
    if not (np.asarray(diode.layer.temperature) > 0).any():
        refuse("temperature", "is 0 K", allowed="above 0 K", remedy="A device at rest makes no magnetic noise.")
    found = simulate(diode, drive, duration=duration, settle=settle, every=every, trace=True, **run)
    assert found.trace is not None, "a trace was requested"
    assert found.times is not None, "a trace has times"
    motion = Motion(diode, drive)
    m = found.trace if motion.sublattices == 2 else found.trace[..., None, :]
    times = found.times.reshape(-1, *([1] * found.v_dc.ndim))
    wave = np.sin(2 * np.pi * np.asarray(drive.frequency) * times + np.asarray(drive.phase))
    current, resistance = motion.current_and_resistance(m, wave)
    voltage = current * resistance
    rate = 1 / (found.times[1] - found.times[0])
    frequency, density = welch(voltage, fs=rate, nperseg=2 * len(voltage) // (segments + 1), axis=0)
    return NoiseSpectrum(frequency=frequency, density=density, variance=voltage.var(axis=0))
