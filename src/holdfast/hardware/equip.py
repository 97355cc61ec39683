"""Any network, equipped with neurons made of devices: its activations are replaced in a copy, chip by chip if wanted."""

from __future__ import annotations

import warnings
from collections import Counter
from contextlib import contextmanager
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from holdfast.core.checks import refuse
from holdfast.core.seeds import Seeds
from holdfast.devices.neuron import CharacteristicCurves
from holdfast.hardware.activations import DeviceActivation, Kind, ParametricActivation
from holdfast.hardware.curves import CurveActivation
from holdfast.hardware.placed import DeviceFunctions, PlacedDevices
from holdfast.hardware.sites import ELEMENTWISE, find_sites, fused_neurons
from holdfast.nets import Position, copied

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from holdfast.hardware.sites import Site

__all__ = ["ELEMENTWISE", "chip", "device_layers", "fresh_devices", "hardware_activations", "redraw_devices", "with_modules"]

SWAPPED = (nn.Sigmoid, nn.ReLU)
NAMED = 6  # classes that a refusal names


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
    """A copy of `model` in which every activation is a layer of devices.

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
    modules : what to swap, as modules and as functions; default: ``nn.Sigmoid`` and ``nn.ReLU``, for ``"own"`` every elementwise
        activation of torch, and modules of your own classes that change each number by itself. After convolutions (4 or 5
        dimensions) one device serves a channel, otherwise one device serves an entry of the last axis
    read_out : `noise_std`, `faults`, `bits` and `full_scale` of all layers, as in
        :class:`~holdfast.hardware.DeviceActivation`; with ``"own"`` the natural scale of a layer is
        what its activations span on `x`

    Returns
    -------
    module; of the class of `model` unless functions are replaced, then a module around it. A module without weights that is called
    behind two layers stands at two places, and has its own devices at each; a layer that is called again is the same hardware at
    another time, and so are the devices behind it

    Raises
    ------
    InputError : no such activation is found, or one has two widths at one place

    Warns
    -----
    UserWarning : gates of recurrent layers run inside one operation; they cannot be replaced and stay ideal

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
    sites = find_sites(twin, batch, kinds, own_classes=kinds is ELEMENTWISE)
    if not sites.modules and not sites.functions:
        _refuse_nothing_found(kinds, sites.called)
    if fused := fused_neurons(twin):
        warnings.warn(
            f"gates inside {', '.join(fused)} run in one operation: they cannot be replaced and stay ideal.", stacklevel=2
        )
    make = partial(_layer, _read(kind), own=own, spread=spread, seed=seed, read_out=read_out)
    position = Position()
    swapped: dict[int, nn.Module] = {}
    for name, places in sites.modules.items():
        module = twin.get_submodule(name)
        if len(places) == 1:
            swapped[id(module)] = make(module, name, next(iter(places.values())))
        else:
            rows = {place: make(module, place, site) for place, site in places.items()}
            swapped[id(module)] = PlacedDevices(name, rows, position)
    twin = with_modules(twin, swapped)
    if any(isinstance(module, PlacedDevices) for module in swapped.values()):
        position.follow(twin)
    if sites.functions:
        rows = {place: make(nn.Identity(), place, site) for place, site in sites.functions.items()}
        twin = DeviceFunctions(twin, sites.handed_over, rows, own=own)
    return twin.to(batch.device)


def _layer(
    devices: Kind | CharacteristicCurves,
    activation: nn.Module,
    name: str,
    site: Site,
    *,
    own: bool,
    spread: float,
    seed: int,
    read_out: Mapping[str, Any],
) -> DeviceActivation:
    """The devices for one place; other chips draw them from the stream `name`."""
    stream = Seeds(seed).integer("devices", name)
    if isinstance(devices, CharacteristicCurves):
        if spread:
            refuse("spread", f"is {spread:g} for curves, which differ already", allowed="0 with curves")
        layer: DeviceActivation = CurveActivation(devices, site.units, seed=stream, dim=site.dim, **read_out)
    else:
        extra: dict[str, Any] = {"scales": (_positive(site.drive_scale, name), site.output_scale)} if own else {}
        if own and site.ends[1] > site.ends[0]:
            extra["full_scale"] = site.ends
        settings = {"spread": spread, "seed": stream, "dim": site.dim, **extra, **read_out}
        layer = ParametricActivation(activation if own else devices, site.units, **settings)
    layer.stream = name
    return layer


def _read(kind: Kind | CharacteristicCurves | PathLike[str]) -> Kind | CharacteristicCurves:
    """The kind itself, or the curves of the file that it names."""
    if isinstance(kind, PathLike) or (isinstance(kind, str) and kind.lower().endswith(".csv")):
        return CharacteristicCurves.from_csv(kind)
    return kind


def _refuse_nothing_found(kinds: tuple[type[nn.Module], ...], called: tuple[str, ...]) -> None:
    what = "modules such as nn.ReLU, functions such as F.relu, and classes of your own that change each number by itself"
    if kinds is not ELEMENTWISE:
        what = ", ".join(f"nn.{kind.__name__}" for kind in kinds) + " and the functions of the same name"
    refuse(
        "model",
        f"calls no activation module or function that devices can replace ({what}), but {', '.join(called[:NAMED]) or 'nothing'}",
        allowed="networks with at least one",
        remedy="Name other classes by `modules`.",
    )


def _positive(scale: float, name: str) -> float:
    if not scale > 0:
        refuse("x", f"gives the layer {name!r} pre-activations that are all equal", allowed="a batch of real examples")
    return scale


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
