"""Fog, snow, spatter and frost: limits of no weather, the light they add, and frost from photographs."""

import cv2
import numpy as np
import pytest
from shift_pictures import draw_picture, generators

from holdfast.core.errors import InputError
from holdfast.shift import Corruption
from holdfast.shift.corruptions.frost import frost, frost_crops, frost_panes, read_photographs
from holdfast.shift.corruptions.luminance import luminance
from holdfast.shift.corruptions.weather import MUD, WATER, fog, snow, spatter

FLURRY = {"deviation": 0.3, "zoom": 2, "threshold": 0.5, "smear": (10, 4), "keep": 0.8}
DROPS = {"mean": 0.65, "deviation": 0.3, "sigma": 2, "threshold": 0.68}


def test_no_fog_no_change(picture):
    np.testing.assert_allclose(fog(picture, strength=0, decay=2, generators=generators()), picture, atol=1e-6)


def test_fog_keeps_the_brightest_value_as_the_ceiling(picture):
    foggy = fog(picture, strength=2, decay=2, generators=generators())
    assert foggy.max() <= picture.max() + 1e-6
    assert foggy.min() >= 0
    assert foggy.std() < picture.std() * 1.5
    black = fog(0 * picture, strength=2, decay=2, generators=generators())
    np.testing.assert_array_equal(black, 0)


def test_without_flakes_and_whitening_there_is_no_snow(picture):
    calm = snow(picture, mean=-9, generators=generators(), **(FLURRY | {"keep": 1.0}))
    np.testing.assert_allclose(calm, picture, atol=1e-6)


def test_snow_only_adds_light_and_more_of_it_with_more_flakes(picture):
    light, heavy = (snow(picture, mean=mean, generators=generators(), **FLURRY) - picture for mean in (0.1, 0.5))
    assert light.min() >= -1e-6
    assert heavy.mean() > light.mean() > 0.02


def test_the_snow_layer_is_the_same_after_half_a_turn():
    black = np.zeros((1, 3, 40, 30), dtype=np.float32)
    layer = snow(black, mean=0.3, generators=generators(), **(FLURRY | {"keep": 1.0}))
    np.testing.assert_allclose(layer, layer[..., ::-1, ::-1], atol=1e-6)


def test_mud_covers_with_its_own_colour():
    white = np.ones((1, 3, 100, 100), dtype=np.float32)
    muddy = spatter(white, **(DROPS | {"sigma": 1, "threshold": 0.3}), strength=0.5, muddy=True, generators=generators())
    covered = muddy.min(axis=(2, 3))[0]
    np.testing.assert_allclose(covered, MUD, atol=0.02)


def test_water_adds_light_of_its_own_tint_at_most_its_strength():
    black = np.zeros((1, 3, 100, 100), dtype=np.float32)
    wet = spatter(black, **DROPS, strength=0.5, muddy=False, generators=generators())
    np.testing.assert_allclose(wet.max(axis=(2, 3))[0], 0.5 * WATER, atol=1e-6)
    np.testing.assert_allclose(wet[:, 0] * WATER[1], wet[:, 1] * WATER[0], atol=1e-6)


@pytest.mark.parametrize("muddy", [False, True])
def test_no_drop_no_change(picture, muddy):
    dry = spatter(picture, **(DROPS | {"threshold": 9}), strength=0.5, muddy=muddy, generators=generators())
    np.testing.assert_array_equal(dry, picture)


@pytest.mark.parametrize(
    "weather",
    [
        lambda x: spatter(x, **DROPS, strength=0.5, muddy=False, generators=generators()),
        lambda x: spatter(x, **DROPS, strength=0.5, muddy=True, generators=generators()),
        lambda x: frost(x, keep=0.7, cover=0.7, grain=1.0, generators=generators()),
    ],
)
def test_a_grey_picture_shows_the_brightness_of_the_colour_picture(weather):
    grey = draw_picture(50, 60, channels=1)
    np.testing.assert_allclose(weather(grey), luminance(weather(np.repeat(grey, 3, axis=1))), atol=1e-5)


def test_no_frost_no_change(picture):
    np.testing.assert_array_equal(frost(picture, keep=1, cover=0, grain=1.0, generators=generators()), picture)


def test_drawn_frost_has_brightness_contrast_and_tint_of_the_photographs():
    # measured on 60 crops of the photographs in imagecorruptions-imaug 1.1.5: mean 0.58, deviation 0.10, of which 0.06 below 3 px
    panes = frost_panes(generators(60), (224, 224), grain=1.0)
    light = luminance(panes)[:, 0]
    fine = light - np.stack([cv2.GaussianBlur(plane, (0, 0), 3) for plane in light])
    assert light.mean() == pytest.approx(0.58, abs=0.06)
    assert light.std(axis=(1, 2)).mean() == pytest.approx(0.10, abs=0.015)
    assert fine.std(axis=(1, 2)).mean() == pytest.approx(0.06, abs=0.015)
    red, green, blue = panes.mean(axis=(0, 2, 3))
    assert red < green < blue


@pytest.fixture
def photographs(tmp_path):
    """A folder with a red and a blue photograph of 60 x 90 px."""
    for name, pixel in (("a.png", (0, 0, 255)), ("b.PNG", (255, 0, 0))):
        cv2.imwrite(str(tmp_path / name), np.full((60, 90, 3), pixel, dtype=np.uint8))
    return tmp_path


def test_photographs_are_read_as_red_green_blue_in_the_order_of_their_names(photographs):
    red, blue = read_photographs(photographs)
    np.testing.assert_array_equal(red[0, 0], [1, 0, 0])
    np.testing.assert_array_equal(blue[0, 0], [0, 0, 1])


@pytest.mark.parametrize(("shape", "grain"), [((32, 32), 0.2), ((50, 80), 1.0), ((224, 300), 1.0), ((1, 1), 0.2)])
def test_crops_of_photographs_fit_any_image(photographs, shape, grain):
    crops = frost_crops(generators(20), shape, grain=grain, photographs=read_photographs(photographs))
    assert crops.shape == (20, 3, *shape)
    assert {tuple(np.round(crop[:, 0, 0])) for crop in crops} == {(1, 0, 0), (0, 0, 1)}


def test_frost_takes_the_photographs_that_it_is_given(photographs):
    black = np.zeros((8, 3, 32, 32), dtype=np.float32)
    frozen = Corruption(name="frost", severity=2, photographs=photographs)(black)
    # cifar table, severity 2: 0.3 of the frost, 76.5 levels
    np.testing.assert_allclose(frozen.sum(axis=1), 77 / 255, atol=1e-6)


def test_folders_without_pictures_are_refused(tmp_path):
    with pytest.raises(InputError, match="holds no image"):
        read_photographs(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"broken\.png"):
        read_photographs(tmp_path)
