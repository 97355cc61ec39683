"""Networks that answer at random are examined by the mean of several passes, from seeds of their own."""

import random

import numpy as np
import pytest
import torch
from torch import nn

import holdfast
from holdfast.attacks import ThreatModel, check_masking, pgd
from holdfast.auditing.batching import rows_per_pass
from holdfast.auditing.inputs import gather
from holdfast.auditing.plan import make_plan
from holdfast.auditing.pricing import Prices
from holdfast.auditing.probing import probe
from holdfast.auditing.scheduling import new_plan
from holdfast.auditing.settings import read_settings
from holdfast.auditing.stresses.adversarial import FGSM, PGD
from holdfast.auditing.stresses.answers import passes_of
from holdfast.auditing.stresses.attacked import left_standing
from holdfast.auditing.stresses.clean import Clean
from holdfast.auditing.stresses.shift import Corruptions, Resolution
from holdfast.core.errors import InputError
from holdfast.core.executors import Task, perform
from holdfast.core.seeds import Seeds
from holdfast.core.stress import StressContext
from holdfast.core.target import Target
from holdfast.data import Examples
from holdfast.hardware import weight_noise


class Noisy(nn.Module):
    """Noise on the input in each pass, from the global generator of `source`."""

    def __init__(self, net, std=0.4, source="torch"):
        super().__init__()
        self.net, self.std, self.source = net, std, source

    def forward(self, x):
        if self.source == "numpy":
            noise = torch.as_tensor(np.random.normal(size=x.shape), dtype=x.dtype)  # noqa: NPY002 - as other people's networks do
        elif self.source == "python":
            noise = torch.randn_like(x) * 0 + random.gauss(0, 1)
        else:
            noise = torch.randn_like(x)
        return self.net(x + self.std * noise)


