"""APGD: its checkpoints, what a step remembers, and what it finds beside PGD."""

import pytest
import torch
from torch import nn

from holdfast.attacks import ThreatModel, apgd, apgd_targeted, pgd
from holdfast.attacks.pacing import Trace, checkpoints, make_pace
from holdfast.attacks.projection import make_ball
from holdfast.core.errors import InputError
from holdfast.nets import mlp, predict, seeded

RADII = {"linf": 0.06, "l2": 0.4, "l1": 1.5}


@pytest.fixture
def digits(digits_small):
    return digits_small[1][:60]


def test_checkpoints_come_closer_and_closer():
    # arXiv:2003.01690, section 3.1 at 100 steps
    assert checkpoints(100) == (22, 41, 57, 70, 80, 87, 93, 99)
    for steps in range(1, 60):
        stops = checkpoints(steps)
        assert list(stops) == sorted(set(stops))
        assert stops[0] >= 1
        assert stops[-1] <= steps


def paced(norm, losses, *, steps=100, eps=1.0):
    """The pace after it saw `losses` at its points under a constant gradient."""
    x = torch.full((1, 5), 0.5)
    ball = make_ball(x, ThreatModel(norm, eps, bounds=(-9, 9)))
    trace = Trace(ball.x.clone())
    pace = make_pace(ball, trace, steps=steps, rho=0.75)
    for step, loss in enumerate(losses):
        trace.steer(torch.ones(1, 5), trace.observe(torch.tensor([loss]), torch.zeros(1, 2), step))
        pace.review(trace, ball, step)
        trace.advance(pace.move(trace, ball, step))
    return pace, trace


def test_a_loss_that_keeps_rising_keeps_its_steps():
    pace, _ = paced("linf", [float(step) for step in range(90)])
    assert pace.size.item() == 2.0, "twice the radius, as at the start"


def test_a_loss_that_stays_halves_the_steps_at_each_checkpoint():
    pace, _ = paced("linf", [0.0] * 58)
    assert pace.size.item() == 2.0 / 2**3, "checkpoints 22, 41, 57"


def test_a_best_value_that_stays_halves_the_steps_although_most_of_them_rise():
    # one peak at the start of an interval, then a long climb that stays below it: the steps rise, the best value does not
    pace, _ = paced("linf", [float(step) for step in range(22)] + [100.0] + [float(step) for step in range(40)])
    assert pace.size.item() == 2.0 / 2


def test_halved_steps_go_on_from_the_best_point():
    _, trace = paced("l2", [5.0] + [0.0] * 22)
    assert torch.equal(trace.best, torch.full((1, 5), 0.5))
    # the next point is one step of half the size away from it, with inertia from the last one
    assert float((trace.adv - trace.best).norm()) <= 1.0


def test_a_step_in_l1_moves_no_more_coordinates_than_planned_and_passes_over_the_walls():
    x = torch.tensor([[0.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]])
    ball = make_ball(x, ThreatModel("l1", 0.2))
    trace = Trace(ball.x.clone())
    pace = make_pace(ball, trace, steps=25, rho=0.75)
    pace.count = torch.tensor([2.0])
    trace.steer(torch.tensor([[-9.0, 8.0, 7.0, -6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.5]]), torch.tensor([True]))
    moved = pace.move(trace, ball, 0) - x
    assert moved[0].nonzero().squeeze(1).tolist() == [2, 3]
    torch.testing.assert_close(moved[0, 2:4], torch.tensor([0.1, -0.1]))


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_what_is_found_is_allowed_and_wrong_and_pgd_finds_no_more(digits_cnn, digits, norm):
    threat = ThreatModel(norm, RADII[norm])
    found, plain = apgd(digits_cnn, digits.x, digits.y, threat), pgd(digits_cnn, digits.x, digits.y, threat, steps=100)
    assert float(found.norm.max()) <= RADII[norm] * (1 + 1e-6)
    assert 0 <= float(found.x_adv.min()) <= float(found.x_adv.max()) <= 1
    assert torch.equal(predict(digits_cnn, found.x_adv).argmax(1) != digits.y, found.success)
    # at most one of 60 more: two good attacks on the same non-convex problem
    assert int(plain.success.sum()) <= int(found.success.sum()) + 1


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_the_size_of_a_batch_and_who_else_is_in_it_do_not_matter(digits_cnn, digits, norm):
    threat = ThreatModel(norm, torch.linspace(0.2, 2.0, 60) * RADII[norm])
    whole, parts = (apgd(digits_cnn, digits.x, digits.y, threat, steps=12, restarts=2, batch_size=size) for size in (200, 23))
    torch.testing.assert_close(whole.x_adv, parts.x_adv, rtol=0, atol=1e-4)
    assert torch.equal(whole.queries, parts.queries)


def test_without_early_stop_the_loss_goes_on_rising(digits_cnn, digits):
    threat = ThreatModel("linf", 0.1)
    early, late = (apgd(digits_cnn, digits.x, digits.y, threat, steps=20, early_stop=stop) for stop in (True, False))
    assert int((early.success & ~late.success).sum()) == 0
    stopped = early.success & (early.steps_used > 0)
    assert bool((late.loss > early.loss)[stopped].all())
    assert int(early.queries.sum()) < int(late.queries.sum())


