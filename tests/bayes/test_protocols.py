"""Attacks on posteriors: closed forms, saturation that blinds one protocol and not the other, honest bookkeeping, bad input."""

import inspect
import warnings

import pytest
import torch
from torch import nn

from holdfast.attacks import ThreatModel, apgd, ascend
from holdfast.bayes import Posterior, Prior
from holdfast.bayes.gradients import expected_input_gradient
from holdfast.bayes.objectives import OBJECTIVES, posterior_objective
from holdfast.bayes.outcome import Judge, softmax_robustness
from holdfast.bayes.protocols import adaptive_protocol, named_protocol, paper_protocol
from holdfast.core.errors import InputError
from holdfast.core.posteriors import AttackEffort
from holdfast.nets import fit, mlp, seeded

QUICK = {"steps": 10, "restarts": 1, "queries": 20}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digits_posterior(digits_small):
    """Five small perceptrons trained on 8x8 digits from different starts, and 60 test digits."""
    nets = [mlp(64, hidden=(20,), seed=seed) for seed in range(5)]
    for seed, net in enumerate(nets):
        fit(net, digits_small[0], epochs=6, lr=0.02, batch_size=64, seed=seed)
    return Posterior.of_models(nets), digits_small[1][:60]


def small(samples=6):
    return Posterior.of_models([mlp(6, hidden=(5,), classes=3, activation=nn.Tanh, seed=seed) for seed in range(samples)])


def slope_of(function, x):
    inputs = x.clone().requires_grad_()
    return torch.autograd.grad(function(inputs).sum(), inputs)[0]


def assert_parallel(one, two):
    cosine = nn.functional.cosine_similarity(one.double().flatten(1), two.double().flatten(1), dim=1)
    torch.testing.assert_close(cosine, torch.ones_like(cosine), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("loss", OBJECTIVES)
def test_objectives_in_chunks_climb_alike_and_keep_less(loss):
    post, x, y, rows = small(), torch.rand(8, 6, generator=generator()), torch.arange(8) % 3, torch.arange(8)
    slopes, kept = [], []
    for chunk in (None, 2):
        saved: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda values, saved=saved: saved.append(values.numel()) or values, lambda v: v
        ):
            slopes.append(slope_of(lambda x, chunk=chunk: posterior_objective(post, y, loss, chunk=chunk)(x, rows), x))
        kept.append(sum(saved))
    torch.testing.assert_close(*slopes)
    assert kept[1] < kept[0]


def test_the_papers_attack_in_chunks_finds_the_same():
    post, x, y, threat = small(), torch.rand(8, 6, generator=generator()), torch.arange(8) % 3, ThreatModel("linf", 0.2)
    settings = {"loss": "expected", "attack_samples": None, "steps": 3}
    whole, parts = (paper_protocol(post, x, y, threat, chunk=chunk, **settings) for chunk in (None, 4))
    torch.testing.assert_close(parts.outcomes["fgsm"].result.x_adv, whole.outcomes["fgsm"].result.x_adv)


def test_each_objective_has_the_direction_that_it_names():
    post, x, y = small(), torch.rand(8, 6, generator=generator()), torch.arange(8) % 3
    rows = torch.arange(8)
    direction = {name: slope_of(lambda x, name=name: posterior_objective(post, y, name)(x, rows), x) for name in OBJECTIVES}
    assert_parallel(direction["expected"], expected_input_gradient(post, x, y).mean)
    picked = torch.arange(8), y
    assert_parallel(direction["predictive_nll"], slope_of(lambda x: -post.log_predictive(x)[picked], x))
    assert_parallel(direction["mean_logits"], slope_of(lambda x: nn.functional.cross_entropy(post.logits(x).mean(0), y), x))
    probabilities = lambda x: post.logits(x).softmax(-1).mean(0)  # noqa: E731
    assert_parallel(direction["second_softmax"], slope_of(lambda x: nn.functional.cross_entropy(probabilities(x), y), x))
    other = lambda p: p.scatter(1, y[:, None], 0.0).amax(1)  # noqa: E731
    assert_parallel(
        direction["predictive_margin"], slope_of(lambda x: other(probabilities(x)).log() - probabilities(x)[picked].log(), x)
    )


