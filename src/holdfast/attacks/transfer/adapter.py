"""Between networks that take images of different sizes or channels stands a function of the user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from holdfast.core.checks import refuse
from holdfast.core.errors import InputError
from holdfast.core.target import Target

__all__ = ["Adapted", "Adapter"]

Adapter = Callable[[torch.Tensor], torch.Tensor]


class Adapted(nn.Module):
    """A network behind an adapter; inputs that it does not take are refused with the remedy.

    Parameters
    ----------
    model : module, target or callable
    adapter : from the other network's inputs to those of `model`, differentiable where gradients are wanted; None: as they are

    Raises
    ------
    InputError : when called with inputs for which `model` fails

    Examples
    --------
    >>> half = Adapted(torch.nn.Linear(2, 3), lambda x: x[:, :2])
    >>> half(torch.rand(5, 4)).shape
    torch.Size([5, 3])
    """

    def __init__(self, model: Any, adapter: Adapter | None = None) -> None:
        super().__init__()
        self.answer, self.adapter = model, adapter
        self.network = model.model if isinstance(model, Target) and isinstance(model.model, nn.Module) else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the network answers to the adapted batch `x` (N, ...)."""
        try:
            return self.answer(x if self.adapter is None else self.adapter(x))
        except (RuntimeError, ValueError) as problem:
            if isinstance(problem, InputError | torch.OutOfMemoryError):
                raise
            refuse(
                "x",
                f"has rows of shape {tuple(x.shape[1:])}, which the network does not take ({str(problem).splitlines()[0]})",
                allowed="inputs of its own size and channels",
                remedy="Pass adapter=, a callable that resizes or converts them.",
            )
