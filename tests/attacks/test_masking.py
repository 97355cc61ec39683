"""Masked gradients are noticed, and honest networks are not accused."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from holdfast.attacks import ThreatModel, check_masking, masking_passes, pgd
from holdfast.core.errors import InputError
from holdfast.core.target import Target
from holdfast.nets import fit, round_ste, seeded, tiny_cnn, weights_digest

NUMBERS = ("i", "ii", "iii", "iv", "v", "vi", "vii")
THREAT = ThreatModel("linf", 0.1)


class Before(nn.Module):
    def __init__(self, change, net):
        super().__init__()
        self.change, self.net = change, net

    def forward(self, x):
        return self.net(self.change(x))


class After(nn.Module):
    def __init__(self, net, factor):
        super().__init__()
        self.net, self.factor = net, factor

    def forward(self, x):
        return self.factor * self.net(x)


@pytest.fixture(scope="module")
def few(digits_small):
    return digits_small[1][:150]


def flags(net, data, **settings):
    checks = check_masking(net, data.x, data.y, **{"threat": THREAT, "steps": 10, "queries": 50} | settings)
    return [check.id for check in checks if check.flagged]


def test_a_plain_network_raises_no_flag(trained_cnn, mnist_small):
    data = mnist_small[1][:150]
    checks = check_masking(trained_cnn, data.x, data.y, THREAT, steps=10)
    assert [check.id for check in checks] == list(NUMBERS)
    assert not any(check.flagged for check in checks), [check.text for check in checks if check.flagged]


@pytest.mark.parametrize(("norm", "eps"), [("l2", 0.5), ("l1", 2.0)])
def test_a_plain_network_raises_no_flag_in_other_norms_either(digits_cnn, digits_small, norm, eps):
    data = digits_small[1][:150]
    checks = check_masking(digits_cnn, data.x, data.y, ThreatModel(norm, eps), steps=20, queries=50)
    assert not any(check.flagged for check in checks), [check.text for check in checks if check.flagged]


def test_a_network_trained_on_attacked_inputs_raises_no_flag(digits_small):
    train, test = digits_small

    def attacked(model, x, y, generator):
        seed = int(torch.randint(2**31, (), generator=generator))
        return pgd(model, x, y, THREAT, steps=5, early_stop=False, skip_wrong=False, seed=seed).x_adv, y

    net = tiny_cnn(size=8)
    fit(net, train, epochs=8, lr=1e-2, batch_size=64, on_batch=attacked)
    data = test[:150]
    assert pgd(net, data.x, data.y, THREAT, steps=10).accuracy.value > 0.6, "it is robust"
    checks = check_masking(net, data.x, data.y, THREAT, steps=20, queries=200)
    assert not any(check.flagged for check in checks), [check.text for check in checks if check.flagged]


@pytest.mark.parametrize("factor", [1e3, 1e4])
def test_multiplied_logits_are_caught(digits_cnn, few, factor):
    assert "v" in flags(After(digits_cnn, factor), few)


@pytest.mark.parametrize("quantise", [torch.round, lambda x: (x > 0.5).float()])
def test_a_one_bit_input_without_straight_through_is_caught(digits_cnn, few, quantise):
    caught = flags(Before(quantise, digits_cnn), few)
    assert {"ii", "v"} <= set(caught)


def test_the_same_quantiser_with_straight_through_is_not_accused_of_vanishing_gradients(digits_cnn, few):
    assert not {"i", "ii", "iv", "v", "vii"} & set(flags(Before(round_ste, digits_cnn), few))


def test_randomness_is_caught(digits_cnn, few):
    with seeded(0):
        assert "vii" in flags(Before(lambda x: x + 0.1 * torch.randn_like(x), digits_cnn), few)


def test_a_better_attack_without_gradients_is_evidence(digits_cnn, few):
    everything = torch.ones(len(few), dtype=torch.bool)
    assert "iii" in flags(digits_cnn, few, black_box=everything)
    assert "iii" not in flags(digits_cnn, few, black_box=pgd(digits_cnn, few.x, few.y, THREAT, steps=5))
    with pytest.raises(InputError, match="black_box"):
        flags(digits_cnn, few, black_box=everything[:5])


def test_the_network_is_left_as_it_was_and_passes_stay_within_the_estimate(digits_cnn, few):
    digest, target = weights_digest(digits_cnn), Target(model=digits_cnn.train())
    check_masking(target, few.x, few.y, THREAT, steps=5, queries=20)
    assert weights_digest(digits_cnn) == digest
    assert digits_cnn.training
    forward, backward = masking_passes(steps=5, queries=20)
    assert backward < forward
    # the looks at a few rows, 16 per attack, come on top
    assert target.queries.count <= forward * len(few) + 16 * 10
    digits_cnn.eval()


def test_seeds_reproduce(digits_cnn, digits_small):
    data = digits_small[1][:60]
    first, again = (check_masking(digits_cnn, data.x, data.y, THREAT, steps=5, queries=10, seed=3) for _ in range(2))
    assert first == again


def test_without_bounds_means_without_the_mask_too(digits_cnn, few):
    corner = torch.zeros(1, 8, 8)
    corner[:, 0, 0] = 1
    assert "ii" not in flags(digits_cnn, few, threat=replace(THREAT, mask=corner))


def test_one_radius_for_all(digits_cnn, digits_small):
    data = digits_small[1][:4]
    with pytest.raises(InputError, match="one radius"):
        check_masking(digits_cnn, data.x, data.y, ThreatModel("linf", torch.full((4,), 0.1)))
