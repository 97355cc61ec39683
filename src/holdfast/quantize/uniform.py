r"""Uniform quantization of weights and activations, with the sign counted in `bits`.

.. math:: L = 2^{b-1} - 1, \qquad \Delta = \max|W| / L, \qquad W_q = \Delta\,\mathrm{round}(W / \Delta)

The largest weight is a level, zero is a level, and no weight moves by more than half a step. One bit holds the sign alone:
``mean|W| * sign(W)``. Activations that are never negative (after a ReLU) spend no bit on the sign and have ``2^b - 1`` steps.
Gradients pass straight through the rounding (:func:`holdfast.nets.round_ste`), so a network can be trained through it.

The convention counts bits as arXiv:2012.14965 is understood here; papers that count magnitude bits alone call 7 what is 8 here.
Biases, normalisation layers and their running statistics stay as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from holdfast.core.checks import check_finite, check_whole, check_within, refuse
from holdfast.core.seeds import Seeds
from holdfast.nets import bake_weights, copied, layer_records, named_weights, predict, round_ste, with_weights

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

__all__ = ["ActivationQuantizer", "UniformQuantizer", "quantize_activations", "quantize_tensor", "quantize_weights"]

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED)
SAMPLED = 2**18  # activations of a layer that a percentile is taken from


def _at_least_single(values: torch.Tensor) -> torch.Tensor:
    return values.float() if values.dtype.itemsize < 4 else values


@dataclass(frozen=True)
class UniformQuantizer:
    """Settings of symmetric uniform quantization.

    Parameters
    ----------
    bits : width of a code with its sign, 1 to 16
    per_channel : a separate step for each output channel; False: one step for the whole tensor
    channel_dim : the axis that counts channels

    Examples
    --------
    >>> UniformQuantizer(3, per_channel=False)(torch.tensor([0.2, -0.9, 3.0]))
    tensor([ 0., -1.,  3.])
    """

    bits: int
    per_channel: bool = True
    channel_dim: int = 0

    def __post_init__(self) -> None:
        check_whole(self.bits, "bits", low=1, high=16)

    @property
    def levels(self) -> int:
        """Largest code; codes run from its negative to it. One bit has only the codes -1 and 1."""
        return max(1, 2 ** (self.bits - 1) - 1)

    def step(self, weight: torch.Tensor) -> torch.Tensor:
        """Distance of two levels, in single precision at least, shaped to broadcast against `weight`; 0 where all weights are 0."""
        others = [dim for dim in range(weight.ndim) if dim != self.channel_dim % weight.ndim]
        dims = others if self.per_channel else list(range(weight.ndim))
        size = _at_least_single(weight.detach()).abs()  # half precision has no numbers for the steps of 16 bits
        if self.bits == 1:
            return size.mean(dims, keepdim=True)
        return (size.amax(dims, keepdim=True) if dims else size) / self.levels

    def codes(self, weight: torch.Tensor) -> torch.Tensor:
        """Whole numbers in ``-levels..levels``, int32; one bit gives -1 and 1, and 0 only where all weights are 0."""
        return self._codes(weight.detach(), self.step(weight)).to(torch.int32)

    def _codes(self, weight: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        if self.bits == 1:
            return torch.where(weight < 0, -1.0, 1.0) * (step > 0)
        return (weight / torch.where(step > 0, step, 1.0)).round()

    def __call__(self, weight: torch.Tensor) -> torch.Tensor:
        """`weight` at the nearest levels, with the gradient of the identity."""
        if not weight.is_floating_point():
            refuse("weight", f"has dtype {weight.dtype}", allowed="real floating-point tensors")
        fixed = weight.detach()
        check_finite(fixed, "weight")
        step = self.step(fixed)
        return (self._codes(fixed, step) * step).to(fixed.dtype) + (weight - fixed)


def quantize_tensor(weight: torch.Tensor, bits: int, *, per_channel: bool = True, channel_dim: int = 0) -> torch.Tensor:
    """`weight` at the nearest of its levels; differentiable as the identity.

    Examples
    --------
    >>> quantize_tensor(torch.tensor([[1.0, -2.0, 3.0]]), 1)
    tensor([[ 2., -2.,  2.]])
    """
    return UniformQuantizer(bits, per_channel=per_channel, channel_dim=channel_dim)(weight)


def quantize_weights(model: nn.Module, bits: int, *, per_channel: bool = True) -> nn.Module:
    """A copy of `model` whose weight matrices and kernels stand at their levels; tied weights are rounded once.

    Weights that a layer computes in each pass are rounded as they come out (:func:`holdfast.nets.bake_weights`).

    Parameters
    ----------
    model : network, unchanged
    bits : width of a code with its sign, 1 to 16
    per_channel : a separate step for each output channel; False: one step per tensor

    Raises
    ------
    InputError : no weights, or weights that are not finite (the layer is named)

    Examples
    --------
    >>> rough = quantize_weights(nn.Linear(20, 3), 2)
    >>> rough.weight.unique().numel() <= 7
    True
    """
    model = bake_weights(model)
    weights = named_weights(model)
    if not weights:
        refuse("model", "has no weights", allowed="networks with weight matrices or kernels")
    rounded = {}
    for name, weight in weights.items():
        check_finite(weight.detach(), name)
        transposed = isinstance(model.get_submodule(name.rpartition(".")[0]), TRANSPOSED)
        rounded[name] = quantize_tensor(weight.detach(), bits, per_channel=per_channel, channel_dim=int(transposed))
    return with_weights(model, rounded)


class _Sample:
    """A random subset of all numbers that pass, the same however they are cut into batches: those with the least random keys."""

    def __init__(self) -> None:
        self.generator = Seeds(0).numpy("percentile")
        self.sizes = torch.empty(0)
        self.keys = torch.empty(0, dtype=torch.float64)

    def add(self, sizes: torch.Tensor) -> None:
        keys = torch.from_numpy(self.generator.random(len(sizes)))
        if len(self.keys) == SAMPLED:
            chosen = (keys < self.keys.max()).nonzero()[:, 0]
            sizes, keys = sizes[chosen.to(sizes.device)], keys[chosen]
        self.sizes, self.keys = torch.cat([self.sizes, sizes.float().cpu()]), torch.cat([self.keys, keys])
        if len(self.keys) > SAMPLED:
            self.keys, kept = self.keys.topk(SAMPLED, largest=False)
            self.sizes = self.sizes[kept]


class ActivationQuantizer(nn.Module):
    """Rounds what flows into a layer to the levels of a range that was measured before; without one it raises an error.

    Parameters
    ----------
    bits : width of a code, 1 to 16; with its sign where negative values occurred, otherwise without
    percentile : of all measured sizes that becomes the largest level; 100 is the maximum, less clips outliers. It is taken from
        262144 of them, drawn evenly, however they come in batches

    Examples
    --------
    >>> quantizer = ActivationQuantizer(2)
    >>> quantizer.observe(torch.tensor([0.0, 3.0]))
    >>> quantizer(torch.tensor([0.4, 1.6, 5.0]))
    tensor([0., 2., 3.])
    """

    limit: torch.Tensor
    lowest: torch.Tensor

    def __init__(self, bits: int, *, percentile: float = 100.0) -> None:
        super().__init__()
        self.bits = check_whole(bits, "bits", low=1, high=16)
        self.percentile = check_within(percentile, "percentile", low=50.0, high=100.0)
        self.register_buffer("limit", torch.tensor(math.nan))
        self.register_buffer("lowest", torch.tensor(0.0))
        self._sample = _Sample()

    def extra_repr(self) -> str:
        """Bits and range."""
        return f"bits={self.bits}, range=[{-float(self.limit) if self.signed else 0:.4g}, {float(self.limit):.4g}]"

    @property
    def signed(self) -> bool:
        """True if negative values occurred."""
        return bool(self.lowest < 0)

    def observe(self, x: torch.Tensor) -> None:
        """Let one batch take part in the range."""
        seen = x.detach().flatten()
        check_finite(seen, "x")
        if self.percentile < 100:
            self._sample.add(seen.abs())
            self.limit.copy_(self._sample.sizes.quantile(self.percentile / 100))
        else:
            self.limit.copy_(torch.fmax(self.limit, seen.abs().max()))
        self.lowest.copy_(torch.minimum(self.lowest, seen.min()))

    def forget(self) -> None:
        """Keep the range alone; a later percentile begins anew."""
        self._sample = _Sample()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`x` clipped to the range (gradient 0 outside) and rounded (gradient of the identity)."""
        if self.limit.isnan():
            refuse(
                "ActivationQuantizer",
                "has no measured range",
                allowed="layers with a range",
                remedy="Call quantize_activations with a batch that passes through every layer.",
            )
        steps = max(1, 2**self.bits - 2) if self.signed else 2**self.bits - 1
        limit = _at_least_single(self.limit)
        low = -limit if self.signed else torch.zeros_like(limit)
        step = torch.where(limit > 0, (limit - low) / steps, 1.0)
        origin = low if self.signed and self.bits == 1 else 0.0  # one signed bit: the two ends; otherwise 0 is a level
        inside = torch.minimum(torch.maximum(_at_least_single(x), low), limit)
        return (round_ste((inside - origin) / step) * step + origin).to(x.dtype)


