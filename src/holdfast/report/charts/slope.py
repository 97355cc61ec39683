"""Before and after as slopes: one small chart per metric, one line per strength."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.report.charts.picture import Picture, clip
from holdfast.report.plot import Plot, nice_ticks, text_width
from holdfast.report.wording import at_text, estimate_text, heading, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.report.examples import ComparisonRow

__all__ = ["slope_chart"]

MOST_LINES = 12


def slope_chart(metric: str, rows: Sequence[ComparisonRow], names: Mapping[str, str] | None = None) -> Picture | None:
    """Each strength of one metric as a line from before to after; coloured where the difference is significant after Holm.

    Parameters
    ----------
    metric : dotted name
    rows : of the comparison, all of this metric
    names : short names of stresses
    """
    known = [row for row in rows if row.before.value is not None and row.after.value is not None][:MOST_LINES]
    if not known:
        return None
    values = [value for row in known for value in (row.before.value, row.after.value) if value is not None]
    ends = (0.0, 1.0) if min(values) >= 0 and max(values) <= 1 else (min(values), max(values) or 1.0)
    labels = [clip(at_text(row.at), 22) or number(row.after.value) for row in known]
    right = 14 + max(text_width(name) for name in labels)
    plot = Plot(x=(0, 1), y=ends, left=44, right=right, top=24, bottom=30, height=max(224, 60 + 14 * len(known)))
    ticks = [(tick, number(tick)) for tick in nice_ticks(*ends, 5)]
    plot.axes([(0, "before"), (1, "after")], ticks, y_label=metric.rsplit(".", 1)[-1].replace("_", " "))
    ends_of_lines = []
    for row, name in zip(known, labels, strict=True):
        before, after = row.before.value or 0.0, row.after.value or 0.0
        significant = row.p_holm is not None and row.p_holm < 0.05
        style = ("better" if after > before else "worse") if significant else "same"
        tip = f"{at_text(row.at) or metric}\nbefore {estimate_text(row.before)}\nafter {estimate_text(row.after)}"
        plot.line([(0, before), (1, after)], style).dot((0, before), style, tip).dot((1, after), style, tip)
        ends_of_lines.append((after, name, style))
    plot.labels(ends_of_lines, x=plot.width - right + 8)
    told = "; ".join(f"{at_text(row.at) or 'value'}: {number(row.before.value)} to {number(row.after.value)}" for row in known)
    parts = metric.split(".")
    stress = parts[1] if len(parts) > 2 else metric
    title = (names or {}).get(stress) or heading(stress)
    return Picture(title=title, note="Grey: not significant.", body=plot.render(f"{metric} before and after. {told}."))
