"""Blur redistributes light: it keeps constants, has the width that its constants say, and moves nothing it should not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom
from shift_pictures import draw_picture, generators

from holdfast.shift.corruptions.blur import (
    defocus_blur,
    gaussian_blur,
    glass_blur,
    motion_blur,
    smeared,
    zoom_blur,
    zoomed,
)

POINT = np.zeros((1, 1, 65, 65), dtype=np.float32)
POINT[0, 0, 32, 32] = 1
OFFSET = np.arange(65) - 32


def moments(image):
    """Mean and variance, in px, of rows and of columns of an image of a point."""
    along = [image.sum(axis=axis) for axis in (1, 0)]
    means = [float(light @ OFFSET) for light in along]
    return means, [float(light @ OFFSET**2) - mean**2 for light, mean in zip(along, means, strict=True)]


@pytest.mark.parametrize(
    "blur",
    [
        lambda x: gaussian_blur(x, sigma=2),
        lambda x: defocus_blur(x, radius=4, alias=0.5),
        lambda x: motion_blur(x, radius=10, sigma=3, generators=generators()),
        lambda x: zoom_blur(x, stop=1.2, step=0.02),
        lambda x: glass_blur(x, sigma=1, reach=2, rounds=2, generators=generators()),
    ],
)
def test_a_constant_image_stays_constant(blur):
    np.testing.assert_allclose(blur(np.full((1, 2, 20, 31), 0.7, dtype=np.float32)), 0.7, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.7, 2, 4])
def test_gaussian_blur_has_its_variance(sigma):
    # cutting at 4 sigma loses 0.1 % of the variance, whole pixels add less
    means, variances = moments(gaussian_blur(POINT, sigma=sigma)[0, 0])
    assert means == pytest.approx([0, 0], abs=1e-5)
    assert variances == pytest.approx([sigma**2] * 2, rel=5e-3)


@pytest.mark.parametrize("shape", [(40, 50), (5, 3), (1, 1)])
def test_gaussian_blur_is_that_of_scipy(shape):
    x = draw_picture(*shape, channels=1)
    expected = gaussian_filter(x[0, 0].astype(float), 3, mode="nearest", truncate=4)
    np.testing.assert_allclose(gaussian_blur(x, sigma=3)[0, 0], expected, atol=1e-6)


@pytest.mark.parametrize("radius", [3, 6, 10])
def test_defocus_spreads_a_point_over_a_disk(radius):
    # a uniform disk has variance radius^2 / 4 along each axis; its pixels make that uncertain by about 1 / radius
    means, variances = moments(defocus_blur(POINT, radius=radius, alias=0.1)[0, 0])
    assert means == pytest.approx([0, 0], abs=1e-5)
    assert variances == pytest.approx([radius**2 / 4] * 2, rel=1 / radius)


def test_a_disk_smaller_than_a_pixel_is_a_point():
    np.testing.assert_allclose(defocus_blur(POINT, radius=0.3, alias=0.01), POINT, atol=1e-6)


@pytest.mark.parametrize(("angle", "row", "column"), [(0, 0, 1), (90, 1, 0), (-90, -1, 0), (45, 1, 1)])
def test_motion_smears_along_its_angle(angle, row, column):
    # half a Gaussian of sigma 3: mean sigma sqrt(2 / pi) = 2.39 on a fine grid, 1.93 on whole pixels from 0 on
    steps = np.arange(21)
    weights = np.exp(-(steps**2) / 18) / np.exp(-(steps**2) / 18).sum()
    length = weights @ np.ceil(steps * (np.sqrt(0.5) if row and column else 1) - 0.5)
    means, _ = moments(smeared(POINT[0], radius=10, sigma=3, angle=angle)[0])
    assert means == pytest.approx([-row * length, -column * length], abs=1e-5)


def test_camera_motion_is_within_45_degrees_of_level():
    x = np.repeat(POINT, 40, axis=0)
    for image in motion_blur(x, radius=15, sigma=8, generators=generators(40)):
        (down, across), _ = moments(image[0])
        assert across < 0
        assert abs(down) <= abs(across) + 0.5


def test_zooming_by_one_is_the_image_itself():
    x = draw_picture(33, 20)
    np.testing.assert_array_equal(zoomed(x, [1.0]), x)


@pytest.mark.parametrize(("shape", "factor"), [((224, 224), 1.07), ((32, 32), 1.25), ((17, 23), 2.5), ((9, 8), 4.5)])
def test_zoom_is_the_middle_of_scipys_linear_zoom(shape, factor):
    x = draw_picture(*shape, channels=1)[0, 0].astype(float)
    crop = [int(np.ceil(side / factor)) for side in shape]
    corner = [(side - size) // 2 for side, size in zip(shape, crop, strict=True)]
    enlarged = zoom(x[corner[0] : corner[0] + crop[0], corner[1] : corner[1] + crop[1]], factor, order=1)
    trim = [(size - side) // 2 for size, side in zip(enlarged.shape, shape, strict=True)]
    expected = enlarged[trim[0] : trim[0] + shape[0], trim[1] : trim[1] + shape[1]]
    np.testing.assert_allclose(zoomed(x[None].astype(np.float32), [factor])[0], expected, atol=1e-5)


def test_glass_swaps_pixels_and_loses_none():
    x = draw_picture(30, 40)
    shuffled = glass_blur(x, sigma=0.05, reach=2, rounds=3, generators=generators())  # a sigma this small blurs nothing
    assert (shuffled != x).mean() > 0.3
    for before, after in zip(x[0], shuffled[0], strict=True):
        np.testing.assert_array_equal(np.sort(before.ravel()), np.sort(after.ravel()))


def test_the_published_program_copies_pixels_and_loses_some():
    x = np.arange(900, dtype=np.float32).reshape(1, 1, 30, 30) % 255 / 255
    copied = glass_blur(x, sigma=0.05, reach=2, rounds=3, generators=generators(), overwrite=True)
    assert len(np.unique(copied)) < len(np.unique(x))
    assert set(np.round(copied.ravel() * 255)) <= set(np.round(x.ravel() * 255))


def test_glass_leaves_a_border_that_no_swap_reaches():
    x = draw_picture(30, 40, channels=1)
    shuffled = glass_blur(x, sigma=0.05, reach=4, rounds=1, generators=generators())
    np.testing.assert_array_equal(shuffled[..., 0, :], x[..., 0, :])
    moved = np.argwhere(shuffled[0, 0] != x[0, 0])
    assert moved.min() >= 1


def test_swaps_stay_near():
    # one round moves a pixel by at most reach px per swap it takes part in; two neighbours of a point hold nearly all its light
    point = np.zeros((1, 1, 41, 41), dtype=np.float32)
    point[0, 0, 20, 20] = 1
    found = [glass_blur(point, sigma=0.05, reach=1, rounds=1, generators=generators(seed=seed)) for seed in range(200)]
    distances = [np.abs(np.argwhere(image[0, 0] == 1)[0] - 20).max() for image in found]
    assert np.mean(np.array(distances) <= 2) > 0.9
