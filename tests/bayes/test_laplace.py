"""Laplace approximations: exact for regression, the Hessian of logistic regression, structures that agree, bad input."""

import math

import pytest
import torch
from torch import nn

from holdfast.bayes import Prior
from holdfast.bayes.laplace import laplace
from holdfast.bayes.potential import gaussian, network_potential
from holdfast.core.errors import InputError
from holdfast.nets import mlp, predict, seeded, tiny_cnn, weights_digest

DRAWS = 40_000  # a standard deviation has a relative error of 1/sqrt(2 DRAWS) = 0.35 %; 2.2 % is more than 6 of them


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def regression():
    """A linear network at the posterior mean of a regression with noise 0.5, in double precision; data, mean and precision."""
    x = torch.randn(60, 3, generator=generator(), dtype=torch.float64) @ torch.tensor(
        [[1.0, 0.8, 0.0], [0.0, 0.6, 0.5], [0.0, 0.0, 1.0]], dtype=torch.float64
    )
    wide = torch.cat([x, torch.ones(60, 1, dtype=torch.float64)], 1)
    y = wide @ torch.tensor([[1.0], [-0.5], [0.2], [0.7]], dtype=torch.float64)
    y = y + 0.5 * torch.randn(60, 1, generator=generator(1), dtype=torch.float64)
    precision = torch.eye(4, dtype=torch.float64) / 4 + wide.T @ wide / 0.25  # a prior of deviation 2
    mean = torch.linalg.solve(precision, wide.T @ y / 0.25)[:, 0]
    net = nn.Linear(3, 1).double()
    with torch.no_grad():
        net.weight.copy_(mean[None, :3])
        net.bias.copy_(mean[3:])
    return net, (x, y), mean, precision


def drawn(post):
    fresh = post.resample(DRAWS, generator(5))
    return torch.cat([fresh.params["weight"].flatten(1), fresh.params["bias"].flatten(1)], 1)


def test_for_linear_regression_the_last_layer_is_the_exact_posterior(regression):
    net, data, mean, precision = regression
    post = laplace(net, data, prior=Prior(2.0), likelihood=gaussian(0.5), structure="last_layer")
    draws, covariance = drawn(post), torch.linalg.inv(precision)
    error = covariance.diagonal().sqrt() / math.sqrt(DRAWS)
    assert bool(((draws.mean(0) - mean).abs() < 6 * error).all())
    scale = covariance.diagonal().sqrt()
    # entries of an estimated correlation matrix have standard errors of at most sqrt(2 / DRAWS) = 0.7 %
    torch.testing.assert_close(torch.cov(draws.T) / scale / scale[:, None], covariance / scale / scale[:, None], rtol=0, atol=0.045)


def test_for_linear_regression_the_diagonal_is_that_of_the_precision(regression):
    net, data, mean, precision = regression
    draws = drawn(laplace(net, data, prior=Prior(2.0), likelihood=gaussian(0.5)))
    std = precision.diagonal().rsqrt()
    torch.testing.assert_close(draws.std(0), std, rtol=0.022, atol=0)
    assert bool(((draws.mean(0) - mean).abs() < 6 * std / math.sqrt(DRAWS)).all())
    assert float((torch.corrcoef(draws.T) - torch.eye(4)).abs().max()) < 6 / math.sqrt(DRAWS)


def test_for_a_linear_classifier_the_curvature_is_the_hessian_of_the_potential():
    x, y = torch.randn(50, 4, generator=generator(), dtype=torch.float64), torch.arange(50) % 3
    net = mlp(4, hidden=(), classes=3).double()
    potential = network_potential(net, (x, y), prior=Prior(0.7))
    place = torch.cat([net.head.weight.detach().flatten(), net.head.bias.detach()])

    def energy(q):
        logits = x @ q[:12].view(3, 4).T + q[12:]
        return nn.functional.cross_entropy(logits, y, reduction="sum") + q.square().sum() / (2 * 0.7**2)

    assert float(potential.value_and_gradient(place[None])[0]) == pytest.approx(float(energy(place)))
    precision = torch.autograd.functional.hessian(energy, place)
    post = laplace(net, (x, y), prior=Prior(0.7), structure="last_layer").resample(DRAWS, generator(2))
    draws = torch.cat([post.params["head.weight"].flatten(1), post.params["head.bias"]], 1)
    covariance = torch.linalg.inv(precision)
    scale = covariance.diagonal().sqrt()
    torch.testing.assert_close(torch.cov(draws.T) / scale / scale[:, None], covariance / scale / scale[:, None], rtol=0, atol=0.045)
    diagonal = laplace(net, (x, y), prior=Prior(0.7)).resample(DRAWS, generator(3))
    spread = torch.cat([diagonal.params["head.weight"].flatten(1), diagonal.params["head.bias"]], 1).std(0)
    torch.testing.assert_close(spread, precision.diagonal().rsqrt(), rtol=0.022, atol=0)


