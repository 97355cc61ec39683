"""What is believed of a network's weights before any data: independent normal distributions around zero."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from holdfast.core.checks import check_one_of, check_whole, check_within, nearest, refuse

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Prior", "random_parameters"]


def random_parameters(model: nn.Module) -> dict[str, torch.Tensor]:
    """The parameters of `model` that a posterior is about, by name: those that take gradients.

    Freeze a part of a network (``part.requires_grad_(False)``) to keep it fixed under every sample.

    Raises
    ------
    InputError : none takes gradients
    """
    found = {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}
    if not found:
        refuse("model", "has no parameter that takes gradients", allowed="at least one parameter to be inferred")
    return found


@dataclass(frozen=True)
class Prior:
    r"""Every weight and bias is normal around zero, independently of all others.

    .. math:: p(w) = \prod_j N(w_j;\, 0, s_j^2)

    Parameters
    ----------
    std : s, > 0: one number for all; a mapping from parameter names, or from leading parts of them (``"fc1"`` for ``"fc1.weight"``,
        ``""`` for whatever no longer name fits), to numbers; or ``"kaiming"``: :math:`\sqrt{2/\text{fan in}}` for weight matrices
        and kernels, 1 for everything of one dimension

    Examples
    --------
    >>> Prior({"": 1.0, "head": 0.1}).scale("head.weight", (10, 64))
    0.1
    """

    std: float | Mapping[str, float] | Literal["kaiming"] = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.std, str):
            check_one_of(self.std, "std", allowed=("kaiming",))
            return
        for value in self.std.values() if isinstance(self.std, Mapping) else (self.std,):
            check_within(value, "std", low=0.0, low_open=True)

    def scale(self, name: str, shape: tuple[int, ...]) -> float:
        """The standard deviation s of the parameter `name` of this `shape`."""
        if isinstance(self.std, str):
            return math.sqrt(2 / math.prod(shape[1:])) if len(shape) > 1 else 1.0
        if not isinstance(self.std, Mapping):
            return float(self.std)
        fitting = [part for part in self.std if part in ("", name) or name.startswith(f"{part}.")]
        if not fitting:
            refuse(
                "std", f"has no entry for {name!r}", allowed="a number for every parameter", remedy='Add {"": 1.0} for the rest.'
            )
        return float(self.std[max(fitting, key=len)])

    def check_names(self, names: Collection[str]) -> None:
        """Refuse a name of :attr:`std` that is part of none of the parameters' `names`: its number would be lost."""
        for part in self.std if isinstance(self.std, Mapping) else ():
            if part and not any(name == part or name.startswith(f"{part}.") for name in names):
                close = nearest(part, {piece for name in names for piece in (name, name.rpartition(".")[0]) if piece})
                remedy = f"Did you mean {close!r}?" if close else ""
                refuse(
                    "std", f"names {part!r}, which no parameter has", allowed="names of parameters or their layers", remedy=remedy
                )

    def log_density(self, params: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logarithm of the density (S,), normalised, of samples `params` by name, each ``(S, *shape)``."""
        return torch.stack([self._log_density_of(name, values) for name, values in params.items()]).sum(0)

    def _log_density_of(self, name: str, values: torch.Tensor) -> torch.Tensor:
        s, rows = self.scale(name, tuple(values.shape[1:])), values.flatten(1)
        constant = rows.shape[1] * (math.log(s) + 0.5 * math.log(2 * math.pi))
        return -0.5 * rows.square().sum(1) / s**2 - constant

    def draw(self, model: nn.Module, samples: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """`samples` draws of the parameters of `model` that take gradients, by name, each ``(samples, *shape)``."""
        check_whole(samples, "samples", low=1)
        drawn = {}
        for name, values in random_parameters(model).items():
            noise = torch.randn(samples, *values.shape, generator=generator, dtype=values.dtype, device=generator.device)
            drawn[name] = noise.to(values.device).mul_(self.scale(name, tuple(values.shape)))
        return drawn
