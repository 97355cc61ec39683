"""Where points are measured: in this process, in a pool of processes, or anywhere else that keeps the protocol.

A pool's workers are spawned (never forked: torch's threads do not survive a fork), are given the context once, and keep to a
budget of threads, so that two workers on two cores do not fight. What a point gives does not depend on where it is measured.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
import time
import traceback
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import connection
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from holdfast.core.checks import check_whole
from holdfast.core.errors import InputError, TimeBudgetError
from holdfast.core.target import QueryCounter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from holdfast.core.experiment import Context, Experiment, Measurement, Point

__all__ = ["Executor", "InProcess", "Outcome", "SpawnPool", "Task", "WorkerDied", "perform", "thread_budget"]


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
    """

    experiment: Experiment
    point: Point
    key: str = ""
    deadline: float | None = None
    queries: int | None = None


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
    own = replace(context.for_experiment(task.experiment.name), deadline=task.deadline)
    if own.target is not None:
        own = replace(own, target=replace(own.target, queries=counter))
    begun = time.perf_counter()

    def outcome(status: Literal["ok", "error", "late"], error: str = "", measurement: Any = None) -> Outcome:
        seconds = time.perf_counter() - begun
        return Outcome(status=status, measurement=measurement, seconds=seconds, queries=counter.count, error=error)

    try:
        own.check_time()
        return outcome("ok", measurement=_measure(task, own))
    except TimeBudgetError as error:
        return outcome("late", str(error))
    except Exception:  # noqa: BLE001 (a crash of one point must not stop the others)
        return outcome("error", traceback.format_exc())


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


_worker_context: Context | None = None


def _end_with_parent() -> None:
    """Leave as soon as the parent is gone, even if it was killed without a word."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _enter_worker(context: bytes, threads: int) -> None:
    global _worker_context  # noqa: PLW0603 (a worker process has one context for its life)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
    try:
        import torch
    except ImportError:  # an experiment of pure physics needs none
        pass
    else:
        torch.set_num_threads(threads)
    _worker_context = pickle.loads(context)  # noqa: S301 (written by the parent process)


def _perform_in_worker(task: Task) -> Outcome:
    assert _worker_context is not None, "the pool's initialiser has run"
    return perform(task, _worker_context)


class SpawnPool:
    """A pool of spawned processes on this machine.

    Parameters
    ----------
    workers : number of processes, >= 1
    threads : torch threads of each; default: the cores divided by the workers, at least 1
    """

    def __init__(self, workers: int, *, threads: int | None = None) -> None:
        self.workers = check_whole(workers, "workers", low=1)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.threads = check_whole(threads, "threads", low=1) if threads is not None else max(1, cores // workers)
        self._pool: ProcessPoolExecutor | None = None
        self._context = b""

    def begin(self, context: Context) -> None:
        """Serialise `context` for the workers, which start with the first task."""
        try:
            self._context = pickle.dumps(replace(context, tick=type(context)().tick))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise InputError(
                f"`workers` is {self.workers}, but the model or the data cannot be sent to another process ({error}); "
                "allowed: 1 worker for objects made in a script or a notebook. Import the class from a module to use more."
            ) from error
        self._open()

    def submit(self, task: Task) -> Future[Outcome]:
        """Queue `task`; a pool whose worker died is opened anew."""
        try:
            inner = self._opened().submit(_perform_in_worker, task)
        except BrokenProcessPool:
            self._open()
            inner = self._opened().submit(_perform_in_worker, task)
        outer: Future[Outcome] = Future()
        inner.add_done_callback(lambda done: _pass_on(done, outer))
        return outer

    def end(self) -> None:
        """Stop the workers; queued tasks are dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _opened(self) -> ProcessPoolExecutor:
        assert self._pool is not None, "begin comes first"
        return self._pool

    def _open(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = ProcessPoolExecutor(
            self.workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_enter_worker,
            initargs=(self._context, self.threads),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()


def _pass_on(inner: Future[Outcome], outer: Future[Outcome]) -> None:
    if inner.cancelled():
        outer.cancel()
        outer.set_running_or_notify_cancel()
        return
    error = inner.exception()
    if isinstance(error, BrokenProcessPool):
        outer.set_exception(WorkerDied("the worker process ended without an answer (killed, or out of memory)"))
    elif error is not None:
        outer.set_exception(error)
    else:
        outer.set_result(inner.result())