def test_one_sample_makes_three_objectives_one():
    post, x, y = small(1), torch.rand(8, 6, generator=generator()), torch.arange(8) % 3
    one, two, three = (
        posterior_objective(post, y, name)(x, torch.arange(8)) for name in ("predictive_nll", "mean_logits", "expected")
    )
    torch.testing.assert_close(one, two)
    torch.testing.assert_close(three.exp(), nn.functional.softplus(one))


def test_on_a_linear_network_the_adaptive_protocol_is_exact():
    # two classes, one sample: robust exactly where the decision value exceeds eps times the L1 norm of its weights
    with seeded(0):
        net = nn.Linear(12, 2)
    x = 0.5 + 0.05 * torch.randn(80, 12, generator=generator())
    w, b = (net.weight[1] - net.weight[0]).detach(), (net.bias[1] - net.bias[0]).detach()
    x -= ((x @ w + b).mean() / w.norm() ** 2) * w
    y = (x @ w + b > 0).long()
    eps = float((x @ w + b).abs().median() / w.abs().sum())
    found = adaptive_protocol(Posterior.of_models([net]), x, y, ThreatModel("linf", eps), steps=30, restarts=2, queries=0)
    distance = (x @ w + b).abs() / w.abs().sum()
    sure = (distance - eps).abs() > 0.02 * eps
    assert torch.equal(found.worst.combined.success[sure], (distance < eps)[sure])


@pytest.mark.parametrize("protocol", [paper_protocol, adaptive_protocol])
def test_radius_zero_changes_nothing(digits_posterior, protocol):
    post, digits = digits_posterior
    settings = {} if protocol is paper_protocol else QUICK
    found = protocol(post, digits.x, digits.y, ThreatModel("linf", 0.0), **settings)
    assert found.accuracy.value == found.clean_accuracy.value > 0.8
    assert bool((found.robustness == 1).all())


def test_the_adaptive_protocol_is_the_worst_of_its_parts_and_beats_the_papers(digits_posterior):
    post, digits = digits_posterior
    threat = ThreatModel("linf", 0.15)
    adaptive = adaptive_protocol(post, digits.x, digits.y, threat, **QUICK)
    assert list(adaptive.outcomes) == ["predictive_nll", "mean_logits", "predictive_margin", "square"]
    every = torch.stack([outcome.result.success for outcome in adaptive.outcomes.values()]).any(0)
    assert torch.equal(adaptive.worst.combined.success, every)
    assert adaptive.accuracy.value <= min(outcome.accuracy.value for outcome in adaptive.outcomes.values())
    paper = paper_protocol(post, digits.x, digits.y, threat, attack_samples=1)
    assert adaptive.accuracy.value < paper.accuracy.value < paper.clean_accuracy.value
    for outcome in (*adaptive.outcomes.values(), *paper.outcomes.values()):
        answer = post.log_predictive(outcome.result.x_adv).argmax(1)
        assert torch.equal(outcome.result.success, answer != digits.y), "judged by something else than the predictive"
        assert float((outcome.result.x_adv - digits.x).abs().max()) <= 0.15 + 1e-6
        assert bool((outcome.robustness <= outcome.robustness_twice + 1e-6).all())


