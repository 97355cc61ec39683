"""What processing does: brightness, contrast, saturation, elastic deformation, pixelation and JPEG."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from holdfast.shift.corruptions.kernels import flatten_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

__all__ = ["brightness", "contrast", "elastic_transform", "jpeg_compression", "pixelate", "saturate"]


def brightness(x: NDArray, *, shift: float) -> NDArray:
    """HSV's value (the largest channel) is raised by `shift`, at most to 1; hue and saturation stay.

    Scaling all channels by the ratio of the values does that without a change of colour space; black becomes grey.
    """
    value = x.max(axis=1, keepdims=True)
    raised = np.minimum(value + np.float32(shift), 1)
    gain = np.divide(raised, value, out=np.zeros_like(value), where=value > 0)
    return np.where(value > 0, x * gain, raised)


def contrast(x: NDArray, *, factor: float) -> NDArray:
    """Each channel of each image is drawn towards its mean: ``mean + factor (x - mean)``."""
    mean = x.mean(axis=(2, 3), keepdims=True)
    return (x - mean) * np.float32(factor) + mean


def saturate(x: NDArray, *, factor: float, shift: float) -> NDArray:
    """HSV's saturation S becomes ``factor S + shift``, within [0, 1]; hue and value stay.

    At fixed hue and value every channel's distance from the value grows with S, so it is scaled by the ratio of the saturations.
    A grey pixel has no hue: as in the benchmark it counts as red once `shift` gives it a saturation. Images with one channel
    have no saturation and come back as they are.
    """
    if x.shape[1] == 1:
        return x.copy()
    value = x.max(axis=1, keepdims=True)
    chroma = value - x.min(axis=1, keepdims=True)
    saturation = np.divide(chroma, value, out=np.zeros_like(value), where=value > 0)
    wanted = np.clip(saturation * np.float32(factor) + np.float32(shift), 0, 1)
    gain = np.divide(wanted, saturation, out=np.zeros_like(value), where=saturation > 0)
    reddened = value * np.where(np.arange(3).reshape(1, 3, 1, 1) > 0, 1 - wanted, np.float32(1))
    return np.where(saturation > 0, value - (value - x) * gain, reddened)


def pixelate(x: NDArray, *, scale: float) -> NDArray:
    """Each pixel becomes the mean of its cell; there are ``int(scale * side)`` cells (at least 1) along a side.

    A pixel belongs to the cell that holds its centre, as in the box filter of Pillow, which made the published sets. A centre on a
    border belongs to the cell behind it; there Pillow's choice hangs on rounding errors.
    """
    height, width = x.shape[-2:]
    rows, columns = _cell_borders(height, scale), _cell_borders(width, scale)
    flat = np.empty_like(x)
    flatten_cells(x.reshape(-1, height, width), rows, columns, flat.reshape(-1, height, width))
    return flat


def _cell_borders(side: int, scale: float) -> NDArray[np.int64]:
    """First pixel of each cell along a `side`, and the end."""
    cells = max(1, int(side * scale))
    return -((cells - 2 * side * np.arange(cells + 1)) // (2 * cells))


def jpeg_compression(x: NDArray, *, quality: int) -> NDArray[np.uint8]:
    """Each image is rounded to 8 bits and written to and read from JPEG at `quality` (1 to 100), by libjpeg-turbo in OpenCV.

    Returns
    -------
    array (n, c, h, w), uint8, as a JPEG file is 8 bits deep.
    """
    settings = [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    decoded = np.empty(x.shape, dtype=np.uint8)
    for image, target in zip(x, decoded, strict=True):
        pixels = cv2.merge([cv2.convertScaleAbs(plane, alpha=255) for plane in image[::-1]])
        _, file = cv2.imencode(".jpg", pixels, settings)
        target[::-1] = cv2.split(np.asarray(cv2.imdecode(file, cv2.IMREAD_UNCHANGED)))
    return decoded


def elastic_transform(x: NDArray, *, alpha: float, sigma: float, affine: float, generators: Sequence[Generator]) -> NDArray:
    """Rubber sheet: a random affine map followed by smooth random displacements; the border is mirrored.

    The benchmark resamples twice, once for each; here both maps are composed and the image is sampled once, so that it keeps its
    sharpness. Coordinates are resolved to 1/32 px by OpenCV.

    Parameters
    ----------
    x : array (n, c, h, w)
    alpha : size of the displacements before smoothing, in units of the shorter side
    sigma : of their smoothing, in units of the shorter side
    affine : how far each of three points of a triangle about the centre may move, in units of the shorter side
    generators : one per image
    """
    height, width = x.shape[-2:]
    side = min(height, width)
    across, down = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    warped = np.empty_like(x)
    for image, target, generator in zip(x, warped, generators, strict=True):
        matrix = _random_affine(generator, (height, width), reach=affine * side)
        dx, dy = (alpha * side) * _smooth_noise(generator, (height, width), sigma * side)
        columns = (matrix[0, 0] * (across + dx) + matrix[0, 1] * (down + dy) + matrix[0, 2]).astype(np.float32)
        rows = (matrix[1, 0] * (across + dx) + matrix[1, 1] * (down + dy) + matrix[1, 2]).astype(np.float32)
        columns, rows = cv2.convertMaps(columns, rows, cv2.CV_16SC2)
        for channel, plane in enumerate(image):
            target[channel] = cv2.remap(plane, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return warped


def _random_affine(generator: Generator, shape: tuple[int, int], *, reach: float) -> NDArray:
    """Matrix (2, 3) from output to input coordinates: three points about the centre each moved by at most `reach` px."""
    moves = generator.uniform(-1, 1, size=(3, 2))
    spread = min(shape) // 3
    if spread == 0:
        return np.eye(2, 3)
    centre = np.array([shape[1] // 2, shape[0] // 2], dtype=np.float32)
    corners = (centre + spread * np.array([[1, 1], [1, -1], [-1, -1]])).astype(np.float32)
    return cv2.invertAffineTransform(cv2.getAffineTransform(corners, (corners + reach * moves).astype(np.float32)))


def _smooth_noise(generator: Generator, shape: tuple[int, int], sigma: float) -> NDArray:
    """Two fields (2, h, w) of uniform noise in [-1, 1), smoothed with a Gaussian of `sigma` px that is mirrored at the border."""
    noise = 2 * generator.random((2, *shape), dtype=np.float32) - 1
    return _smoothing(shape[0], sigma) @ noise @ _smoothing(shape[1], sigma).T


@lru_cache(maxsize=16)
def _smoothing(side: int, sigma: float) -> NDArray:
    """Matrix (side, side) of the one-dimensional Gaussian filter, cut at 3 sigma; the kernel may be far larger than the side."""
    identity = np.eye(side, dtype=np.float32)
    return gaussian_filter1d(identity, sigma, axis=0, mode="reflect", truncate=3.0) if sigma > 0 else identity
