"""Examples leave an attack everywhere at once: no number of one example ever goes to another."""

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.attacks import ThreatModel, apgd, fab, hopskipjump, nearest_adversarial, nes, pgd, square
from holdfast.attacks.active import ActiveSet
from holdfast.attacks.projection import make_ball
from holdfast.attacks.transforms import Direction
from holdfast.nets import predict


@dataclass
class Batch(ActiveSet):
    """Everything here is a function of the row, so that a mix-up shows."""

    rows: torch.Tensor
    height: torch.Tensor
    ball: object
    steer: Direction
    goal: torch.Tensor | None = None
    shared: tuple[int, ...] = (1, 2, 3)


def batch(n=12):
    rows = torch.arange(n)
    x = rows[:, None] / n + torch.zeros(n, 3)
    steer = Direction(0.5)
    steer(1 + rows[:, None] * torch.ones(n, 3))
    steer.velocity = rows[:, None] * torch.ones(n, 3)
    return Batch(rows, 10.0 * rows, make_ball(x, ThreatModel("l2", 0.01 * (rows + 1))), steer)


@settings(deadline=None)  # the first call loads torch's kernels
@given(st.lists(st.lists(st.booleans(), min_size=12, max_size=12), max_size=6))
def test_whatever_leaves_when_all_entries_belong_to_their_rows(rounds):
    active, left = batch(), torch.arange(12)
    for leaving in rounds:
        done = torch.tensor(leaving)[active.rows]
        left = left[~done]
        places = active.drop(done)
        assert len(places) == len(left)
        assert torch.equal(active.rows, left)
        assert torch.equal(active.height, 10.0 * left)
        assert torch.equal(active.ball.x[:, 0], left / 12)
        torch.testing.assert_close(active.ball.eps, 0.01 * (left + 1))
        assert torch.equal(active.steer.velocity, left[:, None] * torch.ones(len(left), 3))
        assert (active.goal, active.shared) == (None, (1, 2, 3))


def test_places_cut_what_an_attack_computed_before():
    active = batch()
    gradient = 100 * active.rows
    places = active.drop(active.rows % 3 == 0)
    assert torch.equal(gradient[places], 100 * active.rows)


def test_nothing_is_copied_while_all_stay():
    active = batch()
    height = active.height
    active.drop(torch.zeros(12, dtype=torch.bool))
    assert active.height is height


def test_entries_of_another_number_are_an_error():
    active = batch()
    active.height = active.height[:5]
    with pytest.raises(AssertionError, match="5"):
        active.drop(active.rows == 3)


@pytest.fixture(scope="module")
def digits(digits_small):
    return digits_small[1][:40]


ATTACKS = {
    "pgd": lambda net, x, y, threat: pgd(net, x, y, threat, steps=10, momentum=0.5),
    "apgd": lambda net, x, y, threat: apgd(net, x, y, threat, steps=15),
    "fab": lambda net, x, y, threat: fab(net, x, y, threat, steps=10, restarts=2),
    "hopskipjump": lambda net, x, y, threat: hopskipjump(net, x, y, threat, queries=200, first_samples=20, stop_inside=True),
    "nes": lambda net, x, y, threat: nes(net, x, y, threat, queries=100, samples=10),
    "square": lambda net, x, y, threat: square(net, x, y, threat, queries=100),
}


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_each_example_keeps_its_own_radius_and_its_own_answer(digits_cnn, digits, attack, norm):
    # the radii differ, so examples leave at many different steps; an input of a neighbour would be far outside the ball
    eps = torch.linspace(0.01, 0.4 if norm == "linf" else 2.5, len(digits)).flip(0)
    found = ATTACKS[attack](digits_cnn, digits.x, digits.y, ThreatModel(norm, eps))
    assert 0 < int(found.success.sum()) < len(digits)
    assert bool((found.norm <= eps * (1 + 1e-5)).all()), "the ball of another example"
    assert torch.equal(predict(digits_cnn, found.x_adv).argmax(1) != digits.y, found.success)


@pytest.mark.parametrize(
    "attack",
    [
        lambda *problem: pgd(*problem, steps=10, random_start=False, momentum=0.5),
        lambda *problem: fab(*problem, steps=10),
        lambda *problem: nearest_adversarial(*problem, steps=10, classes=2),
    ],
    ids=["pgd", "fab", "nearest_adversarial"],
)
@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_an_example_fares_in_a_shrinking_batch_as_it_does_alone(attack, norm):
    """Without random numbers the others in a batch, and when they leave, change nothing."""
    draws = torch.Generator().manual_seed(0)
    centres, weights, x = (torch.rand(n, 16, generator=draws, dtype=torch.float64) for n in (4, 4, 40))

    def net(inputs):  # a sum for each row alone: layers of torch round differently in batches of another size
        return -((inputs[:, None] - centres) ** 2 * (1 + weights)).sum(-1)

    y, threat = net(x).argmax(1), ThreatModel(norm, {"linf": 0.12, "l2": 0.4, "l1": 1.2}[norm])
    together = attack(net, x, y, threat)
    alone = [attack(net, x[row : row + 1], y[row : row + 1], threat) for row in range(len(x))]
    torch.testing.assert_close(together.x_adv, torch.cat([one.x_adv for one in alone]), rtol=0, atol=1e-12)
    assert together.queries.tolist() == [int(one.queries[0]) for one in alone]


@pytest.mark.parametrize("attack", [pgd, apgd], ids=["pgd", "apgd"])
def test_what_is_fooled_is_the_same_where_examples_leave_and_where_batches_are_small(digits_cnn, digits, attack):
    """Starts are drawn for all examples beforehand, so cutting the batch into parts changes no result."""
    threat, pace = ThreatModel("linf", 0.12), {"steps": 12, "restarts": 2, "seed": 5}
    whole, parts = (attack(digits_cnn, digits.x, digits.y, threat, batch_size=size, **pace) for size in (40, 7))
    assert torch.equal(whole.success, parts.success)
    assert torch.equal(whole.queries, parts.queries)
    torch.testing.assert_close(whole.x_adv, parts.x_adv, rtol=0, atol=1e-5)
