"""The points of a plan, measured: all in one run, or, within limits, stress by stress with a plan that is revised between them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from holdfast.auditing.plan import for_running
from holdfast.auditing.revision import Taken, next_line, revised
from holdfast.core.runner import Allowance, Finished, run_until_interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from holdfast.auditing.plan import AuditPlan
    from holdfast.core.executors import Executor, Outcome, Task
    from holdfast.core.experiment import Context
    from holdfast.core.store import Record
    from holdfast.core.stress import Stress

__all__ = ["Limits", "Pacer"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an audit may spend.

    Parameters
    ----------
    begun : Unix time in s since which the time budget runs
    seconds : time budget of the whole audit, or None
    queries : of black-box stresses that are left at the start, or None
    point : longest time of a point in s, or None for that of the plan
    """

    begun: float
    seconds: float | None = None
    queries: int | None = None
    point: float | None = None

    def allowance(self, plan: AuditPlan) -> Allowance:
        """What each point of `plan` may spend."""
        return Allowance(
            deadline=None if self.seconds is None else self.begun + self.seconds * 0.97 - 1.0,
            queries=plan.query_limit if self.queries is not None else None,
            limit=plan.time_limit if self.point is None else lambda experiment, point: self.point,  # noqa: ARG005 (the same for all points)
        )

    def seconds_left(self) -> float | None:
        """Seconds in which points can still be measured."""
        return None if self.seconds is None else self.begun + for_running(self.seconds) - time.time()


@dataclass(kw_only=True)
class Pacer:
    """Measures a plan.

    Parameters
    ----------
    plan : that is followed; in the end the one that was
    context, options : of :func:`~holdfast.core.runner.run`
    executor : where points are measured
    limits : of time and queries
    keep : called with each plan that replaces the one before, before it is followed
    """

    plan: AuditPlan
    context: Context
    options: dict[str, Any]
    executor: Executor
    limits: Limits
    keep: Callable[[AuditPlan], None]
    records: list[Record] = field(default_factory=list)
    taken: dict[str, Taken] = field(default_factory=dict)

    def points(self) -> int:
        """How many points the plan has now."""
        return sum(line.points for line in self.plan.lines if line.decision != "skipped")

    def measure(self, on_record: Callable[[Record], None]) -> Finished:
        """Measure all points; an interrupt keeps what was measured.

        Parameters
        ----------
        on_record : called after each point, reused ones included
        """
        self.options["on_record"] = on_record
        limited = self.limits.seconds is not None or self.limits.queries is not None
        if self.plan.basis is None or not limited:
            return self._run(self.plan.stresses, self.executor)
        lasting = _Lasting(self.executor)
        try:
            return self._paced(lasting)
        finally:
            lasting.close()

    def _paced(self, executor: Executor) -> Finished:
        interrupted = False
        while (line := next_line(self.plan, self.taken)) is not None and not interrupted:
            begun = time.time()
            found = self._run([line.stress], executor)
            interrupted = found.interrupted
            self.records += found.records
            fresh = not any(record.reused for record in found.records)
            self.taken[line.stress.name] = Taken(predicted=line.seconds, seconds=time.time() - begun if fresh else None)
            anew = revised(self.plan, self.taken, seconds=self.limits.seconds_left(), queries=self._queries_left())
            if anew != self.plan and not interrupted:
                self.keep(anew)
                self.plan = anew
        places = {line.stress.name: place for place, line in enumerate(self.plan.lines)}
        return Finished(records=sorted(self.records, key=lambda one: places[one.experiment]), interrupted=interrupted)

    def _run(self, stresses: Sequence[Stress], executor: Executor) -> Finished:
        allowance = self.limits.allowance(self.plan)
        return run_until_interrupted(stresses, self.context, executor=executor, allowance=allowance, **self.options)

    def _queries_left(self) -> int | None:
        if self.limits.queries is None:
            return None
        counted = {line.stress.name for line in self.plan.lines if line.queries}
        return self.limits.queries - sum(record.queries for record in self.records if record.experiment in counted)


class _Lasting:
    """An executor that stays open between the runs of one audit, so that its workers start once."""

    def __init__(self, inner: Executor) -> None:
        self.inner, self.workers, self._open = inner, inner.workers, False

    def begin(self, context: Context) -> None:
        if not self._open:
            self.inner.begin(context)
            self._open = True

    def submit(self, task: Task) -> Future[Outcome]:
        return self.inner.submit(task)

    def end(self) -> None:
        """Nothing: the next run goes on with it."""

    def close(self) -> None:
        """End it."""
        if self._open:
            self.inner.end()
