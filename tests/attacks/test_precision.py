"""Attacks on networks in half precision: every part that computes by itself does so in single precision."""

import copy

import pytest
import torch

from holdfast.attacks import ThreatModel, adversarial_batches, ascend, check_masking, loss_gradient, pgd
from holdfast.attacks.losses import dlr, dlr_targeted
from holdfast.attacks.precision import rounded_toward
from holdfast.attacks.projection import levelled
from holdfast.attacks.query.directions import unit
from holdfast.attacks.transfer import CorrespondenceMatrix, attack_prior, noise_control, proxy_attack
from holdfast.core.errors import InputError
from holdfast.data import Examples
from holdfast.nets import fit, mlp, predict

HALVES = (torch.float16, torch.bfloat16)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("size", [1e-6, 1e-3, 1.0, 255.0])
def test_rounding_toward_the_centre_never_leads_away_and_never_further_than_a_step(dtype, size):
    draws = torch.Generator().manual_seed(0)
    centre = (size * torch.randn(100_000, generator=draws)).to(dtype)
    points = size * torch.randn(100_000, generator=draws)
    found = rounded_toward(points, centre.float(), dtype)
    assert found.dtype == dtype
    slack = 1e-6 * size  # of the differences in single precision
    assert bool(((found.double() - centre.double()).abs() <= (points.double() - centre.double()).abs() + slack).all())
    step = torch.finfo(dtype).eps * points.abs() + torch.finfo(dtype).smallest_normal
    assert bool(((found.float() - points).abs() <= step).all())
    assert torch.equal(rounded_toward(centre.float(), points, dtype), centre), "what needs no rounding stays"


def test_gradients_pass_the_rounding_unchanged():
    points = torch.rand(50, requires_grad=True)
    (gradient,) = torch.autograd.grad(rounded_toward(points, torch.zeros(50), torch.bfloat16).sum(), points)
    assert torch.equal(gradient, torch.ones(50))


def test_levelling_rounds_no_bit_and_keeps_zero():
    rows = torch.stack([torch.rand(8), 1e-40 * torch.rand(8), 1e30 * torch.rand(8), torch.zeros(8)])
    level = levelled(rows)
    peak = level.abs().amax(1)
    assert bool((peak[:3] >= 1e-3).all() & (peak[:3] < 1).all())
    assert torch.equal(level[3], torch.zeros(8))
    assert torch.equal(rows[0] / level[0], torch.full((8,), float(rows[0, 0] / level[0, 0])))
    torch.testing.assert_close(unit(rows).norm(dim=1), torch.tensor([1.0, 1.0, 1.0, 0.0]))


def test_steps_that_half_precision_would_round_away_add_up():
    x = torch.full((4, 6), 0.75, dtype=torch.bfloat16)  # its numbers here are 0.004 apart, a step is 0.001
    found = ascend(lambda x, rows: x.float().sum(1), x, ThreatModel("linf", 0.04), steps=40)
    assert found.dtype == torch.bfloat16
    assert float((found - x).float().amin()) > 0.03


@pytest.mark.parametrize("norm", ["linf", "l2", "l1", "l0"])
@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_an_ascent_asks_in_half_precision_and_stays_in_its_ball(dtype, norm):
    net, x = mlp(6, classes=3).to(dtype), torch.rand(8, 6).to(dtype)
    size = {"linf": 0.1, "l2": 0.3, "l1": 0.5, "l0": 2}[norm]
    order = {"linf": torch.inf, "l2": 2, "l1": 1, "l0": 0}[norm]
    found = ascend(lambda z, rows: net(z)[:, 0].float(), x, ThreatModel(norm, size), random_start=True, seed=1)
    assert found.dtype == dtype
    assert float(torch.linalg.vector_norm((found - x).double(), ord=order, dim=1).max()) <= size * (1 + 1e-5)
    assert not torch.equal(found, x)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_transfer_attacks_priors_and_controls_take_half_precision(dtype):
    box, x, threat = mlp(6, classes=3).to(dtype), torch.rand(8, 6).to(dtype), ThreatModel("linf", 0.1)
    found = CorrespondenceMatrix(C=torch.eye(3))
    pushed = proxy_attack(box, x, 1, found, threat, method="proxy-ce")
    assert pushed.x_adv.dtype == dtype
    assert 0 < float(pushed.norm.max()) <= 0.1 * (1 + 1e-5)
    for noise in (noise_control(x, threat), noise_control(x, ThreatModel("l2", 8.0))):
        assert noise.dtype == dtype
        assert bool(noise.isfinite().all())
    guess = attack_prior(box, x, 1, found, threat=threat, method="proxy-ce")(x, torch.arange(8))
    assert bool(guess.isfinite().all())
    assert bool(loss_gradient(box, torch.arange(8) % 3, loss="dlr")(x, torch.arange(8)).isfinite().all())


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_losses_of_equal_logits_are_numbers(dtype):
    logits, y = torch.zeros(2, 5, dtype=dtype), torch.tensor([0, 4])
    assert dlr(logits, y).tolist() == [0, 0]
    assert dlr_targeted(logits, y, torch.tensor([1, 1])).tolist() == [0, 0]


def test_adversarial_training_in_bfloat16_learns():
    x = torch.rand(200, 2)
    data = Examples(x.bfloat16(), (x[:, 0] > x[:, 1]).long())
    net = mlp(2, classes=2).bfloat16()
    history = fit(net, data, epochs=20, lr=0.05, on_batch=adversarial_batches(0.02)).history
    assert history[-1].accuracy > 0.8


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_the_masking_checks_of_a_plain_network_are_the_same_in_half_precision(digits_cnn, digits_small, dtype):
    data, threat = digits_small[1][:100], ThreatModel("linf", 0.1)
    half = check_masking(copy.deepcopy(digits_cnn).to(dtype), data.x.to(dtype), data.y, threat, steps=5, queries=20)
    full = check_masking(digits_cnn, data.x, data.y, threat, steps=5, queries=20)
    assert [check.flagged for check in half] == [check.flagged for check in full]


def test_inputs_whose_sum_is_beyond_half_precision_do_not_count_as_masked():
    def net(x):
        return (x.float().mean((1, 2, 3), keepdim=False)[:, None] / 255 - torch.tensor([0.3, 0.7])).square().mul(-8).half()

    x = torch.full((4, 1, 40, 40), 60.0, dtype=torch.float16)  # their sum is 96000, the largest number of float16 is 65504
    x[2:] = 200
    checks = check_masking(net, x, torch.tensor([0, 0, 1, 1]), ThreatModel("linf", 60.0, bounds=(0, 255)), steps=5, queries=20)
    assert not [check.id for check in checks if check.flagged]


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_an_attack_in_half_precision_finds_as_much_as_in_single(digits_cnn, digits_small, dtype):
    data = digits_small[1][:200]
    half = copy.deepcopy(digits_cnn).to(dtype)
    rates = [
        pgd(net, data.x.to(kind), data.y, ThreatModel("l2", 0.5), steps=10).success_rate.value
        for net, kind in ((half, dtype), (digits_cnn, torch.float32))
    ]
    assert abs(rates[0] - rates[1]) < 0.05
    with pytest.raises(InputError, match="box"):
        pgd(half, 2 + data.x.to(dtype), data.y, ThreatModel("l2", 0.5))
    assert predict(half, data.x.to(dtype)).dtype == dtype
