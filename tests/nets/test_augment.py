"""Random changes of a batch."""

import torch

from holdfast.nets import random_flip, random_shift


def test_a_shift_moves_the_image_and_fills_with_zeros():
    x = torch.zeros(1, 1, 9, 9)
    x[0, 0, 4, 4] = 1
    places = set()
    generator = torch.Generator().manual_seed(0)
    for _ in range(300):
        moved = random_shift(2)(x, generator)
        assert moved.sum() == 1
        places.add(tuple(moved[0, 0].nonzero()[0].tolist()))
    # all 25 offsets; the chance to miss one in 300 draws is below 25 * (24/25)^300 = 1.2e-4, and the seed is fixed
    assert places == {(row, column) for row in range(2, 7) for column in range(2, 7)}


def test_no_shift_changes_nothing():
    x = torch.rand(2, 3, 5, 5)
    assert torch.equal(random_shift(0)(x, torch.Generator()), x)


def test_about_half_of_the_images_are_mirrored():
    x = torch.rand(4000, 1, 2, 3)
    out = random_flip(x, torch.Generator().manual_seed(0))
    flipped = (out == x.flip(-1)).flatten(1).all(1)
    kept = (out == x).flatten(1).all(1)
    assert bool((flipped ^ kept).all())
    # five standard deviations of binomial(4000, 1/2) are 158: a false alarm below 1e-6
    assert abs(int(flipped.sum()) - 2000) < 158
