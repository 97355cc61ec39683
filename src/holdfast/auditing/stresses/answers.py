"""What a target answers to a set of examples, as a measurement that later figures can be recomputed from."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from holdfast.core.checks import refuse
from holdfast.core.estimate import exact, mean_t, proportion
from holdfast.core.experiment import Measurement
from holdfast.core.seeds import Seeds, seeded
from holdfast.core.target import mean_of_passes, predicted_classes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from holdfast.core.experiment import Context
    from holdfast.core.target import Target
    from holdfast.data import Examples
    from holdfast.hardware import ChipResults

__all__ = [
    "ANSWERED",
    "BLOCK",
    "NOT_FINITE",
    "OVER_CHIPS",
    "SINGLE",
    "Draws",
    "Passes",
    "answers",
    "chips_measured",
    "examples_of",
    "judged",
    "logits_of",
    "measured",
    "passes_of",
    "whole_blocks",
]

Draws = Literal["answers", "selection"]
BLOCK = 50  # examples that a random network is asked about from one seed, in one batch or several
NOT_FINITE = "not_finite"  # the estimate of a point some of whose answers are NaN or infinite
SINGLE = "one_pass_accuracy"  # of a network that answers at random
ANSWERED = ("accuracy", NOT_FINITE, SINGLE)  # what the answers to inputs may be measured by
OVER_CHIPS = ("accuracy", "p05", "sd", "worst", NOT_FINITE)


@dataclass(frozen=True, kw_only=True)
class Passes:
    """What a target answered in one pass, or in the several that a random network's answer is the mean of.

    Parameters
    ----------
    logits : tensor (n, classes), of the mean answer
    named : tensor (samples, n), the class that each pass names; -1 where it is not finite
    """

    logits: torch.Tensor
    named: torch.Tensor

    @classmethod
    def joined(cls, parts: Sequence[Passes]) -> Passes:
        """Those of several sets of examples, one after another."""
        return cls(logits=torch.cat([part.logits for part in parts]), named=torch.cat([part.named for part in parts], 1))


def examples_of(context: Context, examples: int | None) -> Examples:
    """The first `examples` rows of the audit's data (all if None); every prefix is stratified, so stresses can be crossed."""
    data: Examples = context.data
    return data if examples is None else data[: min(examples, len(data))]


def logits_of(target: Target, x: torch.Tensor | Examples, context: Context) -> torch.Tensor:
    """Logits (n, classes) of all rows of `x`, in batches, without gradients; the time is checked between batches."""
    return passes_of(target, x, context).logits


