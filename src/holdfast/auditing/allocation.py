r"""How a limit of time or queries is divided among stresses: a pure function of what each wants.

Every stress gets its own number of examples. Those of a higher rank get theirs first; those of one rank share what is left by
value per cost. The value of :math:`n` examples is :math:`w \log n` with the weight :math:`w`, because an interval narrows with
their number; the total value is largest where each further second is worth the same everywhere,

.. math:: \frac{w_i}{n_i\,c_i} = \text{const} \quad\Rightarrow\quad n_i \propto w_i / c_i,

so that cheap stresses reach their whole number first. No stress gets fewer than a least number of examples: where not even that
fits, the least important are left out, and what they leave is shared anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Want", "allocate"]

HALVINGS = 60  # of the bracket around the common worth of a second
LEAST_WEIGHT = 0.1  # of a stress of no importance, so that it too gets more than the least where there is room


@dataclass(frozen=True, kw_only=True)
class Want:
    """What one stress would use.

    Parameters
    ----------
    most : examples that it would use without a limit, >= 1
    least : examples below which it is left out, from 1 to `most`
    weight : its importance
    rank : stresses of a lower number are served first
    cost : number of examples -> cost; it does not fall as they become more
    """

    most: int
    least: int
    weight: float
    cost: Callable[[int], float]
    rank: int = 0

    def at(self, worth: float) -> int:
        """Examples where the weight of one more is `worth` times its mean cost."""
        each = self.cost(self.most) / self.most
        wanted = self.most if each <= 0 else max(self.weight, LEAST_WEIGHT) / (each * worth)
        return int(min(max(wanted, self.least), self.most))


def allocate(wants: Sequence[Want], limit: float) -> list[int]:
    """The examples that each of the `wants` is granted, 0 where it is left out; together they cost at most `limit`.

    Examples
    --------
    >>> cheap = Want(most=1000, least=50, weight=1, cost=lambda n: 0.001 * n)
    >>> dear = Want(most=1000, least=50, weight=1, cost=lambda n: 0.1 * n)
    >>> allocate([cheap, dear], 21), allocate([cheap, dear], 5)
    ([1000, 200], [1000, 0])
    """
    granted = [0] * len(wants)
    room = limit
    for _, places in groupby(sorted(range(len(wants)), key=lambda place: wants[place].rank), key=lambda place: wants[place].rank):
        members = list(places)
        shares = _shared([wants[place] for place in members], room)
        for place, examples in zip(members, shares, strict=True):
            granted[place] = examples
            room -= wants[place].cost(examples) if examples else 0.0
    return granted


def _shared(wants: Sequence[Want], room: float) -> list[int]:
    """The examples of stresses of one rank, which have `room` together."""
    taken, kept = 0.0, set()
    for place in sorted(range(len(wants)), key=lambda place: -wants[place].weight):
        least = wants[place].cost(wants[place].least)
        if taken + least <= room:
            taken += least
            kept.add(place)

    def shares(worth: float) -> list[int]:
        return [want.at(worth) if place in kept else 0 for place, want in enumerate(wants)]

    def total(found: Sequence[int]) -> float:
        return sum(want.cost(examples) for want, examples in zip(wants, found, strict=True) if examples)

    whole = [want.most if place in kept else 0 for place, want in enumerate(wants)]
    if total(whole) <= room:
        return whole
    low, high = 1e-12, 1e12
    for _ in range(HALVINGS):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if total(shares(middle)) <= room else (middle, high)
    return shares(high)
