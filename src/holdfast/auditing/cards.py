"""From records to cards: each stress with its points, curves, the numbers read off its curve, and a letter for each card."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from holdfast.auditing.joined import WORST_CASE, join_attacks
from holdfast.auditing.stresses import CARDS
from holdfast.core.curve import Curve
from holdfast.core.experiment import Summary
from holdfast.core.runner import measurements
from holdfast.report import (
    CardEntry,
    CurveEntry,
    EstimateEntry,
    Grade,
    HalfPoint,
    PointEntry,
    StressEntry,
    StressSummary,
    stress_entry,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.auditing.joined import WorstCasePoint
    from holdfast.auditing.plan import PlannedStress
    from holdfast.core.store import Record

__all__ = ["card_entries", "half_point_text", "summarise"]

THRESHOLDS = {"A": 0.95, "B": 0.85, "C": 0.7, "D": 0.5, "E": 0.0}
WORDING = {
    "eps": "at eps = {value:.3g} input units",
    "bits": "at {value:.1f} bits",
    "sigma": "at weight noise of {value:.1%}",
    "spread": "at a device spread of {value:.1%}",
    "severity": "at severity {value:.1f}",
    "scale": "at {value:.2f} times its own resolution",
    "queries": "after {value:.0f} queries about each example",
}


def half_point_text(axis: str, value: float | None) -> str:
    """A clause for a reader.

    Examples
    --------
    >>> half_point_text("bits", 2.6)
    'loses half its margin above chance at 2.6 bits'
    """
    if value is None:
        return "keeps more than half its margin above chance at every strength"
    return f"loses half its margin above chance {WORDING.get(axis, f'at {axis} = {{value:.3g}}').format(value=value)}"


def _summary_of(curves: Sequence[Curve], classes: int) -> StressSummary:
    if not curves or len(curves[0].at) < 2:
        return StressSummary()
    curve = curves[0]
    half = curve.half_point(1 / classes)
    retention = curve.retention()
    return StressSummary(
        curve=curve.name,
        auc=curve.area(),
        retention=None if math.isnan(retention) else retention,
        half_point=HalfPoint(value=half, unit=curve.unit, text=half_point_text(curve.axis, half)),
    )


def _stress(line: PlannedStress, records: Sequence[Record], summary: Summary, classes: int) -> StressEntry:
    entry = stress_entry(
        line.stress,
        records,
        summary,
        examples=line.examples,
        counts_queries=line.queries > 0,
        planned=("ok" if line.decision == "run" else line.decision, line.reason),
        title=line.stress.title,
    )
    whole = entry.status in {"ok", "reduced"}
    return entry.model_copy(update={"summary": _summary_of(summary.curves, classes)}) if whole else entry


def _grade(card: str, stresses: Mapping[str, StressEntry]) -> Grade | None:
    """A letter out of the mean share that is retained; of the worst case under attack; of the accuracy for the clean card."""
    if card == "clean":
        scores: list[Any] = [
            point.metrics["accuracy"].value for entry in stresses.values() for point in entry.points if point.metrics
        ]
        metric = "accuracy"
    elif WORST_CASE in stresses:
        scores = [stresses[WORST_CASE].summary.retention] if stresses[WORST_CASE].summary.retention is not None else []
        metric = "retention of the worst case over all attacks"
    else:
        scores = [entry.summary.retention for entry in stresses.values() if entry.summary.retention is not None]
        metric = "mean retention of the card's curves"
    if not scores:
        return None
    score = min(1.0, sum(scores) / len(scores))
    letter = next(letter for letter, least in THRESHOLDS.items() if score >= least)
    return Grade(letter=letter, score=score, metric=metric, thresholds=THRESHOLDS)


def card_entries(
    lines: Sequence[PlannedStress], records: Sequence[Record], summaries: Mapping[str, Summary], *, classes: int
) -> dict[str, CardEntry]:
    """All cards of the plan, in their order.

    Parameters
    ----------
    lines : of the plan, skipped ones included
    records : of all points
    summaries : by stress
    classes : of the target, for the level of chance
    """
    cards: dict[str, CardEntry] = {}
    order = [*CARDS, *(line.stress.card for line in lines)]
    for card in dict.fromkeys(order):
        stresses = {
            line.stress.name: _stress(line, records, summaries[line.stress.name], classes)
            for line in lines
            if line.stress.card == card
        }
        if card == "adversarial":
            stresses |= _worst_case(lines, records, classes)
        if stresses:
            cards[card] = CardEntry(title=CARDS.get(card, card), stresses=stresses, grade=_grade(card, stresses))
    return cards


def _worst_case(lines: Sequence[PlannedStress], records: Sequence[Record], classes: int) -> dict[str, StressEntry]:
    """The worst case over all attacks as one more entry of their card."""
    found = join_attacks(lines, records)
    if found is None:
        return {}
    whole = [(point.eps, point.accuracy) for point in found.points if point.accuracy is not None]
    sizes, estimates = tuple(eps for eps, _ in whole), tuple(accuracy for _, accuracy in whole)
    curves = (Curve(name=WORST_CASE, axis="eps", unit="input units", at=sizes, estimates=estimates),) if whole else ()
    late = sum(point.accuracy is None for point in found.points)
    entry = StressEntry(
        title="Worst case over all attacks",
        status="partial" if late else "ok",
        reason=f"{late} of {len(found.points)} sizes lack an attack that crashed or had no time" if late else "",
        examples=found.examples,
        points=[_worst_point(point, found.examples) for point in found.points],
        curves=[CurveEntry.of(curve) for curve in curves],
        summary=StressSummary() if late else _summary_of(curves, classes),
        notes=list(found.notes),
    )
    return {WORST_CASE: entry}


def _worst_point(point: WorstCasePoint, examples: int) -> PointEntry:
    if point.accuracy is None:
        reason = f"not measured: {', '.join(point.missing)}"
        return PointEntry(at={"eps": point.eps}, n=examples, status="skipped", error=reason)
    return PointEntry(at={"eps": point.eps}, n=examples, metrics={"accuracy": EstimateEntry.of(point.accuracy)})


def summarise(lines: Sequence[PlannedStress], records: Sequence[Record]) -> dict[str, Summary]:
    """What each stress says about its finished points, by stress; one that fails to say it says so."""
    return {line.stress.name: _summary(line, records) for line in lines}


def _summary(line: PlannedStress, records: Sequence[Record]) -> Summary:
    try:
        return line.stress.summarise(measurements(line.stress, records))
    except Exception as error:  # noqa: BLE001 (a plug-in must not cost the report of the others)
        return Summary(notes=(f"its points could not be summarised: {type(error).__name__}: {error}",))
