"""What a trained network answers: logits, accuracy with its interval, and batch-normalisation statistics for new data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from holdfast.core.checks import check_labels, check_whole, refuse
from holdfast.core.estimate import Estimate, proportion
from holdfast.core.target import Target, answer, predicted_classes
from holdfast.nets.computed import copied
from holdfast.nets.functional import evaluating

if TYPE_CHECKING:
    from holdfast.data.examples import Examples

__all__ = ["Evaluation", "device_of", "evaluate", "predict", "restore_batchnorm"]


@dataclass(frozen=True)
class Evaluation:
    """A network's answers to labelled examples.

    Parameters
    ----------
    logits : tensor (n, classes)
    y : tensor (n,), the right classes
    """

    logits: torch.Tensor
    y: torch.Tensor

    @cached_property
    def correct(self) -> torch.Tensor:
        """Boolean tensor (n,): the largest logit is at the right class; an answer with NaN or infinity is never right."""
        return predicted_classes(self.logits) == self.y

    @cached_property
    def accuracy(self) -> Estimate:
        """Share of right answers with its Wilson interval."""
        return proportion(int(self.correct.sum()), len(self.y))

    @cached_property
    def loss(self) -> float:
        """Mean cross entropy in nat."""
        return float(nn.functional.cross_entropy(self.logits, self.y))


@torch.no_grad()
def predict(model: Any, x: torch.Tensor, *, batch_size: int = 1000) -> torch.Tensor:
    """Logits of `x` in evaluation mode, without gradients; the network's train flags are left as they were.

    Parameters
    ----------
    model : module, :class:`~holdfast.core.target.Target` or callable from a batch to logits
    x : tensor (n, ...), n >= 1; batches are moved to the network's device
    batch_size : rows per forward pass

    Returns
    -------
    tensor (n, classes) on the device of `x`
    """
    check_whole(batch_size, "batch_size", low=1)
    if len(x) == 0:
        refuse("x", "is empty", allowed="at least one example")
    device = device_of(model, default=x.device)
    with evaluating(model):
        return torch.cat([answer(model, part.to(device)).to(x.device) for part in x.split(batch_size)])


def evaluate(model: Any, examples: Examples, *, batch_size: int = 1000) -> Evaluation:
    """The network's answers to `examples`, as by :func:`predict`.

    Examples
    --------
    >>> from holdfast.data import Examples
    >>> from holdfast.nets import mlp
    >>> answers = evaluate(mlp(4, classes=2), Examples(torch.rand(50, 4), torch.arange(50) % 2))
    >>> answers.accuracy.n
    50
    """
    logits = predict(model, examples.x, batch_size=batch_size)
    if len(logits) != len(examples):
        refuse("model", f"gives {len(logits)} answers to {len(examples)} examples", allowed="one row of logits per example")
    check_labels(examples.y, "y", classes=logits.shape[1])
    return Evaluation(logits, examples.y)


def device_of(model: Any, *, default: torch.device) -> torch.device:
    """Where the network of a target, or a module, lies; `default` for a plain callable and a network without weights."""
    network = model.model if isinstance(model, Target) else model
    parameter = next(network.parameters(), None) if isinstance(network, nn.Module) else None
    return default if parameter is None else parameter.device


@torch.no_grad()
def restore_batchnorm(model: nn.Module, x: torch.Tensor, *, batch_size: int = 128) -> nn.Module:
    """A copy of `model` whose batch-normalisation statistics are re-estimated on `x`; no labels, no weight changes.

    Running means and variances become the cumulative average over batches of equal size (to one row), so that each row counts the
    same; about 400 examples are enough. Everything else (dropout, say) stays in evaluation mode.

    Parameters
    ----------
    model : network, unchanged; without batch normalisation the copy is equal
    x : tensor (n, ...), n >= 2
    batch_size : rows per batch at most; a batch of a single row is left out, since it has no variance
    """
    check_whole(batch_size, "batch_size", low=2)
    if len(x) < 2:
        refuse("x", f"has {len(x)} rows", allowed="at least 2, since a variance is estimated")
    twin = copied(model).eval()
    layers = [module for module in twin.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]  # noqa: SLF001 - 1d, 2d, 3d at once
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # torch's name for the cumulative average
        layer.train()
    device = device_of(twin, default=x.device)
    for part in x.tensor_split(math.ceil(len(x) / batch_size)):
        if len(part) > 1:
            answer(twin, part.to(device))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    for mine, theirs in zip(twin.modules(), model.modules(), strict=True):
        mine.training = theirs.training
    return twin
