"""The one runner: measures the points of experiments, commits each at once, and never repeats a committed one."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from holdfast.core.digest import digest, jsonable
from holdfast.core.executors import Executor, InProcess, Outcome, Task, WorkerDied
from holdfast.core.store import Record, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from holdfast.core.experiment import Context, Experiment, Measurement, Point

__all__ = [
    "Allowance",
    "Finished",
    "Identity",
    "measurements",
    "point_key",
    "run",
    "run_until_interrupted",
    "settings_of",
    "stored_records",
]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Digests of what all points of a run depend on.

    Parameters
    ----------
    target, data : digests, empty where there is none
    seed : of the run
    """

    target: str = ""
    data: str = ""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What a run may spend.

    Parameters
    ----------
    deadline : Unix time in s after which no point and no batch is begun, or None
    queries : (experiment, point) -> largest number of queries to the target; None: no limit
    limit : (experiment, point) -> longest time of the point in s; None: no limit
    """

    deadline: float | None = None
    queries: Callable[[Experiment, Point], int | None] | None = None
    limit: Callable[[Experiment, Point], float | None] | None = None


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a run left.

    Parameters
    ----------
    records : in the order of experiments and points; after an interrupt, of the finished points in the order in which they ended
    interrupted : the user stopped the run
    """

    records: list[Record]
    interrupted: bool


def settings_of(experiment: Experiment) -> dict[str, Any]:
    """The settings of an experiment: its dataclass fields as plain JSON types."""
    return {entry.name: jsonable(getattr(experiment, entry.name)) for entry in fields(experiment)}  # type: ignore[arg-type]


def point_key(experiment: Experiment, point: Point, identity: Identity) -> str:
    """Digest of everything that a point's numbers depend on; equal keys mean equal numbers."""
    return digest(
        identity.target,
        identity.data,
        experiment.name,
        experiment.version,
        settings_of(experiment),
        point,
        identity.seed,
    )


def run(
    experiments: Sequence[Experiment],
    context: Context,
    *,
    identity: Identity,
    store: Store | None = None,
    executor: Executor | None = None,
    allowance: Allowance | None = None,
    on_begin: Callable[[Task], None] | None = None,
    on_record: Callable[[Record], None] | None = None,
) -> list[Record]:
    """Measure all points that `store` does not hold yet.

    Parameters
    ----------
    experiments : measured in this order
    context : what each point is given
    identity : digests of target and data, and the seed; part of every key
    store : where finished points are committed; None keeps them in memory only
    executor : default: in this process
    allowance : time and queries
    on_begin : called before each point that is measured
    on_record : called after each point, reused ones included

    Returns
    -------
    One record per point, in the order of experiments and points, whatever the order in which they ended. Points that failed
    earlier are tried again, after all others; points for which there was no time have the status ``"late"`` and are not stored.
    """
    spend = allowance or Allowance()
    tasks = [
        Task(
            experiment=experiment,
            point=point,
            key=point_key(experiment, point, identity),
            deadline=spend.deadline,
            queries=spend.queries(experiment, point) if spend.queries else None,
            limit=spend.limit(experiment, point) if spend.limit else None,
        )
        for experiment in experiments
        for point in experiment.points()
    ]
    records: dict[str, Record] = {}

    def keep(record: Record) -> None:
        records[record.key] = record
        if on_record is not None:
            on_record(record)

    waiting: dict[str, Task] = {}
    again: dict[str, Task] = {}
    for task in tasks:
        known = store.find(task.key) if store is not None else None
        if known is not None and known.status == "ok":
            keep(known)
        else:
            (waiting if known is None else again).setdefault(task.key, task)
    queue = deque([*waiting.values(), *again.values()])
    _execute(queue, context, executor=executor or InProcess(), store=store, begin=on_begin or _unheard, keep=keep)
    return [records[task.key] for task in tasks]


def _unheard(task: Task) -> None:
    del task


def stored_records(
    experiments: Sequence[Experiment], identity: Identity, store: Store, *, crashed: Mapping[str, str]
) -> list[Record]:
    """The records that `store` holds of the points of `experiments`, in their order; nothing is measured.

    Parameters
    ----------
    experiments, identity : of the run
    store : of the run
    crashed : key of a point -> reason; such points without a measurement are committed as failed
    """
    records = []
    for experiment in experiments:
        for point in experiment.points():
            key = point_key(experiment, point, identity)
            record = store.find(key)
            if key in crashed and (record is None or record.status != "ok"):
                record = _record(Task(experiment=experiment, point=point, key=key), Outcome(status="error", error=crashed[key]))
                store.commit(record)
            if record is not None:
                records.append(record)
    return records


def run_until_interrupted(
    experiments: Sequence[Experiment],
    context: Context,
    *,
    identity: Identity,
    on_record: Callable[[Record], None] | None = None,
    **options: Any,
) -> Finished:
    """:func:`run`, where an interrupt by the user ends the run and keeps what was measured.

    Parameters
    ----------
    experiments, context, identity, on_record : as for :func:`run`
    options : further arguments of :func:`run`
    """
    finished: list[Record] = []

    def keep(record: Record) -> None:
        finished.append(record)
        if on_record is not None:
            on_record(record)

    try:
        records = run(experiments, context, identity=identity, on_record=keep, **options)
    except KeyboardInterrupt:
        return Finished(records=finished, interrupted=True)
    return Finished(records=records, interrupted=False)


def _execute(
    waiting: deque[Task],
    context: Context,
    *,
    executor: Executor,
    store: Store | None,
    begin: Callable[[Task], None],
    keep: Callable[[Record], None],
) -> None:
    """Measure all tasks; those whose worker died are tried once more, each alone, so that only the culprit is blamed."""

    def finish(task: Task, outcome: Outcome) -> None:
        record = _record(task, outcome)
        if store is not None and record.status != "late":
            store.commit(record)
        keep(record)

    if not waiting:
        return
    try:
        executor.begin(context)
        for task in _drain(waiting, executor, begin, finish):
            begin(task)
            try:
                outcome = executor.submit(task).result()
            except WorkerDied as death:
                outcome = Outcome(status="error", error=str(death))
            finish(task, outcome)
    finally:
        executor.end()


def _drain(
    waiting: deque[Task], executor: Executor, begin: Callable[[Task], None], finish: Callable[[Task, Outcome], None]
) -> list[Task]:
    """Keep the executor busy until all tasks have ended; gives the tasks whose worker died."""
    died: list[Task] = []
    running: dict[Future[Outcome], Task] = {}
    while waiting or running:
        while waiting and len(running) < 2 * executor.workers - 1:
            task = waiting.popleft()
            if task.deadline is not None and time.time() > task.deadline:
                finish(task, Outcome(status="late", error="the time budget ended before this point began"))
            else:
                begin(task)
                running[executor.submit(task)] = task
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            task = running.pop(future)
            try:
                outcome = future.result()
            except WorkerDied:
                died.append(task)
            else:
                finish(task, outcome)
    return died


def _record(task: Task, outcome: Outcome) -> Record:
    return Record(
        key=task.key,
        experiment=task.experiment.name,
        at=task.point,
        status=outcome.status,
        measurement=outcome.measurement,
        seconds=outcome.seconds,
        queries=outcome.queries,
        error=outcome.error,
    )


def measurements(experiment: Experiment, records: Sequence[Record]) -> list[tuple[Mapping[str, Any], Measurement]]:
    """The finished points of `experiment` among `records`, in the order of its points, ready for ``summarise``."""
    return [
        (record.at, record.measurement)
        for record in records
        if record.experiment == experiment.name and record.measurement is not None
    ]
