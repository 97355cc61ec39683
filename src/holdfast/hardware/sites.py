"""Where the neurons of a network are: activation modules, activations of the user's own classes, and activation functions.

One pass over real examples finds them, place by place (:mod:`holdfast.nets.places`), with the size of what goes in and comes out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from holdfast.core.checks import refuse
from holdfast.core.seeds import Seeds
from holdfast.core.target import answer
from holdfast.hardware.activations import DeviceActivation
from holdfast.nets import Intercepted, evaluating, functions_named, has_weights, own_widths

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ELEMENTWISE", "Site", "Sites", "find_sites", "fused_neurons"]

ELEMENTWISE = (
    *(nn.Sigmoid, nn.ReLU, nn.Tanh, nn.GELU, nn.SiLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.CELU, nn.SELU, nn.Mish, nn.Softplus),
    *(nn.Softsign, nn.Tanhshrink, nn.LogSigmoid, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish),
)
FUNCTIONS = {kind: (kind.__name__.lower(), f"{kind.__name__.lower()}_") for kind in ELEMENTWISE} | {
    nn.LeakyReLU: ("leaky_relu", "leaky_relu_"),
    nn.Sigmoid: ("sigmoid", "sigmoid_", "expit"),
}
OWN_FUNCTIONS = ("prelu", "rrelu", "threshold", "threshold_", "hardshrink", "softshrink")
ROWS = 8  # examples that show whether a module acts on each number alone
STRETCH = 2.0  # by which their deviations are enlarged, so that both sides of a corner are seen


@dataclass(frozen=True)
class Site:
    """Where an activation stands.

    Parameters
    ----------
    dim : its unit axis
    units : number of units
    drive_scale, output_scale : standard deviations of what goes in and comes out
    ends : least and largest number that comes out
    """

    dim: int
    units: int
    drive_scale: float
    output_scale: float
    ends: tuple[float, float]

    @classmethod
    def of(cls, drive: torch.Tensor, output: torch.Tensor) -> Site:
        """The site at which `drive` became `output`."""
        dim = 1 if output.ndim >= 4 else -1
        ends = (float(output.min()), float(output.max()))
        return cls(dim, output.shape[dim], float(drive.std(correction=0)), float(output.std(correction=0)), ends)


@dataclass(frozen=True, kw_only=True)
class Sites:
    """All activations of a network that devices can replace.

    Parameters
    ----------
    modules : name of a module -> place -> site
    functions : place of a call -> site
    handed_over : the functions, with their names
    called : names of the classes of all modules that were called
    """

    modules: dict[str, dict[str, Site]] = field(default_factory=dict)
    functions: dict[str, Site] = field(default_factory=dict)
    handed_over: Mapping[Any, str] = field(default_factory=dict)
    called: tuple[str, ...] = ()


def _noted(sites: dict[str, Site], place: str, drive: torch.Tensor, output: torch.Tensor) -> None:
    """Add a site; the first call at a place sets its sizes."""
    site = Site.of(drive, output)
    before = sites.setdefault(place, site)
    if before.units != site.units:
        refuse(
            "model",
            f"has {before.units} and {site.units} units at one place, {place!r}",
            allowed="one width per place",
            remedy="Give each width its own module.",
        )


class _Survey(Intercepted):
    """One pass that measures activation modules and activation functions."""

    def __init__(self, model: nn.Module, neurons: Mapping[str, nn.Module], functions: Mapping[Any, str]) -> None:
        closed = {id(module) for module in neurons.values()}
        super().__init__(
            model, functions, closed=lambda module: id(module) in closed or isinstance(module, (DeviceActivation, *ELEMENTWISE))
        )
        self.found: dict[str, dict[str, Site]] = {}
        self.calls: dict[str, Site] = {}
        self.drive = torch.zeros(1)
        self.classes: dict[str, None] = {}
        for name, module in neurons.items():
            self.handles.append(module.register_forward_pre_hook(self._enter, prepend=True))
            self.handles.append(module.register_forward_hook(partial(self._leave, name)))
        self.handles += [module.register_forward_pre_hook(self._met) for module in model.modules() if not list(module.children())]

    def _met(self, module: nn.Module, *ignored: object) -> None:
        del ignored
        self.classes[type(module).__name__] = None

    def _enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        del module
        self.drive = args[0].detach().clone()  # which the activation may change

    def _leave(self, name: str, module: nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> None:
        del module, args
        _noted(self.found.setdefault(name, {}), self.position.place(name), self.drive, output)

    def call(self, place: str, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Make the call, and note what came of it."""
        drive = (args[0] if args else kwargs["input"]).detach().clone()
        output = function(*args, **kwargs)
        _noted(self.calls, place, drive, output)
        return output


