"""What an attacker may do, and what an attack found."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch

from holdfast.attacks.precision import finite_rows
from holdfast.core.checks import check_one_of, check_within, refuse
from holdfast.core.estimate import Estimate, proportion

__all__ = ["AttackResult", "Norm", "ThreatModel"]

Norm = Literal["linf", "l2", "l1", "l0"]
NORMS: tuple[Norm, ...] = ("linf", "l2", "l1", "l0")


@dataclass(frozen=True)
class ThreatModel:
    r"""The perturbations that are allowed: a ball around each input, inside the box of valid inputs.

    .. math:: \{x' : \|x' - x\|_p \le \varepsilon,\; low \le x' \le high,\; x'_j = x_j \text{ where mask is 0}\}

    Parameters
    ----------
    norm : ``"linf"``, ``"l2"``, ``"l1"``, or ``"l0"`` (how many numbers of the input may change)
    eps : radius in units of the input, >= 0, whole for ``"l0"``; one number or a tensor (N,) with one per example
    bounds : smallest and largest value of a valid input
    mask : tensor that broadcasts with one input, 1 where it may be changed and 0 elsewhere, the same for all; None: everywhere

    Examples
    --------
    >>> ThreatModel("linf", 8 / 255).bounds
    (0.0, 1.0)
    """

    norm: Norm
    eps: float | torch.Tensor
    bounds: tuple[float, float] = (0.0, 1.0)
    mask: torch.Tensor | None = None

    def __post_init__(self) -> None:
        check_one_of(self.norm, "norm", allowed=NORMS)
        if isinstance(self.eps, torch.Tensor):
            if self.eps.ndim > 1:
                refuse("eps", f"has shape {tuple(self.eps.shape)}", allowed="one number, or one per example: shape (N,)")
            if not bool((self.eps >= 0).all() & self.eps.isfinite().all()):
                refuse("eps", f"has a smallest value of {float(self.eps.min()):g}", allowed="finite numbers >= 0")
        elif not isinstance(self.eps, int | float):
            refuse("eps", f"is a {type(self.eps).__name__}", allowed="a number, or a tensor with one per example")
        else:
            check_within(self.eps, "eps", low=0.0)
        if self.norm == "l0" and bool(torch.any(torch.as_tensor(self.eps) % 1 != 0)):
            refuse("eps", f"is {self.eps}", allowed="whole numbers of coordinates under l0")
        low, high = self.bounds
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            refuse("bounds", f"is {self.bounds}", allowed="finite (low, high) with low < high")

    def eps_per_example(self, x: torch.Tensor) -> torch.Tensor:
        """The radius of each row of `x` (N, ...) as a tensor (N,) of its dtype and device."""
        return per_example(self.eps, "eps", x)

    def of_rows(self, rows: torch.Tensor) -> ThreatModel:
        """What is allowed for the examples `rows` (indices or boolean) alone.

        Examples
        --------
        >>> ThreatModel("l2", torch.tensor([0.1, 0.2, 0.3])).of_rows(torch.tensor([2])).eps
        tensor([0.3000])
        """
        if not isinstance(self.eps, torch.Tensor) or self.eps.ndim == 0:
            return self
        return replace(self, eps=self.eps[rows.to(self.eps.device)])


def per_example(value: float | torch.Tensor, name: str, x: torch.Tensor) -> torch.Tensor:
    """`value` as a tensor (N,) of the dtype and device of `x` (N, ...); refused if it has another length."""
    if not isinstance(value, torch.Tensor) or value.ndim == 0:
        return torch.full((len(x),), float(value), dtype=x.dtype, device=x.device)
    if value.shape != (len(x),):
        refuse(name, f"has shape {tuple(value.shape)}", allowed=f"one number, or one per example: ({len(x)},)")
    return value.to(dtype=x.dtype, device=x.device)


@dataclass(frozen=True, kw_only=True)
class AttackResult:
    """What an attack found for each of N examples; everything is detached and lies in ball and box.

    Inputs in half precision are attacked in single precision, in which `loss` and `norm` stay, and are judged as they are returned.
    An input that is not finite never counts as a success.

    Parameters
    ----------
    x_adv : tensor (N, ...), the perturbed inputs, finite and in their dtype; an example that was wrong from the start is left as it
        was (`skip_wrong`)
    success : boolean tensor (N,), the answer at `x_adv` is wrong (or the target class, in a targeted attack)
    loss : tensor (N,), what the attack maximises, at `x_adv`; -inf where it is not a number
    queries : integer tensor (N,), forward passes spent on each example
    steps_used : integer tensor (N,), gradient steps that led to `x_adv`
    norm : tensor (N,), size of the perturbation in the norm of the threat model
    no_gradient : boolean tensor (N,), at some step the gradient was exactly zero or not finite, so that the attack was blind
    invalid : boolean tensor (N,), the answer at `x_adv` holds NaN or infinity, which counts as a success
    """

    x_adv: torch.Tensor
    success: torch.Tensor
    loss: torch.Tensor
    queries: torch.Tensor
    steps_used: torch.Tensor
    norm: torch.Tensor
    no_gradient: torch.Tensor
    invalid: torch.Tensor

    def __post_init__(self) -> None:
        object.__setattr__(self, "success", self.success & finite_rows(self.x_adv))

    @property
    def success_rate(self) -> Estimate:
        """Share of examples on which the attack succeeded, with its Wilson interval."""
        return proportion(int(self.success.sum()), len(self.success))

    @property
    def accuracy(self) -> Estimate:
        """Share of examples on which it did not: the accuracy under an untargeted attack, with its Wilson interval."""
        return proportion(int((~self.success).sum()), len(self.success))
