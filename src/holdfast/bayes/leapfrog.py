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

__all__ = ["State", "leapfrog", "state_at"]


@dataclass(frozen=True)
class State:
    """Places (C, P) of all chains, their energies (C,) and the gradients (C, P) there."""

    position: torch.Tensor
    energy: torch.Tensor
    gradient: torch.Tensor

    def where(self, accepted: torch.Tensor, other: State) -> State:
        """The state of the chains that are `accepted` (C,), and that of `other` in the rest."""
        rows = accepted[:, None]
        return State(
            torch.where(rows, self.position, other.position),
            torch.where(accepted, self.energy, other.energy),
            torch.where(rows, self.gradient, other.gradient),
        )


def state_at(potential: Potential, position: torch.Tensor) -> State:
    """The state of chains at `position` (C, P)."""
    return State(position, *potential.value_and_gradient(position))


def leapfrog(
    potential: Potential, state: State, momentum: torch.Tensor, *, step_size: torch.Tensor, steps: int
) -> tuple[State, torch.Tensor]:
    r"""State and momentum after so many leapfrog steps; time-reversible and volume-preserving, with an energy error of O(e²).

    .. math:: p \leftarrow p - \tfrac e2 \nabla U(q); \quad q \leftarrow q + e\,p; \quad p \leftarrow p - \tfrac e2 \nabla U(q)

    Parameters
    ----------
    potential : energies and gradients of C places at once
    state : where the chains are
    momentum : tensor (C, P)
    step_size : e of each chain, tensor (C,)
    steps : L, >= 1; so many gradients are computed

    Examples
    --------
    >>> import math
    >>> from holdfast.bayes.potential import FunctionPotential
    >>> spring = FunctionPotential(lambda q: q.square().sum(1) / 2)
    >>> q, p = torch.tensor([[1.0]]), torch.tensor([[0.0]])
    >>> end, _ = leapfrog(spring, state_at(spring, q), p, step_size=torch.tensor([math.pi / 100]), steps=100)
    >>> round(end.position.item(), 3)
    -1.0
    """
    e = step_size[:, None].to(momentum.dtype)
    position, momentum = state.position.clone(), momentum - 0.5 * e * state.gradient
    for _ in range(steps - 1):
        position.addcmul_(e, momentum)
        momentum.addcmul_(e, potential.gradient(position), value=-1)
    end = state_at(potential, position.addcmul_(e, momentum))
    return end, momentum.addcmul_(0.5 * e, end.gradient, value=-1)