def passes_of(target: Target, x: torch.Tensor | Examples, context: Context, *, first: int = 0, draws: Draws = "answers") -> Passes:
    """What `target` answers to all rows of `x`, as :func:`logits_of` asks, and what each pass names.

    A random network is asked about one block of :data:`BLOCK` rows after another, each from a seed that belongs to its place in the
    data, in batches that begin anew with the block. So it draws the same numbers whenever it is asked about the same block, changed
    or not, in batches of the same size, which makes comparisons paired; no two blocks share their numbers. Where `x` ends within a
    block, the numbers of that block depend on how many of its rows there are. An attack never sees these draws, so it cannot
    succeed by having found a lucky one.

    Parameters
    ----------
    target : asked
    x : inputs (n, ...), or examples
    context : of the point
    first : place of the first row of `x` in the data, a multiple of :data:`BLOCK` if a random network is asked
    draws : of a random network: those that figures are made of, or independent ones by which to choose among attacks
    """
    fixed = target.samples > 1
    if fixed and first % BLOCK:
        refuse("first", f"is {first}", allowed=f"multiples of {BLOCK}: a random network is asked about whole blocks")
    parts: list[Passes] = []
    with torch.no_grad():
        for block, rows in enumerate(_blocks(x, BLOCK if fixed else len(x)), first // BLOCK):
            seed = Seeds(context.seeds.seed).integer(draws, block)
            with seeded(seed, context.device) if fixed else nullcontext():
                parts.extend(_asked(target, batch, context) for batch in _batches(rows, context.batch_size))
    return Passes.joined(parts)


def whole_blocks(rows: int) -> int:
    """`rows` rounded down to whole blocks of a random network, at least one; what it is asked about at a time has so many rows."""
    return max(BLOCK, rows - rows % BLOCK)


def _asked(target: Target, batch: torch.Tensor, context: Context) -> Passes:
    context.check_time()
    passes = target.passes(batch.to(context.device)).float()
    return Passes(logits=mean_of_passes(passes).cpu(), named=predicted_classes(passes).cpu())


def _blocks(x: torch.Tensor | Examples, size: int) -> Iterator[torch.Tensor | Examples]:
    """`x` in parts of at most `size` rows; examples stay as they are held."""
    return (x[begin : begin + size] for begin in range(0, len(x), size))


def _batches(x: torch.Tensor | Examples, size: int) -> Iterator[torch.Tensor]:
    """The inputs `x` in batches of at most `size` rows; of examples only one batch is floating point at a time."""
    if isinstance(x, torch.Tensor):
        yield from x.split(size)
    else:
        yield from (inputs for inputs, _ in x.batches(size))


def judged(
    passes: Passes,
    y: torch.Tensor,
    *,
    details: Mapping[str, Any] | None = None,
    arrays: Mapping[str, NDArray[Any]] | None = None,
) -> Measurement:
    """What :func:`measured` finds in the answers to examples with the labels `y` (n,).

    With several passes there are also the accuracy of a single pass and, per example, the share of passes that are right.
    """
    found = measured(passes.logits, y, details=details, arrays=arrays)
    if len(passes.named) == 1:
        return found
    rights = (passes.named == y.cpu()).double().mean(0).numpy()
    single = mean_t(rights)
    return replace(
        found,
        estimates={**found.estimates, SINGLE: replace(single, lo=max(0.0, single.lo), hi=min(1.0, single.hi))},
        arrays={**found.arrays, "share_of_passes": rights.astype(np.float32)},
    )


def measured(
    logits: torch.Tensor,
    y: torch.Tensor,
    *,
    details: Mapping[str, Any] | None = None,
    arrays: Mapping[str, NDArray[Any]] | None = None,
) -> Measurement:
    """Accuracy with its Wilson interval; per example: correct, prediction and margin (own logit minus the largest other).

    An answer that holds NaN or infinity is wrong, names no class (-1) and has the margin NaN; their share is one more estimate.
    """
    labels = y.cpu()
    prediction = predicted_classes(logits)
    correct, finite = (prediction == labels).numpy(), prediction >= 0
    own = logits.gather(1, labels[:, None]).squeeze(1)
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
    per_example = {
        "correct": correct,
        "prediction": prediction.numpy().astype(np.int32),
        "margin": (own - others).masked_fill(~finite, torch.nan).numpy().astype(np.float32),
    }
    estimates = {"accuracy": proportion(int(correct.sum()), len(correct))}
    if not bool(finite.all()):
        estimates[NOT_FINITE] = proportion(int((~finite).sum()), len(correct))
    return Measurement(estimates=estimates, arrays={**per_example, **(arrays or {})}, details=details or {})


def answers(target: Target, examples: Examples, context: Context) -> Measurement:
    """What `target` answers to `examples`."""
    return judged(passes_of(target, examples, context), examples.y)


def chips_measured(results: ChipResults) -> Measurement:
    """Accuracy over chips with its spread, 5th percentile and worst chip; per example the share of chips that are right.

    An example counts as correct if it is right on at least half of the chips.
    """
    share = results.correct.mean(axis=0)
    mean = results.accuracy
    lost = {NOT_FINITE: exact(results.not_finite, results.correct.size)} if results.not_finite else {}
    return Measurement(
        estimates={
            "accuracy": replace(mean, lo=max(0.0, mean.lo), hi=min(1.0, mean.hi)),
            "p05": results.p05,
            "sd": results.sd,
            "worst": exact(results.accuracies.min(), len(results.accuracies)),
            **lost,
        },
        arrays={"correct": share >= 0.5, "share_of_chips": share.astype(np.float32)},
        details={"chips": results.accuracies.tolist()},
    )
