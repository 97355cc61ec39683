"""Thumbnails are small PNGs that show what the array holds."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from holdfast.core.errors import InputError
from holdfast.report import panels, thumbnail


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))))


@pytest.mark.parametrize(("shape", "expected"), [((28, 28), (28, 28)), ((1, 8, 6), (8, 6)), ((3, 32, 32), (32, 32, 3))])
def test_small_images_keep_their_pixels(shape, expected):
    image = np.random.default_rng(0).integers(0, 256, shape)
    seen = pixels(thumbnail(image / 255))
    assert seen.shape == expected
    assert np.array_equal(seen, np.moveaxis(image, 0, -1) if shape[0] == 3 else image.reshape(expected))


def test_large_images_are_reduced_to_64_px_and_keep_their_shape():
    assert pixels(thumbnail(np.zeros((3, 224, 112)))).shape == (64, 32, 3)


def test_values_outside_the_range_are_cut_and_undefined_ones_are_black():
    assert pixels(thumbnail(np.array([[-1.0, 2.0], [np.nan, 0.5]]))).tolist() == [[0, 255], [0, 128]]


def test_the_difference_is_enlarged_about_mid_grey():
    clean, stressed = np.full((1, 2, 2), 0.5), np.full((1, 2, 2), 0.52)
    captions = [panel.caption for panel in panels(clean, stressed)]
    assert captions == ["clean", "stressed", "10× difference"]
    # 0.5 + 10 x 0.02 = 0.7 of 255 levels, to the level
    assert abs(int(pixels(panels(clean, stressed)[2].png)[0, 0]) - 0.7 * 255) < 1


def test_what_is_no_image_is_refused():
    with pytest.raises(InputError, match="has shape"):
        thumbnail(np.zeros((5, 8, 8)))
