"""The energy of weights: a sum over examples and parameters, one value per chain, and refusals at its door."""

import math
from collections import OrderedDict

import pytest
import torch
from torch import nn

from holdfast.bayes import Prior, hmc, mfvi, sghmc
from holdfast.bayes.potential import FunctionPotential, categorical, gaussian, network_potential
from holdfast.core.errors import InputError
from holdfast.core.seeds import Seeds
from holdfast.core.target import Target
from holdfast.data import Examples
from holdfast.nets import mlp, resnet8, seeded, with_weights


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(30, 4, generator=generator), torch.randint(0, 3, (30,), generator=generator)


def points(potential, chains=5):
    return torch.randn(chains, len(potential.precision), generator=torch.Generator().manual_seed(1))


def test_the_energy_is_the_sum_of_losses_and_the_prior(data):
    x, y = data
    net, prior = mlp(4, hidden=(6,), classes=3), Prior({"": 1.0, "head": 0.5})
    potential = network_potential(net, data, prior=prior)
    q = points(potential)
    energy, gradient = potential.value_and_gradient(q)
    assert energy.dtype == torch.float64
    for chain, params in enumerate(zip(*potential.layout.unflatten(q).values(), strict=True)):
        one = with_weights(net, dict(zip(potential.layout.shapes, params, strict=True)))
        weights = list(one.parameters())
        squares = sum(
            w.square().sum() / (0.5 if name.startswith("head") else 2.0)
            for name, w in one.named_parameters()
            if not name.startswith("head")
        )
        squares = squares + sum(w.square().sum() / (2 * 0.25) for name, w in one.named_parameters() if name.startswith("head"))
        expected = nn.functional.cross_entropy(one(x), y, reduction="sum") + squares
        assert energy[chain].item() == pytest.approx(expected.item(), rel=1e-5)
        slopes = torch.cat([g.flatten() for g in torch.autograd.grad(expected, weights)])
        torch.testing.assert_close(gradient[chain], slopes, rtol=1e-4, atol=1e-4)


def test_twice_the_data_are_twice_the_evidence(data):
    x, y = data
    net = mlp(4, hidden=(6,), classes=3)
    once = network_potential(net, data, prior=Prior())
    twice = network_potential(net, (torch.cat([x, x]), torch.cat([y, y])), prior=Prior())
    q = points(once)
    prior_only = 0.5 * q.double().square().sum(1)
    more = twice.value_and_gradient(q)[0] - prior_only
    torch.testing.assert_close(more, 2 * (once.value_and_gradient(q)[0] - prior_only), rtol=1e-5, atol=1e-4)


def test_passes_in_parts_give_the_same_energy(data):
    net = mlp(4, hidden=(6,), classes=3)
    whole = network_potential(net, Examples(*data), prior=Prior())
    parts = network_potential(net, data, prior=Prior(), batch_size=7)
    q = points(whole)
    for one, other in zip(whole.value_and_gradient(q), parts.value_and_gradient(q), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-4)


def test_the_estimate_from_mini_batches_is_right_in_the_mean(data):
    potential = network_potential(mlp(4, hidden=(6,), classes=3), data, prior=Prior())
    q = points(potential)
    parts = [potential.estimate(q, rows) for rows in torch.randperm(30).split(5)]
    for mean, exact in zip(
        (torch.stack(each).mean(0) for each in zip(*parts, strict=True)), potential.value_and_gradient(q), strict=True
    ):
        torch.testing.assert_close(mean, exact, rtol=1e-4, atol=1e-4)


def test_the_likelihood_of_regression_is_a_normal_density():
    outputs, y = torch.randn(3, 7, 2), torch.randn(7, 2)
    expected = -torch.distributions.Normal(y, 0.3).log_prob(outputs).sum((1, 2))
    torch.testing.assert_close(gaussian(0.3)(outputs, y).float(), expected)


@pytest.mark.parametrize("y", [torch.zeros(20), torch.zeros(20, 2), torch.zeros(20, 1, 1)])
@pytest.mark.parametrize("likelihood", ["gaussian", gaussian(0.5)])
@pytest.mark.parametrize("sampler", [hmc, sghmc])
def test_values_that_would_broadcast_are_refused(y, likelihood, sampler):
    # y (N,) against outputs (N, 1) is (N, N): every output would be fitted to every value, and the chains would agree on it
    with pytest.raises(InputError, match=r"`y` has shape .* that of the outputs, \(\d+, 1\)"):
        sampler(nn.Linear(4, 1), (X, y), prior=Prior(), likelihood=likelihood, samples=1, warmup=0)


