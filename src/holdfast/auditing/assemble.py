"""From records to the document: everything that the page shows, in one place."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from holdfast.auditing.cards import card_entries
from holdfast.auditing.command import command_line
from holdfast.auditing.crossing import cross_of, images_of
from holdfast.auditing.headline import headline_of
from holdfast.auditing.settings import AuditSettings
from holdfast.auditing.weakness import weakness_of
from holdfast.core.digest import digest
from holdfast.core.stress import INPUT_UNITS
from holdfast.report import Budget, Document, RunEntry, SkippedEntry, finding_entry
from holdfast.report.provenance import circumstances

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.auditing.frame import Frame
    from holdfast.auditing.plan import AuditPlan, PlannedStress
    from holdfast.core.experiment import Finding, Summary
    from holdfast.core.store import Record
    from holdfast.report import CardEntry, DataEntry, FindingEntry, StressEntry

__all__ = ["assemble"]

SEVERITIES = ("high", "medium", "low", "info")


def assemble(
    settings: AuditSettings,
    frame: Frame,
    plan: AuditPlan,
    records: Sequence[Record],
    *,
    summaries: Mapping[str, Summary],
    run: Mapping[str, Any],
    repeatable: bool,
    interrupted: bool,
) -> Document:
    """The report of an audit, without gates and baseline.

    Parameters
    ----------
    settings, frame, plan, records : of the run
    summaries : by stress
    run : what the report says of the run besides, e.g. its times, as fields of :class:`holdfast.report.RunEntry`
    repeatable : a command line can find model and data again
    interrupted : the user stopped the run
    """
    unit = "" if frame.facts.unit == INPUT_UNITS else frame.facts.unit
    findings = _findings(settings, plan, records, summaries, unit=unit, repeatable=repeatable)
    cards = card_entries(plan.lines, records, summaries, chance=frame.chance)
    return Document(
        run=_run_entry(settings, frame, plan, records, repeatable=repeatable, interrupted=interrupted).model_copy(update=dict(run)),
        target=frame.target,
        data=_data_entry(frame, cards),
        probe=dict(frame.probe),
        findings=sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)),
        headline=headline_of(plan.lines, records, cards, facts=frame.facts),
        cards=_in_unit(cards, frame.facts.unit),
        cross=cross_of(plan.lines, records, index=frame.index, chance=frame.chance),
        images=images_of(plan.lines, records, frame),
        skipped=[_left_out(line) for line in plan.lines if line.decision == "skipped"],
        reduced=[_left_out(line) for line in plan.lines if line.decision == "reduced"],
    )


def _in_unit(cards: Mapping[str, CardEntry], unit: str) -> dict[str, CardEntry]:
    """The cards with attack sizes in the `unit` of the inputs at hand."""

    def stress_in(entry: StressEntry) -> StressEntry:
        curves = [curve.model_copy(update={"unit": unit}) if curve.unit == INPUT_UNITS else curve for curve in entry.curves]
        half = entry.summary.half_point
        if half is not None and half.unit == INPUT_UNITS:
            half = half.model_copy(update={"unit": unit})
        return entry.model_copy(update={"curves": curves, "summary": entry.summary.model_copy(update={"half_point": half})})

    return {
        name: card.model_copy(update={"stresses": {key: stress_in(entry) for key, entry in card.stresses.items()}})
        for name, card in cards.items()
    }


def _data_entry(frame: Frame, cards: Mapping[str, CardEntry]) -> DataEntry:
    """The examples, with the number of those that were used: budgets and presets may leave some out."""
    used = [point.n for card in cards.values() for stress in card.stresses.values() for point in stress.points if point.metrics]
    return frame.data.model_copy(update={"n": max(used, default=0)})


def _findings(
    settings: AuditSettings,
    plan: AuditPlan,
    records: Sequence[Record],
    summaries: Mapping[str, Summary],
    *,
    unit: str,
    repeatable: bool,
) -> list[FindingEntry]:
    """What each stress finds, and what all attacks together do."""

    def command(*names: str) -> str:
        return _command(settings, plan.lines, names) if repeatable else ""

    found = [
        _finding(finding, line, command=command(line.stress.name))
        for line in plan.lines
        for finding in summaries[line.stress.name].findings
    ]
    if (weak := weakness_of(plan.lines, records, unit=unit)) is not None:
        place = {"card": weak.card, "stress": weak.stress, "at": dict(weak.at)}
        found.append(finding_entry(weak.finding, **place, command=command(*weak.measured_by)))
    return found


def _finding(finding: Finding, line: PlannedStress, *, command: str) -> FindingEntry:
    """The entry of a finding, with the stress's own remedy where it has none."""
    told = replace(finding, remedy=finding.remedy or line.stress.remedy)
    return finding_entry(told, card=line.stress.card.name, stress=line.stress.name, command=command)


def _command(settings: AuditSettings, lines: Sequence[PlannedStress], names: Sequence[str]) -> str:
    """The command that measures the stresses `names` again, on the same examples, in a folder of its own.

    Fewer stresses within one budget would be granted more examples, so that their number is part of the command instead.
    """
    chosen = settings.model_copy(update={"out": None, "fresh": False, "stresses": tuple(names), "gates": (), "budget": None})
    cards = deepcopy(settings.cards)
    for line in lines:
        if line.stress.name in names and line.decision == "reduced":
            cards.setdefault(line.stress.card.name, {}).setdefault(line.stress.name, {})["examples"] = line.examples
    return command_line(AuditSettings.model_validate({**chosen.model_dump(), **cards}))


def _run_entry(
    settings: AuditSettings, frame: Frame, plan: AuditPlan, records: Sequence[Record], *, repeatable: bool, interrupted: bool
) -> RunEntry:
    identity = frame.identity
    counted = {line.stress.name for line in plan.lines if line.queries}
    unfinished = len(records) < sum(line.points for line in plan.lines if line.decision != "skipped")
    partial = unfinished or any(record.status != "ok" for record in records)
    return RunEntry(
        id=digest(identity.target, identity.data, identity.seed, settings.preset)[:16],
        name=frame.target.name,
        status="interrupted" if interrupted else "partial" if partial else "complete",
        queries=frame.queries + sum(record.queries for record in records if record.experiment in counted),
        seed=settings.seed,
        preset=settings.preset,
        command=command_line(settings) if repeatable else "",
        budget=Budget(seconds=settings.budget, queries=settings.max_queries),
        threads=frame.threads,
        config=settings.model_dump(mode="json"),
        **{**circumstances(settings.run.device), "commit": frame.commit},
    )


def _left_out(line: PlannedStress) -> SkippedEntry:
    return SkippedEntry(stress=line.stress.name, card=line.stress.card.name, reason=line.reason)
