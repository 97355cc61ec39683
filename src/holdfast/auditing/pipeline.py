"""The audit: load, probe, plan, run, judge, report. It selects, budgets, schedules and stores; the library measures."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from holdfast.auditing.consent import agreed_settings, named_code, seal_start
from holdfast.auditing.inputs import gather
from holdfast.auditing.recognition import recognised
from holdfast.auditing.reporting import check_baseline, report_on
from holdfast.auditing.scheduling import check_names, kept_plan, new_plan, threads_of_run
from holdfast.auditing.settings import AuditSettings, read_settings
from holdfast.core.executors import InProcess, thread_budget
from holdfast.core.pool import SpawnPool, check_not_importing_main
from holdfast.core.runner import Allowance, run_until_interrupted
from holdfast.core.seeds import Seeds
from holdfast.core.store import Store
from holdfast.core.stress import StressContext
from holdfast.report.console import Console
from holdfast.report.provenance import clock, time_used
from holdfast.report.result import Report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.auditing.inputs import Inputs
    from holdfast.auditing.plan import AuditPlan
    from holdfast.core.runner import Finished
    from holdfast.core.stress import Stress

__all__ = ["audit", "audit_with", "plan_audit", "resume"]


def audit(
    model: Any = None,
    data: Any = None,
    *,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: bool = False,
    **options: Any,
) -> Report:
    """Stress a classifier in every way that applies, and write a robustness report card.

    Parameters
    ----------
    model : ``nn.Module``, callable, or what ``--model`` takes (``"mynet:make"``); None: a small example network
    data : pair of tensors ``(x, y)``, ``Dataset``, loader, :class:`holdfast.data.Examples`, or what ``--data`` takes
    name : what the report calls the network
    progress : print plan, progress and verdicts
    settings : nested settings in the shape of the configuration file, e.g. ``{"adversarial": {"pgd": {"steps": 100}}}``
    options : single settings, by the words of the command line, e.g. ``preset="quick"``, ``budget="5m"``, ``bounds=(-1, 1)``,
        ``examples=500``, ``device="cuda"``, ``gates=["clean.accuracy >= 0.97"]``, ``out="runs/mine"``, ``seed=0``; `stresses` may
        hold stresses as well as names

    Returns
    -------
    Report; its page lies in ``report.page``. `model` is not changed.

    Raises
    ------
    InputError : something cannot be used; the message says what to do

    Examples
    --------
    >>> report = audit(preset="quick", stresses=["clean"], data="digits")
    >>> report.cards["clean"].entry.stresses["clean"].status
    'ok'
    """
    ready: Sequence[str | Stress] = options.pop("stresses", ("all",))
    ready = (ready,) if isinstance(ready, str) else tuple(ready)
    flags: dict[str, Any] = {**(settings or {}), **options}
    flags["stresses"] = tuple(stress if isinstance(stress, str) else stress.name for stress in ready)
    sources = {"model": model if isinstance(model, str) else None, "data": data if isinstance(data, str) else None}
    for part, source in sources.items():
        flags[part] = {**flags.get(part, {}), "source": source}
    flags["model"]["name"] = name or flags["model"].get("name")
    objects = (None if isinstance(model, str) else model, None if isinstance(data, str) else data)
    return audit_with(read_settings(flags=flags), *objects, stresses=ready, progress=progress)


def audit_with(
    settings: AuditSettings,
    model: Any = None,
    data: Any = None,
    *,
    stresses: Sequence[str | Stress] | None = None,
    progress: bool = False,
) -> Report:
    """:func:`audit` with its settings already read.

    Parameters
    ----------
    settings : of the audit
    model, data : objects that take the place of the settings' sources
    stresses : with settings of their own, in place of the names in the settings
    progress : print plan, progress and verdicts
    """
    check_not_importing_main()
    begun = time.time()
    console = Console(prints=progress)
    check_names(settings, stresses)
    code = named_code(settings)
    with thread_budget(settings.run.threads):
        inputs = gather(settings, model, data)
        console.notes(inputs.notes)
        check_baseline(settings, inputs)
        folder = Path(settings.out or f"runs/{_slug(inputs.target.name)}-{inputs.identity.target[:8]}")
        identity = {"kind": "audit", "network": inputs.identity.target, "data": inputs.identity.data, "seed": settings.seed}
        with Store.create(folder, identity, fresh=settings.fresh) as store:
            inputs, said = recognised(store, inputs)
            console.notes(said)
            plan = kept_plan(store, settings, inputs, stresses, spent=time.time() - begun)
            console.plan(plan.rows(), seconds=plan.seconds)
            objects = any(part is not None for part in (model, data)) or any(not isinstance(name, str) for name in stresses or ())
            started, resumption = _remember_start(store, settings, code, folder=folder, objects=objects)
            with threads_of_run(store, settings, inputs) as notes:
                console.notes(notes)
                found = _run(settings, inputs, plan, store, console=console, begun=begun)
                times = {"started": started, "finished": clock(), "seconds": time_used(found.records, since=begun)}
                with store.reporting():
                    document = report_on(
                        settings,
                        inputs,
                        plan,
                        found.records,
                        folder=folder,
                        run={**times, "resume": resumption, "notes": [*store.notes, *notes]},
                        repeatable=not objects,
                        interrupted=found.interrupted,
                    )
    report = Report(document, folder, settings.undecided)
    console.ended(document, report.page)
    return report


def plan_audit(settings: AuditSettings, model: Any = None, data: Any = None, *, progress: bool = True) -> AuditPlan:
    """What :func:`audit_with` would run, and for how long; nothing is run but the probe."""
    begun = time.time()
    console = Console(prints=progress)
    check_names(settings)
    with thread_budget(settings.run.threads):
        inputs = gather(settings, model, data)
        plan = new_plan(settings, inputs, spent=time.time() - begun)
    console.plan(plan.rows(), seconds=plan.seconds)
    return plan


def resume(folder: str | Path, *, trust: bool = False, progress: bool = False) -> Report:
    """Complete the audit in `folder`; what was measured is kept.

    Parameters
    ----------
    folder : of the run
    trust : execute the code that the folder names, even if this installation did not begin the run
    progress : print plan, progress and verdicts

    Raises
    ------
    InputError : no run lies there; its model was a Python object (call :func:`audit` again with the same `out` then); or it names
        code, and this installation did not begin it with these settings
    """
    settings = agreed_settings(Store.read(folder), str(folder), trust=trust)
    return audit_with(settings.model_copy(update={"out": str(folder), "fresh": False}), progress=progress)


def _remember_start(
    store: Store, settings: AuditSettings, code: Mapping[str, str], *, folder: Path, objects: bool
) -> tuple[str, str]:
    """Store how the run was begun; gives the time of its first start and the command that resumes it, empty for `objects`."""
    started = store.fact("started") or clock()
    proof = None if objects else seal_start(settings, code)
    store.remember(started=started, config=settings.model_dump(mode="json"), objects=objects, seal=proof)
    trust = ["--trust"] if code and proof is None else []
    return started, "" if objects else shlex.join(["holdfast", "resume", str(folder), *trust])


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-") or "network"


def _run(settings: AuditSettings, inputs: Inputs, plan: AuditPlan, store: Store, *, console: Console, begun: float) -> Finished:
    """Measure what the plan holds; an interrupt keeps what was measured."""
    context = StressContext(
        seeds=Seeds(settings.seed),
        target=inputs.target,
        data=inputs.data,
        device=settings.run.device,
        memo=store.memo(inputs.identity.target),
        batch_size=settings.run.batch_size,
        extras={} if inputs.unlabelled is None else {"unlabelled": inputs.unlabelled},
        folder=store.folder,
    )
    deadline = None if settings.budget is None else begun + settings.budget * 0.97 - 1.0
    allowance = Allowance(deadline=deadline, queries=plan.query_limit if settings.max_queries is not None else None)
    workers = settings.run.workers
    single = torch.get_num_threads() == 1
    executor = InProcess() if workers == 1 else SpawnPool(workers, threads=1 if single else settings.run.threads)
    with console.progress(sum(len(stress.points()) for stress in plan.stresses)) as observe:
        return run_until_interrupted(
            plan.stresses,
            context,
            identity=inputs.identity,
            store=store,
            executor=executor,
            allowance=allowance,
            on_record=observe,
        )
