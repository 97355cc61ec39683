"""Pictures beside curves, in the house style: maps of a quantity, tables of shares, named dots with intervals, fields of arrows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from holdfast.core.checks import refuse
from holdfast.core.figures import INK, MARKERS, PALETTE, STYLE, new_figure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from holdfast.core.estimate import Estimate

__all__ = ["arrow_figure", "map_figure", "matrix_figure", "scatter_figure"]


def map_figure(
    x: ArrayLike,
    y: ArrayLike,
    values: ArrayLike,
    *,
    labels: tuple[str, str, str],
    log: str = "",
    size: tuple[float, float] = (5.2, 3.4),
) -> Figure:
    """A quantity over two axes as colour; cells without a value stay open, and values of both signs have 0 in the middle.

    Parameters
    ----------
    x, y : arrays (X,) and (Y,), rising
    values : array (Y, X); NaN where there is none
    labels : of the horizontal axis, the vertical axis and the colours, each with its unit
    log : which axes have powers of ten: ``""``, ``"x"``, ``"y"`` or ``"xy"``
    size : width and height in inches

    Raises
    ------
    InputError : values of another shape, or none at all

    Examples
    --------
    >>> map_figure([1, 2, 3], [0, 1], [[0, 1, 2], [1, 2, 3]], labels=("a (m)", "b (s)", "c (V)")).axes[0].get_xlabel()
    'a (m)'
    """
    import matplotlib as mpl
    import numpy as np
    from matplotlib.ticker import LogFormatter

    across, up, shown = np.asarray(x, dtype=float), np.asarray(y, dtype=float), np.asarray(values, dtype=float)
    if shown.shape != (len(up), len(across)) or not np.isfinite(shown).any():
        refuse("values", f"has shape {shown.shape}", allowed=f"({len(up)}, {len(across)}), y by x, with at least one number")
    figure, [axes] = new_figure(size=size)
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    signed = low < 0 < high
    ends = (-max(-low, high), max(-low, high)) if signed else (low, high)
    with mpl.rc_context(STYLE):
        image = axes.pcolormesh(
            across,
            up,
            np.ma.masked_invalid(shown),
            cmap="PuOr" if signed else "viridis",
            vmin=ends[0],
            vmax=ends[1],
            shading="nearest",
        )
        axes.grid(visible=False)
        axes.set(xlabel=labels[0], ylabel=labels[1])
        for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
            if name in log:
                axes.set(**{f"{name}scale": "log"})
                axis.set_major_formatter(LogFormatter())
                axis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.4)))
        figure.colorbar(image, ax=axes, label=labels[2])
    return figure


def matrix_figure(
    shares: NDArray[np.floating],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    labels: tuple[str, str, str],
    marked: Iterable[tuple[int, int]] = (),
) -> Figure:
    """A table of shares as a heat map with its numbers.

    Parameters
    ----------
    shares : array (len(rows), len(columns)), in [0, 1]
    rows, columns : names
    labels : what the rows, the columns and the shares are
    marked : pairs of a row and a column that are framed

    Examples
    --------
    >>> import numpy as np
    >>> figure = matrix_figure(np.eye(2), rows=["a", "b"], columns=["c", "d"], labels=("is", "answers", "share"), marked=[(0, 0)])
    >>> figure.axes[0].get_xlabel()
    'answers'
    """
    import matplotlib as mpl
    from matplotlib.patches import Rectangle

    if shares.shape != (len(rows), len(columns)) or shares.size == 0:
        refuse("shares", f"has shape {shares.shape}", allowed=f"one row and column for each name, {(len(rows), len(columns))}")
    with mpl.rc_context(STYLE):
        figure, [axes] = new_figure(size=(2.2 + 0.6 * len(columns), 1.2 + 0.5 * len(rows)))
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for row in range(len(rows)):
            for column in range(len(columns)):
                dark, text = shares[row, column] > 0.55, f"{shares[row, column]:.2f}"
                axes.text(column, row, text, ha="center", va="center", color="white" if dark else INK, fontsize=9)
        for row, column in marked:
            axes.add_patch(Rectangle((column - 0.47, row - 0.47), 0.94, 0.94, fill=False, edgecolor=PALETTE[1], linewidth=2.5))
        axes.set_xticks(range(len(columns)), columns, rotation=20 if max(map(len, columns)) > 4 else 0)
        axes.set_yticks(range(len(rows)), rows)
        axes.set(xlabel=labels[1], ylabel=labels[0])
        axes.grid(visible=False)
        figure.colorbar(image, ax=axes, label=labels[2])
    return figure


def scatter_figure(groups: Mapping[str, Sequence[tuple[str, Estimate, Estimate]]], *, x: str, y: str) -> Figure:
    """Dots with their names and the intervals of both coordinates, one colour and one marker for each group.

    Parameters
    ----------
    groups : name for the legend -> dots, each its name and its estimates across and up
    x, y : labels of the axes: quantity and unit

    Examples
    --------
    >>> from holdfast.core.estimate import proportion
    >>> dots = [("narrow", proportion(8, 10), proportion(3, 10)), ("wide", proportion(9, 10), proportion(2, 10))]
    >>> scatter_figure({"one layer": dots}, x="accuracy", y="robustness").axes[0].get_ylabel()
    'robustness'
    """
    if not groups or len(groups) > len(MARKERS):
        refuse("groups", f"holds {len(groups)}", allowed=f"1 to {len(MARKERS)} groups, one colour each")
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        figure, [axes] = new_figure(size=(5.2, 3.6))
        for (name, dots), colour, marker in zip(groups.items(), PALETTE, MARKERS, strict=False):
            axes.plot([], [], marker, color=colour, label=name)
            for word, across, up in dots:
                ends = {"xerr": across, "yerr": up}
                bars: dict[str, Any] = {
                    key: [[one.value - one.lo], [one.hi - one.value]] for key, one in ends.items() if one.hi - one.lo < math.inf
                }
                axes.errorbar(across.value, up.value, fmt=marker, color=colour, elinewidth=0.6, **bars)
                axes.annotate(word, (across.value, up.value), xytext=(4, 3), textcoords="offset points", fontsize=7)
        axes.set(xlabel=x, ylabel=y)
        if len(groups) > 1:
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def arrow_figure(
    points: NDArray[Any], labels: NDArray[Any], panels: Mapping[str, Mapping[str, NDArray[Any]]], *, x: str, y: str
) -> Figure:
    """Arrows at the points of a plane, one panel for each field of vectors that share a scale.

    Parameters
    ----------
    points : array (n, 2)
    labels : array (n,), the class of each point; one colour and one marker each
    panels : title -> arrows by their name for the legend, each array (n, 2); the first ones are drawn lighter
    x, y : labels of the axes: quantity and unit

    Examples
    --------
    >>> import numpy as np
    >>> points = np.random.default_rng(0).random((5, 2))
    >>> panels = {"left": {"one": points, "mean": points / 2}, "right": {"one": -points, "mean": -points / 2}}
    >>> len(arrow_figure(points, np.zeros(5), panels, x="x", y="y").axes)
    2
    """
    import matplotlib as mpl
    import numpy as np

    longest = max(float(np.quantile(np.abs(arrows), 0.95)) for fields in panels.values() for arrows in fields.values())
    scale = 4 * longest / max(float(np.ptp(points)), 1e-12) or 1.0
    with mpl.rc_context(STYLE):
        figure, axes = new_figure(columns=len(panels), size=(3.9, 3.4))
        for panel, (title, fields) in zip(axes, panels.items(), strict=True):
            for label, colour, marker in zip(np.unique(labels), PALETTE, MARKERS, strict=False):
                panel.plot(*points[labels == label].T, marker, color=colour, markersize=3, alpha=0.5)
            for place, (name, arrows) in enumerate(fields.items()):
                shade = INK if place == len(fields) - 1 else "#a8a8a8"
                panel.quiver(*points.T, *arrows.T, color=shade, angles="xy", scale_units="xy", scale=scale, width=0.007, label=name)
            panel.set(xlabel=x, ylabel=y, title=title)
            panel.grid(visible=False)
        axes[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
