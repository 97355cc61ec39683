"""Estimates against strength: the chart with interval bands, the sparkline, small multiples, and an attack's loss per step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from holdfast.report.charts.picture import Picture, distinct, join
from holdfast.report.plot import Plot, nice_ticks, text_width
from holdfast.report.wording import at_strength, axis_label, common_factor, estimate_text, heading, level, number, plain, strength

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from holdfast.report.measured import CurveEntry, EstimateEntry, PointEntry

__all__ = ["SERIES", "curve_chart", "curve_words", "loss_chart", "small_multiples", "sparkline"]

SERIES = 6  # styles s0 ... s5
LONGEST_LABEL = 22
NOT_ZERO = "The vertical axis does not start at 0."
HALF_POINT = "Diamond: the half-point of the margin above chance."


@dataclass(frozen=True)
class _Axis:
    """One axis: its ends and its ticks in plotted units, the map from values to these units, and its factor."""

    ends: tuple[float, float]
    ticks: list[tuple[float, str]]
    place: Callable[[float], float]
    factor: str = ""


def _axis(curves: Sequence[CurveEntry]) -> _Axis:
    strengths = sorted({at for curve in curves for at in curve.at})
    falling = len(curves[0].at) > 1 and curves[0].at[0] > curves[0].at[-1]
    wide = strengths[0] > 0 and (strengths[-1] > 100 * strengths[0] or any("x" in curve.log for curve in curves))
    place: Callable[[float], float] = math.log10 if wide else float
    ends = (place(strengths[0]), place(strengths[-1]))
    scale, factor = (1.0, "") if wide or curves[0].axis == "eps" else common_factor(strengths)
    ticks: list[tuple[float, str]]
    if wide and len(strengths) > 6:
        ticks = _powers(*ends)
    elif len(strengths) <= 12:
        ticks = [(place(at), strength(curves[0].axis, at / scale)) for at in strengths]
    else:
        ticks = [(tick, number(tick / scale)) for tick in nice_ticks(*ends, 5)]
    if ends[0] == ends[1]:
        ends = (ends[0] - 0.5, ends[1] + 0.5)
    return _Axis(ends[::-1] if falling else ends, ticks[::-1] if falling else ticks, place, factor)


def _powers(low: float, high: float) -> list[tuple[float, str]]:
    """Ticks between two powers of ten: the powers themselves, or 1, 2 and 5 of each where there are few."""
    steps = (1,) if high - low >= 2 else (1, 2, 5)
    values = [step * 10.0**power for power in range(math.floor(low), math.floor(high) + 1) for step in steps]
    return [(math.log10(value), number(value)) for value in values if low - 1e-9 <= math.log10(value) <= high + 1e-9]


def _upright(estimates: Sequence[EstimateEntry], *, zoom: bool, log: bool) -> _Axis:
    """The vertical axis; in powers of ten if asked for, and if all values are above 0."""
    values = [entry.value for entry in estimates if entry.value is not None]
    if log and values and min(values) > 0:
        low, high = math.log10(min(values)), math.log10(max(values))
        margin = max(0.05 * (high - low), 0.02)
        ends = (low - margin, high + margin)
        return _Axis(ends, _powers(*ends), lambda value: max(math.log10(value), ends[0]) if value > 0 else ends[0])
    height = _height(estimates, zoom=zoom)
    scale, factor = common_factor(height)
    return _Axis(height, [(tick, number(tick / scale)) for tick in nice_ticks(*height, 5)], float, factor)


def _height(estimates: Sequence[EstimateEntry], *, zoom: bool = False) -> tuple[float, float]:
    """Ends of the vertical axis: 0 to 1 for shares, otherwise (or if they are to be zoomed) round numbers around all intervals."""
    values = [entry.value for entry in estimates if entry.value is not None]
    shares = bool(values) and min(values) >= 0 and max(values) <= 1 and max(values) > 0.2
    if not values or (shares and not (zoom and max(values) - min(values) < 0.3)):
        return (0.0, 1.0)
    reach = max(values) - min(values) or abs(values[0]) or 1.0
    ends = [end for entry in estimates for end in (entry.lo, entry.hi) if end is not None]
    low = max(min([*values, *ends]), min(values) - reach)
    high = min(max([*values, *ends]), max(values) + reach)
    if 0 < low < 0.4 * high:
        low = 0.0
    step = nice_ticks(low, high, 5)
    width = step[1] - step[0] if len(step) > 1 else reach
    return (math.floor(low / width + 1e-9) * width, math.ceil(high / width - 1e-9) * width)


def curve_words(label: str, curve: CurveEntry) -> str:
    """A curve as a sentence: all of a short one, ends and extremes of a long one."""
    pairs = [(at, entry.value) for at, entry in zip(curve.at, curve.estimates, strict=True) if entry.value is not None]
    if not pairs:
        return f"{label}: no values."
    if len(pairs) > 8:
        low, high = min(pairs, key=lambda pair: pair[1]), max(pairs, key=lambda pair: pair[1])
        pairs = list(dict.fromkeys([pairs[0], low, high, pairs[-1]]))
    told = ", ".join(f"{number(value)} at {strength(curve.axis, at)}" for at, value in pairs)
    return f"{label}: {told}."


def _draw(plot: Plot, curve: CurveEntry, axis: _Axis, *, style: str, label: str, up: Callable[[float], float]) -> None:
    rows = [(axis.place(at), at, entry) for at, entry in zip(curve.at, curve.estimates, strict=True) if entry.value is not None]
    banded = [(x, up(entry.lo), up(entry.hi)) for x, _, entry in rows if entry.lo is not None and entry.hi is not None]
    plot.band([(x, lo) for x, lo, _ in banded], [(x, hi) for x, _, hi in banded], style)
    plot.line([(x, up(entry.value or 0.0)) for x, _, entry in rows], style)
    for x, at, entry in rows:
        tip = (
            f"{label}\n{curve.axis} {strength(curve.axis, at)} {curve.unit}".rstrip()
            + f"\n{estimate_text(entry)}, n {number(entry.n)}"
        )
        plot.dot((x, up(entry.value or 0.0)), style, tip, radius=2.6 if len(rows) <= 24 else 0)


def _line(plot: Plot, curve: CurveEntry, axis: _Axis, *, up: Callable[[float], float]) -> list[tuple[float, float]]:
    """A curve in pixels."""
    pairs = zip(curve.at, curve.estimates, strict=True)
    return [(plot.across(axis.place(at)), plot.up(up(entry.value))) for at, entry in pairs if entry.value is not None]


def _name_chance(plot: Plot, chance: float, lines: Sequence[Sequence[tuple[float, float]]]) -> None:
    """The word for the line of chance, at the end and on the side where no curve crosses it."""
    words = f"chance {number(chance)}"
    width, right = text_width(words), plot.width - plot.right
    above, below = plot.up(chance) - 4, plot.up(chance) + 13
    starts = {"start": plot.left + 4, "end": right - 4}
    places = [(x, y, anchor) for y in (above, below) for anchor, x in starts.items() if y < plot.height - plot.bottom - 2]

    def free(place: tuple[float, float, str]) -> bool:
        x, y, anchor = place
        left = x if anchor == "start" else x - width
        return not any(_crosses(line, (left - 2, left + width + 2), (y - 11, y + 3)) for line in lines)

    x, y, anchor = next(filter(free, places), places[0])
    plot.text(x, y, words, anchor=anchor)


def _crosses(line: Sequence[tuple[float, float]], across: tuple[float, float], up: tuple[float, float]) -> bool:
    """True if a line of straight pieces meets a rectangle; all in pixels."""
    for start, end in pairwise(sorted(line)):
        left, right = max(start[0], across[0]), min(end[0], across[1])
        if left <= right:
            heights = [float(np.interp(x, (start[0], end[0]), (start[1], end[1]))) for x in (left, right)]
            if min(heights) <= up[1] and max(heights) >= up[0]:
                return True
    return False


def _half_point(plot: Plot, curve: CurveEntry, axis: _Axis, *, style: str, chance: float) -> bool:
    if any(entry.value is None for entry in curve.estimates):
        return False
    known = curve.curve()
    crossing = known.half_point(chance)
    if crossing is None or crossing == known.at[0]:
        return False
    x, y = plot.across(axis.place(crossing)), plot.up(known.interpolate(crossing))
    plot.add(f'<path class="half {style}" d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5-5z"/>')
    return True


def curve_chart(
    curves: Sequence[tuple[str, CurveEntry]],
    *,
    title: str,
    axis: str = "",
    chance: float | None = None,
    baseline: Sequence[CurveEntry] = (),
    note: str = "",
    zoom: bool = False,
) -> Picture:
    """Estimates against strength with interval bands; the names stand at the ends of the lines.

    Parameters
    ----------
    curves : pairs of a label and a curve, all with one axis, unit and quantity
    title : of the figure
    axis : what the horizontal axis is called; default: the curves' own word
    chance : accuracy of guessing; drawn as a line, and half-points are marked against it
    baseline : curves of the model before, drawn dashed
    note : below the title
    zoom : do not show shares from 0 to 1 where they differ by less than 0.3
    """
    first = curves[0][1]
    across = axis_label(axis or first.axis, first.unit)
    drawn = _axis([curve for _, curve in curves] + list(baseline))
    everything = [entry for curve in [*(curve for _, curve in curves), *baseline] for entry in curve.estimates]
    shown = distinct([label for label, _ in curves], LONGEST_LABEL) + ["before"] * bool(baseline)
    named = len(shown) > 1
    right = 10 + max(text_width(label) for label in shown) if named else 14
    tall = _upright(everything, zoom=zoom, log="y" in first.log)
    left = 12 + max((text_width(label) for _, label in tall.ticks), default=0)
    plot = Plot(x=drawn.ends, y=tall.ends, right=right, top=24, bottom=38, height=224, left=left)
    plot.axes(drawn.ticks, tall.ticks, x_label=across + drawn.factor, y_label=plain(first.quantity) + tall.factor)
    if chance is not None and tall.ends == (0.0, 1.0):
        plot.line([(drawn.ends[0], chance), (drawn.ends[1], chance)], "chance")
        _name_chance(
            plot, chance, [_line(plot, curve, drawn, up=tall.place) for curve in (*(curve for _, curve in curves), *baseline)]
        )
    for curve in baseline:
        _draw(plot, curve, drawn, style="before", label="before", up=tall.place)
    marked = False
    for place, (label, curve) in enumerate(curves):
        style = f"s{place % SERIES}"
        _draw(plot, curve, drawn, style=style, label=label, up=tall.place)
        marked |= chance is not None and _half_point(plot, curve, drawn, style=style, chance=chance)
    if named:
        _name_lines(plot, [*(curve for _, curve in curves), *baseline[:1]], shown, up=tall.place)
    words = " ".join([f"{first.quantity} against {across}.", *(curve_words(*entry) for entry in curves)])
    told = [note, HALF_POINT if marked else "", NOT_ZERO if zoom and tall.place is float and tall.ends[0] > 0 else ""]
    return Picture(title=title, note=" ".join(filter(None, told)), body=plot.render(words))


def _name_lines(plot: Plot, curves: Sequence[CurveEntry], names: Sequence[str], *, up: Callable[[float], float]) -> None:
    entries = []
    for place, (curve, name) in enumerate(zip(curves, names, strict=True)):
        values = [entry.value for entry in curve.estimates if entry.value is not None]
        style = "before" if name == "before" and place == len(names) - 1 else f"s{place % SERIES}"
        entries.append((up(values[-1]) if values else plot.y[0], name, style))
    plot.labels(entries, x=plot.width - plot.right + 8)


def sparkline(
    curve: CurveEntry,
    baseline: CurveEntry | None = None,
    *,
    size: tuple[float, float] = (140, 36),
    ends: tuple[float, float] | None = None,
) -> Markup:
    """A word-sized curve with its band; the model before is dashed; `ends` are those of the vertical axis."""
    width, height = size
    axis = _axis([curve, *([baseline] if baseline else [])])
    shape = ends or _height(curve.estimates)
    plot = Plot(width=width, height=height, left=3, right=3, top=3, bottom=3, x=axis.ends, y=shape)
    plot.add(f'<path class="grid" d="M0 {height - 3:.0f}H{width:.0f}"/>')
    for entry, style in ((baseline, "before"), (curve, "s0")):
        if entry is None:
            continue
        rows = [(axis.place(at), point) for at, point in zip(entry.at, entry.estimates, strict=True) if point.value is not None]
        banded = [(x, point.lo, point.hi) for x, point in rows if point.lo is not None and point.hi is not None]
        if style == "s0":
            plot.band([(x, lo) for x, lo, _ in banded], [(x, hi) for x, _, hi in banded], style)
        plot.line([(x, point.value or 0.0) for x, point in rows], style)
        if rows and style == "s0":
            plot.dot((rows[-1][0], rows[-1][1].value or 0.0), style, radius=2)
    return plot.render(curve_words(curve.name, curve), style="spark")


def small_multiples(curves: Sequence[tuple[str, CurveEntry]], *, title: str, axis: str = "") -> Picture:
    """Many curves, each in its own small frame on common axes; `axis` is what the horizontal one is called."""
    first = curves[0][1]
    shape = _height([entry for _, curve in curves for entry in curve.estimates], zoom=True)
    cells = [
        Markup('<div class="multiple"><span class="what">{}</span>{}<span class="ends">{} → {} {}</span></div>').format(
            label,
            sparkline(curve, size=(112, 40), ends=shape),
            level(curve.estimates[0].value),
            level(curve.estimates[-1].value),
            at_strength(axis or plain(curve.axis), curve.axis, curve.at[-1], among=curve.at),
        )
        for label, curve in curves
    ]
    ends = f"{strength(first.axis, first.at[0])} to {strength(first.axis, first.at[-1])} {first.unit}".rstrip()
    shown = f"Vertical scale {number(shape[0])} to {number(shape[1])}; numbers: first and last."
    note = f"{heading(first.quantity)} against {axis or plain(first.axis)}, {ends}. {shown}"
    return Picture(
        title=title, note=note, body=Markup('<div class="multiples">{}</div>').format(join(cells)), span=3 if len(cells) > 8 else 1
    )


def loss_chart(points: Sequence[PointEntry], *, title: str) -> Picture | None:
    """Mean loss of an attack after each step, one line per strength; None if no point kept it."""
    kept: Mapping[str, list[float]] = {
        ", ".join(f"{axis} {strength(axis, value)}" for axis, value in point.at.items()): point.details.loss
        for point in points
        if point.details.loss and len(point.details.loss) > 1
    }
    if not kept:
        return None
    lines = dict(list(kept.items())[-SERIES:])
    steps = max(map(len, lines.values()))
    low, high = min(min(line) for line in lines.values()), max(max(line) for line in lines.values())
    ticks = nice_ticks(min(0.0, low), high or 1.0, 5)
    names = distinct(list(lines), LONGEST_LABEL)
    right = 12 + max(map(text_width, names))
    left = 12 + max(text_width(number(tick)) for tick in ticks)
    plot = Plot(x=(0, steps - 1), y=(min(0.0, low), max(high, ticks[-1])), right=right, left=left, top=24, bottom=38, height=224)
    steps_shown = [(tick, number(tick)) for tick in nice_ticks(0, steps - 1, 5)]
    plot.axes(steps_shown, [(tick, number(tick)) for tick in ticks], x_label="step", y_label="mean loss")
    for place, (label, losses) in enumerate(lines.items()):
        plot.line(list(enumerate(losses)), f"r{place}")
        plot.dot(
            (len(losses) - 1, losses[-1]),
            f"r{place}",
            f"{label}\nloss {number(losses[0])} to {number(losses[-1])} in {len(losses) - 1} steps",
        )
    plot.labels([(losses[-1], name, "plain") for losses, name in zip(lines.values(), names, strict=True)], x=plot.width - right + 8)
    told = "; ".join(f"{label}: {number(losses[0])} to {number(losses[-1])}" for label, losses in lines.items())
    return Picture(
        title=title, note="A flat end means that the attack has converged.", body=plot.render(f"Mean loss against step. {told}.")
    )
