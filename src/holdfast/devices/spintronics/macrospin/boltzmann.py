r"""Equilibrium averages of one magnetic moment on the sphere, exact for all parameters, as one-dimensional integrals.

A moment with energy `E(m)` in contact with a bath is found at `m` with probability proportional to `exp(-E(m) / k_B T)` (W. F.
Brown, Phys. Rev. 130 (1963) 1677). With an axis of symmetry one angle integrates to a constant or to a Bessel function, and what
is left is summed by quadrature: error-function forms exist, but lose digits by cancellation for small anisotropies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.special import i0e, i1e

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["axial_moments", "transverse_mean"]

Array = np.ndarray
REACH = 3.4  # of the double exponential rule: the first neglected weight is 1e-19


def axial_moments(barrier: ArrayLike, field: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Mean and mean square of the component along the axis of symmetry.

    .. math:: P(m_z) \propto \exp(\Delta m_z^2 + \xi m_z), \qquad -1 \le m_z \le 1

    Parameters
    ----------
    barrier : array (...), anisotropy energy over thermal energy, :math:`\Delta`; negative for an easy plane
    field : array (...), Zeeman energy over thermal energy, :math:`\xi`; broadcasts with `barrier`

    Returns
    -------
    two arrays (...): :math:`\langle m_z \rangle` and :math:`\langle m_z^2 \rangle`

    Examples
    --------
    >>> from math import tanh
    >>> mean, _ = axial_moments(0.0, 2.0)
    >>> round(float(mean), 10) == round(1 / tanh(2.0) - 1 / 2.0, 10)  # Langevin
    True
    """
    delta, xi = np.broadcast_arrays(np.asarray(barrier, dtype=float), np.asarray(field, dtype=float))
    strength = np.abs(xi)
    inward = np.maximum(-2 * delta, 1e-300)  # curvature of an easy plane
    peak = np.where(delta < 0, np.clip(strength / inward, 0, 1), 1.0)
    height = delta * peak**2 + strength * peak
    first, second, total = (np.zeros(delta.shape) for _ in range(3))
    for x, weight in zip(*_unit_rule(float(inward.max(initial=0))), strict=True):
        half = weight * np.exp(delta * x**2 + strength * x - height)
        back = np.exp(-2 * strength * x)  # the same place on the other half of the sphere
        first += -np.expm1(-2 * strength * x) * x * half
        second += (1 + back) * x**2 * half
        total += (1 + back) * half
    return np.sign(xi) * first / total, second / total


def _unit_rule(curvature: float) -> tuple[Array, Array]:
    """Nodes and weights of the double exponential rule on [0, 1], dense enough for a peak inside of width ``curvature**-0.5``."""
    step = min(0.05, 0.6 / max(curvature, 1.0) ** 0.5)
    t = np.linspace(-REACH, REACH, 2 * int(np.ceil(REACH / step)) + 1)
    bend = np.pi / 2 * np.sinh(t)
    return (1 + np.tanh(bend)) / 2, np.cosh(t) / np.cosh(bend) ** 2


def transverse_mean(barrier: ArrayLike, axial: ArrayLike, transverse: ArrayLike) -> NDArray[np.float64]:
    r"""Mean component along a field that is perpendicular to the easy axis.

    .. math:: P(\theta) \propto \sin\theta\, e^{\Delta \cos^2\theta + \xi_a \cos\theta} I_0(\xi_t \sin\theta), \qquad
              \langle m_t \rangle = \bigl\langle \sin\theta\, \frac{I_1(\xi_t \sin\theta)}{I_0(\xi_t \sin\theta)} \bigr\rangle

    Parameters
    ----------
    barrier : array (...), anisotropy energy over thermal energy, :math:`\Delta`
    axial, transverse : arrays (...), Zeeman energies of the field along the easy axis and perpendicular to it over thermal
        energy, :math:`\xi_a` and :math:`\xi_t`

    Returns
    -------
    array (...)

    Examples
    --------
    >>> from math import tanh
    >>> round(float(transverse_mean(0.0, 0.0, 2.0)), 10) == round(1 / tanh(2.0) - 1 / 2.0, 10)
    True
    """
    delta, along, across = np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in (barrier, axial, transverse)))
    strength = np.abs(across)
    sharpness = float(np.max(2 * np.abs(delta) + np.abs(along) + strength, initial=1.0))
    nodes, weights = leggauss(64 + 8 * int(sharpness**0.5))  # 8 nodes or more within each standard deviation
    angles = np.pi / 2 * (nodes + 1)
    height = _highest(delta, along, strength, angles)
    mean, total = np.zeros(delta.shape), np.zeros(delta.shape)
    for angle, weight in zip(angles, weights, strict=True):
        sine, cosine = np.sin(angle), np.cos(angle)
        density = weight * sine * np.exp(delta * cosine**2 + along * cosine + strength * sine - height)
        mean += density * sine * i1e(strength * sine)
        total += density * i0e(strength * sine)
    return np.asarray(np.sign(across) * mean / total)


def _highest(delta: Array, along: Array, across: Array, angles: Array) -> Array:
    """Largest exponent over all angles, so that no exponential overflows."""
    best = np.full(delta.shape, -np.inf)
    for angle in angles:
        np.maximum(best, delta * np.cos(angle) ** 2 + along * np.cos(angle) + across * np.sin(angle), out=best)
    return best
