"""Ascent on functions of the input: optima that are known, equivalences, refusals."""

import pytest
import torch

from holdfast.attacks import ThreatModel, ascend, input_gradient
from holdfast.core.errors import InputError


def points(n=30, d=12):
    return torch.rand(n, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_the_nearest_allowed_point_to_a_goal_is_reached(norm):
    x, goal = points(), points().flip(0)
    eps = {"linf": 0.2, "l2": 0.5, "l1": 1.0}[norm]
    reached = ascend(lambda z, rows: -(z - goal[rows]).square().sum(1), x, ThreatModel(norm, eps), steps=400, step_size=0.01)
    if norm == "linf":
        expected = x + (goal - x).clamp(-eps, eps)
        torch.testing.assert_close(reached, expected, rtol=0, atol=0.011)
    away = (reached - goal).norm(dim=1)
    for other in points(40).split(30):  # no allowed point on the way to another one is nearer
        delta = other - x[: len(other)]
        size = delta.norm(dim=1, p={"linf": torch.inf, "l2": 2, "l1": 1}[norm], keepdim=True)
        candidate = x[: len(other)] + delta * (eps / size).clamp_max(1)
        assert bool((away[: len(other)] <= (candidate - goal[: len(other)]).norm(dim=1) + 0.02).all())


def test_rows_let_the_objective_look_up_what_belongs_to_each_example():
    x, weights = points(), points(30, 12) - 0.5
    threat = ThreatModel("linf", 0.1)
    whole, parts = (
        ascend(lambda z, rows: (z * weights[rows]).sum(1), x, threat, steps=3, batch_size=size, random_start=True)
        for size in (30, 7)
    )
    assert torch.equal(whole, parts)
    assert torch.equal(input_gradient(lambda z, rows: (z * weights[rows]).sum(1), x, torch.arange(30)), weights)


def test_views_of_the_input_add_up():
    x = points(4)
    twice = input_gradient(lambda z, rows: z.square().sum(1), torch.cat([x, x]), torch.arange(4).repeat(2))
    torch.testing.assert_close(twice[:4], 2 * x)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (lambda z, rows: z, "one number per example"),
        (lambda z, rows: z.detach().sum(1), "does not depend on the input"),
        (lambda z, rows: torch.ones(len(rows), requires_grad=True), "does not depend on the input"),
    ],
)
def test_objectives_that_cannot_be_climbed_are_refused(objective, message):
    with pytest.raises(InputError, match=message):
        ascend(objective, points(), ThreatModel("linf", 0.1))
