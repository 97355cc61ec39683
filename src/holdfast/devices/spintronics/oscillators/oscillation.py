"""What a simulated oscillator network did: frequencies, powers, phase slips, order, and its last state."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

__all__ = ["Oscillation", "pairs_of"]


def pairs_of(oscillators: int) -> list[tuple[int, int]]:
    """All pairs (i, j) with i < j, in the order in which results list them.

    Examples
    --------
    >>> pairs_of(3)
    [(0, 1), (0, 2), (1, 2)]
    """
    return list(combinations(range(oscillators), 2))


@dataclass(frozen=True, kw_only=True)
class Oscillation:
    """What a network of K oscillators did in its window; tensors instead of arrays after the torch backend.

    Parameters
    ----------
    mean_frequency : array (..., K), unwrapped phase advance per time in Hz
    power : array (..., K), mean dimensionless power ``|c|^2``
    swing : array (..., K (K - 1) / 2), range of the unwrapped phase difference of each pair (:func:`pairs_of`) in rad
    order : array (...,), mean of ``|sum of exp(i theta)| / K``, in [0, 1]
    emitted : array (...,), mean power ``|sum of c|^2`` of all oscillators into one load
    state : complex array (..., K), amplitudes at the end, in the laboratory frame
    time : end of the window in s, counted from the very first start
    steps : number of time steps until then
    window : length of the window in s
    trace : complex array (..., times, K), amplitudes in the frame that rotates at `reference`; None unless requested
    trace_interval : time between two rows of `trace` in s
    reference : array (...,), frequency of the rotating frame in Hz
    """

    mean_frequency: Any
    power: Any
    swing: Any
    order: Any
    emitted: Any
    state: Any
    time: float
    steps: int
    window: float
    trace: Any = None
    trace_interval: float = 0.0
    reference: Any = 0.0

    @property
    def trace_times(self) -> np.ndarray:
        """Array (times,), s since the begin of the window."""
        return np.arange(0 if self.trace is None else self.trace.shape[-2]) * self.trace_interval

    @property
    def trace_frequency(self) -> np.ndarray:
        """Array (..., times - 1, K), mean frequency in Hz between neighbouring rows of the trace."""
        turn = np.angle(self.trace[..., :-1, :] * np.conj(self.trace[..., 1:, :]))
        return np.asarray(self.reference)[..., None, None] + turn / (2 * np.pi * self.trace_interval)
