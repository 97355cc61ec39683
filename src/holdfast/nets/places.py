"""Places in a network: where in a pass a module or a function is called, and networks whose function calls go elsewhere.

A place is named by the layer with weights that was called last. A layer that a pass calls again is the same piece of hardware at
another time, and so is what stands behind it. A module without weights that follows two layers stands at two places.

Functions are reached by a :class:`torch.overrides.TorchFunctionMode`, not by ``torch.fx``: it needs no network without branches,
and works inside ``vmap``. Code in TorchScript and operations that are fused into one (the gates of ``nn.LSTM``) stay closed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Intercepted", "Position", "functions_named", "has_weights"]

WEIGHTED = (
    *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
    *(nn.RNNBase, nn.RNNCellBase, nn.Embedding, nn.EmbeddingBag),
)
OWNERS = (nn.functional, torch, torch.Tensor, torch.special)


def functions_named(*names: str) -> dict[Any, str]:
    """All functions and methods of torch with one of these names, with their name."""
    return {getattr(owner, name): name for name in names for owner in OWNERS if hasattr(owner, name)}


def has_weights(module: nn.Module) -> bool:
    """True for a layer that multiplies what flows in by its weights, packed ones included."""
    return isinstance(module, WEIGHTED) or type(module).__module__.startswith("torch.ao.nn.quantized.dynamic")


class Position:
    """Where a pass is: behind which layer, and which calls there were since. One object is shared by the modules of a network."""

    def __init__(self) -> None:
        self.begin()

    def begin(self, *ignored: object) -> None:
        """A new pass begins; also a hook before the forward pass of the network."""
        del ignored
        self.layer = ""
        self.inside = 0
        self.calls: dict[str, int] = {}

    def entered(self, *ignored: object) -> None:
        """A hook before the forward pass of a module inside which nothing is a place."""
        del ignored
        self.inside += 1

    def left(self, layer: str, *ignored: object) -> None:
        """A hook behind it; `layer` is its name if it has weights, otherwise empty."""
        del ignored
        self.inside -= 1
        if layer:
            self.layer, self.calls = layer, {}

    def place(self, what: str) -> str:
        """The name of the place at which `what` is called now, e.g. ``"relu after fc1"``."""
        self.calls[what] = self.calls.get(what, 0) + 1
        number = f" ({self.calls[what]})" if self.calls[what] > 1 else ""
        return f"{what} after {self.layer}{number}" if self.layer else f"{what}{number}"

    def follow(self, model: nn.Module, *, closed: Callable[[nn.Module], bool] = has_weights) -> list[Any]:
        """Follow every pass of `model`; nothing inside its layers and its `closed` modules is a place. Gives the hooks' handles."""
        handles: list[Any] = []
        for name, module in model.named_modules():
            if has_weights(module) or closed(module):
                handles.append(module.register_forward_pre_hook(self.entered, prepend=True))
                handles.append(module.register_forward_hook(partial(self.left, name if has_weights(module) else "")))
        handles.append(model.register_forward_pre_hook(self.begin, prepend=True))
        return handles


class _Interception(TorchFunctionMode):
    """Hands calls of some functions outside closed modules to the network that carries them."""

    def __init__(self, net: Intercepted) -> None:
        super().__init__()
        self.net = net

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        name = self.net.functions.get(func)
        if name is None or self.net.position.inside:
            return self.net.other(func, args, named)
        return self.net.call(self.net.position.place(name), func, args, named)


class Intercepted(nn.Module):
    """A network in which this module answers the calls of some functions.

    Parameters
    ----------
    model : network, which gets hooks
    functions : function -> name, e.g. from :func:`functions_named`
    closed : true for modules inside which no call is handed over, beside layers with weights
    """

    def __init__(
        self, model: nn.Module, functions: Mapping[Any, str], *, closed: Callable[[nn.Module], bool] = has_weights
    ) -> None:
        super().__init__()
        self.model = model
        self.functions = dict(functions)
        self.position = Position()
        self.handles = self.position.follow(model, closed=closed)
        self.training = model.training

    def call(self, place: str, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The answer to a call of one of the functions at `place`."""
        raise NotImplementedError

    def other(self, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The answer to any other call."""
        return function(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the network answers."""
        with _Interception(self):
            return self.model(*args, **kwargs)

    def release(self) -> nn.Module:
        """The network without the hooks of this module."""
        for handle in self.handles:
            handle.remove()
        return self.model
