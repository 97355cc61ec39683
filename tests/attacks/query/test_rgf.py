"""Estimated gradients point as well as theory says, with and without a prior, and cost what is booked."""

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.attacks import ThreatModel, averaged, loss_gradient, optimal_lambda, p_rgf, pgd, rgf
from holdfast.attacks.query.directions import Directions, unit
from holdfast.core.errors import InputError
from holdfast.core.target import QueryCounter, Target
from holdfast.nets import fit, predict, tiny_cnn

FEATURES, EXAMPLES = 60, 400
THREAT = ThreatModel("l2", 0.1)


def quality(share, *, alpha2, dimension, samples):
    """Squared cosine of expectation, (g.E)^2 / E|.|^2, from the moments of a direction, for weights `share` of the prior."""
    rest = (1 - alpha2) / (dimension - 1)
    mean = share * alpha2 + (1 - share) * rest
    square = share**2 * alpha2 + (1 - share) ** 2 * rest / (dimension - 1)
    return mean**2 / ((1 - 1 / samples) * square + mean / samples)


@pytest.mark.parametrize("dimension", [2, 16, 784, 3072])
@pytest.mark.parametrize("samples", [1, 2, 10, 50])
def test_lambda_is_where_the_expected_squared_cosine_is_largest(dimension, samples):
    # arXiv:1906.06919, Eq. (8): the quality of an estimate from directions with second moment C
    shares = np.linspace(0, 1, 20_001)
    for alpha2 in (0.0, 1e-4, 0.003, 0.02, 0.1, 0.3, 0.7, 0.99, 1.0):
        found = float(optimal_lambda(torch.tensor(alpha2, dtype=torch.float64), dimension, samples))
        with np.errstate(invalid="ignore"):
            best = np.nanmax(quality(shares, alpha2=alpha2, dimension=dimension, samples=samples))
            reached = quality(found, alpha2=alpha2, dimension=dimension, samples=samples)
        assert 0 <= found <= 1
        assert reached >= best * (1 - 1e-6) or best == 0


def test_lambda_agrees_with_drawn_directions():
    """A Monte Carlo check of the moments themselves: 4000 estimates at three weights, the formula's among them."""
    dimension, samples, alpha2 = 40, 8, 0.12
    generator = torch.Generator().manual_seed(0)
    gradient, prior = torch.zeros(2, dimension, dtype=torch.float64)
    prior[0], gradient[0], gradient[1] = 1, alpha2**0.5, (1 - alpha2) ** 0.5
    best = float(optimal_lambda(torch.tensor(alpha2), dimension, samples))
    reached = []
    for share in (best, 0.3 * best, min(1.0, 2.5 * best)):
        noise = torch.randn(4000, samples, dimension, generator=generator, dtype=torch.float64)
        noise[..., 0] = 0
        drawn = share**0.5 * prior + (1 - share) ** 0.5 * unit(noise)
        estimates = ((drawn @ gradient)[..., None] * drawn).mean(1)
        reached.append(float((estimates @ gradient).mean() ** 2 / estimates.square().sum(1).mean()))
        # both moments are known to about 1 % from 4000 draws; five standard errors
        assert reached[-1] == pytest.approx(quality(share, alpha2=alpha2, dimension=dimension, samples=samples), rel=0.06)
    assert reached[0] > max(reached[1:])


@pytest.mark.parametrize("alpha2", [-0.1, 1.1, float("nan")])
def test_what_is_no_squared_cosine_is_refused(alpha2):
    with pytest.raises(InputError, match="squared cosines"):
        optimal_lambda(torch.tensor([0.5, alpha2]), 10, 5)


@pytest.fixture(scope="module")
def linear():
    """A linear network in double precision whose leading class is far from beaten, so that attacks go on for ever."""
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(FEATURES, generator=generator, dtype=torch.float64)

    def net(x):
        gain = x.flatten(1) @ weight
        return torch.stack([torch.full_like(gain, 500.0), gain], 1)

    x = 0.5 + 0.1 * torch.rand(EXAMPLES, FEATURES, generator=generator, dtype=torch.float64)
    return net, x, torch.zeros(EXAMPLES, dtype=torch.long), unit(weight)


