r"""Hamiltonian Monte Carlo over the weights of a network, with all chains in one tensor program.

A trajectory draws a momentum :math:`p \sim N(0, I)`, makes L leapfrog steps of size e, and is accepted with probability
:math:`\min(1, e^{H_0 - H_1})`, :math:`H = U + |p|^2/2`. During the warm-up every chain adapts its own step size by dual averaging.
Source: R. M. Neal, arXiv:1206.1901.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from holdfast.bayes.chains import Chains, Init, Progress, posterior_of, start_chains
from holdfast.bayes.leapfrog import leapfrog, state_at
from holdfast.bayes.potential import Likelihood, LikelihoodName, Potential, network_potential
from holdfast.bayes.stepsize import StepSizes, first_step_sizes
from holdfast.core.checks import check_whole, check_within
from holdfast.core.seeds import Seeds

if TYPE_CHECKING:
    from torch import nn

    from holdfast.bayes.posterior import Posterior
    from holdfast.bayes.prior import Prior
    from holdfast.data.examples import Examples

__all__ = ["Trajectories", "hmc", "hmc_chains"]

DIVERGENT = 1000.0  # energy error of a trajectory that left the world
FIRST_GUESS = 1e-3
Report = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class Trajectories:
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


class _Sampler:
    """The state of one run: where the chains are, and each chain's own stream of random numbers."""

    def __init__(self, potential: Potential, start: torch.Tensor, settings: Trajectories, seeds: Seeds) -> None:
        self.potential, self.settings = potential, settings
        self.state = state_at(potential, start)
        self.draws = [seeds.torch("trajectories", chain, device=str(start.device)) for chain in range(len(start))]

    def normal(self) -> torch.Tensor:
        """A momentum (C, P)."""
        row = self.state.position[0]
        return torch.stack([torch.randn(row.shape, generator=draw, dtype=row.dtype, device=row.device) for draw in self.draws])

    def uniform(self) -> torch.Tensor:
        """Numbers (C,) in [0, 1)."""
        device = self.state.position.device
        return torch.stack([torch.rand((), generator=draw, dtype=torch.float64, device=device) for draw in self.draws])

    def trajectory(self, step_size: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Move all chains once; acceptance probabilities (C,) and whether each trajectory diverged (C,)."""
        momentum = self.normal()
        before = self.state.energy.double() + _kinetic(momentum)
        jittered = step_size * (1 + self.settings.jitter * (2 * self.uniform() - 1))
        end, momentum = leapfrog(self.potential, self.state, momentum, step_size=jittered, steps=self.settings.steps)
        error = end.energy.double() + _kinetic(momentum) - before
        error = error.nan_to_num(nan=math.inf, posinf=math.inf, neginf=math.inf)  # no number is no place to go
        accept = (-error).exp().clamp(max=1.0)
        self.state = end.where(self.uniform() < accept, self.state)
        return accept, error > DIVERGENT

    def first_sizes(self) -> StepSizes:
        """The step sizes (C,) of the first trajectory."""
        guess = torch.full((len(self.draws),), self.settings.step_size or FIRST_GUESS, dtype=torch.float64)
        guess = guess.to(self.state.position.device)
        if self.settings.step_size is not None:
            return StepSizes.start(guess)
        momentum = self.normal()
        before = self.state.energy.double() + _kinetic(momentum)

        def energy_loss(step_size: torch.Tensor) -> torch.Tensor:
            end, kicked = leapfrog(self.potential, self.state, momentum, step_size=step_size, steps=1)
            return before - end.energy.double() - _kinetic(kicked)

        return StepSizes.start(first_step_sizes(energy_loss, guess))


def _kinetic(momentum: torch.Tensor) -> torch.Tensor:
    return 0.5 * momentum.square().sum(1, dtype=torch.float64)


def hmc_chains(
    potential: Potential,
    start: torch.Tensor,
    settings: Trajectories,
    *,
    seeds: Seeds = Seeds(0),  # noqa: B008 - frozen
    progress: Report | None = None,
) -> Chains:
    """Hamiltonian Monte Carlo on any potential energy of a flat space.

    Parameters
    ----------
    potential : energies and gradients of C places at once, e.g. :class:`~holdfast.bayes.potential.FunctionPotential`
    start : tensor (C, P), where the chains begin
    settings : how they run
    seeds : of momenta, jitter and acceptance; each chain has its own stream, so that it does not depend on the others
    progress : called after every trajectory

    Examples
    --------
    >>> from holdfast.bayes.potential import FunctionPotential
    >>> normal = FunctionPotential(lambda q: q.square().sum(1) / 2)
    >>> found = hmc_chains(normal, torch.zeros(4, 2), Trajectories(samples=500, warmup=100))
    >>> found.positions.shape, bool((found.positions.std((0, 1)) - 1).abs().max() < 0.1)
    (torch.Size([4, 500, 2]), True)
    """
    run = _Sampler(potential, start, settings, seeds)
    sizes = run.first_sizes()
    positions, energies, accepted, diverged = [], [], [], 0
    for iteration in range(settings.warmup + settings.samples):
        warm = iteration < settings.warmup
        now = (sizes.log_now if warm else sizes.log_mean).exp()
        accept, lost = run.trajectory(now)
        if not warm:
            positions.append(run.state.position)
            energies.append(run.state.energy.double())
            accepted.append(accept)
            diverged += int(lost.sum())
        elif settings.target_accept is not None:
            sizes = sizes.update(accept, settings.target_accept)
        if progress is not None:
            progress(
                Progress(
                    iteration=iteration + 1,
                    iterations=settings.warmup + settings.samples,
                    warmup=warm,
                    accept=float(accept.mean()),
                    step_size=float(now.mean()),
                    potential=float(run.state.energy.mean()),
                )
            )
    return Chains(
        positions=torch.stack(positions, 1),
        potential=torch.stack(energies, 1),
        accept=torch.stack(accepted).mean(0),
        step_size=sizes.log_mean.exp(),
        divergences=diverged,
    )


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
    steps : L, leapfrog steps of a trajectory; weights that the data hardly see are as wide as their prior, and only trajectories
        about as long, step size times L, forget them (compare `ess_logits` for two values)
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
    settings = Trajectories(
        samples=samples, warmup=warmup, steps=steps, step_size=step_size, target_accept=target_accept, jitter=jitter
    )
    potential = network_potential(model, data, prior=prior, likelihood=likelihood, batch_size=batch_size)
    seeds = Seeds(seed).child("hmc")
    start = start_chains(potential, prior=prior, chains=chains, init=init, init_steps=init_steps, init_lr=init_lr, seeds=seeds)
    found = hmc_chains(potential, start, settings, seeds=seeds, progress=progress)
    return posterior_of(found, potential, method="HMC")
