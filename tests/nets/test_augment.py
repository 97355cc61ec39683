"""Random changes of a batch."""

import torch

from holdfast.nets import random_flip, random_shift, sign_noise


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


def test_sign_noise_changes_a_share_of_the_images_by_one_size_each():
    x = torch.full((2000, 1, 14, 14), 0.5)
    change = (sign_noise(0.2, share=0.7)(x, torch.Generator().manual_seed(0)) - x).flatten(1).abs()
    size = change.amax(1)
    assert torch.allclose(change, size[:, None].expand_as(change), atol=1e-6)
    assert size.max() <= 0.2
    # binomial with standard deviation 20: 1400 +- 100 is five of them, missed with probability 6e-7
    assert abs(int((size > 0).sum()) - 1400) < 100


def test_half_of_the_sign_noise_comes_in_blocks():
    x = torch.full((1000, 1, 14, 14), 0.5)
    change = (sign_noise(0.2, share=1.0)(x, torch.Generator().manual_seed(0)) - x).sign()
    whole = (change[:, :, :7, :7].flatten(1) == change[:, :, :1, :1].flatten(1)).all(1)
    assert 400 < int(whole.sum()) < 600  # standard deviation 16; white noise fills a block with chance 2^-48


def test_sign_noise_stays_in_the_box_and_takes_any_size():
    x = torch.rand(10, 3, 9, 11)
    noisy = sign_noise(0.9, block=4)(x, torch.Generator().manual_seed(0))
    assert noisy.shape == x.shape
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert torch.equal(sign_noise(0.0)(x, torch.Generator()), x)