def _round_input(layer: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    return (layer.get_submodule("input_quantizer")(args[0]), *args[1:])


def quantize_activations(model: nn.Module, bits: int, x: torch.Tensor, *, percentile: float = 100.0) -> nn.Module:
    """A copy of `model` in which everything that flows into a linear or convolutional layer is rounded, but not the data.

    Parameters
    ----------
    model : network, unchanged
    bits : width of a code, 1 to 16; with its sign for activations that can be negative
    x : calibration data (N, ...) on any device; each layer's range is what they reach there
    percentile : as in :class:`ActivationQuantizer`

    Raises
    ------
    InputError : no second layer whose input could be rounded, or one whose input never passes (it is named), such as the output
        projection that ``nn.MultiheadAttention`` reads without calling it

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> rough = quantize_activations(net, 4, torch.rand(16, 4))
    >>> rough[2].input_quantizer.signed
    False
    """
    twin = copied(model)
    x = x.to(next((tensor.device for tensor in (*twin.parameters(), *twin.buffers())), x.device))
    first = _first_layer(twin, x[:1])
    layers = [module for module in twin.modules() if isinstance(module, LAYERS) and module is not first]
    if not layers:
        refuse("model", "has no layer behind the first", allowed="networks with at least two linear or convolutional layers")
    quantizers = [ActivationQuantizer(bits, percentile=percentile).to(x.device) for _ in layers]
    _observe(twin, layers, quantizers, x)
    _refuse_unseen(twin, {id(layer) for layer, quantizer in zip(layers, quantizers, strict=True) if quantizer.limit.isnan()})
    for layer, quantizer in zip(layers, quantizers, strict=True):
        if not hasattr(layer, "input_quantizer"):
            layer.register_forward_pre_hook(_round_input)
        layer.input_quantizer = quantizer
    return twin


def _refuse_unseen(model: nn.Module, unseen: Container[int]) -> None:
    names = [name for name, module in model.named_modules() if id(module) in unseen]
    if names:
        refuse(
            "model",
            f"does not call the layers {', '.join(map(repr, names))} on the calibration data, so their inputs would stay unrounded",
            allowed="networks that call each linear and convolutional layer as a module",
            remedy="Remove layers that are not used, and replace attention that reads its projection's weight directly.",
        )


def _first_layer(model: nn.Module, x: torch.Tensor) -> nn.Module:
    """The layer that the data themselves flow into."""
    called = [record.name for record in layer_records(model, x)]
    layers = (model.get_submodule(name) for name in called)
    return next((layer for layer in layers if isinstance(layer, LAYERS)), model)


def _observe(model: nn.Module, layers: Sequence[nn.Module], quantizers: Sequence[ActivationQuantizer], x: torch.Tensor) -> None:
    """One pass over `x` in which each quantizer measures the inputs of its layer."""
    handles = []
    for layer, quantizer in zip(layers, quantizers, strict=True):

        def look(module: nn.Module, args: tuple[Any, ...], quantizer: ActivationQuantizer = quantizer) -> None:
            del module
            quantizer.observe(args[0])

        handles.append(layer.register_forward_pre_hook(look, prepend=True))
    try:
        predict(model, x, batch_size=256)
    finally:
        for handle in handles:
            handle.remove()
    for quantizer in quantizers:
        quantizer.forget()