def leaning(gradient, alpha):
    """A prior at cosine `alpha` with the gradient, another one for each example."""
    noise = torch.randn(EXAMPLES, FEATURES, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    noise = unit(noise - (noise @ gradient)[:, None] * gradient)
    return lambda x, rows: 7 * (alpha * gradient + (1 - alpha**2) ** 0.5 * noise[rows])


def first_step(result):
    return result.estimate_cosine[0].square()


@pytest.mark.parametrize("samples", [1, 5, 20])
def test_without_a_prior_the_squared_cosine_is_that_of_random_directions(linear, samples):
    net, x, y, gradient = linear
    settings = {"queries": samples + 2, "samples": samples, "truth": lambda x, rows: gradient.expand_as(x)}
    # orthonormal: the square of a projection is Beta(q/2, (D-q)/2), of mean q/D; five standard errors over 400 examples
    orthogonal = first_step(rgf(net, x, y, THREAT, estimator="orthogonal", **settings))
    error = (2 * samples * (FEATURES - samples) / (FEATURES**2 * (FEATURES + 2)) / EXAMPLES) ** 0.5
    assert float(orthogonal.mean()) == pytest.approx(samples / FEATURES, abs=5 * error)
    # independent: (E g.e)^2 / E|e|^2 = q/(D+q-1)
    biased = first_step(rgf(net, x, y, THREAT, **settings))
    assert float(biased.mean()) == pytest.approx(samples / (FEATURES + samples - 1), rel=0.25)
    assert float(biased.mean()) <= float(orthogonal.mean()) * 1.05


@pytest.mark.parametrize("alpha", [0.1, 0.4, -0.4])
def test_a_prior_lifts_the_estimate_as_far_as_theory_says(linear, alpha):
    net, x, y, gradient = linear
    settings = {"samples": 10, "prior": leaning(gradient, alpha), "truth": lambda x, rows: gradient.expand_as(x)}
    orthogonal = p_rgf(net, x, y, THREAT, estimator="orthogonal", queries=12, **settings)
    expected = alpha**2 + 9 * (1 - alpha**2) / (FEATURES - 1)
    assert float(first_step(orthogonal).mean()) == pytest.approx(expected, rel=0.1)
    biased = p_rgf(net, x, y, THREAT, queries=23, **settings)
    lam = float(optimal_lambda(torch.tensor(alpha**2), FEATURES, 10))
    plain = 10 / (FEATURES + 9)
    reached = quality(lam, alpha2=alpha**2, dimension=FEATURES, samples=10)
    assert float(first_step(biased).mean()) == pytest.approx(reached, rel=0.25)
    assert reached >= plain
    # ten probes know the length of a gradient to about 22 %
    assert float(biased.alpha[0].median()) == pytest.approx(alpha, rel=0.2, abs=0.02)
    assert float(orthogonal.alpha[0].sign().mean()) == pytest.approx(1 if alpha > 0 else -1, abs=0.1)


def test_a_perfect_prior_is_followed_without_further_questions(linear):
    net, x, y, gradient = linear
    result = p_rgf(net, x, y, THREAT, prior=leaning(gradient, 1.0), queries=1 + 10 + 3 * 2 + 1, samples=10, step_size=0.02)
    assert (result.lam[:3] == 1).all()
    assert result.lam.shape[0] >= 3, "a look and a slope per step, and ten probes at first"
    torch.testing.assert_close(unit(result.x_adv - x), gradient.expand_as(x), atol=1e-6, rtol=0)


def test_a_prior_that_points_down_is_turned_around(linear):
    net, x, y, gradient = linear
    settings = {"queries": 40, "samples": 5, "truth": lambda x, rows: gradient.expand_as(x)}
    up, down = (p_rgf(net, x, y, THREAT, prior=leaning(gradient, sign * 0.9), **settings) for sign in (1, -1))
    assert (up.alpha[0] > 0).all()
    assert (down.alpha[0] < 0).all()
    torch.testing.assert_close(down.prior_cosine[0], torch.full((EXAMPLES,), -0.9, dtype=torch.float64))
    assert float((down.x_adv - x).flatten(1).matmul(gradient).min()) > 0


def test_a_prior_that_knows_nothing_costs_nothing(linear):
    net, x, y, _ = linear
    for nothing in (lambda x, rows: torch.zeros_like(x), lambda x, rows: torch.full_like(x, torch.nan)):
        result = p_rgf(net, x, y, THREAT, prior=nothing, queries=1 + 10 + 4 + 1, samples=4)
        assert (result.lam[0] == 0).all()
        assert result.alpha[0].isnan().all()
        assert (result.norm > 0).all()


def test_several_sources_add_what_each_knows(linear):
    net, x, y, gradient = linear
    generator = torch.Generator().manual_seed(3)
    basis = torch.linalg.qr(
        torch.cat([gradient[:, None], torch.randn(FEATURES, 3, generator=generator, dtype=torch.float64)], 1)
    ).Q.T
    priors = [lambda x, rows, k=k: (0.3 * gradient + 0.91**0.5 * basis[k]).expand_as(x) for k in (1, 2, 3)]
    settings = {"samples": 5, "queries": 7, "truth": lambda x, rows: gradient.expand_as(x), "estimator": "orthogonal"}
    one = p_rgf(net, x, y, THREAT, prior=priors[0], **settings)
    three = p_rgf(net, x, y, THREAT, prior=priors, **settings)
    mean = p_rgf(net, x, y, THREAT, prior=averaged(priors), **settings)
    # three directions at cosine 0.3 whose other parts are orthogonal: their span holds 3 0.09 / (1 + 2 0.09) of the square
    assert float(first_step(three).mean()) >= 0.27 / 1.18
    torch.testing.assert_close(mean.prior_cosine[0].square(), torch.full((EXAMPLES,), 0.27 / 1.18, dtype=torch.float64))
    assert float(first_step(one).mean()) < float(first_step(three).mean())


def test_memory_collects_what_earlier_steps_saw(linear):
    net, x, y, gradient = linear
    settings = {
        "samples": 6,
        "queries": 80,
        "step_size": 1e-3,
        "truth": lambda x, rows: gradient.expand_as(x),
        "estimator": "orthogonal",
    }
    with_memory = rgf(net, x, y, THREAT, memory=True, **settings).estimate_cosine
    without = rgf(net, x, y, THREAT, **settings).estimate_cosine
    assert float(with_memory[8].mean()) > 1.8 * float(without[8].mean())


def test_a_subspace_of_slow_variations_is_kept_to():
    x = torch.rand(3, 2, 8, 8)
    mask = torch.ones(8, 8)
    mask[:, :2] = 0
    draws = Directions(x, ThreatModel("l2", 1.0, mask=mask), subspace=4, generator=torch.Generator().manual_seed(0))
    drawn = draws.draw(3, 5).view(15, 2, 8, 8)
    assert draws.dimension == 24
    torch.testing.assert_close(drawn.flatten(1).norm(dim=1), torch.ones(15))
    assert torch.equal(drawn[:, :, ::2, ::2], drawn[:, :, 1::2, 1::2])
    assert not drawn[..., :2].any()
    torch.testing.assert_close(draws.share(drawn.flatten(1)), torch.ones(15))


class Counting(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net, self.asked = net, 0

    def forward(self, x):
        self.asked += len(x)
        return self.net(x)


def shared(x, rows):
    return torch.ones_like(x)


@pytest.mark.parametrize(
    "settings", [{}, {"prior": shared}, {"prior": shared, "estimator": "orthogonal", "memory": True}, {"subspace": 4}]
)
@pytest.mark.parametrize(("norm", "queries"), [("linf", 1), ("l2", 2), ("linf", 3), ("l2", 37)])
def test_budgets_hold_and_what_is_found_is_feasible(digits_cnn, digits_small, settings, norm, queries):
    data = digits_small[1][:25]
    eps = 0.15 if norm == "linf" else 0.8
    net, attack = Counting(digits_cnn), p_rgf if "prior" in settings else rgf
    result = attack(net, data.x, data.y, ThreatModel(norm, eps), queries=queries, samples=7, sigma=1e-3, batch_size=60, **settings)
    assert net.asked == int(result.queries.sum())
    assert int(result.queries.max()) <= queries
    assert float(result.norm.max()) <= eps * (1 + 1e-6)
    assert float(result.x_adv.min()) >= 0
    assert float(result.x_adv.max()) <= 1
    answer = predict(digits_cnn, result.x_adv).argmax(1)
    assert torch.equal(answer != data.y, result.success)
    limited = Target(model=digits_cnn, access="scores", queries=QueryCounter(limit=101))
    attack(limited, data.x, data.y, ThreatModel(norm, eps), queries=37, samples=7, **settings)
    assert limited.queries.count == 101


def test_a_victim_that_rounds_its_input_is_climbed_with_wider_shifts(digits_cnn, digits_small):
    data = digits_small[1][:60]

    def rounding(x):
        return digits_cnn((x * 15).round() / 15)

    result = rgf(rounding, data.x, data.y, ThreatModel("linf", 0.3), queries=300, samples=10, sigma=1e-4)
    assert result.accuracy.value < float((predict(rounding, data.x).argmax(1) == data.y).double().mean()) - 0.1


def test_a_constant_victim_ends_the_attack(digits_small):
    data = digits_small[1][:5]

    def constant(x):
        return torch.tensor([[9.0, 0.0]]).expand(len(x), 2)

    result = rgf(constant, data.x, torch.zeros(5, dtype=torch.long), ThreatModel("linf", 0.1), queries=500, samples=10)
    assert not result.success.any()
    assert int(result.queries.max()) <= 500


def test_a_climb_may_begin_at_what_another_network_fell_for(digits_cnn, digits_small):
    data, threat = digits_small[1][:60], ThreatModel("linf", 0.15)
    white = pgd(digits_cnn, data.x, data.y, threat)
    found = rgf(digits_cnn, data.x, data.y, threat, starts=white.x_adv, queries=2)
    assert torch.equal(found.success, white.success)
    far = rgf(digits_cnn, data.x, data.y, threat, starts=data.x + 5, queries=2)
    assert float(far.norm.max()) <= 0.15 * (1 + 1e-6)


def test_seeds_reproduce(digits_cnn, digits_small):
    data = digits_small[1][:20]
    runs = [rgf(digits_cnn, data.x, data.y, ThreatModel("l2", 0.5), queries=30, samples=5, seed=seed).x_adv for seed in (0, 0, 1)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_a_source_with_the_same_labels_saves_three_queries_of_ten(digits_small):
    # the radius is large enough for both to succeed on nearly all
    train, test = digits_small
    victim, source = tiny_cnn(size=8), tiny_cnn(size=8, seed=1)
    fit(victim, train[:600], epochs=6, lr=1e-2, batch_size=64)
    fit(source, train[600:], epochs=6, lr=1e-2, batch_size=64, seed=1)
    settings = {"queries": 300, "samples": 20, "sigma": 1e-3}
    threat = ThreatModel("linf", 0.25)
    right = predict(victim, test.x).argmax(1) == test.y
    x, y = test.x[right][:200], test.y[right][:200]
    plain = rgf(victim, x, y, threat, **settings)
    led = p_rgf(victim, x, y, threat, prior=loss_gradient(source, y), **settings)
    spent = [float(torch.where(result.success, result.queries, 300).double().mean()) for result in (plain, led)]
    assert spent[1] <= 0.7 * spent[0], spent


BAD = [
    ({"model": Target(model=nn.Linear(4, 3), access="labels")}, "hopskipjump"),
    ({"model": lambda x: x.argmax(1)}, "hopskipjump"),
    ({"threat": ThreatModel("l1", 1.0)}, "linf or l2"),
    ({"samples": 0}, "samples"),
    ({"sigma": 0.0}, "sigma"),
    ({"estimator": "other"}, "estimator"),
    ({"memory": True}, "memory"),
    ({"samples": 5, "estimator": "orthogonal"}, "samples"),
    ({"subspace": 2}, "images"),
    ({"prior": lambda x, rows: x[:, :2]}, "prior"),
    ({"prior": []}, "rgf"),
    ({"starts": torch.rand(2, 3)}, "starts"),
    ({"starts": torch.full((2, 4), torch.nan)}, "starts"),
    ({"target_class": torch.tensor([1, 0])}, "target_class"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_input_is_refused_with_a_remedy(change, message):
    given = {"model": nn.Linear(4, 3), "threat": THREAT, "prior": shared, "queries": 50} | change
    x, y = torch.rand(2, 4), torch.tensor([2, 0])
    with pytest.raises(InputError, match=message):
        p_rgf(given.pop("model"), x, y, given.pop("threat"), **given)
