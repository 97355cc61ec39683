"""Attacks without gradients: budgets, feasibility, and what they are compared with."""

import pytest
import torch
from torch import nn

from holdfast.attacks import ThreatModel, block_search, pgd, random_noise
from holdfast.core.errors import InputError
from holdfast.core.target import Target
from holdfast.nets import evaluate, predict, seeded


@pytest.fixture
def digits(digits_small):
    return digits_small[1][:100]


@pytest.mark.parametrize("attack", [random_noise, block_search])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_what_is_found_is_feasible_and_success_means_a_wrong_answer(digits_cnn, digits, attack, norm):
    eps = 0.2 if norm == "linf" else 1.5
    result = attack(digits_cnn, digits.x, digits.y, ThreatModel(norm, eps))
    assert float(result.norm.max()) <= eps * (1 + 1e-6) + 1e-6
    assert float(result.x_adv.min()) >= 0
    assert float(result.x_adv.max()) <= 1
    assert torch.equal(predict(digits_cnn, result.x_adv).argmax(1) != digits.y, result.success)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_search_beats_noise_and_the_gradient_beats_search(digits_cnn, digits, norm):
    threat = ThreatModel(norm, 0.15 if norm == "linf" else 0.6)
    noise = random_noise(digits_cnn, digits.x, digits.y, threat).accuracy.value
    search = block_search(digits_cnn, digits.x, digits.y, threat, queries=200).accuracy.value
    gradient = pgd(digits_cnn, digits.x, digits.y, threat).accuracy.value
    assert evaluate(digits_cnn, digits).accuracy.value >= noise > search > gradient


def test_queries_stay_within_the_budget_and_are_counted(digits_cnn, digits):
    target = Target(model=digits_cnn, access="scores")
    result = block_search(target, digits.x, digits.y, ThreatModel("linf", 0.1), queries=20)
    assert int(result.queries.max()) == 1 + 20
    assert target.queries.count == int(result.queries.sum()) + 2 * 8, "and two passes over eight rows to look at the target"


def test_a_network_without_gradient_is_searched_all_the_same(digits_cnn, digits):
    def quantised(x):
        return digits_cnn((x > 0.5).float())

    clean = float((quantised(digits.x).argmax(1) == digits.y).double().mean())
    found = block_search(quantised, digits.x, digits.y, ThreatModel("linf", 0.3), queries=100)
    assert found.accuracy.value < clean - 0.2


def test_features_that_are_no_image_are_searched_too():
    """On a linear network the largest loss in ball and box is known exactly: only what can be fooled is, and most of that."""
    with seeded(0):
        net = nn.Linear(12, 3, bias=False)
        x = torch.rand(200, 12)
    y = predict(net, x).argmax(1)
    low, high = (x - 0.5).clamp_min(0) - x, (x + 0.5).clamp_max(1) - x
    weight = net.weight.detach()
    pull = weight[None] - weight[y][:, None]  # (n, classes, features), towards each class
    gain = torch.maximum(pull * low[:, None], pull * high[:, None]).sum(2)
    lead = torch.einsum("nkf,nf->nk", pull, x) + gain
    can_be_fooled = lead.scatter(1, y[:, None], -torch.inf).amax(1) > 0
    found = block_search(net, x, y, ThreatModel("linf", 0.5), queries=100).success
    assert not (found & ~can_be_fooled).any()
    assert found[can_be_fooled].float().mean() > 0.5


@pytest.mark.parametrize("attack", [random_noise, block_search])
def test_a_masked_start_has_the_whole_length(attack):
    mask = torch.zeros(100)
    mask[:4] = 1
    x, y = torch.full((30, 100), 0.5), torch.zeros(30, dtype=torch.long)

    def net(x):  # the further from the start, the less sure
        return torch.tensor([2.0, 0.0, 0.0]) * (1 - (x - 0.5).norm(dim=1, keepdim=True))

    result = attack(net, x, y, ThreatModel("l2", 0.3, mask=mask), **{"draws" if attack is random_noise else "queries": 1})
    torch.testing.assert_close(result.norm, torch.full((30,), 0.3))
    assert not (result.x_adv - x)[:, 4:].any()


def test_seeds_reproduce(digits_cnn, digits):
    threat = ThreatModel("linf", 0.1)
    runs = [block_search(digits_cnn, digits.x, digits.y, threat, queries=10, seed=seed).x_adv for seed in (0, 0, 1)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_labels_alone_are_not_enough(digits_cnn, digits):
    with pytest.raises(InputError, match="'scores' or more"):
        block_search(Target(model=digits_cnn, access="labels"), digits.x, digits.y, ThreatModel("linf", 0.1))
