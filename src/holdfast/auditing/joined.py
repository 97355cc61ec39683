"""All attacks of an audit together: an example counts as robust at a size only if none of them fooled it there.

Attacks of one norm are joined. What fooled an example inside a smaller ball counts at every larger one. An attack that ran on the
first rows of the data alone counts on those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.curve import Curve
from holdfast.core.estimate import proportion
from holdfast.core.runner import measurements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from holdfast.auditing.plan import PlannedStress
    from holdfast.core.store import Record
    from holdfast.core.stress import Stress

__all__ = ["WORST_CASE", "WorstCaseCurve", "is_attack", "join_attacks"]

WORST_CASE = "worst_case"  # the name under which gates find it
SLACK = 1 + 1e-9


@dataclass(frozen=True, kw_only=True)
class WorstCaseCurve:
    """What the attacks of one norm leave together.

    Parameters
    ----------
    curve : accuracy against eps
    examples : rows of the largest attack
    notes : which attacks were joined, and which could not be
    """

    curve: Curve
    examples: int
    notes: tuple[str, ...]


def is_attack(stress: Stress) -> bool:
    """True if the stress says at which norm and radius it attacks."""
    return hasattr(stress, "strength")


def join_attacks(lines: Sequence[PlannedStress], records: Sequence[Record]) -> WorstCaseCurve | None:
    """The worst case over the finished points of all attacks; None if there are none.

    Parameters
    ----------
    lines : of the plan
    records : of all points
    """
    found = [
        (line.stress.name, *line.stress.strength(point), measured.arrays["correct"].astype(bool))  # type: ignore[attr-defined]
        for line in lines
        if is_attack(line.stress)
        for point, measured in measurements(line.stress, records)
        if "correct" in measured.arrays
    ]
    if not found:
        return None
    norm = found[0][1]
    joined = [(name, radius, right) for name, kind, radius, right in found if kind == norm]
    n = max(len(right) for _, _, right in joined)
    sizes = sorted({radius for _, radius, _ in joined})
    robust = [_robust([right for _, radius, right in joined if radius <= size * SLACK], n) for size in sizes]
    curve = Curve(
        name=WORST_CASE,
        axis="eps",
        unit="input units",
        at=tuple(sizes),
        estimates=tuple(proportion(int(left.sum()), n) for left in robust),
    )
    apart = sorted({name for name, kind, _, _ in found if kind != norm})
    return WorstCaseCurve(curve=curve, examples=n, notes=(_note(joined, norm), *_others(apart, norm)))


def _robust(rights: Sequence[NDArray[np.bool_]], n: int) -> NDArray[np.bool_]:
    left = np.ones(n, dtype=bool)
    for right in rights:
        left[: len(right)] &= right
    return left


def _note(joined: Sequence[tuple[str, float, NDArray[np.bool_]]], norm: str) -> str:
    rows = {name: len(right) for name, _, right in joined}
    parts = ", ".join(f"{name} ({count} examples)" for name, count in rows.items())
    return f"Joins {parts}, all in {norm}: an example counts as robust only where each of those that tried it failed."


def _others(apart: Sequence[str], norm: str) -> tuple[str, ...]:
    return (f"Left out, because their norm is not {norm}: {', '.join(apart)}.",) if apart else ()
