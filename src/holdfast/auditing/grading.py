"""What is read off a stress's main curve, and the letter of a card."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.auditing.joined import WORST_CASE
from holdfast.core.numerals import size_text
from holdfast.core.paired import ExampleValues
from holdfast.core.stress import Axis
from holdfast.report import Grade, HalfPoint, StressSummary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from holdfast.core.curve import Curve
    from holdfast.core.store import Record
    from holdfast.core.stress import Card
    from holdfast.report import StressEntry

__all__ = ["THRESHOLDS", "curve_summary", "examples_behind", "grade", "half_point_text", "whole"]

CHIPS = "share_of_chips"

THRESHOLDS = {"A": 0.95, "B": 0.85, "C": 0.7, "D": 0.5, "E": 0.0}


def half_point_text(axis: str, value: float | None, clause: str = "", *, strengths: Sequence[float] = ()) -> str:
    """A clause for a reader.

    Parameters
    ----------
    axis : name of the strength
    value : the half-point, None if the curve stays above it
    clause : where a strength lies, with ``{value}``, as :class:`holdfast.core.stress.Axis` has it
    strengths : of the curve, whose spelling of attack sizes is used

    Examples
    --------
    >>> half_point_text("bits", 2.6, "at {value:.1f} bits")
    'loses half its margin above chance at 2.6 bits'
    """
    if value is None:
        return "keeps more than half its margin above chance at every strength"
    size = size_text(value, strengths) if axis == "eps" else f"{value:.3g}"
    place = clause.format(value=value) if clause else f"at {axis} {size}"
    return f"loses half its margin above chance {place}"


def examples_behind(records: Sequence[Record]) -> dict[int, ExampleValues]:
    """What each example gave, for the accuracies of `records` by their identity; of those over chips, the share of chips."""
    found: dict[int, ExampleValues] = {}
    for record in records:
        measured = record.measurement
        if measured is None or "accuracy" not in measured.estimates:
            continue
        accuracy, arrays = measured.estimates["accuracy"], measured.arrays
        over_chips = CHIPS in arrays and len(measured.details["chips"]) > 1
        values = arrays.get(CHIPS if over_chips else "correct")
        if values is not None:
            found[id(accuracy)] = whole(values, spread=over_chips)
    return found


def whole(values: NDArray[Any], *, spread: bool = False) -> ExampleValues:
    """The examples behind an estimate of one stress, all of which were used."""
    n = len(values)
    return ExampleValues(values=values, used=np.ones(n, dtype=bool), examples=np.arange(n), spread=spread)


def curve_summary(
    curves: Sequence[Curve], *, chance: float, axes: Mapping[str, Axis], behind: Mapping[int, ExampleValues] | None = None
) -> StressSummary:
    """Area, retention and half-point of the first curve; empty where it has fewer than two points.

    A curve that begins at chance or below has nothing to lose: no retention, and its half-point is its mildest strength.

    Parameters
    ----------
    curves : of a stress, the main one first
    chance : accuracy of guessing
    axes : the stress's words for its axes
    behind : the examples behind estimates, by their identity, which make the interval of the retention shorter
    """
    if not curves or len(curves[0].at) < 2:
        return StressSummary()
    curve = curves[0]
    above = curve.estimates[0].value > chance
    half = curve.half_point(chance) if above else curve.at[0]
    clause = axes.get(curve.axis, Axis()).clause
    text = half_point_text(curve.axis, half, clause, strengths=curve.at) if above else "has no margin above chance to lose"
    summary = StressSummary(curve=curve.name, auc=curve.area(), half_point=HalfPoint(value=half, unit=curve.unit, text=text))
    retention = curve.retention() if above else math.nan
    if math.isnan(retention):
        return summary
    lo, hi = curve.retention_interval([(behind or {}).get(id(one)) for one in curve.estimates])
    return summary.model_copy(
        update={"retention": retention, "retention_lo": lo, "retention_hi": hi if math.isfinite(hi) else None}
    )


def grade(card: Card, stresses: Mapping[str, StressEntry], *, chance: float) -> Grade | None:
    """The letter of a card; None where nothing was measured that it could be read from.

    It is read from what the card says (:class:`holdfast.core.stress.Card`); where attacks were joined, from their worst case alone.
    Where the interval of the score contains a threshold, the letter names the best and the worst that it allows. An accuracy of no
    more than `chance` has the last letter, however high it is.
    """
    metric, scores = _scores(card, stresses)
    if not scores:
        return None
    value, lo, hi = (min(1.0, sum(part) / len(scores)) for part in zip(*scores, strict=True))
    floor = chance if card.graded_by == "accuracy" else -math.inf
    best, worst = (_letter(end, floor) for end in (value if value <= floor else hi, lo))
    letter = best if best == worst else f"{best}–{worst}"
    return Grade(letter=letter, score=value, lo=lo, hi=hi, metric=metric, thresholds=THRESHOLDS)


def _letter(score: float, floor: float) -> str:
    """The letter of one score; the last one for a score of `floor` or less."""
    return next(letter for letter, least in THRESHOLDS.items() if (0.0 if score <= floor else score) >= least)


def _scores(card: Card, stresses: Mapping[str, StressEntry]) -> tuple[str, list[tuple[float, float, float]]]:
    """What the score is, and the numbers, with their intervals, of which it is the mean."""
    if card.graded_by == "accuracy":
        points = [point.metrics["accuracy"] for entry in stresses.values() for point in entry.points if "accuracy" in point.metrics]
        return "accuracy", [_ends(one.value, one.lo, one.hi) for one in points if one.value is not None]
    joined = {WORST_CASE: stresses[WORST_CASE]} if WORST_CASE in stresses else stresses
    metric = "retention of the worst case over all attacks" if WORST_CASE in stresses else "mean retention of the card's curves"
    kept = [entry.summary for entry in joined.values()]
    return metric, [_ends(one.retention, one.retention_lo, one.retention_hi) for one in kept if one.retention is not None]


def _ends(value: float, lo: float | None, hi: float | None) -> tuple[float, float, float]:
    """A score with its interval in [0, 1]; an end that is not known may lie anywhere."""
    return value, 0.0 if lo is None else max(0.0, lo), 1.0 if hi is None else min(1.0, hi)
