r"""Where a magnetisation comes to rest under a direct current, whether it would stay there, and up to which current.

A relaxation and Newton's method are one iteration here (pseudo-transient continuation, C. T. Kelley and D. E. Keyes, SIAM J. Numer.
Anal. 35 (1998) 508): implicit Euler steps :math:`(1/\tau - J)\, \Delta x = F` of the equation of motion follow the motion downhill
while they are short, and become Newton's as they grow. The equation's zeros do not depend on the damping, which
is therefore raised for the relaxation: a state that the current has made unstable can be found as well. All devices of a batch go
together, which no solver of SciPy offers: 1000 of them take 0.1 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import check_one_of, check_whole, refuse
from holdfast.devices.spintronics.constants import GAMMA0, spin_transfer_field
from holdfast.devices.spintronics.macrospin.drive import Drive
from holdfast.devices.spintronics.macrospin.layer import unit_vector
from holdfast.devices.spintronics.macrospin.motion import Motion, tangents
from holdfast.devices.spintronics.macrospin.simulation import natural_start
from holdfast.devices.spintronics.macrospin.stack import fastest_field

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from holdfast.devices.spintronics.macrospin.stack import SpinDiode

__all__ = ["Equilibrium", "equilibrium", "threshold_current"]

Array = np.ndarray
DAMPING = 1.0  # of the relaxation
TOLERANCE = 1e-11  # of the speed, in units of the precession about the largest field
AIM, FARTHEST = 0.1, 0.3  # rad, of a step
STEPS = 100
GROWTH = 1.3  # of the current from one trial to the next
HALVINGS = 24


@dataclass(frozen=True, kw_only=True)
class Equilibrium:
    """A state without motion. Arrays have the shape of the batch (B...).

    Parameters
    ----------
    m : magnetisation, (B..., 3), or (B..., 2, 3) of both sublattices
    rates : eigenvalues in 1/s of small deviations, (B..., n): the real part is a growth rate, the imaginary part a frequency
    current : in A
    resistance : in ohm
    converged : whether the iteration found a zero of the torque; where it did not, nothing else here holds
    """

    m: Array
    rates: Array
    current: Array
    resistance: Array
    converged: Array

    @property
    def stable(self) -> Array:
        """Whether every small deviation dies out."""
        return self.converged & (self.growth < 0)

    @property
    def growth(self) -> Array:
        """Rate in 1/s of the deviation that grows fastest, or dies most slowly (< 0)."""
        return np.asarray(self.rates.real.max(axis=-1))


def equilibrium(diode: SpinDiode, drive: Drive | None = None, *, start: ArrayLike | None = None) -> Equilibrium:
    """The state in which a diode comes to rest under the constant part of its drive.

    Parameters
    ----------
    diode : one device or an ensemble, at 0 K
    drive : its direct current, or voltage of a series diode; what alternates is left out. Default: none
    start : first magnetisation (..., 3) or (..., 2, 3), which decides between several states; default: as in
        :func:`~holdfast.devices.spintronics.simulate`

    Returns
    -------
    Equilibrium, with ``converged`` False where no zero of the torque lies near the path (a moment that rotates for ever)

    Raises
    ------
    InputError : a temperature above 0 K, at which there is no state without motion

    Examples
    --------
    >>> from holdfast.devices.spintronics import MacrospinDevice, SpinDiode
    >>> layer = MacrospinDevice(ms=1e6, thickness=2e-9, area=7.85e-15, alpha=0.01, field=(4e4, 0, 0), demag=(0, 0, 6e5))
    >>> rest = equilibrium(SpinDiode(layer=layer))
    >>> bool(abs(rest.m[0] - 1) < 1e-9), bool(rest.stable)
    (True, True)
    """
    if np.any(np.asarray(diode.layer.temperature) > 0):
        refuse("temperature", "is above 0 K", allowed="0 K", remedy="Take diode.replace(temperature=0.0); noise moves every state.")
    constant = _constant(drive)
    motion = Motion(diode, constant)
    first = _both_sublattices(natural_start(diode) if start is None else np.asarray(start, dtype=float), motion)
    shape = np.broadcast_shapes(motion.shape, first.shape[:-2])
    layer = diode.layer
    damped = diode.replace(alpha=np.maximum(layer.alpha, DAMPING))
    m, converged = _relax(
        Motion(damped, constant), np.broadcast_to(first, (*shape, *first.shape[-2:])), GAMMA0 * fastest_field(damped, constant)
    )
    current, resistance = motion.current_and_resistance(m)
    return Equilibrium(
        m=m if motion.sublattices == 2 else m[..., 0, :],
        rates=np.linalg.eigvals(motion.jet(m).jacobian).astype(complex),
        current=np.broadcast_to(current, shape),
        resistance=np.broadcast_to(resistance, shape),
        converged=converged,
    )


def _constant(drive: Drive | None) -> Drive:
    """What of a drive does not alternate."""
    return Drive(i_dc=drive.i_dc, v_dc=drive.v_dc) if drive is not None else Drive()


def _both_sublattices(start: NDArray[np.floating], motion: Motion) -> NDArray[np.floating]:
    """`start` as (..., S, 3) of unit vectors."""
    unit: Any = unit_vector(start, "start")
    if motion.sublattices == 1:
        return np.asarray(unit[..., None, :])
    return np.asarray(unit if unit.ndim >= 2 and unit.shape[-2] == 2 else np.stack([unit, -unit], axis=-2))


def _relax(motion: Motion, m: NDArray[np.floating], fastest: float) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """The magnetisation where the motion ends, and where it has ended."""
    converged = np.zeros(m.shape[:-2], dtype=bool)
    lasting = np.full(m.shape[:-2], np.inf)
    for _ in range(STEPS):
        jet = motion.jet(m)
        velocity, jacobian = jet.value[..., :-1], jet.jacobian
        speed = np.linalg.norm(velocity, axis=-1)
        converged = speed <= TOLERANCE * fastest
        if converged.all():
            break
        growth = np.linalg.eigvals(jacobian).real.max(axis=-1)
        lasting = np.minimum(lasting, AIM / np.maximum(speed, 1e-12 * fastest))
        lasting = np.minimum(lasting, 0.5 / np.maximum(growth, 1e-12 * fastest))  # longer steps would climb to a saddle
        matrix = np.eye(velocity.shape[-1]) / lasting[..., None, None] - jacobian
        x = np.linalg.solve(matrix, velocity[..., None])[..., 0]
        length = np.linalg.norm(x, axis=-1)
        x = x * np.minimum(1.0, FARTHEST / np.maximum(length, 1e-300))[..., None]
        lasting = lasting * np.clip(AIM / np.maximum(length, 1e-300), 0.5, 4.0)
        moved = m + (x.reshape(*x.shape[:-1], -1, 2)[..., None] * tangents(m)).sum(-2)
        m = moved / np.linalg.norm(moved, axis=-1, keepdims=True)
    return m, converged


def threshold_current(
    diode: SpinDiode, *, direction: int = 1, start: ArrayLike | None = None, limit: float | None = None
) -> NDArray[np.floating]:
    r"""The smallest direct current under which the magnetisation does not stay at rest, :math:`\max \mathrm{Re}\, \lambda(J) = 0`.

    The state is followed from 0 A. It ends where a small deviation begins to grow (auto-oscillation), or where the state itself
    ceases to exist (switching, or the rotation of an antiferromagnet).

    Parameters
    ----------
    diode : one device or an ensemble, at 0 K
    direction : 1 for positive currents, -1 for negative ones
    start : as in :func:`equilibrium`
    limit : largest current in A that is tried; default: one whose torque is ten times the largest field

    Returns
    -------
    array (B...) in A, positive whatever the direction; infinity where the state holds up to the limit

    Raises
    ------
    InputError : a device that does not rest without current, or none that is driven by a current
    """
    check_one_of(str(check_whole(direction, "direction", low=-1)), "direction", allowed=("1", "-1"))
    if not diode.torques or diode.series is not None:
        refuse("diode", "is not driven by the torque of a current", allowed="a torque, and no series diode")
    rest = equilibrium(diode, start=start)
    if not rest.stable.all():
        refuse("start", f"leads to no stable state in {int((~rest.stable).sum())} devices", allowed="stable states at 0 A")
    layer = diode.layer
    per_ampere = np.max(spin_transfer_field(layer.ms, np.asarray(layer.volume)))
    strength = max(float(np.max(np.abs(np.asarray(source.efficiency)))) for source in diode.torques)
    widest = fastest_field(diode, Drive()) / (strength * per_ampere)
    limit = 10 * widest if limit is None else limit
    low, state = np.zeros(rest.converged.shape), rest.m
    high = np.full(low.shape, np.inf)
    trial = min(1e-3 * float(np.min(np.asarray(layer.alpha))) * widest, limit)
    while np.isinf(high).any() and low.min(where=np.isinf(high), initial=np.inf) < limit:
        good, m = _holds(diode, np.full(low.shape, direction * trial), state)
        open_ones = np.isinf(high)
        state = np.where(_like(open_ones & good, m), m, state)
        low = np.where(open_ones & good, trial, low)
        high = np.where(open_ones & ~good, trial, high)
        trial = min(GROWTH * trial, limit)
    found = np.isfinite(high)
    for _ in range(HALVINGS if found.any() else 0):
        middle = np.where(found, 0.5 * (low + np.where(found, high, 0)), 0.0)
        good, m = _holds(diode, direction * middle, state)
        state = np.where(_like(good & found, m), m, state)
        low, high = np.where(good & found, middle, low), np.where(good, high, np.where(found, middle, high))
    return np.where(found, 0.5 * (low + high), np.inf)


def _like(mask: NDArray[np.bool_], m: NDArray[np.floating]) -> NDArray[np.bool_]:
    """`mask` with the trailing axes of `m`."""
    return mask.reshape(mask.shape + (1,) * (m.ndim - mask.ndim))


def _holds(
    diode: SpinDiode, current: NDArray[np.floating], state: NDArray[np.floating]
) -> tuple[NDArray[np.bool_], NDArray[np.floating]]:
    """Whether the state goes on at this current and is stable, and what it has become."""
    there = equilibrium(diode, Drive(i_dc=current), start=state)
    near = ((there.m * state).sum(-1) > 0.5).reshape(*current.shape, -1).all(axis=-1)
    return there.stable & near, there.m
