r"""Images at another resolution: resized, sent through a low resolution and back, or resized and cropped.

A change of resolution turns two knobs that a result must name apart: the *apparent object size* (pixels that an object covers) and
the *field of view* (the part of the scene in the image). :func:`resize` turns the first and keeps the second, for networks
that accept any size; :func:`resize_and_crop` enlarges objects and narrows the view; :func:`resolution_round_trip` keeps both and
takes away detail alone, so it fits a network of fixed size. Source of the words and of the effect: H. Touvron, A. Vedaldi,
M. Douze, H. Jégou, *Fixing the train-test resolution discrepancy*, arXiv:1906.06423.

Each side is resampled by a small matrix, so that all kernels, devices and dtypes share a few lines, whole batches are resampled at
once, and gradients flow. PyTorch has no Lanczos kernel; Pillow and OpenCV take one image at a time and stay on the CPU. Pixel
centres lie at half-integers, as in all three.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from holdfast.core.checks import check_one_of, check_whole, check_within, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["KERNELS", "Kernel", "centre_crop", "resampling_matrix", "resize", "resize_and_crop", "resolution_round_trip"]

Kernel = Literal["nearest", "bilinear", "bicubic", "area", "lanczos"]
KERNELS: tuple[Kernel, ...] = ("nearest", "bilinear", "bicubic", "area", "lanczos")


def _triangle(t: NDArray) -> NDArray:
    return np.maximum(0, 1 - np.abs(t))


def _cubic(t: NDArray) -> NDArray:
    """Keys' cubic with a = -1/2, exact for quadratic ramps. R. Keys, IEEE Trans. ASSP 29 (1981) 1153."""
    t = np.abs(t)
    inner = (1.5 * t - 2.5) * t**2 + 1
    outer = ((-0.5 * t + 2.5) * t - 4) * t + 2
    return np.where(t < 1, inner, np.where(t < 2, outer, 0.0))


def _lanczos(t: NDArray) -> NDArray:
    return np.where(np.abs(t) < 3, np.sinc(t) * np.sinc(t / 3), 0.0)


SMOOTH: dict[str, Callable[[NDArray], NDArray]] = {"bilinear": _triangle, "bicubic": _cubic, "lanczos": _lanczos}


