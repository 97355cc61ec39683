r"""Stochastic gradient Hamiltonian Monte Carlo: a posterior from mini-batches, without rejections.

.. math:: v \leftarrow (1 - \alpha)\, v - e^2 \nabla \tilde U(w) + \sqrt{2 (\alpha - \beta)}\, e\, \xi, \qquad w \leftarrow w + v

where :math:`\tilde U` estimates the potential from a mini-batch and :math:`\xi \sim N(0, I)`. Friction takes out the heat that the
noise of the gradient brings; the rest is a bias that shrinks with the step size e, as no step is ever rejected: compare two.
Source: T. Chen, E. B. Fox and C. Guestrin, arXiv:1402.4102, equation (15).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import torch

from holdfast.bayes.chains import Init, Kernel, Report, posterior_of, run_chains, start_chains
from holdfast.bayes.potential import Likelihood, LikelihoodName, network_potential
from holdfast.bayes.streams import Streams, draw_normal
from holdfast.core.checks import check_whole, check_within, refuse
from holdfast.core.seeds import Seeds

if TYPE_CHECKING:
    from torch import nn

    from holdfast.bayes.posterior import Posterior
    from holdfast.bayes.prior import Prior
    from holdfast.data.examples import Examples

__all__ = ["MiniBatches", "NoisyPotential", "SGHMCSettings", "SGHMCState", "build", "init", "sghmc", "update"]


class NoisyPotential(Protocol):
    """An energy that can be estimated from some of the examples, e.g. a :class:`~holdfast.bayes.potential.NetworkPotential`."""

    @property
    def x(self) -> torch.Tensor:
        """All examples (N, ...)."""

    def estimate(self, q: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies (C,) of the points `q` (C, P) and their gradients (C, P), without bias from the examples `rows`."""


@dataclass(frozen=True, kw_only=True)
class SGHMCSettings:
    """How chains with friction run; each field as in :func:`sghmc`."""

    samples: int
    warmup: int
    steps: int = 10
    step_size: float = 1e-3
    friction: float = 0.1
    noise: float = 0.0
    batch_size: int = 128

    def __post_init__(self) -> None:
        for name, low in (("samples", 1), ("warmup", 0), ("steps", 1), ("batch_size", 1)):
            check_whole(getattr(self, name), name, low=low)
        check_within(self.step_size, "step_size", low=0.0, low_open=True)
        check_within(self.friction, "friction", low=0.0, high=1.0, low_open=True)
        if not 0 <= self.noise < self.friction:
            refuse("noise", f"is {self.noise}", allowed=f"numbers from 0 to less than the friction, {self.friction}")


@dataclass(frozen=True)
class MiniBatches:
    """Rows of mini-batches without end; every pass over the examples is in a new order, its remainder left out.

    Parameters
    ----------
    order : tensor (N,), of the current pass
    size : rows of a mini-batch
    taken : rows of this pass that are used
    stream : draws the next order
    """

    order: torch.Tensor
    size: int
    taken: int
    stream: Streams

    @classmethod
    def start(cls, examples: int, size: int, generator: torch.Generator) -> MiniBatches:
        """Before the first mini-batch."""
        order = torch.randperm(examples, generator=generator)
        return cls(order, min(size, examples), 0, Streams.of([generator]))

    def next(self) -> tuple[torch.Tensor, MiniBatches]:
        """The rows of one mini-batch, and what is left."""
        batches, end = self, self.taken + self.size
        if end > len(self.order):
            (generator,) = self.stream.generators()
            batches, end = MiniBatches.start(len(self.order), self.size, generator), self.size
        return batches.order[end - self.size : end], replace(batches, taken=end)


@dataclass(frozen=True, kw_only=True)
class SGHMCState:
    """Where chains with friction are after an update, and what the next one needs.

    Parameters
    ----------
    position, velocity, gradient : tensors (C, P)
    energy : tensor (C,), estimated from the last mini-batch
    streams : of random numbers, one per chain
    batches : the mini-batches that all chains share
    iteration : updates so far
    step_size, diverged : tensors (C,)
    accept : empty, as nothing is rejected
    """

    position: torch.Tensor
    velocity: torch.Tensor
    gradient: torch.Tensor
    energy: torch.Tensor
    streams: Streams
    batches: MiniBatches
    iteration: int
    step_size: torch.Tensor
    diverged: torch.Tensor
    accept: torch.Tensor


def build(potential: NoisyPotential, settings: SGHMCSettings, *, seeds: Seeds = Seeds(0)) -> Kernel[SGHMCState]:  # noqa: B008 - frozen
    """Stochastic gradient Hamiltonian Monte Carlo on a potential that mini-batches estimate.

    Its chains (:func:`~holdfast.bayes.chains.run_chains`) leave energies that are estimates from one mini-batch each.

    Parameters
    ----------
    potential : the energy
    settings : how the chains run
    seeds : of noise and mini-batches; each chain has its own noise, all share the mini-batches
    """
    return Kernel(
        settings=settings,
        init=lambda start: init(potential, start, settings, seeds=seeds),
        update=lambda state: update(potential, state, settings),
    )