def find_sites(model: nn.Module, x: torch.Tensor, kinds: tuple[type[nn.Module], ...], *, own_classes: bool) -> Sites:
    """The activations of the given kinds that `model` calls on the batch `x`, as modules and as functions.

    Parameters
    ----------
    model : a copy of our own, in evaluation mode during the pass
    x : batch (N, ...)
    kinds : classes of modules; with them come the functions of torch that do the same
    own_classes : also modules of other classes that change each number by itself, and not by an affine map
    """
    owned = {id(part) for layer in model.modules() if isinstance(layer, DeviceActivation) for part in layer.modules()}
    neurons = {name: module for name, module in model.named_modules() if isinstance(module, kinds) and id(module) not in owned}
    names = [name for kind in kinds for name in FUNCTIONS.get(kind, ())]
    functions = functions_named(*names, *(OWN_FUNCTIONS if own_classes else ()))
    with torch.no_grad(), evaluating(model):
        if own_classes:
            neurons |= _neurons_of_own_classes(model, x[:ROWS], owned)
        survey = _Survey(model, neurons, functions)
        try:
            answer(survey, x)
        finally:
            survey.release()
    return Sites(modules=survey.found, functions=survey.calls, handed_over=functions, called=tuple(survey.classes))


def _neurons_of_own_classes(model: nn.Module, x: torch.Tensor, owned: set[int]) -> dict[str, nn.Module]:
    """Modules that change each number by itself behind a layer, though they are of no class of torch; the outermost ones."""
    rounding = [f"{name}." for name in (*own_widths(model).activations, *own_widths(model).weights)]
    seen: dict[str, torch.Tensor] = {}
    layers: list[int] = []

    def look(name: str, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        del module
        u = args[0] if len(args) == 1 else None
        same = isinstance(u, torch.Tensor) and isinstance(output, torch.Tensor) and u.shape == output.shape
        if same and layers and u is not None and u.is_floating_point() and output.is_floating_point():
            seen.setdefault(name, u.detach().clone())

    candidates = {
        name: module
        for name, module in model.named_modules()
        if name and id(module) not in owned and _may_be_neuron(module) and not f"{name}.".startswith(tuple(rounding))
    }
    handles = [module.register_forward_hook(lambda *_: layers.append(1)) for module in model.modules() if has_weights(module)]
    handles += [module.register_forward_hook(partial(look, name)) for name, module in candidates.items()]
    try:
        answer(model, x)
    finally:
        for handle in handles:
            handle.remove()
    found: dict[str, nn.Module] = {}
    for name, u in sorted(seen.items()):  # a module comes before those inside
        if not name.startswith(tuple(f"{above}." for above in found)) and _acts_on_each_number(candidates[name], u):
            found[name] = candidates[name]
    return found


def _may_be_neuron(module: nn.Module) -> bool:
    """False for modules that hold layers, matrices, activations of torch or devices."""
    parts = list(module.modules())
    closed = (*ELEMENTWISE, DeviceActivation)
    if any(isinstance(part, closed) or has_weights(part) for part in parts) or hasattr(module, "fake_quant_enabled"):
        return False
    return all(parameter.ndim < 2 for parameter in module.parameters())


def _acts_on_each_number(module: Callable[[torch.Tensor], torch.Tensor], u: torch.Tensor) -> bool:
    """True if each number of the output hangs on the same number of the input alone, and not by an affine map."""
    one = STRETCH * (u - u.mean()) + u.mean()
    other = one.roll(1, 0) if len(u) > 1 else one.flip(-1)
    mask = torch.rand(u.shape, generator=Seeds(0).torch("mask")).to(u.device) < 0.5
    try:
        made = [module(values.clone()).float() for values in (one, other, torch.where(mask, one, other), (one + other) / 2)]
    except Exception:  # noqa: BLE001 (a module of the user's may refuse these inputs in any way)
        return False
    first, second, mixed, middle = made
    size = float(first.abs().max()) or 1.0
    alone = torch.allclose(mixed, torch.where(mask, first, second), rtol=0, atol=1e-5 * size)
    return alone and not torch.allclose(middle, (first + second) / 2, rtol=0, atol=1e-3 * size)


def fused_neurons(model: nn.Module) -> tuple[str, ...]:
    """Names of the recurrent layers of torch in `model`, whose gates run inside one operation and cannot be replaced.

    Examples
    --------
    >>> fused_neurons(nn.Sequential(nn.LSTM(4, 3)))
    ('0',)
    """
    fused = (nn.RNNBase, nn.RNNCellBase)
    return tuple(
        name for name, module in model.named_modules() if isinstance(module, fused) or hasattr(module, "_all_weight_values")
    )
