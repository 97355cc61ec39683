"""What an audit can do, as tables for a reader."""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import Any

from holdfast.auditing.stresses import known_stresses
from holdfast.core.checks import check_one_of
from holdfast.core.runner import settings_of
from holdfast.core.stress import PRESETS, Facts

__all__ = ["describe", "presets", "stresses"]

TYPICAL = Facts(shape=(1, 28, 28), classes=10, examples=10_000)


def stresses() -> list[dict[str, str]]:
    """One row per stress: card, name, title and the access that it needs."""
    known = known_stresses()
    return [{"card": kind.card.name, "stress": name, "what": kind.title, "needs": kind.requires} for name, kind in known.items()]


def presets() -> list[dict[str, str]]:
    """One row per stress: its points and examples in each preset, for 28 x 28 grey images."""
    rows = []
    for name, kind in known_stresses().items():
        row = {"stress": name}
        for preset in PRESETS:
            stress = kind.preset(preset, TYPICAL)
            row[preset] = "-" if stress is None else f"{len(stress.points())} points, {stress.examples or 'all'} examples"
        rows.append(row)
    return rows


def describe(name: str) -> tuple[str, list[dict[str, Any]]]:
    """The text that explains a stress, and one row per setting with its value in each preset."""
    kind = known_stresses()[check_one_of(name, "stress", allowed=known_stresses())]
    settings = {preset: settings_of(stress) if (stress := kind.preset(preset, TYPICAL)) else {} for preset in PRESETS}
    prefix = f"{kind.card.name}.{name}"
    rows = [
        {
            "setting": f"{prefix}.{field.name}",
            **{preset: _short(settings[preset].get(field.name)) for preset in PRESETS},
        }
        for field in dataclasses.fields(kind)  # type: ignore[arg-type]
    ]
    text = f"{kind.title} (card {kind.card.name}, needs access to {kind.requires})\n\n{inspect.getdoc(kind)}\n"
    text += f"\nRemedy: {kind.remedy}\n" if kind.remedy else ""
    return text, rows


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
