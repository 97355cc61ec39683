"""Numbers with intervals in rows: verdicts against their threshold, classes, layers, paired differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from holdfast.report.charts.picture import Picture, join
from holdfast.report.wording import at_text, class_words, estimate_text, gist, interval, number, threshold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.report.examples import ComparisonRow
    from holdfast.report.judged import ClaimEntry
    from holdfast.report.measured import EstimateEntry, Layer

__all__ = ["class_accuracies", "forest", "interval_strip", "layer_sensitivity", "verdict_strip"]

MOST_ROWS = 30


def interval_strip(
    value: float | None,
    ends: tuple[float | None, float | None],
    *,
    domain: tuple[float, float],
    mark: float | None = None,
    wanted: tuple[float, float] | None = None,
    style: str = "",
) -> Markup:
    """A dot with its whisker on a common scale, as wide as its cell.

    Parameters
    ----------
    value, ends : the number and its interval; None: unbounded on that side
    domain : ends of the scale
    mark : where a reference line stands
    wanted : the range that a claim asks for, shaded
    style : further class of the strip, e.g. ``"fail"``
    """
    if value is None:
        return Markup('<span class="strip none" role="img" aria-label="not measured"></span>')

    def share(number: float) -> float:
        return min(1.0, max(0.0, (number - domain[0]) / (domain[1] - domain[0])))

    lo, hi = (value if end is None else end for end in ends)
    parts = []
    if wanted is not None:
        left, right = share(wanted[0]), share(wanted[1])
        parts.append(Markup('<i class="wanted" style="left:{:.1f}%;width:{:.1f}%"></i>').format(100 * left, 100 * (right - left)))
    if mark is not None:
        parts.append(Markup('<i class="mark" style="left:{:.1f}%"></i>').format(100 * share(mark)))
    parts.append(
        Markup('<i class="reach" style="left:{:.1f}%;width:{:.1f}%"></i>').format(100 * share(lo), 100 * (share(hi) - share(lo)))
    )
    parts.append(Markup('<i class="at" style="left:{:.1f}%"></i>').format(100 * share(value)))
    words = interval(value, *ends)
    return Markup('<span class="strip {}" role="img" aria-label="{}" title="{}">{}</span>').format(style, words, words, join(parts))


def verdict_strip(entry: ClaimEntry) -> Markup:
    """A claim's number with its interval against the range that it must lie in, on the claim's own scale."""
    known = threshold(entry.expected)
    if entry.value is None or known is None:
        return interval_strip(None, (None, None), domain=(0, 1))
    operator, level = known
    lo = entry.value if entry.lo is None else entry.lo
    hi = entry.value if entry.hi is None else entry.hi
    low, high = min(lo, level), max(hi, level)
    room = 0.25 * (high - low) or abs(level) * 0.1 or 1.0
    domain = (low - room, high + room)
    wanted = {">": (level, domain[1]), "<": (domain[0], level)}.get(operator[0], (level, level))
    return interval_strip(entry.value, (entry.lo, entry.hi), domain=domain, mark=level, wanted=wanted, style=entry.status)


def _rows(entries: Sequence[tuple[str, Markup, str]], head: tuple[str, str]) -> Markup:
    body = join(
        Markup('<tr><th scope="row">{}</th><td class="strips">{}</td><td class="num">{}</td></tr>').format(label, strip, words)
        for label, strip, words in entries
    )
    return Markup(
        '<div class="scroll"><table class="rows"><thead><tr><th>{}</th><td></td><th class="num">{}</th></tr></thead>'
        "<tbody>{}</tbody></table></div>"
    ).format(*head, body)


def class_accuracies(estimates: Sequence[EstimateEntry], names: Sequence[str]) -> Picture | None:
    """Accuracy of each class with its interval, in the order of the classes; of many classes the worst 30."""
    known = [
        (names[place] if place < len(names) else str(place), entry)
        for place, entry in enumerate(estimates)
        if entry.value is not None
    ]
    if not known:
        return None
    worst = min(known, key=lambda row: row[1].value or 0.0)
    shown = known if len(known) <= MOST_ROWS else sorted(known, key=lambda row: row[1].value or 0.0)[:MOST_ROWS]
    low = min(entry.value if entry.lo is None else entry.lo for _, entry in shown if entry.value is not None)
    domain = (0.0 if low < 0.5 else 0.5 if low < 0.75 else 0.7, 1.0)
    entries = [
        (name, interval_strip(entry.value, (entry.lo, entry.hi), domain=domain), estimate_text(entry)) for name, entry in shown
    ]
    note = f"Scale from {number(domain[0])} to 1. Worst: {class_words(worst[0])} ({number(worst[1].value)})."
    return Picture(title="Accuracy of each class", note=note, body=_rows(entries, ("class", "accuracy")))


def layer_sensitivity(layers: Sequence[Layer], *, title: str) -> Picture | None:
    """What remains when one layer alone is stressed."""
    known = [layer for layer in layers if layer.value is not None]
    if not known:
        return None
    worst = min(known, key=lambda layer: layer.value or 0.0)
    entries = [
        (layer.name, interval_strip(layer.value, (layer.lo, layer.hi), domain=(0, 1)), interval(layer.value, layer.lo, layer.hi))
        for layer in known[:MOST_ROWS]
    ]
    note = f"Each layer stressed alone. Most sensitive: {worst.name}."
    return Picture(title=title, note=note, body=_rows(entries, ("layer", "accuracy")))


def forest(rows: Sequence[ComparisonRow], names: Mapping[str, str] | None = None) -> Picture | None:
    """Paired differences, after minus before, with their intervals; full dots are significant at 0.05 after Holm's correction.

    Parameters
    ----------
    rows : of the comparison
    names : short names of stresses
    """
    known = [row for row in rows if row.delta.value is not None]
    if not known:
        return None
    ends = [abs(end) for row in known for end in (row.delta.lo, row.delta.hi, row.delta.value) if end is not None]
    reach = 1.1 * max([*ends, 0.01])
    entries = []
    for row in known:
        significant = row.p_holm is not None and row.p_holm < 0.05
        style = ("better" if (row.delta.value or 0) > 0 else "worse") if significant else "same"
        strip = interval_strip(row.delta.value, (row.delta.lo, row.delta.hi), domain=(-reach, reach), mark=0.0, style=style)
        sign = "+" if (row.delta.value or 0) > 0 else ""
        name = gist(row.metric, names) + (f", {at_text(row.at)}" if row.at else "")
        entries.append((name[:1].upper() + name[1:], strip, sign + estimate_text(row.delta)))
    note = (
        f"Scale from {number(-reach, 2)} to {number(reach, 2)}; left of the line: worse. Full dots: p < 0.05 (exact McNemar, Holm)."
    )
    return Picture(title="Paired differences", note=note, body=_rows(entries, ("metric", "after − before")), span=3)
