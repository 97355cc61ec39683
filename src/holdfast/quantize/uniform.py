r"""Uniform quantization of weights, with the sign counted in `bits`.

.. math:: L = 2^{b-1} - 1, \qquad \Delta = \max|W| / L, \qquad W_q = \Delta\,\mathrm{round}(W / \Delta)

The largest weight is a level, zero is a level, and no weight moves by more than half a step. One bit holds the sign alone:
``mean|W| * sign(W)``. Gradients pass straight through the rounding (:func:`holdfast.nets.round_ste`), so a network can be trained
through it.

The convention counts bits as arXiv:2012.14965 is understood here; papers that count magnitude bits alone call 7 what is 8 here.
Biases, normalisation layers and their running statistics stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from holdfast.core.checks import check_finite, check_whole, refuse
from holdfast.nets import bake_weights, named_weights, with_weights

__all__ = ["UniformQuantizer", "quantize_tensor", "quantize_weights"]

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def at_least_single(values: torch.Tensor) -> torch.Tensor:
    """`values` in single precision if they are in half precision, otherwise as they are."""
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
        size = at_least_single(weight.detach()).abs()  # half precision has no numbers for the steps of 16 bits
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