def test_one_column_of_values_does_not_serve_three_outputs():
    with pytest.raises(InputError, match=r"`y` has shape \(20, 1\); allowed: that of the outputs, \(20, 3\)"):
        hmc(nn.Linear(4, 3), (X, torch.zeros(20, 1)), prior=Prior(), likelihood="gaussian", samples=1, warmup=0)


def test_values_that_are_no_numbers_are_refused():
    with pytest.raises(InputError, match="`y` holds"):
        hmc(nn.Linear(4, 1), (X, torch.full((20, 1), torch.nan)), prior=Prior(), likelihood="gaussian", samples=1, warmup=0)


def test_saturated_losses_are_counted_in_full():
    # float32 probabilities would underflow at a gap of 104; the loss is the gap itself
    assert categorical(torch.tensor([[[0.0, 1e4]]]), torch.tensor([0])).item() == pytest.approx(1e4)


def test_frozen_parameters_stay_and_batch_normalisation_shares_its_statistics():
    net = resnet8(channels=1, classes=3, width=4)
    x, y = torch.rand(8, 1, 8, 8), torch.arange(8) % 3
    net(x)
    net.eval().conv1.requires_grad_(False)
    post = hmc(net, (x, y), prior=Prior("kaiming"), samples=4, warmup=2, steps=2, chains=2, init_steps=2)
    assert "conv1.weight" not in post.params
    assert "bn1.weight" in post.params
    assert not any("running" in name for name in post.params)
    assert len(post.params["bn1.weight"].unique(dim=0)) > 1


@pytest.mark.parametrize("returned", [lambda q: q.square().sum(), lambda q: q.square(), lambda q: 1.0])
def test_a_potential_must_return_one_value_per_chain(returned):
    with pytest.raises(InputError, match="a potential must return one value per chain"):
        FunctionPotential(returned).value_and_gradient(torch.ones(2, 3))


def test_so_must_a_likelihood_of_the_users_own(data):
    def mean(outputs, y):
        return outputs.square().mean()

    with pytest.raises(InputError, match="one value per chain"):
        hmc(mlp(4, classes=3), data, prior=Prior(), likelihood=mean, samples=1, warmup=0)


