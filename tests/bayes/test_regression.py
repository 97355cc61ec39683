"""Linear regression: draws of a posterior that is known in closed form, and how their gradients cancel off the data."""

import numpy as np
import pytest
import torch

from holdfast.bayes import cancellation_ratio, linear_regression, split_gradient
from holdfast.core.errors import InputError
from holdfast.data import random_plane


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def line():
    draw = generator(5)
    x = torch.randn(30, 3, generator=draw)
    return x, x @ torch.tensor([1.0, -2.0, 0.5]) + 0.5 * torch.randn(30, generator=draw)


@pytest.mark.parametrize(("noise", "std"), [(1.0, 1.0), (0.5, 3.0)])
def test_draws_have_the_mean_and_the_covariance_of_the_posterior(line, noise, std):
    # 3 means and 6 covariances within 6 standard errors: a false alarm in 2e-8 of draws
    x, y = line
    covariance = torch.linalg.inv((x.T @ x).double() / noise**2 + torch.eye(3) / std**2)
    mean = covariance @ (x.T @ y).double() / noise**2
    w = linear_regression(x, y, samples=20_000, generator=generator(), noise=noise, prior_std=std).params["weight"][:, 0].double()
    error = covariance.diagonal().sqrt()
    assert bool(((w.mean(0) - mean).abs() < 6 * error / 20_000**0.5).all())
    spread = (2 * error[:, None].square() * error.square() / 20_000).sqrt()  # at most, for a product of two normal numbers
    assert bool(((torch.cov(w.T) - covariance).abs() < 6 * spread).all())


def test_a_direction_without_data_keeps_its_prior():
    # 40 000 draws: the standard deviation of a deviation is 1 / sqrt(80 000) = 0.0035; 0.02 is 5.6 of these
    x = torch.tensor([[1.0, 0.0], [2.0, 0.0]])
    w = linear_regression(x, x[:, 0], samples=40_000, generator=generator(), prior_std=2.0).params["weight"][:, 0, 1]
    assert float(w.std()) == pytest.approx(2.0, rel=0.02)


def test_gradients_off_the_data_cancel_as_one_over_the_root_of_the_number_of_draws():
    # 16 groups of up to 256 draws in 18 dimensions: the root mean square of a length has a relative deviation of
    # 1 / sqrt(2 * 16 * 18) = 0.04; over log(256) = 5.5 that is at most 0.015 in the slope, and 0.08 is beyond 5 of these
    plane, draw = random_plane(20, generator=np.random.default_rng(0)), generator(1)
    x = torch.randn(100, 2, generator=draw) @ plane.T
    post = linear_regression(x, x.sum(1), samples=4096, generator=draw)
    table = cancellation_ratio(
        post,
        x,
        torch.zeros(100, dtype=torch.long),
        samples=(1, 4, 16, 64, 256),
        loss=lambda outputs, _: outputs[:, 0].square() / 2,
        part=lambda g: split_gradient(g, plane).orthogonal,
    )
    assert table.slope.value == pytest.approx(-0.5, abs=0.08)
    assert table.rows[-1].ratio.value < 0.1


def test_fresh_draws_are_others_and_the_global_stream_is_left_alone(line):
    before = torch.random.get_rng_state()
    post = linear_regression(*line, samples=10, generator=generator())
    assert torch.equal(torch.random.get_rng_state(), before)
    fresh = post.resample(10, generator(1))
    assert len(fresh) == len(post) == 10
    assert not torch.equal(fresh.params["weight"], post.params["weight"])


def test_precision_follows_the_inputs(line):
    x, y = (part.double() for part in line)
    assert linear_regression(x, y, samples=3, generator=generator()).logits(x).dtype == torch.float64


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"y": torch.zeros(4)}, r"\(4,\) for x \(30, 3\)"),
        ({"x": torch.full((30, 3), torch.nan)}, "`x` holds 90 values"),
        ({"noise": 0.0}, "noise"),
        ({"prior_std": -1.0}, "prior_std"),
        ({"samples": 0}, "samples"),
    ],
)
def test_bad_input(line, change, part):
    given = {"x": line[0], "y": line[1], "samples": 5, "generator": generator()} | change
    with pytest.raises(InputError, match=part):
        linear_regression(given.pop("x"), given.pop("y"), **given)
