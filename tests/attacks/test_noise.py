"""Random noise: feasible, within its draws, and weaker than any attack."""

import pytest
import torch

from holdfast.attacks import ThreatModel, pgd, random_noise, square
from holdfast.nets import evaluate, predict


@pytest.fixture
def digits(digits_small):
    return digits_small[1][:100]


SIZES = {"linf": 0.2, "l2": 1.5, "l1": 8.0, "l0": 10}


@pytest.mark.parametrize("norm", SIZES)
def test_what_is_found_is_feasible_and_success_means_a_wrong_answer(digits_cnn, digits, norm):
    eps = SIZES[norm]
    result = random_noise(digits_cnn, digits.x, digits.y, ThreatModel(norm, eps))
    assert float(result.norm.max()) <= eps * (1 + 1e-6) + 1e-6
    assert float(result.x_adv.min()) >= 0
    assert float(result.x_adv.max()) <= 1
    assert int(result.queries.max()) <= 1 + 10
    assert torch.equal(predict(digits_cnn, result.x_adv).argmax(1) != digits.y, result.success)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_search_beats_noise_and_the_gradient_beats_search(digits_cnn, digits, norm):
    threat = ThreatModel(norm, 0.15 if norm == "linf" else 0.6)
    noise = random_noise(digits_cnn, digits.x, digits.y, threat).accuracy.value
    search = square(digits_cnn, digits.x, digits.y, threat, queries=200).accuracy.value
    gradient = pgd(digits_cnn, digits.x, digits.y, threat).accuracy.value
    assert evaluate(digits_cnn, digits).accuracy.value >= noise > search > gradient


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_masked_noise_has_the_whole_length(norm):
    mask = torch.zeros(100)
    mask[:4] = 1
    x, y = torch.full((30, 100), 0.5), torch.zeros(30, dtype=torch.long)

    def net(x):  # the further from the start, the less sure
        return torch.tensor([2.0, 0.0, 0.0]) * (1 - (x - 0.5).norm(dim=1, keepdim=True))

    result = random_noise(net, x, y, ThreatModel(norm, 0.3, mask=mask), draws=1)
    torch.testing.assert_close(result.norm, torch.full((30,), 0.3))
    assert not (result.x_adv - x)[:, 4:].any()
