"""What the page shows of a document: which figures a card gets, which rows a table has, what is worth a tile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast.report import charts
from holdfast.report.charts.chips import chip_groups
from holdfast.report.charts.heat import heat_axes
from holdfast.report.wording import axis_words, estimate_text, heading, level, number, short_name, strength

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from markupsafe import Markup

    from holdfast.report.charts import Picture
    from holdfast.report.document import Document, FindingEntry
    from holdfast.report.examples import ImageEntry
    from holdfast.report.judged import ClaimEntry
    from holdfast.report.measured import CardEntry, Check, CurveEntry, EstimateEntry, StressEntry

__all__ = [
    "CardView",
    "StressView",
    "Tile",
    "TileRow",
    "card_views",
    "findings_by_severity",
    "study_pictures",
    "tally",
    "tiles",
    "widest_interval",
]

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

    @property
    def silent(self) -> bool:
        """True if its figures say all that there is."""
        entry = self.entry
        told = entry.reason or entry.notes or entry.config or self.facts or self.checks
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


def findings_by_severity(document: Document) -> list[FindingEntry]:
    """Findings, the most severe first, otherwise in their own order."""
    return sorted(document.findings, key=lambda finding: SEVERITY.index(finding.severity))


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
            baseline=_before(document, group) if len(group) == 1 else [],
            note=_power([curve for _, curve in members]),
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


def _before(document: Document, group: Sequence[tuple[str, CurveEntry]]) -> list[CurveEntry]:
    if document.baseline is None:
        return []
    return [
        old
        for name, curve in group
        for old in document.baseline.curves.get(name, [])
        if (old.name, old.axis, old.unit, old.quantity) == (curve.name, curve.axis, curve.unit, curve.quantity)
    ]


def _power(curves: Sequence[CurveEntry]) -> str:
    widths = [e.hi - e.lo for curve in curves for e in curve.estimates if e.lo is not None and e.hi is not None]
    widest = max(widths, default=0.0)
    return f"95 % intervals, at most {number(widest, 2)} wide." if widest > 0 else ""


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
    return list(dict.fromkeys(name for point in stress.points for name in point.metrics))


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
        before = _before(document, [(name, drawn[0])])
        spark = charts.sparkline(drawn[0], before[0] if before else None)
        ends = f"{level(drawn[0].estimates[0].value)} → {level(drawn[0].estimates[-1].value)}"
        return [TileRow(name=title, spark=spark, text=ends, aside=_half(stress, drawn[0]))]
    if "accuracy" in stress.metrics:
        return [TileRow(name=title, spark=None, text=estimate_text(stress.metrics["accuracy"]))]
    shown = {**(stress.points[0].metrics if stress.points else {}), **stress.metrics}
    return [TileRow(name=heading(metric), spark=None, text=estimate_text(entry)) for metric, entry in list(shown.items())[:4]]


def _half(stress: StressEntry, curve: CurveEntry) -> str:
    """The half-point of the margin above chance, in the fewest words."""
    half = stress.summary.half_point
    if half is None:
        return ""
    if half.value is None:
        return "above half throughout"
    return f"half-point at {axis_words(stress, curve.axis)} {strength(curve.axis, half.value)}"


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
