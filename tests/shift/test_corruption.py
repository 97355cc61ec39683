"""All 19 corruptions through one list: what holds for each of them, whatever it does to a picture."""

import numpy as np
import pytest
import torch
from shift_pictures import draw_picture

from holdfast.core.errors import InputError
from holdfast.shift import BENCHMARK_CORRUPTIONS, CORRUPTIONS, HELD_OUT_CORRUPTIONS, Corruption, applicable, corrupt
from holdfast.shift.corruptions.catalogue import DETERMINISTIC, RANDOM

every_corruption = pytest.mark.parametrize("name", CORRUPTIONS)


def test_the_benchmark_has_15_corruptions_and_4_are_held_out():
    # arXiv:1903.12261, sections 3 and 4
    assert len(BENCHMARK_CORRUPTIONS) == 15
    assert len(HELD_OUT_CORRUPTIONS) == 4
    assert len(set(CORRUPTIONS)) == 19
    assert sorted([*RANDOM, *DETERMINISTIC]) == sorted(CORRUPTIONS)


@every_corruption
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (17, 23), (28, 28), (96, 64), (1, 1), (1, 5)])
def test_any_size_keeps_shape_range_and_8_bits(name, channels, height, width):
    x = draw_picture(height, width, channels=channels)
    for severity in (1, 2, 3, 4, 5):
        y = corrupt(x, name, severity)
        assert y.shape == x.shape
        assert y.dtype == x.dtype
        assert y.min() >= 0
        assert y.max() <= 1
        np.testing.assert_allclose(y * 255, np.round(y * 255), atol=1e-4)


@every_corruption
def test_large_kernels_survive_tiny_images(name):
    x = draw_picture(8, 8)
    for severity in (1, 5):
        assert np.isfinite(corrupt(x, name, severity, table="imagenet")).all()


@every_corruption
def test_the_input_is_not_changed_and_the_seed_decides(name, small_pictures):
    before = small_pictures.copy()
    first, again = (corrupt(small_pictures, name, 3, seed=7) for _ in range(2))
    np.testing.assert_array_equal(small_pictures, before)
    np.testing.assert_array_equal(first, again)
    assert not np.shares_memory(first, small_pictures)
    other = corrupt(small_pictures, name, 3, seed=8)
    assert (name in RANDOM) == bool((first != other).any())


@every_corruption
def test_an_image_gets_the_same_damage_in_any_batch(name, small_pictures):
    whole = corrupt(small_pictures, name, 4, seed=3, first_index=10)
    parts = [
        corrupt(small_pictures[cut], name, 4, seed=3, first_index=10 + cut.start) for cut in (slice(0, 1), slice(1, 4), slice(4, 6))
    ]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_chunks_of_a_large_batch_leave_no_seam():
    x = np.repeat(draw_picture(64, 64), 50, axis=0)  # 50 * 64 * 64 * 3 values are more than one chunk
    whole = corrupt(x, "gaussian_noise", 2)
    np.testing.assert_array_equal(whole[47:], corrupt(x[47:], "gaussian_noise", 2, first_index=47))
    assert len({image.tobytes() for image in whole}) == 50


@every_corruption
def test_tensors_and_arrays_are_damaged_alike(name, small_pictures):
    x = torch.from_numpy(small_pictures).double().requires_grad_()
    y = corrupt(x, name, 2, seed=1)
    assert (y.dtype, y.device, y.requires_grad) == (torch.float64, x.device, False)
    np.testing.assert_array_equal(y.float().numpy(), corrupt(small_pictures, name, 2, seed=1))


def test_half_precision_comes_back_as_half_precision(small_pictures):
    x = torch.from_numpy(small_pictures)
    assert corrupt(x.bfloat16(), "contrast", 1).dtype == torch.bfloat16
    assert corrupt(small_pictures.astype(np.float16), "contrast", 1).dtype == np.float16


@pytest.mark.gpu
@every_corruption
def test_gpu_tensors_return_to_their_gpu(name, small_pictures):
    x = torch.from_numpy(small_pictures)
    y = corrupt(x.cuda(), name, 2)
    assert y.is_cuda
    assert torch.equal(y.cpu(), corrupt(x, name, 2))


# severities whose published constants grow in every column of the table, so that the damage must grow as well
GROWING = {
    "imagenet": (
        "gaussian_noise",
        "shot_noise",
        "impulse_noise",
        "speckle_noise",
        "gaussian_blur",
        "defocus_blur",
        "motion_blur",
        "zoom_blur",
        "brightness",
        "contrast",
        "pixelate",
        "jpeg_compression",
    ),
    "cifar": (
        "gaussian_noise",
        "shot_noise",
        "impulse_noise",
        "speckle_noise",
        "gaussian_blur",
        "motion_blur",
        "zoom_blur",
        "fog",
        "brightness",
        "contrast",
        "pixelate",
        "jpeg_compression",
    ),
}


