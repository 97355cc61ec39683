"""Markov chains in a flat space: where they begin, how any kernel moves them, and the posterior and diagnostics of their draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar

import numpy as np
import torch

from holdfast.bayes.diagnostics import FEWEST, HIGH_QUANTILE, Diagnostics, bulk_ess, centred_logits, split_rhat
from holdfast.bayes.posterior import Posterior
from holdfast.bayes.potential import categorical
from holdfast.core.checks import check_finite, check_one_of, check_whole, refuse
from holdfast.core.seeds import Seeds
from holdfast.nets import stacked_predict

if TYPE_CHECKING:
    from holdfast.bayes.potential import NetworkPotential
    from holdfast.bayes.prior import Prior

__all__ = ["ChainState", "Chains", "Init", "Kernel", "Progress", "Report", "descend", "posterior_of", "run_chains", "start_chains"]

Init = Literal["map", "prior"] | Mapping[str, torch.Tensor]
INSPECTED = 100  # examples whose logits are compared between chains


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a sampler stands, for a progress report.

    Parameters
    ----------
    iteration, iterations : of the kept draw or warm-up step, from 1, and how many there are in all
    warmup : whether this is the warm-up
    accept, step_size, potential : means over chains of this iteration
    """

    iteration: int
    iterations: int
    warmup: bool
    accept: float
    step_size: float
    potential: float


Report = Callable[[Progress], None]


class ChainState(Protocol):
    """The part of a state that all kernels share, after an update of C chains."""

    @property
    def position(self) -> torch.Tensor:
        """Points (C, P)."""

    @property
    def energy(self) -> torch.Tensor:
        """The potential, or its estimate, at these points (C,)."""

    @property
    def step_size(self) -> torch.Tensor:
        """Of the last update (C,)."""

    @property
    def accept(self) -> torch.Tensor:
        """Acceptance probabilities of the last update (C,); empty where nothing is rejected."""

    @property
    def diverged(self) -> torch.Tensor:
        """Boolean (C,), the last update diverged."""


S = TypeVar("S", bound=ChainState)


class Lengths(Protocol):
    """How long chains run."""

    @property
    def samples(self) -> int:
        """Kept draws of each chain, >= 1."""

    @property
    def warmup(self) -> int:
        """Updates before them."""


@dataclass(frozen=True, kw_only=True)
class Kernel(Generic[S]):
    """A sampler on one potential: two pure functions, and how long its chains run.

    Parameters
    ----------
    settings : with `samples` and `warmup`
    init : from starts (C, P) to the state before the first update
    update : from a state to the next one; the same state gives the same next state
    """

    settings: Lengths
    init: Callable[[torch.Tensor], S]
    update: Callable[[S], S]


@dataclass(frozen=True, kw_only=True)
class Chains:
    """C chains of T draws.

    Parameters
    ----------
    positions : tensor (C, T, P)
    potential : tensor (C, T), the energy at each of them
    accept : tensor (C,), mean acceptance rates; empty where nothing is rejected
    step_size : tensor (C,)
    divergences : trajectories whose energy error exceeded 1000
    """

    positions: torch.Tensor
    potential: torch.Tensor
    accept: torch.Tensor
    step_size: torch.Tensor
    divergences: int


def start_chains(
    potential: NetworkPotential, *, prior: Prior, chains: int, init: Init, init_steps: int, init_lr: float, seeds: Seeds
) -> torch.Tensor:
    """Points (C, P) where chains begin: each its own draw of the prior, with ``"map"`` after some steps downhill.

    The draw of a chain depends on its number alone, not on how many chains there are.
    """
    check_whole(chains, "chains", low=1)
    layout = potential.layout
    if isinstance(init, Mapping):
        counts = {name: tuple(values.shape) for name, values in init.items()}
        wanted = {name: (chains, *shape) for name, shape in layout.shapes.items()}
        if counts != wanted:
            refuse("init", f"has shapes {counts}", allowed=f"one value per chain and parameter: {wanted}")
        start = layout.flatten(init).detach().clone().to(potential.precision)
        check_finite(start, "init")
        return start
    check_one_of(init, "init", allowed=("map", "prior"))
    device = str(potential.precision.device)
    drawn = [prior.draw(potential.model, 1, seeds.torch("start", chain, device=device)) for chain in range(chains)]
    start = torch.cat([layout.flatten(one) for one in drawn])
    return descend(potential, start, steps=init_steps, lr=init_lr) if init == "map" else start


