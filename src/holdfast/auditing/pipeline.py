"""The audit: load, probe, plan, run, judge, report. It selects, budgets, schedules and stores; the library measures."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from holdfast.auditing.batching import rows_per_pass
from holdfast.auditing.consent import agreed_settings, named_code, resumption, seal_start
from holdfast.auditing.frame import Frame
from holdfast.auditing.inputs import gather
from holdfast.auditing.pacing import Limits, Pacer
from holdfast.auditing.plan import LEAST_LIMIT
from holdfast.auditing.recognition import recognised
from holdfast.auditing.reporting import check_baseline, report_on
from holdfast.auditing.scheduling import check_names, kept_plan, new_plan, threads_of_run
from holdfast.core.executors import InProcess, thread_budget
from holdfast.core.pool import SpawnPool, check_not_importing_main
from holdfast.core.seeds import Seeds
from holdfast.core.store import Store
from holdfast.core.stress import StressContext
from holdfast.core.watch import UNWATCHED, Watch
from holdfast.report.console import Console
from holdfast.report.provenance import clock, shown_path, time_used
from holdfast.report.result import Report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.auditing.inputs import Inputs
    from holdfast.auditing.plan import AuditPlan
    from holdfast.auditing.settings import AuditSettings
    from holdfast.core.runner import Finished
    from holdfast.core.stress import Stress
    from holdfast.report import Document

__all__ = ["audit_with", "plan_audit", "resume"]


def audit_with(
    settings: AuditSettings,
    model: Any = None,
    data: Any = None,
    *,
    unlabelled: Any = None,
    stresses: Sequence[str | Stress] | None = None,
    progress: bool = False,
    watch: Watch = UNWATCHED,
    config_file: str | None = None,
) -> Report:
    """:func:`holdfast.audit` with its settings already read.

    Parameters
    ----------
    settings : of the audit
    model, data, unlabelled : objects that take the place of the settings' sources
    stresses : with settings of their own, in place of the names in the settings
    progress : print plan, progress and verdicts
    watch : is told what the audit is doing
    config_file : from which the settings were read, for the report; empty: none; None: that of an earlier start
    """
    check_not_importing_main()
    begun = time.time()
    console = Console(prints=progress, lasting=True)
    check_names(settings, stresses)
    code = named_code(settings)
    with thread_budget(settings.run.threads):
        inputs = _gathered(settings, (model, data, unlabelled), watch=watch, begun=begun)
        console.notes(inputs.notes)
        check_baseline(settings, inputs)
        folder = Path(settings.out or f"runs/{_slug(inputs.target.name)}-{inputs.identity.target[:8]}")
        identity = {"kind": "audit", "network": inputs.identity.target, "data": inputs.identity.data, "seed": settings.seed}
        named = all(part is None for part in (model, data, unlabelled)) and all(isinstance(part, str) for part in stresses or ())
        with Store.create(folder, identity, fresh=settings.fresh) as store:
            inputs, said = recognised(store, inputs)
            console.notes(said)
            again = _sealed(store, settings, code, folder) if named else ""
            if config_file is not None:
                store.remember(config_file=config_file and shown_path(Path(config_file).absolute()).as_posix())
            document = _completed(
                settings, inputs, store, stresses=stresses, again=again, console=console, watch=watch, begun=begun
            )
        watch.reported()
    report = Report(document, folder, settings.undecided)
    console.ended(document, report.page)
    return report


def _gathered(settings: AuditSettings, objects: tuple[Any, Any, Any], *, watch: Watch, begun: float) -> Inputs:
    """The inputs of the audit, from its settings or from `objects`: a network, data, and unlabelled inputs.

    Loading them counts against the budget, and probing has the limit of a point as well.
    """

    def within_limits(doing: str) -> None:
        left = math.inf if settings.budget is None else max(0.0, begun + settings.budget - time.time())
        watch.phase(doing, seconds=min(left, settings.run.point_limit or LEAST_LIMIT))

    watch.phase("loading the model and the data", seconds=settings.budget)
    model, data, unlabelled = objects
    inputs = gather(settings, model, data, unlabelled=unlabelled, on_probe=lambda: within_limits("probing the model"))
    within_limits("planning")
    return inputs


def _completed(
    settings: AuditSettings,
    inputs: Inputs,
    store: Store,
    *,
    stresses: Sequence[str | Stress] | None,
    again: str,
    console: Console,
    watch: Watch,
    begun: float,
) -> Document:
    """Plan, measure what `store` does not hold, and write the report; `again` is the command that completes it, if there is one."""
    plan = kept_plan(store, settings, inputs, stresses, begun=begun)
    console.plan(plan.rows(), seconds=plan.seconds)
    started = store.fact("started") or clock()
    with threads_of_run(store, settings, inputs) as notes:
        console.notes(notes)
        frame = Frame.of(inputs)
        store.remember(started=started, config=settings.model_dump(mode="json"), objects=not again, frame=frame.to_json())
        watch.stored(store.folder, "audit")
        plan, found = _run(settings, inputs, plan, store, console=console, watch=watch, begun=begun)
        watch.phase("writing the report")
        times = {"started": started, "finished": clock(), "seconds": time_used(found.records, since=begun)}
        with store.reporting():
            return report_on(
                settings,
                frame,
                plan,
                found.records,
                folder=store.folder,
                run={**times, "config_file": store.fact("config_file") or "", "resume": again, "notes": [*store.notes, *notes]},
                repeatable=bool(again),
                interrupted=found.interrupted,
            )


def plan_audit(
    settings: AuditSettings,
    model: Any = None,
    data: Any = None,
    *,
    unlabelled: Any = None,
    stresses: Sequence[str | Stress] | None = None,
    progress: bool = True,
    watch: Watch = UNWATCHED,
) -> AuditPlan:
    """What :func:`audit_with` would run, and for how long; nothing is run but the probe."""
    begun = time.time()
    console = Console(prints=progress)
    check_names(settings, stresses)
    with thread_budget(settings.run.threads):
        inputs = _gathered(settings, (model, data, unlabelled), watch=watch, begun=begun)
        plan = new_plan(settings, inputs, stresses, begun=begun)
    console.notes(inputs.notes)
    console.plan(plan.rows(), seconds=plan.seconds)
    return plan


def resume(folder: str | Path, *, trust: bool = False, progress: bool = False, watch: Watch = UNWATCHED) -> Report:
    """Complete the audit in `folder`; what was measured is kept.

    Parameters
    ----------
    folder : of the run
    trust : execute the code that the folder names, even if this installation did not begin the run
    progress : print plan, progress and verdicts
    watch : is told what the audit is doing

    Raises
    ------
    InputError : no run lies there; its model was a Python object (call :func:`holdfast.audit` again with the same `out` then); or
        it names code, and this installation did not begin it with these settings
    """
    settings = agreed_settings(Store.read(folder), str(folder), trust=trust)
    return audit_with(settings.model_copy(update={"out": str(folder), "fresh": False}), progress=progress, watch=watch)


def _sealed(store: Store, settings: AuditSettings, code: Mapping[str, str], folder: Path) -> str:
    """Keep the settings with the proof that this installation began the run, at once; gives the command that resumes it."""
    proof = seal_start(settings, code)
    store.remember(config=settings.model_dump(mode="json"), objects=False, seal=proof)
    return resumption(folder, settings, proof)


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-") or "network"


def _run(
    settings: AuditSettings,
    inputs: Inputs,
    plan: AuditPlan,
    store: Store,
    *,
    console: Console,
    watch: Watch,
    begun: float,
) -> tuple[AuditPlan, Finished]:
    """Measure what the plan holds; gives the plan that was followed in the end and what it left."""
    context = StressContext(
        seeds=Seeds(settings.seed),
        target=inputs.target,
        data=inputs.data,
        device=settings.run.device,
        memo=store.memo(inputs.identity.target),
        batch_size=rows_per_pass(inputs.data.shape, settings.run.batch_size, device=settings.run.device),
        extras={} if inputs.unlabelled is None else {"unlabelled": inputs.unlabelled},
        folder=store.folder,
    )
    workers = settings.run.workers
    single = torch.get_num_threads() == 1

    def keep(anew: AuditPlan) -> None:
        store.remember(plan={**store.fact("plan"), "rows": anew.rows()})

    pacer = Pacer(
        plan=plan,
        context=context,
        options={"identity": inputs.identity, "store": store, "on_begin": watch.begin},
        executor=InProcess() if workers == 1 else SpawnPool(workers, threads=1 if single else settings.run.threads),
        limits=Limits(begun=begun, seconds=settings.budget, queries=inputs.target.queries.left, point=settings.run.point_limit),
        keep=keep,
    )
    with console.progress(pacer.points) as observe:
        found = pacer.measure(watch.after(observe))
    return pacer.plan, found
