"""The network under examination: its inputs, its answers, the access to it, and the number of queries."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from holdfast.core.checks import as_written, check_one_of, check_whole, refuse
from holdfast.core.errors import QueryBudgetError

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

__all__ = ["ACCESS_LEVELS", "Access", "QueryCounter", "Target", "answer", "as_target", "mean_of_passes", "predicted_classes"]

Access = Literal["labels", "scores", "gradients", "weights"]
Outputs = Literal["logits", "probabilities"]
ACCESS_LEVELS: tuple[Access, ...] = ("labels", "scores", "gradients", "weights")


@dataclass
class QueryCounter:
    """Counts the examples that a target was queried about, and rejects queries beyond `limit`.

    Parameters
    ----------
    limit : largest number of queries, or None for no limit
    count : queries so far
    """

    limit: int | None = None
    count: int = 0

    def spend(self, examples: int) -> None:
        """Book `examples` queries, or raise :class:`QueryBudgetError` and book none."""
        if self.limit is not None and self.count + examples > self.limit:
            raise QueryBudgetError(
                f"{examples} more queries would exceed the limit of {self.limit} ({self.count} are spent). "
                f"Raise {as_written('max_queries', 'N', python='N')} or use fewer examples."
            )
        self.count += examples

    @property
    def left(self) -> int | None:
        """Queries that are left, or None if there is no limit."""
        return None if self.limit is None else self.limit - self.count


@dataclass(frozen=True, kw_only=True)
class Target:
    """A network under examination.

    Calling it with a batch in `bounds` gives logits ``(examples, classes)``; each call is counted. Normalisation belongs in
    `preprocess`, so that attack sizes are in units of the input. A network that computes in place does not reach the caller's
    batch (:func:`answer`).

    Parameters
    ----------
    model : ``nn.Module`` or any callable from a batch ``(N, ...)`` to ``(N, classes)``
    bounds : smallest and largest value that an input may have
    access : what the simulated adversary or deployer has
    outputs : what `model` returns; ``"probabilities"`` are turned into logits by their logarithm
    preprocess : callable applied to the batch before `model`, e.g. a normalisation
    samples : passes for one answer, for networks that answer at random: the answer is the logarithm of the mean of their
        probabilities, its gradient that of this mean (expectation over transformation), and it counts as so many queries
    name : for tables
    queries : the counter

    Examples
    --------
    >>> import torch
    >>> target = Target(model=torch.nn.Linear(4, 3))
    >>> target(torch.rand(2, 4)).shape
    torch.Size([2, 3])
    >>> target.queries.count
    2
    """

    model: Callable[[Any], Any]
    bounds: tuple[float, float] = (0.0, 1.0)
    access: Access = "weights"
    outputs: Outputs = "logits"
    preprocess: Callable[[Any], Any] | None = None
    samples: int = 1
    name: str = "network"
    queries: QueryCounter = field(default_factory=QueryCounter, compare=False)

    def __post_init__(self) -> None:
        check_one_of(self.access, "access", allowed=ACCESS_LEVELS)
        check_one_of(self.outputs, "outputs", allowed=("logits", "probabilities"))
        if not self.bounds[0] < self.bounds[1]:
            refuse("bounds", f"is {self.bounds}", allowed="(low, high) with low < high")
        check_whole(self.samples, "samples", low=1)
        if not callable(self.model):
            refuse("model", f"is a {type(self.model).__name__}", allowed="an nn.Module or a callable from batch to logits")

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits ``(N, classes)`` of the batch `x` ``(N, ...)``; differentiable where the model is."""
        if self.samples > 1:
            return mean_of_passes(self.passes(x))
        self.queries.spend(len(x))
        return self._once(x)

    def passes(self, x: torch.Tensor) -> torch.Tensor:
        """Logits ``(samples, N, classes)`` of the passes that make up the answer to `x`."""
        import torch

        self.queries.spend(self.samples * len(x))
        return torch.stack([self._once(x) for _ in range(self.samples)])

    @property
    def answers_left(self) -> int | None:
        """Examples that may still be asked about, or None if there is no limit."""
        return None if self.queries.left is None else self.queries.left // self.samples

    def _once(self, x: torch.Tensor) -> torch.Tensor:
        found = answer(self._whole, x)
        return _log(found) if self.outputs == "probabilities" else found

    def _whole(self, x: torch.Tensor) -> Any:
        return self.model(x if self.preprocess is None else self.preprocess(x))

    def labels(self, x: torch.Tensor) -> torch.Tensor:
        """The predicted class ``(N,)`` of each row of `x`, see :func:`predicted_classes`."""
        return predicted_classes(self(x))

    def allows(self, needed: Access) -> bool:
        """True if `needed` is within the access level."""
        return ACCESS_LEVELS.index(needed) <= ACCESS_LEVELS.index(self.access)

    def carrying(self, model: Callable[[Any], Any]) -> Target:
        """The same target around another network (a perturbed copy, say), sharing the query counter."""
        return replace(self, model=model)

    @property
    def module(self) -> torch.nn.Module:
        """The network as a module; refused below access ``"weights"`` and for plain callables."""
        import torch

        if not self.allows("weights"):
            refuse("access", f"is {self.access!r}", allowed="'weights' for work on the network itself")
        if not isinstance(self.model, torch.nn.Module):
            refuse("model", f"is a {type(self.model).__name__}", allowed="an nn.Module for work on its weights")
        return self.model


