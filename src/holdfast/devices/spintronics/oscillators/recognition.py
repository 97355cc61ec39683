"""How well a group of oscillators recognises a sequence, and at which coupling it recognises nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import check_whole, refuse
from holdfast.core.combination import Combination
from holdfast.core.estimate import Estimate, exact, proportion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from holdfast.devices.spintronics.oscillators.binding import SequenceBinder

__all__ = ["Recognition", "balanced_accuracy", "fitted_to", "pooled", "recognition", "selective_coupling"]

MOST = 0.5  # a sequence that binds in more than this share of its presentations counts as one that the group fires on


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """Shares of presentations that bind.

    Parameters
    ----------
    hits : of the target
    false_alarms : of all other sequences
    fires_on : share of the other sequences that bind in most of their presentations
    order_kept : share of presentations of the target's permutations that do not bind; None unless all its events differ
    """

    hits: Estimate
    false_alarms: Estimate
    fires_on: Estimate
    order_kept: Estimate | None

    @property
    def balanced(self) -> float:
        """Balanced accuracy: the mean of the shares of targets that bind and of others that do not."""
        return (self.hits.value + 1 - self.false_alarms.value) / 2

    @property
    def estimates(self) -> dict[str, Estimate]:
        """The shares by name, without what does not apply."""
        found = {"hits": self.hits, "false_alarms": self.false_alarms, "fires_on": self.fires_on}
        return found if self.order_kept is None else {**found, "order_kept": self.order_kept}


def fitted_to(binder: SequenceBinder, target: Sequence[int]) -> tuple[SequenceBinder, NDArray[np.int_]]:
    """`binder` with one group, for `target`, and all sequences of its alphabet, array (m, length)."""
    sequences = binder.all_sequences()
    mine = (sequences == tuple(target)).all(axis=1)
    if not mine.any():
        refuse("target", f"is {tuple(target)}", allowed=f"{binder.length} events of the alphabet")
    return binder.fit(sequences, mine.astype(int)), sequences


def recognition(binder: SequenceBinder, target: Sequence[int], *, repeats: int) -> Recognition:
    """Present the target, its permutations and all other sequences to a group made for the target.

    Parameters
    ----------
    binder : settings of the group; it is fitted here
    target : events of the sequence
    repeats : presentations of the target, >= 1; its permutations have as many in all, the other sequences about twice as many
    """
    check_whole(repeats, "repeats", low=1)
    binder, sequences = fitted_to(binder, target)
    events = tuple(target)
    orders = sorted(set(permutations(events)) - {events})
    others = [tuple(sequence) for sequence in sequences.tolist() if tuple(sequence) != events]
    each, extra = -(-2 * repeats // len(others)), -(-repeats // max(1, len(orders)))
    shown = [events] * repeats
    shown += [other for other in others for _ in range(each)] + [order for order in orders for _ in range(extra)]
    bound = binder.events(shown).bound[0]
    hit, wrong, reordered = np.split(bound, [repeats, repeats + each * len(others)])
    often = wrong.reshape(len(others), each).mean(axis=1) > MOST
    differ = len(set(events)) == len(events)
    return Recognition(
        hits=proportion(int(hit.sum()), len(hit)),
        false_alarms=proportion(int(wrong.sum()), len(wrong)),
        fires_on=exact(often.mean(), len(others), "share of all sequences"),
        order_kept=proportion(int((~reordered).sum()), len(reordered)) if differ else None,
    )


def pooled(shares: Sequence[Estimate], *, level: float = 0.95) -> Estimate:
    """Several shares of presentations as one, each with the weight of its presentations."""
    return proportion(round(sum(share.value * share.n for share in shares)), sum(share.n for share in shares), level=level)


def balanced_accuracy(hits: Sequence[Estimate], false_alarms: Sequence[Estimate], *, level: float = 0.95) -> Combination:
    """Balanced accuracy over several targets; its interval comes from the presentations, not from the choice of targets."""
    right, wrong = (Combination.of(pooled(shares, level=level)) for shares in (hits, false_alarms))
    return right.minus(wrong).scaled(0.5).plus(Combination(0.5))


def selective_coupling(couplings: Iterable[float], make_binder: Callable[[float], SequenceBinder], *, repeats: int) -> float:
    """The largest coupling at which a group for each target binds to that target every time and never to another sequence.

    A strong coupling binds sequences whose frequency steps are nearly common; a weak one binds nothing.

    Parameters
    ----------
    couplings : in Hz, to choose from
    make_binder : from a coupling to the settings of a group
    repeats : presentations of each sequence to each group, >= 1

    Raises
    ------
    InputError : no coupling of these recognises all targets and nothing else
    """
    tried = sorted(couplings, reverse=True)
    for coupling in tried:
        binder = make_binder(coupling)
        sequences = binder.all_sequences()
        numbers = np.arange(1, len(sequences) + 1)  # 0 is the label of sequences to which no group should bind
        bound = binder.fit(sequences, numbers).events(np.repeat(sequences, repeats, axis=0)).bound
        if (bound == (binder.labels_[:, None] == np.repeat(numbers, repeats))).all():
            return coupling
    return refuse(
        "couplings",
        f"are {tried} Hz, and none recognises all targets and nothing else",
        allowed="one that does",
        remedy="Try smaller couplings, or weights whose differences are less nearly common.",
    )
