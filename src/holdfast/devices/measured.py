"""Measured curves from a text file, with errors that name the line and the column.

One line per drive: the drive in the first column, one further column per device, separated by commas. Lines that begin with ``#``
are comments; a first line of words is taken as the columns' names, and a column ``nominal`` beside others as the nominal device. A
drive that was not stepped uniformly can be resampled.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import check_whole, refuse
from holdfast.core.reading import read_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from numpy.typing import NDArray

__all__ = ["read_columns", "resampled"]

Rows = list[tuple[int, list[str]]]


def read_columns(path: str | PathLike[str]) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    """Drive (K,), outputs (n, K) and the n names of their columns, or no names, of a text file.

    Raises
    ------
    InputError : no such file, no numbers, lines of different lengths, missing or unreadable values
    """
    file = Path(path)
    text = read_text(file, "path", allowed="a text file of measured curves")
    rows = [
        (number, [cell.strip() for cell in cells])
        for number, cells in enumerate(csv.reader(text.splitlines()), start=1)
        if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith("#")
    ]
    names, rows = _named(rows)
    if not rows or len(rows[0][1]) < 2:
        refuse(
            "path",
            f"holds no table of drives and outputs ({file.name})",
            allowed="a drive and at least one output per line, separated by commas",
        )
    width = len(rows[0][1])
    for number, cells in rows:
        if len(cells) != width:
            refuse(
                "path",
                f"has {len(cells)} values in line {number} of {file.name}",
                allowed=f"{width} values, as in the lines before",
            )
    table = np.array([[_number(cell, number, column, names) for column, cell in enumerate(cells)] for number, cells in rows])
    return table[:, 0], table[:, 1:].T, [name.strip().lower() for name in names[1:]]


def _named(rows: Rows) -> tuple[Sequence[str], Rows]:
    """The names of the columns, from a first line in which nothing is a number, and the other lines."""
    if rows and not any(_is_number(cell) for cell in rows[0][1]) and any(rows[0][1]):
        return rows[0][1], rows[1:]
    return [], rows


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(cell: str, line: int, column: int, names: Sequence[str]) -> float:
    place = f"line {line}, column {column + 1}" + (f" ({names[column]})" if column < len(names) else "")
    if not _is_number(cell):
        got = "has no value" if not cell else f"has {cell!r}"
        refuse("path", f"{got} in {place}", allowed="finite numbers", remedy="Complete the measurement or drop the column.")
    if not np.isfinite(float(cell)):
        refuse("path", f"has {cell!r} in {place}", allowed="finite numbers", remedy="Complete the measurement or drop the column.")
    return float(cell)


def resampled(x: NDArray[np.float64], y: NDArray[np.float64], points: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The curves `y` (n, K) over any drives `x` (K,), each one different, on a uniform grid of `points` drives.

    Between the measured drives runs the monotone cubic of :class:`scipy.interpolate.PchipInterpolator`.

    Raises
    ------
    InputError : fewer than 4 points, or a drive that was measured twice
    """
    from scipy.interpolate import PchipInterpolator

    check_whole(points, "resample", low=4)
    order = np.argsort(x)
    drives = x[order]
    if len(drives) < 2 or (np.diff(drives) <= 0).any():
        refuse("x", "holds a drive twice or only one", allowed="different drives", remedy="Average repeated measurements first.")
    grid = np.linspace(drives[0], drives[-1], points)
    return grid, PchipInterpolator(drives, y[:, order], axis=1)(grid)
