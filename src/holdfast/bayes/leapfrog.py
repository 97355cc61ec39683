r"""Leapfrog steps of many chains at once.

Two half steps of the momentum between neighbouring steps are one, and the last gradient is kept for what comes next: L steps cost L
gradients. Source: R. M. Neal, arXiv:1206.1901, section 2.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from holdfast.bayes.potential import Potential

__all__ = ["Place", "leapfrog", "place_at"]


@dataclass(frozen=True)
class Place:
    """Places (C, P) of all chains, their energies (C,) and the gradients (C, P) there."""

    position: torch.Tensor
    energy: torch.Tensor
    gradient: torch.Tensor

    def where(self, accepted: torch.Tensor, other: Place) -> Place:
        """The place of the chains that are `accepted` (C,), and that of `other` in the rest."""
        rows = accepted[:, None]
        return Place(
            torch.where(rows, self.position, other.position),
            torch.where(accepted, self.energy, other.energy),
            torch.where(rows, self.gradient, other.gradient),
        )


def place_at(potential: Potential, position: torch.Tensor) -> Place:
    """The place of chains at `position` (C, P)."""
    return Place(position, *potential.value_and_gradient(position))


def leapfrog(
    potential: Potential, place: Place, momentum: torch.Tensor, *, step_size: torch.Tensor, steps: int
) -> tuple[Place, torch.Tensor]:
    r"""Place and momentum after `steps` leapfrog steps; time-reversible and volume-preserving, with an energy error of O(e²).

    .. math:: p \leftarrow p - \tfrac e2 \nabla U(q); \quad q \leftarrow q + e\,p; \quad p \leftarrow p - \tfrac e2 \nabla U(q)

    Parameters
    ----------
    potential : energies and gradients of C places at once
    place : where the chains are
    momentum : tensor (C, P)
    step_size : e of each chain, tensor (C,)
    steps : L, >= 1; so many gradients are computed

    Examples
    --------
    >>> import math
    >>> from holdfast.bayes.potential import FunctionPotential
    >>> spring = FunctionPotential(lambda q: q.square().sum(1) / 2)
    >>> q, p = torch.tensor([[1.0]]), torch.tensor([[0.0]])
    >>> end, _ = leapfrog(spring, place_at(spring, q), p, step_size=torch.tensor([math.pi / 100]), steps=100)
    >>> round(end.position.item(), 3)
    -1.0
    """
    e = step_size[:, None].to(momentum.dtype)
    position, momentum = place.position.clone(), momentum - 0.5 * e * place.gradient
    for _ in range(steps - 1):
        position.addcmul_(e, momentum)
        momentum.addcmul_(e, potential.gradient(position), value=-1)
    end = place_at(potential, position.addcmul_(e, momentum))
    return end, momentum.addcmul_(0.5 * e, end.gradient, value=-1)
