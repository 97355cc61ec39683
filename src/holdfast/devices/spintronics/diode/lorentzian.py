r"""A resonance line with a symmetric and an antisymmetric part, and its fit to measured points.

.. math:: V(f) = V_0 + \frac{S\, w^2 + A\, w\,(f - f_0)}{(f - f_0)^2 + w^2}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import check_finite, check_same_length, refuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Lorentzian", "fit_lorentzian"]

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Lorentzian:
    """A resonance line; arrays broadcast.

    Parameters
    ----------
    resonance : :math:`f_0` in Hz
    half_width : :math:`w` in Hz, at half maximum, > 0
    symmetric, antisymmetric : amplitudes `S` and `A` in V; the antisymmetric part reaches A / 2
    offset : :math:`V_0` in V
    """

    resonance: Array
    half_width: Array
    symmetric: Array
    antisymmetric: Array
    offset: Array

    def at(self, frequency: ArrayLike) -> NDArray[np.floating]:
        """The line in V at these frequencies in Hz."""
        detuned = (np.asarray(frequency, dtype=float) - self.resonance) / self.half_width
        return np.asarray(self.offset + (self.symmetric + self.antisymmetric * detuned) / (1 + detuned**2))

    @property
    def antisymmetric_fraction(self) -> Array:
        """Share of the antisymmetric part in the heights, ``(A / 2) / (abs(S) + abs(A) / 2)``, with the sign of A relative to S."""
        half = self.antisymmetric / 2
        return np.asarray(half * np.sign(self.symmetric) / (np.abs(self.symmetric) + np.abs(half)))


def fit_lorentzian(frequency: ArrayLike, voltage: ArrayLike) -> Lorentzian:
    """The line that fits points best, in the least squares of :func:`scipy.optimize.least_squares`.

    Parameters
    ----------
    frequency : array (n,) in Hz, n >= 6, across the resonance
    voltage : array (n,) in V

    Raises
    ------
    InputError : fewer than 6 points, or values that are not finite

    Examples
    --------
    >>> f = np.linspace(4e9, 6e9, 41)
    >>> true = Lorentzian(resonance=5e9, half_width=1e8, symmetric=1e-6, antisymmetric=-2e-7, offset=0.0)
    >>> found = fit_lorentzian(f, true.at(f))
    >>> round(float(found.resonance) / 1e9, 6), round(float(found.antisymmetric) * 1e9, 6)
    (5.0, -200.0)
    """
    from scipy.optimize import least_squares

    f, v = np.asarray(frequency, dtype=float), np.asarray(voltage, dtype=float)
    check_same_length(f, v, ("frequency", "voltage"))
    for values, name in ((f, "frequency"), (v, "voltage")):
        check_finite(values, name)
    if f.ndim != 1 or len(f) < 6:
        refuse("frequency", f"has shape {f.shape}", allowed="(n,) with at least 6 points for 5 numbers")
    peak, reach = int(np.abs(v - np.median(v)).argmax()), float(np.ptp(f))
    scale = float(np.abs(v).max()) or 1.0
    above = np.abs(v - np.median(v)) > 0.5 * abs(v[peak] - np.median(v))
    width = max(float(np.ptp(f[above])) / 2, float(np.median(np.abs(np.diff(f))))) / reach

    def misses(numbers: Array) -> Array:
        place, w, s, a, offset = numbers
        detuned = (x - place) / w
        return np.asarray(offset + (s + a * detuned) / (1 + detuned**2) - v / scale)

    x = (f - f[peak]) / reach
    place, w, s, a, offset = least_squares(misses, (0.0, width, v[peak] / scale, 0.0, 0.0), x_scale=(width, width, 1, 1, 1)).x
    return Lorentzian(
        resonance=np.asarray(f[peak] + place * reach),
        half_width=np.asarray(abs(w) * reach),
        symmetric=np.asarray(s * scale),
        antisymmetric=np.asarray(a * np.sign(w) * scale),
        offset=np.asarray(offset * scale),
    )
