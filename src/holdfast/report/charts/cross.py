"""Examples across stresses: who fails where, and the clean margin against the strength that breaks each example."""

from __future__ import annotations

import math
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from holdfast.report.charts.picture import Picture, join
from holdfast.report.plot import Plot, nice_ticks, text_width
from holdfast.report.wording import axis_label, heading, number, strength

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from holdfast.report.examples import Cross, CrossBreaking

__all__ = ["cross_matrix", "margin_scatter"]

GOLDEN = (math.sqrt(5) - 1) / 2


def cross_matrix(cross: Cross) -> Picture | None:
    """One row per stress, hardest first, one column per example; examples with the same outcomes stand together."""
    n = len(cross.outcomes)
    if not n or not cross.columns:
        return None
    failures = [sum(outcome[place] == "0" for outcome in cross.outcomes) for place in range(len(cross.columns))]
    order = sorted(range(len(cross.columns)), key=lambda place: (-failures[place], place))
    patterns = Counter("".join(outcome[place] for place in order) for outcome in cross.outcomes)
    columns = sorted(patterns.items(), key=lambda entry: (entry[0].translate(str.maketrans("01-", "021")), entry[0]))
    rows = []
    for row, place in enumerate(order):
        label, failed = cross.columns[place].label, failures[place]
        words = f"{label}: {failed} of {n} examples fail"
        strip = _strip([(pattern[row], count) for pattern, count in columns], n, words)
        rows.append(
            Markup('<tr><th scope="row">{}</th><td class="stripe">{}</td><td class="num">{}</td></tr>').format(label, strip, failed)
        )
    always = sum(count for pattern, count in columns if "0" not in pattern)
    body = Markup(
        '<div class="scroll"><table class="rows cross"><thead><tr>'
        '<th>stress</th><th>{} examples, those with the same outcomes together</th><th class="num">fail</th></tr></thead>'
        "<tbody>{}</tbody></table></div>"
    ).format(n, join(rows))
    return Picture(title="Who fails where", note=f"Filled: wrong. {always} of {n} examples survive everything.", body=body, span=3)


def _strip(letters: Sequence[tuple[str, int]], n: int, words: str) -> Markup:
    parts, start = [], 0
    for letter, run in groupby(letters, key=lambda entry: entry[0]):
        width = sum(count for _, count in run)
        if letter != "1":
            parts.append(f'<path class="{"lost" if letter == "0" else "unknown"}" d="M{start} 0h{width}v1h-{width}z"/>')
        start += width
    plot = Plot(width=n, height=1)
    for part in parts:
        plot.add(part)
    return plot.render(words, style="stripe", stretch=True)


def margin_scatter(cross: Cross, entry: CrossBreaking, *, title: str = "", axis: str = "") -> Picture | None:
    """Clean margin of each example against the strength at which it first fails; those that never failed stand on top.

    Parameters
    ----------
    cross : the table whose margins are drawn
    entry : the strengths of one stress
    title, axis : what the stress and its axis are called; default: made from their names
    """
    pairs = [(margin, value) for margin, value in zip(cross.margins, entry.values, strict=False) if margin is not None]
    levels = entry.strengths
    if len(pairs) < 3 or not levels:
        return None
    low, high = min(margin for margin, _ in pairs), max(margin for margin, _ in pairs)
    names = [strength(entry.axis, level) for level in levels] + ["never"]
    left = 12 + max(text_width(name) for name in names)
    plot = Plot(x=(low, high), y=(-0.5, len(levels) + 0.5), left=left, top=24, bottom=38, height=224)
    ticks = [(tick, number(tick)) for tick in nice_ticks(low, high, 5)]
    step = max(1, math.ceil(len(names) / 12))
    shown = [(float(place), name) for place, name in enumerate(names) if place % step == 0 or name == "never"]
    plot.axes(ticks, shown, x_label="clean margin (logits)", y_label=f"breaks at {axis_label(axis or entry.axis, entry.unit)}")
    rank = {level: place for place, level in enumerate(levels)}
    heights = [len(levels) if value is None else rank.get(value, 0) for _, value in pairs]
    jitter = [0.7 * (((place + 1) * GOLDEN) % 1 - 0.5) for place in range(len(pairs))]
    for survived, style in ((False, "s1"), (True, "s0")):
        chosen = [place for place, (_, value) in enumerate(pairs) if (value is None) == survived]
        plot.speckle([(pairs[place][0], heights[place] + jitter[place]) for place in chosen], style)
    never = sum(value is None for _, value in pairs)
    correlation = _rank_correlation([margin for margin, _ in pairs], heights)
    note = f"{never} of {len(pairs)} never break. Rank correlation {number(correlation, 2)}."
    words = f"Clean margin against the {entry.axis} that breaks each of {len(pairs)} examples under {entry.stress}. {note}"
    return Picture(title=title or heading(entry.stress), note=note, body=plot.render(words))


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Ranks from 1, equal values sharing their mean rank."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def _rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rank correlation, or None where one side does not vary.

    Written out because importing ``scipy.stats`` takes longer than drawing the whole page.
    """
    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])
