r"""Demagnetising factors of simple shapes.

The factor along an axis times the saturation magnetisation is that axis' entry of ``MacrospinDevice.demag``, before any
perpendicular anisotropy is taken off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import check_quantity

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


__all__ = ["cylinder_factors", "prism_factors", "spheroid_factors"]


def _length(values: ArrayLike, name: str) -> NDArray[np.floating]:
    return np.asarray(check_quantity(values, name, unit="m", low=0, low_open=True))


def _prism_axis(a: Any, b: Any, c: Any) -> Any:
    """Factor along the edge `c` of a prism with these edges."""
    ab, bc, ca, r = np.hypot(a, b), np.hypot(b, c), np.hypot(c, a), np.sqrt(a**2 + b**2 + c**2)
    logs = (
        (b**2 - c**2) / (2 * b * c) * np.log((r - a) / (r + a))
        + (a**2 - c**2) / (2 * a * c) * np.log((r - b) / (r + b))
        + b / (2 * c) * np.log((ab + a) / (ab - a))
        + a / (2 * c) * np.log((ab + b) / (ab - b))
        + c / (2 * a) * np.log((bc - b) / (bc + b))
        + c / (2 * b) * np.log((ca - a) / (ca + a))
    )
    volume = 3 * a * b * c
    powers = (a**3 + b**3 - 2 * c**3) / volume + (a**2 + b**2 - 2 * c**2) / volume * r + c / (a * b) * (ca + bc)
    return (logs + 2 * np.arctan(a * b / (c * r)) + powers - (ab**3 + bc**3 + ca**3) / volume) / np.pi


def prism_factors(a: ArrayLike, b: ArrayLike, c: ArrayLike) -> NDArray[np.floating]:
    """Exact mean factors of a uniformly magnetised rectangular prism (A. Aharoni, J. Appl. Phys. 83 (1998) 3432).

    Parameters
    ----------
    a, b, c : arrays, edges along x, y and z in m, > 0

    Returns
    -------
    array (..., 3) along x, y and z; their sum is 1

    Examples
    --------
    >>> prism_factors(1e-7, 1e-7, 1e-7).round(6).tolist()
    [0.333333, 0.333333, 0.333333]
    """
    x, y, z = np.broadcast_arrays(_length(a, "a"), _length(b, "b"), _length(c, "c"))
    return np.stack([_prism_axis(y, z, x), _prism_axis(z, x, y), _prism_axis(x, y, z)], axis=-1)


def cylinder_factors(diameter: ArrayLike, thickness: ArrayLike) -> NDArray[np.floating]:
    r"""Exact mean factors of a uniformly magnetised circular cylinder with its axis along z.

    .. math:: N_z = 1 + \frac{4}{3\pi\tau}\left\{1 - \sqrt{1+\tau^2}\left[(1-\tau^2) E(k) + \tau^2 K(k)\right]\right\},
              \qquad \tau = t / d, \quad k = 1 / (1 + \tau^2)

    (R. I. Joseph, J. Appl. Phys. 37 (1966) 4639).

    Parameters
    ----------
    diameter, thickness : arrays in m, > 0

    Returns
    -------
    array (..., 3) along x, y and z
    """
    from scipy.special import ellipe, ellipkm1

    tau = _length(thickness, "thickness") / _length(diameter, "diameter")
    square = 1 / (1 + tau**2)
    bracket = (1 - tau**2) * ellipe(square) + tau**2 * ellipkm1(tau**2 * square)
    along = 1 + 4 / (3 * np.pi * tau) * (1 - np.sqrt(1 + tau**2) * bracket)
    return np.stack([(1 - along) / 2, (1 - along) / 2, along], axis=-1)


def spheroid_factors(diameter: ArrayLike, thickness: ArrayLike) -> NDArray[np.floating]:
    """Factors of an oblate spheroid with its short axis along z, the usual approximation of a disc.

    J. A. Osborn, Phys. Rev. 67 (1945) 351.

    Parameters
    ----------
    diameter, thickness : arrays in m, > 0, with thickness <= diameter

    Returns
    -------
    array (..., 3) along x, y and z
    """
    flatness = _length(diameter, "diameter") / _length(thickness, "thickness")
    check_quantity(flatness, "diameter / thickness", low=1)
    square = np.maximum(flatness**2 - 1, 1e-12)  # rounding makes a sphere of what is flatter by less
    root = np.sqrt(square)
    along = (flatness**2 / square) * (1 - np.arcsin(root / flatness) / root)
    along = np.where(square < 1e-6, 1 / 3 + 4 / 15 * (flatness - 1), along)
    return np.stack([(1 - along) / 2, (1 - along) / 2, along], axis=-1)
