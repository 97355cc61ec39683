"""Rounding of what flows through a network, to the levels of a range that was measured before.

Activations that are never negative (after a ReLU) spend no bit on the sign and have ``2^b - 1`` steps.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from holdfast.core.checks import check_finite, check_whole, check_within, refuse
from holdfast.core.seeds import Seeds
from holdfast.nets import round_ste
from holdfast.quantize.uniform import at_least_single

__all__ = ["ActivationQuantizer"]

SAMPLED = 2**18  # activations of a layer that a percentile is taken from


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
        limit = at_least_single(self.limit)
        low = -limit if self.signed else torch.zeros_like(limit)
        step = torch.where(limit > 0, (limit - low) / steps, 1.0)
        origin = low if self.signed and self.bits == 1 else 0.0  # one signed bit: the two ends; otherwise 0 is a level
        inside = torch.minimum(torch.maximum(at_least_single(x), low), limit)
        return (round_ste((inside - origin) / step) * step + origin).to(x.dtype)
