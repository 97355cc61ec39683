"""Accuracy over simulated chips: every chip as a point, and the yield that an accuracy demand leaves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from holdfast.core.estimate import FEWEST_FOR_P05
from holdfast.report.charts.picture import Picture, clip
from holdfast.report.plot import Plot, nice_ticks, text_width, thin_ticks
from holdfast.report.wording import number, strength

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.report.measured import PointEntry

__all__ = ["chip_groups", "chip_strip", "yield_curve"]

GOLDEN = (math.sqrt(5) - 1) / 2
MOST_LINES = 6


def chip_groups(points: Sequence[PointEntry]) -> dict[str, list[PointEntry]]:
    """Points that kept their chips, by everything in `at` that is not a number (a kind of noise, say)."""
    groups: dict[str, list[PointEntry]] = {}
    for point in points:
        if point.details.chips:
            kind = ", ".join(strength(axis, value) for axis, value in point.at.items() if isinstance(value, str))
            groups.setdefault(kind, []).append(point)
    return groups


def _varying(points: Sequence[PointEntry]) -> str:
    numeric = [axis for axis, value in points[0].at.items() if isinstance(value, int | float)]
    changing = [axis for axis in numeric if len({str(point.at.get(axis)) for point in points}) > 1]
    return (changing or numeric or [""])[0]


def _low(chips: Sequence[float]) -> float:
    """The 5th percentile, linear between order statistics; of few chips, which do not show it, the worst one."""
    if len(chips) < FEWEST_FOR_P05:
        return min(chips)
    order = sorted(chips)
    place = 0.05 * (len(order) - 1)
    below = int(place)
    above = min(below + 1, len(order) - 1)
    return order[below] + (place - below) * (order[above] - order[below])


def chip_strip(points: Sequence[PointEntry], *, title: str) -> Picture | None:
    """One column per strength: each chip a point, a long bar at the mean, a short one at the 5th percentile or the worst."""
    rows: Mapping[str, list[float]] = {
        strength(_varying(points), point.at.get(_varying(points))): point.details.chips for point in points if point.details.chips
    }
    if not rows:
        return None
    least = min(min(chips) for chips in rows.values())
    low = 0.0 if least < 0.6 else math.floor(10 * least) / 10 - 0.1
    plot = Plot(x=(-0.5, len(rows) - 0.5), y=(low, 1.0), left=36, top=24, bottom=38, height=224)
    plot.axes(list(enumerate(rows)), x_label=_varying(points).replace("_", " "), y_label="accuracy of each chip")
    told = []
    for column, (label, chips) in enumerate(rows.items()):
        scatter = [(column + 0.56 * (((place + 1) * GOLDEN) % 1 - 0.5), value) for place, value in enumerate(chips)]
        plot.speckle(scatter, "s0")
        mean, low_chip = sum(chips) / len(chips), _low(chips)
        for value, half, style in ((mean, 0.38, "mean"), (low_chip, 0.2, "fifth")):
            left, right, up = plot.across(column - half), plot.across(column + half), plot.up(value)
            plot.add(f'<path class="{style}" d="M{left:.1f} {up:.1f}H{right:.1f}"/>')
        percentile = f"5th percentile {number(low_chip)}, " if len(chips) >= FEWEST_FOR_P05 else ""
        words = f"mean {number(mean)}, {percentile}worst of {len(chips)} chips {number(min(chips))}"
        plot.dot((column, mean), "none", f"{label}\n{words.replace(', ', chr(10))}", radius=0)
        told.append(f"at {label} {words}")
    most = max(map(len, rows.values()))
    note = f"{most} chips each. Long bar: mean; short bar: {'5th percentile' if most >= FEWEST_FOR_P05 else 'worst chip'}."
    return Picture(title=title, note=note, body=plot.render(f"Accuracy over chips: {'; '.join(told)}."))


def yield_curve(points: Sequence[PointEntry], *, title: str) -> Picture | None:
    """Share of chips at least as accurate as demanded, one stair per strength, darker for stronger."""
    axis = _varying(points) if points else ""
    rows = {strength(axis, point.at.get(axis)): sorted(point.details.chips) for point in points if point.details.chips}
    rows = {label: chips for label, chips in rows.items() if len(chips) > 1}
    if not rows:
        return None
    chosen = list(rows.items())
    if len(chosen) > MOST_LINES:
        chosen = [chosen[round(place * (len(chosen) - 1) / (MOST_LINES - 1))] for place in range(MOST_LINES)]
    least = min(chips[0] for _, chips in chosen)
    low = 0.0 if least < 0.6 else math.floor(10 * least) / 10 - 0.1
    names = [clip(label, 12) for label, _ in chosen]
    right = 14 + max(text_width(name) for name in names)
    plot = Plot(x=(low, 1.0), y=(0.0, 1.0), left=36, top=24, bottom=38, height=224, right=right)
    ticks = [(tick, number(tick)) for tick in nice_ticks(low, 1, 5)]
    plot.axes(thin_ticks(plot.across, ticks), x_label="accuracy demanded", y_label="share of chips that reach it")
    told = []
    for place, (label, chips) in enumerate(chosen):
        n = len(chips)
        stair = [(low, 1.0)]
        for index, value in enumerate(chips):
            stair += [(value, 1 - index / n), (value, 1 - (index + 1) / n)]
        plot.line(stair, f"r{round(place * (MOST_LINES - 1) / max(1, len(chosen) - 1))}")
        middle = chips[n // 2]
        plot.dot(
            (middle, 0.5), "none", f"{axis} {label}\nhalf of {n} chips reach {number(middle)}\nworst {number(chips[0])}", radius=0
        )
        told.append(f"{label}: half of the chips reach {number(middle)}, all reach {number(chips[0])}")
    _name_stairs(plot, [(chips, name) for (_, chips), name in zip(chosen, names, strict=True)])
    return Picture(title=title, note=f"One stair per {axis.replace('_', ' ')}.", body=plot.render(f"Yield. {'; '.join(told)}."))


def _name_stairs(plot: Plot, stairs: Sequence[tuple[Sequence[float], str]]) -> None:
    """Legend in the right margin, strongest last, each with a short piece of its line."""
    for place, (_, name) in enumerate(stairs):
        style = f"r{round(place * (MOST_LINES - 1) / max(1, len(stairs) - 1))}"
        x, y = plot.width - plot.right + 6, plot.top + 8 + 14 * place
        plot.add(f'<path class="line {style}" d="M{x:.1f} {y:.1f}h6"/>')
        plot.text(x + 9, y + 3.5, name)
