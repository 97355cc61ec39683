"""On how many threads a network is fastest: small ones lose more by sharing a pass among threads than they gain."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch

from holdfast.auditing.probing.behaviour import batch_size, clocked
from holdfast.core.executors import thread_budget

if TYPE_CHECKING:
    from holdfast.core.target import Target
    from holdfast.data import Examples

__all__ = ["fastest_threads"]

ROUNDS = 3  # a busy machine disturbs single passes, so the quickest of several counts
SHARE = 10  # of the largest batch, in time: the probe is short
LONG = 0.25  # s; a pass that takes longer on all threads gains by them


def fastest_threads(target: Target, rows: Examples, *, seconds: float) -> int:
    """1 or torch's present number of threads, whichever makes a pass over some of the `rows` faster.

    Only modules on the CPU are timed; any other target, and one whose queries are limited, keeps torch's number.

    Parameters
    ----------
    target : answers `rows`
    rows : on the target's device
    seconds : rough time of a forward pass per example
    """
    most = torch.get_num_threads()
    local = isinstance(target.model, torch.nn.Module) and rows.x.device.type == "cpu" and target.queries.limit is None
    if most == 1 or not local:
        return most
    n = batch_size(rows.x, SHARE * seconds)
    call = partial(_pass, target, rows.x[:n])
    quickest = {most: _time(call, most), 1: 0.0}
    if quickest[most] > LONG:
        return most
    quickest[1] = _time(call, 1)
    for _ in range(ROUNDS - 1):
        quickest = {threads: min(before, _time(call, threads)) for threads, before in quickest.items()}
    return min(quickest, key=quickest.__getitem__)


def _time(call: partial[None], threads: int) -> float:
    """Seconds of a pass on `threads` threads that are awake."""
    with thread_budget(threads):
        call()
        return clocked(call, torch.device("cpu"))


def _pass(target: Target, x: torch.Tensor) -> None:
    """One pass forward, and backward to the input where the target gives gradients."""
    with torch.set_grad_enabled(target.allows("gradients")):
        inputs = x.detach().clone().requires_grad_(target.allows("gradients"))
        answer = target(inputs)
    if answer.requires_grad:
        torch.autograd.grad(answer.sum(), inputs, allow_unused=True)
