r"""Networks that were trained with one activation and get neurons with another curve: the devices imitate it as well as they can.

Each layer has one interface, the same for all its devices: a gain and an offset before, a gain and an offset after,

.. math:: a(u) \approx A\, f\big(g u + o\big) + B.

They are chosen by least squares between the layer's own activation `a` and the *nominal* device `f`, over the pre-activations that
real examples make, plus what `A` makes of the variance of the ensemble and of a read error of 0.5 % of the nominal span: a corner
of the curve that imitates well but is hidden by deviations is not usable. All devices go through the same interface and keep their
distance from the nominal one. What is left between the nominal device and the activation is the price of its shape; what the
others add is that of their spread. Layers are set in the order of the pass, with nominal devices before them, and beyond the
drives that were measured a device is held at its ends.

What trims each device by itself is :mod:`holdfast.hardware.recalibrate`.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from scipy.optimize import minimize

from holdfast.core.checks import refuse
from holdfast.core.target import answer
from holdfast.hardware.curves import CurveActivation
from holdfast.hardware.equip import ELEMENTWISE, device_layers, hardware_activations, with_modules
from holdfast.hardware.placed import DeviceFunctions
from holdfast.hardware.spread import ChipResults, other_chips

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from holdfast.data.examples import Examples
    from holdfast.devices.neuron import CharacteristicCurves

__all__ = ["Imitation", "curve_variation", "imitate"]

Array = np.ndarray
SAMPLE = 2048  # pre-activations of a layer that its interface is chosen on
FIT_ROWS = 256  # examples that they come from
FINE = 4097  # points of the table that stands for the nominal curve while an interface is sought
PLACES = np.linspace(-1.3, 1.3, 27)  # where on its grid (-1 to 1) the device may take a pre-activation of 0
WIDTHS = np.geomspace(0.05, 20, 25)  # half of the grid in units of the largest pre-activation
READ_ERROR = 0.005  # of the nominal span: no interface lives on a part of the curve in which that would matter
EDGE = 2e-6  # of the numbers on the grid: rounding to 24 bits must not lead out of it


class HeldCurves(CurveActivation):
    """Devices whose drive circuit cannot leave the measured range: beyond it they are held at its ends, as is meant here."""

    def forward(self, u: torch.Tensor) -> torch.Tensor:
        """Outputs of all neurons at the pre-activations `u`, brought into the range."""
        low, end = self.start, self.step * self.cubics.shape[1]
        edge = EDGE * (abs(low) + end)
        return super().forward(u.clamp(low + edge, low + end - edge))


@dataclass(frozen=True, kw_only=True)
class Imitation:
    """A network whose activations are devices.

    Parameters
    ----------
    model : the network on the chip `seed`
    misfit : for each layer the root mean square difference between its activation and the nominal device, in units of the standard
        deviation of its activations
    """

    model: nn.Module
    misfit: Mapping[str, float]


def imitate(
    model: nn.Module, curves: CharacteristicCurves, *, x: torch.Tensor, times: float = 1.0, seed: int = 0, **read_out: Any
) -> Imitation:
    """A copy of `model` in which devices with these curves stand in for every activation module.

    Parameters
    ----------
    model : network, unchanged
    curves : in any units
    x : real examples (N, ...), which make the pre-activations that the interfaces are chosen on
    times : factor on each device's deviation from the nominal one, once the interfaces are chosen
    seed : of the chip
    read_out : as in :func:`~holdfast.hardware.hardware_activations`

    Raises
    ------
    InputError : no activation module, a nominal device that does not answer its drive, pre-activations that are all equal

    Examples
    --------
    >>> from torch import nn
    >>> from holdfast.devices import SigmoidNeuron, response_curves
    >>> volts = response_curves(SigmoidNeuron(amplitude=0.2, steepness=50.0), np.linspace(-0.2, 0.2, 65))
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    >>> imitate(net, volts, x=torch.randn(100, 4)).misfit["1"] < 0.01
    True
    """
    assert curves.nominal is not None
    if not np.ptp(curves.nominal) > 0:
        refuse("curves", "have a nominal device that does not answer its drive", allowed="curves that rise or fall")
    twin = hardware_activations(model, curves, x=x[:FIT_ROWS], seed=seed, modules=ELEMENTWISE, **read_out)
    around = "model." if isinstance(twin, DeviceFunctions) else ""
    before = {f"{around}{name}" for name in device_layers(model)}
    places = [name for name in device_layers(twin) if name not in before]
    interfaces = _interfaces(_as_it_is(model, x[:FIT_ROWS]), places, curves, x[:FIT_ROWS])
    swapped: dict[int, nn.Module] = {}
    for name, interface in interfaces.items():
        plain = twin.get_submodule(name)
        assert isinstance(plain, CurveActivation)
        layer = HeldCurves(interface.curves.deviating(times), plain.out_features, seed=int(plain.seed), dim=plain.dim, **read_out)
        layer.stream = plain.stream
        swapped[id(plain)] = layer.to(plain.devices.device)
    return Imitation(model=with_modules(twin, swapped), misfit={name: found.misfit for name, found in interfaces.items()})


def curve_variation(
    model: nn.Module,
    examples: Examples,
    curves: CharacteristicCurves,
    *,
    times: float = 1.0,
    count: int = 20,
    seed: int = 0,
    **settings: Any,
) -> ChipResults:
    """Any network on chips whose neurons are drawn from an ensemble of measured or simulated devices.

    Parameters
    ----------
    model : network with activation modules, unchanged
    examples, count, settings : as in :func:`~holdfast.hardware.chips`; the first 256 examples set the layers' interfaces
    curves : of the ensemble, in any units (:func:`imitate`)
    times : factor on each device's deviation from the nominal one; 0 puts the nominal device everywhere
    seed : of the chips; the same at every `times`
    """
    place = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    equipped = imitate(model, curves, x=examples[:FIT_ROWS].x.to(place), times=times, seed=seed).model
    return replace(other_chips(equipped, examples, count=count, seed=seed, **settings), alike=times == 0)


@dataclass(frozen=True, kw_only=True)
class _Interface:
    """The curves in the units of a layer, and the misfit of the nominal one."""

    curves: CharacteristicCurves
    misfit: float


def _as_it_is(model: nn.Module, x: torch.Tensor) -> nn.Module:
    """A copy that answers bit for bit alike, and whose activations, functions too, are modules at the places of the devices."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the copy with curves warns
        return hardware_activations(model, "own", x=x)