@pytest.mark.parametrize(("table", "name"), [(table, name) for table, names in GROWING.items() for name in names])
def test_damage_grows_with_severity(table, name, picture, small_pictures):
    x = picture if table == "imagenet" else small_pictures
    damage = [float(np.abs(corrupt(x, name, severity, table=table) - x).mean()) for severity in (1, 2, 3, 4, 5)]
    assert damage == sorted(damage)
    assert damage[0] > 0


# fields that are one and the same for all channels, so that a grey picture stays grey (saturate makes grey pixels red)
@pytest.mark.parametrize(
    "name",
    [
        "defocus_blur",
        "glass_blur",
        "motion_blur",
        "zoom_blur",
        "snow",
        "fog",
        "brightness",
        "contrast",
        "elastic_transform",
        "pixelate",
        "jpeg_compression",
        "gaussian_blur",
    ],
)
def test_a_grey_picture_is_a_colour_picture_with_equal_channels(name):
    grey = draw_picture(40, 56, channels=1)
    damaged = corrupt(grey, name, 3)
    colour = corrupt(np.repeat(grey, 3, axis=1), name, 3)
    for channel in range(3):
        np.testing.assert_allclose(colour[:, channel : channel + 1], damaged, atol=1.01 / 255)


def test_grey_pictures_have_no_saturation():
    assert [name for name in CORRUPTIONS if not applicable(name, 1)] == ["saturate"]
    assert all(applicable(name, 3) for name in CORRUPTIONS)
    assert not applicable("fog", 4)
    grey = draw_picture(16, 16, channels=1)
    np.testing.assert_array_equal(corrupt(grey, "saturate", 5), grey)


def test_quantising_rounds_and_can_be_left_out(picture):
    fine = corrupt(picture, "contrast", 2, quantise=False)
    np.testing.assert_allclose(corrupt(picture, "contrast", 2), np.round(fine * 255) / 255, atol=1e-6)
    assert np.abs(fine * 255 - np.round(fine * 255)).max() > 0.4


def test_the_published_programs_cut_off_instead_of_rounding(picture):
    fine = corrupt(picture, "contrast", 2, quantise=False)
    cut = corrupt(picture, "contrast", 2, compat="imagenet-c")
    np.testing.assert_allclose(cut, np.floor(fine * 255 + 1e-3) / 255, atol=1e-6)


def test_notes_say_what_differs_from_the_published_sets(tmp_path):
    assert Corruption(name="frost", severity=1).notes == ('frost="procedural"',)
    assert Corruption(name="frost", severity=1, photographs=tmp_path).notes == ('frost="photographs"',)
    assert Corruption(name="glass_blur", severity=1).notes == ('glass_blur="swap"',)
    assert Corruption(name="glass_blur", severity=1, compat="imagenet-c").notes == ()
    assert Corruption(name="fog", severity=1).notes == ()


GOOD = np.full((1, 3, 8, 8), 0.5, dtype=np.float32)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (GOOD[0], "images (n, channels, height, width)"),
        (np.repeat(GOOD, 2, axis=1), "1 or 3 channels"),
        (GOOD[:0], "empty"),
        (GOOD[..., :0], "empty"),
        ((GOOD * 255).astype(np.uint8), "Divide 8-bit images by 255"),
        (torch.ones(1, 1, 8, 8, dtype=torch.uint8), "Divide 8-bit images by 255"),
        (GOOD * 255, "Divide by 255"),
        (GOOD - 1, "before their normalisation"),
        (np.where(np.arange(8) == 3, np.nan, GOOD), "NaN"),
        (np.where(np.arange(8) == 3, np.inf, GOOD), "infinite"),
    ],
)
def test_pictures_that_are_none_are_refused(x, message):
    with pytest.raises(InputError) as refusal:
        corrupt(x, "fog", 1)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "smog", "severity": 1}, "Did you mean"),
        ({"name": "fog", "severity": 0}, "from 1 to 5"),
        ({"name": "fog", "severity": 6}, "from 1 to 5"),
        ({"name": "fog", "severity": 2.5}, "whole numbers"),
        ({"name": "fog", "severity": 1, "table": "mnist"}, "imagenet, cifar"),
        ({"name": "fog", "severity": 1, "compat": "v1"}, "imagenet-c"),
    ],
)
def test_settings_that_do_not_exist_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Corruption(**arguments)


def test_a_negative_index_is_refused():
    with pytest.raises(InputError, match="first_index"):
        corrupt(GOOD, "fog", 1, first_index=-1)
