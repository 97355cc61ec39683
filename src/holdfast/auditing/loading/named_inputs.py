"""A network whose input has several parts with names, as token ids and their mask, asked with all of them in one tensor."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from torch import nn

from holdfast.auditing.loading.adapt import AdaptedNetwork, CallableNetwork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

__all__ = ["NamedInputs", "by_name"]


class NamedInputs(nn.Module):
    """A network that is handed the parts of its input one by one: the first, and by their names those others that it takes.

    Parameters
    ----------
    model : the user's network or function
    names : of the parts, in the order in which they are stacked

    Examples
    --------
    >>> import torch
    >>> def count(input_ids, attention_mask):
    ...     return (input_ids * attention_mask).sum(1)
    >>> NamedInputs(count, ("input_ids", "attention_mask"))(torch.tensor([[[5, 7], [1, 0]]]))
    tensor([5])
    """

    def __init__(self, model: Callable[..., Any], names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, tuple(names)
        self.taken = _taken(model, self.names)

    def extra_repr(self) -> str:
        """Names of the parts that the network takes, and the address of a plain function."""
        address = "" if isinstance(self.model, nn.Module) else f"{_kind(self.model).__module__}.{_kind(self.model).__qualname__}, "
        return f"{address}names={self.taken}"

    def forward(self, x: torch.Tensor) -> Any:
        """What the network answers to the batch `x` (N, parts, ...)."""
        parts = dict(zip(self.names, x.unbind(1), strict=True))
        first = self.names[0]
        named = {name: parts[name] for name in self.taken if name != first}
        return self.model(parts[first], **named)


def _kind(function: Callable[..., Any]) -> Any:
    return function if hasattr(function, "__qualname__") else type(function)


def _taken(model: Callable[..., Any], names: tuple[str, ...]) -> tuple[str, ...]:
    """The first of `names`, and those that `model` has a parameter for."""
    try:
        parameters = inspect.signature(model.forward if isinstance(model, nn.Module) else model).parameters
    except (TypeError, ValueError):  # built in, or compiled
        return names[:1]
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return names[:1] + tuple(name for name in names[1:] if takes_all or name in parameters)


def by_name(model: nn.Module, names: Sequence[str]) -> tuple[nn.Module, tuple[str, ...]]:
    """`model` for inputs in which the parts `names` are stacked, and those that it takes; its adapter stays outermost."""
    if isinstance(model, AdaptedNetwork):
        inner, taken = by_name(model.model, names)
        return AdaptedNetwork(inner, dtype=model.dtype, output_key=model.output_key, binary=model.binary).eval(), taken
    if isinstance(model, CallableNetwork):
        parts = NamedInputs(model.function, names)
        wrapped = CallableNetwork(parts, output_key=model.output_key, differentiable=model.differentiable)
        return wrapped.eval(), parts.taken
    parts = NamedInputs(model, names)
    return parts.eval(), parts.taken