def answer(model: Callable[[Any], Any], x: torch.Tensor) -> Any:
    """What `model` answers to the batch `x` (N, ...), a tensor or an array; neither can reach the memory of the other.

    A network may change its input in place, or give back a buffer that its next call overwrites. It is handed a copy, and so is the
    caller; gradients pass through both.

    Examples
    --------
    >>> import torch
    >>> x = torch.ones(1, 2)
    >>> answer(lambda x: x.mul_(3), x).tolist(), x.tolist()
    ([[3.0, 3.0]], [[1.0, 1.0]])
    """
    import torch

    found = model(_copy(x))
    inference = isinstance(found, torch.Tensor) and found.is_inference()
    with torch.inference_mode() if inference else nullcontext():  # what was computed there stays recognisable
        return _copy(found)


def _copy(values: Any) -> Any:
    import torch

    return values.clone() if isinstance(values, torch.Tensor) else values.copy() if isinstance(values, np.ndarray) else values


def mean_of_passes(logits: torch.Tensor) -> torch.Tensor:
    """The logarithm ``(N, classes)`` of the mean probabilities of several passes ``(samples, N, classes)``; a single one as it is.

    Examples
    --------
    >>> import torch
    >>> mean_of_passes(torch.tensor([[[0.9, 0.1]], [[0.5, 0.5]]]).log()).exp()
    tensor([[0.7000, 0.3000]])
    """
    if logits.ndim != 3 or not logits.is_floating_point():
        refuse("passes", f"have shape {tuple(logits.shape)}", allowed="(samples, examples, classes) of scores")
    return logits[0] if len(logits) == 1 else logits.log_softmax(-1).logsumexp(0) - math.log(len(logits))


def predicted_classes(scores: torch.Tensor) -> torch.Tensor:
    """The class ``(...,)`` with the largest of the `scores` ``(..., classes)``; -1 where an answer holds NaN or infinity.

    No label equals -1, so an answer that is not finite is never right. (The largest of several NaN would be the first class.)

    Examples
    --------
    >>> import torch
    >>> predicted_classes(torch.tensor([[0.0, 1.0], [torch.nan, 1.0]])).tolist()
    [1, -1]
    """
    if scores.ndim < 2:
        refuse("scores", f"has shape {tuple(scores.shape)}", allowed="(..., examples, classes)")
    return scores.argmax(-1).masked_fill(~scores.isfinite().all(-1), -1)


def _log(probabilities: torch.Tensor) -> torch.Tensor:
    """The logarithm, finite at zero in every precision."""
    import torch

    return probabilities.clamp_min(torch.finfo(probabilities.dtype).tiny).log()


def as_target(model: Target | Callable[[Any], Any], *, bounds: tuple[float, float] | None = None) -> Target:
    """`model` as a :class:`Target`; a target's own bounds must agree with `bounds`."""
    if not isinstance(model, Target):
        return Target(model=model, bounds=bounds or (0.0, 1.0))
    if bounds is not None and tuple(bounds) != tuple(model.bounds):
        refuse(
            "bounds",
            f"is {tuple(bounds)}",
            allowed=f"the target's own bounds {tuple(model.bounds)}",
            remedy="Leave `bounds` out, or declare the target with Target(bounds=...).",
        )
    return model