def init(potential: NoisyPotential, start: torch.Tensor, settings: SGHMCSettings, *, seeds: Seeds) -> SGHMCState:
    """The state of chains at `start` (C, P), before their first update."""
    draws = [seeds.torch("noise", chain, device=str(start.device)) for chain in range(len(start))]
    rows, batches = MiniBatches.start(len(potential.x), settings.batch_size, seeds.torch("batches")).next()
    velocity = draw_normal(draws, start).mul_(settings.step_size)
    energy, gradient = potential.estimate(start, rows.to(start.device))
    return SGHMCState(
        position=start.clone(),
        velocity=velocity,
        gradient=gradient,
        energy=energy,
        streams=Streams.of(draws),
        batches=batches,
        iteration=0,
        step_size=torch.full((len(start),), settings.step_size),
        diverged=torch.zeros(len(start), dtype=torch.bool),
        accept=torch.empty(0),
    )


def update(potential: NoisyPotential, state: SGHMCState, settings: SGHMCSettings) -> SGHMCState:
    """The state after `settings.steps` steps of all chains."""
    e, heat = settings.step_size, math.sqrt(2 * (settings.friction - settings.noise)) * settings.step_size
    draws, batches = state.streams.generators(), state.batches
    place, velocity, gradient = state.position.clone(), state.velocity.clone(), state.gradient
    for _ in range(settings.steps):
        velocity.mul_(1 - settings.friction).sub_(gradient, alpha=e**2).add_(draw_normal(draws, place), alpha=heat)
        place.add_(velocity)
        rows, batches = batches.next()
        energy, gradient = potential.estimate(place, rows.to(place.device))
    iteration = state.iteration + 1
    if not bool(energy.isfinite().all()):
        raise FloatingPointError(f"the potential became NaN or infinite in iteration {iteration}: lower `step_size` (now {e:g}).")
    return replace(
        state,
        position=place,
        velocity=velocity,
        gradient=gradient,
        energy=energy,
        streams=Streams.of(draws),
        batches=batches,
        iteration=iteration,
    )


@torch.inference_mode(mode=False)
@torch.enable_grad()
def sghmc(  # noqa: PLR0913 - every argument is a setting that a user chooses by name
    model: nn.Module,
    data: Examples | tuple[torch.Tensor, torch.Tensor],
    *,
    prior: Prior,
    likelihood: LikelihoodName | Likelihood = "categorical",
    samples: int,
    warmup: int,
    steps: int = 10,
    step_size: float = 1e-3,
    friction: float = 0.1,
    noise: float = 0.0,
    batch_size: int = 128,
    chains: int = 4,
    init: Init = "map",
    init_steps: int = 150,
    init_lr: float = 0.02,
    seed: int = 0,
    progress: Report | None = None,
) -> Posterior:
    r"""Samples of the posterior of a network's weights by stochastic gradient Hamiltonian Monte Carlo.

    Parameters
    ----------
    model, data, prior, likelihood, chains, init, init_steps, init_lr, seed : as in :func:`~holdfast.bayes.hmc`
    samples : kept draws of each chain
    warmup : as many draws before them, not kept
    steps : updates from one draw to the next
    step_size : e, in units of the weights as in :func:`~holdfast.bayes.hmc`; the learning rate of the source is :math:`e^2`
    friction : :math:`\alpha` in (0, 1], one less the momentum
    noise : :math:`\beta`, the estimate of the heat from the gradient's noise, in [0, friction)
    batch_size : examples per update
    progress : called after every draw

    Returns
    -------
    Posterior of ``chains * samples`` draws in chain-major order, with diagnostics (nothing is rejected: `accept` is empty)

    Raises
    ------
    InputError : see :func:`~holdfast.bayes.potential.check_data` and :func:`~holdfast.bayes.posterior.check_mode`
    FloatingPointError : the step size is too large for the potential

    Examples
    --------
    >>> from holdfast.bayes import Prior
    >>> from holdfast.nets import mlp
    >>> x = torch.rand(40, 2)
    >>> post = sghmc(mlp(2, hidden=(4,), classes=2), (x, (x[:, 0] > 0.5).long()), prior=Prior(), samples=10, warmup=10, chains=2)
    >>> len(post), post.method
    (20, 'SGHMC')
    """
    settings = SGHMCSettings(
        samples=samples,
        warmup=warmup,
        steps=steps,
        step_size=step_size,
        friction=friction,
        noise=noise,
        batch_size=batch_size,
    )
    potential = network_potential(model, data, prior=prior, likelihood=likelihood)
    seeds = Seeds(seed).child("sghmc")
    start = start_chains(potential, prior=prior, chains=chains, init=init, init_steps=init_steps, init_lr=init_lr, seeds=seeds)
    found = run_chains(build(potential, settings, seeds=seeds), start, progress=progress)
    return posterior_of(found, potential, method="SGHMC")
