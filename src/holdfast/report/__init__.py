"""Draws what a run found: one self-contained page, JSON with a published schema, JUnit and SARIF, for audits and studies alike."""

from holdfast.report.assembly import finding_entry, metric_table, point_entry, stress_entry
from holdfast.report.behind import Behind
from holdfast.report.cross import breaking_point, cross_view
from holdfast.report.document import (
    Budget,
    DataEntry,
    Document,
    DrawingEntry,
    FindingEntry,
    InputEntry,
    RunEntry,
    SkippedEntry,
    TargetEntry,
    dump,
    json_schema,
    load,
    metric_prefix,
)
from holdfast.report.examples import (
    ComparisonRow,
    Cross,
    CrossBreaking,
    CrossColumn,
    CrossGroup,
    ImageEntry,
    PairedComparison,
    Panel,
)
from holdfast.report.files import ARTEFACTS, write_report
from holdfast.report.judged import ClaimEntry, SentenceEntry, SentenceFigure
from holdfast.report.junit import junit
from holdfast.report.measured import (
    CardEntry,
    Check,
    ConfusionsEntry,
    CurveEntry,
    Details,
    EstimateEntry,
    Grade,
    HalfPoint,
    Layer,
    PointEntry,
    ReliabilityEntry,
    StressEntry,
    StressSummary,
)
from holdfast.report.page import render, render_comparison
from holdfast.report.paired import compare
from holdfast.report.per_example import PerExampleTable, read_per_example, row_name, write_per_example
from holdfast.report.sarif import sarif
from holdfast.report.thumbnails import panels, thumbnail

__all__ = [
    "ARTEFACTS",
    "Behind",
    "Budget",
    "CardEntry",
    "Check",
    "ClaimEntry",
    "ComparisonRow",
    "ConfusionsEntry",
    "Cross",
    "CrossBreaking",
    "CrossColumn",
    "CrossGroup",
    "CurveEntry",
    "DataEntry",
    "Details",
    "Document",
    "DrawingEntry",
    "EstimateEntry",
    "FindingEntry",
    "Grade",
    "HalfPoint",
    "ImageEntry",
    "InputEntry",
    "Layer",
    "PairedComparison",
    "Panel",
    "PerExampleTable",
    "PointEntry",
    "ReliabilityEntry",
    "RunEntry",
    "SentenceEntry",
    "SentenceFigure",
    "SkippedEntry",
    "StressEntry",
    "StressSummary",
    "TargetEntry",
    "breaking_point",
    "compare",
    "cross_view",
    "dump",
    "finding_entry",
    "json_schema",
    "junit",
    "load",
    "metric_prefix",
    "metric_table",
    "panels",
    "point_entry",
    "read_per_example",
    "render",
    "render_comparison",
    "row_name",
    "sarif",
    "stress_entry",
    "thumbnail",
    "write_per_example",
    "write_report",
]
