"""The shell command that repeats an audit."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from holdfast.auditing.settings import AuditSettings, SettingsTable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SINGULAR", "command_line", "flag_of"]

SINGULAR = {"arguments": "argument", "gates": "gate", "stresses": "stress"}
"""Settings that hold several, and the flag, given once for each, that names one of them."""
REPEATED = (*SINGULAR, "skip")


def flag_of(key: str) -> str:
    """The flag that sets a `key` of the configuration file.

    Examples
    --------
    >>> flag_of("model.source"), flag_of("model.output_key"), flag_of("gates")
    ('--model', '--output-key', '--gate')
    """
    table, _, word = key.rpartition(".")
    name = table if word == "source" else SINGULAR.get(word, word)
    return f"--{name.replace('_', '-')}"


def _flag(key: str, value: Any) -> list[str]:
    """The words that give `value` to the setting `key`."""
    flag = flag_of(key)
    if isinstance(value, bool):
        return [flag] if value else []
    if key.rpartition(".")[2] in REPEATED:
        return [word for entry in value for word in (flag, entry)]
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        return ["--set", f"{key}={json.dumps(value, ensure_ascii=False)}"]
    if isinstance(value, tuple | list):
        value = ",".join(map(_text, value))
    text = _text(value)
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]


def _text(value: Any) -> str:
    """With all digits that a number has."""
    return str(value).removesuffix(".0")


def _flags(table: SettingsTable, default: SettingsTable, prefix: str = "") -> Iterator[str]:
    """The flags of the settings in `table` that are not the `default` ones."""
    for name in type(table).model_fields:
        value, usual = getattr(table, name), getattr(default, name)
        if isinstance(value, SettingsTable):
            yield from _flags(value, usual, f"{name}.")
        elif value != usual and name != "fresh":  # what repeats a run deletes nothing
            yield from _flag(prefix + name, value)


def command_line(settings: AuditSettings) -> str:
    """The shell command that repeats an audit with `settings`.

    Examples
    --------
    >>> print(command_line(AuditSettings(seed=3, adversarial={"pgd": {"eps": [0, 0.1]}})))
    holdfast audit --seed 3 --set 'adversarial.pgd.eps=[0, 0.1]'
    """
    words = ["holdfast", "audit", *_flags(settings, AuditSettings())]
    for card, stress in settings.stress_tables():
        for key, value in settings.cards[card][stress].items():
            words += ["--set", f"{card}.{stress}.{key}={'None' if value is None else json.dumps(value)}"]
    return shlex.join(words)
