"""Where points are measured: in this process, in a pool of processes (:mod:`holdfast.core.pool`), or anywhere else that keeps
the protocol. What a point gives does not depend on where it is measured.
"""

from __future__ import annotations

import time
import traceback
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from holdfast.core.checks import as_written
from holdfast.core.errors import TimeBudgetError
from holdfast.core.seeds import seeded
from holdfast.core.target import QueryCounter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.core.experiment import Context, Experiment, Measurement, Point

__all__ = ["Executor", "InProcess", "Outcome", "Task", "WorkerDied", "over_limit", "perform", "thread_budget"]


class WorkerDied(RuntimeError):  # noqa: N818 (it names what happened)
    """The process that measured a point ended without an answer (killed, or out of memory)."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One point to measure, with what it may spend.

    Parameters
    ----------
    experiment, point : what to measure
    key : of the point
    deadline : Unix time in s, or None
    queries : largest number of queries to the target, or None
    limit : longest time that the point may take, in s, or None
    """

    experiment: Experiment
    point: Point
    key: str = ""
    deadline: float | None = None
    queries: int | None = None
    limit: float | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a task; `error` holds a traceback or a reason."""

    status: Literal["ok", "error", "late"]
    measurement: Measurement | None = None
    seconds: float = 0.0
    queries: int = 0
    error: str = ""


def _ran_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def _measure(task: Task, context: Context) -> Measurement:
    """Measure, and halve the batch as long as memory runs out."""
    while True:
        try:
            return task.experiment.measure(task.point, context)
        except Exception as error:
            if not _ran_out_of_memory(error) or context.batch_size == 1:
                raise
            context = replace(context, batch_size=context.batch_size // 2)


def perform(task: Task, context: Context) -> Outcome:
    """Measure one point; whatever goes wrong becomes part of the outcome, except an interrupt by the user."""
    counter = QueryCounter(limit=task.queries)
    latest = None if task.limit is None else time.time() + task.limit
    deadline = min((moment for moment in (task.deadline, latest) if moment is not None), default=None)
    own = replace(context.for_experiment(task.experiment.name), deadline=deadline)
    if own.target is not None:
        own = replace(own, target=replace(own.target, queries=counter))
    begun = time.perf_counter()

    def outcome(status: Literal["ok", "error", "late"], error: str = "", measurement: Any = None) -> Outcome:
        seconds = time.perf_counter() - begun
        return Outcome(status=status, measurement=measurement, seconds=seconds, queries=counter.count, error=error)

    try:
        own.check_time()
        with seeded(own.own_seed(task.point), own.device):  # a network that draws from global generators draws the same for a point
            return outcome("ok", measurement=_measure(task, own))
    except TimeBudgetError as error:
        return outcome("late", str(error)) if deadline == task.deadline else outcome("error", over_limit(task))
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 (a crash of one point, or its `sys.exit`, must not stop the others)
        return outcome("error", traceback.format_exc())


def over_limit(task: Task) -> str:
    """The reason of a point that took longer than its limit."""
    flag = as_written("point_limit", f"{2 * (task.limit or 1):.0f}s")
    return f"the point took longer than its limit of {task.limit:.3g} s; {flag} grants more"


@contextmanager
def thread_budget(threads: int | None) -> Iterator[None]:
    """Torch uses `threads` threads within the block, and as many as before behind it; None changes nothing."""
    if threads is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Executor(Protocol):
    """Measures tasks somewhere. Used as a context manager around a run; `begin` is called once before the first task."""

    workers: int

    def begin(self, context: Context) -> None:
        """Make `context` known wherever tasks will be measured."""

    def submit(self, task: Task) -> Future[Outcome]:
        """Start a task; the future may raise :class:`WorkerDied`."""

    def end(self) -> None:
        """Give everything back; tasks that have not begun are dropped."""


class InProcess:
    """Measures each task at once in this process."""

    workers = 1

    def __init__(self) -> None:
        self._context: Context | None = None

    def begin(self, context: Context) -> None:
        """Keep `context` for the tasks to come."""
        self._context = context

    def submit(self, task: Task) -> Future[Outcome]:
        """Measure `task` now; the future is done when this returns."""
        assert self._context is not None, "begin comes first"
        future: Future[Outcome] = Future()
        future.set_result(perform(task, self._context))
        return future

    def end(self) -> None:
        """Forget the context."""
        self._context = None
