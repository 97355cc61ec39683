r"""Constants and unit converters of magnetism, in SI.

Fields are in A/m throughout. The gyromagnetic ratio is that of the free electron (CODATA, through :mod:`scipy.constants`); with a
field in A/m the precession runs at ``GAMMA0 * H`` in rad/s.
"""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.constants import e as ELEMENTARY_CHARGE  # noqa: N812 (a constant's name)
from scipy.constants import hbar, physical_constants
from scipy.constants import k as BOLTZMANN  # noqa: N812

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "BOLTZMANN",
    "ELEMENTARY_CHARGE",
    "GAMMA",
    "GAMMA0",
    "HBAR",
    "MU0",
    "oersted",
    "spin_transfer_field",
    "tesla",
    "thermal_field",
]

HBAR = hbar  # J s
MU0 = 4e-7 * pi  # T m/A; the defined value before 2019, which the measured one equals to 1e-9
GAMMA = physical_constants["electron gyromag. ratio"][0]  # rad/(s T)
GAMMA0 = MU0 * GAMMA  # m/(A s)


def oersted(value: ArrayLike) -> Any:
    """The field in A/m of `value` oersted.

    Examples
    --------
    >>> round(float(oersted(1.0)), 4)
    79.5775
    """
    return np.asarray(value, dtype=float) * 1e3 / (4 * pi)


def tesla(value: ArrayLike) -> Any:
    """The field in A/m whose flux density in vacuum is `value` tesla.

    Examples
    --------
    >>> round(float(tesla(1.0)))
    795775
    """
    return np.asarray(value, dtype=float) / MU0


def spin_transfer_field(ms: ArrayLike, volume: ArrayLike) -> Any:
    r"""Damping-like field per ampere of fully polarised current, :math:`a_J / (\eta I) = \hbar / (2 e \mu_0 M_s V)`.

    J. C. Slonczewski, J. Magn. Magn. Mater. 159 (1996) L1.

    Parameters
    ----------
    ms : array, saturation magnetisation in A/m
    volume : array, of the free layer in m^3

    Returns
    -------
    array in (A/m)/A = 1/m

    Examples
    --------
    >>> from math import pi
    >>> round(0.6e-3 * float(spin_transfer_field(1e6, pi * 50e-9**2 * 2e-9)))  # 1 mA, efficiency 0.6
    10004
    """
    return HBAR / (2 * ELEMENTARY_CHARGE * MU0 * np.asarray(ms, dtype=float) * volume)


def thermal_field(alpha: Any, temperature: Any, *, ms: Any, volume: Any, dt: Any) -> Any:
    r"""Standard deviation in A/m of each component of the thermal field when it is held for `dt`.

    .. math:: \sigma_H = \sqrt{\frac{2 \alpha k_B T}{\mu_0 M_s \gamma_0 V \, dt}}

    W. F. Brown, Phys. Rev. 130 (1963) 1677.

    Parameters
    ----------
    alpha : number, array or tensor, Gilbert damping
    temperature : the same, in K
    ms, volume : as in :func:`spin_transfer_field`
    dt : array, in s
    """
    return (2 * alpha * BOLTZMANN * temperature / (MU0 * ms * GAMMA0 * volume * dt)) ** 0.5
