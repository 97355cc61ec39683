"""The three numbers that stand for a run: clean accuracy, worst case at the nominal attack size, fewest bits without a loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.auditing.joined import WORST_CASE
from holdfast.auditing.stresses.attacked import NORM_NAMES, nominal_eps
from holdfast.auditing.stresses.cards import ADVERSARIAL, CLEAN, PRECISION
from holdfast.auditing.stresses.precision import WeightBits, fewest_safe_bits
from holdfast.core.estimate import exact
from holdfast.core.grammar import Metric
from holdfast.core.numerals import size_text
from holdfast.core.runner import measurements
from holdfast.core.stress import INPUT_UNITS
from holdfast.report import EstimateEntry, HeadlineEntry, metric_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.auditing.plan import PlannedStress
    from holdfast.core.experiment import Measurement, Point
    from holdfast.core.store import Record
    from holdfast.core.stress import Facts
    from holdfast.report import CardEntry, PointEntry

__all__ = ["headline_of"]


def headline_of(
    lines: Sequence[PlannedStress], records: Sequence[Record], cards: Mapping[str, CardEntry], *, facts: Facts
) -> list[HeadlineEntry]:
    """Three entries, each with its number or the reason why there is none.

    Parameters
    ----------
    lines, records : of the run
    cards : made of them
    facts : of the network, which set the nominal attack size
    """
    return [_clean(lines, cards), _worst(lines, cards, facts), _safe(lines, records)]


def _clean(lines: Sequence[PlannedStress], cards: Mapping[str, CardEntry]) -> HeadlineEntry:
    title, name = "Clean accuracy", CLEAN.name
    entry = cards[name].stresses.get(name) if name in cards else None
    found = entry.points[0].metrics.get("accuracy") if entry is not None and entry.points else None
    if found is None:
        return HeadlineEntry(id="clean", title=title, text=_why_not(lines, name))
    return HeadlineEntry(id="clean", title=title, estimate=found, metric="clean.accuracy", text=f"on {found.n} examples")


def _worst(lines: Sequence[PlannedStress], cards: Mapping[str, CardEntry], facts: Facts) -> HeadlineEntry:
    """The worst case over all attacks at the measured size nearest to the nominal one."""
    title = "Accuracy under attack"
    entry = cards[ADVERSARIAL.name].stresses.get(WORST_CASE) if ADVERSARIAL.name in cards else None
    measured = [point for point in entry.points if "accuracy" in point.metrics and point.at["eps"]] if entry is not None else []
    if not measured:
        return HeadlineEntry(id="worst_case", title=title, text="no attack was measured")
    nominal = nominal_eps(facts)
    point = min(measured, key=lambda one: abs(_size(one) - nominal))
    norms = {str(line.stress.norm) for line in lines if hasattr(line.stress, "norm") and line.decision != "skipped"}
    norm = f"{NORM_NAMES.get(norms.pop(), '')} " if len(norms) == 1 else ""
    size = _size(point)
    unit = "" if facts.unit == INPUT_UNITS else f" {facts.unit}"
    near = "" if abs(size - nominal) < 1e-6 else f", the measured size nearest to the nominal {size_text(nominal)}"
    found = point.metrics["accuracy"]
    return HeadlineEntry(
        id="worst_case",
        title=title,
        estimate=found,
        at=point.at,
        metric=str(Metric(f"{metric_prefix(ADVERSARIAL.name, WORST_CASE)}.accuracy", (("eps", size),))),
        text=f"worst case over all attacks at {norm}eps {size_text(size)}{unit}{near}, on {found.n} examples",
    )


def _size(point: PointEntry) -> float:
    size = point.at["eps"]
    assert isinstance(size, int | float), "the worst case is joined by size"
    return float(size)


def _safe(lines: Sequence[PlannedStress], records: Sequence[Record]) -> HeadlineEntry:
    """The least width of the weights that loses nothing significant against the network as it is."""
    title = "Fewest safe weight bits"
    line = next((line for line in lines if isinstance(line.stress, WeightBits)), None)
    found = [] if line is None else [entry for entry in measurements(line.stress, records) if "scaling" not in entry[0]]
    if line is None or not found:
        return HeadlineEntry(id="safe_bits", title=title, text=_why_not(lines, WeightBits.name))
    clean = [kept for one in lines if one.stress.name == CLEAN.name for _, kept in measurements(one.stress, records)]
    widest = _accuracy_at(found, found[0][0]["bits"])
    bits = fewest_safe_bits(found, clean[0] if clean else None)
    if bits is None:
        return HeadlineEntry(
            id="safe_bits", title=title, text=f"already {found[0][0]['bits']} bits, accuracy {widest}, lose accuracy"
        )
    narrower = [point["bits"] for point, _ in found if point["bits"] < bits]
    below = f"; {_accuracy_at(found, narrower[0])} at {narrower[0]}" if narrower else ", the fewest that were measured"
    return HeadlineEntry(
        id="safe_bits",
        title=title,
        estimate=EstimateEntry.of(exact(float(bits), len(found[0][1].arrays["correct"]))),
        at={"bits": bits},
        metric=str(Metric(f"{PRECISION.name}.{WeightBits.name}.accuracy", (("bits", bits),))),
        text=f"accuracy {_accuracy_at(found, bits)} at {bits} bits{below}",
    )


def _accuracy_at(found: Sequence[tuple[Point, Measurement]], bits: float | str) -> str:
    return next(f"{kept.estimates['accuracy'].value:.3f}" for point, kept in found if point["bits"] == bits)


def _why_not(lines: Sequence[PlannedStress], name: str) -> str:
    """Why the stress `name` has no number."""
    reasons = [line.reason for line in lines if line.stress.name == name]
    return f"not measured: {reasons[0] or 'see its card'}" if reasons else "not measured in this run"
