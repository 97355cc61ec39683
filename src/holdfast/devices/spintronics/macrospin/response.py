"""What a run of macrospins gives: averages over the window for each device of the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.devices.spintronics.macrospin import kernels as k

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from holdfast.devices.spintronics.macrospin.drive import Drive

__all__ = ["Response", "from_sums"]

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Response:
    """Averages over the window. Arrays have the shape of the batch (B...).

    Parameters
    ----------
    v_dc : mean voltage in V, with the part that remains without drive
    r_mean : mean resistance in ohm
    i_mean : mean current in A
    lock_in : complex amplitude in ohm of the resistance at the drive's frequency; the real part is in phase with its sine
    m_mean, m_square : mean and mean square of the components of the magnetisation (of the Neel vector), (B..., 3)
    frequency : in Hz, of the watched component, from its first and last upward passage through 0; 0 with fewer than two
    cycles : number of such passages less one
    amplitude : root mean square of the watched component about its mean
    coherence : share of that which follows the drive's frequency, in [0, 1]
    pumping : mean of n x dn/dt + m x dm/dt in rad/s, (B..., 3); 0 for a single sublattice
    norm_error : largest deviation of the squared length from 1 that was left at a sample
    end : last magnetisation, (B..., 3), or (B..., 2, 3) of both sublattices; a run can go on from there
    times : of the samples in s, or None
    trace : magnetisation (of both sublattices) at the samples, (samples, B..., 3) or (samples, B..., 2, 3), or None
    """

    v_dc: Array
    r_mean: Array
    i_mean: Array
    lock_in: Array
    m_mean: Array
    m_square: Array
    frequency: Array
    cycles: Array
    amplitude: Array
    coherence: Array
    pumping: Array
    norm_error: Array
    end: Array
    times: Array | None = None
    trace: Array | None = None


def from_sums(  # noqa: PLR0913
    sums: NDArray[np.floating],
    ends: NDArray[np.floating],
    *,
    shape: tuple[int, ...],
    dt: float,
    every: int,
    first: int,
    coupled: bool,
    trace: NDArray[np.floating] | None,
    drive: Drive,
) -> Response:
    """The averages of the sums (SUMS, n) that the kernels made.

    The mean voltage is the covariance of current and resistance plus the product of their means, with the true mean of the
    current: what the window leaves of the drive itself, a million times the voltage sought, drops out.
    """

    def mean(number: int) -> Any:
        return (sums[number] / sums[k.WEIGHT]).reshape(shape)

    resistance, current, sine, cosine = mean(k.RESISTANCE), mean(k.CURRENT), mean(k.WAVE_SIN), mean(k.WAVE_COS)
    covariance = mean(k.VOLTAGE) - current * resistance
    linear = not (np.any(np.asarray(drive.v_dc)) or np.any(np.asarray(drive.v_ac)))
    moving = np.broadcast_to(np.asarray(drive.frequency) > 0, shape)
    still = np.where(moving, 0.0, np.asarray(drive.i_ac) * np.sin(drive.phase))  # of a drive at frequency 0
    true_current = np.asarray(drive.i_dc) + still if linear else current
    in_phase = 2 * (mean(k.RESISTANCE_SIN) - resistance * sine)
    quadrature = 2 * (mean(k.RESISTANCE_COS) - resistance * cosine)
    watched = mean(k.WATCHED)
    variance = np.maximum(mean(k.WATCHED_SQUARE) - watched**2, 0.0)
    followed = 2 * ((mean(k.WATCHED_SIN) - watched * sine) ** 2 + (mean(k.WATCHED_COS) - watched * cosine) ** 2)
    cycles = np.maximum(sums[k.CROSSINGS] - 1, 0).reshape(shape)
    passed = ((sums[k.LAST] - sums[k.FIRST]) * every * dt).reshape(shape)
    return Response(
        v_dc=covariance + true_current * resistance,
        r_mean=resistance,
        i_mean=current,
        lock_in=np.where(moving, in_phase + 1j * quadrature, 0),
        m_mean=np.stack([mean(number) for number in (k.SUM_X, k.SUM_Y, k.SUM_Z)], axis=-1),
        m_square=np.stack([mean(number) for number in (k.SQUARE_X, k.SQUARE_Y, k.SQUARE_Z)], axis=-1),
        frequency=np.divide(cycles, passed, out=np.zeros(shape), where=cycles > 0),
        cycles=cycles,
        amplitude=np.sqrt(variance),
        coherence=np.where(moving, np.minimum(np.divide(followed, variance, out=np.zeros(shape), where=variance > 0), 1.0), 0.0),
        pumping=np.stack([mean(number) / dt for number in (k.PUMP_X, k.PUMP_Y, k.PUMP_Z)], axis=-1),
        norm_error=sums[k.NORM_ERROR].reshape(shape),
        end=_vectors(ends[:6], shape, coupled=coupled),
        times=None if trace is None else (first + every * np.arange(len(trace))) * dt,
        trace=None if trace is None else _vectors(trace, shape, coupled=coupled),
    )


def _vectors(components: NDArray[np.floating], shape: tuple[int, ...], *, coupled: bool) -> NDArray[np.floating]:
    """Components (..., 6, n) of both sublattices as vectors (..., B..., 3), or (..., B..., 2, 3) where there are two."""
    lead = components.shape[:-2]
    if coupled:
        return np.moveaxis(components.reshape(*lead, 2, 3, *shape), (len(lead), len(lead) + 1), (-2, -1))
    return np.moveaxis(components[..., :3, :].reshape(*lead, 3, *shape), len(lead), -1)
