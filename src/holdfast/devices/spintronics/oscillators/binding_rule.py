"""The rule by which bias currents learn the sequence that is to bind their oscillators, presentation by presentation.

Labelled sequences are presented one after the other in random order. A sequence that should bind and does not pulls the frequencies
that were measured towards their mean; a sequence that binds and should not pushes the two oscillators whose set frequencies are
closest apart. Only what one can measure or set is used. Steps shrink from pass to pass, and a group that still errs after some
passes begins again from other random offsets. After the idea of M. Romera et al., Nature 563 (2018) 230, of real-time learning;
the rule itself is ours.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import check_whole, check_within

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Answer", "BindingRule", "Learned", "learn_offsets"]

Answer = tuple["NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.bool_]"]
Response = Callable[["NDArray[np.float64]", int], Answer]


@dataclass(frozen=True, kw_only=True)
class BindingRule:
    """How offsets are learnt.

    Parameters
    ----------
    passes : largest number of passes through all sequences
    pull : share of the distance to the mean by which a frequency moves, in (0, 1]
    largest : longest step of the first pass in Hz
    push : step in Hz that parts a pair in the first pass
    decay : passes after which steps have halved
    patience : passes without success after which offsets are drawn anew
    reach : offsets are drawn uniformly from (-reach, reach), in Hz
    """

    passes: int = 40
    pull: float = 0.8
    largest: float = 6e6
    push: float = 0.3e6
    decay: float = 4.0
    patience: int = 10
    reach: float = 6e6

    def __post_init__(self) -> None:
        check_whole(self.passes, "passes", low=1)
        check_whole(self.patience, "patience", low=1)
        check_within(self.pull, "pull", low=0, high=1, low_open=True)
        for name in ("largest", "decay", "reach"):
            check_within(getattr(self, name), name, low=0, low_open=True)
        check_within(self.push, "push", low=0)


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What learning gave.

    Parameters
    ----------
    offsets : array (groups, K) in Hz
    errors : per group, wrong answers in each pass; the last is 0 where learning ended well
    trajectory : per group, array (updates + 1, K) of offsets
    presented : number of presentations, all groups together
    """

    offsets: NDArray[np.float64]
    errors: tuple[tuple[int, ...], ...]
    trajectory: tuple[NDArray[np.float64], ...]
    presented: int


@dataclass
class _Group:
    """One group of oscillators while it learns."""

    offsets: NDArray[np.float64]
    order: NDArray[np.intp]
    place: int = 0
    wrong: int = 0
    since_drawn: int = 0
    errors: list[int] = field(default_factory=list)
    path: list[NDArray[np.float64]] = field(default_factory=list)

    def done(self, rule: BindingRule) -> bool:
        return (bool(self.errors) and self.errors[-1] == 0) or len(self.errors) >= rule.passes


def learn_offsets(
    respond: Response, wanted: NDArray[np.bool_], rule: BindingRule, generator: np.random.Generator, *, oscillators: int
) -> Learned:
    """Offsets of all groups, learnt side by side.

    Parameters
    ----------
    respond : gives, for offsets (groups, K) in Hz and the number of the presentation, what presenting each sequence leads to:
        frequencies that were set and that were measured, both (groups, sequences, K) in Hz, and whether all oscillators bound,
        (groups, sequences). Each number should have noise of its own: a pass without an error is then one under fresh noise
    wanted : array (groups, sequences), True where the sequence should bind
    rule : see :class:`BindingRule`
    generator : draws first offsets and orders of presentation
    oscillators : number K of oscillators in a group
    """
    count, sequences = wanted.shape
    groups = [
        _Group(generator.uniform(-rule.reach, rule.reach, oscillators), generator.permutation(sequences)) for _ in range(count)
    ]
    for group in groups:
        group.path.append(group.offsets.copy())
    presented = 0
    presentations = itertools.count()
    while not all(group.done(rule) for group in groups):
        # a presentation without an error changes nothing, so all sequences are answered at once up to the next error
        given, measured, bound = respond(np.stack([group.offsets for group in groups]), next(presentations))
        for number, group in enumerate(groups):
            if group.done(rule):
                continue
            rest = group.order[group.place :]
            wrong = np.flatnonzero(bound[number, rest] != wanted[number, rest])
            if not len(wrong):
                presented += len(rest)
                _end_pass(group, rule, generator)
                continue
            presented += int(wrong[0]) + 1
            sequence = rest[wrong[0]]
            group.place += int(wrong[0]) + 1
            group.wrong += 1
            shrink = 0.5 ** (group.since_drawn / rule.decay)
            if wanted[number, sequence]:
                step = _pulled(measured[number, sequence], rule, shrink)
            else:
                step = _pushed(given[number, sequence], rule, shrink)
            group.offsets = group.offsets - step
            group.path.append(group.offsets.copy())
            if group.place == sequences:
                _end_pass(group, rule, generator)
    return Learned(
        offsets=np.stack([group.offsets for group in groups]),
        errors=tuple(tuple(group.errors) for group in groups),
        trajectory=tuple(np.stack(group.path) for group in groups),
        presented=presented,
    )


def _end_pass(group: _Group, rule: BindingRule, generator: np.random.Generator) -> None:
    """Count the errors of the pass that ended and begin the next one, with new offsets if patience has run out."""
    group.errors.append(group.wrong)
    group.place, group.wrong = 0, 0
    group.since_drawn += 1
    group.order = generator.permutation(len(group.order))
    if group.errors[-1] and group.since_drawn % rule.patience == 0:
        group.offsets = generator.uniform(-rule.reach, rule.reach, len(group.offsets))
        group.since_drawn = 0
        group.path.append(group.offsets.copy())


def _pulled(frequencies: NDArray[np.float64], rule: BindingRule, shrink: float) -> NDArray[np.float64]:
    """Changes of frequency in Hz towards the mean."""
    apart = frequencies.mean() - frequencies
    return np.asarray(np.clip(rule.pull * apart, -rule.largest * shrink, rule.largest * shrink))


def _pushed(frequencies: NDArray[np.float64], rule: BindingRule, shrink: float) -> NDArray[np.float64]:
    """Changes of frequency in Hz that part the two oscillators that are closest."""
    order = np.argsort(frequencies, kind="stable")
    nearest = int(np.diff(frequencies[order]).argmin())
    change = np.zeros(len(frequencies))
    change[order[nearest]], change[order[nearest + 1]] = -rule.push * shrink, rule.push * shrink
    return change
