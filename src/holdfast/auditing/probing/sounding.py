"""One look at a network: what it answers to a few hundred examples, and how it behaves while answering."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from holdfast.auditing.probing import behaviour
from holdfast.auditing.probing.containers import opened
from holdfast.auditing.probing.one_number import decided
from holdfast.auditing.probing.order import first_answer
from holdfast.auditing.probing.outputs import ask, check_finite_logits, declare, understand
from holdfast.auditing.probing.threads import fastest_threads
from holdfast.core.executors import thread_budget
from holdfast.nets import seeded

if TYPE_CHECKING:
    from holdfast.auditing.probing.outputs import Kind
    from holdfast.core.target import Target
    from holdfast.data import Examples

__all__ = ["Sounding", "sound", "tolerance_of"]

FEW = 8
TOLERANCE = 1e-4  # relative, in float32; in 16 bit a few units of rounding
REPEATED = 1e-6  # relative; the order of sums may change between passes on a GPU
SATURATED = 0.01


@dataclass(frozen=True, kw_only=True)
class Sounding:
    """What a look at a network showed.

    Parameters
    ----------
    declared : the target with its outputs declared
    target : the same with the access that it really gives
    kind : of its answers
    answer : tensor (n, classes), as it came
    steady : how much an answer changes that should not
    tolerance : what rounding explains of it
    t_forward : s per example
    threads : of torch, on which the times were taken
    gradients : of the loss in the input; None if the access asks for none
    notes : for the report
    """

    declared: Target
    target: Target
    kind: Kind
    answer: torch.Tensor
    steady: behaviour.Steadiness
    tolerance: float
    t_forward: float
    threads: int
    gradients: behaviour.Gradients | None
    notes: tuple[str, ...]

    @property
    def deterministic(self) -> bool:
        """Two passes agree, but for the order of sums."""
        return self.steady.repeated <= REPEATED

    @property
    def stochastic(self) -> bool:
        """Two passes differ by more than rounding explains."""
        return self.steady.repeated > self.tolerance

    @property
    def batch_invariant(self) -> bool | None:
        """An example gets the same answer alone as in a batch; None if chance hides it."""
        return self.steady.alone <= self.tolerance if self.deterministic else None


def sound(target: Target, rows: Examples, examples: Examples, *, seed: int = 0, threads: int | None = None) -> Sounding:
    """Ask `target` about `rows`, which are some of the `examples`.

    Parameters
    ----------
    target : unchanged
    rows : on the network's device
    examples : whose labels the network must know
    seed : of a nondeterministic network
    threads : of torch; default: what :func:`~holdfast.auditing.probing.threads.fastest_threads` finds

    Raises
    ------
    InputError : an answer that is not a table of finite scores, or has fewer columns than there are labels
    """
    few = rows.x[:FEW]
    with seeded(seed, rows.x.device), torch.inference_mode(mode=False):
        answer = first_answer(target, few)
        inner, of_container = opened(target, answer, rows=len(few))
        asked, of_number = decided(inner, rows)
        understood = understand(asked, answer if asked is target else ask(asked, few), few, examples)
        asked, kind, notes = understood.target, understood.kind, (*of_container, *of_number, *understood.notes)
        steady = behaviour.steadiness(asked, few)
        threads = threads or fastest_threads(asked, rows, seconds=steady.seconds)
        with thread_budget(threads):
            answer, t_forward = behaviour.answers(asked, rows.x, steady.seconds)
            check_finite_logits(answer, asked)
            if kind == "logits":
                asked, kind, said = declare(asked, answer)
                notes += said
            granted, gradients = (asked, None) if kind == "labels" else _gradients(asked, rows, t_forward)
    tolerance = tolerance_of(target)
    return Sounding(
        declared=asked,
        target=granted,
        kind=kind,
        answer=answer,
        steady=steady,
        tolerance=tolerance,
        t_forward=t_forward,
        threads=threads,
        gradients=gradients,
        notes=(*notes, *_remarks(steady, gradients, tolerance)),
    )


def tolerance_of(target: Target) -> float:
    """The relative difference that rounding explains: 1e-4, or a few units of rounding of the coarsest weights."""
    weights = target.model.parameters() if isinstance(target.model, nn.Module) else ()
    coarsest = max((torch.finfo(weight.dtype).eps for weight in weights if weight.is_floating_point()), default=0.0)
    return max(TOLERANCE, 8 * coarsest)


def _gradients(target: Target, rows: Examples, seconds: float) -> tuple[Target, behaviour.Gradients | None]:
    """Input gradients, where the access level asks for them; without any, access to gradients alone falls to scores."""
    if not target.allows("gradients"):
        return target, None
    n = behaviour.batch_size(rows.x, 3 * seconds)  # a backward pass costs about two forward passes
    found = behaviour.input_gradients(target, rows.x[:n], rows.y[:n])
    return (target if found.exist or target.allows("weights") else replace(target, access="scores")), found


def _remarks(steady: behaviour.Steadiness, gradients: behaviour.Gradients | None, tolerance: float) -> list[str]:
    """What limits the figures to come, one sentence each."""
    said = []
    if steady.repeated > REPEATED:
        said.append(f"two passes differ by {steady.repeated:.2g}: the network is nondeterministic")
    elif math.isinf(steady.alone):
        said.append("the network refuses a batch of one: points that come down to one example will fail")
    elif steady.alone > tolerance:
        said.append(
            f"an example alone gets another answer than in a batch (by {steady.alone:.2g}): figures depend on the batch size"
        )
    if gradients is None:
        return said
    if not gradients.exist:
        said.append(f"{gradients.reason}. Stresses that follow gradients are left out")
    elif not gradients.finite:
        said.append("input gradients hold NaN or infinity: gradient attacks will look weaker than they are")
    elif gradients.saturated > SATURATED * gradients.n:
        share = f"{gradients.saturated} of {gradients.n} examples"
        said.append(f"the input gradient is zero on {share}: saturated logits look like robustness without being it")
    return said
