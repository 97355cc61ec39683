"""Variational inference: the divergence against Monte Carlo, regression with a closed form, estimators that agree, bad input."""

import math

import pytest
import torch
from torch import nn

from holdfast.bayes import Posterior, Prior
from holdfast.bayes.estimators import ESTIMATORS, check_estimator, noisy_forward
from holdfast.bayes.potential import gaussian
from holdfast.bayes.variational import mfvi, normal_divergence
from holdfast.core.errors import InputError
from holdfast.nets import mlp, resnet8, seeded, weights_digest


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_closed_divergence_is_the_mean_log_ratio_under_q():
    # log q - log p of 200 000 draws; the mean within 6 standard errors has a false alarm of 2e-9
    mean, std, s = torch.tensor([0.3, -1.0, 0.0]).double(), torch.tensor([0.5, 1.5, 0.1]).double(), 0.8
    w = mean + std * torch.randn(200_000, 3, generator=generator(), dtype=torch.float64)
    ratio = (torch.distributions.Normal(mean, std).log_prob(w) - torch.distributions.Normal(0.0, s).log_prob(w)).sum(1)
    error = ratio.std() / math.sqrt(len(w))
    assert abs(float(ratio.mean() - normal_divergence(mean, std, s))) < 6 * float(error)


def test_the_divergence_from_itself_is_zero_and_positive_otherwise():
    zeros, scale = torch.zeros(4), torch.full((4,), 0.3)
    assert float(normal_divergence(zeros, scale, 0.3)) == pytest.approx(0, abs=1e-6)
    assert float(normal_divergence(zeros, 1.1 * scale, 0.3)) > 0
    assert float(normal_divergence(zeros + 0.1, scale, 0.3)) > 0


def regression():
    """Correlated inputs, so that the factorised optimum differs from the marginals: x (200, 3), y (200, 1), posterior."""
    mixing = torch.tensor([[1.0, 0.8, 0.0], [0.0, 0.6, 0.5], [0.0, 0.0, 1.0]])
    x = torch.randn(200, 3, generator=generator(1)) @ mixing
    y = x @ torch.tensor([[1.0], [-0.5], [0.2]]) + 0.5 * torch.randn(200, 1, generator=generator(2))
    precision = torch.eye(3) + x.T @ x / 0.25
    return x, y, torch.linalg.solve(precision, x.T @ y / 0.25)[:, 0], precision


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_on_linear_regression_it_finds_the_factorised_optimum_and_its_bound(estimator):
    # The optimum has the posterior's mean and variance 1 / diag(precision), less than the marginal diag(precision^-1). There the
    # bound is lower than the log evidence by KL(q || posterior) = (sum log diag(precision) - log det(precision)) / 2.
    x, y, mean, precision = regression()
    epochs = 1000 if estimator == "reparameterised" else 300  # its gradients are noisier
    settings = {"epochs": epochs, "lr": 0.05, "batch_size": 200, "init_scale": 0.1, "schedule": "cosine"}
    found = mfvi(nn.Linear(3, 1, bias=False), (x, y), prior=Prior(), likelihood=gaussian(0.5), estimator=estimator, **settings)
    std = precision.diagonal().rsqrt()
    torch.testing.assert_close(found.mean["weight"][0], mean, rtol=0, atol=0.4 * float(std.min()))
    torch.testing.assert_close(found.std["weight"][0], std, rtol=0.15, atol=0)
    marginal = torch.linalg.inv(precision).diagonal().sqrt()
    assert float((marginal / found.std["weight"][0]).max()) > 1.3, "inputs too little correlated to tell the two apart"
    evidence = torch.distributions.MultivariateNormal(torch.zeros(200), 0.25 * torch.eye(200) + x @ x.T).log_prob(y[:, 0])
    gap = 0.5 * float(precision.diagonal().log().sum() - torch.logdet(precision))
    tail = torch.tensor(found.elbo[-100:])
    assert float(tail.mean()) == pytest.approx(float(evidence) - gap, abs=0.2 + 6 * float(tail.std()) / 10)
    assert found.elbo[-1] > found.elbo[0]


