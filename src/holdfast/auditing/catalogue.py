"""What an audit can do, as tables for a reader."""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import Any

from holdfast.auditing.stresses import known_stresses
from holdfast.core.checks import check_one_of
from holdfast.core.grammar import Metric
from holdfast.core.runner import settings_of
from holdfast.core.stress import PRESETS, Facts, Stress
from holdfast.report import metric_prefix

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
    text += _metrics(kind)
    text += f"\nRemedy: {kind.remedy}\n" if kind.remedy else ""
    return text, rows


def _metrics(kind: type[Stress]) -> str:
    """What gates can name, with one point as an example; empty where the class does not say."""
    stress = next((found for preset in PRESETS if (found := kind.preset(preset, TYPICAL)) is not None), None)
    if stress is None or not (kind.metrics or kind.joint_metrics):
        return ""
    prefix = metric_prefix(kind.card.name, kind.name)
    points = [point for point in stress.points() if len(point) == len(stress.points()[0])]
    at = tuple(points[len(points) // 2].items())
    named = [str(Metric(f"{prefix}.{name}", at)) for name in kind.metrics]
    joint = [f"{prefix}.{name}" for name in kind.joint_metrics]
    return "\nNumbers that gates can name:\n" + "".join(f"  {text}\n" for text in dict.fromkeys([*named, *joint]))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