def run_chains(kernel: Kernel[S], start: torch.Tensor, *, progress: Report | None = None) -> Chains:
    """The draws of all chains from `start` (C, P); one per update, those of the warm-up left out.

    Parameters
    ----------
    kernel : from `build` of :mod:`holdfast.bayes.hmc` or :mod:`holdfast.bayes.sghmc`
    start : where the chains begin
    progress : called after every update

    Examples
    --------
    >>> from holdfast.bayes.hmc import HMCSettings, build
    >>> from holdfast.bayes.potential import FunctionPotential
    >>> normal = FunctionPotential(lambda q: q.square().sum(1) / 2)
    >>> found = run_chains(build(normal, HMCSettings(samples=500, warmup=100)), torch.zeros(4, 2))
    >>> found.positions.shape, bool((found.positions.std((0, 1)) - 1).abs().max() < 0.1)
    (torch.Size([4, 500, 2]), True)
    """
    warmup = kernel.settings.warmup
    iterations = warmup + kernel.settings.samples
    state, kept = kernel.init(start), []
    for iteration in range(iterations):
        state = kernel.update(state)
        if iteration >= warmup:
            kept.append((state.position, state.energy.double(), state.accept, state.diverged))
        if progress is not None:
            means = {"accept": state.accept, "step_size": state.step_size, "potential": state.energy}
            told = {name: float(values.mean()) for name, values in means.items()}
            progress(Progress(iteration=iteration + 1, iterations=iterations, warmup=iteration < warmup, **told))
    positions, energies, accepted, diverged = zip(*kept, strict=True)
    return Chains(
        positions=torch.stack(positions, 1),
        potential=torch.stack(energies, 1),
        accept=torch.stack(accepted).mean(0),
        step_size=state.step_size,
        divergences=int(torch.stack(diverged).sum()),
    )


def descend(potential: NetworkPotential, start: torch.Tensor, *, steps: int, lr: float) -> torch.Tensor:
    """Points (C, P) after `steps` steps of Adam on the potential per example."""
    check_whole(steps, "init_steps", low=0)
    place = start.clone()
    update = torch.optim.Adam([place], lr=lr)
    for _ in range(steps):
        place.grad = potential.gradient(place).div_(len(potential.x))
        update.step()
    return place


def posterior_of(found: Chains, potential: NetworkPotential, *, method: str) -> Posterior:
    """The posterior of all draws in chain-major order, with diagnostics on some of the examples.

    These are drawn at random, always the same for one number of examples: the first may all be of one class.
    """
    params = potential.layout.unflatten(found.positions.flatten(0, 1))
    params = {name: values.contiguous() for name, values in params.items()}
    chains, length = found.potential.shape
    some = torch.randperm(len(potential.x), generator=Seeds(0).torch("inspected"))[:INSPECTED].to(potential.x.device)
    logits = stacked_predict(potential.model, params, potential.x[some]).cpu().double().numpy()
    answers = centred_logits(logits) if potential.likelihood is categorical else logits
    answers = answers.reshape(chains, length, *logits.shape[1:])
    diagnostics = _diagnose(found, found.potential.cpu().numpy(), answers)
    return Posterior(model=potential.model, params=params, chains=chains, method=method, diagnostics=diagnostics)


def _diagnose(found: Chains, potential: np.ndarray, answers: np.ndarray) -> Diagnostics:
    chains, length = potential.shape
    rhat = split_rhat(answers) if length >= FEWEST else np.full(1, math.nan)
    return Diagnostics(
        accept=tuple(found.accept.tolist()),
        step_size=tuple(found.step_size.tolist()),
        rhat_potential=float(split_rhat(potential)) if length >= FEWEST else math.nan,
        ess_potential=float(bulk_ess(potential)) if length >= FEWEST else math.nan,
        rhat_logits=float(np.median(rhat)),
        ess_logits=float(np.median(bulk_ess(answers))) if length >= FEWEST else math.nan,
        worst_rhat_logits=float(rhat.max()),
        high_rhat_logits=float(np.quantile(rhat, HIGH_QUANTILE)),
        divergences=found.divergences,
        chains=chains,
        samples=length,
    )