def test_targets_are_reached(digits_cnn, digits):
    goal = (digits.y + 1) % 10
    for loss in ("ce", "dlr"):
        result = apgd(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0.3), target_class=goal, loss=loss, steps=20)
        assert torch.equal(predict(digits_cnn, result.x_adv).argmax(1) == goal, result.success)
        assert result.success_rate.value > 0.5


def test_the_likeliest_wrong_class_need_not_be_the_nearest():
    # class 1 is close behind class 0 and hardly moves; class 2 is far behind and rises fast
    def net(x):
        zero = torch.zeros_like(x)
        return torch.cat([zero + 1, 0.9 + 1e-3 * x, 2 * x, zero - 5, zero - 6], 1)

    x, y, threat = torch.zeros(3, 1), torch.zeros(3, dtype=torch.long), ThreatModel("linf", 0.6)
    assert not apgd_targeted(net, x, y, threat, classes=1, steps=10).success.all()
    assert apgd_targeted(net, x, y, threat, classes=2, steps=10).success.all()


def test_any_wrong_class_counts_whatever_the_target(digits_cnn, digits):
    nine = apgd_targeted(digits_cnn, digits.x, digits.y, ThreatModel("l2", 0.4), steps=10)
    assert torch.equal(predict(digits_cnn, nine.x_adv).argmax(1) != digits.y, nine.success)


@pytest.mark.parametrize(("classes", "untargeted", "targeted"), [(2, True, True), (3, False, True), (4, False, False)])
def test_few_classes_are_attacked_by_the_margin(classes, untargeted, targeted):
    x, y = torch.rand(20, 6), torch.arange(20) % classes
    net, threat = mlp(6, hidden=(), classes=classes), ThreatModel("linf", 0.3)
    for attack, warned in (
        (lambda: apgd(net, x, y, threat, loss="dlr", steps=5), untargeted),
        (lambda: apgd_targeted(net, x, y, threat, steps=5), targeted),
    ):
        if warned:
            with pytest.warns(UserWarning, match="the plain margin is used"):
                result = attack()
        else:
            result = attack()
        assert result.x_adv.shape == x.shape


def test_averaging_sees_through_noise_and_counts_every_pass(digits_cnn, digits):
    noise = torch.Generator().manual_seed(3)

    def noisy(x):
        return digits_cnn((x + 0.3 * torch.randn(x.shape, generator=noise)).clamp(0, 1))

    threat = ThreatModel("linf", 0.1)
    averaged = apgd(noisy, digits.x, digits.y, threat, steps=10, eot_samples=8)  # and no warning of randomness
    assert set(averaged.queries.tolist()) <= {8 * passes for passes in range(1, 13)}
    assert averaged.accuracy.value < 0.7


def test_averaging_a_network_that_does_not_vary_changes_nothing(digits_cnn, digits):
    threat = ThreatModel("linf", 0.06)
    one, three = (apgd(digits_cnn, digits.x, digits.y, threat, steps=8, eot_samples=samples) for samples in (1, 3))
    torch.testing.assert_close(one.x_adv, three.x_adv, rtol=0, atol=1e-4)
    assert torch.equal(3 * one.queries, three.queries)


def test_a_callable_loss_is_climbed(digits_cnn, digits):
    def brightness_of_class_3(logits, y):
        return logits[:, 3]

    threat = ThreatModel("linf", 0.1)
    result = apgd(digits_cnn, digits.x, digits.y, threat, loss=brightness_of_class_3, steps=10, early_stop=False)
    before = predict(digits_cnn, digits.x)[:, 3]
    assert bool((predict(digits_cnn, result.x_adv)[:, 3] >= before - 1e-4)[result.steps_used > 0].all())


def test_dropout_and_batch_statistics_rest():
    with seeded(0):
        net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3)).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    apgd(net, torch.rand(10, 6), torch.arange(10) % 3, ThreatModel("l1", 0.5), steps=5)
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps"),
        ({"rho": 1.5}, "rho"),
        ({"restarts": 0}, "restarts"),
        ({"eot_samples": 0}, "eot_samples"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
@pytest.mark.parametrize("attack", [apgd, apgd_targeted])
def test_settings_out_of_range_are_refused(attack, change, message):
    with pytest.raises(InputError, match=message):
        attack(mlp(6, classes=5), torch.rand(4, 6), torch.tensor([0, 1, 2, 0]), ThreatModel("linf", 0.1), **change)


def test_no_target_classes_and_counting_coordinates_are_refused():
    question = mlp(6, classes=5), torch.rand(4, 6), torch.tensor([0, 1, 2, 0])
    with pytest.raises(InputError, match="classes"):
        apgd_targeted(*question, ThreatModel("linf", 0.1), classes=0)
    with pytest.raises(InputError, match="norm"):
        apgd(*question, ThreatModel("l0", 2))
