"""From what a point costs in passes to seconds on this machine, with this network."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.core.stress import ActivePasses, Cost

__all__ = ["PassTimes", "Prices", "Survival", "seconds_of"]

HANDLING = 1e-8  # s per number of an input that a pass takes besides: to pick, copy and change it, on one core


@dataclass(frozen=True)
class PassTimes:
    """How long a pass takes, by the number of its examples: small and large batches differ by what the caches hold.

    Parameters
    ----------
    at : pairs of a number of examples and the seconds per example, the numbers increasing
    """

    at: tuple[tuple[int, float], ...]

    def __call__(self, rows: float) -> float:
        """Seconds per example in a pass over so many `rows`; between two sizes the time of a whole pass grows evenly.

        Examples
        --------
        >>> pace = PassTimes(((10, 1e-3), (30, 2e-3)))
        >>> pace(5), round(pace(20), 6), pace(1000)
        (0.001, 0.00175, 0.002)
        """
        sizes, prices = map(np.array, zip(*self.at, strict=True))
        inside = min(max(rows, float(sizes[0])), float(sizes[-1]))
        return float(np.interp(inside, sizes, sizes * prices)) / inside


@dataclass(frozen=True, kw_only=True)
class Survival:
    """Which share of an attack's steps examples take before they leave, and which share never does.

    Parameters
    ----------
    eps : attack size in units of the input
    active : mean share of the steps that an example takes; one that is answered wrongly takes none
    standing : share of the examples that are right after all steps
    """

    eps: float
    active: float
    standing: float


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What a pass costs on this machine, and how many examples stay in an attack.

    Parameters
    ----------
    forward : seconds per example
    backward : seconds per example on top of the forward pass
    values : numbers that an example consists of
    samples : passes for one answer of the target
    layers : with weights
    weights : in all of them
    batch : largest number of examples in one pass
    step : seconds of one step of an attack besides its passes
    right : share of the examples that are answered rightly; all others leave an attack at once
    survival : norm -> measured sizes, increasing; a norm without any keeps every right example to the end
    """

    forward: float | PassTimes
    backward: float | PassTimes
    values: int = 0
    samples: int = 1
    layers: int = 0
    weights: int = 0
    batch: int = 1000
    step: float = 0.0
    right: float = 1.0
    survival: Mapping[str, tuple[Survival, ...]] = field(default_factory=dict)

    def passes(self, forward: float, backward: float, *, rows: float) -> float:
        """Seconds per example of passes over `rows` examples at a time, the handling of inputs included."""
        paces = ((forward, self.forward), (backward, self.backward))
        each = sum(count * (pace(rows) if isinstance(pace, PassTimes) else pace) for count, pace in paces)
        return self.samples * each + forward * HANDLING * self.values

    def share(self, active: ActivePasses) -> float:
        """The share of `active` passes that a mean example takes."""
        known = self.survival.get(active.norm, ())
        if active.eps <= 0 or not known:
            return self.right
        sizes = [0.0, *(entry.eps for entry in known)]
        shares = [self.right, *(entry.standing if active.afterwards else entry.active for entry in known)]
        return float(np.interp(active.eps, sizes, shares))


def seconds_of(cost: Cost, examples: int, prices: Prices) -> float:
    """Predicted seconds of a point of that `cost` on so many `examples`."""
    rows = min(examples, prices.batch)
    each = prices.passes(cost.forward, cost.backward, rows=rows) + cost.seconds + cost.seconds_per_value * prices.values
    by_layer = prices.layers * cost.forward_per_layer
    once = cost.fixed_seconds + cost.fixed_seconds_per_weight * prices.weights + by_layer * prices.passes(1, 0, rows=rows)
    for part in cost.active:
        share = prices.share(part)
        each += share * prices.passes(part.forward, part.backward, rows=max(1.0, share * rows))
        begun = min(1.0, share * rows)  # no step is made where no example is left
        once += prices.step * part.steps * math.ceil(examples / prices.batch) * begun
    return each * examples + once
