"""A plan with limits, revised while it is run: before a stress begins, the rest is planned anew from what the others really took.

No price that is taken beforehand holds on a machine that others use, too. So the stresses that keep all of their examples come
first, those that a limit made smaller last, and each time the time that is left is divided among those that have not begun, even if
none was left for them before. What has begun stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.auditing.plan import rank, within

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from holdfast.auditing.plan import AuditPlan, PlannedStress

__all__ = ["Taken", "next_line", "revised"]

ACCUSTOMED = 0.5  # s that are taken to have cost what was predicted, so that a first pass, which warms up, decides little
LAST = 0.92  # of the time that is left goes to the last stress, whose own price nothing corrects any more


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a finished stress took.

    Parameters
    ----------
    predicted : seconds of its plan
    seconds : that passed; None where points were kept from before
    """

    predicted: float
    seconds: float | None


def revised(plan: AuditPlan, taken: Mapping[str, Taken], *, seconds: float | None, queries: int | None) -> AuditPlan:
    """The plan for the stresses that have not begun.

    Parameters
    ----------
    plan : with its basis; without one it comes back as it is
    taken : by stress, for those that are finished
    seconds : that are left for running, or None
    queries : that are left, or None
    """
    basis = plan.basis
    if basis is None or not taken:
        return plan
    whole = {line.stress.name: line for line in basis.lines}
    waiting = [line for line in plan.lines if whole[line.stress.name].decision != "skipped" and line.stress.name not in taken]
    factor = _factor(taken)
    if seconds is not None:
        seconds = max(0.0, seconds) * (LAST if len(waiting) == 1 else 1.0) / factor
    free = [whole[line.stress.name] for line in waiting]
    anew = {line.stress.name: line for line in within(free, basis, seconds=seconds, queries=queries)}
    return replace(plan, lines=tuple(anew.get(line.stress.name, line) for line in plan.lines))


def next_line(plan: AuditPlan, done: Collection[str]) -> PlannedStress | None:
    """The stress that is measured next: by rank, then those with all their examples, then the dearest first; None: all are done."""
    gated = plan.basis.gated if plan.basis is not None else ()

    def order(line: PlannedStress) -> tuple[int, bool, float]:
        smaller = line.decision == "reduced"
        return rank(line.stress, gated), smaller, -line.seconds if smaller else 0.0

    waiting = [line for line in plan.lines if line.decision != "skipped" and line.stress.name not in done]
    return min(waiting, key=order, default=None)


def _factor(taken: Mapping[str, Taken]) -> float:
    """How many times as long as predicted the finished stresses took."""
    real = sum(entry.seconds for entry in taken.values() if entry.seconds is not None)
    predicted = sum(entry.predicted for entry in taken.values() if entry.seconds is not None)
    return (real + ACCUSTOMED) / (predicted + ACCUSTOMED)
