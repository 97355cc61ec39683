r"""Hamiltonian Monte Carlo over the weights of a network, with all chains in one tensor program.

A trajectory draws a momentum :math:`p \sim N(0, I)`, makes L leapfrog steps of size e, and is accepted with probability
:math:`\min(1, e^{H_0 - H_1})`, :math:`H = U + |p|^2/2`. During the warm-up every chain adapts its own step size by dual averaging.
Source: R. M. Neal, arXiv:1206.1901.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from holdfast.bayes.chains import Init, Kernel, Report, posterior_of, run_chains, start_chains
from holdfast.bayes.leapfrog import Place, leapfrog, place_at
from holdfast.bayes.potential import Likelihood, LikelihoodName, Potential, network_potential
from holdfast.bayes.stepsize import StepSizes, first_step_sizes
from holdfast.bayes.streams import Streams, draw_normal, draw_uniform
from holdfast.core.checks import check_whole, check_within
from holdfast.core.seeds import Seeds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from holdfast.bayes.posterior import Posterior
    from holdfast.bayes.prior import Prior
    from holdfast.data.examples import Examples

__all__ = ["HMCSettings", "HMCState", "build", "hmc", "init", "update"]

DIVERGENT = 1000.0  # energy error of a trajectory that diverged
FIRST_GUESS = 1e-3


@dataclass(frozen=True, kw_only=True)
class HMCSettings:
    """How Hamiltonian chains run; each field as in :func:`hmc`."""

    samples: int
    warmup: int
    steps: int = 10
    step_size: float | None = None
    target_accept: float | None = 0.8
    jitter: float = 0.1

    def __post_init__(self) -> None:
        check_whole(self.samples, "samples", low=1)
        check_whole(self.warmup, "warmup", low=0)
        check_whole(self.steps, "steps", low=1)
        if self.step_size is not None:
            check_within(self.step_size, "step_size", low=0.0, low_open=True)
        if self.target_accept is not None:
            check_within(self.target_accept, "target_accept", low=0.1, high=0.99)
        check_within(self.jitter, "jitter", low=0.0, high=0.5)


@dataclass(frozen=True, kw_only=True)
class HMCState:
    """Where Hamiltonian chains are after an update, and what the next one needs.

    Parameters
    ----------
    place : points of the chains, their energies and gradients
    sizes : step sizes and what they adapted to
    streams : of random numbers, one per chain
    iteration : updates so far
    step_size, accept, diverged : of the last trajectory, tensors (C,)
    """

    place: Place
    sizes: StepSizes
    streams: Streams
    iteration: int
    step_size: torch.Tensor
    accept: torch.Tensor
    diverged: torch.Tensor

    @property
    def position(self) -> torch.Tensor:
        """Points (C, P)."""
        return self.place.position

    @property
    def energy(self) -> torch.Tensor:
        """The potential there (C,)."""
        return self.place.energy


def build(potential: Potential, settings: HMCSettings, *, seeds: Seeds = Seeds(0)) -> Kernel[HMCState]:  # noqa: B008 - frozen
    """Hamiltonian Monte Carlo on any potential energy of a flat space, for :func:`~holdfast.bayes.chains.run_chains`.

    Parameters
    ----------
    potential : energies and gradients of C places at once, e.g. :class:`~holdfast.bayes.potential.FunctionPotential`
    settings : how the chains run
    seeds : of momenta, jitter and acceptance; each chain has its own stream, so that it does not depend on the others
    """
    return Kernel(
        settings=settings,
        init=lambda start: init(potential, start, settings, seeds=seeds),
        update=lambda state: update(potential, state, settings),
    )


def init(potential: Potential, start: torch.Tensor, settings: HMCSettings, *, seeds: Seeds) -> HMCState:
    """The state of chains at `start` (C, P), before their first trajectory."""
    draws = [seeds.torch("trajectories", chain, device=str(start.device)) for chain in range(len(start))]
    place = place_at(potential, start)
    sizes = _first_sizes(potential, place, settings, draws)
    nothing = torch.zeros_like(sizes.log_now)
    return HMCState(
        place=place,
        sizes=sizes,
        streams=Streams.of(draws),
        iteration=0,
        step_size=sizes.log_now.exp(),
        accept=nothing,
        diverged=nothing.bool(),
    )


def update(potential: Potential, state: HMCState, settings: HMCSettings) -> HMCState:
    """The state after one trajectory of every chain; step sizes adapt during the warm-up."""
    draws, warm = state.streams.generators(), state.iteration < settings.warmup
    size = (state.sizes.log_now if warm else state.sizes.log_mean).exp()
    momentum = draw_normal(draws, state.position)
    before = state.energy.double() + _kinetic(momentum)
    jittered = size * (1 + settings.jitter * (2 * draw_uniform(draws) - 1))
    end, momentum = leapfrog(potential, state.place, momentum, step_size=jittered, steps=settings.steps)
    error = end.energy.double() + _kinetic(momentum) - before
    error = error.nan_to_num(nan=math.inf, posinf=math.inf, neginf=math.inf)  # NaN is rejected
    accept = (-error).exp().clamp(max=1.0)
    sizes = state.sizes
    if warm and settings.target_accept is not None:
        sizes = sizes.update(accept, settings.target_accept)
    return HMCState(
        place=end.where(draw_uniform(draws) < accept, state.place),
        sizes=sizes,
        streams=Streams.of(draws),
        iteration=state.iteration + 1,
        step_size=size,
        accept=accept,
        diverged=error > DIVERGENT,
    )


def _first_sizes(potential: Potential, place: Place, settings: HMCSettings, draws: Sequence[torch.Generator]) -> StepSizes:
    """The step sizes (C,) of the first trajectory."""
    guess = torch.full((len(draws),), settings.step_size or FIRST_GUESS, dtype=torch.float64, device=place.position.device)
    if settings.step_size is not None:
        return StepSizes.start(guess)
    momentum = draw_normal(draws, place.position)
    before = place.energy.double() + _kinetic(momentum)

    def energy_loss(step_size: torch.Tensor) -> torch.Tensor:
        end, kicked = leapfrog(potential, place, momentum, step_size=step_size, steps=1)
        return before - end.energy.double() - _kinetic(kicked)

    return StepSizes.start(first_step_sizes(energy_loss, guess))


def _kinetic(momentum: torch.Tensor) -> torch.Tensor:
    return 0.5 * momentum.square().sum(1, dtype=torch.float64)


@torch.inference_mode(mode=False)
@torch.enable_grad()
def hmc(  # noqa: PLR0913 - every argument is a setting that a user chooses by name
    model: nn.Module,
    data: Examples | tuple[torch.Tensor, torch.Tensor],
    *,
    prior: Prior,
    likelihood: LikelihoodName | Likelihood = "categorical",
    samples: int,
    warmup: int,
    steps: int = 10,
    step_size: float | None = None,
    target_accept: float | None = 0.8,
    jitter: float = 0.1,
    chains: int = 4,
    init: Init = "map",
    init_steps: int = 150,
    init_lr: float = 0.02,
    batch_size: int | None = None,
    seed: int = 0,
    progress: Report | None = None,
) -> Posterior:
    r"""Samples of the posterior of a network's weights by Hamiltonian Monte Carlo on all the data.

    Parameters
    ----------
    model : network from a batch to logits (N, K), in evaluation mode if it has dropout or batch normalisation; unchanged
    data : examples, or inputs (N, ...) and labels (N,)
    prior : of the weights
    likelihood : ``"categorical"``, ``"gaussian"`` or a callable; see :func:`~holdfast.bayes.potential.network_potential`
    samples : kept draws of each chain, one per trajectory
    warmup : trajectories before them, which adapt the step size
    steps : L, leapfrog steps of a trajectory; weights that the data hardly constrain are as wide as their prior, and only
        trajectories about as long, step size times L, decorrelate them (compare `ess_logits` for two values)
    step_size : of the first trajectory; None: found by doubling
    target_accept : acceptance rate that the step size adapts to; None: the step size stays
    jitter : every trajectory's step size is changed by up to this share, at random
    chains : independent chains, run as one program
    init : ``"map"``: each chain from its own draw of the prior, then `init_steps` of Adam downhill at the rate `init_lr`;
        ``"prior"``: without them; or parameters by name, each (chains, \*shape)
    batch_size : rows per pass, to bound memory; the potential stays that of all data
    seed : of everything
    progress : called after every trajectory

    Returns
    -------
    Posterior of ``chains * samples`` draws in chain-major order, with diagnostics

    Raises
    ------
    InputError : see :func:`~holdfast.bayes.potential.check_data` and :func:`~holdfast.bayes.posterior.check_mode`

    Examples
    --------
    >>> from holdfast.bayes import Prior
    >>> from holdfast.nets import mlp
    >>> x = torch.rand(40, 2)
    >>> post = hmc(mlp(2, hidden=(4,), classes=2), (x, (x[:, 0] > 0.5).long()), prior=Prior(), samples=10, warmup=10, chains=2)
    >>> len(post), post.diagnostics.chains
    (20, 2)
    """
    settings = HMCSettings(
        samples=samples, warmup=warmup, steps=steps, step_size=step_size, target_accept=target_accept, jitter=jitter
    )
    potential = network_potential(model, data, prior=prior, likelihood=likelihood, batch_size=batch_size)
    seeds = Seeds(seed).child("hmc")
    start = start_chains(potential, prior=prior, chains=chains, init=init, init_steps=init_steps, init_lr=init_lr, seeds=seeds)
    found = run_chains(build(potential, settings, seeds=seeds), start, progress=progress)
    return posterior_of(found, potential, method="HMC")
