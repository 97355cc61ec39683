"""Monte Carlo over chips: exact limits, vectorised = loop, nothing is changed, statistics that mean what they say."""

import numpy as np
import pytest
import torch
from scipy.stats import binom, kstest
from torch import nn

from holdfast.core.errors import InputError
from holdfast.core.estimate import proportion
from holdfast.core.seeds import Seeds
from holdfast.data import Examples
from holdfast.hardware import (
    ChipResults,
    activation_variation,
    chip_seed,
    chips,
    hardware_activations,
    other_chips,
    redraw_devices,
    spread,
    spread_sweep,
    weight_noise,
)
from holdfast.nets import evaluate, weights_digest

STRESSES = {
    "additive": lambda net, data, s, **k: weight_noise(net, data, sigma=s, **k),
    "multiplicative": lambda net, data, s, **k: weight_noise(net, data, sigma=s, mode="multiplicative", **k),
    "neurons": lambda net, data, s, **k: activation_variation(net, data, spread=s, **k),
}


@pytest.mark.parametrize("stress", STRESSES.values(), ids=STRESSES)
class TestEveryStress:
    def test_no_strength_changes_no_answer(self, stress, digits_cnn, digits_small):
        nominal = evaluate(digits_cnn, digits_small[1]).correct.numpy()
        results = stress(digits_cnn, digits_small[1], 0.0, count=3)
        assert (results.correct == nominal).all()

    def test_more_strength_costs_accuracy(self, stress, digits_cnn, digits_small):
        mild, strong = (stress(digits_cnn, digits_small[1], s, count=5).accuracy.value for s in (0.02, 0.5))
        assert mild > strong + 0.05

    def test_the_network_is_as_before(self, stress, digits_cnn, digits_small):
        digest, training = weights_digest(digits_cnn), digits_cnn.training
        stress(digits_cnn, digits_small[1], 0.2, count=2)
        assert weights_digest(digits_cnn) == digest
        assert digits_cnn.training == training
        assert all(parameter.requires_grad for parameter in digits_cnn.parameters())

    def test_one_chip_at_a_time_gives_the_same_answers(self, stress, digits_cnn, digits_small):
        data = digits_small[1][:200]
        together = stress(digits_cnn, data, 0.1, count=4)
        alone = stress(digits_cnn, data, 0.1, count=4, memory=1)
        # the sums of a batched product may be ordered differently: a tie may turn, no more
        assert (together.correct != alone.correct).mean() < 0.005

    def test_the_seed_decides_and_more_chips_extend_the_series(self, stress, digits_cnn, digits_small):
        data = digits_small[1][:200]
        few, many, others = (stress(digits_cnn, data, 0.3, count=n, seed=s) for n, s in ((2, 0), (4, 0), (2, 1)))
        assert (few.correct != many.correct[:2]).mean() < 0.005
        assert (few.correct != others.correct).mean() > 0.005

    def test_the_global_generator_is_left_alone(self, stress, digits_cnn, digits_small):
        state = torch.random.get_rng_state()
        stress(digits_cnn, digits_small[1][:20], 0.1, count=2)
        assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("mode", ["additive", "multiplicative"])
def test_chips_of_a_linear_network_hold_the_stated_noise(mode, monkeypatch):
    stacks = []
    predict = spread.stacked_predict

    def spy(model, stacked, x, **settings):
        stacks.append(stacked)
        return predict(model, stacked, x, **settings)

    monkeypatch.setattr(spread, "stacked_predict", spy)
    net = nn.Linear(60, 50)
    weight_noise(net, Examples(torch.rand(4, 60), torch.arange(4)), sigma=0.1, mode=mode, count=3)
    assert list(stacks[0]) == ["weight"]  # the bias stays
    unit = net.weight.abs().max() if mode == "additive" else net.weight
    noise = ((stacks[0]["weight"] - net.weight) / (0.1 * unit)).detach().flatten()
    # 9000 draws: a p-value below 1e-7 happens once in ten million
    assert kstest(noise.double().numpy(), "norm").pvalue > 1e-7


def test_tied_weights_are_perturbed_once_and_stay_tied():
    net = nn.Sequential(nn.Linear(6, 6, bias=False), nn.Linear(6, 6, bias=False))
    net[1].weight = net[0].weight
    data = Examples(torch.rand(40, 6), torch.arange(40) % 6)
    results = weight_noise(net, data, sigma=0.5, count=8)
    weight = net[0].weight.detach()
    for number in range(8):
        noise = torch.randn(6, 6, generator=Seeds(0).torch("weights", "0.weight", number))
        noisy = weight + 0.5 * weight.abs().max() * noise
        assert (results.correct[number] == ((data.x @ noisy.T @ noisy.T).argmax(1) == data.y).numpy()).mean() > 0.95


def test_biases_and_normalisation_take_part_when_asked():
    net = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 3))
    data = Examples(torch.rand(200, 4), torch.arange(200) % 3)
    plain, all_of_it = (weight_noise(net, data, sigma=0.5, count=3, everything=e) for e in (False, True))
    assert (plain.correct != all_of_it.correct).any()


def test_carrying_to_other_chips_is_redrawing_one_by_one(digits_cnn, digits_small):
    data = digits_small[1]
    net = hardware_activations(digits_cnn, "relu", x=data.x[:2], spread=0.2)
    results = other_chips(net, data, count=3, seed=9)
    for number in range(3):
        with redraw_devices(net, seed=chip_seed(9, number)):
            alone = evaluate(net, data).correct.numpy()
        assert (results.correct[number] != alone).mean() < 0.005


