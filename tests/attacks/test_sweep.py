"""Several attack sizes in one call."""

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.attacks import ThreatModel, pgd, pgd_sweep
from holdfast.attacks.projection import perturbation_norm
from holdfast.core.errors import InputError
from holdfast.core.target import Target
from holdfast.nets import evaluate, mlp, predict

SIZES = (0.0, 0.02, 0.05, 0.1, 0.2)


@pytest.fixture
def digits(digits_small):
    return digits_small[1][:80]


@pytest.mark.parametrize("early_stop", [True, False])
@pytest.mark.parametrize(("norm", "factor"), [("linf", 1), ("l2", 6), ("l1", 20)])
def test_a_sweep_is_as_strong_as_the_attacks_one_after_another(digits_cnn, digits, early_stop, norm, factor):
    settings = {"steps": 20, "early_stop": early_stop}
    sizes = [factor * eps for eps in SIZES]
    together = pgd_sweep(digits_cnn, digits.x, digits.y, ThreatModel(norm, 0), eps=sizes, **settings)
    for eps, swept in zip(sizes, together, strict=True):
        alone = pgd(digits_cnn, digits.x, digits.y, ThreatModel(norm, eps), **settings)
        # other starts decide about those at the boundary: at most 2 of 80 fewer; where an example fell before is a good start
        assert int(swept.success.sum()) >= int(alone.success.sum()) - 2


def test_every_line_of_a_sweep_is_a_result_of_its_own(digits_cnn, digits):
    for eps, result in zip(
        SIZES, pgd_sweep(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0), eps=SIZES, steps=10), strict=True
    ):
        logits = predict(digits_cnn, result.x_adv)
        assert torch.equal(logits.argmax(1) != digits.y, result.success)
        torch.testing.assert_close(result.loss, nn.functional.cross_entropy(logits, digits.y, reduction="none"))
        assert float(result.norm.max()) <= eps + 1e-6
        torch.testing.assert_close(result.norm, (result.x_adv - digits.x).flatten(1).abs().amax(1))


def test_a_sweep_asks_less_than_its_attacks_one_after_another(digits_cnn, digits):
    together, apart = Target(model=digits_cnn), Target(model=digits_cnn)
    pgd_sweep(together, digits.x, digits.y, ThreatModel("linf", 0), eps=SIZES)
    for eps in SIZES:
        pgd(apart, digits.x, digits.y, ThreatModel("linf", eps))
    assert together.queries.count < 0.5 * apart.queries.count


def test_what_falls_near_counts_at_every_radius_that_holds_it(digits_cnn, digits):
    target = Target(model=digits_cnn)
    swept = pgd_sweep(target, digits.x, digits.y, ThreatModel("linf", 0), eps=(0.1, 0.2, 0.4, 0.8), steps=40)
    reached = swept[3].norm[swept[0].success & (swept[3].steps_used > 0)]
    assert len(reached) > 20
    # in steps of 0.05 from the image itself most of those that fall at 0.1 fall within two steps, and are not asked again
    assert float((reached <= 0.1 + 1e-6).double().mean()) > 0.5


def test_each_example_may_have_its_own_step_size(digits_cnn, digits):
    sizes = torch.where(torch.arange(len(digits)) % 2 == 0, 0.01, 0.0)
    swept = pgd_sweep(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0), eps=(0.1, 0.2), step_size=sizes, random_start=False)
    assert bool((swept[1].norm[1::2] == 0).all())
    assert float(swept[1].norm[::2].max()) > 0.05


def test_radii_may_come_as_an_array(digits_cnn, digits):
    threat, settings = ThreatModel("linf", 0), {"steps": 1, "random_start": False}
    one, two, three = (
        pgd_sweep(digits_cnn, digits.x, digits.y, threat, eps=eps, **settings)
        for eps in ([0.25, 0.5], torch.tensor([0.25, 0.5]), np.array([0.25, 0.5], dtype=np.float32))
    )
    for alone, tensor, array in zip(one, two, three, strict=True):
        assert torch.equal(alone.x_adv, tensor.x_adv)
        assert torch.equal(alone.x_adv, array.x_adv)


def test_beginning_again_loses_nothing(digits_cnn, digits):
    # with rounded inputs the network has no gradient at most images: all that held there begin again, at random
    rounded = nn.Sequential(Rounded(), digits_cnn)
    (first,) = pgd_sweep(rounded, digits.x, digits.y, ThreatModel("linf", 0), eps=[0.02], steps=2, random_start=False)
    (again,) = pgd_sweep(rounded, digits.x, digits.y, ThreatModel("linf", 0), eps=[0.02], steps=2)
    assert bool((again.loss >= first.loss)[~again.success].all())


