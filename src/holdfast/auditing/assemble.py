"""From records to the document: everything that the page shows, in one place."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import torch

from holdfast.auditing.cards import card_entries, summarise
from holdfast.auditing.crossing import cross_of, images_of
from holdfast.auditing.settings import AuditSettings
from holdfast.core.digest import digest, jsonable
from holdfast.report import Budget, DataEntry, Document, InputEntry, Run, SkippedEntry, TargetEntry, finding_entry
from holdfast.report.provenance import circumstances

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.auditing.inputs import Inputs
    from holdfast.auditing.plan import Plan, PlannedStress
    from holdfast.core.store import Record

__all__ = ["assemble", "command_line"]

SEVERITIES = ("high", "medium", "low", "info")


def _flag(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [name] if value else []
    if isinstance(value, tuple | list):
        return [f"{name}={','.join(f'{item:g}' for item in value)}"]  # the first number may begin with a minus sign
    return [name, f"{value:g}" if isinstance(value, float) else str(value)]


FLAGS = {
    "preset": "--preset",
    "budget": "--budget",
    "max_queries": "--max-queries",
    "seed": "--seed",
    "undecided": "--undecided",
    "baseline": "--baseline",
    "expect_accuracy": "--expect-accuracy",
    "allow_low_accuracy": "--allow-low-accuracy",
    "model.source": "--model",
    "model.weights": "--weights",
    "model.name": "--name",
    "model.access": "--access",
    "model.bounds": "--range",
    "model.normalize": "--normalize",
    "model.outputs": "--outputs",
    "model.output_key": "--output-key",
    "model.unsafe_pickle": "--unsafe-pickle",
    "data.source": "--data",
    "data.layout": "--layout",
    "data.size": "--size",
    "data.examples": "--examples",
    "data.unlabelled": "--unlabelled",
    "run.device": "--device",
    "run.workers": "--workers",
    "run.threads": "--threads",
    "run.batch_size": "--batch-size",
    "out": "--out",
}


def command_line(settings: AuditSettings) -> str:
    """The shell command that repeats an audit with `settings`."""
    words = ["holdfast", "audit"]
    default = AuditSettings()
    for path, flag in FLAGS.items():
        value, usual = settings, default
        for part in path.split("."):
            value, usual = getattr(value, part), getattr(usual, part)
        if value != usual:
            words += _flag(flag, value)
    for argument in settings.model.arguments:
        words += ["--model-arg", argument]
    for stress in settings.stresses if settings.stresses != ("all",) else ():
        words += ["--stress", stress]
    for gate in settings.gates:
        words += ["--gate", gate]
    for card in ("clean", "adversarial", "precision", "device", "shift"):
        for stress, changes in getattr(settings, card).items():
            for key, value in changes.items():
                words += ["--set", f"{card}.{stress}.{key}={value!r}".replace("'", '"')]
    return shlex.join(words)


def assemble(
    settings: AuditSettings,
    inputs: Inputs,
    plan: Plan,
    records: Sequence[Record],
    *,
    run: Mapping[str, Any],
    repeatable: bool,
    interrupted: bool,
) -> Document:
    """The report of an audit, without gates and baseline.

    Parameters
    ----------
    settings, inputs, plan, records : of the run
    run : what the report says of the run besides, e.g. its times, as fields of :class:`holdfast.report.Run`
    repeatable : a command line can find model and data again
    interrupted : the user stopped the run
    """
    summaries = summarise(plan.lines, records)
    findings = [
        finding_entry(
            finding, card=line.stress.card, stress=line.stress.name, command=_command(settings, line) if repeatable else ""
        )
        for line in plan.lines
        for finding in summaries[line.stress.name].findings
    ]
    return Document(
        run=_run_entry(settings, inputs, plan, records, repeatable=repeatable, interrupted=interrupted).model_copy(
            update=dict(run)
        ),
        target=_target_entry(inputs),
        data=DataEntry(
            name=inputs.data.name,
            digest=f"sha256:{inputs.identity.data}",
            n=len(inputs.data),
            total=inputs.total,
            subset_seed=settings.seed,
        ),
        probe=jsonable(inputs.probe.to_json()),
        findings=sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)),
        cards=card_entries(plan.lines, records, summaries, classes=inputs.data.classes),
        cross=cross_of(plan.lines, records, index=inputs.index, classes=inputs.data.classes),
        images=images_of(plan.lines, records, data=inputs.data, index=inputs.index),
        skipped=[_left_out(line) for line in plan.lines if line.decision == "skipped"],
        reduced=[_left_out(line) for line in plan.lines if line.decision == "reduced"],
    )


def _command(settings: AuditSettings, line: PlannedStress) -> str:
    """The command that measures one stress again, in a folder of its own."""
    return command_line(settings.model_copy(update={"out": None, "fresh": False, "stresses": (line.stress.name,), "gates": ()}))


def _run_entry(
    settings: AuditSettings, inputs: Inputs, plan: Plan, records: Sequence[Record], *, repeatable: bool, interrupted: bool
) -> Run:
    identity = inputs.identity
    counted = {line.stress.name for line in plan.lines if line.queries}
    unfinished = len(records) < sum(line.points for line in plan.lines if line.decision != "skipped")
    partial = unfinished or any(record.status != "ok" for record in records)
    return Run(
        id=digest(identity.target, identity.data, identity.seed, settings.preset)[:16],
        name=inputs.target.name,
        status="interrupted" if interrupted else "partial" if partial else "complete",
        queries=inputs.target.queries.count + sum(record.queries for record in records if record.experiment in counted),
        seed=settings.seed,
        preset=settings.preset,
        command=command_line(settings) if repeatable else "",
        budget=Budget(seconds=settings.budget, queries=settings.max_queries),
        threads=torch.get_num_threads(),
        config=settings.model_dump(mode="json"),
        **circumstances(settings.run.device),
    )


def _left_out(line: PlannedStress) -> SkippedEntry:
    return SkippedEntry(stress=line.stress.name, card=line.stress.card, reason=line.reason)


def _target_entry(inputs: Inputs) -> TargetEntry:
    target, data = inputs.target, inputs.data
    module = target.model if isinstance(target.model, torch.nn.Module) else None
    return TargetEntry(
        name=target.name,
        digest=f"sha256:{inputs.identity.target}",
        access=target.access,
        classes=data.classes,
        class_names=list(data.class_names),
        input=InputEntry(shape=list(data.x.shape[1:]), range=list(target.bounds)),
        parameters=sum(parameter.numel() for parameter in module.parameters()) if module is not None else None,
        outputs=target.outputs,
        unsafe_load=inputs.unsafe,
        notes=list(inputs.notes),
    )
