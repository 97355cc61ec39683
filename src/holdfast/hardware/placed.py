"""Devices at the places of a network: one row for each place of a module, and rows that answer calls of functions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from torch import nn

from holdfast.core.checks import refuse
from holdfast.hardware.activations import DeviceActivation
from holdfast.nets import Intercepted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from holdfast.nets import Position

__all__ = ["DeviceFunctions", "PlacedDevices"]


def _rows(layers: Mapping[str, DeviceActivation]) -> nn.ModuleDict:
    """Layers by place; names of modules hold no dots."""
    return nn.ModuleDict({place.replace(".", "/"): layer for place, layer in layers.items()})


def _row(rows: nn.ModuleDict, place: str) -> nn.Module:
    key = place.replace(".", "/")
    if key not in rows:
        refuse(
            "x",
            f"leads to the place {place!r}, where the examples of hardware_activations never came",
            allowed="batches on the way of those examples",
            remedy="Pass examples that go through every branch of the network.",
        )
    return rows[key]


class PlacedDevices(nn.Module):
    """An activation module that a network calls at several places: each place is other hardware, with its own row of devices.

    Parameters
    ----------
    name : of the module
    layers : place -> devices
    position : of the pass through the network, which :meth:`follow` ties to it
    """

    def __init__(self, name: str, layers: Mapping[str, DeviceActivation], position: Position) -> None:
        super().__init__()
        self.name, self.layers, self.position = name, _rows(layers), position

    def forward(self, u: torch.Tensor) -> Any:
        """Outputs of the neurons at the place where the pass is, at the pre-activations `u`."""
        return _row(self.layers, self.position.place(self.name))(u)


class DeviceFunctions(Intercepted):
    """A network whose activation functions are answered by devices.

    Parameters
    ----------
    model : network, which gets hooks
    functions : activation functions, with their names
    layers : place -> devices
    own : the devices keep the nonlinearity of the function
    """

    def __init__(
        self, model: nn.Module, functions: Mapping[Any, str], layers: Mapping[str, DeviceActivation], *, own: bool
    ) -> None:
        super().__init__(model, functions, closed=lambda module: isinstance(module, DeviceActivation))
        self.layers, self.own = _rows(layers), own

    def call(self, place: str, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Outputs of the devices at a place, in place where the function computes in place."""
        more = dict(kwargs)
        u, *rest = args or (more.pop("input"),)
        layer, shape = _row(self.layers, place), [partial(_called, function, rest, more)] if self.own else []
        in_place = function.__name__.endswith("_") or more.get("inplace") or any(value is True for value in rest)
        return u.copy_(layer(u.clone(), *shape)) if in_place else layer(u, *shape)


def _called(function: Any, rest: list[Any], more: Mapping[str, Any], u: torch.Tensor) -> Any:
    return function(u, *rest, **more)
