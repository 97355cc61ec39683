"""Running a study: prepare, measure all points, judge the claims, draw the page."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.core.checks import check_one_of
from holdfast.core.digest import digest
from holdfast.core.executors import InProcess, thread_budget
from holdfast.core.experiment import Context
from holdfast.core.pool import SpawnPool, check_not_importing_main
from holdfast.core.runner import Finished, Identity, measurements, run_until_interrupted, settings_of, stored_records
from holdfast.core.seeds import Seeds
from holdfast.core.store import Store
from holdfast.core.watch import UNWATCHED, Watch
from holdfast.report import Document, RunEntry, write_report
from holdfast.report.assembly import study_document
from holdfast.report.console import Console
from holdfast.report.provenance import circumstances, clock, shown_path, time_used
from holdfast.report.result import Report
from holdfast.studies.catalogue import find_study, presets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.studies.study import Study

__all__ = ["conclude", "later", "run_study"]


def run_study(  # noqa: PLR0913 (each is a flag of the command line)
    name: str,
    *,
    preset: str = "quick",
    seed: int = 0,
    out: str | Path | None = None,
    workers: int = 1,
    threads: int | None = None,
    device: str = "cpu",
    fresh: bool = False,
    progress: bool = False,
    watch: Watch = UNWATCHED,
) -> Report:
    """Repeat a published experiment and judge its claims.

    Parameters
    ----------
    name : of the study, from :func:`holdfast.studies.list_studies`
    preset : ``"quick"``, ``"standard"`` or ``"paper"``
    seed : same seed, same table
    out : folder of the run; a run that lies there is completed. Default: ``runs/NAME-PRESET``
    workers, threads : processes that share the points, and torch threads of each of them
    device : ``"cpu"`` or ``"cuda"``
    fresh : delete the files of an earlier run in the folder and begin anew; every other file stays
    progress : print progress and verdicts
    watch : is told what the study is doing

    Returns
    -------
    Report whose ``document.claims`` hold the verdicts and whose ``exit_code`` is 0 if no claim failed, 1 if one did, 3 if a point
    crashed, 130 after an interrupt.
    """
    check_not_importing_main()
    begun, console = time.time(), Console(prints=progress, lasting=True)
    scales = find_study(name).PRESETS
    if preset not in scales:
        check_one_of(preset, "preset", allowed=presets(name))
    study = scales[preset].prepared()
    settings, points = settings_of(study), len(study.points())
    folder = Path(out or f"runs/{name}-{preset}")
    identity = {"kind": "study", "name": name, "preset": preset, "seed": seed, "settings": digest(settings)}
    run = _entry(study, identity, folder, device=device, threads=threads)
    with thread_budget(threads), Store.create(folder, identity, fresh=fresh) as store:
        run = run.model_copy(update={"started": store.fact("started") or clock()})
        store.remember(started=run.started, config=settings, points=points, made={"device": device, "threads": threads})
        memo = store.memo({"study": name, "version": study.version, "seed": seed})
        context = Context(seeds=Seeds(seed), device=device, memo=memo, folder=store.folder)
        executor = InProcess() if workers == 1 else SpawnPool(workers, threads=threads)
        watch.stored(store.folder, "study")
        with console.progress(points) as observe:
            told: dict[str, Any] = {"on_begin": watch.begin, "on_record": watch.after(observe)}
            found = run_until_interrupted([study], context, identity=Identity(seed=seed), store=store, executor=executor, **told)
        watch.phase("writing the report")
        document = _reported(run, study, found, store, begun=begun)
        watch.reported()
    report = Report(document, folder)
    console.ended(document, report.page)
    return report


def conclude(folder: str | Path, *, running: str, reason: str, interrupted: bool, progress: bool = False) -> Report:
    """Report what the study in `folder`, whose process is gone, has measured.

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
        records = stored_records([study], Identity(seed=identity["seed"]), store, crashed={} if interrupted else {running: reason})
        run = _entry(study, identity, shown, **store.fact("made"))
        run = run.model_copy(update={"started": store.fact("started"), "notes": [reason]})
        left = Finished(records=records, interrupted=interrupted)
        document = _reported(run, study, left, store, begun=time.time())
    report = Report(document, shown)
    Console(prints=progress, lasting=True).ended(document, report.page)
    return report


def _entry(study: Study, identity: Mapping[str, Any], folder: Path, *, device: str, threads: int | None) -> RunEntry:
    """The entry of a run that begins, with the `identity` that the store keeps."""
    words = [word for name in ("preset", "seed") for word in (f"--{name}", str(identity[name]))]
    words += [] if device == "cpu" else ["--device", device]
    return RunEntry(
        id=digest(identity)[:16],
        title=study.title,
        source=study.source,
        command=shlex.join(["holdfast", "study", "run", study.name, *words, "--out", str(folder)]),
        threads=threads,
        config=settings_of(study),
        **{name: identity[name] for name in ("kind", "name", "preset", "seed")},
        **circumstances(device),
    )


def _reported(run: RunEntry, study: Study, found: Finished, store: Store, *, begun: float) -> Document:
    """Write the report: the run with its status, its times and what completes it, claims, sentences and all points."""
    missing = len(found.records) < len(study.points()) or any(record.status != "ok" for record in found.records)
    status = "interrupted" if found.interrupted else "partial" if missing else "complete"
    ends = {"status": status, "finished": clock(), "seconds": time_used(found.records, since=begun)}
    ends |= {"notes": [*study.notes, *store.notes, *run.notes], "resume": "" if status == "complete" else run.command}
    parts, coming = study.parts_of(measurements(study, found.records)), later(find_study(run.name).PRESETS, run.preset)
    document = study_document(
        run.model_copy(update=ends), study, found.records, parts=parts, paper=study.paper(), claims=study.planned(), later=coming
    )
    with store.reporting():
        write_report(document, store.folder)
    return document


def later(scales: Mapping[str, Study], preset: str) -> dict[str, str]:
    """Claims that a preset does not plan but a larger one does, and the first one that does."""
    larger = list(scales)[list(scales).index(preset) + 1 :]
    found = {claim.id: name for name in reversed(larger) for claim in scales[name].prepared().planned()}
    mine = {claim.id for claim in scales[preset].prepared().planned()}
    return {claim: name for claim, name in found.items() if claim not in mine}
