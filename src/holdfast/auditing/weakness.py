"""What an audit finds about its attacks: the smallest size at which they leave less than half of the clean accuracy.

It is read from the worst case over all attacks, for a network may blind one attack and fall to another. An attack on the first few
rows of the data hardly shows among many: the worst case on the rows that every attack tried is read as well. Where an attack
crashed there is no worst case, and the strongest of those that ran stands for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.auditing.joined import WORST_CASE, Attack, join_attacks
from holdfast.auditing.stresses.attacked import NORM_NAMES, REMEDY
from holdfast.auditing.stresses.cards import ADVERSARIAL, CLEAN
from holdfast.auditing.stresses.masking import Masking
from holdfast.core.digits import with_interval
from holdfast.core.estimate import exact, proportion
from holdfast.core.experiment import Finding
from holdfast.core.grammar import Metric
from holdfast.core.numerals import size_text
from holdfast.core.runner import measurements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from holdfast.auditing.joined import WorstCasePoint, WorstCases
    from holdfast.auditing.plan import PlannedStress
    from holdfast.core.estimate import Estimate
    from holdfast.core.store import Record
    from holdfast.core.stress import Stress

__all__ = ["Weakness", "weakness_of"]

CERTAIN = exact(1.0)  # stands in for the clean accuracy where it was not measured


@dataclass(frozen=True, kw_only=True)
class Weakness:
    """A finding about attacks, and where it stands.

    Parameters
    ----------
    finding : with its number and a metric that gates can name
    card, stress : whose points hold the number; ``"worst_case"`` for all attacks together
    at : the point
    measured_by : stresses that measure the number and what it is compared with
    """

    finding: Finding
    card: str
    stress: str
    at: Mapping[str, float | str]
    measured_by: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """An accuracy under attack, the point of a stress where it stands, and in words whose it is."""

    card: str
    stress: str
    at: Mapping[str, float | str]
    accuracy: Estimate
    words: str


def weakness_of(lines: Sequence[PlannedStress], records: Sequence[Record], *, unit: str = "") -> Weakness | None:
    """The finding about the attacks of a run; None if they leave at least half of the clean accuracy, or none was planned.

    Parameters
    ----------
    lines : of the plan
    records : of all points
    unit : of attack sizes, where it must be said, e.g. ``"spreads of each feature"``
    """
    planned = [line for line in lines if line.decision != "skipped"]
    found = join_attacks(planned, records)
    if found is None or not any(line.stress.card.name == ADVERSARIAL.name for line in planned):
        return None
    return _Attacked(planned, records, found, unit).weakness()


class _Attacked:
    """What the attacks of a run leave together and alone, beside the clean accuracy."""

    def __init__(self, planned: Sequence[PlannedStress], records: Sequence[Record], found: WorstCases, unit: str) -> None:
        self.found, self.records, self.unit = found, records, unit
        self.attacks = [line.stress for line in planned if found.norm in _norms(line.stress)]
        self.clean_stress = [line.stress for line in planned if line.stress.name == CLEAN.name]

    def weakness(self) -> Weakness | None:
        """The first reading that is too low."""
        clean = self.clean()
        for point in self.found.points:
            for reading in self.readings(point) if point.eps > 0 else ():
                if reading.accuracy.hi < clean.value / 2:
                    return self.told(reading, point.eps, clean)
        return None

    def clean(self) -> Estimate:
        """The accuracy of the attacked examples before the attacks."""
        for point in self.found.points:
            if point.eps == 0 and point.accuracy is not None:
                return point.accuracy
        for stress in self.clean_stress:
            for _, kept in measurements(stress, self.records):
                right = kept.arrays["correct"][: self.found.examples]
                return proportion(int(right.sum()), len(right))
        return CERTAIN

    def readings(self, point: WorstCasePoint) -> Iterator[_Reading]:
        """What is known about the accuracy at one size, that of the most examples first."""
        words = f"worst case of {_listed([stress.short or stress.name for stress in self.attacks])}"
        whole = {"card": ADVERSARIAL.name, "stress": WORST_CASE}
        if point.accuracy is not None:
            yield _Reading(**whole, at={"eps": point.eps}, accuracy=point.accuracy, words=words)
        if point.common is not None:
            at = {"eps": point.eps, "examples": point.common.n}
            words = f"{words} on the {point.common.n} examples that each of them tried"
            yield _Reading(**whole, at=at, accuracy=point.common, words=words)
        if point.missing:
            yield from sorted(self.alone(point.eps), key=lambda reading: reading.accuracy.hi)[:1]

    def alone(self, eps: float) -> Iterator[_Reading]:
        """The finished points of single attacks up to one size."""
        for stress in self.attacks:
            for at, kept in measurements(stress, self.records):
                if isinstance(stress, Attack) and stress.strength(at)[1] <= eps:
                    words, accuracy = f"{stress.short or stress.name} alone", kept.estimates["accuracy"]
                    yield _Reading(card=stress.card.name, stress=stress.name, at=at, accuracy=accuracy, words=words)

    def told(self, reading: _Reading, eps: float, clean: Estimate) -> Weakness:
        """The finding that one reading gives."""
        norm = NORM_NAMES.get(self.found.norm, self.found.norm)
        size = f"{size_text(eps)} {self.unit}".rstrip()
        finding = Finding(
            id=f"{reading.card}.{reading.stress}.half",
            severity="high",
            text=f"Accuracy under attack ({norm}, eps {size}, {reading.words}): {with_interval(reading.accuracy)}.",
            evidence=str(Metric(f"{reading.card}.{reading.stress}.accuracy", tuple(reading.at.items()))),
            estimate=reading.accuracy,
            threshold=f"half the clean accuracy, {clean.value / 2:.3g}" if clean is not CERTAIN else "0.5; clean was not measured",
            remedy=_remedy(self.records),
        )
        behind = [stress.name for stress in self.attacks] if reading.stress == WORST_CASE else [reading.stress]
        names = (*(stress.name for stress in self.clean_stress), *behind)
        return Weakness(finding=finding, card=reading.card, stress=reading.stress, at=reading.at, measured_by=names)


def _norms(stress: Stress) -> set[str]:
    """In which an attack measures its points; none for any other stress."""
    points = stress.points()
    return {stress.strength(point)[0] for point in points} if isinstance(stress, Attack) else set()


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _remedy(records: Sequence[Record]) -> str:
    """Training on attacked inputs, unless the gradients that it would follow are masked."""
    checks = [record.measurement for record in records if record.experiment == Masking.name and record.measurement is not None]
    if any(check["flag"] for found in checks for check in found.details["checks"]):
        return f"First find what masks the gradients: adversarial training follows the same gradients. {Masking.remedy}"
    return REMEDY if checks else f"{REMEDY} First check that no gradients are masked: holdfast audit --stress masking."
