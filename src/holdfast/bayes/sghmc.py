r"""Stochastic gradient Hamiltonian Monte Carlo: a posterior from mini-batches, without rejections.

.. math:: v \leftarrow (1 - \alpha)\, v - e^2 \nabla \tilde U(w) + \sqrt{2 (\alpha - \beta)}\, e\, \xi, \qquad w \leftarrow w + v

where :math:`\tilde U` estimates the potential from a mini-batch and :math:`\xi \sim N(0, I)`. Friction takes out the heat that the
noise of the gradient brings; the rest is a bias that shrinks with the step size e, as no step is ever rejected: compare two.
Source: T. Chen, E. B. Fox and C. Guestrin, arXiv:1402.4102, equation (15).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from holdfast.bayes.chains import Chains, Init, Progress, posterior_of, start_chains
from holdfast.bayes.potential import Likelihood, LikelihoodName, network_potential
from holdfast.core.checks import check_whole, check_within, refuse
from holdfast.core.seeds import Seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import nn

    from holdfast.bayes.posterior import Posterior
    from holdfast.bayes.prior import Prior
    from holdfast.data.examples import Examples

__all__ = ["Frictions", "NoisyPotential", "sghmc", "sghmc_chains"]


class NoisyPotential(Protocol):
    """An energy that can be estimated from some of the examples, e.g. a :class:`~holdfast.bayes.potential.NetworkPotential`."""

    @property
    def x(self) -> torch.Tensor:
        """All examples (N, ...)."""

    def estimate(self, q: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies (C,) of the points `q` (C, P) and their gradients (C, P), without bias from the examples `rows`."""


@dataclass(frozen=True, kw_only=True)
class Frictions:
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


def sghmc_chains(
    potential: NoisyPotential,
    start: torch.Tensor,
    settings: Frictions,
    *,
    seeds: Seeds = Seeds(0),  # noqa: B008 - frozen
    progress: Callable[[Progress], None] | None = None,
) -> Chains:
    """Stochastic gradient Hamiltonian Monte Carlo on a potential that mini-batches estimate.

    Parameters
    ----------
    potential : the energy
    start : tensor (C, P), where the chains begin
    settings : how they run
    seeds : of noise and mini-batches; each chain has its own noise, all share the mini-batches
    progress : called after every `steps` updates

    Returns
    -------
    Chains whose energies are estimates from one mini-batch each
    """
    draws = [seeds.torch("noise", chain, device=str(start.device)) for chain in range(len(start))]
    batches = _batches(len(potential.x), settings.batch_size, seeds.torch("batches"))
    e, heat = settings.step_size, math.sqrt(2 * (settings.friction - settings.noise)) * settings.step_size
    place, velocity = start.clone(), _normal(start, draws).mul_(e)
    positions, energies = [], []
    energy, gradient = potential.estimate(place, next(batches).to(place.device))
    for iteration in range(settings.warmup + settings.samples):
        for _ in range(settings.steps):
            velocity.mul_(1 - settings.friction).sub_(gradient, alpha=e**2).add_(_normal(start, draws), alpha=heat)
            place.add_(velocity)
            energy, gradient = potential.estimate(place, next(batches).to(place.device))
        if not bool(energy.isfinite().all()):
            raise FloatingPointError(
                f"the potential became NaN or infinite in iteration {iteration + 1}: lower `step_size` (now {e:g})."
            )
        if iteration >= settings.warmup:
            positions.append(place.clone())
            energies.append(energy.double())
        if progress is not None:
            progress(
                Progress(
                    iteration=iteration + 1,
                    iterations=settings.warmup + settings.samples,
                    warmup=iteration < settings.warmup,
                    accept=math.nan,
                    step_size=e,
                    potential=float(energy.mean()),
                )
            )
    return Chains(
        positions=torch.stack(positions, 1),
        potential=torch.stack(energies, 1),
        accept=torch.empty(0),
        step_size=torch.full((len(start),), e),
        divergences=0,
    )


def _batches(examples: int, size: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Rows of mini-batches without end; every pass over the examples is in a new order, its remainder left out."""
    size = min(size, examples)
    while True:
        order = torch.randperm(examples, generator=generator)
        yield from order[: examples - examples % size].split(size)


def _normal(like: torch.Tensor, draws: list[torch.Generator]) -> torch.Tensor:
    row = like[0]
    return torch.stack([torch.randn(row.shape, generator=draw, dtype=row.dtype, device=row.device) for draw in draws])


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
    progress: Callable[[Progress], None] | None = None,
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
    settings = Frictions(
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
    found = sghmc_chains(potential, start, settings, seeds=seeds, progress=progress)
    return posterior_of(found, potential, method="SGHMC")
