"""The shell command that repeats an audit."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from holdfast.auditing.settings import AuditSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FLAGS", "command_line"]

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
    "model.bounds": "--bounds",
    "model.normalize": "--normalize",
    "model.outputs": "--outputs",
    "model.output_key": "--output-key",
    "model.samples": "--samples",
    "model.unsafe_pickle": "--unsafe-pickle",
    "data.source": "--data",
    "data.layout": "--layout",
    "data.input_key": "--input-key",
    "data.label_column": "--label-column",
    "data.size": "--size",
    "data.classes": "--classes",
    "data.examples": "--examples",
    "data.unlabelled": "--unlabelled",
    "run.device": "--device",
    "run.workers": "--workers",
    "run.threads": "--threads",
    "run.batch_size": "--batch-size",
    "run.point_limit": "--point-limit",
    "out": "--out",
}


def _flag(name: str, value: Any, *, key: str) -> list[str]:
    if isinstance(value, bool):
        return [name] if value else []
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        return ["--set", f"{key}={json.dumps(value, ensure_ascii=False)}"]
    if isinstance(value, tuple | list):
        return [f"{name}={','.join(map(_text, value))}"]  # the first number may begin with a minus sign
    return [name, _text(value)]


def _text(value: Any) -> str:
    """With all digits that a number has."""
    return str(value).removesuffix(".0")


def _flags(settings: AuditSettings) -> Iterator[str]:
    """The flags whose values are not the default ones."""
    default = AuditSettings()
    for path, flag in FLAGS.items():
        value, usual = settings, default
        for part in path.split("."):
            value, usual = getattr(value, part), getattr(usual, part)
        if value != usual:
            yield from _flag(flag, value, key=path)


def command_line(settings: AuditSettings) -> str:
    """The shell command that repeats an audit with `settings`.

    Examples
    --------
    >>> print(command_line(AuditSettings(seed=3, adversarial={"pgd": {"eps": [0, 0.1]}})))
    holdfast audit --seed 3 --set 'adversarial.pgd.eps=[0, 0.1]'
    """
    words = ["holdfast", "audit", *_flags(settings)]
    for argument in settings.model.arguments:
        words += ["--model-arg", argument]
    for stress in settings.stresses if settings.stresses != ("all",) else ():
        words += ["--stress", stress]
    for gate in settings.gates:
        words += ["--gate", gate]
    for card, stress in settings.stress_tables():
        for key, value in settings.cards[card][stress].items():
            words += ["--set", f"{card}.{stress}.{key}={json.dumps(value)}"]
    return shlex.join(words)
