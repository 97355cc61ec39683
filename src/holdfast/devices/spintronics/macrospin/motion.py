r"""The equations of motion on NumPy arrays, and their derivatives about a state.

The functions of :mod:`~holdfast.devices.spintronics.macrospin.equations` are plain arithmetic, so they take complex arrays too.
First derivatives come from an imaginary step, which loses no digits (W. Squire and G. Trapp, SIAM Rev. 40 (1998) 110), and second
ones from central differences of those. Near a state :math:`m_0` with the tangent vectors :math:`e_1, e_2` the coordinates are
those of the central projection, :math:`m = (m_0 + x_1 e_1 + x_2 e_2) / |\cdot|`, two for each sublattice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.devices.spintronics.macrospin import equations as eq
from holdfast.devices.spintronics.macrospin.stack import coefficients, terms_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from holdfast.devices.spintronics.macrospin.drive import Drive
    from holdfast.devices.spintronics.macrospin.stack import SpinDiode

__all__ = ["Jet", "Motion", "tangents"]

Array = np.ndarray
TORQUE: Any = eq.torque  # their arguments are unpacked below
CIRCUIT: Any = eq.current_and_resistance
IMAGINARY = 1e-20  # step of the first derivatives
REAL = 1e-4  # step of the second ones: their error is of order REAL^2 and rounding over REAL


@dataclass(frozen=True, kw_only=True)
class Jet:
    r"""Derivatives about a state of the :math:`n` velocities :math:`\dot x` and of the voltage, in this order.

    The variables are the :math:`n` coordinates and the drive's sine, in this order; :math:`n` is 2, or 4 with two sublattices.

    Parameters
    ----------
    value : (B..., n + 1)
    first : (B..., n + 1, n + 1), row by row the gradient of each quantity
    second : (B..., n + 1, n + 1, n + 1), its Hessian; None if it was not requested
    """

    value: Array
    first: Array
    second: Array | None = None

    @property
    def jacobian(self) -> Array:
        """The velocities' derivatives with respect to the coordinates in 1/s, (B..., n, n)."""
        return self.first[..., :-1, :-1]


class Motion:
    """A diode under a drive: velocities, current and resistance as functions of NumPy arrays, real or complex.

    Magnetisations have the shape (..., B..., S, 3) with S = 2 sublattices for an antiferromagnet and 1 otherwise.
    """

    def __init__(self, diode: SpinDiode, drive: Drive) -> None:
        self.terms = terms_of(diode, drive)
        self.sublattices = 2 if self.terms.coupled else 1
        rows = coefficients(diode, drive, convert=lambda values: np.asarray(values, dtype=float))
        self.shape = np.broadcast_shapes(*(np.shape(values) for values in rows.values()))
        self.rows = eq.Rows(rows)

    def velocity(self, m: NDArray[Any], wave: Any = 0.0, field: Any = (0.0, 0.0, 0.0)) -> NDArray[Any]:
        """dm/dt in 1/s while the drive's sine is `wave`, with a further scaled `field` on all sublattices; of the shape of `m`."""
        parts = [tuple(np.moveaxis(m[..., place, :], -1, 0)) for place in range(self.sublattices)]
        others = parts[::-1] if self.terms.coupled else [(0.0, 0.0, 0.0)]
        slopes = [
            np.stack(np.broadcast_arrays(*TORQUE(one, other, wave, field, self.rows, 0, self.terms, np.exp, np.log)), axis=-1)
            for one, other in zip(parts, others, strict=True)
        ]
        return np.stack(slopes, axis=-2)

    def current_and_resistance(self, m: NDArray[Any], wave: Any = 0.0) -> tuple[Any, Any]:
        """Current in A and resistance in ohm, (..., B...)."""
        order = 0.5 * (m[..., 0, :] - m[..., 1, :]) if self.terms.coupled else m[..., 0, :]
        found = CIRCUIT(*np.moveaxis(order, -1, 0), wave, self.rows, 0, self.terms, np.exp, np.log)
        return tuple(np.broadcast_arrays(*found))  # type: ignore[return-value]

    def jet(self, m: NDArray[np.floating], *, second: bool = False) -> Jet:
        """Derivatives about the magnetisation `m` (B..., S, 3), whose batch is that of the motion or wider."""
        size = 2 * self.sublattices + 1
        steps = np.eye(size) * IMAGINARY * 1j
        spread = (slice(None), *([None] * (m.ndim - 2)), slice(None))
        gradients = self._local(m, steps[spread])
        hessians = None
        if second:
            aside = REAL * np.stack([np.eye(size), -np.eye(size)])[:, :, None] + steps
            pair = self._local(m, aside[(slice(None), slice(None), *spread)]).imag / IMAGINARY
            hessians = np.moveaxis((pair[0] - pair[1]) / (2 * REAL), (0, 1), (-1, -2))
        return Jet(value=gradients[0].real, first=np.moveaxis(gradients.imag, 0, -1) / IMAGINARY, second=hessians)

    def _local(self, centre: NDArray[np.floating], z: NDArray[Any]) -> NDArray[Any]:
        """Velocities in the coordinates about `centre`, and the voltage, (..., B..., n + 1), at the coordinates and sine `z`."""
        basis = tangents(centre)
        x = z[..., :-1].reshape(*z.shape[:-1], self.sublattices, 2)
        m = centre + (x[..., None] * basis).sum(-2)
        m = m / np.sqrt((m * m).sum(-1, keepdims=True))
        wave = z[..., -1]
        speed = self.velocity(m, wave)
        ahead, aside = (m * centre).sum(-1), (m[..., None, :] * basis).sum(-1)
        rate = (speed[..., None, :] * basis).sum(-1) - aside * ((speed * centre).sum(-1) / ahead)[..., None]
        moving = (rate / ahead[..., None]).reshape(*rate.shape[:-2], 2 * self.sublattices)
        current, resistance = self.current_and_resistance(m, wave)
        return np.concatenate([moving, np.broadcast_to(current * resistance, moving.shape[:-1])[..., None]], axis=-1)


def tangents(m: NDArray[np.floating]) -> NDArray[np.floating]:
    """Two unit vectors (..., 2, 3) orthogonal to each other and to the unit vector `m` (..., 3)."""
    helper = np.eye(3)[np.abs(m).argmin(axis=-1)]
    first = np.cross(helper, m)
    first = first / np.linalg.norm(first, axis=-1, keepdims=True)
    return np.stack([first, np.cross(m, first)], axis=-2)
