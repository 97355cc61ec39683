"""All attacks of an audit together: an example counts as robust at a size only if none of them fooled it there.

Attacks of one norm are joined, at the sizes and on the examples of the leading one: that with the most sizes, of several the most
important. What fooled an example inside a smaller ball counts at every larger one. An attack on fewer examples counts on those; of
one on more, the first ones count.

Where a network answers at random, many attacks would add up their lucky draws. There the attack that left an example the smallest
margin is chosen by draws that are not counted, and what it did is counted in others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from holdfast.auditing.stresses.attacked import left_standing
from holdfast.core.digest import canonical_json
from holdfast.core.estimate import Estimate, proportion
from holdfast.core.numerals import size_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from holdfast.auditing.plan import PlannedStress
    from holdfast.core.experiment import Point
    from holdfast.core.store import Record

__all__ = ["WORST_CASE", "Attack", "WorstCasePoint", "WorstCases", "is_attack", "join_attacks", "joined_sizes"]

WORST_CASE = "worst_case"  # the name under which gates find it
SLACK = 1 + 1e-9


@dataclass(frozen=True, kw_only=True)
class WorstCasePoint:
    """All attacks up to one size.

    Parameters
    ----------
    eps : the size
    accuracy : share of the examples that none of them fooled; None while one of them is missing
    common : the same of the first examples, which each of them tried; None where that are all, or one of them is missing
    missing : points of attacks that crashed or had no time
    right : boolean array (n,), which examples none of them fooled
    """

    eps: float
    accuracy: Estimate | None
    common: Estimate | None
    missing: tuple[str, ...]
    right: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class WorstCases:
    """What the attacks of one norm leave together.

    Parameters
    ----------
    norm : of all attacks that are joined
    points : in the order of their sizes
    examples : rows of the leading attack
    notes : which attacks were joined where, and which could not be
    """

    norm: str
    points: tuple[WorstCasePoint, ...]
    examples: int
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Try:
    """One planned point of one attack, and which rows it left right (None: it is missing); of a random network, margins apart."""

    name: str
    norm: str
    eps: float
    label: str
    examples: int
    importance: float
    right: NDArray[np.bool_] | None
    selection: NDArray[np.floating] | None = None


@runtime_checkable
class Attack(Protocol):
    """A stress whose points can be joined with those of other attacks."""

    def strength(self, point: Point) -> tuple[str, float]:
        """Norm and radius of the attack at `point`."""


def is_attack(stress: object) -> bool:
    """True if the stress says at which norm and radius it attacks."""
    return isinstance(stress, Attack)


def join_attacks(lines: Sequence[PlannedStress], records: Sequence[Record]) -> WorstCases | None:
    """The worst case over all planned attacks; None if there are none.

    Parameters
    ----------
    lines : of the plan
    records : of all points
    """
    tries = [entry for line in lines if line.decision != "skipped" for entry in _tries(line, records)]
    if not tries:
        return None
    norm, joined, sizes = _of_one_norm(tries)
    n = _leading(joined)[0].examples
    points = tuple(_point([entry for entry in joined if entry.eps <= size * SLACK], size, n) for size in sizes)
    apart = sorted({entry.name for entry in tries if entry.norm != norm})
    return WorstCases(norm=norm, points=points, examples=n, notes=(_note(joined, norm, n), *_others(apart, norm)))


def joined_sizes(lines: Sequence[PlannedStress]) -> tuple[float, ...]:
    """The sizes at which :func:`join_attacks` will join the planned attacks; of all attacks where each of them is skipped."""
    for kept in ([line for line in lines if line.decision != "skipped"], lines):
        if tries := [entry for line in kept for entry in _tries(line, ())]:
            return tuple(_of_one_norm(tries)[2])
    return ()


def _of_one_norm(tries: Sequence[_Try]) -> tuple[str, list[_Try], list[float]]:
    """The norm of most tries, these tries, and the sizes of the leading attack among them."""
    norm = Counter(entry.norm for entry in tries).most_common(1)[0][0]
    joined = [entry for entry in tries if entry.norm == norm]
    return norm, joined, sorted({entry.eps for entry in _leading(joined)})


def _leading(joined: Sequence[_Try]) -> list[_Try]:
    """The tries of the attack with the most sizes, of several the most important, of these the one on the most examples."""
    attacks = [[entry for entry in joined if entry.name == name] for name in dict.fromkeys(entry.name for entry in joined)]
    return max(attacks, key=lambda tries: (len({entry.eps for entry in tries}), tries[0].importance, tries[0].examples))


def _tries(line: PlannedStress, records: Sequence[Record]) -> list[_Try]:
    known = {canonical_json(record.at): record for record in records if record.experiment == line.stress.name}
    tries: list[_Try] = []
    if not isinstance(line.stress, Attack):
        return tries
    for point in line.stress.points():
        norm, eps = line.stress.strength(point)
        record = known.get(canonical_json(point))
        arrays = record.measurement.arrays if record is not None and record.measurement is not None else {}
        label = f"{line.stress.name}[{', '.join(f'{axis}={value:.6g}' for axis, value in point.items())}]"
        entry = _Try(
            name=line.stress.name,
            norm=norm,
            eps=eps,
            label=label,
            examples=line.examples,
            importance=line.stress.importance,
            right=None,
        )
        if "correct" in arrays:
            entry = replace(entry, right=arrays["correct"].astype(bool), selection=arrays.get("selection"))
        tries.append(entry)
    return tries


def _first(entry: _Try, n: int) -> tuple[NDArray[np.bool_], NDArray[np.floating] | None]:
    """What an attack that ran left of the first `n` examples."""
    assert entry.right is not None, "asked for where it ran"
    return entry.right[:n], None if entry.selection is None else entry.selection[:n]


def _point(tries: Sequence[_Try], size: float, n: int) -> WorstCasePoint:
    missing = tuple(entry.label for entry in tries if entry.right is None)
    done = [entry.right for entry in tries if entry.right is not None]
    left = left_standing([_first(entry, n) for entry in tries if entry.right is not None], n)
    tried = min([n, *map(len, done)])
    return WorstCasePoint(
        eps=size,
        accuracy=None if missing else proportion(int(left.sum()), n),
        common=None if missing or tried == n else proportion(int(left[:tried].sum()), tried),
        missing=missing,
        right=left,
    )


def _note(joined: Sequence[_Try], norm: str, n: int) -> str:
    rows = {entry.name: entry.examples for entry in joined}
    first = {name: min(entry.eps for entry in joined if entry.name == name) for name in rows}
    parts = ", ".join(f"{name} ({count} examples, from eps {size_text(first[name])})" for name, count in rows.items())
    counts = "an example counts as robust only where each of those that tried it failed"
    if any(entry.selection is not None for entry in joined):
        counts = "an example counts by the attack that leaves it the smallest margin, chosen and judged by independent passes"
    return f"Joins {parts}, all in {norm}, on the first {n} examples: {counts}."


def _others(apart: Sequence[str], norm: str) -> tuple[str, ...]:
    return (f"Left out, because their norm is not {norm}: {', '.join(apart)}.",) if apart else ()
