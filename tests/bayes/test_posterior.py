"""Samples of weights as one predictive network: averages of probabilities, in log space, for every attack."""

import warnings

import pytest
import torch
from torch import nn

from holdfast.attacks import ThreatModel, fgsm, pgd, random_noise
from holdfast.bayes import Posterior, Prior
from holdfast.core.errors import InputError
from holdfast.core.seeds import Seeds
from holdfast.nets import frozen, mlp, tiny_cnn, weights_digest


def networks(number=6, **settings):
    return [mlp(4, hidden=(8,), classes=3, seed=seed, **settings) for seed in range(number)]


@pytest.fixture
def post():
    return Posterior.of_models(networks())


@pytest.fixture
def x():
    return torch.rand(10, 4, generator=torch.Generator().manual_seed(1))


def brute_force(models, x):
    """The predictive as a textbook has it, in double precision."""
    return sum(model.double()(x.double()).softmax(1) for model in models) / len(models)


def test_the_predictive_is_the_mean_of_the_probabilities(post, x):
    expected = brute_force(networks(), x)
    for answer in (post.log_predictive(x), post.log_predictive(x, chunk=4), post.as_module()(x), post.as_module(chunk=5)(x)):
        torch.testing.assert_close(answer.exp().double(), expected, rtol=1e-5, atol=1e-7)


def test_logits_are_those_of_each_network(post, x):
    each = torch.stack([model(x) for model in networks()])
    torch.testing.assert_close(post.logits(x), each)
    torch.testing.assert_close(post.logits(x, chunk=4), each)
    torch.testing.assert_close(post.network(3)(x), each[3])


