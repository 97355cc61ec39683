"""The audit: load, probe, plan, run, judge, report. It selects, budgets, schedules and stores; the library measures."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from holdfast.auditing.assemble import assemble
from holdfast.auditing.crossing import per_example_arrays
from holdfast.auditing.inputs import gather
from holdfast.auditing.judge import check_gates, judge_gates
from holdfast.auditing.plan import Plan, Prices, check_choice, choose, make_plan
from holdfast.auditing.settings import AuditSettings, read_settings
from holdfast.auditing.stresses import known_stresses
from holdfast.core import runner
from holdfast.core.checks import refuse
from holdfast.core.executors import InProcess, SpawnPool
from holdfast.core.experiment import Context
from holdfast.core.seeds import Seeds
from holdfast.core.store import Store
from holdfast.report import compare, load, read_per_example, write_per_example, write_report
from holdfast.report.console import Console
from holdfast.report.result import Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from holdfast.auditing.inputs import Inputs
    from holdfast.core.store import Record
    from holdfast.core.stress import Stress
    from holdfast.report import Document

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
    settings : nested settings in the shape of the configuration file, e.g. ``{"data": {"examples": 500}, "run": {"device":
        "cuda"}, "adversarial": {"pgd": {"steps": 100}}}``
    options : single settings of :class:`~holdfast.auditing.settings.AuditSettings`, e.g. ``preset="quick"``, ``budget="5m"``,
        ``gates=["clean.accuracy >= 0.97"]``, ``out="runs/mine"``, ``seed=0``; `stresses` may hold stresses as well as names

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
    begun, started = time.time(), datetime.now(UTC).isoformat(timespec="seconds")
    console = Console(speaks=progress)
    check_choice(stresses or settings.stresses, settings.overrides(), known_stresses())
    with _threads(settings.run.threads):
        inputs = gather(settings, model, data)
        for note in inputs.notes:
            console.note(note)
        folder = Path(settings.out or f"runs/{_slug(inputs.target.name)}-{inputs.identity.target[:8]}")
        identity = {"kind": "audit", "target": inputs.identity.target, "data": inputs.identity.data, "seed": settings.seed}
        with Store.create(folder, identity, fresh=settings.fresh) as store:
            plan = _kept_plan(store, settings, inputs, stresses, spent=time.time() - begun)
            console.plan(plan.rows(), seconds=plan.seconds)
            recalled = store.fact("started") or started
            store.remember(started=recalled, config=settings.model_dump(mode="json"), objects=model is not None or data is not None)
            records, interrupted = _run(settings, inputs, plan, store, console=console, begun=begun)
            times = (recalled, datetime.now(UTC).isoformat(timespec="seconds"), time.time() - begun)
            document = assemble(
                settings, inputs, plan, records, folder=folder, times=times, interrupted=interrupted, notes=store.notes
            )
            document = _finish(document, settings, inputs, records, folder)
    report = Report(document, folder, settings.undecided)
    console.ended(document, report.page)
    return report


def plan_audit(settings: AuditSettings, model: Any = None, data: Any = None, *, progress: bool = True) -> Plan:
    """What :func:`audit_with` would run, and for how long; nothing is run but the probe."""
    begun = time.time()
    console = Console(speaks=progress)
    with _threads(settings.run.threads):
        plan = _new_plan(settings, gather(settings, model, data), None, spent=time.time() - begun)
    console.plan(plan.rows(), seconds=plan.seconds)
    return plan


def resume(folder: str | Path, *, progress: bool = False) -> Report:
    """Complete the audit in `folder`; what was measured is kept.

    Raises
    ------
    InputError : no run lies there, or its model was a Python object (call :func:`audit` again with the same `out` then)
    """
    store = Store.read(folder)
    config = store.fact("config")
    if config is None or store.fact("objects"):
        refuse(
            "folder",
            f"is {str(folder)!r}, whose model or data were Python objects",
            allowed="runs of the command line",
            remedy=f"Call holdfast.audit(model, data, out={str(folder)!r}) again: it keeps what was measured.",
        )
    settings = AuditSettings.model_validate(config | {"out": str(folder), "fresh": False})
    return audit_with(settings, progress=progress)


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-") or "network"


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _new_plan(settings: AuditSettings, inputs: Inputs, stresses: Sequence[str | Stress] | None, *, spent: float) -> Plan:
    chosen = choose(
        stresses or settings.stresses,
        preset=settings.preset,
        facts=inputs.facts,
        known=known_stresses(),
        overrides=settings.overrides(),
    )
    check_gates(settings.gates, {stress.name: stress.card for stress in chosen})
    prices = Prices(forward=inputs.probe.t_forward, backward=inputs.probe.t_backward)
    left = None if settings.budget is None else settings.budget - spent
    return make_plan(chosen, inputs.facts, prices, seconds=left, queries=_left(settings.max_queries, inputs.probe.queries))


def _left(queries: int | None, asked: int) -> int | None:
    return None if queries is None else max(0, queries - asked)


def _kept_plan(
    store: Store, settings: AuditSettings, inputs: Inputs, stresses: Sequence[str | Stress] | None, *, spent: float
) -> Plan:
    """The plan that the run was begun with, so that a restart changes nothing; a new one if the settings have changed."""
    plan = _new_plan(settings, inputs, stresses, spent=spent)
    asked = settings.model_dump(
        mode="json",
        include={"preset", "budget", "max_queries", "stresses", *("clean", "adversarial", "precision", "device", "shift")},
    )
    kept = store.fact("plan")
    if (
        kept is not None
        and kept["asked"] == asked
        and {row["stress"] for row in kept["rows"]} == {row["stress"] for row in plan.rows()}
    ):
        return plan.like(kept["rows"])
    store.remember(plan={"asked": asked, "rows": plan.rows()})
    return plan


def _run(
    settings: AuditSettings, inputs: Inputs, plan: Plan, store: Store, *, console: Console, begun: float
) -> tuple[list[Record], bool]:
    """Measure what the plan holds; an interrupt keeps what was measured."""
    context = Context(
        seeds=Seeds(settings.seed),
        target=inputs.target,
        data=inputs.data,
        device=settings.run.device,
        memo=store.memo(inputs.identity.target),
        batch_size=settings.run.batch_size,
        folder=store.folder,
    )
    deadline = None if settings.budget is None else begun + settings.budget * 0.97 - 1.0
    allowance = runner.Allowance(deadline=deadline, queries=plan.query_limit if settings.max_queries is not None else None)
    workers = settings.run.workers
    executor = InProcess() if workers == 1 else SpawnPool(workers, threads=settings.run.threads)
    return console.run(plan.stresses, context, identity=inputs.identity, store=store, executor=executor, allowance=allowance)


def _finish(document: Document, settings: AuditSettings, inputs: Inputs, records: Sequence[Record], folder: Path) -> Document:
    """Judge, compare with the baseline, write all files."""
    arrays = per_example_arrays(records, len(inputs.data))
    table = write_per_example(folder / "per_example.npz", arrays, example=inputs.index, label=inputs.data.y.cpu().numpy())
    before = None
    if settings.baseline is not None:
        before = load(settings.baseline)
        paired = compare(read_per_example(settings.baseline), read_per_example(table), documents=(before, document))
        document = document.model_copy(update={"baseline": paired})
    document = document.model_copy(update={"gates": judge_gates(settings.gates, document, baseline=before)})
    write_report(document, folder)
    return document
