"""The end of an audit: the report is put together, judged, compared with its baseline and written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.auditing.assemble import assemble
from holdfast.auditing.cards import summarise
from holdfast.auditing.crossing import joint_arrays, per_example_arrays
from holdfast.auditing.judge import judge_gates
from holdfast.core.checks import refuse
from holdfast.report import Behind, compare, load, read_per_example, write_per_example, write_report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from holdfast.auditing.frame import Frame
    from holdfast.auditing.inputs import Inputs
    from holdfast.auditing.plan import AuditPlan
    from holdfast.auditing.settings import AuditSettings
    from holdfast.core.store import Record
    from holdfast.report import Document

__all__ = ["check_baseline", "report_on"]


def check_baseline(settings: AuditSettings, inputs: Inputs) -> None:
    """Refuse a baseline that cannot be read or that used other examples, before anything is measured."""
    if settings.baseline is None:
        return
    load(settings.baseline)
    table = read_per_example(settings.baseline)
    if table.example.tolist() != inputs.index.tolist() or table.label.tolist() != inputs.data.y.tolist():
        refuse(
            "baseline",
            f"is {settings.baseline!r}, a run on {len(table.example)} other examples",
            allowed="a run on the same examples",
            remedy="Run both with the same data, seed, number of examples and preset.",
        )


def report_on(
    settings: AuditSettings,
    frame: Frame,
    plan: AuditPlan,
    records: Sequence[Record],
    *,
    folder: Path,
    run: Mapping[str, Any],
    repeatable: bool,
    interrupted: bool,
) -> Document:
    """Write all files of the report into `folder`.

    Parameters
    ----------
    settings, frame, plan, records : of the run
    folder : of the run
    run : times, notes and the command to resume with, as fields of :class:`holdfast.report.RunEntry`
    repeatable : a command line can find model and data again
    interrupted : the user stopped the run
    """
    summaries = summarise(plan.lines, records)
    document = assemble(
        settings, frame, plan, records, summaries=summaries, run=run, repeatable=repeatable, interrupted=interrupted
    )
    if document.run.status == "complete":
        document = document.model_copy(update={"run": document.run.model_copy(update={"resume": ""})})
    n = len(frame.labels)
    arrays = per_example_arrays(records, n) | joint_arrays(plan.lines, records, summaries, n)
    examples = read_per_example(write_per_example(folder / "per_example.npz", arrays, example=frame.index, label=frame.labels))
    before = None
    if settings.baseline is not None:
        before = Behind(load(settings.baseline), read_per_example(settings.baseline))
        paired = compare(before.table, examples, documents=(before.document, document))
        document = document.model_copy(update={"baseline": paired})
    gates = judge_gates(settings.gates, Behind(document, examples), baseline=before)
    document = document.model_copy(update={"gates": gates})
    write_report(document, folder)
    return document