class Rounded(nn.Module):
    """Rounds to quarters."""

    def forward(self, x):
        return (x * 4).round() / 4


class Ring(nn.Module):
    """One number, answered wrongly if it lies between `inner` and `outer` away from one half; its gradient leads outward."""

    def __init__(self, inner, outer):
        super().__init__()
        self.inner, self.outer = inner, outer

    def forward(self, x):
        away = (x[:, 0] - 0.5).abs()
        return torch.stack([1 - 2.0 * ((away > self.inner) & (away < self.outer)), 0.1 * away], 1)


def test_what_held_far_out_is_tried_nearer():
    x, y = torch.full((4, 1), 0.49), torch.zeros(4, dtype=torch.long)
    # the one step leads to the edge of the largest ball, beyond the ring; in the smaller one that point is brought onto it
    swept = pgd_sweep(Ring(0.05, 0.2), x, y, ThreatModel("linf", 0), eps=(0.1, 0.4), steps=1)
    assert [result.accuracy.value for result in swept] == [0, 0]
    assert float(swept[1].norm.max()) <= 0.1 + 1e-6


class Plateau(nn.Module):
    """Flat around one half: an attack that begins there sees nothing."""

    def forward(self, x):
        return torch.stack([torch.full_like(x[:, 0], 2.0), 10 * nn.functional.relu((x - 0.5).abs() - 0.01).sum(1)], 1)


@pytest.mark.parametrize("restarts", [1, 2])
def test_a_plateau_around_the_input_hides_nothing(restarts):
    x, y = torch.full((6, 40), 0.5), torch.zeros(6, dtype=torch.long)
    swept = pgd_sweep(Plateau(), x, y, ThreatModel("linf", 0), eps=(0.05, 0.1, 0.3), steps=5, restarts=restarts)
    assert [result.accuracy.value for result in swept] == [0, 0, 0]


def test_where_there_is_no_room_the_first_answer_counts():
    calls = []

    def turning(x):
        calls.append(len(x))
        wrong = len(calls) > 3  # two passes look at the network, the third at the clean inputs
        return torch.stack([x[:, 0] + 2 - 4 * wrong, 0 * x[:, 0]], 1)

    x, y = torch.rand(5, 1), torch.zeros(5, dtype=torch.long)
    swept = pgd_sweep(turning, x, y, ThreatModel("linf", 0), eps=(0.0, 0.3), steps=3)
    assert [result.accuracy.value for result in swept] == [1, 0]


@pytest.mark.parametrize("norm", ["linf", "l2", "l1", "l0"])
def test_every_radius_holds_its_own_result(norm):
    net, x, y = mlp(6, classes=3).double(), torch.rand(40, 6, dtype=torch.float64), torch.arange(40) % 3
    sizes = (1, 2, 4) if norm == "l0" else (0.05, 0.1, 0.3)
    threat = ThreatModel(norm, 0, mask=torch.tensor([1.0, 1, 1, 1, 1, 0]))
    for eps, result in zip(sizes, pgd_sweep(net, x, y, threat, eps=sizes, steps=4, restarts=2), strict=True):
        assert float(perturbation_norm(result.x_adv - x, norm).max()) <= eps * (1 + 1e-6) + 1e-9
        assert bool((result.x_adv[:, 5] == x[:, 5]).all())
        assert torch.equal(net(result.x_adv).argmax(1) != y, result.success)


@pytest.mark.parametrize("wrong", [torch.ones(3), torch.ones(99)])
def test_step_sizes_are_one_or_one_per_example(digits_cnn, digits, wrong):
    with pytest.raises(InputError, match="step_size"):
        pgd_sweep(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0), eps=SIZES, step_size=wrong)


@pytest.mark.parametrize("eps", [(-0.1, 0.1), (float("nan"),), ("a",), 0.1, torch.tensor(0.1)])
def test_radii_are_checked_before_anything_is_asked(digits, eps):
    with pytest.raises(InputError, match="eps"):
        pgd_sweep(lambda _: pytest.fail("asked"), digits.x, digits.y, ThreatModel("linf", 0), eps=eps)


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
    # clean: all; per radius at most one pass for the gradient and one to judge; attacks and what is carried look at 8 rows twice
    assert target.queries.count <= len(digits) + 2 * right * len(SIZES) + 16 * 2 * (len(SIZES) + 1)


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


@pytest.mark.parametrize("name", ["target_class", "start", "skip_wrong"])
def test_what_a_sweep_decides_itself_is_refused(digits_cnn, digits, name):
    with pytest.raises(InputError, match=name):
        pgd_sweep(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0), eps=SIZES, **{name: 1})