class Loud(nn.Module):
    """A network that says NaN."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        return self.layer(x) * math.nan


def net():
    return mlp(4, classes=3)


X, Y = torch.rand(20, 4), torch.arange(20) % 3
BAD = [
    (net(), (X[:0], Y[:0]), "`x` is empty"),
    (net(), (X, Y[:5]), "`x` has 20 rows and `y` has 5"),
    (net(), (X, nn.functional.one_hot(Y, 3)), r"`y` has dtype torch.int64 and shape \(20, 3\)"),
    (net(), (X, Y.float()), "`y` has dtype torch.float32"),
    (net(), (X, Y - 1), "`y` runs from -1 to 1; allowed: 0 to 2"),
    (net(), (X, Y + 1), "`y` runs from 1 to 3; allowed: 0 to 2"),
    (net(), (X.masked_fill(X > 0.5, torch.nan), Y), "`x` holds"),
    (net(), ((X * 255).to(torch.uint8), Y), "`x` has dtype torch.uint8"),
    (nn.Sequential(net(), nn.Softmax(1)), (X, Y), "`model` returns probabilities"),
    (nn.Sequential(nn.Dropout(), net()), (X, Y), "Dropout '0' in training mode"),
    (nn.Sequential(nn.BatchNorm1d(4), net()), (X, Y), "BatchNorm1d '0' in training mode"),
    (nn.Sequential(net(), nn.Unflatten(1, (3, 1))), (X, Y), "answers with shape"),
    (nn.Sequential(nn.RReLU(), net()), (X, Y), "RReLU '0' in training mode"),
    (nn.Sequential(nn.ModuleDict({"a": nn.MultiheadAttention(4, 2, dropout=0.5)}), net()), (X, Y), "MultiheadAttention '0.a' in"),
    (Loud(), (X, Y), "`outputs of the model` holds"),
    (Target(model=net()), (X, Y), "is a Target"),
    (nn.Flatten(), (X, Y), "no parameter that takes gradients"),
    (
        nn.Sequential(nn.Linear(4, 4), nn.Identity(), net().requires_grad_(False)).requires_grad_(False),
        (X, Y),
        "no parameter that takes",
    ),
]


@pytest.mark.parametrize("sampler", [hmc, sghmc])
@pytest.mark.parametrize(("model", "data", "message"), BAD)
def test_samplers_refuse_at_the_door(sampler, model, data, message):
    with pytest.raises(InputError, match=message):
        sampler(model, data, prior=Prior(), samples=1, warmup=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 0}, "`samples` is 0"),
        ({"warmup": -1}, "`warmup` is -1"),
        ({"steps": 0}, "`steps` is 0"),
        ({"chains": 0}, "`chains` is 0"),
        ({"step_size": 0.0}, "`step_size` is 0.0"),
        ({"target_accept": 1.5}, "`target_accept` is 1.5"),
        ({"jitter": 2.0}, "`jitter` is 2.0"),
        ({"likelihood": "categoric"}, "Did you mean 'categorical'"),
        ({"init": "mode"}, "`init` is 'mode'"),
        ({"init": {"fc1.weight": torch.zeros(4, 2)}}, "`init` has shapes"),
        ({"batch_size": 0}, "`batch_size` is 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        hmc(net(), (X, Y), prior=Prior(), **({"samples": 1, "warmup": 0} | settings))


def test_a_name_that_no_parameter_has_is_refused():
    with pytest.raises(InputError, match=r"names 'haed', which no parameter has.*Did you mean 'head'"):
        hmc(net(), (X, Y), prior=Prior({"": 1.0, "haed": 0.01}), samples=1, warmup=0)


def test_starts_of_another_precision_are_taken_in_that_of_the_network():
    start = {name: torch.zeros(2, *values.shape, dtype=torch.float64) for name, values in net().named_parameters()}
    post = hmc(net(), (X, Y), prior=Prior(), samples=1, warmup=0, chains=2, init=start, steps=1)
    assert all(values.dtype == torch.float32 for values in post.params.values())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_posteriors_are_found_where_gradients_are_off(mode):
    start = net()
    with mode():
        data = X + 0.0, Y + 0
        for post in (
            hmc(start, data, prior=Prior(), samples=2, warmup=1, chains=2, steps=2, init_steps=2),
            sghmc(start, data, prior=Prior(), samples=2, warmup=1, chains=2, steps=2, init_steps=2),
            mfvi(start, data, prior=Prior(), epochs=1, lr=0.01, samples=2),
        ):
            assert post.log_predictive(data[0]).shape == (20, 3)


class Branching(nn.Module):
    """A linear layer behind a branch on the value of a weight, which no vectorised program can take."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        return self.layer(x) if self.layer.bias[0] < torch.inf else x[:, :3]


def test_chains_of_a_network_that_cannot_be_vectorised_are_the_same_one_after_another():
    settings = {"prior": Prior(), "samples": 2, "warmup": 1, "chains": 2, "steps": 2, "init_steps": 2}
    with seeded(0):
        plain = nn.Sequential(OrderedDict(layer=nn.Linear(4, 3)))
    with pytest.warns(RuntimeWarning, match="cannot be vectorised over models"):
        slow = hmc(Branching(), (X, Y), **settings)
    quick = hmc(plain, (X, Y), **settings)
    for name, values in quick.params.items():
        torch.testing.assert_close(slow.params[name], values, rtol=1e-4, atol=1e-5)


def test_prior_draws_differ_between_chains_but_not_with_their_number(data):
    from holdfast.bayes.chains import start_chains

    potential = network_potential(net(), data, prior=Prior())
    settings = {"prior": Prior(), "init": "prior", "init_steps": 0, "init_lr": 0.1, "seeds": Seeds(3)}
    many, few = (start_chains(potential, chains=chains, **settings) for chains in (4, 2))
    assert torch.equal(many[:2], few)
    assert not torch.equal(many[0], many[1])
