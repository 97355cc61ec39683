"""What is read off a stress's main curve, and the letter of a card."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from holdfast.auditing.joined import WORST_CASE
from holdfast.core.numerals import size_text
from holdfast.core.stress import Axis
from holdfast.report import Grade, HalfPoint, StressSummary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.core.curve import Curve
    from holdfast.core.stress import Card
    from holdfast.report import StressEntry

__all__ = ["THRESHOLDS", "curve_summary", "grade", "half_point_text"]

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


def curve_summary(curves: Sequence[Curve], *, chance: float, axes: Mapping[str, Axis]) -> StressSummary:
    """Area, retention and half-point of the first curve; empty where it has fewer than two points.

    A curve that begins at chance or below has nothing to lose: no retention, and its half-point is its mildest strength.

    Parameters
    ----------
    curves : of a stress, the main one first
    chance : accuracy of guessing
    axes : the stress's words for its axes
    """
    if not curves or len(curves[0].at) < 2:
        return StressSummary()
    curve = curves[0]
    above = curve.estimates[0].value > chance
    half = curve.half_point(chance) if above else curve.at[0]
    retention = curve.retention() if above else math.nan
    clause = axes.get(curve.axis, Axis()).clause
    text = half_point_text(curve.axis, half, clause, strengths=curve.at) if above else "has no margin above chance to lose"
    return StressSummary(
        curve=curve.name,
        auc=curve.area(),
        retention=None if math.isnan(retention) else retention,
        half_point=HalfPoint(value=half, unit=curve.unit, text=text),
    )


def grade(card: Card, stresses: Mapping[str, StressEntry], *, chance: float) -> Grade | None:
    """The letter of a card; None where nothing was measured that it could be read from.

    It is read from what the card says (:class:`holdfast.core.stress.Card`); where attacks were joined, from their worst case alone.
    An accuracy of no more than `chance` has the last letter, however high it is.
    """
    metric, scores = _scores(card, stresses)
    if not scores:
        return None
    score = min(1.0, sum(scores) / len(scores))
    guessed = card.graded_by == "accuracy" and score <= chance
    letter = next(letter for letter, least in THRESHOLDS.items() if (0.0 if guessed else score) >= least)
    return Grade(letter=letter, score=score, metric=metric, thresholds=THRESHOLDS)


def _scores(card: Card, stresses: Mapping[str, StressEntry]) -> tuple[str, list[float]]:
    """What the score is, and the numbers of which it is the mean."""
    if card.graded_by == "accuracy":
        points = [point for entry in stresses.values() for point in entry.points if "accuracy" in point.metrics]
        return "accuracy", [value for point in points if (value := point.metrics["accuracy"].value) is not None]
    joined = {WORST_CASE: stresses[WORST_CASE]} if WORST_CASE in stresses else stresses
    metric = "retention of the worst case over all attacks" if WORST_CASE in stresses else "mean retention of the card's curves"
    return metric, [entry.summary.retention for entry in joined.values() if entry.summary.retention is not None]
