"""Step sizes that find themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StepSizes", "first_step_sizes"]


@dataclass(frozen=True)
class StepSizes:
    r"""Step sizes that adapt to a target acceptance by dual averaging.

    .. math:: \log e_{t+1} = \mu - \frac{\sqrt t}{\gamma}\,\bar H_t, \qquad
              \bar H_t = (1 - \tfrac{1}{t + t_0}) \bar H_{t-1} + \tfrac{1}{t + t_0} (\delta - \alpha_t)

    with :math:`\gamma = 0.05`, :math:`t_0 = 10`, :math:`\kappa = 0.75`, :math:`\mu = \log 10 e_0`.

    Source: M. D. Hoffman and A. Gelman, arXiv:1111.4246, section 3.2.

    Parameters
    ----------
    log_first : log of the first step sizes, tensor (C,)
    log_now : log of the step sizes to be tried next
    log_mean : their weighted mean, which is used after the warm-up
    error : :math:`\bar H`
    count : t
    """

    log_first: torch.Tensor
    log_now: torch.Tensor
    log_mean: torch.Tensor
    error: torch.Tensor
    count: int = 0

    @classmethod
    def start(cls, first: torch.Tensor) -> StepSizes:
        """Before the first trajectory."""
        return cls(first.log(), first.log(), first.log(), torch.zeros_like(first))

    def update(self, accept: torch.Tensor, target: float) -> StepSizes:
        """After a trajectory that was accepted with the probabilities `accept` (C,)."""
        t = self.count + 1
        share = 1 / (t + 10)
        error = (1 - share) * self.error + share * (target - accept)
        now = math.log(10) + self.log_first - math.sqrt(t) / 0.05 * error
        weight = t**-0.75
        return replace(self, log_now=now, log_mean=weight * now + (1 - weight) * self.log_mean, error=error, count=t)


def first_step_sizes(energy_loss: Callable[[torch.Tensor], torch.Tensor], like: torch.Tensor) -> torch.Tensor:
    """Step sizes (C,) at which the acceptance of a single step crosses one half, found by doubling or halving.

    Source: M. D. Hoffman and A. Gelman, arXiv:1111.4246, algorithm 4.

    Parameters
    ----------
    energy_loss : from step sizes (C,) to how much energy one step of each chain loses (C,)
    like : first guesses (C,)
    """
    size, direction = like.clone(), torch.zeros_like(like)
    for _ in range(40):
        loss = energy_loss(size).nan_to_num(nan=-math.inf, posinf=-math.inf)
        good = torch.where(loss > -math.log(2), 1.0, -1.0).to(size)
        direction = torch.where(direction == 0, good, direction)
        running = good == direction
        if not bool(running.any()):
            break
        size = torch.where(running, size * 2**direction, size)
    return size
