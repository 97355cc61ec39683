"""Five loops over pixels that no array library offers in one pass, compiled once by numba and kept on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["add_zoomed", "count_photons", "finish", "flatten_cells", "shuffle_pixels"]


@njit(cache=True, nogil=True)
def shuffle_pixels(planes: NDArray, draws: NDArray, reach: int, overwrite: bool) -> None:  # noqa: FBT001  numba has no keywords
    """Exchange each inner pixel of `planes` (c, h, w), last one first, with one drawn within `reach` px of it, in place.

    Parameters
    ----------
    planes : array (c, h, w); all channels move together
    draws : uint16 array (rounds, h, w), uniform; scaled to one of the shifts of rows and of columns in ``[-reach, reach)``
    reach : also the width of the border that is never visited, in px
    overwrite : copy the other pixel and leave it as it was, which is what the published program does, instead of swapping
    """
    channels, height, width = planes.shape
    flat = planes.reshape(channels, height * width)
    jumps = np.empty(4 * reach * reach, dtype=np.int64)
    for jump in range(jumps.size):
        jumps[jump] = (jump // (2 * reach) - reach) * width + jump % (2 * reach) - reach
    for turn in range(draws.shape[0]):
        for row in range(height - reach, reach, -1):
            for column in range(width - reach, reach, -1):
                here = row * width + column
                there = here + jumps[draws[turn, row - 1, column - 1] * jumps.size >> 16]
                for channel in range(channels):
                    # unsigned indices spare the compiled code its check for negative ones
                    value = flat[channel, np.uint64(here)]
                    flat[channel, np.uint64(here)] = flat[channel, np.uint64(there)]
                    if not overwrite:
                        flat[channel, np.uint64(there)] = value


@njit(cache=True, nogil=True, fastmath=True)
def add_zoomed(planes: NDArray, rows: NDArray, columns: NDArray, total: NDArray) -> None:
    """Add to `total` (p, h, w) each of `planes` (p, H, W) sampled linearly at every set of `rows` (z, h) and `columns` (z, w)."""
    count, height, width = planes.shape
    line = np.empty(width + 1, dtype=planes.dtype)
    left = np.empty(columns.shape[1], dtype=np.int64)
    share = np.empty(columns.shape[1], dtype=planes.dtype)
    for zoom in range(rows.shape[0]):
        for column in range(columns.shape[1]):
            left[column] = int(columns[zoom, column])
            share[column] = columns[zoom, column] - left[column]
        for row in range(rows.shape[1]):
            top = int(rows[zoom, row])
            bottom = min(top + 1, height - 1)
            below = planes.dtype.type(rows[zoom, row] - top)
            for plane in range(count):
                for column in range(width):
                    above = planes[plane, top, column]
                    line[column] = above + below * (planes[plane, bottom, column] - above)
                line[width] = line[width - 1]
                for column in range(columns.shape[1]):
                    at = left[column]
                    total[plane, row, column] += line[at] + share[column] * (line[at + 1] - line[at])


@njit(cache=True, nogil=True, fastmath=True)
def flatten_cells(planes: NDArray, rows: NDArray, columns: NDArray, flat: NDArray) -> None:  # noqa: C901  plain loops compile fast
    """Write to each cell of `flat` (p, h, w) its mean in `planes` (p, h, w).

    Parameters
    ----------
    planes : array (p, h, w)
    rows, columns : integer arrays (r + 1,) and (c + 1,), the first row or column of each cell, and the end
    flat : array (p, h, w)
    """
    count, _, width = planes.shape
    line = np.empty(width, dtype=planes.dtype)
    for plane in range(count):
        for row in range(rows.size - 1):
            for x in range(width):
                line[x] = planes[plane, rows[row], x]
            for y in range(rows[row] + 1, rows[row + 1]):
                for x in range(width):
                    line[x] += planes[plane, y, x]
            for column in range(columns.size - 1):
                total = planes.dtype.type(0)
                for x in range(columns[column], columns[column + 1]):
                    total += line[x]
                total /= (rows[row + 1] - rows[row]) * (columns[column + 1] - columns[column])
                for x in range(columns[column], columns[column + 1]):
                    line[x] = total
            for y in range(rows[row], rows[row + 1]):
                for x in range(width):
                    flat[plane, y, x] = line[x]


@njit(cache=True, nogil=True)
def finish(values: NDArray, levels: int, offset: float, finished: NDArray) -> None:
    """Write to `finished` the flat `values` clipped to [0, 1] and, if `levels` > 0, brought down to multiples of 1/levels.

    `offset` is added in units of a level before the cut: one half rounds to the nearest.
    """
    scale, shift = values.dtype.type(levels), values.dtype.type(offset)
    for index in range(values.size):
        value = min(max(values[index], values.dtype.type(0)), values.dtype.type(1))
        finished[index] = np.floor(value * scale + shift) / scale if levels else value


@njit(cache=True, nogil=True)
def count_photons(expected: NDArray, uniform: NDArray, log_factorials: NDArray, counts: NDArray) -> None:
    """Write to `counts` (k,) Poisson numbers with means `expected` (k,), one for each of `uniform` (k,) in [0, 1).

    Probabilities are subtracted from the uniform number in the order mode, mode + 1, mode - 1, mode + 2, ..., which is exact in any
    order and takes about the square root of the mean many steps: twice as fast as NumPy's rejection for means up to 60.
    Source: C. D. Kemp and A. W. Kemp, Applied Statistics 40 (1991) 143.

    Parameters
    ----------
    expected : float array (k,), >= 0
    uniform : float64 array (k,)
    log_factorials : array, ``ln m!`` for m from 0 to at least the largest mean
    counts : float array (k,)
    """
    for index in range(expected.size):
        mean = float(expected[index])
        left = uniform[index]
        mode = int(mean)
        if mean == 0:
            counts[index] = 0
            continue
        above = np.exp(mode * np.log(mean) - mean - log_factorials[mode])
        below = above
        more, fewer = mode, mode
        left -= above
        count = mode
        while left >= 0 and above > 1e-18:
            more += 1
            above *= mean / more
            left -= above
            count = more
            if left >= 0 and fewer > 0:
                below *= fewer / mean
                fewer -= 1
                left -= below
                count = fewer
        counts[index] = count
