"""FAB: the shortest step onto a plane in a box, and nearest adversarials of networks."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize

from holdfast.attacks import ThreatModel, apgd, fab, fab_targeted, nearest_adversarial
from holdfast.attacks.hyperplane import step_onto_plane
from holdfast.core.errors import InputError
from holdfast.nets import mlp, predict

RADII = {"linf": 0.06, "l2": 0.4, "l1": 1.5}


@pytest.fixture
def digits(digits_small):
    return digits_small[1][:50]


def planes(n=12, d=6, seed=0):
    """Normals (some entries 0), offsets, and points of the box from 0 to 1 (some coordinates at its walls)."""
    generator = torch.Generator().manual_seed(seed)
    normal, x = (torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(2))
    normal[:, 0] = 0
    return normal, torch.randn(n, generator=generator, dtype=torch.float64), (x + 0.5).clamp(0, 1)


def shortest(normal, offset, x, norm):
    """The same by SciPy: linear programs in L-infinity (one bound on all) and L1 (two parts), a quadratic one in L2."""
    d, walls = len(x), list(zip(-x, 1 - x, strict=True))
    if norm == "linf":
        rows = np.block([[np.eye(d), -np.ones((d, 1))], [-np.eye(d), -np.ones((d, 1))]])
        found = linprog(np.r_[np.zeros(d), 1], rows, np.zeros(2 * d), np.r_[normal, 0][None], [-offset], [*walls, (0, None)])
        return found.fun if found.success else None
    if norm == "l1":
        sides = [(0, high) for _, high in walls] + [(0, -low) for low, _ in walls]
        found = linprog(np.ones(2 * d), A_eq=np.r_[normal, -normal][None], b_eq=[-offset], bounds=sides)
        return found.fun if found.success else None
    plane = {"type": "eq", "fun": lambda delta: normal @ delta + offset, "jac": lambda delta: normal}
    found = minimize(
        lambda delta: delta @ delta, np.zeros(d), jac=lambda delta: 2 * delta, bounds=walls, constraints=plane, tol=1e-12
    )
    return found.fun**0.5 if found.success else None


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_the_step_onto_a_plane_is_the_shortest_in_the_box(norm):
    normal, offset, x = planes()
    steps = step_onto_plane(normal, offset, low=-x, high=1 - x, norm=norm)
    assert bool(((steps >= -x) & (steps <= 1 - x)).all())
    sizes = torch.linalg.vector_norm(steps, ord={"linf": torch.inf, "l2": 2, "l1": 1}[norm], dim=1)
    reached = ((normal * steps).sum(1) + offset).abs() < 1e-9
    for row in range(len(x)):
        size = shortest(normal[row].numpy(), float(offset[row]), x[row].numpy(), norm)
        assert bool(reached[row]) == (size is not None)
        if size is not None:
            assert float(sizes[row]) == pytest.approx(size, rel=1e-5, abs=1e-7)
    assert 0 < int(reached.sum()) < len(x), "some planes miss the box"


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_a_plane_out_of_reach_gives_the_corner_nearest_to_it(norm):
    steps = step_onto_plane(
        torch.tensor([[1.0, -2.0, 0.0]]), torch.tensor([-9.0]), low=-torch.ones(1, 3), high=torch.ones(1, 3), norm=norm
    )
    assert steps.tolist() == [[1.0, -1.0, 0.0]]


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_a_plane_through_the_point_and_one_without_a_slope_ask_for_no_step(norm):
    walls = torch.ones(2, 3)
    steps = step_onto_plane(
        torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]), torch.tensor([0.0, 1.0]), low=-walls, high=walls, norm=norm
    )
    assert steps.abs().max() == 0


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("attack", [partial(fab, restarts=5), partial(fab_targeted, classes=3)], ids=["fab", "fab_targeted"])
def test_it_finds_what_apgd_finds(digits_cnn, digits, attack, norm):
    threat = ThreatModel(norm, RADII[norm])
    found, other = attack(digits_cnn, digits.x, digits.y, threat, steps=15), apgd(digits_cnn, digits.x, digits.y, threat, steps=40)
    assert float(found.norm.max()) <= RADII[norm]
    assert torch.equal(predict(digits_cnn, found.x_adv).argmax(1) != digits.y, found.success)
    # two good attacks on the same non-convex problem, FAB with its source's number of restarts: at most 3 of 50 examples fewer;
    # several targets may find more than one climb
    assert int(found.success.sum()) >= int(other.success.sum()) - 3


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_nearest_adversarials_are_wrong_and_their_example_is_right_a_little_before(digits_cnn, digits, norm):
    nearest = nearest_adversarial(digits_cnn, digits.x, digits.y, ThreatModel(norm, 0.1), steps=12)
    assert bool(nearest.norm.isfinite().all())
    assert bool((predict(digits_cnn, nearest.x_adv).argmax(1) != digits.y).all())
    assert 0 <= float(nearest.x_adv.min()) <= float(nearest.x_adv.max()) <= 1
    before = digits.x + 0.97 * (nearest.x_adv - digits.x)
    still_right = (predict(digits_cnn, before).argmax(1) == digits.y)[nearest.norm > 0]
    assert float(still_right.double().mean()) > 0.95, "they stand at the boundary"


def test_one_search_gives_the_accuracy_at_every_radius(digits_cnn, digits):
    nearest = nearest_adversarial(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0.1), steps=15)
    for eps in (0.0, 0.05, 0.1):
        alone = fab(digits_cnn, digits.x, digits.y, ThreatModel("linf", eps), steps=15).accuracy.value
        assert abs(nearest.accuracy(eps).value - alone) <= 1 / 50 + 1e-9
    assert nearest.accuracy(0.0).value == float((predict(digits_cnn, digits.x).argmax(1) == digits.y).double().mean())
    assert nearest.accuracy(1.0).value == 0


def test_longer_searches_and_restarts_come_nearer(digits_cnn, digits):
    threat = ThreatModel("l2", 0.4)
    short, long, again = (
        nearest_adversarial(digits_cnn, digits.x[:30], digits.y[:30], threat, steps=steps, restarts=restarts).norm
        for steps, restarts in ((3, 1), (10, 1), (10, 3))
    )
    assert float(long.mean()) < float(short.mean())
    # the last polishing follows another line for another point, so that one in many ends a little farther away
    assert float(again.mean()) < float(long.mean())
    assert bool((again <= 1.02 * long).all())


def test_stopping_early_saves_passes_and_loses_nothing(digits_cnn, digits):
    threat = ThreatModel("linf", 0.1)
    early, late = (fab(digits_cnn, digits.x, digits.y, threat, steps=10, early_stop=stop) for stop in (True, False))
    assert torch.equal(early.success, late.success)
    assert int(early.queries.sum()) < int(late.queries.sum())
    assert float(late.norm[late.success].mean()) < float(early.norm[early.success].mean())


def test_a_mask_confines_the_walk(digits_cnn, digits):
    mask = torch.zeros(8, 8)
    mask[:, 4:] = 1
    nearest = nearest_adversarial(digits_cnn, digits.x[:40], digits.y[:40], ThreatModel("l2", 1.0, mask=mask), steps=10)
    assert torch.equal(nearest.x_adv[..., :4], digits.x[:40, ..., :4])
    assert bool(nearest.norm.isfinite().any())


def test_the_size_of_a_batch_does_not_matter(digits_cnn, digits):
    whole, parts = (
        fab_targeted(digits_cnn, digits.x, digits.y, ThreatModel("l2", 0.4), steps=6, restarts=2, classes=3, batch_size=size)
        for size in (200, 17)
    )
    torch.testing.assert_close(whole.x_adv, parts.x_adv, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"), [({"steps": 0}, "steps"), ({"restarts": 0}, "restarts"), ({"batch_size": 0}, "batch_size")]
)
@pytest.mark.parametrize("attack", [fab, fab_targeted, nearest_adversarial])
def test_settings_out_of_range_are_refused(attack, change, message):
    with pytest.raises(InputError, match=message):
        attack(mlp(6, classes=5), torch.rand(4, 6), torch.tensor([0, 1, 2, 0]), ThreatModel("linf", 0.1), **change)


@pytest.mark.parametrize("attack", [fab_targeted, nearest_adversarial])
def test_no_target_classes_are_refused(attack):
    with pytest.raises(InputError, match="classes"):
        attack(mlp(6, classes=5), torch.rand(4, 6), torch.tensor([0, 1, 2, 0]), ThreatModel("linf", 0.1), classes=0)


def test_counting_coordinates_is_refused():
    with pytest.raises(InputError, match="norm"):
        fab(mlp(6, classes=5), torch.rand(4, 6), torch.tensor([0, 1, 2, 0]), ThreatModel("l0", 2))
