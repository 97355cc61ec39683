"""The report of a study whose process is gone, written from its folder."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from holdfast.core.runner import Finished, Identity, stored_records
from holdfast.core.store import Store
from holdfast.report import write_report
from holdfast.report.console import Console
from holdfast.report.provenance import shown_path
from holdfast.report.result import Report
from holdfast.studies.catalogue import find_study
from holdfast.studies.run import document_of, ended, run_entry

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["conclude"]


def conclude(folder: str | Path, *, running: str, reason: str, interrupted: bool, progress: bool = False) -> Report:
    """Report what the study in `folder` has measured.

    Parameters
    ----------
    folder : of a run that no process writes any more
    running : key of the point that was being measured when the process ended, which then counts as crashed; empty: unknown
    reason : why there is no more, in one sentence
    interrupted : by the user; then no point is to blame
    progress : print verdicts
    """
    found = Store.read(folder)
    identity, shown = found.fact("identity"), shown_path(found.folder)
    study = find_study(identity["name"]).PRESETS[identity["preset"]].prepared()
    with Store.create(folder, identity) as store:
        crashed = {} if interrupted else {running: reason}
        records = stored_records([study], Identity(seed=identity["seed"]), store, crashed=crashed)
        run = run_entry(study, identity, shown, threads=None, device="cpu").model_copy(update={"started": store.fact("started")})
        left, notes = Finished(records=records, interrupted=interrupted), [*study.notes, *store.notes, reason]
        run = ended(run, left, points=len(study.points()), begun=time.time(), notes=notes)
        document = document_of(run, study, records)
        write_report(document, store.folder)
    report = Report(document, shown)
    Console(prints=progress, lasting=True).ended(document, report.page)
    return report
