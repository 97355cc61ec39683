"""Figures for documents, notebooks and users: matplotlib without pyplot, so nothing global is touched and nothing needs a display.

Equal input gives equal bytes: identifiers are hashed with a fixed salt and no date is written. Text stays text. As SVG inside a
web page a figure follows the page: ink becomes ``currentColor`` and the background stays open, so that dark mode works. Colours
are those of M. Okabe and K. Ito, "Color Universal Design" (2008), safe for colour-blind readers; each line has its own marker
too. matplotlib is imported when the first figure is made.
"""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.core.checks import check_one_of, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from holdfast.core.curve import Curve
    from holdfast.core.estimate import Estimate

__all__ = [
    "INK",
    "MARKERS",
    "PALETTE",
    "arrow_figure",
    "curve_figure",
    "map_figure",
    "matrix_figure",
    "new_figure",
    "png",
    "save",
    "scatter_figure",
    "svg",
]

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK = "#1b1e22"
STYLE: Any = {  # matplotlib types its settings by one long list of names
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "figure.dpi": 100,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "grid.alpha": 0.2,
    "grid.color": INK,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.7,
    "lines.markersize": 4.5,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "holdfast",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
FAMILY = "ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif"
# Dates would make equal figures unequal; the producer would name a version of matplotlib.
METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "png": {"Software": None},
}
# What makes matplotlib's file an element of a page: no fixed size, no rule for the page's other elements, no repeated names.
EMBEDDING = (
    (r"<metadata>.*?</metadata>\s*", ""),
    (r"<defs>\s*<style.*?</style>\s*</defs>\s*", ""),
    (r"^<svg([^>]*?) width=\"[^\"]*\"", r"<svg\1"),
    (r"^<svg([^>]*?) height=\"[^\"]*\"", r"<svg\1"),
    (r"^<svg", '<svg style="stroke-linejoin: round; stroke-linecap: butt"'),
    (r"<g id=\"[^\"]*\"", "<g"),
    (r"'DejaVu Sans', sans-serif|'DejaVu Sans'", FAMILY),
)


def new_figure(*, rows: int = 1, columns: int = 1, size: tuple[float, float] = (4.6, 3.0)) -> tuple[Figure, list[Axes]]:
    """An empty figure in the house style and its axes, row by row.

    Parameters
    ----------
    rows, columns : of the grid of axes
    size : width and height of each axes in inches
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.ravel())


def curve_figure(
    curves: Sequence[Curve],
    *,
    title: str = "",
    chance: float | None = None,
    axes: Axes | None = None,
) -> Figure:
    """Curves with their interval bands; axes carry quantity and unit, stress grows to the right, names stand beside the axes.

    Parameters
    ----------
    curves : with one axis, unit and quantity in common; `log` of the first says which axes have powers of ten
    title : of the axes
    chance : level of guessing, drawn as a dotted line
    axes : draw here instead of in a new figure

    Raises
    ------
    InputError : no curve, or curves over different axes

    Examples
    --------
    >>> from holdfast.core.curve import Curve
    >>> from holdfast.core.estimate import proportion
    >>> pgd = Curve(name="pgd", axis="eps", at=(0.0, 0.1), estimates=(proportion(95, 100), proportion(31, 100)))
    >>> curve_figure([pgd], chance=0.1).axes[0].get_xlabel()
    'eps'
    """
    import matplotlib as mpl

    if not curves:
        refuse("curves", "is empty", allowed="at least one curve")
    kinds = {(curve.axis, curve.unit, curve.quantity) for curve in curves}
    if len(kinds) > 1:
        refuse("curves", f"mix {sorted(kinds)}", allowed="one axis, unit and quantity", remedy="Draw one figure for each.")
    with mpl.rc_context(STYLE):
        target = axes if axes is not None else new_figure()[1][0]
        for place, curve in enumerate(curves):
            _draw(target, curve, place)
        if chance is not None:
            target.axhline(chance, color=INK, linewidth=0.9, linestyle=":", label="chance")
        _dress(target, curves, title=title)
    figure = target.get_figure(root=True)
    assert figure is not None, "the axes were made with a figure"
    return figure


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
        axes.set(
            xlabel=labels[0], ylabel=labels[1], xscale="log" if "x" in log else "linear", yscale="log" if "y" in log else "linear"
        )
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


def _draw(axes: Axes, curve: Curve, place: int) -> None:
    import numpy as np

    colour, marker = PALETTE[place % len(PALETTE)], MARKERS[place % len(MARKERS)]
    lower = np.array([estimate.lo for estimate in curve.estimates])
    upper = np.array([estimate.hi for estimate in curve.estimates])
    known = np.isfinite(lower) & np.isfinite(upper)
    at = np.asarray(curve.at, dtype=float)
    if known.sum() > 1 and (upper > lower)[known].any():
        axes.fill_between(at[known], lower[known], upper[known], color=colour, alpha=0.18, linewidth=0)
    axes.plot(at, curve.values, color=colour, marker=marker if len(at) <= 24 else "", label=curve.name.replace("_", " "))


def _dress(axes: Axes, curves: Sequence[Curve], *, title: str) -> None:
    first = curves[0]
    axes.set_xlabel(first.axis.replace("_", " ") + (f" ({first.unit})" if first.unit else ""))
    axes.set_ylabel(first.quantity.replace("_", " "))
    axes.set_title(title)
    for letter in first.log:
        axes.set(**{f"{letter}scale": "log"})
    if len(first.at) > 1 and first.at[0] > first.at[-1]:
        axes.xaxis.set_inverted(True)
    values = [value for curve in curves for value in curve.values]
    if min(values) >= 0 and max(values) <= 1 and max(values) > 0.2 and "y" not in first.log:
        axes.set_ylim(0, 1.02)
    if len(axes.get_lines()) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


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


def _save(figure: Figure, target: Any, *, form: str) -> None:
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        background = "white" if form == "png" else "none"
        figure.savefig(target, format=form, metadata=METADATA[form], dpi=200, facecolor=background)


def svg(figure: Figure) -> str:
    """The figure as an SVG element that can stand inside a web page, in the page's own ink and letters.

    Returns
    -------
    Text that begins with ``<svg``; no declaration, no metadata, no fixed size.
    """
    buffer = io.StringIO()
    _save(figure, buffer, form="svg")
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    for pattern, replacement in EMBEDDING:
        text = re.sub(pattern, replacement, text, flags=re.DOTALL)
    return text


def png(figure: Figure) -> bytes:
    """The figure as a PNG file on white, 200 dots per inch."""
    buffer = io.BytesIO()
    _save(figure, buffer, form="png")
    return buffer.getvalue()


def save(figure: Figure, path: str | Path) -> Path:
    """Write the figure; the suffix of `path` decides the format: ``.svg``, ``.pdf`` or ``.png``."""
    file = Path(path)
    form = check_one_of(file.suffix.removeprefix(".").lower(), "format", allowed=METADATA)
    if form == "svg":
        file.write_text('<?xml version="1.0" encoding="utf-8"?>\n' + svg(figure), encoding="utf-8")
    else:
        _save(figure, file, form=form)
    return file