class Dropping(nn.Module):
    """Dropout at test time."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        *layers, head = self.net.children()
        for layer in layers:
            x = layer(x)
        return head(nn.functional.dropout(x, 0.5, training=True))


class NoiseAlone(nn.Module):
    """Answers that are noise from the global generator of torch, whatever the input."""

    def forward(self, x):
        return torch.randn(len(x), 10) + 0 * x.flatten(1).mean(1, keepdim=True)


TINY = 1e-6
SETTINGS = {
    "data": {"examples": 130},
    "adversarial": {
        "fgsm": {"eps": (0.0, TINY, 0.1)},
        "pgd": {"eps": (0.0, TINY, 0.1), "steps": 5},
        "apgd": {"eps": (0.0, TINY, 0.1), "steps": 5, "goals": 2},
        "square": {"eps": TINY, "examples": 40, "queries": 20},
    },
    "run": {"threads": 1},
}
ATTACKS = ("fgsm", "pgd", "apgd")


def audited(net, data, out, stresses=("clean", *ATTACKS, "square"), **options):
    report = holdfast.audit(net, data, out=str(out), settings=SETTINGS, stresses=list(stresses), **options)
    return report, {
        (name, *point.at.values(), metric): (estimate.value, estimate.lo, estimate.hi)
        for card in report.document.cards.values()
        for name, stress in card.stresses.items()
        for point in stress.points
        for metric, estimate in point.metrics.items()
    }


@pytest.fixture(scope="module", params=[Noisy, Dropping])
def examined(request, digits_cnn, digits_small, tmp_path_factory):
    return audited(request.param(digits_cnn), digits_small[1], tmp_path_factory.mktemp("runs") / "run")


def test_it_is_not_taken_for_one_without_its_normalisation(examined):
    report, _ = examined
    assert report.document.run.status == "complete"
    assert any("mean probability of 10 passes" in note for note in report.document.target.notes)


def test_an_attack_of_size_zero_leaves_the_clean_accuracy(examined):
    _, found = examined
    assert {found[name, 0.0, "accuracy"] for name in (*ATTACKS, "worst_case")} == {found["clean", "accuracy"]}


def test_several_attacks_that_change_nothing_do_not_add_up_the_noise(examined):
    _, found = examined
    assert found["worst_case", TINY, "accuracy"][0] == pytest.approx(found["clean", "accuracy"][0], abs=1 / 130)


def test_an_iterated_attack_is_no_weaker_than_one_step_and_the_worst_case_than_either(examined):
    _, found = examined
    accuracy = {name: found[name, 0.1, "accuracy"] for name in (*ATTACKS, "worst_case")}
    assert accuracy["pgd"][0] <= accuracy["fgsm"][2]  # within the interval of the other: both are means of 10 passes
    assert accuracy["worst_case"][0] <= min(value for value, *_ in accuracy.values()) + 2 / 130
    assert accuracy["worst_case"][2] < found["clean", "accuracy"][1]


def test_single_passes_are_told_apart_from_their_mean(examined):
    report, found = examined
    mean, single = found["clean", "accuracy"], found["clean", "one_pass_accuracy"]
    assert single[2] < mean[0]
    table = holdfast.report.read_per_example(report.folder).table("clean")
    assert table["share_of_passes"].mean() == pytest.approx(single[0])


@pytest.mark.parametrize("source", ["torch", "numpy", "python"])
def test_the_same_seed_gives_the_same_figures_whatever_else_runs_before(digits_cnn, digits_small, tmp_path, source):
    net = Noisy(digits_cnn, 0.2, source)
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002 - the one that is borrowed
    first = audited(net, digits_small[1], tmp_path / "first", ("clean", "fgsm", "pgd"))[1]
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]  # noqa: NPY002 - as above
    assert random.getstate() == states[2]
    torch.rand(3)
    second = audited(net, digits_small[1], tmp_path / "second", ("pgd", "clean"))[1]
    common = {key for key in second if key[0] != "worst_case"}
    assert {key: first[key] for key in common} == {key: second[key] for key in common}
    other = audited(net, digits_small[1], tmp_path / "other", ("pgd", "clean"), seed=1)[1]
    assert other != second


def test_a_point_draws_from_a_seed_of_its_own(digits_cnn, digits_small):
    context = StressContext(seeds=Seeds(0), target=Target(model=Noisy(digits_cnn).eval(), samples=3), data=digits_small[1][:40])
    stress = PGD(eps=(0.05, 0.1), steps=2)
    one, two = stress.points()
    alone = perform(Task(experiment=stress, point=two), context).measurement
    perform(Task(experiment=stress, point=one), context)
    after = perform(Task(experiment=stress, point=two), context).measurement
    assert (alone.arrays["margin"] == after.arrays["margin"]).all()


@pytest.mark.parametrize(("shape", "most"), [((3, 170, 170), 1000), ((3, 8, 8), 26), ((3, 8, 8), 7), ((3, 8, 8), 1000)])
def test_a_row_meets_the_same_draws_in_every_stress_and_no_other_row_does(shape, most):
    """Batches of 46, 26, 7 and 1000 rows: only the last hold a whole block."""
    data = Examples(x=torch.full((160, *shape), 0.5), y=torch.arange(160) % 10)
    target = Target(model=NoiseAlone(), samples=3)
    context = StressContext(seeds=Seeds(0), target=target, data=data, batch_size=rows_per_pass(shape, most))
    stresses = Clean(), FGSM(eps=(0.0,)), Corruptions(kinds=("brightness",), severities=(1,)), Resolution(scales=(1.0,))
    clean, *others = (stress.measure(stress.points()[0], context.for_experiment(stress.name)).arrays for stress in stresses)
    assert len(np.unique(clean["margin"])) == 160
    for arrays in others:
        assert (arrays["prediction"] == clean["prediction"]).all()
        assert (arrays["margin"] == clean["margin"]).all()
    assert not np.isin(others[0]["selection"], clean["margin"]).any()


def test_a_random_network_is_asked_about_whole_blocks_only():
    context = StressContext(seeds=Seeds(0))
    with pytest.raises(InputError, match="`first` is 26; allowed: multiples of 50"):
        passes_of(Target(model=NoiseAlone(), samples=3), torch.zeros(4, 2), context, first=26)
    assert passes_of(Target(model=NoiseAlone()), torch.zeros(4, 2), context, first=26).named.shape == (1, 4)


def test_the_plan_multiplies_costs_and_queries(digits_cnn, digits_small):
    def plan(net, samples):
        settings = read_settings(flags={**SETTINGS, "samples": samples, "stresses": ("pgd", "square")})
        inputs = gather(settings, net, digits_small[1])
        stresses = new_plan(settings, inputs).stresses
        prices = Prices(forward=1.0, backward=1.0, samples=inputs.target.samples)
        return {line.stress.name: line for line in make_plan(stresses, inputs.facts, prices).lines}, inputs

    one, _ = plan(digits_cnn, None)
    ten, inputs = plan(Noisy(digits_cnn), None)
    three, _ = plan(Noisy(digits_cnn), 3)
    assert ten["pgd"].seconds == pytest.approx(10 * one["pgd"].seconds, rel=1e-3)
    assert three["pgd"].seconds == pytest.approx(3 * one["pgd"].seconds, rel=1e-3)
    assert ten["square"].queries == 10 * one["square"].queries == 10 * 40 * 21
    assert any("cost 10 times as much" in note for note in inputs.notes)
    assert inputs.identity != plan(Noisy(digits_cnn), 3)[1].identity  # stored points of another mean are not kept


def test_a_single_pass_is_not_enough_for_an_answer(digits_cnn, digits_small):
    settings = read_settings(flags={"model": {"samples": 1}, "stresses": ("clean",)})
    with pytest.raises(InputError, match=r"`samples` is 1, but two passes .* allowed: 2 or more"):
        gather(settings, Noisy(digits_cnn), digits_small[1])
    assert gather(settings, digits_cnn, digits_small[1]).target.samples == 1


def test_queries_stay_within_their_limit(digits_cnn, digits_small, tmp_path):
    report, _ = audited(Noisy(digits_cnn), digits_small[1], tmp_path / "run", ("square",), max_queries=20_000)
    assert 0 < report.document.run.queries <= 20_000
    assert report.document.run.status == "complete"


def test_the_probe_calls_a_network_random_only_beyond_rounding(digits_cnn, digits_small):
    for std, random_ in ((0.0, False), (1e-7, False), (1e-2, True)):
        assert probe(Target(model=Noisy(digits_cnn, std).eval()), digits_small[1]).stochastic is random_


def test_averaging_takes_randomness_out_of_the_masking_checks(digits_cnn, digits_small):
    x, y = digits_small[1].x[:100], digits_small[1].y[:100]
    checks = [
        {
            check.id: check
            for check in check_masking(
                Target(model=Noisy(digits_cnn, 0.2).eval(), samples=samples), x, y, ThreatModel("linf", 0.1), steps=5, queries=20
            )
        }
        for samples in (1, 10)
    ]
    assert checks[0]["vii"].flagged
    assert not any(check.flagged for check in checks[1].values())


def test_chips_of_a_random_network_answer_by_the_mean_too(digits_cnn, digits_small):
    one, ten = (
        weight_noise(Noisy(digits_cnn).eval(), digits_small[1][:100], sigma=0.01, count=2, samples=samples).accuracy.value
        for samples in (1, 10)
    )
    assert ten > one + 0.1


def test_chips_of_a_random_network_differ_by_their_weights_alone(digits_cnn, digits_small):
    net, data = Noisy(digits_cnn).eval(), digits_small[1][:100]
    equal, near = (weight_noise(net, data, sigma=sigma, count=4, samples=3).correct for sigma in (0.0, 1e-7))
    assert (equal == equal[0]).all()
    assert (near == equal).all()
    assert weight_noise(net, data, sigma=0.0, count=2).accuracies.std() > 0  # single passes are fresh


def test_attacks_that_all_leave_chance_are_together_as_strong_as_one():
    """20 attacks that leave each example right with probability 0.8: joined by draws of their own they still leave 0.8."""
    n, draws = 4000, np.random.default_rng(0)
    tries = [(draws.random(n) < 0.8, draws.normal(size=n).astype(np.float32)) for _ in range(20)]
    assert abs(left_standing(tries, n).mean() - 0.8) < 0.032  # 5 standard deviations, sqrt(0.8 0.2 / 4000): false alarm below 1e-6
    assert left_standing([(right, None) for right, _ in tries], n).mean() < 0.03  # 0.8^20 = 0.012


def test_an_attack_on_the_first_rows_counts_on_these_and_a_lost_answer_is_the_worst():
    right = np.array([True, True, True])
    tries = [(right, np.array([0.1, 0.1, 0.1])), (~right[:2], np.array([np.nan, 0.2]))]
    assert left_standing(tries, 3).tolist() == [False, True, True]


def test_probabilities_that_are_not_declared_are_refused_in_a_mean_too(digits_cnn, digits_small):
    target = Target(model=lambda x: digits_cnn(x + 0.1 * torch.randn_like(x)).softmax(1), samples=3)
    with pytest.raises(InputError, match="returns probabilities"):
        pgd(target, digits_small[1].x[:4], digits_small[1].y[:4], ThreatModel("linf", 0.1))
