"""Sentences for the reader that a point finds out while it is measured, and the summary of its stress carries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from holdfast.core.experiment import Measurement, Point

__all__ = ["noted", "notes_of"]


def noted(found: Measurement, notes: Iterable[str]) -> Measurement:
    """`found` with these notes among its details; as it is without notes."""
    told = list(notes)
    return replace(found, details={**found.details, "notes": told}) if told else found


def notes_of(measurements: Sequence[tuple[Point, Measurement]]) -> tuple[str, ...]:
    """The notes of all points, each once, in the order of the points."""
    return tuple(dict.fromkeys(note for _, found in measurements for note in found.details.get("notes", ())))
