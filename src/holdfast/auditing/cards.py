"""From records to cards: each stress with its points, curves and the numbers read off its curve, and a letter for each card."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.auditing.grading import curve_summary, examples_behind, grade, whole
from holdfast.auditing.joined import WORST_CASE, join_attacks
from holdfast.auditing.stresses.answers import NOT_FINITE
from holdfast.auditing.stresses.attacked import SIZE
from holdfast.auditing.stresses.cards import ADVERSARIAL, BUILT_IN_CARDS
from holdfast.core.curve import Curve
from holdfast.core.digits import with_interval
from holdfast.core.experiment import Finding, Summary
from holdfast.core.grammar import Metric
from holdfast.core.runner import measurements
from holdfast.core.stress import INPUT_UNITS
from holdfast.report import CardEntry, CurveEntry, EstimateEntry, PointEntry, StressEntry, StressSummary, stress_entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.auditing.joined import WorstCasePoint
    from holdfast.auditing.plan import PlannedStress
    from holdfast.core.experiment import Measurement, Point
    from holdfast.core.store import Record
    from holdfast.core.stress import Card, Stress

__all__ = ["card_entries", "cards_of", "summarise"]


def cards_of(stresses: Sequence[Stress | type[Stress]]) -> list[Card]:
    """The cards of `stresses`: built-in ones first, then new ones in the order in which they are named."""
    cards = {card.name: card for card in (*BUILT_IN_CARDS, *(stress.card for stress in stresses))}
    named = {stress.card.name for stress in stresses}
    return [card for name, card in cards.items() if name in named]


def card_entries(
    lines: Sequence[PlannedStress], records: Sequence[Record], summaries: Mapping[str, Summary], *, chance: float
) -> dict[str, CardEntry]:
    """All cards of the plan, in their order.

    Parameters
    ----------
    lines : of the plan, skipped ones included
    records : of all points
    summaries : by stress
    chance : accuracy of guessing
    """
    entries: dict[str, CardEntry] = {}
    for card in cards_of([line.stress for line in lines]):
        members = [line for line in lines if line.stress.card.name == card.name]
        stresses = {line.stress.name: _stress(line, records, summaries[line.stress.name], chance) for line in members}
        if card.name == ADVERSARIAL.name:
            stresses |= _worst_case(lines, records, chance)
        entries[card.name] = CardEntry(
            title=card.title, text=card.text, stresses=stresses, grade=grade(card, stresses, chance=chance)
        )
    return entries


def _stress(line: PlannedStress, records: Sequence[Record], summary: Summary, chance: float) -> StressEntry:
    stress = line.stress
    entry = stress_entry(
        stress,
        records,
        summary,
        examples=line.examples,
        counts_queries=line.queries > 0,
        planned=("ok" if line.decision == "run" else line.decision, line.reason),
        title=stress.title,
        short=stress.short,
        axes={name: axis.words for name, axis in stress.axes.items() if axis.words},
    )
    read = StressSummary()
    if entry.status in {"ok", "reduced"}:
        mine = examples_behind([record for record in records if record.experiment == stress.name])
        read = curve_summary(summary.curves, chance=chance, axes=stress.axes, behind=mine)
    return entry.model_copy(update={"summary": read})


def _worst_case(lines: Sequence[PlannedStress], records: Sequence[Record], chance: float) -> dict[str, StressEntry]:
    """The worst case over all attacks as one more entry of their card."""
    found = join_attacks(lines, records)
    if found is None:
        return {}
    done = [(point.eps, point.accuracy) for point in found.points if point.accuracy is not None]
    sizes, estimates = tuple(eps for eps, _ in done), tuple(accuracy for _, accuracy in done)
    behind = {id(point.accuracy): whole(point.right) for point in found.points}
    curves = (Curve(name=WORST_CASE, axis="eps", unit=INPUT_UNITS, at=sizes, estimates=estimates),) if done else ()
    late = sum(point.accuracy is None for point in found.points)
    entry = StressEntry(
        title="Worst case over all attacks",
        status="partial" if late else "ok",
        reason=f"{late} of {len(found.points)} sizes lack an attack that crashed or had no time" if late else "",
        examples=found.examples,
        points=[_worst_point(point, found.examples) for point in found.points],
        curves=[CurveEntry.of(curve) for curve in curves],
        metrics=dict(_common(point) for point in found.points if point.common is not None),
        summary=StressSummary() if late else curve_summary(curves, chance=chance, axes={"eps": SIZE}, behind=behind),
        notes=list(found.notes),
    )
    return {WORST_CASE: entry}


def _common(point: WorstCasePoint) -> tuple[str, EstimateEntry]:
    """The worst case on the examples that every attack tried, under its name."""
    assert point.common is not None, "asked for where it is known"
    return str(Metric("accuracy", (("eps", point.eps), ("examples", point.common.n)))), EstimateEntry.of(point.common)


def _worst_point(point: WorstCasePoint, examples: int) -> PointEntry:
    if point.accuracy is None:
        reason = f"not measured: {', '.join(point.missing)}"
        return PointEntry(at={"eps": point.eps}, n=examples, status="skipped", error=reason)
    return PointEntry(at={"eps": point.eps}, n=examples, metrics={"accuracy": EstimateEntry.of(point.accuracy)})


def summarise(lines: Sequence[PlannedStress], records: Sequence[Record]) -> dict[str, Summary]:
    """What each stress says about its finished points, by stress; where it fails, a note with the error."""
    return {line.stress.name: _summary(line, records) for line in lines}


def _summary(line: PlannedStress, records: Sequence[Record]) -> Summary:
    measured = measurements(line.stress, records)
    try:
        summary = line.stress.summarise(measured)
    except Exception as error:  # noqa: BLE001 (a plug-in must not cost the report of the others)
        return Summary(notes=(f"its points could not be summarised: {type(error).__name__}: {error}",))
    return replace(summary, findings=(*summary.findings, *_not_finite(line.stress, measured)))


def _not_finite(stress: Stress, measured: Sequence[tuple[Point, Measurement]]) -> tuple[Finding, ...]:
    """That the network answered with NaN or infinity, at the point where it did so most often."""
    shares = [(found.estimates[NOT_FINITE], point) for point, found in measured if NOT_FINITE in found.estimates]
    if not shares:
        return ()
    share, point = max(shares, key=lambda entry: entry[0].value)
    name = f"{stress.card.name}.{stress.name}"
    at = ", ".join(f"{axis} = {value:.3g}" if isinstance(value, float) else f"{axis} = {value}" for axis, value in point.items())
    where = f" ({at})" if at else ""
    return (
        Finding(
            id=f"{name}.{NOT_FINITE}",
            severity="high",
            text=f"Share of answers that are NaN or infinite, which count as wrong: {with_interval(share)}{where}.",
            evidence=str(Metric(f"{name}.{NOT_FINITE}", tuple(point.items()))),
            estimate=share,
            threshold="0",
            remedy="Look for a division by zero, a logarithm of zero or an overflow in its forward pass.",
        ),
    )