def test_saturated_logits_blind_the_papers_protocol_and_not_the_adaptive_one(digits_posterior):
    post, digits = digits_posterior
    steep = {name: values * (1000 if name.startswith("head") else 1) for name, values in post.params.items()}
    saturated = Posterior(model=post.model, params=steep).take([0])
    threat = ThreatModel("linf", 0.3)
    with pytest.warns(UserWarning, match="exactly zero, so this attack does not move"):
        naive = paper_protocol(saturated, digits.x, digits.y, threat, methods=("fgsm",), attack_samples=None)
    assert naive.accuracy.value > naive.clean_accuracy.value - 0.03 > 0.8, "the naive attack should have failed"
    assert naive.zero_gradients > 0.9 * len(digits)
    ours = adaptive_protocol(saturated, digits.x, digits.y, threat, **QUICK)
    assert ours.outcomes["predictive_nll"].accuracy.value <= 0.05
    assert ours.accuracy.value <= 0.05
    assert ours.zero_gradients == 0
    expected = paper_protocol(saturated, digits.x, digits.y, threat, methods=("fgsm",), loss="expected", attack_samples=None)
    assert expected.accuracy.value <= 0.2, "the direction of the mean gradient outlives its size"


class Walled(nn.Module):
    """Two classes behind a tanh of the mean whose slope is zero in single and not in double precision."""

    def __init__(self):
        super().__init__()
        self.steepness = nn.Parameter(torch.tensor(40.0))

    def forward(self, x):
        score = torch.tanh(self.steepness * (x.flatten(1).mean(1) - 0.5))
        return torch.stack([-score, score], 1)


def test_double_precision_is_tried_where_gradients_underflow():
    x, y = torch.full((4, 2000), 0.99), torch.ones(4, dtype=torch.long)
    post, threat = Posterior.of_models([Walled()]), ThreatModel("linf", 0.5)
    settings = {"steps": 20, "restarts": 1, "queries": 0, "losses": ("predictive_margin",)}
    with pytest.warns(UserWarning, match="4 of 4 examples is exactly zero"):
        single = adaptive_protocol(post, x, y, threat, retry_double=False, **settings)
    assert single.accuracy.value == 1
    double = adaptive_protocol(post, x, y, threat, **settings)
    assert double.accuracy.value == 0
    assert double.zero_gradients == single.zero_gradients == 4
    assert double.worst.combined.x_adv.dtype == torch.float32


def test_mean_logits_are_judged_by_the_predictive():
    # one sample with huge logits decides the mean logits, two calm ones the predictive: the two predictions differ everywhere
    weights = torch.tensor([[[100.0], [-100.0]], [[-3.0], [3.0]], [[-3.0], [3.0]]])
    post = Posterior(model=nn.Linear(1, 2, bias=False), params={"weight": weights})
    x, y = torch.full((4, 1), 0.9), torch.ones(4, dtype=torch.long)
    assert bool((post.logits(x).mean(0).argmax(1) == 0).all())
    found = adaptive_protocol(post, x, y, ThreatModel("linf", 0.1), losses=("mean_logits",), **QUICK)
    assert found.clean_accuracy.value == 1
    assert found.outcomes["mean_logits"].accuracy.value == 1


def test_no_attack_mends_a_wrong_answer():
    # as above with the other labels: the predictive is wrong, the mean logits are right, and their climb leads to where the
    # predictive is right: 2/3 sigma(6 x) < 1/2 below x = 0.18
    weights = torch.tensor([[[100.0], [-100.0]], [[-3.0], [3.0]], [[-3.0], [3.0]]])
    post = Posterior(model=nn.Linear(1, 2, bias=False), params={"weight": weights})
    x, y, threat = torch.full((4, 1), 0.9), torch.zeros(4, dtype=torch.long), ThreatModel("linf", 0.8)
    for losses in (("mean_logits",), ("predictive_nll",), ("predictive_nll", "mean_logits", "predictive_margin")):
        found = adaptive_protocol(post, x, y, threat, losses=losses, steps=10, restarts=1, queries=0)
        assert found.clean_accuracy.value == 0
        assert found.accuracy.value == 0
        assert all(outcome.accuracy.value == 0 for outcome in found.outcomes.values())


