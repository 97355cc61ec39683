"""What a pass of this network costs, and how long examples stay in an attack: tried on a few examples before a plan is made.

The pilot takes the first examples of the order that every stress uses. Passes are timed in small batches, into which an attack
shrinks as examples leave it, and in the large ones of the run. A short attack at each size that is planned shows which share of its
steps the examples take. Its queries are not those of a black-box stress, so they are counted apart. Where queries are limited the
probe's times have to do; there, and where no gradient is to be had, every right example is taken to stay.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from holdfast.attacks import ThreatModel, pgd
from holdfast.auditing.batching import rows_per_pass
from holdfast.auditing.pricing import PassTimes, Prices, Survival
from holdfast.auditing.probing.behaviour import clocked
from holdfast.core.executors import thread_budget
from holdfast.core.target import QueryCounter
from holdfast.nets import device_of, frozen, seeded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdfast.auditing.inputs import Inputs
    from holdfast.core.stress import Stress
    from holdfast.core.target import Target

__all__ = ["EXAMPLES", "prices_of"]

Found = TypeVar("Found")
EXAMPLES, FEWEST = 32, 8
STEPS = 10  # of the attack that is tried
REPETITIONS, SHORT = 3, 0.05  # passes that are timed, and more of them as long as all together are shorter than so many s
MOST_REPETITIONS = 20
LONG = 0.25  # s; a full batch that takes longer is not timed: the probe's batch of up to 256 stands for it
TIME, SHARE = 2.0, 0.03  # s for all attacks that are tried, or a share of the time budget


def prices_of(inputs: Inputs, stresses: Sequence[Stress], *, batch_size: int, seconds: float | None = None) -> Prices:
    """The prices of this target on this machine.

    Parameters
    ----------
    inputs : loaded and probed
    stresses : whose attack sizes are tried
    batch_size : largest number of examples in one pass that the user allows
    seconds : of the time budget, or None
    """
    found, weights = inputs.probe, _weights(inputs.target)
    device = device_of(inputs.target, default=inputs.data.y.device)
    known = Prices(
        forward=found.t_forward,
        backward=found.t_backward,
        values=math.prod(inputs.facts.shape),
        samples=inputs.target.samples,
        layers=len(weights),
        weights=sum(weights),
        batch=rows_per_pass(inputs.data.shape, batch_size, device=str(device)),
        right=found.accuracy.value,
    )
    if inputs.target.queries.limit is not None or not isinstance(inputs.target.model, torch.nn.Module):
        return known
    counted = replace(inputs.target, queries=QueryCounter())
    with thread_budget(found.threads), seeded(inputs.identity.seed, device), frozen(counted):
        pilot = _Pilot(counted, inputs, known)
        timed = pilot.timed()
        stays = counted.samples > 1 or not found.has_gradients  # a random network is not fooled for good by one answer
        return timed if stays else pilot.tried(timed, stresses, seconds=TIME if seconds is None else SHARE * seconds)


def _weights(target: Target) -> list[int]:
    """How many weights each layer has whose weights are a matrix or more."""
    model = target.model
    return [weight.numel() for weight in model.parameters() if weight.ndim > 1] if isinstance(model, torch.nn.Module) else []


@dataclass(frozen=True)
class _Pilot:
    """A target, the examples of the run, and the prices that the probe found."""

    target: Target
    inputs: Inputs
    known: Prices

    def timed(self) -> Prices:
        """Prices by the size of a batch."""
        sizes = {min(rows, self.known.batch, len(self.inputs.data)) for rows in (EXAMPLES, self.known.batch)}
        probed = self.inputs.probe
        both = probed.t_forward + probed.t_backward
        forward = {min(256, len(self.inputs.data)): probed.t_forward}
        backward = {min(256, len(self.inputs.data)): probed.t_backward}
        for rows in sizes:
            if rows * both > LONG:
                continue
            x = self.first(rows)
            one = _attempted(partial(self.price, partial(_forward, self.target, x), rows))
            two = _attempted(partial(self.price, partial(_backward, self.target, x), rows)) if probed.has_gradients else None
            if one is not None:
                forward[rows] = one
            if one is not None and two is not None:
                backward[rows] = max(0.0, two - one)
        return replace(self.known, forward=_pace(forward), backward=_pace(backward))

    def first(self, rows: int) -> torch.Tensor:
        """The first inputs of the run, as floating point, where the network lies."""
        return self.inputs.data[:rows].x.to(device_of(self.target, default=self.inputs.data.y.device))

    @staticmethod
    def price(call: partial[None], rows: int) -> float:
        """Seconds per example of the median `call`; the first one warms up."""
        device = call.args[1].device
        call()
        times: list[float] = []
        while len(times) < REPETITIONS or (sum(times) < SHORT and len(times) < MOST_REPETITIONS):
            times.append(clocked(call, device))
        return median(times) / rows

    def tried(self, prices: Prices, stresses: Sequence[Stress], *, seconds: float) -> Prices:
        """`prices` with the share of steps that examples take at the sizes of the `stresses`, as far as the `seconds` allow."""
        survival: defaultdict[str, list[Survival]] = defaultdict(list)
        beyond: list[float] = []
        until = time.perf_counter() + seconds
        step = STEPS * (self.inputs.probe.t_forward + self.inputs.probe.t_backward)
        rows = min(EXAMPLES, len(self.inputs.data), int(seconds / step) if step else EXAMPLES)
        for norm, eps in _sizes(stresses) if rows >= FEWEST else ():
            begun = time.perf_counter()
            if begun > until or (entry := _attempted(partial(self.climb, norm, eps, rows))) is None:
                break
            survival[norm].append(entry)
            passes = STEPS * prices.passes(1, 1, rows=max(1.0, rows * entry.active)) * entry.active * rows
            beyond.append(max(0.0, time.perf_counter() - begun - passes) / STEPS)
        by_size = {norm: tuple(sorted(entries, key=lambda entry: entry.eps)) for norm, entries in survival.items()}
        return replace(prices, survival=by_size, step=median(beyond) if beyond else 0.0)

    def climb(self, norm: str, eps: float, rows: int) -> Survival:
        """A short attack of one size on the first `rows`: who stays."""
        x = self.first(rows)
        y = self.inputs.data.y[:rows].to(x.device)
        threat = ThreatModel(norm, eps, bounds=self.target.bounds)  # type: ignore[arg-type]
        batch = min(rows, self.known.batch)
        found = pgd(self.target, x, y, threat, steps=STEPS, seed=self.inputs.identity.seed, batch_size=batch)
        attacked = found.queries > 1  # the others are wrong from the start
        taken = torch.where(found.success, found.steps_used / STEPS, torch.ones_like(found.loss))[attacked]
        right = self.known.right
        return Survival(
            eps=eps,
            active=right * float(taken.mean()) if len(taken) else right,
            standing=right * float((~found.success)[attacked].float().mean()) if len(taken) else right,
        )


def _attempted(call: Callable[[], Found]) -> Found | None:
    """What `call` gives, or None where the network fails, even by leaving the program: that is told where it is measured."""
    try:
        return call()
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001
        return None


def _sizes(stresses: Sequence[Stress]) -> list[tuple[str, float]]:
    """Norms and sizes that cost the most passes first."""
    weights: defaultdict[tuple[str, float], float] = defaultdict(float)
    for stress in stresses:
        for point in stress.points():
            for part in stress.estimate(point).active:
                if part.eps > 0:
                    weights[part.norm, part.eps] += (part.forward + part.backward) * (stress.examples or EXAMPLES)
    return sorted(weights, key=lambda size: -weights[size])


def _pace(prices: dict[int, float]) -> PassTimes:
    """A pace at which no pass over more examples takes less time."""
    rows = sorted(prices)
    whole = np.maximum.accumulate([size * prices[size] for size in rows])
    return PassTimes(tuple((size, float(seconds) / size) for size, seconds in zip(rows, whole, strict=True)))


def _forward(target: Target, x: torch.Tensor) -> None:
    with torch.no_grad():
        target(x)


def _backward(target: Target, x: torch.Tensor) -> None:
    with torch.inference_mode(mode=False), torch.enable_grad():
        inputs = x.detach().clone().requires_grad_()
        torch.autograd.grad(target(inputs).sum(), inputs, allow_unused=True)
