"""Two axes at once: a table whose cells carry the number and are tinted by what was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from holdfast.report.charts.picture import Picture, join
from holdfast.report.wording import estimate_text, strength

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.report.measured import EstimateEntry, PointEntry

__all__ = ["heat_axes", "heat_table"]


def heat_axes(points: Sequence[PointEntry]) -> tuple[str, str] | None:
    """The axis in words and the axis in numbers that the points span, or None if they span no such table."""
    if len(points) < 4:
        return None
    kinds = [axis for axis, value in points[0].at.items() if isinstance(value, str)]
    numbers = [axis for axis, value in points[0].at.items() if isinstance(value, int | float) and not isinstance(value, bool)]
    rows = [axis for axis in kinds if len({point.at.get(axis) for point in points if isinstance(point.at.get(axis), str)}) > 2]
    return (rows[0], numbers[0]) if len(rows) == 1 and len(numbers) == 1 else None


def heat_table(points: Sequence[PointEntry], axes: tuple[str, str], *, metric: str = "accuracy", title: str) -> Picture | None:
    """Rows are kinds, sorted from the worst, columns are strengths; the deeper the tint, the lower the value."""
    row_axis, column_axis = axes
    cells: dict[str, dict[float, EstimateEntry]] = {}
    for point in points:
        row, column = point.at.get(row_axis), point.at.get(column_axis)
        if metric in point.metrics and isinstance(row, str) and isinstance(column, int | float):
            cells.setdefault(row, {})[float(column)] = point.metrics[metric]
    if not cells:
        return None
    columns = sorted({column for row in cells.values() for column in row})
    means = {name: _mean(row) for name, row in cells.items()}
    order = sorted(cells, key=lambda name: (means[name], name))
    head = join(Markup('<th scope="col" class="num">{}</th>').format(strength(column_axis, column)) for column in columns)
    body = join(
        Markup('<tr><th scope="row">{}</th>{}<td class="num mean">{:.2f}</td></tr>').format(
            strength(row_axis, name), join(_cell(cells[name].get(column)) for column in columns), means[name]
        )
        for name in order
    )
    table = Markup(
        '<div class="scroll"><table class="grid heat"><caption>columns: {}</caption>'
        '<thead><tr><td></td>{}<th scope="col" class="num">mean</th></tr></thead><tbody>{}</tbody></table></div>'
    ).format(column_axis.replace("_", " "), head, body)
    worst, best = order[0], order[-1]
    note = (
        f"Worst: {strength(row_axis, worst)} ({means[worst]:.2f} on average); best: {strength(row_axis, best)} ({means[best]:.2f})."
    )
    return Picture(title=title, note=note, body=table, span=2 if len(columns) > 3 else 1)


def _mean(row: dict[float, EstimateEntry]) -> float:
    values = [entry.value for entry in row.values() if entry.value is not None]
    return sum(values) / len(values) if values else 0.0


def _cell(entry: EstimateEntry | None) -> Markup:
    if entry is None or entry.value is None:
        return Markup('<td class="none" title="not measured">·</td>')
    lost = min(1.0, max(0.0, 1.0 - entry.value))
    return Markup('<td class="wrong num" style="--v:{:.3f}" title="{}">{:.2f}</td>').format(lost, estimate_text(entry), entry.value)
