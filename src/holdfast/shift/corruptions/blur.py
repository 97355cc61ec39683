"""Loss of sharpness: Gaussian, defocus, frosted glass, motion and zoom. Kernels may be larger than the image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from holdfast.shift.corruptions.kernels import add_zoomed, shuffle_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

__all__ = ["defocus_blur", "gaussian_blur", "glass_blur", "motion_blur", "smeared", "zoom_blur", "zoomed"]


def _each_plane(x: NDArray, change: Callable[[NDArray], NDArray]) -> NDArray:
    """`change` applied to every (h, w) plane of `x` (..., h, w)."""
    planes = x.reshape(-1, *x.shape[-2:])
    return np.stack([change(plane) for plane in planes]).reshape(x.shape)


def gaussian_blur(x: NDArray, *, sigma: float) -> NDArray:
    """Images (..., h, w) convolved with a Gaussian of `sigma` px, cut at 4 sigma; the border is repeated."""
    size = 2 * int(4 * sigma + 0.5) + 1
    return _each_plane(x, lambda plane: cv2.GaussianBlur(plane, (size, size), sigma, borderType=cv2.BORDER_REPLICATE))


def defocus_blur(x: NDArray, *, radius: float, alias: float) -> NDArray:
    """Images (..., h, w) convolved with a disk of `radius` px whose rim is softened by `alias` px; the border is mirrored."""
    kernel = _disk(radius, alias)
    return _each_plane(x, lambda plane: cv2.filter2D(plane, -1, kernel, borderType=cv2.BORDER_REFLECT_101))


def _disk(radius: float, alias: float) -> NDArray[np.float32]:
    reach, soft = (8, 3) if radius <= 8 else (math.ceil(radius), 5)
    offsets = np.arange(-reach, reach + 1)
    disk = (offsets[:, None] ** 2 + offsets**2 <= radius**2).astype(np.float32)
    return cv2.GaussianBlur(disk / disk.sum(), (soft, soft), alias)


def glass_blur(
    x: NDArray, *, sigma: float, reach: int, rounds: int, generators: Sequence[Generator], overwrite: bool = False
) -> NDArray:
    """Frosted glass: images (n, c, h, w) blurred, their pixels exchanged with neighbours nearer than `reach` px, blurred again.

    The published program means to swap two pixels, but its assignment copies one over the other, so that pixels are lost and
    others doubled. Here they are swapped, which conserves the mean; `overwrite` gives the published behaviour, with its rounding
    of the blurred image to 8 bits.
    """
    blurred = gaussian_blur(x, sigma=sigma)
    if overwrite:
        blurred = np.floor(blurred * 255 + 1e-3) / np.float32(255)
    for image, generator in zip(blurred, generators, strict=True):
        draws = np.frombuffer(generator.bytes(2 * rounds * image[0].size), dtype="<u2").reshape(rounds, *image.shape[1:])
        shuffle_pixels(image, draws, reach, overwrite)
    return gaussian_blur(blurred, sigma=sigma)


def motion_blur(x: NDArray, *, radius: int, sigma: float, generators: Sequence[Generator]) -> NDArray:
    """A camera that moves while it exposes: each image (c, h, w) smeared along its own angle within 45 degrees of level."""
    angles = [generator.uniform(-45, 45) for generator in generators]
    return np.stack([smeared(image, radius=radius, sigma=sigma, angle=angle) for image, angle in zip(x, angles, strict=True)])


def smeared(planes: NDArray, *, radius: int, sigma: float, angle: float) -> NDArray:
    r"""Planes (c, h, w) averaged along a line, with the weights of half a Gaussian.

    .. math:: \sum_{i=0}^{2r} k_i\, x(p + [i\,(\cos\alpha, \sin\alpha)]), \qquad k_i \propto e^{-i^2 / 2\sigma^2}

    Steps are rounded to whole pixels (halves down), and the border is repeated.

    Parameters
    ----------
    planes : array (c, h, w)
    radius : r, in px
    sigma : in px
    angle : alpha, in degrees; 0 moves along a row, 90 along a column
    """
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    weights /= weights.sum()
    across = np.ceil(steps * math.cos(math.radians(angle)) - 0.5).astype(int)
    down = np.ceil(steps * math.sin(math.radians(angle)) - 0.5).astype(int)
    height, width = planes.shape[1:]
    margin = 2 * radius + 1
    sizes = (margin,) * 4
    padded = np.stack([cv2.copyMakeBorder(plane, *sizes, cv2.BORDER_REPLICATE) for plane in planes])
    total, part = np.zeros_like(planes), np.empty_like(planes)
    for weight, dx, dy in zip(weights.astype(planes.dtype), across, down, strict=True):
        shifted = padded[:, margin + dy : margin + dy + height, margin + dx : margin + dx + width]
        np.multiply(shifted, weight, out=part)
        total += part
    return total


def zoom_blur(x: NDArray, *, stop: float, step: float) -> NDArray:
    """A camera that rushes forward: the mean of the images (..., h, w) and of their centres enlarged by 1, 1 + step, ... < stop."""
    factors = np.arange(1, stop, step)
    return (x + zoomed(x, factors)) / np.float32(len(factors) + 1)


def zoomed(x: NDArray, factors: Sequence[float] | NDArray) -> NDArray:
    """Sum over `factors` >= 1 of the images (..., h, w) enlarged about their centre by linear interpolation."""
    planes = np.ascontiguousarray(x).reshape(-1, *x.shape[-2:])
    total = np.zeros_like(planes)
    rows, columns = (np.stack([_zoom_coordinates(side, factor) for factor in factors]) for side in x.shape[-2:])
    add_zoomed(planes, rows, columns, total)
    return total.reshape(x.shape)


def _zoom_coordinates(side: int, factor: float) -> NDArray:
    """Where the `side` pixels of an enlarged image lie in the original: the ends of the enlarged crop meet the crop's own ends."""
    crop = math.ceil(side / factor)
    enlarged = max(round(crop * factor), side)
    trim = (enlarged - side) // 2
    spacing = (crop - 1) / max(enlarged - 1, 1)
    return (side - crop) // 2 + (trim + np.arange(side)) * spacing