@lru_cache(maxsize=64)
def resampling_matrix(size: int, new_size: int, *, kernel: Kernel = "bilinear", antialias: bool = True) -> NDArray[np.float64]:
    r"""Matrix that resamples a row of `size` pixels to `new_size`; each of its rows sums to 1.

    .. math:: W_{ij} \propto k\!\left(\frac{(i + \frac12) s - (j + \frac12)}{\max(s, 1)}\right), \qquad
        s = \text{size} / \text{new size}

    With `antialias` the kernel widens with the reduction s, without it the divisor is 1. Beyond the border there are no pixels:
    the weights of those inside are scaled up. ``"nearest"`` takes the pixel in which the new centre lies, ``"area"`` weighs pixels
    by their overlap with the new one.

    Parameters
    ----------
    size, new_size : >= 1
    kernel : one of :data:`KERNELS`
    antialias : without effect on ``"nearest"`` and ``"area"``

    Returns
    -------
    array (new_size, size), read-only because it is shared.
    """
    step = size / new_size
    if kernel == "nearest":
        matrix = np.eye(size)[(2 * np.arange(new_size) + 1) * size // (2 * new_size)]
    elif kernel == "area":
        left = np.maximum(np.arange(new_size)[:, None] * step, np.arange(size))
        right = np.minimum(np.arange(1, new_size + 1)[:, None] * step, np.arange(1, size + 1))
        matrix = np.maximum(0, right - left)
    else:
        distance = (np.arange(new_size)[:, None] + 0.5) * step - (np.arange(size) + 0.5)
        matrix = SMOOTH[kernel](distance / (max(step, 1.0) if antialias else 1.0))
    matrix /= matrix.sum(axis=1, keepdims=True)
    matrix.setflags(write=False)
    return matrix


def resize(
    x: torch.Tensor,
    *,
    scale: float | None = None,
    size: int | tuple[int, int] | None = None,
    kernel: Kernel = "bilinear",
    antialias: bool = True,
    bounds: tuple[float, float] | None = (0.0, 1.0),
) -> torch.Tensor:
    """Images at another size.

    Parameters
    ----------
    x : tensor (n, c, h, w), floating point
    scale : factor on both sides, > 0; the new sides are rounded, and at least 1 px
    size : new height and width in px, or one number for both; give either this or `scale`
    kernel : one of :data:`KERNELS`
    antialias : widen the kernel when the image shrinks
    bounds : the result is clipped to them, for bicubic and Lanczos overshoot; None leaves it

    Returns
    -------
    tensor (n, c, new height, new width) on the device and with the dtype of `x`.

    Examples
    --------
    >>> resize(torch.rand(2, 3, 32, 32), scale=0.75).shape
    torch.Size([2, 3, 24, 24])
    """
    height, width = _new_size(_checked(x), scale=scale, size=size)
    check_one_of(kernel, "kernel", allowed=KERNELS)
    rows = _matrix_like(x, x.shape[2], height, kernel=kernel, antialias=antialias)
    columns = _matrix_like(x, x.shape[3], width, kernel=kernel, antialias=antialias)
    resized = rows @ x @ columns.T
    return resized if bounds is None else resized.clamp(*bounds)


def resolution_round_trip(
    x: torch.Tensor,
    scale: float,
    *,
    kernel: Kernel = "bilinear",
    antialias: bool = True,
    bounds: tuple[float, float] | None = (0.0, 1.0),
) -> torch.Tensor:
    """Images sent through another resolution and back: the detail that `scale` leaves, at the size that the network takes.

    Apparent object size and field of view stay. At ``scale >= 1`` little changes; below, at most ``scale`` times the resolution is
    left in each direction. Arguments as in :func:`resize`.

    Examples
    --------
    >>> x = torch.rand(2, 3, 32, 32)
    >>> y = resolution_round_trip(x, 0.5)
    >>> y.shape == x.shape and bool(y.std() < x.std())
    True
    """
    passed = resize(x, scale=scale, kernel=kernel, antialias=antialias, bounds=bounds)
    return resize(passed, size=(x.shape[2], x.shape[3]), kernel=kernel, antialias=antialias, bounds=bounds)


def centre_crop(x: torch.Tensor, size: int | tuple[int, int]) -> torch.Tensor:
    """The middle `size` px (a number, or height and width) of images (n, c, h, w); an odd spare pixel is cut off below or right."""
    height, width = (size, size) if isinstance(size, int) else size
    top = _checked(x).shape[2] - height
    left = x.shape[3] - width
    if height < 1 or width < 1 or top < 0 or left < 0:
        refuse("size", f"is ({height}, {width})", allowed=f"1 px up to the images' {x.shape[2]} x {x.shape[3]} px")
    return x[:, :, top // 2 : top // 2 + height, left // 2 : left // 2 + width]


def resize_and_crop(
    x: torch.Tensor, *, resize_to: int, crop: int, kernel: Kernel = "bilinear", antialias: bool = True
) -> torch.Tensor:
    """Images resized to `resize_to` px a side and cut down to their middle `crop` px: larger objects in a narrower field of view.

    Examples
    --------
    >>> resize_and_crop(torch.rand(2, 3, 32, 32), resize_to=48, crop=32).shape
    torch.Size([2, 3, 32, 32])
    """
    return centre_crop(resize(x, size=resize_to, kernel=kernel, antialias=antialias), crop)


def _checked(x: torch.Tensor) -> torch.Tensor:
    if x.ndim != 4 or x.numel() == 0:
        refuse("x", f"has shape {tuple(x.shape)}", allowed="images (n, channels, height, width), none of them 0")
    if not x.is_floating_point():
        refuse("x", f"has dtype {x.dtype}", allowed="floating point", remedy="Divide 8-bit images by 255.")
    return x


def _new_size(x: torch.Tensor, *, scale: float | None, size: int | tuple[int, int] | None) -> tuple[int, int]:
    if (scale is None) == (size is None):
        refuse("scale", f"is {scale} and `size` is {size}", allowed="exactly one of the two")
    if scale is not None:
        check_within(scale, "scale", low=0.0, low_open=True)
        return max(1, math.floor(scale * x.shape[2] + 0.5)), max(1, math.floor(scale * x.shape[3] + 0.5))
    height, width = size if isinstance(size, tuple) else (size, size)
    return check_whole(height or 0, "size", low=1), check_whole(width or 0, "size", low=1)


def _matrix_like(x: torch.Tensor, size: int, new_size: int, *, kernel: Kernel, antialias: bool) -> torch.Tensor:
    matrix = resampling_matrix(size, new_size, kernel=kernel, antialias=antialias)
    return torch.tensor(matrix, dtype=x.dtype, device=x.device)