def test_without_evidence_the_spread_is_the_prior():
    # weights behind a constant feature of zero are not seen by any example
    x = torch.cat([torch.rand(30, 2, generator=generator()), torch.zeros(30, 1)], 1)
    post = laplace(mlp(3, hidden=(), classes=2), (x, torch.arange(30) % 2), prior=Prior(0.3)).resample(DRAWS, generator(1))
    spread = post.params["head.weight"].std(0)
    torch.testing.assert_close(spread[:, 2], torch.full((2,), 0.3), rtol=0.022, atol=0)
    assert bool((spread[:, :2] < 0.29).all())


def test_batches_of_any_size_give_the_same_spread():
    net, x, y = mlp(6, hidden=(5,), classes=3), torch.rand(23, 6, generator=generator()), torch.arange(23) % 3
    for structure in ("diagonal", "last_layer"):
        one, many = (laplace(net, (x, y), prior=Prior(), structure=structure, batch_size=size, samples=4) for size in (23, 4))
        for name, values in one.params.items():
            torch.testing.assert_close(values, many.params[name], rtol=1e-3, atol=1e-4)


def test_the_last_layer_of_a_convolutional_network_leaves_the_rest_shared():
    net, x, y = tiny_cnn(size=8), torch.rand(12, 1, 8, 8, generator=generator()), torch.arange(12) % 10
    before = weights_digest(net)
    post = laplace(net, (x, y), prior=Prior(0.1), structure="last_layer", samples=5)
    assert set(post.params) == {"head.weight", "head.bias"}
    assert post.method == "Laplace, last layer"
    assert weights_digest(net) == before
    assert post.logits(x).shape == (5, 12, 10)
    tight = laplace(net, (x, y), prior=Prior(1e-4), structure="last_layer", samples=5)
    torch.testing.assert_close(tight.logits(x).mean(0), predict(net, x), rtol=0, atol=2e-3)


def test_a_layer_without_bias_and_one_inside_a_network_are_found():
    with seeded(0):
        net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Sequential(nn.Linear(5, 3, bias=False)))
    post = laplace(net, (torch.rand(9, 4), torch.arange(9) % 3), prior=Prior(), structure="last_layer", samples=2)
    assert set(post.params) == {"2.0.weight"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"structure": "full"}, "allowed: diagonal, last_layer"),
        ({"samples": 0}, "`samples` is 0"),
        ({"batch_size": 0}, "`batch_size` is 0"),
        ({"data": (torch.rand(5, 4), torch.arange(5))}, "0 to 2"),
        ({"model": nn.Sequential(nn.Linear(4, 3), nn.Tanh()), "structure": "last_layer"}, "no linear layer"),
        ({"model": nn.Sequential(nn.Linear(4, 3), nn.Dropout()).train()}, "Dropout '1' in training mode"),
    ],
)
def test_bad_input_is_refused(change, message):
    settings = {"model": mlp(4, classes=3), "data": (torch.rand(5, 4), torch.arange(5) % 3)} | change
    with pytest.raises(InputError, match=message):
        laplace(settings.pop("model"), settings.pop("data"), **({"prior": Prior()} | settings))


def test_a_rectified_layer_is_not_the_output_layer_though_it_is_positive_on_the_data():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    with torch.no_grad():
        net[0].bias.fill_(10.0)
    with pytest.raises(InputError, match="no linear layer"):
        laplace(net, (torch.rand(20, 2), torch.arange(20) % 3), prior=Prior(), structure="last_layer", samples=2)
