"""Several attack sizes in one call."""

import pytest
import torch

from holdfast.attacks import ThreatModel, pgd, pgd_sweep
from holdfast.core.errors import InputError
from holdfast.core.target import Target
from holdfast.nets import evaluate

SIZES = (0.0, 0.02, 0.05, 0.1, 0.2)


@pytest.fixture
def digits(digits_small):
    return digits_small[1][:80]


def test_a_sweep_is_the_attacks_one_after_another(digits_cnn, digits):
    settings = {"steps": 10, "random_start": False, "early_stop": False}
    together = pgd_sweep(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0), eps=SIZES, **settings)
    single = [pgd(digits_cnn, digits.x, digits.y, ThreatModel("linf", eps), **settings) for eps in SIZES]
    fooled = torch.zeros(len(digits), dtype=torch.bool)
    for swept, alone in zip(together, single, strict=True):
        fooled |= alone.success
        assert torch.equal(swept.success, fooled)


def test_accuracy_starts_clean_and_never_rises(digits_cnn, digits):
    swept = pgd_sweep(digits_cnn, digits.x, digits.y, ThreatModel("l2", 0), eps=SIZES, steps=5)
    accuracy = [result.accuracy.value for result in swept]
    assert accuracy[0] == evaluate(digits_cnn, digits).accuracy.value
    assert accuracy == sorted(accuracy, reverse=True)
    for eps, result in zip(SIZES, swept, strict=True):
        assert float(result.norm.max()) <= eps * (1 + 1e-6) + 1e-6


def test_the_clean_pass_is_shared(digits_cnn, digits):
    target = Target(model=digits_cnn)
    swept = pgd_sweep(target, digits.x, digits.y, ThreatModel("linf", 0), eps=SIZES, steps=1, random_start=False)
    right = int((~swept[0].success).sum())
    # clean: all; radius 0: once more; other radii: one pass for the gradient, one to judge; two attacks look at 8 rows twice
    assert target.queries.count <= len(digits) + right + 2 * right * (len(SIZES) - 1) + 32


def test_no_pass_is_larger_than_asked(digits_cnn, digits):
    sizes = []

    def watched(x):
        sizes.append(len(x))
        return digits_cnn(x)

    pgd_sweep(watched, digits.x, digits.y, ThreatModel("linf", 0), eps=SIZES, steps=1, batch_size=16)
    assert max(sizes) == 16


@pytest.mark.parametrize("eps", [(), (0.1, 0.05), (0.1, 0.1)])
def test_sizes_must_increase(digits_cnn, digits, eps):
    with pytest.raises(InputError, match="increasing"):
        pgd_sweep(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0), eps=eps)
