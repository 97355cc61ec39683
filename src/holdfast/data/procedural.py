"""Synthetic point sets whose geometry is known: half-moons, and any points placed on a random plane of a larger space."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from holdfast.core.checks import check_one_of, check_whole, check_within, refuse
from holdfast.data.examples import Examples

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["embed", "half_moons", "random_plane"]

Scaling = Literal["none", "centred", "box"]
SMALLEST, LARGEST = -1.28, 2.37  # coordinates of 30 000 points with noise 0.1
SCALINGS: Mapping[str, tuple[tuple[float, float], tuple[float, float]]] = {  # what is taken away, what divides
    "none": ((0.0, 0.0), (1.0, 1.0)),
    "centred": ((0.5, 0.25), (1.8, 1.05)),
    "box": ((SMALLEST, SMALLEST), (LARGEST - SMALLEST, LARGEST - SMALLEST)),
}


def half_moons(n: int, *, seed: int = 0, noise: float = 0.1, scaling: Scaling = "none") -> Examples:
    """Two interleaved half circles of radius 1 with normal noise, one class each.

    Parameters
    ----------
    n : points, >= 2; half of them of each class
    seed : of the noise and the order
    noise : standard deviation in each coordinate, >= 0
    scaling : ``"none"``; ``"centred"``, each coordinate by its own factor into about [-1, 1]; ``"box"``, both coordinates by one
        factor into [0, 1] for a noise of 0.1, as in the public code of arXiv:2002.04359

    Returns
    -------
    Examples with x (n, 2), float32

    Examples
    --------
    >>> moons = half_moons(100, scaling="box")
    >>> moons.x.shape, moons.y.bincount().tolist()
    (torch.Size([100, 2]), [50, 50])
    """
    from sklearn.datasets import make_moons

    check_within(noise, "noise", low=0.0)
    origin, factor = map(torch.tensor, SCALINGS[check_one_of(scaling, "scaling", allowed=SCALINGS)])
    points, labels = make_moons(check_whole(n, "n", low=2), noise=noise, random_state=check_whole(seed, "seed"))
    x = torch.tensor(points, dtype=torch.float32)
    return Examples((x - origin) / factor, torch.tensor(labels), classes=2, name="half-moons")


def random_plane(dimension: int, *, size: int = 2, generator: np.random.Generator) -> torch.Tensor:
    """Orthonormal columns (dimension, size) that span a random plane; fewer columns of one generator are the first of more.

    Parameters
    ----------
    dimension : of the space, >= size
    size : of the plane, >= 1
    generator : of the directions

    Examples
    --------
    >>> plane = random_plane(20, generator=np.random.default_rng(0))
    >>> torch.allclose(plane.T @ plane, torch.eye(2), atol=1e-6)
    True
    """
    check_whole(size, "size", low=1, high=check_whole(dimension, "dimension", low=1))
    noise = generator.normal(size=(dimension, dimension))
    return torch.tensor(np.linalg.qr(noise)[0][:, :size], dtype=torch.float32)


def embed(examples: Examples, plane: torch.Tensor) -> Examples:
    """The examples (n, k) as points (n, d) of a larger space, on the plane that the columns of `plane` (d, k) span.

    Examples
    --------
    >>> embed(half_moons(100), random_plane(20, generator=np.random.default_rng(0))).x.shape
    torch.Size([100, 20])
    """
    if examples.x.ndim != 2 or plane.ndim != 2 or plane.shape[1] != examples.x.shape[1]:
        refuse(
            "plane",
            f"has shape {tuple(plane.shape)} for examples of shape {tuple(examples.x.shape)}",
            allowed="(d, k) for examples (n, k)",
        )
    return replace(examples, x=examples.x @ plane.T)
