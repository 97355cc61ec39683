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
    draws : uint16 array (rounds, h, w, 2), uniform; scaled to shifts of rows and columns in ``[-reach, reach)``
    reach : also the width of the border that is never visited, in px
    overwrite : copy the other pixel and leave it as it was, which is what the published program does, instead of swapping
    """
    channels, height, width = planes.shape
    for moves in draws:
        for row in range(height - reach, reach, -1):
            for column in range(width - reach, reach, -1):
                other_row = row + (moves[row - 1, column - 1, 0] * 2 * reach >> 16) - reach
                other_column = column + (moves[row - 1, column - 1, 1] * 2 * reach >> 16) - reach
                for channel in range(channels):
                    here = planes[channel, row, column]
                    planes[channel, row, column] = planes[channel, other_row, other_column]
                    if not overwrite:
                        planes[channel, other_row, other_column] = here


@njit(cache=True, nogil=True, fastmath=True)
def add_zoomed(planes: NDArray, rows: NDArray, columns: NDArray, total: NDArray) -> None:
    """Add to `total` (p, h, w) each of `planes` (p, H, W) sampled linearly at every set of `rows` (z, h) and `columns` (z, w)."""
    last_row, last_column = planes.shape[1] - 1, planes.shape[2] - 1
    line = np.empty(planes.shape[2], dtype=planes.dtype)
    for zoom in range(rows.shape[0]):
        left = np.floor(columns[zoom]).astype(np.int64)
        right = np.minimum(left + 1, last_column)
        share = (columns[zoom] - left).astype(planes.dtype)
        for row in range(rows.shape[1]):
            top = int(rows[zoom, row])
            below = planes.dtype.type(rows[zoom, row] - top)
            for plane in range(planes.shape[0]):
                first, second = planes[plane, top], planes[plane, min(top + 1, last_row)]
                for column in range(line.size):
                    line[column] = first[column] + below * (second[column] - first[column])
                target = total[plane, row]
                for column in range(target.size):
                    target[column] += line[left[column]] + share[column] * (line[right[column]] - line[left[column]])


@njit(cache=True, nogil=True, fastmath=True)
def flatten_cells(planes: NDArray, borders: tuple, fill: tuple, flat: NDArray) -> None:
    """Write to `flat` (p, h, w) the mean of each cell of `planes` (p, h, w).

    Parameters
    ----------
    planes : array (p, h, w)
    borders : integer arrays (r + 1,) and (c + 1,), first row and column of each cell whose mean is taken, and the ends
    fill : the same for the cells that are written
    flat : array (p, h, w)
    """
    rows, columns = borders
    fill_rows, fill_columns = fill
    line = np.empty(planes.shape[2], dtype=planes.dtype)
    for plane in range(planes.shape[0]):
        for row in range(rows.size - 1):
            line[:] = 0
            for y in range(rows[row], rows[row + 1]):
                line += planes[plane, y]
            line /= rows[row + 1] - rows[row]
            target = flat[plane, fill_rows[row]]
            for column in range(columns.size - 1):
                total = planes.dtype.type(0)
                for x in range(columns[column], columns[column + 1]):
                    total += line[x]
                total /= columns[column + 1] - columns[column]
                for x in range(fill_columns[column], fill_columns[column + 1]):
                    target[x] = total
            for y in range(fill_rows[row] + 1, fill_rows[row + 1]):
                flat[plane, y] = target


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