def _interfaces(model: nn.Module, places: list[str], curves: CharacteristicCurves, x: torch.Tensor) -> dict[str, _Interface]:
    """The interface of each layer, in the order of the pass, with nominal devices in all layers before it."""
    found: dict[str, _Interface] = {}

    def settle(name: str) -> Any:
        def hook(module: nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
            del module
            if name not in found:
                found[name] = _interface(curves, args[0], output)
            own = found[name].curves
            assert own.nominal is not None
            reached = args[0].double().cpu().numpy().clip(own.x[0], own.x[-1])
            return torch.as_tensor(PchipInterpolator(own.x, own.nominal)(reached)).to(output)

        return hook

    for name in places:
        model.get_submodule(name).register_forward_hook(settle(name))
    model.eval()
    with torch.no_grad():
        answer(model, x)
    return found


def _interface(curves: CharacteristicCurves, u: torch.Tensor, a: torch.Tensor) -> _Interface:
    """The interface of a layer whose activation makes `a` of `u`."""
    step = max(1, u.numel() // SAMPLE)
    drive, wanted = (values.flatten()[::step].double().cpu().numpy() for values in (u, a))
    size, spread = float(np.abs(drive).max()), float(wanted.std())
    if not (np.isfinite(size) and spread > 0):
        refuse("x", "gives a layer activations that are all equal or not finite", allowed="a batch of real examples")
    assert curves.nominal is not None
    span, grid = float(np.ptp(curves.nominal)), np.linspace(-1, 1, len(curves.x))
    fine = np.linspace(-1, 1, FINE)
    nominal = PchipInterpolator(grid, curves.nominal / span)(fine)
    variance = ((curves.y - curves.nominal) ** 2).mean(axis=0) / span**2 + READ_ERROR**2
    target = wanted - wanted.mean()

    def solved(place: float, width: float) -> tuple[float, float, float]:
        """Mean square that a gain behind the nominal device leaves, the gain, and what it makes of the ensemble's variance."""
        drives = drive / (width * size) + place
        output = np.interp(drives, fine, nominal)
        centred = output - output.mean()
        power = float(centred @ centred)
        gain = float(centred @ target) / power if power > 1e-9 * len(drive) else 0.0
        left = target - gain * centred
        return float(left @ left) / len(drive), gain, gain**2 * float(np.interp(drives, grid, variance).mean())

    def price(p: Sequence[float]) -> float:
        left, _, varied = solved(p[0], math.exp(p[1]))
        return (left + varied) / spread**2

    starts = [(place, math.log(width)) for place in PLACES for width in WIDTHS]
    found = minimize(price, min(starts, key=price), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-12, "maxiter": 400}).x
    place, width = float(found[0]), math.exp(found[1])
    left, gain, _ = solved(place, width)
    offset = float(wanted.mean() - gain * np.interp(drive / (width * size) + place, fine, nominal).mean())
    middle, half = (curves.x[0] + curves.x[-1]) / 2, (curves.x[-1] - curves.x[0]) / 2
    reach = width * size  # half of the grid in units of the layer: u = reach ((x - middle) / half - place)
    mapped = curves.mapped(
        drive_gain=reach / half,
        drive_offset=-reach * (middle / half + place),
        output_gain=gain / span,
        output_offset=offset,
    )
    return _Interface(curves=mapped, misfit=math.sqrt(left) / spread)
