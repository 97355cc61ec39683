"""Random fields that are added to or laid over images: noise planes and plasma clouds.

Each image has its own generator, so a field depends on the seed and the image's index alone, never on how a set was cut into
batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

__all__ = ["normal_fields", "plasma_fields", "uniform_fields"]


def normal_fields(generators: Sequence[Generator], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Standard normal noise, array (n, *shape) float32: one field per generator."""
    fields = np.empty((len(generators), *shape), dtype=np.float32)
    for field, generator in zip(fields, generators, strict=True):
        generator.standard_normal(dtype=np.float32, out=field)
    return fields


def uniform_fields(generators: Sequence[Generator], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Noise that is uniform in [0, 1), array (n, *shape) float32: one field per generator."""
    fields = np.empty((len(generators), *shape), dtype=np.float32)
    for field, generator in zip(fields, generators, strict=True):
        generator.random(dtype=np.float32, out=field)
    return fields


def plasma_fields(generators: Sequence[Generator], shape: tuple[int, int], *, decay: float) -> NDArray[np.float32]:
    """Clouds by the diamond-square construction on a torus: the midpoint of four neighbours plus noise that shrinks with the step.

    Source: A. Fournier, D. Fussell, L. Carpenter, Communications of the ACM 25 (1982) 371. As in ImageNet-C the noise of a level
    is uniform with an amplitude that falls by `decay` squared from one level to the next, and the map is a power of two wide.

    Parameters
    ----------
    generators : one per cloud
    shape : height and width in px
    decay : > 0; 3 gives smooth clouds, 1.4 rough ones

    Returns
    -------
    array (n, height, width) float32, cut out of maps whose smallest value is 0 and largest is 1.
    """
    side = 1 << (max(*shape, 2) - 1).bit_length()
    noise = uniform_fields(generators, (side, side))
    noise *= 2
    noise -= 1
    heights = np.zeros_like(noise)
    step, amplitude = side, 1.0
    while step >= 2:
        half = step // 2
        corners = heights[:, ::step, ::step]
        middles, lefts, tops = (slice(half, None, step),) * 2, np.s_[half::step, ::step], np.s_[::step, half::step]
        below = corners + np.roll(corners, -1, axis=1)
        heights[:, *middles] = _lifted(below + np.roll(below, -1, axis=2), noise[:, *middles], amplitude)
        centres = heights[:, *middles]
        beside = corners + np.roll(corners, -1, axis=2)
        heights[:, *tops] = _lifted(beside + centres + np.roll(centres, 1, axis=1), noise[:, *tops], amplitude)
        heights[:, *lefts] = _lifted(below + centres + np.roll(centres, 1, axis=2), noise[:, *lefts], amplitude)
        step, amplitude = half, amplitude / decay**2
    heights -= heights.min(axis=(1, 2), keepdims=True)
    heights /= heights.max(axis=(1, 2), keepdims=True)
    return heights[:, : shape[0], : shape[1]]


def _lifted(four_neighbours: NDArray, noise: NDArray, amplitude: float) -> NDArray:
    return four_neighbours / 4 + amplitude * noise
