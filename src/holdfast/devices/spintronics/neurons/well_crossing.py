r"""How long a moment needs to change over from one well of its energy to the other, and whether a simulation can wait for it.

An average over time is that over the Boltzmann distribution only if the moment crosses the barrier between its wells many times.
With the energy :math:`-\Delta k_B T m_z^2` and the free moment's relaxation time
:math:`\tau_0 = \mu_0 M_s V / (2 \alpha \gamma_0 k_B T)` the mean time from a pole to the equator, from where either well is as
near, is exactly

.. math:: \frac{\tau}{\tau_0} = 2 \int_0^1 \frac{dz}{1 - z^2} \int_z^1 e^{\Delta (y^2 - z^2)}\,dy

and for a high barrier it is ``sqrt(pi) / 2 exp(Delta) Delta**-1.5`` (W. F. Brown, Phys. Rev. 130 (1963) 1677).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.polynomial.legendre import leggauss

from holdfast.core.checks import refuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["HIGHEST", "SETTLE", "WINDOW", "barrier_left", "check_crossed", "crossing_time"]

HIGHEST = 8.0  # barrier over thermal energy that a simulation waits for: a crossing takes 120 free relaxations
SETTLE, WINDOW = 10, 50  # crossing times before the averaging window, and in it


def crossing_time(barrier: ArrayLike) -> NDArray[np.float64]:
    """Mean time from a pole to the equator, over the free moment's relaxation time.

    Parameters
    ----------
    barrier : array (...), over the thermal energy, at most 100

    Examples
    --------
    >>> float(crossing_time(0.0).round(6))  # 2 ln 2
    1.386294
    """
    delta = np.asarray(barrier, dtype=float)
    nodes, weights = leggauss(48)
    nodes, weights = (nodes + 1) / 2, weights / 2
    total = np.zeros(delta.shape)
    for z, weight in zip(nodes, weights, strict=True):
        rise = (z + (1 - z) * nodes) ** 2 - z**2
        total += 2 * weight / (1 + z) * (np.exp(delta[..., None] * rise) @ weights)
    return total


def barrier_left(barrier: ArrayLike, field: ArrayLike) -> NDArray[np.float64]:
    """Barrier out of the shallower well, over thermal energy, in a field that is given over the one that removes it."""
    return np.asarray(np.maximum(barrier, 0.0) * (1 - np.minimum(np.abs(field), 1.0)) ** 2)


def check_crossed(barrier: Any) -> Any:
    """`barrier` (...), over thermal energy, if a simulation can wait until a moment has crossed it often."""
    highest = float(np.max(barrier))
    if highest > HIGHEST:
        refuse(
            "method",
            f"is a simulation, and a barrier of {highest:.3g} kT stands between the wells of the free layer",
            allowed=f"barriers up to {HIGHEST:g} kT, which a moment crosses within the time of a run",
            remedy='Take the closed form, method="closed", or a device with a lower barrier.',
        )
    return barrier
