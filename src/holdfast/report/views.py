"""What the page shows of a document: which figures a card gets, which rows a table has, what is worth a tile."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from holdfast.core.estimate import FEWEST_FOR_P05
from holdfast.report import charts
from holdfast.report.charts.chips import chip_groups
from holdfast.report.charts.heat import heat_axes
from holdfast.report.measured import EstimateEntry
from holdfast.report.wording import at_text, axis_words, estimate_text, heading, number, plain, setting, short_name, strength

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from holdfast.report.charts import Picture
    from holdfast.report.document import Document, FindingEntry
    from holdfast.report.examples import ImageEntry
    from holdfast.report.judged import ClaimEntry
    from holdfast.report.measured import CardEntry, Check, CurveEntry, StressEntry

__all__ = [
    "CardView",
    "StressView",
    "attack_size",
    "card_views",
    "curves_before",
    "findings_by_severity",
    "measured_value",
    "place_text",
    "probe_facts",
    "says",
    "study_pictures",
    "tally",
    "widest_interval",
]

NUMERAL = re.compile(r"(?<![\w.])([-−]?\d+(?:\.(\d+))?)(\s?%)?(?![\w/])")
SEVERITY = ("high", "medium", "low", "info")
VERDICTS = ("fail", "error", "undecided", "pass")


@dataclass(frozen=True, kw_only=True)
class StressView:
    """One stress below its card's figures."""

    name: str
    title: str
    entry: StressEntry
    axes: list[str]
    words: dict[str, str]
    """What each axis is called."""
    metrics: list[str]
    facts: list[tuple[str, str]]
    """Pairs of a word and a number, where one point or the summary says it all."""
    checks: list[Check]
    settings: list[tuple[str, str]]
    """Pairs of a word and its value."""

    @property
    def silent(self) -> bool:
        """True if its figures say all that there is."""
        entry = self.entry
        told = entry.reason or entry.notes or self.settings or self.facts or self.checks
        return not told and entry.status == "ok" and len(entry.points) < 2

    @property
    def troubled(self) -> bool:
        """True if a point has another status than ok, so that the table must say it."""
        return any(point.status != "ok" for point in self.entry.points)

    @property
    def counted(self) -> bool:
        """True if the points say how many examples they used."""
        return any(point.n for point in self.entry.points)

    @property
    def numeric(self) -> set[str]:
        """The axes whose values are numbers."""
        return {axis for axis in self.axes if not any(isinstance(point.at.get(axis), str) for point in self.entry.points)}

    @property
    def basis(self) -> int:
        """Width in px that its table asks for; the page sets stresses beside each other where they fit."""
        ends = [entry.hi != entry.lo for point in self.entry.points[-1:] for entry in point.metrics.values()]
        return min(1000, max(336, 90 * len(self.axes) + 60 + sum(170 if wide else 80 for wide in ends)))


@dataclass(frozen=True, kw_only=True)
class CardView:
    """One section of the page."""

    name: str
    title: str
    entry: CardEntry
    pictures: list[Picture]
    stresses: list[StressView]
    images: list[ImageEntry] = field(default_factory=list)


def findings_by_severity(document: Document) -> list[FindingEntry]:
    """Findings, the most severe first, otherwise in their own order."""
    return sorted(document.findings, key=lambda finding: SEVERITY.index(finding.severity))


def measured_value(finding: FindingEntry) -> str:
    """The number of a finding with its interval; empty where its text says it already."""
    found = finding.estimate
    if found is None or (found.value is not None and says(finding.text, found.value)):
        return ""
    return estimate_text(found)


def says(text: str, value: float) -> bool:
    """True if `text` names the number `value`, as a share or in percent, to the places that it writes.

    Examples
    --------
    >>> says("accuracy 0.44 [0.39, 0.48]", 0.438), says("62.8 % are left", 0.628), says("at eps 0.1", 0.438)
    (True, True, False)
    """
    for found in NUMERAL.finditer(text):
        written, percent = float(found[1].replace("−", "-")), 100 if found[3] else 1
        if abs(written - percent * value) <= 0.5000001 * 10.0 ** -len(found[2] or ""):
            return True
    return False


