"""Slopes of an attack's objective by finite differences of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from holdfast.core.checks import check_within

if TYPE_CHECKING:
    from holdfast.attacks.query.oracle import Oracle

__all__ = ["Differences"]

SPARED = 1  # queries, to judge the step that the slopes lead to


class Differences:
    r"""Asks for :math:`(L(x + s u) - L(x)) / s`. Queries may leave the box by s.

    The shift s is one per example. It doubles, and the queries are repeated, as long as all differences of an example are
    exactly zero, as models that round their input or their answers cause.

    Parameters
    ----------
    oracle : answers and counts
    sigma : first shift s in units of the input, > 0
    """

    def __init__(self, oracle: Oracle, sigma: float) -> None:
        check_within(sigma, "sigma", low=0.0, low_open=True)
        x, bounds = oracle.problem.x, oracle.problem.threat.bounds
        self.oracle = oracle
        self.sigma = torch.full((len(x),), sigma, dtype=x.dtype, device=x.device)
        self.widest = (bounds[1] - bounds[0]) * x[0].numel() ** 0.5  # the length of the box

    def value(self, rows: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """The objective (n,) at the answers `logits` (n, K), in double precision."""
        return self.oracle.value(rows, logits.double()).nan_to_num(0.0, 0.0, 0.0)

    def slopes(
        self,
        rows: torch.Tensor,
        adv: torch.Tensor,
        base: torch.Tensor,
        *,
        directions: torch.Tensor,
        wanted: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Slopes of n examples along k unit vectors each, as far as the budget goes; one query per example is spared.

        Parameters
        ----------
        rows, adv, base : distinct examples (n,), their inputs (n, ...), the objective there (n,)
        directions : tensor (n, k, D)
        wanted : how many of the k to ask for, (n,); None: all

        Returns
        -------
        slopes (n, k), zero where not asked; boolean (n, k), which were
        """
        shape = directions.shape[:2]
        slopes, asked = directions.new_zeros(shape), torch.zeros(shape, dtype=torch.bool, device=rows.device)
        todo = torch.arange(len(rows), device=rows.device)
        while len(todo):
            quota = (self.oracle.left[rows[todo]] - SPARED).clamp_min(0)
            quota = quota if wanted is None else torch.minimum(quota, wanted[todo])
            asked[todo] = torch.arange(shape[1], device=rows.device) < quota[:, None]
            slopes[todo] = self._once(rows[todo], adv[todo], base[todo], directions[todo], asked[todo])
            dead = asked[todo].any(1) & (slopes[todo] == 0).all(1) & (self.sigma[rows[todo]] < self.widest)
            todo = todo[dead]
            self.sigma[rows[todo]] *= 2
        return slopes, asked

    def _once(
        self, rows: torch.Tensor, adv: torch.Tensor, base: torch.Tensor, directions: torch.Tensor, asked: torch.Tensor
    ) -> torch.Tensor:
        """Slopes (n, k) where `asked`, zero elsewhere."""
        slopes = directions.new_zeros(asked.shape)
        example, column = asked.nonzero(as_tuple=True)
        if len(example) == 0:
            return slopes
        shift = self.sigma[rows[example]]
        inputs = adv[example] + (shift[:, None] * directions[example, column]).view(-1, *adv.shape[1:])
        value = self.value(rows[example], self.oracle.ask(rows[example], inputs, allowed=False))
        slopes[example, column] = ((value - base[example]) / shift).to(slopes.dtype)
        return slopes
