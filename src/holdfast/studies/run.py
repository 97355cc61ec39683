"""Running a study: prepare, measure all points, judge the claims, draw the page."""

from __future__ import annotations

import base64
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.core.checks import check_one_of
from holdfast.core.digest import digest
from holdfast.core.executors import InProcess, SpawnPool, thread_budget
from holdfast.core.experiment import Context
from holdfast.core.figures import png
from holdfast.core.runner import Identity, measurements, run_until_interrupted, settings_of
from holdfast.core.seeds import Seeds
from holdfast.core.store import Store
from holdfast.report import (
    CardEntry,
    ClaimEntry,
    Document,
    DrawingEntry,
    Run,
    finding_entry,
    metric_table,
    stress_entry,
    write_report,
)
from holdfast.report.console import Console
from holdfast.report.provenance import circumstances, clock, time_used
from holdfast.report.result import Report
from holdfast.report.wording import heading
from holdfast.studies.catalogue import find_study, presets
from holdfast.studies.decision import decide, judge_claims

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.core.experiment import Drawing
    from holdfast.core.store import Record
    from holdfast.studies.study import Study

__all__ = ["run_study"]


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
    fresh : throw away what an earlier run left in the folder
    progress : print progress and verdicts

    Returns
    -------
    Report whose ``document.claims`` hold the verdicts and whose ``exit_code`` is 0 if no claim failed, 1 if one did, 3 if a point
    crashed, 130 after an interrupt.
    """
    begun = time.time()
    console = Console(prints=progress)
    scales = find_study(name).PRESETS
    if preset not in scales:
        check_one_of(preset, "preset", allowed=presets(name))
    study = scales[preset].prepared()
    larger = {other: scale.prepared() for other, scale in list(scales.items())[list(scales).index(preset) + 1 :]}
    settings = settings_of(study)
    folder = Path(out or f"runs/{name}-{preset}")
    identity = {"kind": "study", "name": name, "preset": preset, "seed": seed, "settings": digest(settings)}
    command = shlex.join(["holdfast", "study", "run", name, "--preset", preset, "--seed", str(seed), "--out", str(folder)])
    with thread_budget(threads), Store.create(folder, identity, fresh=fresh) as store:
        started = store.fact("started") or clock()
        store.remember(started=started, config=settings, points=len(study.points()))
        context = Context(
            seeds=Seeds(seed),
            device=device,
            memo=store.memo({"study": name, "version": study.version, "seed": seed}),
            folder=store.folder,
        )
        executor = InProcess() if workers == 1 else SpawnPool(workers, threads=threads)
        with console.progress(len(study.points())) as observe:
            found = run_until_interrupted(
                [study], context, identity=Identity(seed=seed), store=store, executor=executor, on_record=observe
            )
        records, interrupted = found.records, found.interrupted
        missing = len(records) < len(study.points()) or any(record.status != "ok" for record in records)
        run = Run(
            id=digest(identity)[:16],
            kind="study",
            name=name,
            title=study.title,
            source=study.source,
            status="interrupted" if interrupted else "partial" if missing else "complete",
            started=started,
            finished=clock(),
            seconds=time_used(records, since=begun),
            seed=seed,
            preset=preset,
            command=command,
            resume=command if missing or interrupted else "",
            threads=threads,
            config=settings,
            notes=list(store.notes),
            **circumstances(device),
        )
        document = _document(run, study, larger, records)
        write_report(document, folder)
    report = Report(document, folder)
    console.ended(document, report.page)
    return report


def _document(run: Run, study: Study, larger: Mapping[str, Study], records: Sequence[Record]) -> Document:
    parts = study.parts_of(measurements(study, records))
    entries = {name: stress_entry(study, records, found, part=name, title=heading(name)) for name, found in parts.items()}
    table = metric_table(entries)
    verdicts = judge_claims(study, records, table)
    return Document(
        run=run.model_copy(update={"notes": [*study.notes, *run.notes]}),
        claims=[ClaimEntry.of(verdict) for verdict in verdicts],
        sentences=decide(study.paper(), verdicts, table, later=_planned_later(study, larger)),
        drawings=[_drawing(one) for found in parts.values() for one in found.drawings],
        findings=[finding_entry(one, card=run.name, stress=name) for name, found in parts.items() for one in found.findings],
        cards={run.name: CardEntry(title=study.title, stresses=entries)},
    )


def _planned_later(study: Study, larger: Mapping[str, Study]) -> dict[str, str]:
    """Claims that these settings do not plan but a larger preset does, and the first one that does."""
    mine = {claim.id for claim in study.planned()}
    later: dict[str, str] = {}
    for name, scale in larger.items():
        for claim in scale.planned():
            if claim.id not in mine:
                later.setdefault(claim.id, name)
    return later


def _drawing(one: Drawing) -> DrawingEntry:
    return DrawingEntry(title=one.title, note=one.note, png=base64.b64encode(png(one.figure)).decode())