def tally(judged: Iterable[ClaimEntry]) -> list[tuple[str, int]]:
    """Pairs of a status and how many verdicts have it, failures first, without zeros."""
    statuses = [entry.status for entry in judged]
    return [(status, statuses.count(status)) for status in VERDICTS if status in statuses]


def widest_interval(stress: StressEntry) -> float | None:
    """Width of the widest 95 % interval of an accuracy in this stress, or None if there is none."""
    widths = [
        entry.hi - entry.lo
        for point in stress.points
        for name, entry in point.metrics.items()
        if "accuracy" in name and entry.lo is not None and entry.hi is not None and entry.hi > entry.lo
    ]
    return max(widths, default=None)


def _drawn_curves(stress: StressEntry) -> list[CurveEntry]:
    """The curves of a stress that are drawn as lines; many kinds at once are left to the heat table."""
    tabled = heat_axes(stress.points) is not None and len(stress.curves) > charts.curves.SERIES
    return [] if tabled else [curve for curve in stress.curves if len(curve.at) > 1]


def _labels(group: Sequence[tuple[str, CurveEntry]], names: Mapping[str, str]) -> list[str]:
    """A name for each curve of one chart: its own, and the stress's where several stresses share the chart."""
    stresses = [name for name, _ in group]
    labels = []
    for name, curve in group:
        own = curve.name.replace("_", " ")
        shared = len(set(stresses)) > 1
        if curve.name in {name, "", curve.quantity} or (shared and stresses.count(name) == 1):
            labels.append(names[name])
        else:
            labels.append(f"{names[name]}, {own}" if shared else own)
    return labels


def _curve_pictures(document: Document, card: CardEntry) -> list[Picture]:
    groups: dict[tuple[str, str, str], list[tuple[str, CurveEntry]]] = {}
    for name, stress in card.stresses.items():
        for curve in _drawn_curves(stress):
            groups.setdefault((curve.axis, curve.unit, curve.quantity), []).append((name, curve))
    return [picture for group in groups.values() for picture in _group_pictures(document, group)]


def probe_facts(document: Document) -> list[tuple[str, str]]:
    """What the first look found, in words; what it did not find is left out."""
    facts = []
    for key, value in document.probe.items():
        known = isinstance(value, dict) and {"value", "lo", "hi"} <= value.keys()
        told = estimate_text(EstimateEntry.model_validate(value)) if known else setting(value, key)
        if told != "none":
            facts.append((plain(key), told))
    return facts


def study_pictures(document: Document) -> list[Picture]:
    """The charts of a study, in the order of its curves: those of one title together, others by their axes."""
    if document.run.kind != "study":
        return []
    charted: dict[str, list[tuple[str, CurveEntry]]] = {}
    for curve in [curve for stress in document.stresses().values() for curve in stress.curves if len(curve.at) > 1]:
        title = curve.chart or f"{heading(curve.quantity)} against {curve.axis}"
        charted.setdefault(title, []).append((curve.name.replace("_", " "), curve))
    return [_study_picture(title, pairs) for title, pairs in charted.items()]


def _study_picture(title: str, pairs: Sequence[tuple[str, CurveEntry]]) -> Picture:
    if len(pairs) > charts.curves.SERIES:
        return charts.small_multiples(pairs, title=title)
    notes = dict.fromkeys(note for _, curve in pairs for note in curve.notes)
    return charts.curve_chart(pairs, title=title, zoom=True, note=" ".join(notes))


