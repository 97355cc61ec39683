"""The cards at a glance: one row per stress, with its curve as small as a word and the strengths at which its numbers hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.report import charts
from holdfast.report.views import attack_size, curves_before
from holdfast.report.wording import at_strength, axis_words, estimate_text, heading, level, short_name

if TYPE_CHECKING:
    from markupsafe import Markup

    from holdfast.report.document import Document
    from holdfast.report.measured import CardEntry, CurveEntry, StressEntry

__all__ = ["Tile", "TileRow", "tiles"]


@dataclass(frozen=True, kw_only=True)
class TileRow:
    """One stress in a card's tile."""

    name: str
    spark: Markup | None
    text: str
    aside: str = ""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A card at a glance."""

    name: str
    title: str
    entry: CardEntry
    rows: list[TileRow]


def _tile_rows(document: Document, name: str, stress: StressEntry) -> list[TileRow]:
    title = short_name(name, stress)
    if stress.status in {"skipped", "error"}:
        return [TileRow(name=title, spark=None, text="not run" if stress.status == "skipped" else "crashed")]
    checks = [check for point in stress.points for check in point.details.checks or []]
    if checks:
        flags = sum(check.flag is True for check in checks)
        return [TileRow(name=title, spark=None, text=f"{flags} of {len(checks)} checks flagged")]
    chosen = [curve for curve in stress.curves if curve.name == stress.summary.curve] or stress.curves
    drawn = [curve for curve in chosen if len(curve.at) > 1]
    if drawn:
        before = curves_before(document, [(name, drawn[0])])
        spark = charts.sparkline(drawn[0], before[0] if before else None)
        ends = f"{level(drawn[0].estimates[0].value)} → {level(drawn[0].estimates[-1].value)} {_reached(stress, drawn[0])}"
        return [TileRow(name=title, spark=spark, text=ends, aside=_half(stress, drawn[0]))]
    if "accuracy" in stress.metrics:
        return [TileRow(name=title, spark=None, text=estimate_text(stress.metrics["accuracy"]))]
    shown = {**(stress.points[0].metrics if stress.points else {}), **stress.metrics}
    shown.pop("chance", None)
    return [TileRow(name=heading(metric), spark=None, text=estimate_text(entry)) for metric, entry in list(shown.items())[:4]]


def _half(stress: StressEntry, curve: CurveEntry) -> str:
    """The half-point of the margin above chance, in the fewest words."""
    half = stress.summary.half_point
    if half is None:
        return ""
    if half.value is None:
        return "above half throughout"
    return f"half-point {at_strength(axis_words(stress, curve.axis), curve.axis, half.value, among=curve.at)}"


def _reached(stress: StressEntry, curve: CurveEntry) -> str:
    """The strength at which a curve ends."""
    place = at_strength(axis_words(stress, curve.axis), curve.axis, curve.at[-1], among=curve.at)
    parts = filter(None, [place, attack_size(stress)])
    return ", ".join(part.replace(" ", "\u00a0") for part in parts)  # a strength stays on one line


def tiles(document: Document) -> list[Tile]:
    """All cards at a glance."""
    return [
        Tile(
            name=name,
            title=card.title or heading(name),
            entry=card,
            rows=[row for stress_name, stress in card.stresses.items() for row in _tile_rows(document, stress_name, stress)],
        )
        for name, card in document.cards.items()
    ]
