r"""Estimates of a gradient from answers: the mean over directions that lean to a prior, and the projection onto orthogonal ones.

Sources: S. Cheng, Y. Dong, T. Pang, H. Su and J. Zhu, arXiv:1906.06919 (biased); F. Meier, A. Mujika, M. M. Gauy and A. Steger,
arXiv:1910.05268, and S. Cheng, G. Wu and J. Zhu, arXiv:2107.10110 (orthogonal).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from holdfast.attacks.active import ActiveSet
from holdfast.attacks.precision import at_least_single
from holdfast.attacks.query.directions import Directions, unit
from holdfast.attacks.query.prior import Prior, optimal_lambda
from holdfast.attacks.transforms import cleaned
from holdfast.core.checks import refuse

if TYPE_CHECKING:
    from holdfast.attacks.problem import Problem
    from holdfast.attacks.projection import Ball
    from holdfast.attacks.query.differences import Differences

__all__ = ["Biased", "GradientEstimate", "Orthogonal", "State"]

LENGTH_PROBES = 10  # queries that measure the length of the gradient, each time: the official code


@dataclass(frozen=True, kw_only=True)
class GradientEstimate:
    """Directions (n, D) of one step, the mean prior as it was given, and what the answers show about it (n,)."""

    direction: torch.Tensor
    prior: torch.Tensor
    alpha: torch.Tensor
    lam: torch.Tensor


@dataclass
class State(ActiveSet):
    """Where the attack on a few examples stands: `adv` (n, ...), the objective there, the last estimate (n, D)."""

    rows: torch.Tensor
    ball: Ball
    adv: torch.Tensor
    base: torch.Tensor
    last: torch.Tensor


def priors_at(priors: tuple[Prior, ...], state: State, problem: Problem) -> torch.Tensor:
    """Unit directions (n, m, D) of the priors, zero where a prior gives nothing or the mask forbids it."""
    found = []
    inputs = problem.returned(state.rows, state.adv.detach())
    for prior in priors:
        with torch.enable_grad():
            direction = at_least_single(prior(inputs, state.rows).detach())
        if direction.shape != state.adv.shape:
            refuse("prior", f"gives shape {tuple(direction.shape)}", allowed=f"that of its inputs, {tuple(state.adv.shape)}")
        movable = cleaned(direction)[0].masked_fill(state.ball.low == state.ball.high, 0)
        found.append(unit(movable.flatten(1).to(state.adv.dtype)))
    return torch.stack(found, 1)


class Biased:
    """The mean of slopes times directions; the directions lean to the prior by the best lambda.

    Parameters
    ----------
    differences : asks for slopes
    samples : directions per step
    priors : none or one
    """

    def __init__(self, differences: Differences, samples: int, priors: tuple[Prior, ...]) -> None:
        self.differences, self.samples, self.priors = differences, samples, priors
        self.square = torch.zeros_like(differences.sigma)  # of the gradient's length in the subspace, per example

    def __call__(self, state: State, directions: Directions, step: int) -> GradientEstimate:
        """The mean over directions that lean to the prior, which is turned around if it points down."""
        slopes, n = self.differences.slopes, len(state.rows)
        at = (state.rows, state.adv, state.base)
        prior = (
            priors_at(self.priors, state, self.differences.oracle.problem).squeeze(1)
            if self.priors
            else state.adv.new_zeros(n, state.adv[0].numel())
        )
        given = prior
        alpha = lam = prior.new_full((n,), torch.nan)
        weight = prior.new_zeros(n)
        if self.priors:
            if step % 10 == 0 or step == 3:
                self.measure_length(state, directions)
            known = prior.abs().amax(1) > 0
            along, asked = slopes(*at, directions=prior[:, None], wanted=known.long())
            alpha = torch.where(asked[:, 0], along[:, 0] / self.square[state.rows].sqrt().clamp_min(1e-12), torch.nan)
            prior = prior * torch.where(along < 0, -1.0, 1.0)
            lam = weight = self.weight(alpha.nan_to_num(0.0), directions, prior)
        drawn = directions.draw(n, self.samples)
        drawn = unit(drawn - (drawn @ prior[:, :, None]) * prior[:, None])
        drawn = weight.sqrt()[:, None, None] * prior[:, None] + (1 - weight).sqrt()[:, None, None] * drawn
        wanted = torch.where(weight < 1, self.samples, 0)
        found, asked = slopes(*at, directions=drawn, wanted=wanted)
        mean = (found[:, None] @ drawn).squeeze(1) / asked.sum(1, keepdim=True).clamp_min(1)
        return GradientEstimate(direction=torch.where(asked.any(1)[:, None], mean, prior), prior=given, alpha=alpha, lam=lam)

    def measure_length(self, state: State, directions: Directions) -> None:
        """Mean square of random slopes times the dimension: the squared length of the gradient (in the subspace)."""
        probes = directions.draw(len(state.rows), LENGTH_PROBES)
        slopes, asked = self.differences.slopes(state.rows, state.adv, state.base, directions=probes)
        mean = slopes.square().sum(1) / asked.sum(1).clamp_min(1)
        self.square[state.rows] = torch.where(asked.any(1), directions.dimension * mean, self.square[state.rows])

    def weight(self, alpha: torch.Tensor, directions: Directions, prior: torch.Tensor) -> torch.Tensor:
        """The best lambda (n,).

        What counts is the gradient's square along the prior against that left in the subspace. With c the share of the prior in the
        subspace of dimension d, about ``1 - c alpha^2`` is left in ``d - c`` dimensions; in the whole space c = 1.
        """
        share = directions.share(prior)
        along = alpha.square()
        left = (1 - share * along).clamp_min(0)
        whole = (along + left).clamp_min(torch.finfo(along.dtype).tiny)
        return optimal_lambda((along / whole).clamp_max(1), directions.dimension + 1 - share, self.samples)


class Orthogonal:
    """The projection of the gradient onto the priors, the last estimate and random directions, all orthonormal.

    Parameters
    ----------
    differences, samples : as in :class:`Biased`
    priors : any number
    memory : the last estimate is one of the directions
    """

    def __init__(self, differences: Differences, samples: int, priors: tuple[Prior, ...], *, memory: bool) -> None:
        self.differences, self.samples, self.priors, self.memory = differences, samples, priors, memory

    def __call__(self, state: State, directions: Directions, step: int) -> GradientEstimate:
        """The projection of the gradient onto the priors, the last estimate and random directions, all orthonormal."""
        n, features = len(state.rows), state.adv[0].numel()
        known = (
            priors_at(self.priors, state, self.differences.oracle.problem) if self.priors else state.adv.new_zeros(n, 0, features)
        )
        count = known.shape[1]
        if self.memory and step:
            known = torch.cat([known, unit(state.last)[:, None]], 1)
        known = known[:, : self.samples]
        frame = directions.frame(known, self.samples)
        slopes, asked = self.differences.slopes(state.rows, state.adv, state.base, directions=frame)
        direction = (slopes[:, None] @ frame).squeeze(1)
        alpha = lam = direction.new_full((n,), torch.nan)
        if count:
            led, rest = slopes[:, :count].square().sum(1), slopes[:, known.shape[1] :].square().sum(1)
            told = asked[:, known.shape[1] :].sum(1)
            length = slopes.square().sum(1) - rest + rest / told.clamp_min(1) * max(1, directions.dimension - known.shape[1])
            sign = slopes[:, 0].sign() if count == 1 else 1.0
            alpha = sign * (led / length.clamp_min(torch.finfo(led.dtype).tiny)).sqrt()
            lam = led / slopes.square().sum(1).clamp_min(torch.finfo(led.dtype).tiny)
        prior = known[:, :count].mean(1) if count else torch.zeros_like(direction)
        return GradientEstimate(direction=direction, prior=prior, alpha=alpha, lam=lam)
