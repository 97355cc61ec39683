"""Figures for documents, notebooks and users: matplotlib without pyplot, so nothing global is touched and nothing needs a display.

Equal input gives equal bytes: identifiers are hashed with a fixed salt and no date is written. Text stays text. As SVG inside a
web page a figure follows the page: ink becomes ``currentColor`` and the background stays open, so that dark mode works. Colours
are those of M. Okabe and K. Ito, "Color Universal Design" (2008), safe for colour-blind readers; each line has its own marker
too. matplotlib is imported when the first figure is made.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.core.checks import check_one_of, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from holdfast.core.estimate import Estimate

__all__ = [
    "INK",
    "MARKERS",
    "PALETTE",
    "Drawable",
    "add_curve",
    "curve_figure",
    "new_figure",
    "png",
    "save",
    "svg",
]

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK = "#1b1e22"
STYLE: Any = {  # matplotlib types its settings by one long list of names
    "axes.edgecolor": INK,
    "axes.formatter.limits": (-3, 5),
    "axes.formatter.use_mathtext": True,
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


class Drawable(Protocol):
    """What is drawn of a :class:`holdfast.core.curve.Curve`, whose own ``plot`` draws by this module."""

    @property
    def name(self) -> str:
        """Of the line."""

    @property
    def axis(self) -> str:
        """What the strength is."""

    @property
    def unit(self) -> str:
        """Of the strength."""

    @property
    def quantity(self) -> str:
        """What is estimated."""

    @property
    def at(self) -> tuple[float, ...]:
        """Strengths."""

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """One per strength."""

    @property
    def log(self) -> str:
        """Axes that have powers of ten."""


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
    curves: Sequence[Drawable],
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
        _dress(target, curves)
        target.set_title(title)
        if len(target.get_lines()) > 1:
            target.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure = target.get_figure(root=True)
    assert figure is not None, "the axes were made with a figure"
    return figure


def add_curve(curve: Drawable, axes: Axes | None = None) -> Axes:
    """Draw `curve` with its interval into `axes`, in the next colour, and give the axes back; a legend names several curves.

    Parameters
    ----------
    curve : to draw
    axes : of any figure, e.g. of ``matplotlib.pyplot.subplots``; default: those of a new figure on white
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        if axes is None:
            figure, (target,) = new_figure()
            figure.set_facecolor("white")
            target.set_title(curve.name.replace("_", " "))
        else:
            target = axes
        _draw(target, curve, len(target.get_lines()))
        _dress(target, [curve])
        if len(target.get_lines()) > 1:
            target.legend(loc="best")
    return target


def _draw(axes: Axes, curve: Drawable, place: int) -> None:
    import numpy as np

    colour, marker = PALETTE[place % len(PALETTE)], MARKERS[place % len(MARKERS)]
    lower = np.array([estimate.lo for estimate in curve.estimates])
    upper = np.array([estimate.hi for estimate in curve.estimates])
    known = np.isfinite(lower) & np.isfinite(upper)
    at = np.asarray(curve.at, dtype=float)
    if known.sum() > 1 and (upper > lower)[known].any():
        axes.fill_between(at[known], lower[known], upper[known], color=colour, alpha=0.18, linewidth=0)
    elif known.any():
        axes.vlines(at[known], lower[known], upper[known], color=colour, alpha=0.5)
    axes.plot(
        at,
        [estimate.value for estimate in curve.estimates],
        color=colour,
        marker=marker if len(at) <= 24 else "",
        label=curve.name.replace("_", " "),
    )


def _dress(axes: Axes, curves: Sequence[Drawable]) -> None:
    first = curves[0]
    axes.set_xlabel(first.axis.replace("_", " ") + (f" ({first.unit})" if first.unit else ""))
    axes.set_ylabel(first.quantity.replace("_", " "))
    for letter in first.log:
        axes.set(**{f"{letter}scale": "log"})
    if "x" not in first.log:
        axes.locator_params(axis="x", nbins=5)
    if len(first.at) > 1 and first.at[0] > first.at[-1]:
        axes.xaxis.set_inverted(True)
    values = [estimate.value for curve in curves for estimate in curve.estimates]
    if min(values) >= 0 and max(values) <= 1 and max(values) > 0.2 and "y" not in first.log:
        axes.set_ylim(0, 1.02)


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
