"""A network for the rows of a table, asked in units of each feature's spread.

The columns of a table have different units: a step of 0.1 is nothing in a price and everything in a share. In units of the standard
deviation of each feature one attack size means the same for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from holdfast.core.checks import refuse

__all__ = ["FeatureUnits", "InFeatureUnits"]


@dataclass(frozen=True, kw_only=True)
class FeatureUnits:
    """The units of the features of a table, from its rows.

    Parameters
    ----------
    mean, spread : tensors (features,), float32; the spread is the standard deviation, 1 for a feature that is constant
    low, high : tensors (features,), float32, the range of each feature
    """

    mean: torch.Tensor
    spread: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor

    @classmethod
    def of(cls, x: torch.Tensor) -> FeatureUnits:
        """The units of the rows `x` (n, features).

        Examples
        --------
        >>> FeatureUnits.of(torch.tensor([[0.0, 100.0], [2.0, 300.0]])).spread
        tensor([  1., 100.])
        """
        if x.ndim != 2 or not len(x):
            refuse("x", f"has shape {tuple(x.shape)}", allowed="(rows, features)")
        wide = x.double()
        spread = wide.std(0, correction=0)
        spread = torch.where(spread > 0, spread, 1.0)
        return cls(mean=wide.mean(0).float(), spread=spread.float(), low=x.amin(0).float(), high=x.amax(0).float())

    def of_rows(self, x: torch.Tensor) -> torch.Tensor:
        """The rows `x` (n, features) in these units, each feature within its range."""
        inside = x.clamp(self.low.to(x), self.high.to(x)).double()
        return ((inside - self.mean.to(inside)) / self.spread.to(inside)).to(x)


class InFeatureUnits(nn.Module):
    r"""A network whose inputs are the features of a table in units of their spread, each kept within its range.

    .. math:: f\left(\operatorname{clip}(m + s\,z, low, high)\right)

    The gradient passes through the clipping as if it were not there: a feature that lies at the end of its range, as each of two
    values does, can still be moved inward. What is a whole number but for rounding becomes one: a column of codes keeps them.

    Parameters
    ----------
    model : network that expects the features in their own units
    units : of the features

    Examples
    --------
    >>> x = torch.tensor([[0.0, 100.0], [2.0, 300.0]])
    >>> units = FeatureUnits.of(x)
    >>> InFeatureUnits(nn.Identity(), units)(units.of_rows(x))
    tensor([[  0., 100.],
            [  2., 300.]])
    """

    mean: torch.Tensor
    spread: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor

    def __init__(self, model: nn.Module, units: FeatureUnits) -> None:
        super().__init__()
        self.model = model
        for name in ("mean", "spread", "low", "high"):
            self.register_buffer(name, getattr(units, name).clone())

    @property
    def units(self) -> FeatureUnits:
        """Of the features."""
        return FeatureUnits(mean=self.mean, spread=self.spread, low=self.low, high=self.high)

    def forward(self, z: torch.Tensor) -> Any:
        """What the network answers to the rows `z` (n, features), in units of each feature's spread."""
        features = z * self.spread.to(z) + self.mean.to(z)
        with torch.no_grad():
            whole = features.round()
            rounding = 4 * torch.finfo(z.dtype).eps * (features.abs() + self.mean.to(z).abs())
            kept = torch.where((features - whole).abs() <= rounding, whole, features)
            kept = kept.clamp(self.low.to(z), self.high.to(z))
        return self.model(kept + (features - features.detach()))
