"""Half-moons in a plane of a larger space, half-moons that fill their space, and a regression whose posterior is known exactly."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from holdfast.attacks import ThreatModel, pgd
from holdfast.bayes import Posterior, cancellation_ratio, expected_input_gradient
from holdfast.bayes.geometry import orthogonal_to, split_gradient
from holdfast.core.estimate import exact, proportion
from holdfast.core.experiment import Measurement
from holdfast.data.examples import Examples
from holdfast.nets import mlp
from holdfast.studies.bayesian_robustness.recipes import tag
from holdfast.studies.bayesian_robustness.samples import Workshop, facts

if TYPE_CHECKING:
    from holdfast.bayes import CancellationTable
    from holdfast.core.estimate import Estimate
    from holdfast.core.experiment import Context, Point
    from holdfast.core.seeds import Seeds
    from holdfast.studies.bayesian_robustness.recipes import Moons, Plane, Regression

__all__ = ["half_moons", "measure_moons", "measure_plane", "measure_regression", "random_plane"]

FAR = (-9.0, 9.0)  # walls that no attack here reaches
SMALLEST, LARGEST = -1.28, 2.37  # coordinates of 30 000 points


def half_moons(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (n, 2) of two half-moons with noise 0.1, and their labels."""
    from sklearn.datasets import make_moons

    z, y = make_moons(n, noise=0.1, random_state=seed)
    return torch.tensor(z, dtype=torch.float32), torch.tensor(y)


def _centred(n: int, seed: int) -> Examples:
    """Half-moons in about [-1, 1], each coordinate by its own factor."""
    z, y = half_moons(n, seed)
    return Examples((z - torch.tensor([0.5, 0.25])) / torch.tensor([1.8, 1.05]), y)


def _as_published(n: int, seed: int) -> Examples:
    """Half-moons in [0, 1], both coordinates by one factor, as in the public code of arXiv:2002.04359."""
    z, y = half_moons(n, seed)
    return Examples((z - SMALLEST) / (LARGEST - SMALLEST), y)


def random_plane(dimension: int, seeds: Seeds, *, size: int = 2) -> torch.Tensor:
    """Orthonormal columns (dimension, size) of a random plane."""
    noise = seeds.numpy("plane").normal(size=(dimension, dimension))
    return torch.tensor(np.linalg.qr(noise)[0][:, :size], dtype=torch.float32)


def _net(inputs: int, hidden: tuple[int, ...], seed: int) -> nn.Module:
    return mlp(inputs, hidden=hidden, classes=2, activation=nn.LeakyReLU, seed=seed)


def _embedded(n: int, plane: torch.Tensor, seed: int) -> Examples:
    moons = _centred(n, seed)
    return Examples(moons.x @ plane.T, moons.y)


def measure_moons(recipe: Moons, point: Point, context: Context) -> Measurement:
    """Cancellation along and off the data, and the attack off the data, for one posterior."""
    plane = random_plane(recipe.dimension, context.seeds)
    train, test = (_embedded(n, plane, seed) for n, seed in ((recipe.examples, 1), (recipe.test, 2)))
    shop = Workshop(
        context, partial(_net, recipe.dimension, recipe.hidden), train, plan={"data": "moons", "hidden": list(recipe.hidden)}
    )
    post = _moons_posterior(shop, recipe, point["model"])
    test, plane = test.to(context.device), plane.to(context.device)
    at = [size for size in recipe.at if size <= len(post)]
    estimates: dict[str, Estimate] = {}
    for name in ("tangential", "orthogonal"):
        part = partial(_part, plane, name)
        estimates |= _table(cancellation_ratio(post, test.x, test.y, samples=at, part=part), name)
    right = post.log_predictive(test.x).argmax(1) == test.y
    arrays = {"right": right.cpu().numpy()}
    predictive = post.as_module()
    for distance in recipe.distances:
        threat = ThreatModel("l2", distance, bounds=FAR)
        found = pgd(predictive, test.x, test.y, threat, steps=20, random_start=False, grad_transform=(orthogonal_to(plane),))
        arrays[f"off.{tag(distance)}"] = (~found.success).cpu().numpy()
    estimates |= {name: _share(values) for name, values in arrays.items()}
    return Measurement(estimates=estimates, arrays=arrays, details=facts(post))