def test_mean_logits_are_another_prediction_than_mean_probabilities():
    # one sample is sure of class 0, two lean to class 1: logits are won by the loud one, probabilities by the many
    post = Posterior(
        model=nn.Linear(1, 2), params={"bias": torch.tensor([[10.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), "weight": torch.zeros(3, 2, 1)}
    )
    x = torch.zeros(1, 1)
    assert post.as_module("mean_logits")(x).argmax(1).item() == 0
    assert post.as_module()(x).exp()[0, 0].item() == pytest.approx((1 + 2 * 0.268941) / 3, abs=1e-4)
    torch.testing.assert_close(post.as_module("mean_logits")(x), torch.tensor([[10 / 3, 2 / 3]]))


def test_saturated_samples_leave_the_predictive_finite_and_the_mean_logits_steep(x):
    models = networks()
    with torch.no_grad():
        for model in models:
            model.head.weight *= 1e5
    post = Posterior.of_models(models)
    answer = post.log_predictive(x)
    assert bool(answer.isfinite().all())
    torch.testing.assert_close(answer.exp().sum(1), torch.ones(10))
    inputs = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(post.as_module("mean_logits")(inputs).sum(), inputs)
    assert bool((gradient.abs().sum(1) > 0).all())


@pytest.mark.parametrize("reduce", ["log_mean_exp", "mean_logits"])
def test_gradients_are_those_of_the_average_in_chunks_or_not(post, x, reduce):
    y = torch.arange(10) % 3

    def slope(module):
        inputs = x.clone().requires_grad_()
        return torch.autograd.grad(nn.functional.cross_entropy(module(inputs), y), inputs)[0]

    def by_hand(inputs):
        each = torch.stack([model(inputs) for model in networks()])
        return each.mean(0) if reduce == "mean_logits" else each.softmax(-1).mean(0).log()

    expected = slope(by_hand)
    torch.testing.assert_close(slope(post.as_module(reduce)), expected, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(slope(post.as_module(reduce, chunk=4)), expected, rtol=1e-4, atol=1e-7)


def test_parts_of_the_samples_can_be_differentiated_by_torch_func(post, x):
    whole, parts = (
        torch.func.grad(lambda x, chunk=chunk: post.log_predictive(x, chunk=chunk)[:, 0].sum())(x) for chunk in (None, 2)
    )
    torch.testing.assert_close(parts, whole)


def test_attacks_take_the_predictive_and_leave_it_as_it_was(post, x):
    module = post.as_module(chunk=3)
    y, threat, digest = module(x).argmax(1), ThreatModel("linf", 0.3), weights_digest(module)
    for attack in (fgsm, lambda *args: pgd(*args, steps=10), lambda *args: random_noise(*args, draws=5)):
        result = attack(module, x, y, threat)
        assert bool(((module(result.x_adv).argmax(1) != y) == result.success).all())
    assert bool(pgd(module, x, y, threat, steps=20).success.any())
    assert weights_digest(module) == digest
    with frozen(module):
        assert not module.training


def test_the_predictive_moves_to_double_precision(post, x):
    module = post.as_module().double()
    torch.testing.assert_close(module(x.double()).exp(), brute_force(networks(), x), rtol=1e-6, atol=1e-9)
    assert post.params["fc1.weight"].dtype == torch.float32


def test_convolutions_run_too():
    models = [tiny_cnn(size=8, seed=seed) for seed in range(3)]
    x = torch.rand(9, 1, 8, 8)
    expected = torch.stack([model(x).softmax(1) for model in models]).mean(0).log()
    torch.testing.assert_close(Posterior.of_models(models).as_module()(x), expected, rtol=1e-4, atol=1e-5)


def test_the_members_of_an_ensemble_keep_their_own_running_statistics(x):
    models = [nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)) for _ in range(2)]
    for factor, model in enumerate(models):
        model(factor + x)
        model.eval()
    post = Posterior.of_models(models)
    torch.testing.assert_close(post.logits(x), torch.stack([model(x) for model in models]))
    assert post.as_module().double()(x.double()).shape == (10, 3)


def test_samples_are_taken_thinned_and_drawn_without_replacement(post, x):
    torch.testing.assert_close(post.as_module(samples=2)(x), post.spread(2).log_predictive(x))
    torch.testing.assert_close(post.spread(3).logits(x), post.logits(x)[[0, 2, 4]])
    drawn = post.resample(6, torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.log_predictive(x), post.log_predictive(x))  # all of them, in another order
    few = post.resample(3, torch.Generator().manual_seed(0)).params["fc1.weight"]
    assert len(few.flatten(1).unique(dim=0)) == 3
    again = post.resample(3, torch.Generator().manual_seed(0)).params["fc1.weight"]
    assert torch.equal(few, again)


def test_a_sampler_is_asked_for_fresh_draws():
    net, prior = mlp(4, hidden=(8,), classes=3), Prior()
    post = Posterior.from_sampler(net, lambda samples, generator: prior.draw(net, samples, generator), samples=4)
    fresh = post.resample(9, Seeds(1).torch("fresh"))
    assert len(fresh) == 9
    assert not torch.equal(fresh.params["fc1.weight"][0], post.params["fc1.weight"][0])


def test_later_changes_of_the_network_do_not_reach_the_predictive(x):
    models = networks(2)
    module = Posterior.of_models(models).as_module()
    before = module(x)
    with torch.no_grad():
        for model in models:
            model.head.weight.zero_()
    assert torch.equal(module(x), before)


def test_a_network_that_branches_runs_one_sample_after_another(x):
    class Branching(nn.Linear):
        def forward(self, inputs):
            out = super().forward(inputs)
            return out if out.sum() > 0 else -out

    models = [Branching(4, 3) for _ in range(2)]
    with pytest.warns(RuntimeWarning, match="cannot be vectorised"):
        answer = Posterior.of_models(models).logits(x)
    torch.testing.assert_close(answer, torch.stack([model(x) for model in models]))


def with_params(**changes):
    net = nn.Linear(4, 3)
    return Posterior(
        model=net, params={"weight": torch.zeros(6, 3, 4), "bias": torch.zeros(6, 3)} | changes.pop("params", {}), **changes
    )


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: with_params(params={"weight": torch.zeros(0, 3, 4), "bias": torch.zeros(0, 3)}), r"holds \[0\] samples"),
        (lambda: Posterior(model=nn.Linear(4, 3), params={}), r"holds \[\] samples"),
        (lambda: with_params(params={"bias": torch.zeros(5, 3)}), r"holds \[5, 6\] samples"),
        (lambda: with_params(params={"bias": torch.full((6, 3), torch.nan)}), r"params\['bias'\]` holds 18 values"),
        (lambda: with_params(params={"bias": torch.zeros(6, 4)}), "has 'bias' of shape"),
        (lambda: with_params(params={"scale": torch.zeros(6, 3)}), "no such parameter"),
        (lambda: with_params(chains=4), "`chains` is 4 for 6 samples"),
        (lambda: with_params().spread(7), "`samples` is 7"),
        (lambda: with_params().resample(7, torch.Generator()), "`samples` is 7"),
        (lambda: with_params().as_module("mean"), "`reduce` is 'mean'"),
        (lambda: with_params().as_module(chunk=0), "`chunk` is 0"),
        (lambda: Posterior.of_models([]), "`models` is empty"),
        (lambda: Posterior.of_models([nn.Sequential(nn.Linear(4, 3), nn.Dropout())]), "has Dropout '1' in training mode"),
        (lambda: Posterior.of_models([nn.Sequential(nn.BatchNorm1d(4))]), "has BatchNorm1d '0' in training mode"),
        (
            lambda: fgsm(with_params().as_module(), torch.full((9, 4), 2.0), torch.zeros(9).long(), ThreatModel("linf", 0.1)),
            r"values in \[2, 2\]",
        ),
        (lambda: pgd(with_params().as_module(), torch.rand(0, 4), torch.zeros(0).long(), ThreatModel("linf", 0.1)), "`x` is empty"),
    ],
)
def test_what_is_no_posterior_is_refused(action, message):
    with pytest.raises(InputError, match=message):
        action()


def test_networks_that_return_probabilities_are_refused():
    models = [nn.Sequential(nn.Linear(4, 3), nn.Softmax(1)) for _ in range(3)]
    post, x = Posterior.of_models(models), torch.rand(10, 4)
    for ask in (post.logits, post.log_predictive, post.as_module(), post.as_module("mean_logits", chunk=2)):
        with pytest.raises(InputError, match="returns probabilities"):
            ask(x)


def test_few_rows_are_not_taken_for_probabilities_by_chance():
    post = Posterior(model=nn.Linear(1, 2), params={"weight": torch.zeros(1, 2, 1), "bias": torch.tensor([[0.25, 0.75]])})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert post.as_module()(torch.zeros(1, 1)).shape == (1, 2)


class Awkward(nn.Module):
    """Parameters whose names are those of attributes of the predictive, or differ by a dot alone."""

    def __init__(self):
        super().__init__()
        self.samples, self.form = (nn.Parameter(torch.randn(3)) for _ in range(2))
        self.fc = nn.Linear(4, 3)
        self.fc__weight = nn.Parameter(torch.randn(3))

    def forward(self, x):
        return self.fc(x) + self.samples + 2 * self.form + 3 * self.fc__weight


def test_the_predictive_takes_any_name_of_a_parameter():
    post, x = Posterior.of_models([Awkward() for _ in range(3)]), torch.rand(5, 4)
    torch.testing.assert_close(post.as_module()(x), post.log_predictive(x))
