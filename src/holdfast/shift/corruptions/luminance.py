"""Brightness of colour images, by the weights of ITU-R BT.601 that JPEG and the benchmark's programs use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LUMA", "luminance"]

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def luminance(x: NDArray) -> NDArray:
    """Brightness (n, 1, h, w) of images (n, c, h, w); a grey image is its own brightness."""
    if x.shape[1] == 1:
        return x
    red, green, blue = x[:, 0:1], x[:, 1:2], x[:, 2:3]
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