def test_the_papers_step_leaves_the_box_at_once():
    post, x, y = small(), 0.2 + 0.6 * torch.rand(8, 6, generator=generator()), torch.arange(8) % 3
    found = paper_protocol(post, x, y, ThreatModel("linf", 0.1), methods=("pgd",), step_size="paper", steps=1)
    torch.testing.assert_close((found.outcomes["pgd"].result.x_adv - x).abs(), torch.full_like(x, 0.1))


def test_the_expected_loss_with_all_samples_is_the_step_along_the_mean_gradient():
    post, x, y = small(), 0.2 + 0.6 * torch.rand(8, 6, generator=generator()), torch.arange(8) % 3
    threat = ThreatModel("linf", 0.1)
    found = paper_protocol(post, x, y, threat, methods=("fgsm",), loss="expected", attack_samples=None)
    step = x + 0.1 * expected_input_gradient(post, x, y).mean.sign().float()
    torch.testing.assert_close(found.outcomes["fgsm"].result.x_adv, step)
    torch.testing.assert_close(ascend(posterior_objective(post, y), x, threat, steps=1), step)


def test_reports_say_whose_samples_attack():
    post, data = small(), (torch.rand(8, 6, generator=generator()), torch.arange(8) % 3)
    threat = ThreatModel("linf", 0.05)
    fewer = paper_protocol(post, *data, threat, attack_samples=2, defence_samples=4)
    assert (fewer.attack_samples, fewer.defence_samples, fewer.overlap) == (2, 4, "none of them")
    assert "attack with 2 samples (none of them), defence with 4" in str(fewer)
    assert paper_protocol(post, *data, threat, attack_samples=2).overlap == "some of them"
    assert paper_protocol(post, *data, threat, attack_samples=5, defence_samples=5).overlap in {
        "the same",
        "some of them and others",
    }
    assert paper_protocol(post, *data, threat, attack_samples=None).overlap == "the same"
    assert paper_protocol(post, *data, threat, attack_samples=6).overlap == "the same"
    net = mlp(6, hidden=(5,), classes=3)
    drawn = Posterior.from_sampler(net, lambda samples, generator: Prior().draw(net, samples, generator), samples=6)
    assert paper_protocol(drawn, *data, threat, attack_samples=6).overlap == "fresh draws"
    ours = adaptive_protocol(drawn, *data, threat, **QUICK)
    assert (ours.attack_samples, ours.defence_samples, ours.overlap) == (6, 6, "the same")
    assert "worst case" in str(ours)


def test_samples_that_do_not_defend_attack_where_there_are_enough(monkeypatch):
    sides = []
    monkeypatch.setattr(
        "holdfast.bayes.protocols.posterior_objective",
        lambda post, *rest, **more: (sides.append(post), real(post, *rest, **more))[1],
    )
    real = posterior_objective
    post, data = small(7), (torch.rand(8, 6, generator=generator()), torch.arange(8) % 3)
    for seed in range(5):
        found = paper_protocol(post, *data, ThreatModel("linf", 0.05), attack_samples=3, defence_samples=4, seed=seed)
        attack, defence = (part.params["head.bias"] for part in (sides[-1], post.spread(4)))
        assert not any(torch.equal(a, d) for a in attack for d in defence)
        assert found.overlap == "none of them"


@pytest.mark.parametrize(
    ("theirs", "ours", "word"),
    [
        ({1, 2}, {1, 2}, "the same"),
        ({1, 2}, {3}, "none of them"),
        ({1, 2}, {1}, "all of them and more"),
        ({1}, {1, 2}, "some of them"),
        ({1, 3}, {1, 2}, "some of them and others"),
    ],
)
def test_the_overlap_is_that_of_the_indices(theirs, ours, word):
    from holdfast.bayes.protocols import _overlap

    assert _overlap(theirs, ours) == word


