"""Balls in a box: feasibility, exactness, closed forms."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.attacks import ThreatModel
from holdfast.attacks.projection import make_ball, perturbation_norm, unit_noise


def centres(seed, n=40, d=7):
    return torch.rand(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def bisection(delta, low, high, eps):
    """The same projection by 200 halvings of the scale t, for one row."""
    left, right = 0.0, 1.0
    if (delta.clamp(low, high)).norm() <= eps:
        return delta.clamp(low, high)
    for _ in range(200):
        middle = (left + right) / 2
        left, right = (middle, right) if (middle * delta).clamp(low, high).norm() <= eps else (left, middle)
    return (left * delta).clamp(low, high)


@given(st.integers(0, 10_000), st.floats(0.01, 3.0), st.sampled_from(["linf", "l2", "l1"]))
@settings(max_examples=40, deadline=None)
def test_a_projection_is_feasible_idempotent_and_leaves_feasible_points_alone(seed, eps, norm):
    x = centres(seed)
    delta = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed + 1), dtype=x.dtype)
    ball = make_ball(x, ThreatModel(norm, eps))
    once = ball.project(delta)
    assert float(perturbation_norm(once, norm).max()) <= eps * (1 + 1e-6), "the ball"
    assert float((x + once).min()) >= -1e-12, "the box"
    assert float((x + once).max()) <= 1 + 1e-12, "the box"
    torch.testing.assert_close(ball.project(once), once, msg="a second projection moved the point")


@pytest.mark.parametrize("eps", [0.05, 0.3, 1.0, 2.0])
def test_the_l2_projection_in_a_box_is_the_nearest_allowed_point(eps):
    x = centres(3)
    delta = 2 * torch.randn(x.shape, generator=torch.Generator().manual_seed(4), dtype=x.dtype)
    ball = make_ball(x, ThreatModel("l2", eps))
    exact = torch.stack([bisection(d, -c, 1 - c, eps) for d, c in zip(delta, x, strict=True)])
    torch.testing.assert_close(ball.project(delta), exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize("eps", [0.05, 0.5, 1.5, 20.0])
def test_the_l1_projection_in_a_box_shrinks_all_coordinates_by_the_one_amount_that_spends_the_radius(eps):
    x = centres(5)
    delta = 2 * torch.randn(x.shape, generator=torch.Generator().manual_seed(6), dtype=x.dtype)
    ball = make_ball(x, ThreatModel("l1", eps))
    room = torch.where(delta > 0, 1 - x, x)

    def sizes(multiplier):
        return torch.minimum((delta.abs() - multiplier).clamp_min(0), room)

    low, high = torch.zeros(len(x), 1, dtype=x.dtype), delta.abs().amax(1, keepdim=True)
    for _ in range(100):
        middle = (low + high) / 2
        much = sizes(middle).sum(1, keepdim=True) > eps
        low, high = torch.where(much, middle, low), torch.where(much, high, middle)
    inside = sizes(torch.zeros(1, dtype=x.dtype)).sum(1, keepdim=True) <= eps
    exact = torch.where(inside, sizes(0 * low), sizes(high)) * delta.sign()
    torch.testing.assert_close(ball.project(delta), exact, rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1", "l0"])
def test_what_is_allowed_lies_in_the_box_to_the_last_bit(norm):
    box = (-0.3, 0.9)
    x = torch.rand(200, 30, generator=torch.Generator().manual_seed(0)) * 1.2 - 0.3
    x = x.clamp(*box)
    eps = {"linf": 0.2, "l2": 1.0, "l1": 3.0, "l0": 8}[norm]
    ball = make_ball(x, ThreatModel(norm, eps, bounds=box))
    moved = ball.start(unit_noise(x, norm, torch.Generator().manual_seed(1)))
    for seed in range(3):
        ball.step_(moved, torch.randn(x.shape, generator=torch.Generator().manual_seed(seed)), torch.full((200,), float(eps)))
        assert float(moved.min()) >= torch.tensor(box[0])
        assert float(moved.max()) <= torch.tensor(box[1])
    reached = ball.nearest(moved + 2)
    assert float(reached.max()) <= torch.tensor(box[1])


def test_an_l0_attack_does_not_depend_on_the_unit_of_the_input():
    x = torch.rand(5, 6, generator=torch.Generator().manual_seed(0))
    direction = torch.randn(5, 6, generator=torch.Generator().manual_seed(1))
    moved = []
    for unit in (1.0, 255.0):
        ball = make_ball(unit * x, ThreatModel("l0", 2, bounds=(0, unit)))
        place = unit * x
        ball.step_(place, direction, torch.full((5,), 0.3))
        moved.append(place / unit)
    torch.testing.assert_close(moved[0], moved[1], rtol=0, atol=1e-6)


def test_an_l1_step_fills_the_steepest_coordinates_up_to_their_walls():
    x = torch.tensor([[0.9, 0.5, 0.5, 0.2]])
    ball = make_ball(x, ThreatModel("l1", 1.0))
    moved = x.clone()
    ball.step_(moved, torch.tensor([[9.0, -3.0, 2.0, 1.0]]), torch.tensor([0.7]))
    assert torch.allclose(moved, torch.tensor([[1.0, 0.0, 0.6, 0.2]]))


def test_the_l0_projection_keeps_the_coordinates_that_bring_the_point_nearest():
    x = torch.tensor([[0.9, 0.5, 0.5, 0.2]])
    ball = make_ball(x, ThreatModel("l0", 2))
    # the first wants to go far but its wall is near: moving 0.1 of 0.8 gains 0.15, less than the two steps that are free
    assert torch.allclose(ball.project(torch.tensor([[0.8, 0.45, -0.4, 0.3]])), torch.tensor([[0.0, 0.45, -0.4, 0.0]]))


def test_the_l2_projection_beats_scaling_and_clipping():
    # one coordinate at the wall: clipping wastes length that the other coordinate may use
    x = torch.tensor([[1.0, 0.5]])
    ball = make_ball(x, ThreatModel("l2", 0.4))
    assert torch.allclose(ball.project(torch.tensor([[1.0, 0.45]])), torch.tensor([[0.0, 0.4]]))


def test_masked_coordinates_do_not_move():
    x = torch.full((2, 4), 0.5)
    mask = torch.tensor([1.0, 0.0, 1.0, 0.0])
    for norm in ("linf", "l2", "l1"):
        ball = make_ball(x, ThreatModel(norm, 0.3, mask=mask))
        moved = ball.start(torch.ones(2, 4))
        ball.step_(moved, torch.ones(2, 4), torch.tensor([0.1, 0.1]))
        assert torch.equal(moved[:, 1::2], x[:, 1::2])
        assert bool((moved[:, ::2] != x[:, ::2]).all())


def test_noise_fills_the_unit_ball_uniformly():
    x = torch.zeros(4000, 3)
    generator = torch.Generator().manual_seed(0)
    # the share within half the radius is (1/2)^d in L2: binomial(4000, 1/8), five standard deviations are 105
    radius = unit_noise(x, "l2", generator).norm(dim=1)
    assert float(radius.max()) <= 1 + 1e-6
    assert abs(int((radius < 0.5).sum()) - 500) < 105
    # in L1 too, by the same count
    size = unit_noise(x, "l1", generator).abs().sum(1)
    assert float(size.max()) <= 1 + 1e-6
    assert abs(int((size < 0.5).sum()) - 500) < 105
    # in L-infinity each coordinate is uniform: mean 0, standard deviation 1/sqrt(3), 12 000 of them
    noise = unit_noise(x, "linf", generator)
    assert abs(float(noise.mean())) < 5 / (3 * 12_000) ** 0.5
    assert float(noise.abs().max()) <= 1