def _group_pictures(document: Document, group: Sequence[tuple[str, CurveEntry]]) -> list[Picture]:
    """One chart where the lines can be told apart, otherwise one for each family of names, otherwise small multiples."""
    stresses = document.stresses()
    names = {name: short_name(name, stresses[name]) for name, _ in group}
    first, words = group[0][1], axis_words(stresses[group[0][0]], group[0][1].axis)
    title = f"{heading(first.quantity)} against {words}"
    pairs = list(zip(_labels(group, names), (curve for _, curve in group), strict=True))
    families = {"": pairs} if len(pairs) <= charts.curves.SERIES else _families(pairs)
    if not families:
        return [charts.small_multiples(pairs, title=title, axis=words)]
    chance = _chance(document) if first.quantity == "accuracy" else None
    return [
        charts.curve_chart(
            members,
            title=f"{title}: {name}" if name else title,
            axis=words,
            chance=chance,
            baseline=curves_before(document, group) if len(group) == 1 else [],
            note=" ".join(filter(None, [_size_of([stresses[name] for name, _ in group]), _power([curve for _, curve in members])])),
            zoom=document.run.kind == "study",
        )
        for name, members in families.items()
    ]


def _chance(document: Document) -> float | None:
    """The accuracy of guessing; reports that do not give it have classes of equal size."""
    if document.data is not None and document.data.chance is not None:
        return document.data.chance
    return 1 / document.target.classes if document.target is not None and document.target.classes > 1 else None


def _families(pairs: Sequence[tuple[str, CurveEntry]]) -> dict[str, list[tuple[str, CurveEntry]]]:
    """Curves by the words that their names begin with, if that gives families of 2 to 6; otherwise none."""
    for words in (1, 2, 3):
        families: dict[str, list[tuple[str, CurveEntry]]] = {}
        for label, curve in pairs:
            parts = label.split()
            families.setdefault(" ".join(parts[:words]), []).append((" ".join(parts[words:]) or label, curve))
        if all(2 <= len(members) <= charts.curves.SERIES for members in families.values()):
            return families
    return {}


def curves_before(document: Document, group: Sequence[tuple[str, CurveEntry]]) -> list[CurveEntry]:
    """The curves of the network before that correspond to those of `group`."""
    if document.baseline is None:
        return []
    return [
        old
        for name, curve in group
        for old in document.baseline.curves.get(name, [])
        if (old.name, old.axis, old.unit, old.quantity) == (curve.name, curve.axis, curve.unit, curve.quantity)
    ]


def _size_of(stresses: Sequence[StressEntry]) -> str:
    """The attack size of curves over something else."""
    sizes = {attack_size(stress) for stress in stresses}
    return f"At {sizes.pop()}." if len(sizes) == 1 and "" not in sizes else ""


def place_text(at: Mapping[str, Any]) -> str:
    """Where a picture lies, in words; a kind needs no name of its axis.

    Examples
    --------
    >>> place_text({"corruption": "gaussian_noise", "severity": 3})
    'gaussian noise, severity 3'
    """
    return ", ".join(strength(axis, value) if isinstance(value, str) else at_text({axis: value}) for axis, value in at.items())


def attack_size(stress: StressEntry) -> str:
    """The one size of an attack whose curve runs over something else; empty for others.

    Examples
    --------
    >>> from holdfast.report.measured import StressEntry
    >>> attack_size(StressEntry(config={"eps": 8 / 255, "queries": 300})), attack_size(StressEntry())
    ('eps 8/255', '')
    """
    size = stress.config.get("eps")
    return f"eps {strength('eps', size)}" if isinstance(size, int | float) else ""


def _power(curves: Sequence[CurveEntry]) -> str:
    """How wide the intervals of `curves` are, and what a reader must know of each."""
    widths = [e.hi - e.lo for curve in curves for e in curve.estimates if e.lo is not None and e.hi is not None]
    widest = max(widths, default=0.0)
    notes = dict.fromkeys(note[:1].upper() + note[1:] for curve in curves for note in curve.notes)
    return " ".join([f"95 % intervals, at most {number(widest, 2)} wide."] * (widest > 0) + list(notes))