def test_a_network_that_cannot_be_vectorised_runs_in_a_loop_and_says_so():
    class Branching(nn.Linear):
        def forward(self, x):
            return super().forward(x) if float(self.weight.sum()) > 0 else super().forward(-x)

    data = Examples(torch.rand(30, 4), torch.arange(30) % 2)
    with pytest.warns(RuntimeWarning, match="cannot be vectorised"):
        results = weight_noise(Branching(4, 2), data, sigma=0.1, count=3)
    assert results.correct.shape == (3, 30)


def test_time_is_checked_between_chunks(digits_cnn, digits_small):
    calls = []
    weight_noise(digits_cnn, digits_small[1][:20], sigma=0.1, count=5, memory=1, check_time=lambda: calls.append(1))
    assert len(calls) == 5


def test_the_statistics_are_those_of_the_chips():
    right = np.zeros((20, 100), dtype=bool)
    for number in range(20):
        right[number, : 80 + number] = True  # accuracies 0.80 to 0.99
    results = ChipResults(right)
    assert results.accuracy.value == pytest.approx(0.895)
    assert results.accuracy.n == 20
    # standard deviation of 20 equally spaced numbers: step * sqrt(n (n + 1) / 12)
    assert results.sd.value == pytest.approx(0.01 * (20 * 21 / 12) ** 0.5)
    assert results.p05.value == pytest.approx(0.80 + 0.05 * 0.19)
    assert results.p05.lo <= results.p05.value <= results.p05.hi
    assert results.yield_at(0.9).value == 0.5
    assert results.yield_at(0.0).value == 1.0
    assert results.yield_at(1.0).value == 0.0


def test_one_chip_has_no_spread_over_chips():
    results = ChipResults(np.array([[True, True, True, False]]))
    assert results.accuracy.method == "wilson"
    assert (results.sd.value, results.sd.lo, results.sd.hi) == (0, 0, 0.5)
    assert (results.p05.value, results.p05.lo, results.p05.hi) == (0.75, 0, 1)


def test_chips_without_deviations_are_all_alike():
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    data = Examples(torch.rand(200, 4, generator=Seeds(0).torch("x")), torch.arange(200) % 2)
    for results in (weight_noise(net, data, sigma=0.0, count=1), activation_variation(net, data, spread=0.0, count=1)):
        assert results.p05 == results.accuracy
        assert (results.sd.value, results.sd.hi) == (0, 0)
    assert weight_noise(net, data, sigma=0.1, count=1).p05.lo == 0


@pytest.mark.parametrize("share", [0, 70, 100])
def test_chips_that_are_all_equal_are_not_taken_as_certain(share):
    right = np.zeros((5, 100), dtype=bool)
    right[:, :share] = True
    results = ChipResults(right)
    for estimate in (results.accuracy, results.sd, results.p05):
        assert estimate.hi > estimate.lo
    assert results.accuracy.lo <= proportion(5 * share, 500).lo


@pytest.mark.parametrize("count", [3, 5, 20])
def test_intervals_of_chips_cover_what_they_name_at_the_stated_rate(count):
    # accuracies of a normal family, mean 0.8, sd 0.02: the fifth percentile is 0.8 - 1.6449 * 0.02
    generator, trials, answers = np.random.default_rng(count), 400, 20_000
    covered = np.zeros(2)
    for _ in range(trials):
        hits = np.rint(answers * generator.normal(0.8, 0.02, size=count)).astype(int)
        results = ChipResults(np.arange(answers) < hits[:, None])
        covered += [results.p05.lo <= 0.8 - 1.6449 * 0.02 <= results.p05.hi, results.sd.lo <= 0.02 <= results.sd.hi]
    # of 400 intervals that cover with probability 0.95, fewer than 351 cover once in ten million times; clipping only widens
    assert binom.cdf(350, trials, 0.95) < 1e-6
    assert (covered > 350).all()


def test_a_sweep_gives_curves_over_the_spread(digits_cnn, digits_small):
    sweep = spread_sweep(lambda s: weight_noise(digits_cnn, digits_small[1], sigma=s, count=3), (0.0, 0.1, 0.4), name="noise")
    curve = sweep.curve()
    assert curve.at == (0.0, 0.1, 0.4)
    assert curve.values[0] > curve.values[-1]
    assert sweep.curve("sd").values[0] == 0
    assert (sweep.curve("p05").values <= curve.values + 1e-12).all()


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda net, data: weight_noise(net, data, sigma=-0.1), "sigma"),
        (lambda net, data: weight_noise(net, data, sigma=0.1, mode="salt"), "additive"),
        (lambda net, data: weight_noise(nn.ReLU(), data, sigma=0.1), "no weights"),
        (lambda net, data: weight_noise(net, data, sigma=0.1, count=0), "count"),
        (lambda net, data: activation_variation(net, data, spread=-1.0), "spread"),
        (other_chips, "no layer of devices"),
        (lambda net, data: spread_sweep(lambda s: chips(net, data, lambda k: {}), ()).curve(), "at least 1"),
    ],
)
def test_impossible_stresses_are_refused(attempt, message, digits_cnn, digits_small):
    with pytest.raises(InputError, match=message):
        attempt(digits_cnn, digits_small[1][:20])
