"""Coupling matrices of oscillator networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import check_whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["all_to_all", "nearest"]


def _rate(strength: ArrayLike, phase: ArrayLike) -> NDArray[np.complex128]:
    return np.asarray(np.asarray(strength) * np.exp(1j * np.asarray(phase)))[..., None, None]


def all_to_all(oscillators: int, strength: ArrayLike, phase: ArrayLike = 0.0) -> NDArray[np.complex128]:
    """Equal coupling of every oscillator to every other one, as through a common microwave current.

    Parameters
    ----------
    oscillators : their number K >= 1
    strength : array (...,), coupling rate in Hz
    phase : array (...,), coupling phase in rad, broadcasts with `strength`

    Returns
    -------
    array (..., K, K) in Hz with zeros on its diagonal

    Examples
    --------
    >>> all_to_all(3, 2e5).real.sum(axis=1)
    array([400000., 400000., 400000.])
    """
    size = check_whole(oscillators, "oscillators", low=1)
    return _rate(strength, phase) * (1 - np.eye(size))


def nearest(oscillators: int, strength: ArrayLike, phase: ArrayLike = 0.0, *, ring: bool = False) -> NDArray[np.complex128]:
    """Equal coupling of neighbours in a row, as by dipolar fields.

    Parameters
    ----------
    oscillators, strength, phase : as in :func:`all_to_all`
    ring : couple the last oscillator with the first one too

    Examples
    --------
    >>> nearest(3, 1.0).real.astype(int).tolist()
    [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    """
    size = check_whole(oscillators, "oscillators", low=1)
    apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    beside = (apart == 1) | (ring & (apart == size - 1) & (size > 1))
    return _rate(strength, phase) * beside