class Blocks(nn.Sequential):
    """A convolution, a normalisation and a linear layer."""

    def __init__(self):
        super().__init__(nn.Conv2d(2, 3, 3, padding=1), nn.GroupNorm(1, 3), nn.Tanh(), nn.Flatten(), nn.Linear(48, 2))


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("make", [lambda: nn.Linear(5, 3), lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect")])
def test_each_estimator_gives_a_layer_the_right_mean_and_spread(estimator, make):
    # 1500 draws per example: the mean within 6 standard errors; the standard deviation, of relative error 1/sqrt(3000) = 1.8 %,
    # within 11 % (6 standard errors): false alarms of 2e-9 for each of at most 48 numbers
    with seeded(0):
        layer = make()
    shape = (5,) if isinstance(layer, nn.Linear) else (2, 4, 4)
    x = torch.rand(1, *shape, generator=generator())
    mean = {name: values.detach() for name, values in layer.named_parameters()}
    std = {name: torch.rand(values.shape, generator=generator(1)) + 0.1 for name, values in mean.items()}
    batch = x.expand(100, *shape).contiguous() if estimator == "local" else x
    passes = 15 if estimator == "local" else 1500
    out = torch.cat([noisy_forward(layer, mean, std, batch, estimator=estimator) for _ in range(passes)])
    out = out.detach().flatten(1)
    with torch.no_grad():
        squares = {name: values.square() for name, values in std.items()}
        variance = torch.func.functional_call(layer, squares, (x.square(),)).flatten()
    torch.testing.assert_close(out.std(0), variance.sqrt(), rtol=0.11, atol=0)
    error = variance.sqrt() / math.sqrt(1500)
    assert bool(((out.mean(0) - layer(x).detach().flatten()).abs() < 6 * error).all())


class Past(nn.Module):
    """A linear layer whose weights are used without calling it."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        return nn.functional.linear(x, self.layer.weight, self.layer.bias)


class Attending(nn.Module):
    """Attention, whose own output layer is never called as a module, and a linear layer that is."""

    def __init__(self):
        super().__init__()
        self.attention, self.head = nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.attention(x[:, None], x[:, None], x[:, None], need_weights=False)[0][:, 0])


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("make", [Past, Attending])
def test_weights_that_are_used_without_their_layer_are_random_too(make, estimator):
    with seeded(1):
        net, x = make().eval(), torch.rand(5, 4)
        mean = {name: values.detach() for name, values in net.named_parameters()}
        std = {name: torch.full_like(values, 0.5).requires_grad_() for name, values in mean.items()}
        out = noisy_forward(net, mean, std, x, estimator=estimator)
        slopes = torch.autograd.grad(out.square().sum(), list(std.values()))
    for name, slope in zip(std, slopes, strict=True):
        assert bool((slope != 0).any()), f"{name} got no noise"


def test_flipout_flips_one_draw_by_the_example():
    with seeded(0):
        layer = nn.Linear(5, 3, bias=False)
    x = torch.rand(1, 5, generator=generator()).expand(64, 5).contiguous()
    std = {"weight": torch.full((3, 5), 0.5)}
    noise = (noisy_forward(layer, {"weight": layer.weight.detach()}, std, x, estimator="flipout") - layer(x)).detach()
    assert len(noise.round(decimals=4).unique(dim=0)) > 20, "examples of a batch share their noise"
    # 2^5 input signs, and one sign per output: no output has more than 32 sizes
    assert len(noise[:, 0].abs().round(decimals=4).unique()) <= 16


@pytest.mark.parametrize("estimator", ["local", "flipout"])
def test_layer_noise_has_less_gradient_variance_than_one_draw_for_the_batch(estimator):
    # the point of both estimators; 200 gradients each; the variances differ by a factor of 10 and more
    with seeded(0):
        net = mlp(10, hidden=(8,), classes=3)
    x, y = torch.rand(128, 10, generator=generator()), torch.arange(128) % 3
    mean = {name: values.detach() for name, values in net.named_parameters()}

    def variance(how):
        gradients = []
        for _ in range(200):
            place = {name: values.clone().requires_grad_() for name, values in mean.items()}
            std = {name: torch.full_like(values, 0.1) for name, values in mean.items()}
            loss = nn.functional.cross_entropy(noisy_forward(net, place, std, x, estimator=how), y)
            gradients.append(torch.autograd.grad(loss, place["fc1.weight"])[0])
        return float(torch.stack(gradients).var(0).sum())

    assert variance(estimator) < 0.5 * variance("reparameterised")


def test_a_network_with_convolutions_and_normalisation_learns_under_layer_noise():
    x = torch.rand(60, 2, 4, 4, generator=generator())
    y = (x[:, 0].mean((1, 2)) > x[:, 1].mean((1, 2))).long()
    with seeded(0):
        net = Blocks()
    before = weights_digest(net)
    found = mfvi(net, (x, y), prior=Prior(), epochs=40, lr=0.03, batch_size=30, estimator="local", samples=20)
    assert weights_digest(net) == before
    assert float((found.log_predictive(x).argmax(1) == y).double().mean()) > 0.8
    assert set(found.params) == {name for name, _ in net.named_parameters()}


def test_the_result_is_a_posterior_whose_fresh_draws_have_its_mean_and_spread():
    x = torch.rand(50, 4, generator=generator())
    found = mfvi(mlp(4, hidden=(), classes=2), (x, (x[:, 0] > 0.5).long()), prior=Prior(), epochs=2, lr=0.01, samples=5)
    assert isinstance(found, Posterior)
    assert (len(found), found.method) == (5, "VI")
    again = found.resample(20_000, generator(3))
    weights, mean, std = again.params["head.weight"], found.mean["head.weight"], found.std["head.weight"]
    assert bool(((weights.mean(0) - mean).abs() < 6 * std / math.sqrt(20_000)).all())
    torch.testing.assert_close(weights.std(0), std, rtol=0.03, atol=0)
    assert not torch.equal(again.params["head.weight"][:5], found.params["head.weight"])


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    x = torch.rand(50, 4, generator=generator())
    draw = lambda seed: mfvi(mlp(4, classes=2), (x, torch.arange(50) % 2), prior=Prior(), epochs=2, lr=0.01, samples=3, seed=seed)  # noqa: E731
    first, second, third = draw(0), draw(0), draw(1)
    assert first.elbo == second.elbo
    assert torch.equal(first.params["fc1.weight"], second.params["fc1.weight"])
    assert not torch.equal(first.params["fc1.weight"], third.params["fc1.weight"])


def test_both_starts_are_what_they_say():
    x, y = torch.rand(50, 30, generator=generator()), torch.arange(50) % 2
    net = mlp(30, hidden=(50,), classes=2)
    start = {"prior": Prior(), "epochs": 1, "lr": 1e-9}
    own = mfvi(net, (x, y), **start)
    torch.testing.assert_close(own.mean["fc1.weight"], net.fc1.weight.detach())
    torch.testing.assert_close(own.std["fc1.weight"], torch.full((50, 30), 0.0067), rtol=1e-3, atol=0)
    paper = mfvi(net, (x, y), init="paper", **start)
    # 1500 standard normal numbers: mean and deviation within 6 standard errors (0.15, 0.11)
    assert abs(float(paper.mean["fc1.weight"].mean())) < 0.16
    assert abs(float(paper.mean["fc1.weight"].std()) - 1) < 0.12
    rho = paper.std["fc1.weight"].expm1().log()
    assert abs(float(rho.std()) - 1) < 0.12


def test_a_heavier_divergence_pulls_towards_the_prior():
    x = torch.rand(60, 3, generator=generator())
    settings = {"prior": Prior(), "epochs": 100, "lr": 0.05, "init_scale": 0.3}
    hot = mfvi(mlp(3, hidden=(), classes=2), (x, (x[:, 0] > 0.5).long()), kl_weight=100.0, **settings)
    cold = mfvi(mlp(3, hidden=(), classes=2), (x, (x[:, 0] > 0.5).long()), kl_weight=0.01, **settings)
    assert hot.divergence < 0.1 * cold.divergence


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"init": "prior"}, "allowed: net, paper"),
        ({"init_scale": 0.0}, "`init_scale` is 0.0"),
        ({"kl_weight": -1.0}, "`kl_weight` is -1.0"),
        ({"samples": 0}, "`samples` is 0"),
        ({"estimator": "lokal"}, "Did you mean 'local'"),
        ({"epochs": 0}, "`epochs` is 0"),
        ({"data": (torch.rand(5, 4), torch.eye(3)[[0, 1, 2, 0, 1]])}, "one integer per example"),
        ({"data": (torch.rand(5, 4), torch.arange(5))}, "0 to 2"),
        ({"data": (torch.full((5, 4), torch.nan), torch.zeros(5).long())}, "NaN"),
        (
            {"model": nn.Sequential(nn.Linear(4, 3), nn.Softmax(1)), "data": (torch.rand(9, 4), torch.arange(9) % 3)},
            "probabilities",
        ),
        ({"model": nn.Sequential(nn.Dropout(), nn.Linear(4, 3)).train()}, "Dropout '0' in training mode"),
        ({"model": nn.Linear(4, 3).requires_grad_(False)}, "no parameter that takes gradients"),
    ],
)
def test_bad_input_is_refused(change, message):
    settings = {"model": mlp(4, classes=3), "data": (torch.rand(5, 4), torch.arange(5) % 3)} | change
    with pytest.raises(InputError, match=message):
        mfvi(settings.pop("model"), settings.pop("data"), **({"prior": Prior(), "epochs": 1, "lr": 0.01} | settings))


def test_batch_normalisation_in_training_mode_is_refused_and_in_evaluation_mode_its_affine_weights_are_inferred():
    data = torch.rand(6, 3, 8, 8), torch.arange(6) % 10
    with pytest.raises(InputError, match="in training mode"):
        mfvi(resnet8().train(), data, prior=Prior(), epochs=1, lr=0.01)
    found = mfvi(resnet8().eval(), data, prior=Prior(), epochs=1, lr=0.01, samples=2)
    assert "bn1.weight" in found.params
    assert "bn1.running_mean" not in found.params


def test_weights_that_two_places_share_need_one_draw_for_both():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            return self.layer(self.layer(x))

    data = torch.rand(9, 3), torch.arange(9) % 3
    with pytest.raises(InputError, match="twice in one pass"):
        mfvi(Twice(), data, prior=Prior(), epochs=1, lr=0.01, estimator="local")
    assert len(mfvi(Twice(), data, prior=Prior(), epochs=1, lr=0.01, samples=2)) == 2
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    with pytest.raises(InputError, match="ties 1 weights"):
        check_estimator(tied, "flipout")
