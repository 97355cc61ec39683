"""Point sets of known geometry: half circles, planes, and points that are placed on them."""

import numpy as np
import pytest
import torch

from holdfast.core.errors import InputError
from holdfast.data import embed, half_moons, random_plane


def generator(seed=0):
    return np.random.default_rng(seed)


def test_without_noise_each_class_is_a_half_circle_of_radius_one():
    moons = half_moons(200, noise=0.0)
    for label, centre, above in ((0, (0.0, 0.0), True), (1, (1.0, 0.5), False)):
        off = moons.x[moons.y == label] - torch.tensor(centre)
        torch.testing.assert_close(off.norm(dim=1), torch.ones(100))
        assert bool(((off[:, 1] >= -1e-6) if above else (off[:, 1] <= 1e-6)).all())


def test_the_box_keeps_the_shape_and_centring_fills_the_square():
    plain, box, centred = (half_moons(30_000, seed=0, scaling=scaling) for scaling in ("none", "box", "centred"))
    assert bool(((box.x > -0.01) & (box.x < 1.01)).all())
    torch.testing.assert_close(torch.pdist(box.x[:50]) * 3.65, torch.pdist(plain.x[:50]))  # one factor for both coordinates
    assert centred.x.abs().amax(0).tolist() == pytest.approx([1.0, 1.0], abs=0.15)


def test_a_seed_names_its_points_and_both_classes_have_half():
    one, again, other = (half_moons(100, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(one.x, again.x)
    assert not torch.equal(one.x, other.x)
    assert one.y.bincount().tolist() == [50, 50]
    assert (one.x.dtype, one.y.dtype, one.classes) == (torch.float32, torch.int64, 2)


def test_a_plane_is_orthonormal_and_a_larger_one_contains_it():
    plane, larger = (random_plane(20, size=size, generator=generator()) for size in (2, 4))
    torch.testing.assert_close(larger.T @ larger, torch.eye(4), rtol=0, atol=1e-6)
    assert torch.equal(plane, larger[:, :2])
    assert not torch.equal(plane, random_plane(20, generator=generator(1)))


def test_embedded_points_keep_their_distances_and_lie_in_the_plane():
    moons, plane = half_moons(60), random_plane(20, generator=generator())
    placed = embed(moons, plane)
    torch.testing.assert_close(torch.pdist(placed.x), torch.pdist(moons.x), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(placed.x @ plane, moons.x, rtol=0, atol=1e-5)
    assert torch.linalg.matrix_rank(placed.x, atol=1e-3) == 2
    assert torch.equal(placed.y, moons.y)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: half_moons(1), "`n` is 1"),
        (lambda: half_moons(10, noise=-0.1), "noise"),
        (lambda: half_moons(10, seed=-1), "seed"),
        (lambda: half_moons(10, scaling="centered"), "Did you mean 'centred'"),
        (lambda: random_plane(3, size=4, generator=generator()), "`size` is 4"),
        (lambda: embed(half_moons(10), torch.eye(3)), r"\(3, 3\) for examples of shape \(10, 2\)"),
    ],
)
def test_bad_input(call, part):
    with pytest.raises(InputError, match=part):
        call()