@pytest.mark.parametrize(("samples", "chains"), [(12, 3), (6, 3), (3, 3), (2, 2), (7, 3)])
def test_reports_count_the_chains_that_defend(samples, chains):
    whole = small(12)
    post = Posterior(model=whole.model, params=whole.params, chains=3)
    found = paper_protocol(post, torch.rand(4, 6), torch.arange(4) % 3, ThreatModel("linf", 0.05), defence_samples=samples)
    assert found.chains == chains
    part = post.spread(samples)
    assert part.chains == (chains if samples % chains == 0 else 1)


def test_the_papers_protocol_prints_its_robustness_after_a_second_softmax():
    post, x, y = small(), torch.rand(8, 6, generator=generator()), torch.arange(8) % 3
    found = paper_protocol(post, x, y, ThreatModel("linf", 0.3), attack_samples=None)
    pgd = found.outcomes["pgd"]
    twice = [post.log_predictive(inputs).exp().softmax(1) for inputs in (x, pgd.result.x_adv)]
    torch.testing.assert_close(pgd.robustness_twice, 1 - (twice[0] - twice[1]).abs().amax(1))
    assert float(pgd.robustness_twice.max()) < 1, "the attack changed nothing"
    assert "after a second softmax" in str(found)
    assert str(pgd.softmax_robustness_twice) in str(found)
    assert "second" not in str(adaptive_protocol(post, x, y, ThreatModel("linf", 0.3), **QUICK))


