"""How a network behaves: does it answer twice alike, alone as in a batch, with gradients, and how fast."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

import torch

from holdfast.auditing.probing.outputs import ask
from holdfast.core.checks import refuse
from holdfast.core.errors import HoldfastError, InputError
from holdfast.core.stress import TOKENS
from holdfast.nets import closed_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.core.target import Target

__all__ = ["Gradients", "Steadiness", "answers", "batch_size", "clocked", "input_gradients", "relative_difference", "steadiness"]

LARGEST_BATCH, SMALLEST_BATCH = 256, 8
NUMBERS_PER_BATCH = 4_000_000  # 16 MB of inputs
SECONDS_PER_BATCH = 0.5
REPETITIONS = 5
NAMED = 4  # layers that a reason names
INTEGERS = f"{TOKENS}, which have no gradient"


@dataclass(frozen=True, kw_only=True)
class Steadiness:
    """How much an answer changes that should not change, relative to the largest number in it.

    Parameters
    ----------
    repeated : when the same batch is asked again
    alone : when an example is asked alone instead of in a batch; infinite if the network refuses a batch of one
    seconds : per example, of the repeated batch
    """

    repeated: float
    alone: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """What the gradient of the loss in the input is like.

    Parameters
    ----------
    exist : there is one
    finite : and it holds no NaN or infinity
    saturated : number of examples whose gradient is zero, denormal or not finite
    n : number of examples
    seconds : of one forward and backward pass per example, median
    reason : why there is none
    """

    exist: bool
    finite: bool = True
    saturated: int = 0
    n: int = 0
    seconds: float = 0.0
    reason: str = ""


def relative_difference(a: torch.Tensor, b: torch.Tensor) -> float:
    """Largest difference of two answers in units of the largest number in them."""
    scale = max(float(a.abs().max()), float(b.abs().max()))
    return float((a - b).abs().max()) / scale if scale > 0 else 0.0


def steadiness(target: Target, x: torch.Tensor) -> Steadiness:
    """Ask about the batch `x` twice, and about each of its rows alone."""
    first = ask(target, x)
    begun = time.perf_counter()
    second = ask(target, x)
    _settle(x.device)
    seconds = (time.perf_counter() - begun) / len(x)
    try:
        rows = [ask(target, row[None]) for row in x]
    except InputError:
        alone = math.inf
    else:
        _check_batch_axis(rows[0], classes=second.shape[1])
        alone = relative_difference(torch.cat(rows), second)
    return Steadiness(repeated=relative_difference(first, second), alone=alone, seconds=seconds)


def _check_batch_axis(answer: torch.Tensor, *, classes: int) -> None:
    """Refuse an `answer` to one example that has lost the axis of the batch, as after ``.squeeze()``."""
    if tuple(answer.shape) != (1, classes):
        got = f"returns {tuple(answer.shape)} for one example: keep the batch axis"
        remedy = "In its forward use .flatten(1), or .squeeze with the axes that you mean, instead of .squeeze()."
        refuse("model", got, allowed=f"(1, {classes})", remedy=remedy)


def answers(target: Target, x: torch.Tensor, seconds: float) -> tuple[torch.Tensor, float]:
    """The answers to all rows of `x`, and the median time of a forward pass in s per example.

    Rows come in batches of a realistic size, chosen by the rough time of `seconds` per example. A single batch is repeated for
    the sake of time, unless queries to the target are limited.
    """
    parts: list[torch.Tensor] = []
    batches = x.split(batch_size(x, seconds))
    times = [clocked(partial(_collect, parts, target, batch), x.device) / len(batch) for batch in batches]
    if len(batches) == 1 and target.queries.limit is None:
        times = [clocked(partial(ask, target, x), x.device) / len(x) for _ in range(REPETITIONS)]
    full = times[:-1] if len(batches[-1]) < len(batches[0]) else times
    return torch.cat(parts), median(full)


def _collect(parts: list[torch.Tensor], target: Target, batch: torch.Tensor) -> None:
    parts.append(ask(target, batch))


def clocked(call: Callable[[], object], device: torch.device) -> float:
    """Seconds that `call` takes, the device's queue emptied before and after."""
    _settle(device)
    begun = time.perf_counter()
    call()
    _settle(device)
    return time.perf_counter() - begun


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def batch_size(x: torch.Tensor, seconds: float) -> int:
    """A realistic number of rows per pass: at most 256, half a second and 16 MB of inputs, at least 8; `seconds` per example."""
    most = min(LARGEST_BATCH, NUMBERS_PER_BATCH // max(1, x[0].numel()), int(SECONDS_PER_BATCH / max(seconds, 1e-9)))
    return min(len(x), max(SMALLEST_BATCH, most))


def input_gradients(target: Target, x: torch.Tensor, y: torch.Tensor) -> Gradients:
    """The gradient of the cross entropy in the input: whether there is one, and on how many examples it is of no use."""
    if not x.is_floating_point():
        return Gradients(exist=False, n=len(x), reason=INTEGERS)
    try:
        gradient, reason = _gradient(target, x, y)
    except HoldfastError:
        raise
    except Exception as error:  # noqa: BLE001 (a network that cannot be differentiated may fail in any way)
        gradient, reason = (
            None,
            f"asked for a gradient, the network raised {type(error).__name__}: {' '.join(str(error).split())[:160].rstrip('.')}",
        )
    if gradient is None:
        return Gradients(exist=False, n=len(x), reason=_packed(target) or reason)
    rows = gradient.flatten(1)
    largest = rows.abs().amax(1)
    smallest_normal = torch.finfo(rows.dtype).tiny
    useless = ~rows.isfinite().all(1) | (largest < smallest_normal)
    limited = target.queries.limit is not None
    times = [clocked(partial(_gradient, target, x, y), x.device) for _ in range(1 if limited else REPETITIONS)]
    return Gradients(
        exist=True,
        finite=bool(rows.isfinite().all()),
        saturated=int(useless.sum()),
        n=len(x),
        seconds=median(times) / len(x),
    )


def _packed(target: Target) -> str:
    """That layers of whole numbers have no gradient, if the network has some; otherwise empty."""
    closed = closed_weights(target.model) if isinstance(target.model, torch.nn.Module) else ()
    named = ", ".join(path or "the network" for path in closed[:NAMED])
    return f"no gradient reaches the input: layers with packed weights ({named}) have none" if closed else ""


def _gradient(target: Target, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor | None, str]:
    with torch.inference_mode(mode=False), torch.enable_grad():
        inputs = x.detach().clone().requires_grad_()
        logits = target(inputs)
        if logits.is_inference():
            return None, "the network computes inside torch.inference_mode()"
        if logits.requires_grad:
            loss = torch.nn.functional.cross_entropy(logits, y.clone(), reduction="sum")
            gradient = torch.autograd.grad(loss, inputs, allow_unused=True)[0]
            if gradient is not None:
                return gradient, ""
        return None, "no gradient reaches the input: look for torch.no_grad(), .detach() or NumPy in the network's forward"
