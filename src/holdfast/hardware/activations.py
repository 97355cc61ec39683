r"""Activation modules whose neurons are devices, each a little different from the next.

A layer of n units gets n neurons ``y = y0 + A g(k (u - u0))`` (:mod:`holdfast.devices.neuron` explains the four numbers and what a
spread does to them). The numbers are buffers: saved with the network, moved with it, and not trained, because a fabricated
device is what it is. Training *through* them is the in-situ setting of arXiv:2106.16043; another draw is another chip.

The forward pass is three elementwise operations of plain torch: a hand-written autograd function for it was measured and saves
no more than 15 % of 0.2 ms, but costs second derivatives and ``torch.func``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from holdfast.core.checks import check_one_of, check_whole, check_within, refuse
from holdfast.core.seeds import Seeds
from holdfast.devices.fit import VariationSummary
from holdfast.devices.neuron import LinearNeuron, ReluNeuron, SigmoidNeuron, vary
from holdfast.hardware.readout import Converter, Faults, checked_scale

__all__ = ["DeviceActivation", "Kind", "ParametricActivation", "Randomness"]

Shape = Callable[[torch.Tensor], torch.Tensor]
Kind = str | LinearNeuron | VariationSummary | Shape
Randomness = int | torch.Generator

KINDS = {"sigmoid": SigmoidNeuron, "relu": ReluNeuron}
NUMBERS = ("amplitude", "steepness", "threshold", "offset")


def _seed_of(randomness: Randomness) -> int:
    """A plain seed: the number itself, or the next one of a generator."""
    if isinstance(randomness, torch.Generator):
        return int(torch.randint(2**62, (), generator=randomness, device=randomness.device))
    return check_whole(randomness, "seed")


class DeviceActivation(nn.Module):
    """What all activations made of devices share: one neuron per unit, a seed, a chip that can be drawn again, noise per call.

    Parameters
    ----------
    out_features : number of units n; 1 shares one device among all units
    dim : the axis of the input that counts units: -1 after a linear layer, 1 after a convolution (one device per channel)
    seed : of the chip
    noise_std : standard deviation of the Gaussian noise that is added to each output at each call; seeded, fresh at each call
    faults : rates of dead and saturated neurons; which ones they are belongs to the chip
    bits : resolution of the converter that reads the outputs; None reads them as they are
    full_scale : lowest and highest output of the read-out, where faulty neurons are stuck and the converter clips; default: that of
        the nominal device, where it has one

    Attributes
    ----------
    stream : name under which other chips of a network are drawn for this layer, wherever the layer then stands; saved with the
        network. None: the layer's place in the network
    """

    seed: torch.Tensor
    stuck: torch.Tensor

    def __init__(
        self,
        out_features: int,
        *,
        dim: int = -1,
        seed: int = 0,
        noise_std: float = 0.0,
        faults: Faults | None = None,
        bits: int | None = None,
        full_scale: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        self.stream: str | None = None
        self.out_features = check_whole(out_features, "out_features", low=1)
        self.dim = dim
        self.noise_std = check_within(noise_std, "noise_std", low=0)
        self.register_buffer("seed", torch.tensor(_seed_of(seed)))
        self.noise_calls = 0
        self.faults = faults
        if faults is not None:
            self.register_buffer("stuck", faults.draw(self.out_features, seed=_seed_of(seed)))
        self.full_scale = checked_scale(full_scale, needed=faults is not None or bits is not None)
        self.converter = None if bits is None else Converter(bits=bits, full_scale=self.full_scale)

    def get_extra_state(self) -> torch.Tensor:
        """The name of the stream as UTF-8 bytes after one more, 0 for none: a tensor, so that any format can hold it."""
        return torch.tensor([0] if self.stream is None else [1, *self.stream.encode()], dtype=torch.uint8)

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Take over the name that :meth:`get_extra_state` gave."""
        there, *name = state.tolist()
        self.stream = bytes(name).decode() if there else None

    def extra_repr(self) -> str:
        """Units, axis and seed, and what the read-out adds."""
        more = [f"bits={self.converter.bits}"] if self.converter else []
        more += [f"dead={self.faults.dead:g}, saturated={self.faults.saturated:g}"] if self.faults else []
        return ", ".join([f"{self.out_features}, dim={self.dim}, seed={int(self.seed)}", *more])

    def devices_of(self, seed: int) -> dict[str, torch.Tensor]:
        """The tensors of the devices of the chip `seed`, by name."""
        raise NotImplementedError

    def draw(self, seed: int) -> dict[str, torch.Tensor]:
        """The tensors of this module, by name, as another chip would have them; the module stays as it is."""
        if self.faults is None:
            return self.devices_of(seed)
        return self.devices_of(seed) | {"stuck": self.faults.draw(self.out_features, seed=seed).to(self.stuck.device)}

    def redraw_(self, randomness: Randomness) -> DeviceActivation:
        """Fabricate another chip in place from a seed or a generator; torch's global generator is not touched."""
        seed = _seed_of(randomness)
        with torch.no_grad():
            for name, values in self.draw(seed).items():
                getattr(self, name).copy_(values)
            self.seed.fill_(seed)
        self.noise_calls = 0
        return self

    def check_width(self, u: torch.Tensor) -> None:
        """Refuse an input whose unit axis does not have one entry per device."""
        if self.out_features not in {1, u.shape[self.dim]}:
            refuse(
                "u",
                f"has {u.shape[self.dim]} units along dim {self.dim} (shape {tuple(u.shape)})",
                allowed=f"{self.out_features}, the number of devices of this layer",
                remedy="After a convolution the units are channels: use dim=1.",
            )

    def along_units(self, values: torch.Tensor, ndim: int) -> torch.Tensor:
        """`values` (n,) shaped to broadcast against an input with `ndim` dimensions."""
        behind = ndim - 1 - self.dim % ndim
        return values.reshape(values.shape + (1,) * behind) if behind else values

    def read_out(self, y: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """What the next layer gets of the outputs `y`: with the noise of this call (of size `noise` if given), stuck, rounded."""
        if self.noise_std or noise is not None:
            generator = Seeds(int(self.seed)).torch("noise", self.noise_calls, device=str(y.device))
            self.noise_calls += 1
            size = self.noise_std if noise is None else noise
            y = y + size * torch.randn(y.shape, generator=generator, device=y.device, dtype=y.dtype)
        if self.faults is not None:
            stuck = self.along_units(self.stuck, y.ndim)
            low, high = (torch.as_tensor(end, dtype=y.dtype, device=y.device) for end in self.full_scale)
            y = torch.where(stuck == 0, y, torch.where(stuck < 0, low, high))
        return y if self.converter is None else self.converter(y)

    def _without_variation(self) -> Any:
        """A copy without noise and faults."""
        twin = copy.deepcopy(self)
        twin.noise_std, twin.faults = 0.0, None
        twin._buffers.pop("stuck", None)  # noqa: SLF001 - of our own copy
        return twin


def _relu_like(argument: torch.Tensor, *, corner: float, saturation: float) -> torch.Tensor:
    """The shape of :class:`~holdfast.devices.neuron.ReluNeuron`, ``v / (1 + q v)``.

    The corner's tail is held below exp(-20): it is 2e-9 there, and further down its products are denormal numbers, with which a
    processor is three times slower.
    """
    sharp = np.isinf(corner)
    rise = argument.clamp_min(0) if sharp else nn.functional.softplus(argument.clamp_min(-20 / corner), beta=corner)
    return rise / torch.rsub(rise, 1, alpha=-saturation) if saturation else rise


def _shape_of(neuron: LinearNeuron) -> Shape:
    """The neuron's shape `g` on tensors."""
    if isinstance(neuron, SigmoidNeuron):
        return torch.sigmoid
    if isinstance(neuron, ReluNeuron):
        return partial(_relu_like, corner=float(neuron.corner), saturation=float(neuron.saturation))
    return nn.Identity()


class ParametricActivation(DeviceActivation):
    """A layer of neurons in closed form.

    Parameters
    ----------
    kind : ``"sigmoid"`` or ``"relu"`` (with the device's round corner and saturation), a nominal neuron of
        :mod:`holdfast.devices.neuron`, an ensemble of them (numbers of shape (m,)) whose members each chip draws, a
        :class:`~holdfast.devices.VariationSummary`, or any elementwise nonlinearity (module or function) that keeps its own
        shape and gets varying gain, steepness, threshold and offset
    out_features, dim, seed, noise_std, faults, bits, full_scale : as in :class:`DeviceActivation`
    spread : relative standard deviation from neuron to neuron, >= 0; 0 is the nominal device. Ensembles bring their own
    trainable : make the four numbers parameters instead of buffers
    scales : typical sizes of pre-activation and activation, in which threshold and offset spread

    Shapes
    ------
    input (..., n) or (N, n, ...) with ``dim=1``; output the same, in the number format of the input.

    Examples
    --------
    >>> layer = ParametricActivation("sigmoid", 3, spread=0.2)
    >>> layer(torch.zeros(1, 3)).unique().numel()
    3
    >>> layer.ideal()(torch.zeros(1, 3))
    tensor([[0.5000, 0.5000, 0.5000]])
    """

    params: torch.Tensor

    def __init__(
        self,
        kind: Kind,
        out_features: int,
        *,
        spread: float = 0.0,
        seed: int = 0,
        dim: int = -1,
        trainable: bool = False,
        scales: tuple[float, float] = (1.0, 1.0),
        **read_out: Any,
    ) -> None:
        named = KINDS[check_one_of(kind, "kind", allowed=KINDS)]() if isinstance(kind, str) else kind
        differ = isinstance(named, VariationSummary) or (isinstance(named, LinearNeuron) and np.ndim(named.amplitude) > 0)
        ensemble = named if differ and isinstance(named, VariationSummary | LinearNeuron) else None
        if ensemble and spread:
            refuse("spread", f"is {spread:g} for devices that differ already", allowed="0 with an ensemble or a summary")
        nominal = _nominal_of(named)
        if read_out.get("full_scale") is None:
            read_out["full_scale"] = _ends_of(nominal)
        super().__init__(out_features, dim=dim, seed=seed, **read_out)
        self.spread = check_within(spread, "spread", low=0)
        self.scales = (check_within(scales[0], "scales", low=0, low_open=True), check_within(scales[1], "scales", low=0))
        self.ensemble = ensemble
        self.neuron = nominal if isinstance(nominal, LinearNeuron) else LinearNeuron()
        self.shape: Shape = _shape_of(nominal) if isinstance(nominal, LinearNeuron) else nominal
        params = self._fabricate(seed).to(torch.get_default_dtype())
        if trainable:
            self.params = nn.Parameter(params)
        else:
            self.register_buffer("params", params)

    def _fabricate(self, seed: int) -> torch.Tensor:
        """The four numbers (n, 4) of the chip `seed`, float64."""
        if isinstance(self.ensemble, VariationSummary):
            chip = self.ensemble.draw(self.out_features, seed=seed)
        elif self.ensemble is not None:
            members = np.size(self.ensemble.amplitude)
            drawn = Seeds(seed).numpy("devices").choice(members, self.out_features, replace=members < self.out_features)
            chip = _members(self.ensemble, drawn)
        else:
            scales = {"drive_scale": self.scales[0], "output_scale": self.scales[1]}
            chip = vary(self.neuron, self.spread, samples=self.out_features, seed=seed, **scales)
        return torch.from_numpy(np.stack([np.asarray(getattr(chip, name), dtype=float) for name in NUMBERS], axis=1))

    def extra_repr(self) -> str:
        """Units, axis, seed and spread."""
        return f"{super().extra_repr()}, spread={self.spread:g}"

    def devices_of(self, seed: int) -> dict[str, torch.Tensor]:
        """The numbers ``params`` (n, 4) of the chip `seed`: amplitude, steepness, threshold, offset."""
        return {"params": self._fabricate(seed).to(self.params)}

    def ideal(self) -> ParametricActivation:
        """The same layer made of nominal devices, all sound, without noise."""
        twin = self._without_variation()
        twin.spread, twin.ensemble = 0.0, None
        twin.redraw_(int(self.seed))
        return twin

    def forward(self, u: torch.Tensor, shape: Shape | None = None) -> torch.Tensor:
        """Outputs of all neurons at the pre-activations `u`; with `shape`, of neurons with this nonlinearity."""
        self.check_width(u)
        numbers: Any = self.params.unbind(-1)
        amplitude, steepness, threshold, offset = (self.along_units(values, u.ndim) for values in numbers)
        argument = torch.addcmul(-steepness * threshold, u, steepness)
        return self.read_out(torch.addcmul(offset, (shape or self.shape)(argument), amplitude).to(u.dtype))


def _members(ensemble: LinearNeuron, numbers: np.ndarray) -> LinearNeuron:
    """The members of an ensemble with these numbers."""
    size = np.size(ensemble.amplitude)
    return replace(ensemble, **{name: np.broadcast_to(getattr(ensemble, name), (size,))[numbers] for name in NUMBERS})


def _nominal_of(named: LinearNeuron | VariationSummary | Shape) -> LinearNeuron | Shape:
    """The nominal device: of an ensemble the one with the mean numbers."""
    if isinstance(named, VariationSummary):
        return named.nominal
    if isinstance(named, LinearNeuron):
        return replace(named, **{name: float(np.mean(getattr(named, name))) for name in NUMBERS})
    return named


def _ends_of(nominal: LinearNeuron | Shape) -> tuple[float, float] | None:
    """Lowest and highest output of a nominal device that has them."""
    if not isinstance(nominal, SigmoidNeuron):
        return None
    ends = sorted((float(nominal.offset), float(nominal.offset) + float(nominal.amplitude)))
    return ends[0], ends[1]