class Broken(nn.Module):
    """Two classes; beyond one half the answer is no number."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x):
        return self.layer(x) + torch.where(x[:, :1] > 0.5, torch.nan, 0.0)


def test_answers_that_are_no_numbers_are_no_robustness():
    post, x, y = Posterior.of_models([Broken()]), torch.full((4, 2), 0.45), torch.zeros(4, dtype=torch.long)
    judge = Judge(post, x, y, threat=ThreatModel("linf", 0.2), batch_size=10)
    with pytest.warns(UserWarning, match="NaN"):
        found = {"by hand": judge.judge(x + torch.tensor([[0.1], [0.1], [0.0], [0.0]]), steps=1)}
    report = judge.report("adaptive", found, 0, attack_samples=1, overlap="the same", chains=1)
    assert report.robustness.tolist() == [0, 0, 1, 1]
    assert report.outcomes["by hand"].robustness_twice.tolist() == [0, 0, 1, 1]


def test_the_adaptive_protocol_spends_what_it_is_given(monkeypatch):
    calls = []

    def counted(*args, **settings):
        calls.append((args[0].reduce, len(args[1]), settings))
        return apgd(*args, **settings)

    monkeypatch.setattr("holdfast.bayes.protocols.apgd", counted)
    post, x = small(), torch.rand(8, 6, generator=generator())
    y = post.as_module()(x).argmax(1)
    adaptive_protocol(post, x, y, ThreatModel("linf", 1e-6), steps=13, restarts=3, queries=0)
    # nothing is fooled, so nothing is climbed again: one call for each loss, with all steps and restarts
    assert [(reduce, rows) for reduce, rows, _ in calls] == [("log_mean_exp", 8), ("mean_logits", 8), ("log_mean_exp", 8)]
    assert all((settings["steps"], settings["restarts"]) == (13, 3) for *_, settings in calls)
    assert [settings["loss"] for *_, settings in calls] == ["ce", "ce", "cw_margin"]


def test_only_what_fools_the_mean_logits_alone_is_climbed_again(monkeypatch):
    calls = []

    def counted(*args, **settings):
        calls.append((len(args[1]), settings.get("early_stop", True)))
        return apgd(*args, **settings)

    monkeypatch.setattr("holdfast.bayes.protocols.apgd", counted)
    weights = torch.tensor([[[100.0], [-100.0]], [[-3.0], [3.0]], [[-3.0], [3.0]]])
    post = Posterior(model=nn.Linear(1, 2, bias=False), params={"weight": weights})
    x, y = torch.tensor([[0.9], [0.9], [-0.9], [0.9]]), torch.tensor([1, 1, 0, 0])
    adaptive_protocol(post, x, y, ThreatModel("linf", 0.05, bounds=(-1, 1)), losses=("mean_logits",), **QUICK | {"queries": 0})
    assert calls == [(4, True), (3, False)]


@pytest.mark.parametrize(("dead", "warned"), [(1, False), (2, True)])
def test_one_zero_gradient_in_a_hundred_is_borne_and_two_are_not(dead, warned):
    from holdfast.bayes.gradients import warn_of_zeros
    from holdfast.bayes.protocols import _warn_of_zeros

    for warn in (warn_of_zeros, _warn_of_zeros):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            warn(dead, 100)
        assert bool(heard) == warned


@pytest.mark.parametrize("protocol", [paper_protocol, adaptive_protocol])
def test_inputs_in_double_precision_are_attacked_in_double_precision(protocol):
    post, x, y = small(), torch.rand(8, 6, generator=generator(), dtype=torch.float64), torch.arange(8) % 3
    found = protocol(post, x, y, ThreatModel("linf", 0.1), **({} if protocol is paper_protocol else QUICK))
    assert found.worst.combined.x_adv.dtype == torch.float64
    assert next(post.model.parameters()).dtype == torch.float32, "the posterior was changed"
    gradient = expected_input_gradient(post, x, y)
    torch.testing.assert_close(gradient.mean, expected_input_gradient(post, x.float(), y).mean, rtol=1e-4, atol=1e-6)


def test_the_papers_step_is_that_of_its_code():
    assert inspect.signature(paper_protocol).parameters["step_size"].default == 2 / 225  # scripts of robustBNNs
    post, x, y = small(), 0.2 + 0.6 * torch.rand(8, 6, generator=generator()), torch.arange(8) % 3
    found = paper_protocol(post, x, y, ThreatModel("linf", 0.1), methods=("pgd",), steps=1)
    torch.testing.assert_close((found.outcomes["pgd"].result.x_adv - x).abs(), torch.full_like(x, 2 / 225), rtol=0, atol=1e-6)


def test_the_same_seed_gives_the_same_answer():
    post, data = small(), (torch.rand(8, 6, generator=generator()), torch.arange(8) % 3)
    first, second = (adaptive_protocol(post, *data, ThreatModel("linf", 0.05), seed=3, **QUICK) for _ in range(2))
    assert torch.equal(first.worst.combined.x_adv, second.worst.combined.x_adv)


def test_softmax_robustness_lies_between_nothing_left_and_nothing_moved():
    p = torch.rand(50, 4, generator=generator()).softmax(1)
    q = torch.rand(50, 4, generator=generator(1)).softmax(1)
    assert bool((softmax_robustness(p, p) == 1).all())
    torch.testing.assert_close(softmax_robustness(p, q), softmax_robustness(q, p))
    torch.testing.assert_close(softmax_robustness(torch.eye(3), torch.eye(3).roll(1, 0)), torch.zeros(3))


@pytest.mark.parametrize(
    ("protocol", "change", "message"),
    [
        (paper_protocol, {"methods": ("apgd",)}, "allowed: fgsm, pgd"),
        (paper_protocol, {"loss": "predictive"}, "Did you mean 'predictive_nll'"),
        (paper_protocol, {"attack_samples": 7}, "from 1 to 6"),
        (paper_protocol, {"attack_samples": 0}, "`samples` is 0"),
        (paper_protocol, {"step_size": "papers"}, "allowed: paper"),
        (adaptive_protocol, {"losses": ("expected",)}, "allowed: predictive_nll, mean_logits, predictive_margin"),
        (adaptive_protocol, {"losses": (), "queries": 0}, "at least one loss, or queries"),
        (adaptive_protocol, {"queries": -1}, "`queries` is -1"),
        (adaptive_protocol, {"y": torch.full((8,), 3)}, "0 to 2"),
        (adaptive_protocol, {"x": torch.full((8, 6), 1.5)}, "in \\[1.5, 1.5\\]"),
    ],
)
def test_bad_input_is_refused(protocol, change, message):
    settings = {"x": torch.rand(8, 6), "y": torch.arange(8) % 3} | change
    with pytest.raises(InputError, match=message):
        protocol(small(), settings.pop("x"), settings.pop("y"), ThreatModel("linf", 0.1), **settings)


@pytest.mark.parametrize(
    ("p", "q", "message"),
    [
        (torch.eye(3), torch.eye(2), r"\(N, K\) like"),
        (torch.eye(3) * 5, torch.eye(3), "not probabilities"),
        (torch.eye(3), torch.tensor([[2.0, -1.0, 0.0]] * 3), "not probabilities"),
    ],
)
def test_what_is_no_probability_is_refused(p, q, message):
    with pytest.raises(InputError, match=message):
        softmax_robustness(p, q)


@pytest.mark.parametrize("name", ["code", "expected", "mean_logits", "adaptive"])
def test_a_named_protocol_is_the_protocol_with_its_settings(name):
    post, x, y, threat = small(), torch.rand(8, 6, generator=generator()), torch.arange(8) % 3, ThreatModel("linf", 0.2)
    direct = {
        "code": lambda: paper_protocol(post, x, y, threat),
        "adaptive": lambda: adaptive_protocol(post, x, y, threat, steps=3, restarts=2, queries=5),
    }.get(name) or (lambda: paper_protocol(post, x, y, threat, loss=name, attack_samples=None, steps=4, step_size=0.125))
    found = named_protocol(name, post, x, y, threat, effort=AttackEffort(steps=4, climbs=3, restarts=2, queries=5))
    expected = direct()
    assert str(found) == str(expected)
    for attack, outcome in expected.outcomes.items():
        assert torch.equal(found.outcomes[attack].result.x_adv, outcome.result.x_adv)


def test_an_unknown_protocol_is_refused():
    x = torch.rand(2, 6)
    with pytest.raises(InputError, match="Did you mean 'adaptive'"):
        named_protocol("adaptiv", small(), x, torch.zeros(2, dtype=torch.long), ThreatModel("linf", 0.1))


def test_a_named_protocol_counts_zero_gradients_without_a_warning():
    # logits that lead by 1000 have a softmax whose gradient is exactly zero
    post = small(2)
    loud = Posterior(
        model=post.model, params={name: values * (1e5 if "head" in name else 1) for name, values in post.params.items()}
    )
    x = torch.rand(8, 6, generator=generator())
    y = loud.log_predictive(x).argmax(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = named_protocol("second_softmax", loud, x, y, ThreatModel("linf", 0.1))
    assert found.zero_gradients > 0
    assert found.estimates["zero_gradients"].value == found.zero_gradients / 8


def test_a_result_names_its_numbers_and_keeps_them_per_example():
    post, x, y, threat = small(), torch.rand(8, 6, generator=generator()), torch.arange(8) % 3, ThreatModel("linf", 0.2)
    paper, adaptive = paper_protocol(post, x, y, threat, steps=2), adaptive_protocol(post, x, y, threat, **QUICK)
    assert paper.facts == {"attack_samples": 1, "defence_samples": 6, "overlap": "some of them"}
    for found in (paper, adaptive):
        for name in (*found.outcomes, "worst"):
            right = found.arrays[f"{name}.right"]
            assert found.estimates[f"{name}.accuracy"].value == right.mean()
            assert found.estimates[f"{name}.softmax"].value == pytest.approx(found.arrays[f"{name}.softmax"].mean())
            assert bool((found.arrays["worst.right"] <= right).all())
        assert found.estimates["clean.accuracy"] == found.clean_accuracy
    assert "pgd.softmax_twice" in paper.estimates
    assert "square.softmax_twice" not in adaptive.estimates
