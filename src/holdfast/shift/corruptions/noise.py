"""Sensor noise: Gaussian, shot, impulse and speckle. Each channel of a colour image has its own noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

from holdfast.shift.corruptions.fields import normal_fields, uniform_fields
from holdfast.shift.corruptions.kernels import count_photons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

__all__ = ["gaussian_noise", "impulse_noise", "shot_noise", "speckle_noise"]


def gaussian_noise(x: NDArray, *, sigma: float, generators: Sequence[Generator]) -> NDArray:
    """Electronic noise: images (n, c, h, w) plus normal noise of standard deviation `sigma`."""
    noise = normal_fields(generators, x.shape[1:])
    noise *= sigma
    noise += x
    return noise


def shot_noise(x: NDArray, *, photons: float, generators: Sequence[Generator]) -> NDArray:
    """Counting noise: each value becomes Poisson with mean ``photons * x``, divided by `photons`."""
    counts = np.empty_like(x)
    log_factorials = gammaln(np.arange(math.ceil(photons * float(x.max())) + 1) + 1.0)
    for image, count, generator in zip(x, counts, generators, strict=True):
        expected = np.maximum(np.float32(photons) * image.ravel(), 0)
        count_photons(expected, generator.random(image.size), log_factorials, count.ravel())
    counts /= photons
    return counts


def impulse_noise(x: NDArray, *, amount: float, generators: Sequence[Generator]) -> NDArray:
    """Salt and pepper: a share `amount` of the values becomes 0 or 1, with equal chance."""
    uniform = uniform_fields(generators, x.shape[1:])
    noisy = x.copy()
    np.copyto(noisy, 0, where=uniform < amount / 2)
    np.copyto(noisy, 1, where=uniform >= 1 - amount / 2)
    return noisy


def speckle_noise(x: NDArray, *, sigma: float, generators: Sequence[Generator]) -> NDArray:
    """Multiplicative noise: ``x (1 + sigma n)`` with standard normal n."""
    noise = normal_fields(generators, x.shape[1:])
    noise *= sigma
    noise += 1
    noise *= x
    return noise
