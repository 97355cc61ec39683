r"""Closed forms of a layer magnetised in its plane along a field: resonance, line width, onset of oscillation, thermal motion.

With the field `H` along the magnetisation and the easy-plane field :math:`M_{eff}` normal to the layer (C. Kittel, Phys. Rev. 73
(1948) 155; J. C. Slonczewski, J. Magn. Magn. Mater. 159 (1996) L1), in lowest order of the damping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.devices.spintronics.constants import BOLTZMANN, GAMMA0, MU0

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["easy_plane_fluctuations", "easy_plane_half_width", "easy_plane_resonance", "easy_plane_threshold"]


def easy_plane_resonance(field: ArrayLike, easy_plane: ArrayLike) -> Any:
    r"""Frequency in Hz, :math:`\gamma_0 \sqrt{H (H + M_{eff})} / 2\pi`.

    Examples
    --------
    >>> f"{easy_plane_resonance(4e4, 6e5) / 1e9:.3f} GHz"
    '5.635 GHz'
    """
    h = np.asarray(field, dtype=float)
    return GAMMA0 * np.sqrt(h * (h + np.asarray(easy_plane))) / (2 * np.pi)


def easy_plane_half_width(field: ArrayLike, easy_plane: ArrayLike, *, alpha: ArrayLike) -> Any:
    r"""Half width in Hz at half maximum of the power line, :math:`\alpha \gamma_0 (2 H + M_{eff}) / 4\pi`."""
    return np.asarray(alpha) * GAMMA0 * (2 * np.asarray(field, dtype=float) + easy_plane) / (4 * np.pi)


def easy_plane_threshold(field: ArrayLike, easy_plane: ArrayLike, *, alpha: ArrayLike, cosine: ArrayLike = 1.0) -> Any:
    r"""Damping-like field in A/m at which oscillation sets in, :math:`\alpha (H + M_{eff} / 2) / |\cos|`.

    `cosine` is that of the angle between the spin direction and the direction opposite to the magnetisation.
    """
    return np.asarray(alpha) * (np.asarray(field, dtype=float) + np.asarray(easy_plane) / 2) / np.abs(cosine)


def easy_plane_fluctuations(
    field: ArrayLike, easy_plane: ArrayLike, *, ms: ArrayLike, volume: ArrayLike, temperature: ArrayLike
) -> tuple[Any, Any]:
    r"""Mean squares of the magnetisation across the field in the plane and normal to it, at thermal equilibrium.

    Equipartition of small motions: :math:`k_B T / \mu_0 M_s V H` and :math:`k_B T / \mu_0 M_s V (H + M_{eff})`.

    Parameters
    ----------
    field, easy_plane : arrays in A/m, > 0
    ms : array, saturation magnetisation in A/m
    volume : array in m^3
    temperature : array in K

    Examples
    --------
    >>> inside, normal = easy_plane_fluctuations(4e4, 6e5, ms=1e6, volume=1.57e-23, temperature=300.0)
    >>> f"{inside:.2e} {normal:.2e}"
    '5.25e-03 3.28e-04'
    """
    h = np.asarray(field, dtype=float)
    energy = MU0 * np.asarray(ms, dtype=float) * np.asarray(volume, dtype=float)
    heat = BOLTZMANN * np.asarray(temperature, dtype=float)
    return heat / (energy * h), heat / (energy * (h + np.asarray(easy_plane, dtype=float)))
