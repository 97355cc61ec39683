"""Records of single examples in ``report.json``: the cross view, the paired comparison with a baseline, and pictures."""

# ruff: noqa: RUF012  pydantic copies the default of a field for each record

from __future__ import annotations

from holdfast.report.judged import ClaimEntry
from holdfast.report.measured import CurveEntry, Entry, EstimateEntry, Json, Number

__all__ = [
    "ComparisonRow",
    "Cross",
    "CrossBreaking",
    "CrossColumn",
    "CrossGroup",
    "ImageEntry",
    "PairedComparison",
    "Panel",
]


class CrossColumn(Entry):
    """One column of the cross view: a stress at one strength."""

    stress: str
    label: str
    """Short, e.g. ``"pgd eps=0.1"``."""
    at: dict[str, Json] = {}


class CrossGroup(Entry):
    """Examples that fail together under several stresses."""

    columns: list[int]
    """Indices of the columns they fail in."""
    count: int
    examples: list[int] = []
    """The first of them."""


class CrossBreaking(Entry):
    """For each example of the cross view, the strength at which it first fails."""

    stress: str
    axis: str
    unit: str = ""
    strengths: list[float] = []
    """Those that were measured, mildest first."""
    values: list[Number]
    """One for each of the first examples, which the stress used; null: it never failed."""


class Cross(Entry):
    """Examples x stresses; made by :func:`holdfast.report.cross.cross_view`."""

    columns: list[CrossColumn]
    examples: list[int]
    """Index of each example in the data."""
    outcomes: list[str]
    """One text per example, one letter per column: ``1`` right, ``0`` wrong, ``-`` not measured."""
    groups: list[CrossGroup] = []
    margins: list[Number] = []
    """Clean margin of each example: its class's logit minus the largest other one."""
    breaking: list[CrossBreaking] = []


class ComparisonRow(Entry):
    """One metric of two models on the same examples."""

    metric: str
    """E.g. ``"adversarial.pgd.accuracy"``."""
    at: dict[str, Json] = {}
    before: EstimateEntry
    after: EstimateEntry
    delta: EstimateEntry
    """After minus before, with the paired interval."""
    p: Number = None
    """Exact McNemar test, two-sided."""
    p_holm: Number = None
    """The same, corrected by Holm over all rows."""
    regressions: int = 0
    """Examples right before and wrong after."""
    improvements: int = 0
    """Examples wrong before and right after."""
    examples: list[int] = []
    """The first regressed examples."""


class PairedComparison(Entry):
    """Paired before and after; made by :func:`holdfast.report.paired.compare`."""

    before: str
    """Name of the model before."""
    after: str
    before_digest: str = ""
    after_digest: str = ""
    rows: list[ComparisonRow] = []
    curves: dict[str, list[CurveEntry]] = {}
    """Curves of the model before, by stress."""
    gates: list[ClaimEntry] = []
    """Verdicts on the model after, whose ``baseline`` is the one before."""
    notes: list[str] = []


class Panel(Entry):
    """One thumbnail."""

    caption: str
    png: str
    """PNG of at most 64 px side, base64."""


class ImageEntry(Entry):
    """Thumbnails of one example."""

    example: int
    truth: str = ""
    before: str = ""
    """Predicted class without stress."""
    after: str = ""
    """Predicted class under stress."""
    stress: str = ""
    card: str = ""
    at: dict[str, Json] = {}
    panels: list[Panel]
