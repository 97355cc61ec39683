"""A pool of processes on this machine that measures points.

Workers are spawned (never forked: torch's threads do not survive a fork), are given the context once, and keep to a budget of
threads, so that two workers on two cores do not fight.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import traceback
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import connection
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from holdfast.core.checks import as_written, check_whole
from holdfast.core.errors import InputError
from holdfast.core.executors import Outcome, Task, WorkerDied, perform
from holdfast.core.lifeline import end_with_parent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.queues import Queue
    from types import TracebackType

    from holdfast.core.experiment import Context

__all__ = ["SpawnPool", "check_not_importing_main"]

Answer = TypeVar("Answer")
WORKER_MARK = "HOLDFAST_WORKER"
KILLED_QUIETLY = "ignore:resource_tracker:UserWarning"  # Python tells of the semaphores of a pool that was killed, and frees them
UNGUARDED = 78  # exit code of a worker whose main script begins a run when it is imported
GUARD = 'In a script, the call must stand under `if __name__ == "__main__":`, because each worker imports the script.'
ONE_WORKER = as_written("workers", "1", python="1")
NAMED_IN_A_MODULE = "Import the class or the function by its name from a module, instead of making it in a script or a notebook."
MADE_ON_THE_SPOT = ("__main__", "<locals>", "local object", "<lambda>")  # in the words of pickle

_worker_context: Context | None = None
_unreadable = ""  # why the worker could not read its context


def check_not_importing_main() -> None:
    """Refuse to begin a run in a worker process that is still importing the main script.

    A worker of our own ends without a word, and the process that began it says why.

    Raises
    ------
    InputError : the script of another library's worker begins a run when it is imported
    """
    if not getattr(multiprocessing.current_process(), "_inheriting", False):
        return
    if WORKER_MARK in os.environ:
        raise SystemExit(UNGUARDED)
    raise InputError(f"a run was begun while a worker process was starting; allowed: runs of the main process. {GUARD}")


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "workers have a parent"
    connection.wait([parent.sentinel])


def _enter_worker(contexts: Queue[bytes], threads: int) -> None:
    global _worker_context, _unreadable  # noqa: PLW0603 (a worker process has one context for its life)
    end_with_parent(_wait_for_parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt ends
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
    try:
        import torch
    except ImportError:  # an experiment of pure physics needs none
        pass
    else:
        torch.set_num_threads(threads)
    try:
        _worker_context = pickle.loads(contexts.get())  # noqa: S301 (written by the parent process)
    except Exception as error:  # noqa: BLE001 (the parent refuses what cannot be read, whatever the error is)
        _unreadable = _named(error)


def _ready() -> str:
    """Empty, or why this worker is of no use."""
    return _unreadable


def _perform_in_worker(task: bytes) -> Outcome:
    assert _worker_context is not None, "the pool's initialiser has run"
    return perform(pickle.loads(task), _worker_context)  # noqa: S301 (written by the parent process)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _how_to_send(error: Exception) -> str:
    """What makes pickle accept a thing; empty where nothing does, as for classes that a library makes as it runs."""
    return NAMED_IN_A_MODULE if any(word in str(error) for word in MADE_ON_THE_SPOT) else ""


def _can_be_sent(thing: Any) -> bool:
    try:
        pickle.dumps(thing)
    except Exception:  # noqa: BLE001 (objects of users may fail in any way)
        return False
    return True


class _Spawning(SpawnContext):
    """Spawns processes and keeps them, so that those that hang can be killed."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[SpawnProcess] = []

    def Process(self, *args: Any, **options: Any) -> SpawnProcess:  # type: ignore[override]  # noqa: N802
        process = SpawnProcess(*args, **options)
        self.started.append(process)
        return process


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
        self._processes = _Spawning()
        self._unfinished: set[Future[Any]] = set()
        self._environment: dict[str, str | None] = {}
        self._context = b""

    def begin(self, context: Context) -> None:
        """Serialise `context`, start the workers, and wait until one of them has read it.

        Raises
        ------
        InputError : something cannot be sent to another process, or the workers end while they import the main script
        """
        check_not_importing_main()
        self._context = self._sent(replace(context, tick=type(context)().tick), parts=_parts(context))
        warned = filter(None, [os.environ.get("PYTHONWARNINGS"), KILLED_QUIETLY])
        given = {
            WORKER_MARK: "1",
            "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
            "PYTHONWARNINGS": ",".join(warned),
        }
        self._environment = {name: os.environ.get(name) for name in given}
        os.environ.update(given)
        self._open()
        unreadable = self._first_word()
        if unreadable is None:
            self._refuse_start()
        if unreadable:
            raise InputError(
                f"`workers` is {self.workers}, but the model or the data cannot be read in another process ({unreadable}); "
                f"allowed: {ONE_WORKER}, or objects whose class a worker can import. {NAMED_IN_A_MODULE}"
            )

    def _first_word(self) -> str | None:
        """Why the first worker that has started is of no use: empty if it is, None if it ended."""
        try:
            starting = [self._known(self._opened().submit(_ready)) for _ in range(self.workers)]
            return wait(starting, return_when=FIRST_COMPLETED).done.pop().result()
        except BrokenProcessPool:
            return None

    def submit(self, task: Task) -> Future[Outcome]:
        """Queue `task`; a pool whose worker died is opened anew."""
        sent = self._sent(task, parts={f"the settings of `{task.experiment.name}`": task.experiment})
        try:
            inner = self._opened().submit(_perform_in_worker, sent)
        except BrokenProcessPool:
            self._open()
            inner = self._opened().submit(_perform_in_worker, sent)
        outer: Future[Outcome] = Future()
        self._known(inner)
        inner.add_done_callback(lambda done: _pass_on(done, outer))
        return outer

    def end(self) -> None:
        """Stop the workers; queued tasks are dropped, and workers that still start or measure are killed."""
        if self._pool is not None:
            for process in self._processes.started if self._unfinished else ():
                process.kill()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._environment = {}

    def _known(self, future: Future[Answer]) -> Future[Answer]:
        """`future`, remembered until it is done."""
        self._unfinished.add(future)
        future.add_done_callback(self._unfinished.discard)
        return future

    def _sent(self, thing: Any, *, parts: Mapping[str, Any]) -> bytes:
        """`thing` as bytes; where that cannot be, the first of its `parts` that is to blame is named."""
        try:
            return pickle.dumps(thing)
        except Exception as error:
            name = next((name for name, part in parts.items() if not _can_be_sent(part)), "what the points are given")
            raise InputError(
                f"`workers` is {self.workers}, but {name} cannot be sent to another process ({_named(error)}); "
                f"allowed: {ONE_WORKER}, or objects that pickle can send. {_how_to_send(error)}".rstrip()
            ) from error

    def _refuse_start(self) -> NoReturn:
        """Say why the workers ended before they were of use."""
        self._opened().shutdown(wait=True)  # until then the pool may not yet have asked its processes how they ended
        codes = {process.exitcode for process in self._processes.started} - {None, 0}
        own = codes - {-signal.SIGTERM} or codes  # the pool ends the others
        why = (
            "the script begins a run when a worker imports it"
            if UNGUARDED in codes
            else f"the worker processes ended before they were ready (exit code {', '.join(map(str, own))})"
        )
        raise InputError(f"`workers` is {self.workers}, but {why}; allowed: 1 worker, or a script that can be imported. {GUARD}")

    def _opened(self) -> ProcessPoolExecutor:
        assert self._pool is not None, "begin comes first"
        return self._pool

    def _open(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._processes = _Spawning()
        # What a process is given when it starts is written before it reads: more than a pipe holds would block for ever if it died.
        contexts = self._processes.Queue()
        contexts.cancel_join_thread()
        for _ in range(self.workers):
            contexts.put(self._context)
        self._pool = ProcessPoolExecutor(
            self.workers, mp_context=self._processes, initializer=_enter_worker, initargs=(contexts, self.threads)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()


def _parts(context: Context) -> dict[str, Any]:
    """The parts of a context by the names under which a user knows them."""
    target = context.target
    known = {} if target is None else {"the model": target.model, "its preprocessing": target.preprocess}
    return {**known, "the data": context.data, **{f"`{name}`": part for name, part in context.extras.items()}}


def _pass_on(inner: Future[Outcome], outer: Future[Outcome]) -> None:
    if inner.cancelled():
        outer.cancel()
        outer.set_running_or_notify_cancel()
        return
    error = inner.exception()
    if isinstance(error, BrokenProcessPool):
        outer.set_exception(WorkerDied("the worker process ended without an answer (killed, or out of memory)"))
    elif isinstance(error, Exception):  # the measurement cannot be sent back
        outer.set_result(Outcome(status="error", error="".join(traceback.format_exception(error))))
    elif error is not None:
        outer.set_exception(error)
    else:
        outer.set_result(inner.result())
