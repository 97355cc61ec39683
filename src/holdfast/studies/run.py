"""Running a study: prepare, measure all points, judge the claims, draw the page."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.core.claim import MetricTable, judge
from holdfast.core.digest import digest
from holdfast.core.executors import InProcess, SpawnPool, thread_budget
from holdfast.core.experiment import Context
from holdfast.core.runner import Identity, measurements, settings_of
from holdfast.core.seeds import Seeds
from holdfast.core.store import Store
from holdfast.report import (
    CardEntry,
    ClaimEntry,
    CurveEntry,
    Details,
    Document,
    EstimateEntry,
    FindingEntry,
    PointEntry,
    Run,
    StressEntry,
    write_report,
)
from holdfast.report.console import Console
from holdfast.report.provenance import circumstances, clock, time_used
from holdfast.report.result import Report
from holdfast.studies.catalogue import Study, find_study

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.core.experiment import Experiment, Summary
    from holdfast.core.store import Record

__all__ = ["metric_table", "run_study"]


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
    console = Console(speaks=progress)
    study = find_study(name)
    experiment = study.prepare(preset)
    settings = settings_of(experiment)
    folder = Path(out or f"runs/{name}-{preset}")
    identity = {"kind": "study", "name": name, "preset": preset, "seed": seed, "settings": digest(settings)}
    command = shlex.join(["holdfast", "study", "run", name, "--preset", preset, "--seed", str(seed), "--out", str(folder)])
    with thread_budget(threads), Store.create(folder, identity, fresh=fresh) as store:
        started = store.fact("started") or clock()
        store.remember(started=started, config=settings, points=len(experiment.points()))
        context = Context(
            seeds=Seeds(seed),
            device=device,
            memo=store.memo({"study": name, "version": experiment.version, "seed": seed}),
            folder=store.folder,
        )
        executor = InProcess() if workers == 1 else SpawnPool(workers, threads=threads)
        records, interrupted = console.run([experiment], context, identity=Identity(seed=seed), store=store, executor=executor)
        missing = len(records) < len(experiment.points()) or any(record.status != "ok" for record in records)
        run = Run(
            id=digest(identity)[:16],
            kind="study",
            name=name,
            title=study.TITLE,
            source=study.SOURCE,
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
        document = _document(run, study, experiment, records)
        write_report(document, folder)
    report = Report(document, folder)
    console.ended(document, report.page)
    return report


def _document(run: Run, study: Study, experiment: Experiment, records: Sequence[Record]) -> Document:
    summary = experiment.summarise(measurements(experiment, records))
    verdicts = judge(summary.claims, metric_table(records, summary))
    return Document(
        run=run.model_copy(update={"notes": [*summary.notes, *run.notes]}),
        claims=[ClaimEntry.of(verdict) for verdict in verdicts],
        findings=[FindingEntry(**{key: getattr(found, key) for key in FINDING}) for found in summary.findings],
        cards={run.name: _card(study, experiment, records, summary)},
    )


FINDING = ("id", "severity", "text", "evidence", "remedy")


def metric_table(records: Sequence[Record], summary: Summary) -> MetricTable:
    """All estimates of a study's points and of its summary, by metric name; crashed points are marked with their reason."""
    table = MetricTable()
    for quantity in summary.quantities:
        table.add(quantity.name, quantity.estimate, at=quantity.at)
    names = {metric for record in records if record.measurement for metric in record.measurement.estimates}
    for record in records:
        if record.measurement is not None:
            for metric, estimate in record.measurement.estimates.items():
                table.add(metric, estimate, at=record.at)
        else:
            for metric in names:
                table.mark_missing(metric, record.error.strip().splitlines()[-1], at=record.at)
    return table


def _card(study: Study, experiment: Experiment, records: Sequence[Record], summary: Summary) -> CardEntry:
    points = [
        PointEntry(
            at=dict(record.at),
            metrics={key: EstimateEntry.of(item) for key, item in record.measurement.estimates.items()}
            if record.measurement
            else {},
            details=Details(**record.measurement.details) if record.measurement else Details(),
            seconds=record.seconds,
            key=record.key,
            status="ok" if record.status == "ok" else "error",
            error=record.error,
        )
        for record in records
    ]
    failed = sum(point.status == "error" for point in points)
    entry = StressEntry(
        version=experiment.version,
        title=study.TITLE,
        status="error" if failed else "ok",
        reason=f"{failed} of {len(points)} points crashed" if failed else "",
        config=settings_of(experiment),
        points=points,
        curves=[CurveEntry.of(curve) for curve in summary.curves],
        metrics={key: EstimateEntry.of(item) for key, item in summary.metrics.items()},
    )
    return CardEntry(title=study.TITLE, stresses={experiment.name: entry})
