"""From records to the entries of ``report.json``, for audits and studies alike; and from entries to the table that checks read.

An experiment with its records and its summary becomes a :class:`~holdfast.report.measured.StressEntry`. Claims and gates are
judged over these entries, so that a verdict from a stored report is the verdict of the run.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Literal

from holdfast.core.figures import png
from holdfast.core.grammar import parse_metric
from holdfast.core.metrics import MetricTable
from holdfast.core.paper import judge_claims
from holdfast.core.runner import settings_of
from holdfast.report.document import Document, DrawingEntry, FindingEntry
from holdfast.report.judged import ClaimEntry
from holdfast.report.measured import CardEntry, CurveEntry, Details, EstimateEntry, PointEntry, StressEntry
from holdfast.report.sentences import decide
from holdfast.report.wording import at_text, heading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from holdfast.core.estimate import Estimate
    from holdfast.core.experiment import Experiment, Finding, Summary
    from holdfast.core.paired import ExampleValues
    from holdfast.core.paper import Paper, StudyClaim
    from holdfast.core.store import Record
    from holdfast.report.document import RunEntry

    FindExamples = Callable[[str, Mapping[str, Any], str, Estimate], ExampleValues | None]

__all__ = ["StressStatus", "finding_entry", "metric_table", "point_entry", "stress_entry", "study_document"]

StressStatus = Literal["ok", "reduced", "partial", "skipped", "error"]
STATUS: dict[str, Literal["ok", "error", "skipped"]] = {"ok": "ok", "error": "error", "late": "skipped"}


def _estimates(estimates: Mapping[str, Estimate]) -> dict[str, EstimateEntry]:
    return {name: EstimateEntry.of(estimate) for name, estimate in estimates.items()}


def point_entry(record: Record, *, examples: int = 0, counts_queries: bool = False) -> PointEntry:
    """The entry of one point.

    Parameters
    ----------
    record : of the point
    examples : that were used, 0 where there are none
    counts_queries : the point's queries count against a budget, so that they are reported
    """
    measured = record.measurement
    return PointEntry(
        at={key: value for key, value in record.at.items() if key != "part"},
        n=examples,
        metrics=_estimates(measured.estimates) if measured else {},
        details=Details(**measured.details) if measured else Details(),
        seconds=record.seconds,
        queries=record.queries if counts_queries else 0,
        key=record.key,
        status=STATUS[record.status],
        error=record.error,
    )


def stress_entry(
    experiment: Experiment,
    records: Sequence[Record],
    summary: Summary,
    *,
    part: str = "",
    examples: int | None = None,
    counts_queries: bool = False,
    planned: tuple[StressStatus, str] = ("ok", ""),
    **texts: Any,
) -> StressEntry:
    """The entry of one experiment: a stress of an audit, or one part of a study.

    Parameters
    ----------
    experiment : whose settings are reported
    records : of the run; those of other experiments are left out
    summary : what the finished points together say
    part : only points of this ``"part"``, which their entries then leave out; the settings stand with the whole study
    examples : that each point used
    counts_queries : as for :func:`point_entry`
    planned : status and reason where no point crashed or is missing, e.g. ``("reduced", "50 instead of 200 examples")``
    texts : further fields of the entry, such as ``title``
    """
    own = [record for record in records if record.experiment == experiment.name and record.at.get("part", "") == part]
    points = sum(point.get("part", "") == part for point in experiment.points())
    status, reason = planned if planned[0] == "skipped" else _outcome(own, points) or planned
    return StressEntry(
        version=experiment.version,
        status=status,
        reason=reason,
        config={} if part else settings_of(experiment),
        examples=examples,
        points=[point_entry(record, examples=examples or 0, counts_queries=counts_queries) for record in own],
        curves=[CurveEntry.of(curve) for curve in summary.curves],
        metrics=_estimates(summary.metrics),
        notes=list(summary.notes),
        **texts,
    )


def _outcome(records: Sequence[Record], points: int) -> tuple[StressStatus, str] | None:
    """Status and reason where points crashed or are missing, otherwise None."""
    failed = [record for record in records if record.status == "error"]
    late = sum(record.status == "late" for record in records)
    if failed:
        return "error", f"{len(failed)} of {len(records)} points crashed: {failed[0].reason}"
    if late:
        return "partial", f"{late} of {len(records)} points had no time left"
    if len(records) < points:
        return "partial", f"{points - len(records)} of {points} points were not begun"
    return None


def finding_entry(finding: Finding, **place: Any) -> FindingEntry:
    """The entry of a finding with all its fields.

    Parameters
    ----------
    finding : as an experiment's summary gives it
    place : further fields of the entry: ``card``, ``stress``, ``at``, ``command``
    """
    texts = {name: getattr(finding, name) for name in ("id", "severity", "text", "evidence", "remedy", "threshold")}
    estimate = None if finding.estimate is None else EstimateEntry.of(finding.estimate)
    return FindingEntry(**texts, estimate=estimate, **place)


def metric_table(entries: Mapping[str, StressEntry], behind: FindExamples | None = None) -> MetricTable:
    """All estimates by the names that checks use, and for what was not measured the points that are missing and why.

    Parameters
    ----------
    entries : by what the names of their metrics begin with, e.g. ``"adversarial.pgd"``; an empty text adds nothing
    behind : gives the examples behind an estimate by prefix, point and metric, so that checks can pair them; None: no pairs

    Examples
    --------
    >>> from holdfast.core.estimate import exact
    >>> point = PointEntry(at={"eps": 0.1}, metrics={"accuracy": EstimateEntry.of(exact(0.5))})
    >>> metric_table({"adversarial.pgd": StressEntry(points=[point])}).find("adversarial.pgd.accuracy", {"eps": 0.1}).value
    0.5
    """
    table = MetricTable(pairs=behind is not None)
    find = behind or _unknown
    for prefix, entry in entries.items():
        for text, estimate in entry.metrics.items():
            metric = parse_metric(text)
            at, found = dict(metric.selector), estimate.estimate()
            table.add(_joined(prefix, metric.path), found, at=at, behind=find(prefix, at, metric.path, found))
        for point in entry.points:
            _add_point(table, prefix, point, entry, find)
        if entry.status in {"skipped", "error", "partial"}:
            table.mark_missing(prefix, entry.reason or entry.status)
    return table


def _unknown(prefix: str, at: Mapping[str, Any], metric: str, estimate: Estimate) -> None:
    """No examples are known behind any number."""
    del prefix, at, metric, estimate


def _add_point(table: MetricTable, prefix: str, point: PointEntry, entry: StressEntry, find: FindExamples) -> None:
    """Enter what one point measured, or why it did not."""
    for name, estimate in point.metrics.items():
        if point.at or name not in entry.metrics:
            found = estimate.estimate()
            table.add(_joined(prefix, name), found, at=point.at, behind=find(prefix, point.at, name, found))
    if point.status != "ok":
        place = at_text(point.at)
        reason = f"{place}: {point.reason}" if place else point.reason
        for name in {name for other in entry.points for name in other.metrics}:
            table.mark_missing(_joined(prefix, name), reason, at=point.at)
        table.mark_missing(prefix, reason, needs=point.at)


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix and name else prefix or name


def study_document(
    run: RunEntry,
    study: Experiment,
    records: Sequence[Record],
    *,
    parts: Mapping[str, Summary],
    paper: Paper,
    claims: Sequence[StudyClaim],
    later: Mapping[str, str],
) -> Document:
    """The report of a study: its parts, the claims judged over them, and the sentences of the paper that these decide.

    Parameters
    ----------
    run : the entry of the run
    study, records : the experiment and what its points left
    parts : what each part says
    paper : sentences and claims of the study
    claims : those that are planned
    later : claims that only a larger preset plans, and that preset
    """
    entries = {name: stress_entry(study, records, found, part=name, title=heading(name)) for name, found in parts.items()}
    table = metric_table(entries)
    verdicts = judge_claims(claims, study.points(), records, table)
    return Document(
        run=run,
        claims=[ClaimEntry.of(verdict) for verdict in verdicts],
        sentences=decide(paper, verdicts, table, later=later),
        drawings=[
            DrawingEntry(title=one.title, note=one.note, png=base64.b64encode(png(one.figure)).decode())
            for found in parts.values()
            for one in found.drawings
        ],
        findings=[finding_entry(one, card=study.name, stress=name) for name, found in parts.items() for one in found.findings],
        cards={study.name: CardEntry(title=run.title, stresses=entries)},
    )
