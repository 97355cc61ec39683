"""A checked question holds norm, radius and box once, and gives balls, boxes and distances of any of its examples."""

from dataclasses import fields

import pytest
import torch

from holdfast.attacks import ThreatModel
from holdfast.attacks.problem import Problem, pose
from holdfast.core.errors import InputError

N = 7
ROWS = torch.tensor([5, 0, 3])


def posed(norm="l2", eps=0.3, **settings):
    x = torch.rand(N, 4, generator=torch.Generator().manual_seed(0))
    return pose(lambda x: x[:, :3], x, torch.arange(N) % 3, ThreatModel(norm, eps, **settings))


def test_the_threat_model_is_the_only_place_of_the_radius():
    assert {field.name for field in fields(Problem)} == {"target", "x", "y", "goal", "threat", "dtype"}


@pytest.mark.parametrize("eps", [0.25, torch.tensor(0.25), torch.linspace(0, 0.6, N), torch.linspace(0, 0.6, N).double()])
def test_the_balls_of_some_examples_are_rows_of_all_balls(eps):
    problem = posed(eps=eps)
    whole, some, alone = problem.ball(torch.arange(N)), problem.ball(ROWS), problem.of_rows(ROWS).ball(torch.arange(3))
    for one in (some, alone):
        assert torch.equal(one.x, problem.x[ROWS])
        assert torch.equal(one.eps, problem.eps[ROWS])
        assert torch.equal(one.low, whole.low[ROWS])
    assert problem.eps.dtype == problem.x.dtype
    assert torch.equal(problem.ball(ROWS, scale=3).eps, 3 * problem.eps[ROWS])
    assert torch.equal(problem.of_rows(torch.arange(N) < 2).y, problem.y[:2])


def test_targets_go_with_their_examples():
    x, y = torch.rand(N, 4), torch.arange(N) % 3
    problem = pose(lambda x: x[:, :3], x, y, ThreatModel("linf", 0.1), target_class=(y + 1) % 3)
    assert torch.equal(problem.of_rows(ROWS).goal, (y[ROWS] + 1) % 3)


def test_boxes_and_distances_are_of_the_examples_named():
    problem = posed(mask=torch.tensor([1, 0, 1, 1]))
    low, high = problem.box(ROWS)
    assert torch.equal(low[:, 1], problem.x[ROWS, 1])
    assert high[:, 0].tolist() == [1.0] * 3
    moved = problem.x[ROWS].clone()
    moved[:, 0] += torch.tensor([0.1, 0.2, 0.3])
    torch.testing.assert_close(problem.distance(ROWS, moved), torch.tensor([0.1, 0.2, 0.3]))


def test_another_number_of_radii_is_refused_at_the_door():
    with pytest.raises(InputError, match="one per example"):
        posed(eps=torch.full((N + 1,), 0.1))