def _stress_pictures(document: Document, name: str, stress: StressEntry) -> list[Picture]:
    names = document.target.class_names if document.target else []
    title = stress.title or heading(name)
    found: list[Picture | None] = []
    for point in stress.points[:1]:
        details = point.details
        if details.reliability:
            ece = point.metrics.get("ece")
            note = f"Expected calibration error {estimate_text(ece)}." if ece else ""
            found.append(charts.reliability(details.reliability, note=note))
        if details.per_class:
            found.append(charts.class_accuracies(details.per_class, names))
        if details.confusion:
            found.append(charts.confusion(details.confusion, names))
        if details.confusions:
            found.append(charts.listed_confusions(details.confusions, names))
        if details.layers:
            found.append(charts.layer_sensitivity(details.layers, title=f"{title}: sensitivity of each layer"))
    found.append(charts.loss_chart(stress.points, title=f"{title}: loss per step"))
    for kind, points in chip_groups(stress.points).items():
        who = f"{title}, {kind}" if kind else title
        found.append(charts.chip_strip(points, title=f"{who}: every chip"))
        found.append(charts.yield_curve(points, title=f"{who}: yield"))
    axes = heat_axes(stress.points)
    if axes:
        found.append(charts.heat_table(stress.points, axes, title=title))
    return [picture for picture in found if picture is not None]


def _metric_names(stress: StressEntry) -> list[str]:
    """What the points measured; a 5th percentile only where it was seen."""
    names = list(dict.fromkeys(name for point in stress.points for name in point.metrics))
    few = all(len(point.details.chips or ()) < FEWEST_FOR_P05 for point in stress.points)
    chips = any(point.details.chips for point in stress.points)
    return [name for name in names if not (name == "p05" and chips and few)]


def _settings(stress: StressEntry) -> list[tuple[str, str]]:
    """The settings in words, with the examples that were used; lists of strengths stand in the table, what is not given nowhere."""
    rows = len(stress.points) > 1
    used = max((point.n for point in stress.points), default=0)
    given = {**stress.config, **({"examples": used} if used else {})}
    shown = {key: value for key, value in given.items() if value is not None and value != ""}
    return [(plain(key), setting(value, key)) for key, value in shown.items() if not (rows and _are_strengths(value))]


def _are_strengths(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, int | float) and not isinstance(entry, bool) for entry in value)


def _facts(stress: StressEntry) -> list[tuple[str, str]]:
    shown: dict[str, EstimateEntry] = dict(stress.metrics)
    if len(stress.points) == 1:
        shown = {**stress.points[0].metrics, **shown}
    facts = [(heading(name), estimate_text(entry)) for name, entry in shown.items()]
    summary = stress.summary
    if summary.auc is not None:
        facts.append(("Area under the curve", number(summary.auc)))
    if summary.retention is not None:
        facts.append(("Retention", number(summary.retention)))
    if summary.half_point is not None:
        half = summary.half_point
        facts.append(("Half-point", half.text or f"{number(half.value)} {half.unit}".strip()))
    return facts


def _stress_view(name: str, stress: StressEntry) -> StressView:
    axes = list(dict.fromkeys(axis for point in stress.points for axis in point.at))
    return StressView(
        name=name,
        title=stress.title or heading(name),
        entry=stress,
        axes=axes,
        words={axis: axis_words(stress, axis) for axis in axes},
        metrics=_metric_names(stress),
        facts=_facts(stress),
        checks=[check for point in stress.points for check in point.details.checks or []],
        settings=_settings(stress),
    )


def card_views(document: Document) -> list[CardView]:
    """All cards with their figures."""
    return [
        CardView(
            name=name,
            title=card.title or heading(name),
            entry=card,
            pictures=[
                *(_curve_pictures(document, card) if document.run.kind == "audit" else []),
                *(
                    picture
                    for stress_name, stress in card.stresses.items()
                    for picture in _stress_pictures(document, stress_name, stress)
                ),
            ],
            stresses=[_stress_view(stress_name, stress) for stress_name, stress in card.stresses.items()],
            images=[image for image in document.images if image.card == name or image.stress in card.stresses],
        )
        for name, card in document.cards.items()
    ]
