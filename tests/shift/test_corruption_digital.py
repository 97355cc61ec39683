"""Colour, cells, compression and rubber: checked against the standard library, Pillow and plain arithmetic."""

import colorsys
import io

import numpy as np
import pytest
from PIL import Image
from shift_pictures import draw_picture, generators

from holdfast.shift.corruptions.digital import brightness, contrast, elastic_transform, jpeg_compression, pixelate, saturate

COLOURS = np.concatenate(
    [np.random.default_rng(0).random((200, 3)), [[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0], [0, 0.2, 0.2]]]
).astype(np.float32)
SWATCHES = np.ascontiguousarray(COLOURS.T)[None, :, None, :]


def through_hsv(change):
    """Each colour sent to HSV, changed and sent back by the standard library."""
    return np.array([colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*map(float, colour)))) for colour in COLOURS])


@pytest.mark.parametrize("shift", [0, 0.1, 0.5])
def test_brightness_raises_the_value_of_hsv(shift):
    expected = through_hsv(lambda hue, saturation, value: (hue, saturation, min(value + shift, 1)))
    np.testing.assert_allclose(brightness(SWATCHES, shift=shift)[0, :, 0].T, expected, atol=1e-6)


@pytest.mark.parametrize(("factor", "shift"), [(1, 0), (0.1, 0), (2, 0), (20, 0.2)])
def test_saturate_changes_the_saturation_of_hsv(factor, shift):
    expected = through_hsv(lambda hue, saturation, value: (hue, min(saturation * factor + shift, 1), value))
    np.testing.assert_allclose(saturate(SWATCHES, factor=factor, shift=shift)[0, :, 0].T, expected, atol=2e-6)


def test_contrast_shrinks_deviations_and_keeps_means(picture):
    np.testing.assert_allclose(contrast(picture, factor=1), picture, atol=1e-6)
    flat = contrast(picture, factor=0.3)
    np.testing.assert_allclose(flat.mean(axis=(2, 3)), picture.mean(axis=(2, 3)), atol=1e-5)
    np.testing.assert_allclose(flat.std(axis=(2, 3)), 0.3 * picture.std(axis=(2, 3)), rtol=1e-4)


def has_centre_on_border(side, cells):
    """True if some pixel's centre lies exactly between two cells, where Pillow's choice hangs on rounding errors."""
    return any((2 * pixel + 1) * cells % (2 * side) == 0 for pixel in range(side))


@pytest.mark.parametrize("scale", [0.95, 0.9, 0.85, 0.75, 0.65, 0.6, 0.5, 0.4, 0.3, 0.25, 0.05])
def test_pixelate_is_box_and_nearest_of_pillow(scale):
    compared = 0
    for height, width in ((224, 224), (17, 23), (8, 8), (96, 64), (5, 1), (32, 32), (100, 75)):
        cells = (max(1, int(width * scale)), max(1, int(height * scale)))
        if has_centre_on_border(width, cells[0]) or has_centre_on_border(height, cells[1]):
            continue
        x = draw_picture(height, width, channels=1)
        small = Image.fromarray(x[0, 0]).resize(cells, Image.Resampling.BOX)
        expected = np.asarray(small.resize((width, height), Image.Resampling.NEAREST))
        np.testing.assert_allclose(pixelate(x, scale=scale)[0, 0], expected, atol=1e-6)
        compared += 1
    assert compared >= 3


@pytest.mark.parametrize("scale", [0.6, 0.3])
def test_cells_keep_the_mean_and_repeating_them_changes_nothing(scale):
    x = draw_picture(28, 7, channels=1)
    once = pixelate(x, scale=scale)
    np.testing.assert_allclose(once.mean(), x.mean(), atol=1e-6)
    np.testing.assert_allclose(pixelate(once, scale=scale), once, atol=1e-6)
    assert len(np.unique(np.round(once, 5))) <= max(1, int(28 * scale)) * max(1, int(7 * scale))


def test_pixels_of_their_own_size_change_nothing(picture):
    np.testing.assert_allclose(pixelate(picture, scale=1.0), picture, atol=1e-7)


@pytest.mark.parametrize("quality", [7, 25, 80])
def test_jpeg_is_that_of_pillow(picture, quality):
    pixels = np.round(picture[0] * 255).astype(np.uint8).transpose(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    # OpenCV and Pillow ship their own builds of libjpeg-turbo, whose decoders may differ by a level
    difference = np.asarray(Image.open(file)).transpose(2, 0, 1).astype(int) - jpeg_compression(picture, quality=quality)[0]
    assert np.abs(difference).max() <= 2
    assert np.abs(difference).mean() < 0.1


def test_rubber_at_rest_changes_nothing(picture):
    still = elastic_transform(picture, alpha=0, sigma=0.01, affine=0, generators=generators())
    np.testing.assert_allclose(still, picture, atol=1e-6)


def test_an_affine_map_takes_straight_lines_to_straight_lines():
    # a ramp stays a ramp where no border is mirrored: second differences vanish up to OpenCV's steps of 1/32 px
    ramp = np.tile(np.linspace(0, 1, 96, dtype=np.float32), (1, 1, 96, 1))
    for seed in range(5):
        moved = elastic_transform(ramp, alpha=0, sigma=0, affine=0.05, generators=generators(seed=seed))[0, 0, 40:56, 40:56]
        assert np.abs(np.diff(moved, n=2, axis=0)).max() < 2 / 32 / 95
        assert np.abs(np.diff(moved, n=2, axis=1)).max() < 2 / 32 / 95
        assert not np.allclose(moved, ramp[0, 0, 40:56, 40:56], atol=1e-3)


def test_displacements_have_the_size_that_smoothing_leaves():
    # white noise of variance 1/3 under a Gaussian of sigma s px keeps the deviation 1 / (sqrt(3) * 2 s sqrt(pi))
    side, sigma, alpha = 128, 4 / 128, 1.0
    ramp = np.tile(np.arange(side, dtype=np.float32), (8, 1, side, 1))
    moved = elastic_transform(ramp, alpha=alpha, sigma=sigma, affine=0, generators=generators(8))
    shifts = (moved - ramp)[:, 0, 32:96, 32:96]
    expected = alpha * side / (np.sqrt(3) * 2 * (sigma * side) * np.sqrt(np.pi))
    assert shifts.std() == pytest.approx(expected, rel=0.15)  # 8 fields of about (64 / 4 sqrt(pi))^2 = 80 independent patches


def test_a_smoothing_far_wider_than_the_image_is_a_shift_of_all():
    # sigma of 0.7 sides, severity 1 of the large table: the field is nearly constant over the image
    ramp = np.tile(np.arange(64, dtype=np.float32), (1, 1, 64, 1))
    shifts = (elastic_transform(ramp, alpha=2, sigma=0.7, affine=0, generators=generators()) - ramp)[0, 0, 8:-8, 8:-8]
    assert shifts.std() < 0.35 * abs(shifts.mean()) + 0.1
