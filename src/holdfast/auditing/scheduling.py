"""Which plan a run follows: a new one, or the one that it was begun with."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from holdfast.auditing.gates import check_compared, check_gates, gated_stresses, planned_metrics
from holdfast.auditing.pilot import prices_of
from holdfast.auditing.plan import AuditPlan, check_choice, choose, make_plan
from holdfast.auditing.pricing import Prices
from holdfast.auditing.stresses import known_stresses
from holdfast.core.checks import as_written, refuse
from holdfast.core.digest import jsonable
from holdfast.core.executors import thread_budget
from holdfast.core.runner import settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdfast.auditing.frame import Frame
    from holdfast.auditing.inputs import Inputs
    from holdfast.auditing.settings import AuditSettings
    from holdfast.core.store import Store
    from holdfast.core.stress import Facts, Stress

__all__ = ["check_names", "kept_plan", "new_plan", "stored_plan", "threads_of_run"]

FREE = Prices(forward=0.0, backward=0.0)  # for a plan whose times are stored


def check_names(settings: AuditSettings, stresses: Sequence[str | Stress] | None = None) -> None:
    """Refuse unknown stresses and settings, and gates on a baseline that cannot serve, before anything is loaded."""
    known = known_stresses()
    check_choice(stresses or settings.stresses, settings.overrides(), known, skip=settings.skip)
    for card, name in settings.stress_tables():
        if known[name].card.name != card:
            refuse(f"{card}.{name}", "is not a setting", allowed=f"{known[name].card.name}.{name}")
    check_compared(settings.gates, settings.baseline)


def new_plan(
    settings: AuditSettings, inputs: Inputs, stresses: Sequence[str | Stress] | None = None, *, begun: float | None = None
) -> AuditPlan:
    """The plan for these inputs.

    Parameters
    ----------
    settings, inputs : of the audit
    stresses : in place of those that the settings name
    begun : Unix time in s since which the time budget runs; None: all of it is left
    """
    chosen = _chosen(settings, inputs.facts, stresses)
    whole = make_plan(chosen, inputs.facts, FREE, skip=settings.skip)
    check_gates(settings.gates, planned_metrics(whole.lines))
    prices = prices_of(inputs, whole.stresses, batch_size=settings.run.batch_size, seconds=settings.budget)
    spent = 0.0 if begun is None else time.time() - begun
    plan = make_plan(
        chosen,
        inputs.facts,
        prices,
        skip=settings.skip,
        seconds=None if settings.budget is None else settings.budget - spent,
        queries=inputs.target.queries.left,
        gated=gated_stresses(settings.gates, whole.lines),
    )
    return replace(plan, accuracy=inputs.probe.accuracy)


def _chosen(settings: AuditSettings, facts: Facts, stresses: Sequence[str | Stress] | None = None) -> list[Stress]:
    return choose(
        stresses or settings.stresses,
        preset=settings.preset,
        facts=facts,
        known=known_stresses(),
        overrides=settings.overrides(),
    )


def stored_plan(store: Store, settings: AuditSettings, frame: Frame) -> AuditPlan:
    """The plan of the run in `store`, without its network and data."""
    return make_plan(_chosen(settings, frame.facts), frame.facts, FREE, skip=settings.skip).like(store.fact("plan")["rows"])


def kept_plan(
    store: Store, settings: AuditSettings, inputs: Inputs, stresses: Sequence[str | Stress] | None = None, *, begun: float
) -> AuditPlan:
    """The plan that the run in `store` was begun with, so that a restart changes nothing; a new one if settings changed."""
    chosen = _chosen(settings, inputs.facts, stresses)
    free = make_plan(chosen, inputs.facts, FREE, skip=settings.skip)
    check_gates(settings.gates, planned_metrics(free.lines))
    whole = replace(free, samples=inputs.target.samples, accuracy=inputs.probe.accuracy)
    asked = {
        "limits": [settings.budget, settings.max_queries],
        "access": inputs.facts.access,
        **({"skip": sorted(settings.skip)} if settings.skip else {}),
        "stresses": {line.stress.name: settings_of(line.stress) for line in whole.lines},
    }
    kept = store.fact("plan")
    if isinstance(kept, dict) and kept.get("asked") == jsonable(asked):
        with suppress(KeyError, TypeError, ValueError, AttributeError):  # rows that no plan of ours has are not followed
            return whole.like(kept["rows"])
    plan = new_plan(settings, inputs, stresses, begun=begun)
    store.remember(plan={"asked": asked, "rows": plan.rows()})
    return plan


@contextmanager
def threads_of_run(store: Store, settings: AuditSettings, inputs: Inputs) -> Iterator[tuple[str, ...]]:
    """Within the block torch uses the threads of the run in `store`; gives a note where a probe chose them.

    These are the threads that the settings name, else those that the run was begun with, else the faster number.
    """
    most = torch.get_num_threads()
    threads: int = settings.run.threads or min(store.fact("threads") or inputs.probe.threads, most)
    store.remember(threads=threads)
    with thread_budget(threads):
        chosen = settings.run.threads is None and threads < most
        why = f"a short probe found the network faster on {threads} thread than on {most}"
        yield (f"{why}; {as_written('threads', 'N', python='N')} sets another number",) if chosen else ()
