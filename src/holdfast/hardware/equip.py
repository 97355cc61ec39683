"""Any network, equipped with neurons made of devices: its activation modules are swapped in a copy, chip by chip if wanted."""

from __future__ import annotations

import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from holdfast.core.checks import refuse
from holdfast.core.seeds import Seeds
from holdfast.core.target import answer
from holdfast.devices.neuron import CharacteristicCurves
from holdfast.hardware.activations import DeviceActivation, Kind, ParametricActivation
from holdfast.hardware.curves import CurveActivation
from holdfast.nets.computed import copied
from holdfast.nets.hooks import unit_counts

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ELEMENTWISE", "chip", "device_layers", "fresh_devices", "hardware_activations", "redraw_devices", "with_modules"]

SWAPPED = (nn.Sigmoid, nn.ReLU)
ELEMENTWISE = (
    *(nn.Sigmoid, nn.ReLU, nn.Tanh, nn.GELU, nn.SiLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.CELU, nn.SELU, nn.Mish, nn.Softplus),
    *(nn.Softsign, nn.Tanhshrink, nn.LogSigmoid, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish),
)
FUNCTIONAL: set[Any] = {
    getattr(owner, name)
    for owner in (nn.functional, torch, torch.Tensor)
    for name in (
        *("relu", "relu_", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus", "hardtanh", "hardswish"),
        *("sigmoid", "tanh"),
    )
    if hasattr(owner, name)
}


@dataclass(frozen=True)
class _Site:
    """Where an activation stands: its unit axis, the typical size of what goes in and comes out, and the ends of the latter."""

    dim: int
    drive_scale: float
    output_scale: float
    ends: tuple[float, float]


class _DryRun(TorchFunctionMode):
    """One pass that measures the activation modules and counts activation functions called outside of them."""

    def __init__(self, model: nn.Module, kinds: tuple[type[nn.Module], ...]) -> None:
        super().__init__()
        self.sites: dict[int, _Site] = {}
        self.unreached: list[str] = []
        self.inside = 0
        self.drive = 0.0
        self.handles = [
            handle
            for module in model.modules()
            if isinstance(module, kinds + ELEMENTWISE)
            for handle in (module.register_forward_pre_hook(self.enter), module.register_forward_hook(self.leave))
        ]

    def enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        del module
        self.drive = float(args[0].std(correction=0))
        self.inside += 1

    def leave(self, module: nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> None:
        del args
        self.inside -= 1
        ends = (float(output.min()), float(output.max()))
        site = _Site(1 if output.ndim >= 4 else -1, self.drive, float(output.std(correction=0)), ends)
        self.sites.setdefault(id(module), site)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not self.inside and func in FUNCTIONAL:
            self.unreached.append(func.__name__)
        return func(*args, **(kwargs or {}))


def hardware_activations(
    model: nn.Module,
    kind: Kind | CharacteristicCurves | PathLike[str],
    *,
    x: torch.Tensor | None = None,
    spread: float = 0.0,
    seed: int = 0,
    modules: tuple[type[nn.Module], ...] | None = None,
    **read_out: Any,
) -> nn.Module:
    """A copy of `model` in which every activation module is a layer of devices.

    Parameters
    ----------
    model : network, unchanged
    kind : ``"sigmoid"`` or ``"relu"`` device neurons, a nominal neuron, an ensemble or a summary of one, measured or simulated
        curves in the units of the network or the CSV file that they are in, or ``"own"``: each module keeps its nonlinearity, and
        its neurons get varying gain, steepness, threshold and offset. Thresholds then spread in units of the standard deviation of
        the layer's pre-activations, offsets in units of that of its activations, both measured on `x`
    x : one batch (N, ...) that the network accepts; needed to count units, unless the network begins with a linear layer, and
        real data for ``"own"``
    spread : relative standard deviation from neuron to neuron; curves carry their own
    seed : of the chip; each layer has its own stream, found by its name here, which the layer keeps wherever it is put later
    modules : what to swap; default: ``nn.Sigmoid`` and ``nn.ReLU``, for ``"own"`` every elementwise activation of torch. After
        convolutions (4 or 5 dimensions) one device serves a channel, otherwise one device serves an entry of the last axis
    read_out : `noise_std`, `faults`, `bits` and `full_scale` of all layers, as in
        :class:`~holdfast.hardware.DeviceActivation`; with ``"own"`` the natural scale of a layer is
        what its activations span on `x`

    Raises
    ------
    InputError : no such module is found, or one is used at two widths

    Warns
    -----
    UserWarning : activation *functions* (``F.relu``) are called outside modules; they cannot be swapped and stay ideal

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> hardware_activations(net, "relu", spread=0.1)
    Sequential(
      (0): Linear(in_features=4, out_features=8, bias=True)
      (1): ParametricActivation(8, dim=-1, seed=..., spread=0.1)
      (2): Linear(in_features=8, out_features=2, bias=True)
    )
    """
    own = isinstance(kind, str) and kind == "own"
    kinds = modules or (ELEMENTWISE if own else SWAPPED)
    twin = copied(model)
    batch = _example_input(twin, needed=own) if x is None else x
    counts = unit_counts(twin, batch, kinds)
    sites = _measure(twin, batch, kinds)
    owned = {id(part) for layer in device_layers(twin).values() for part in layer.modules()}
    swapped: dict[int, nn.Module] = {}
    devices = _read(kind)
    for name, module in twin.named_modules():
        if name in counts and id(module) not in owned:
            site, stream = sites[id(module)], Seeds(seed).integer("devices", name)
            if isinstance(devices, CharacteristicCurves):
                if spread:
                    refuse("spread", f"is {spread:g} for curves, which differ already", allowed="0 with curves")
                layer: DeviceActivation = CurveActivation(devices, counts[name], seed=stream, dim=site.dim, **read_out)
            else:
                extra: dict[str, Any] = {"scales": (_positive(site.drive_scale, name), site.output_scale)} if own else {}
                if own and site.ends[1] > site.ends[0]:
                    extra["full_scale"] = site.ends
                layer = ParametricActivation(
                    module if own else devices, counts[name], spread=spread, seed=stream, dim=site.dim, **extra | read_out
                )
            layer.stream = name
            swapped[id(module)] = layer
    if not swapped:
        _refuse_nothing_found(kinds)
    return with_modules(twin, swapped).to(batch.device)


def _read(kind: Kind | CharacteristicCurves | PathLike[str]) -> Kind | CharacteristicCurves:
    """The kind itself, or the curves of the file that it names."""
    if isinstance(kind, PathLike) or (isinstance(kind, str) and kind.lower().endswith(".csv")):
        return CharacteristicCurves.from_csv(kind)
    return kind


def _refuse_nothing_found(kinds: tuple[type[nn.Module], ...]) -> None:
    refuse(
        "model",
        "calls no activation module that could be swapped",
        allowed="a network that uses " + ", ".join(f"nn.{kind.__name__}" for kind in kinds),
        remedy="Functions such as F.relu cannot be reached: use the module nn.ReLU() in their place, or name `modules`.",
    )


def _positive(scale: float, name: str) -> float:
    if not scale > 0:
        refuse("x", f"gives the layer {name!r} pre-activations that are all equal", allowed="a batch of real examples")
    return scale


def _measure(model: nn.Module, x: torch.Tensor, kinds: tuple[type[nn.Module], ...]) -> dict[int, _Site]:
    dry = _DryRun(model, kinds)
    training = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.no_grad(), dry:
            answer(model, x)
    finally:
        for handle in dry.handles:
            handle.remove()
        for module, flag in training:
            module.training = flag
    if dry.unreached:
        warnings.warn(
            f"{len(dry.unreached)} calls of activation functions ({', '.join(sorted(set(dry.unreached)))}) lie outside modules: "
            "they cannot be swapped and stay ideal. Use modules such as nn.ReLU() in the network's forward pass.",
            stacklevel=3,
        )
    return dry.sites


def _example_input(model: nn.Module, *, needed: bool) -> torch.Tensor:
    """A row of zeros for a network that begins with a linear layer."""
    first = next((module for module in model.modules() if next(module.parameters(recurse=False), None) is not None), None)
    if needed or not isinstance(first, nn.Linear):
        refuse("x", "is missing", allowed="one batch that the network accepts", remedy="Pass a few real examples as `x`.")
    return torch.zeros(2, first.in_features, device=first.weight.device, dtype=first.weight.dtype)


def with_modules(model: nn.Module, swapped: dict[int, nn.Module]) -> nn.Module:
    """`model` with modules replaced wherever they stand, shared ones everywhere."""
    if id(model) in swapped:
        return swapped[id(model)]
    for path, module in list(model.named_modules(remove_duplicate=False)):
        if id(module) in swapped:
            above, _, name = path.rpartition(".")
            setattr(model.get_submodule(above), name, swapped[id(module)])
    return model


def device_layers(model: nn.Module, *, required: bool = False) -> dict[str, DeviceActivation]:
    """The layers of `model` that are made of devices, by name; with `required`, a network without any is refused."""
    layers = {name: module for name, module in model.named_modules() if isinstance(module, DeviceActivation)}
    if required and not layers:
        refuse("model", "has no layer of devices", allowed="networks from hardware_activations or with a DeviceActivation")
    return layers


def chip(model: nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """The tensors, by state-dict name, that `model` would have on the chip `seed`; the model stays as it is."""
    layers = device_layers(model, required=True)
    return {
        f"{name}.{part}" if name else part: values
        for name, own in device_seeds(model, seed).items()
        for part, values in layers[name].draw(own).items()
    }


def device_seeds(model: nn.Module, seed: int) -> dict[str, int]:
    """The seed of each layer of devices, by its place, on the chip `seed`: from its stream, or its place where it has none.

    Streams make the chip the same for a network, its trimmed copy and its copy inside a wrapper. Where several layers have one
    stream (two copies of a network side by side), their places distinguish them.
    """
    layers = device_layers(model, required=True)
    streams = {place: place if layer.stream is None else layer.stream for place, layer in layers.items()}
    taken = Counter(streams.values())
    return {place: Seeds(seed).integer("devices", stream if taken[stream] == 1 else place) for place, stream in streams.items()}


@contextmanager
def redraw_devices(model: nn.Module, *, seed: int) -> Iterator[nn.Module]:
    """Inside the block `model` runs on the chip `seed`; afterwards its own devices are back bit for bit, and their noise goes on.

    Examples
    --------
    >>> net = hardware_activations(nn.Sequential(nn.Linear(4, 8), nn.Sigmoid()), "sigmoid", spread=0.1)
    >>> before = net(torch.ones(1, 4))
    >>> with redraw_devices(net, seed=1):
    ...     elsewhere = net(torch.ones(1, 4))
    >>> bool((elsewhere != before).any()), bool((net(torch.ones(1, 4)) == before).all())
    (True, True)
    """
    layers = device_layers(model, required=True)
    kept = [(tensor, tensor.detach().clone()) for layer in layers.values() for tensor in (*layer.buffers(), *layer.parameters())]
    counted = [(layer, layer.noise_calls) for layer in layers.values()]
    try:
        for name, own in device_seeds(model, seed).items():
            layers[name].redraw_(own)
        yield model
    finally:
        for layer, calls in counted:
            layer.noise_calls = calls
        with torch.no_grad():
            for tensor, values in kept:
                tensor.copy_(values)


def fresh_devices(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Variation-aware training: hand this to :func:`holdfast.nets.fit` as `on_batch`, and every batch meets another chip.

    The network that comes out is to be run on any chip without work on the single one.
    """
    for layer in device_layers(model, required=True).values():
        layer.redraw_(generator)
    return x, y
