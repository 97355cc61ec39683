"""The report of an audit whose process is gone, written from its folder: neither network nor data are touched."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from holdfast.auditing.consent import resumption
from holdfast.auditing.frame import Frame
from holdfast.auditing.reporting import report_on
from holdfast.auditing.scheduling import stored_plan
from holdfast.auditing.settings import AuditSettings
from holdfast.core.runner import stored_records
from holdfast.core.store import Store
from holdfast.report.console import Console
from holdfast.report.provenance import clock, shown_path, time_used
from holdfast.report.result import Report

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["conclude"]


def conclude(folder: str | Path, *, running: str, reason: str, interrupted: bool, progress: bool = False) -> Report:
    """Report what the audit in `folder` has measured.

    Parameters
    ----------
    folder : of a run that was begun by the command line, and that no process writes any more
    running : key of the point that was being measured when the process ended, which then counts as crashed; empty: unknown
    reason : why there is no more, in one sentence
    interrupted : by the user; then no point is to blame
    progress : print verdicts
    """
    found = Store.read(folder)
    shown = shown_path(found.folder)
    with Store.create(folder, found.fact("identity")) as store:
        settings = AuditSettings.model_validate(store.fact("config"))
        frame = Frame.from_json(store.fact("frame"))
        plan = stored_plan(store, settings, frame)
        records = stored_records(plan.stresses, frame.identity, store, crashed={} if interrupted else {running: reason})
        document = report_on(
            settings,
            frame,
            plan,
            records,
            folder=store.folder,
            run={
                "started": store.fact("started"),
                "finished": clock(),
                "seconds": time_used(records, since=time.time()),
                "config_file": store.fact("config_file") or "",
                "resume": resumption(shown, settings, store.fact("seal")),
                "notes": [*store.notes, reason],
            },
            repeatable=True,
            interrupted=interrupted,
        )
    report = Report(document, shown, settings.undecided)
    Console(prints=progress, lasting=True).ended(document, report.page)
    return report
