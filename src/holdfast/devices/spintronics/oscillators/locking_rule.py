"""The rule by which oscillators learn which source to follow, pass by pass through labelled examples.

All examples of a pass are presented side by side. For each example a pattern is wanted: which oscillator should lock to which
source. An oscillator that should follow a source and does not is drawn towards it; one that follows a source and should not is
pushed away; what an oscillator does far from a source does not count, and what is far shrinks from pass to pass. In the last
passes only examples with a wrong answer teach, and they start from the best frequencies so far. Only signs are used, of
differences between frequencies that one can measure or set. The idea of automatic real-time learning is that of M. Romera et al.,
Nature 563 (2018) 230; the rule itself is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import check_whole, check_within

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["LockingLesson", "LockingPass", "LockingRule", "learn_frequencies"]


@dataclass(frozen=True, kw_only=True)
class LockingRule:
    """How frequencies are learnt.

    Parameters
    ----------
    passes : number of passes through all examples, >= 1
    step : change in Hz of an oscillator that all examples of the first pass move the same way
    decay : passes after which steps have halved
    reach : distance in Hz from a source at which an oscillator still learns in the end
    narrowing : passes after which the excess of the reach, at first four times `reach`, has halved
    correcting : share of the passes, the last ones, in which only wrong answers teach, in [0, 1]
    """

    passes: int = 24
    step: float = 6e6
    decay: float = 5.0
    reach: float = 4e6
    narrowing: float = 2.0
    correcting: float = 0.4

    def __post_init__(self) -> None:
        check_whole(self.passes, "passes", low=1)
        check_within(self.correcting, "correcting", low=0, high=1)
        for name in ("step", "decay", "reach", "narrowing"):
            check_within(getattr(self, name), name, low=0, low_open=True)


@dataclass(frozen=True, kw_only=True)
class LockingPass:
    """What presenting all n examples at given frequencies led to.

    Parameters
    ----------
    locked : array (n, K, 2), True where an oscillator follows a source
    measured : array (n, K), mean frequencies in Hz
    right : array (n,), True where the answer is the label
    """

    locked: NDArray[np.bool_]
    measured: NDArray[np.float64]
    right: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class LockingLesson:
    """What learning gave.

    Parameters
    ----------
    frequencies : array (K,) in Hz, those of the pass with the fewest errors
    accuracy : array (passes,), share of right answers in each pass
    trajectory : array (passes, K) in Hz, the frequencies of each pass
    """

    frequencies: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    trajectory: NDArray[np.float64]


def learn_frequencies(
    present: Callable[[NDArray[np.float64], int], LockingPass],
    start: NDArray[np.float64],
    rule: LockingRule,
    *,
    sources: NDArray[np.float64],
    wanted: NDArray[np.bool_],
    limits: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> LockingLesson:
    """Frequencies to which the oscillators are set, learnt from examples.

    Parameters
    ----------
    present : gives, for frequencies (K,) in Hz and the number of the pass, what all examples lead to
    start : array (K,) in Hz
    rule : see :class:`LockingRule`
    sources : array (n, 2) in Hz, frequencies of the sources for each example
    wanted : array (n, K, 2), the patterns that are wanted
    limits : lowest and highest frequency in Hz of each oscillator
    """
    frequencies, path, shares = start, [], []
    best, best_share = start, -1.0
    first_correcting = round(rule.passes * (1 - rule.correcting))
    for number in range(rule.passes):
        if number == first_correcting:
            frequencies = best
        seen = present(frequencies, number)
        path.append(frequencies)
        shares.append(float(seen.right.mean()))
        if shares[-1] > best_share:
            best, best_share = frequencies, shares[-1]
        teaching = ~seen.right if number >= first_correcting else np.ones(len(sources), dtype=bool)
        reach = rule.reach * (1 + 4 * 0.5 ** (number / rule.narrowing))
        change = _change(seen, frequencies, sources, wanted, reach)[teaching].sum(axis=0) / len(sources)
        frequencies = np.clip(frequencies + rule.step * 0.5 ** (number / rule.decay) * change, *limits)
    return LockingLesson(frequencies=best, accuracy=np.array(shares), trajectory=np.stack(path))


def _change(
    seen: LockingPass, frequencies: NDArray[np.float64], sources: NDArray[np.float64], wanted: NDArray[np.bool_], reach: float
) -> NDArray[np.float64]:
    """Array (n, K) of directions: towards sources that are missed, away from those that are followed and should not be."""
    missed, followed = wanted & ~seen.locked, seen.locked & ~wanted
    to_measured = sources[:, None, :] - seen.measured[..., None]
    to_set = sources[:, None, :] - frequencies[:, None]  # a locked oscillator runs at the source's frequency: what was set counts
    pull = np.where(missed & (np.abs(to_measured) < reach), np.sign(to_measured), 0.0)
    push = np.where(followed & (np.abs(to_set) < reach), np.sign(to_set), 0.0)
    return np.asarray((pull - push).sum(axis=-1))
