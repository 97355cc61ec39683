r"""Power of an auto-oscillator near its threshold, and how noise rounds the corner.

With the drive `zeta` in units of its threshold the power `p` obeys

.. math:: \frac{dp}{dt} = -2\,\Gamma\,[(1 + Q p) - \zeta (1 - p)]\, p + \text{noise},
          \qquad p_0 = \frac{\max(\zeta - 1, 0)}{\zeta + Q}

(A. Slavin and V. Tiberkevich, IEEE Trans. Magn. 45 (2009) 1875). With thermal noise that is proportional to the positive damping
``Gamma (1 + Q p)``, the Fokker-Planck equation of the complex amplitude has the stationary density :math:`e^{-U(p)}` with

.. math:: U(p) = \frac1n \int_0^p \bigl[1 - \zeta \frac{1 - x}{1 + Q x}\bigr] dx
               = \frac1n \bigl[p - \zeta p - \zeta \frac{1 + Q}{Q^2} (\ln(1 + Q p) - Q p)\bigr]

where `n` is thermal energy over the energy of the oscillation at unit power (V. Tiberkevich, A. Slavin and J.-V. Kim, Appl. Phys.
Lett. 91 (2007) 192506, treat the same equation; the integral here was derived anew). The mean is
:math:`\int x e^{-U} dx / \int e^{-U} dx` over ``0 <= x <= 1``: a moment that has turned over (1) cannot turn further.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.polynomial.legendre import leggauss

from holdfast.core.checks import refuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["mean_power", "stationary_power"]

NODES, WEIGHTS = leggauss(200)
DEPTH = 45.0  # the density is followed down to exp(-45) of its height


def stationary_power(zeta: ArrayLike, q: ArrayLike = 0.0) -> NDArray[np.float64]:
    r"""Power without noise, :math:`(\zeta - 1)/(\zeta + Q)` above the threshold and 0 below.

    Parameters
    ----------
    zeta : array (...), drive over its threshold
    q : array (...), nonlinear damping :math:`Q \ge 0`

    Examples
    --------
    >>> stationary_power([0.5, 1.0, 3.0], 1.0).tolist()
    [0.0, 0.0, 0.5]
    """
    drive, damping = _checked(zeta, q)
    above = np.maximum(drive - 1, 0)
    return np.asarray(above / (above + 1 + damping))


def mean_power(zeta: ArrayLike, q: ArrayLike = 0.0, *, noise: ArrayLike) -> NDArray[np.float64]:
    r"""Mean power in the presence of noise; the corner at the threshold is rounded over :math:`\sqrt{n}`.

    Parameters
    ----------
    zeta : array (...), drive over its threshold
    q : array (...), nonlinear damping :math:`Q \ge 0`
    noise : array (...), thermal energy over the energy at unit power, `n`, >= 0; 0 gives :func:`stationary_power`

    Examples
    --------
    >>> round(float(mean_power(0.0, 0.0, noise=0.01)), 6)  # no drive: equipartition
    0.01
    """
    drive, damping = _checked(zeta, q)
    drive, damping, level = np.broadcast_arrays(drive, damping, np.asarray(noise, dtype=float))
    if not (level >= 0).all():
        refuse("noise", f"goes down to {np.min(level):g}", allowed="numbers >= 0")
    silent = level == 0
    warm = np.where(silent, 1.0, level)
    centre = stationary_power(drive, damping)
    low, high = _support(drive, damping, warm, centre)
    first, total = np.zeros(drive.shape), np.zeros(drive.shape)
    least = _potential(centre, drive, damping) / warm
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        x = low + (high - low) * (node + 1) / 2
        density = weight * np.exp(least - _potential(x, drive, damping) / warm)
        first, total = first + x * density, total + density
    return np.where(silent, centre, first / total)


def _checked(zeta: ArrayLike, q: ArrayLike) -> tuple[Any, Any]:
    drive, damping = np.asarray(zeta, dtype=float), np.asarray(q, dtype=float)
    if not (damping >= 0).all():
        refuse("q", f"goes down to {np.min(damping):g}", allowed="nonlinear damping >= 0")
    if not np.isfinite(drive).all():
        refuse("zeta", "is not finite", allowed="finite drives")
    return drive, damping


def _potential(p: Any, zeta: Any, q: Any) -> Any:
    """``n U(p)``, from a function that has no pole at q = 0."""
    return p - zeta * (p + (1 + q) * p**2 * _remainder(q * p))


def _remainder(z: Any) -> Any:
    """``(ln(1 + z) - z) / z^2``, by its series where the difference would lose digits."""
    small = np.abs(z) < 1e-2
    safe = np.where(small, 1.0, z)
    series = -1 / 2 + z * (1 / 3 - z * (1 / 4 - z * (1 / 5 - z * (1 / 6 - z * (1 / 7 - z / 8)))))
    return np.where(small, series, (np.log1p(safe) - safe) / safe**2)


def _support(zeta: Any, q: Any, noise: Any, centre: Any) -> tuple[Any, Any]:
    """Where the density is above ``exp(-DEPTH)`` of its height, a little generously."""
    curvature = np.maximum(zeta, 1e-3) * (1 + q) / (1 + q * centre) ** 2
    width = np.sqrt(noise / curvature)
    least = _potential(centre, zeta, q)
    reach = np.minimum(width, noise)
    for _ in range(60):
        short = _potential(centre + reach, zeta, q) - least < DEPTH * noise
        if not short.any():
            break
        reach = np.where(short, 1.5 * reach, reach)
    return np.maximum(centre - 10 * width, 0.0), np.minimum(centre + reach, 1.0)
