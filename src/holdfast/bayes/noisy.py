r"""Noisy hardware as a posterior: a network on S chips is S samples of its weights, so everything here evaluates it.

Such weights were not inferred from data, but the question is the same: what happens to a prediction averaged over random weights,
to its input gradients, and under attack? The chips are those of :mod:`holdfast.hardware`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from holdfast.bayes.posterior import Posterior
from holdfast.core.checks import check_whole
from holdfast.hardware import chip, chip_seed, weight_draws

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

__all__ = ["device_posterior", "noisy_posterior"]

LAST_CHIP = 2**62


def noisy_posterior(
    model: nn.Module,
    *,
    sigma: float,
    mode: Literal["additive", "multiplicative"] = "additive",
    samples: int = 20,
    seed: int = 0,
    everything: bool = False,
) -> Posterior:
    """A network whose memory cells hold each weight with a Gaussian error, on a number of chips.

    Sample s is chip s of :func:`~holdfast.hardware.weight_noise` under the same settings; ``resample`` makes other chips.

    Parameters
    ----------
    model : network, unchanged, in evaluation mode if it has dropout or batch normalisation
    sigma, mode, seed, everything : as in :func:`~holdfast.hardware.weight_noise`
    samples : number of chips, >= 1

    Examples
    --------
    >>> from holdfast.nets import mlp
    >>> post = noisy_posterior(mlp(4, classes=3), sigma=0.1, samples=5)
    >>> len(post), sorted(post.params)
    (5, ['fc1.weight', 'head.weight'])
    """
    draw = weight_draws(model, sigma=sigma, mode=mode, seed=seed, everything=everything)
    return _of_chips(model, draw, samples, method="weight noise")


def device_posterior(model: nn.Module, *, samples: int = 20, seed: int = 0) -> Posterior:
    """A network with layers of devices, carried with its weights to a number of other chips.

    Sample s is chip s of :func:`~holdfast.hardware.other_chips` under the same seed; ``resample`` makes other chips.

    Parameters
    ----------
    model : with layers of devices, e.g. from :func:`~holdfast.hardware.hardware_activations`
    samples : number of chips, >= 1
    seed : of the chips
    """
    return _of_chips(model, lambda number: chip(model, chip_seed(seed, number)), samples, method="device spread")


def _of_chips(model: nn.Module, draw: Callable[[int], Mapping[str, torch.Tensor]], samples: int, *, method: str) -> Posterior:
    """The chips 0 ... samples - 1 as a posterior; fresh draws are chips of random numbers beyond."""
    check_whole(samples, "samples", low=1)

    def stacked(numbers: list[int]) -> dict[str, torch.Tensor]:
        drawn = [draw(number) for number in numbers]
        return {name: torch.stack([tensors[name] for tensors in drawn]) for name in drawn[0]}

    def fresh(count: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return stacked(torch.randint(samples, LAST_CHIP, (count,), generator=generator, device=generator.device).tolist())

    return Posterior(model=model, params=stacked(list(range(samples))), method=method, sampler=fresh)
