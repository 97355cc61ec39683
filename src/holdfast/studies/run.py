"""Running a study: prepare, measure all points, judge the claims, draw the page."""

from __future__ import annotations

import base64
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.core.checks import check_one_of
from holdfast.core.digest import digest
from holdfast.core.executors import InProcess, thread_budget
from holdfast.core.experiment import Context
from holdfast.core.figures import png
from holdfast.core.paper import judge_claims
from holdfast.core.pool import SpawnPool, check_not_importing_main
from holdfast.core.runner import Identity, measurements, run_until_interrupted, settings_of
from holdfast.core.seeds import Seeds
from holdfast.core.store import Store
from holdfast.core.watch import UNWATCHED, Watch
from holdfast.report import (
    CardEntry,
    ClaimEntry,
    Document,
    DrawingEntry,
    RunEntry,
    finding_entry,
    metric_table,
    stress_entry,
    write_report,
)
from holdfast.report.console import Console
from holdfast.report.provenance import circumstances, clock, time_used
from holdfast.report.result import Report
from holdfast.report.sentences import decide
from holdfast.report.wording import heading
from holdfast.studies.catalogue import find_study, presets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.core.runner import Finished
    from holdfast.core.store import Record
    from holdfast.studies.study import Study

__all__ = ["document_of", "ended", "later", "run_entry", "run_study"]


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
    workers : processes that share the points
    threads : torch threads of each process
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
    run = run_entry(study, identity, folder, threads=threads, device=device)
    with thread_budget(threads), Store.create(folder, identity, fresh=fresh) as store:
        run = run.model_copy(update={"started": store.fact("started") or clock()})
        store.remember(started=run.started, config=settings, points=points)
        memo = store.memo({"study": name, "version": study.version, "seed": seed})
        context = Context(seeds=Seeds(seed), device=device, memo=memo, folder=store.folder)
        executor = InProcess() if workers == 1 else SpawnPool(workers, threads=threads)
        watch.stored(store.folder, "study")
        with console.progress(points) as observe:
            found = run_until_interrupted(
                [study],
                context,
                identity=Identity(seed=seed),
                store=store,
                executor=executor,
                on_begin=watch.begin,
                on_record=watch.after(observe),
            )
        watch.phase("writing the report")
        done = ended(run, found, points=points, begun=begun, notes=[*study.notes, *store.notes])
        document = document_of(done, study, found.records)
        with store.reporting():
            write_report(document, folder)
        watch.reported()
    report = Report(document, folder)
    console.ended(document, report.page)
    return report


def run_entry(study: Study, identity: Mapping[str, Any], folder: Path, *, threads: int | None, device: str) -> RunEntry:
    """The entry of a run that begins.

    Parameters
    ----------
    study : with the settings of its preset
    identity : kind, name, preset, seed and digest of the settings, as the store keeps them
    folder : of the run
    threads, device : of the run
    """
    name, preset, seed = identity["name"], identity["preset"], identity["seed"]
    return RunEntry(
        id=digest(identity)[:16],
        kind="study",
        name=name,
        title=study.title,
        source=study.source,
        seed=seed,
        preset=preset,
        command=shlex.join(["holdfast", "study", "run", name, "--preset", preset, "--seed", str(seed), "--out", str(folder)]),
        threads=threads,
        config=settings_of(study),
        **circumstances(device),
    )


def ended(run: RunEntry, found: Finished, *, points: int, begun: float, notes: Sequence[str]) -> RunEntry:
    """The run with its status, its times, its notes, and the command that completes it where it is not complete."""
    missing = len(found.records) < points or any(record.status != "ok" for record in found.records)
    status = "interrupted" if found.interrupted else "partial" if missing else "complete"
    ends = {"status": status, "finished": clock(), "seconds": time_used(found.records, since=begun)}
    return run.model_copy(update={**ends, "notes": notes, "resume": "" if status == "complete" else run.command})


def later(scales: Mapping[str, Study], preset: str) -> dict[str, str]:
    """Claims that a preset does not plan but a larger one does, and the first one that does."""
    names = list(scales)
    mine = {claim.id for claim in scales[preset].prepared().planned()}
    found: dict[str, str] = {}
    for name in names[names.index(preset) + 1 :]:
        for claim in scales[name].prepared().planned():
            if claim.id not in mine:
                found.setdefault(claim.id, name)
    return found


def document_of(run: RunEntry, study: Study, records: Sequence[Record]) -> Document:
    """The report of `study` with the `records` of its points."""
    parts = study.parts_of(measurements(study, records))
    entries = {name: stress_entry(study, records, found, part=name, title=heading(name)) for name, found in parts.items()}
    table = metric_table(entries)
    verdicts = judge_claims(study.planned(), study.points(), records, table)
    return Document(
        run=run,
        claims=[ClaimEntry.of(verdict) for verdict in verdicts],
        sentences=decide(study.paper(), verdicts, table, later=later(find_study(run.name).PRESETS, run.preset)),
        drawings=[
            DrawingEntry(title=one.title, note=one.note, png=base64.b64encode(png(one.figure)).decode())
            for found in parts.values()
            for one in found.drawings
        ],
        findings=[finding_entry(one, card=study.name, stress=name) for name, found in parts.items() for one in found.findings],
        cards={study.name: CardEntry(title=study.title, stresses=entries)},
    )