def _part(plane: torch.Tensor, name: str, gradient: torch.Tensor) -> torch.Tensor:
    return getattr(split_gradient(gradient, plane), name)


def _moons_posterior(shop: Workshop, recipe: Moons, model: str) -> Posterior:
    if model == "hmc":
        return shop.chains(recipe.hmc)
    if model == "vi":
        return shop.variational(recipe.vi)
    members = shop.members(recipe.members, epochs=recipe.epochs, lr=recipe.lr, batch_size=recipe.batch_size)
    return members if model == "ensemble" else members.take([0])


def _share(hits: np.ndarray) -> Estimate:
    return proportion(int(hits.sum()), len(hits))


def _table(table: CancellationTable, name: str) -> dict[str, Estimate]:
    """The estimates of a cancellation table, by name of the part that was looked at."""
    found = {f"{name}.single": table.single_norm}
    for row in table.rows:
        found |= {f"{name}.r{row.samples}": row.ratio, f"{name}.norm{row.samples}": row.mean_norm}
        found[f"{name}.largest{row.samples}"] = row.largest
    if len(table.rows) > 1:
        found[f"{name}.slope"] = table.slope
    return found


def measure_plane(recipe: Plane, point: Point, context: Context) -> Measurement:
    """Expected gradients at test points of half-moons that fill their plane, after training on so many of them."""
    n = int(point["examples"])
    train, test = (_as_published(size, seed) for size, seed in ((n, 1), (recipe.test, 2)))
    shop = Workshop(context, partial(_net, 2, recipe.hidden), train, plan={"data": "plane", "n": n, "hidden": list(recipe.hidden)})
    post = shop.chains(recipe.hmc)
    test = test.to(context.device)
    table = cancellation_ratio(post, test.x, test.y, samples=(1, len(post)))
    right = (post.log_predictive(test.x).argmax(1) == test.y).cpu().numpy()
    whole = table.rows[-1]
    estimates = {"single": table.single_norm, "norm": whole.mean_norm, "ratio": whole.ratio, "accuracy": _share(right)}
    lengths = expected_input_gradient(post, test.x, test.y).norm.cpu().numpy()
    return Measurement(estimates=estimates, arrays={"right": right, "norm": lengths}, details=facts(post))


def measure_regression(recipe: Regression, context: Context) -> Measurement:
    r"""How gradients off the data cancel under exact posterior draws of :math:`y = w \cdot x` with unit noise and prior."""
    plane = random_plane(recipe.dimension, context.seeds, size=recipe.seen)
    draw = context.seeds.torch("regression")
    x = torch.randn(recipe.examples, recipe.seen, generator=draw) @ plane.T
    y = x.sum(1) + torch.randn(recipe.examples, generator=draw)
    precision = (x.T @ x + torch.eye(recipe.dimension)).double()
    mean = torch.linalg.solve(precision, (x.T @ y).double())
    factor = torch.linalg.cholesky(precision)

    def sampler(samples: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        noise = torch.randn(recipe.dimension, samples, generator=generator, dtype=torch.float64)
        drawn = mean[:, None] + torch.linalg.solve_triangular(factor.T, noise, upper=True)
        return {"weight": drawn.T[:, None].float()}

    post = Posterior.from_sampler(
        nn.Linear(recipe.dimension, 1, bias=False), sampler, samples=recipe.samples, method="exact", generator=draw
    )
    off = partial(_part, plane, "orthogonal")
    settings: dict[str, Any] = {"samples": recipe.at, "loss": _half_square, "part": off}
    table = cancellation_ratio(post, x, torch.zeros(len(x), dtype=torch.long), **settings)
    return Measurement(estimates=_table(table, "orthogonal") | {"samples": exact(len(post))}, details=facts(post))


def _half_square(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    del y
    return outputs[:, 0].square() / 2
