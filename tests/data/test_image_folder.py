"""Folders of images, one per class."""

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.core.errors import DataUnavailableError, InputError
from holdfast.data import examples_from, load_folder

GENERATOR = np.random.default_rng(0)


def write(root, name, pixels, **options):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return pixels


def colour(height=5, width=7):
    return GENERATOR.integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_classes_are_sorted_and_pixels_exact(tmp_path):
    written = {name: write(tmp_path, name, colour()) for name in ["dog/b.png", "cat/x.png", "dog/a.png", "cat/deep/y.PNG"]}
    (tmp_path / "dog" / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden").mkdir()
    found = load_folder(tmp_path)
    assert found.class_names == ("cat", "dog")
    assert found.y.tolist() == [0, 0, 1, 1]
    expected = np.stack([written[name] for name in ["cat/deep/y.PNG", "cat/x.png", "dog/a.png", "dog/b.png"]])
    np.testing.assert_array_equal(found.x.mul(255).round().numpy(), expected.transpose(0, 3, 1, 2))
    assert found.name == tmp_path.name


def test_numbered_classes_count_as_numbers(tmp_path):
    for label in range(12):
        write(tmp_path, f"{label}/a.png", np.full((2, 2), label, np.uint8))
    found = load_folder(tmp_path)
    assert found.class_names == tuple(map(str, range(12)))
    assert found.x[:, 0, 0, 0].mul(255).round().tolist() == list(range(12))


def test_grey_images_keep_one_channel_and_one_colour_image_makes_all_rgb(tmp_path):
    grey = write(tmp_path, "a/1.png", GENERATOR.integers(0, 256, (5, 7)).astype(np.uint8))
    assert load_folder(tmp_path).x.shape == (1, 1, 5, 7)
    write(tmp_path, "b/1.png", colour())
    found = load_folder(tmp_path)
    assert found.x.shape == (2, 3, 5, 7)
    np.testing.assert_array_equal(found.x[0].mul(255).round().numpy(), np.stack([grey] * 3))


def test_jpeg_is_read_and_the_cameras_rotation_applied(tmp_path):
    dark_top = np.zeros((8, 16, 3), np.uint8)
    dark_top[4:] = 255
    orientation = Image.Exif()
    orientation[0x0112] = 6  # EXIF: to be turned by 90 degrees clockwise
    write(tmp_path, "a/photo.jpeg", dark_top, exif=orientation, quality=95)
    [image] = load_folder(tmp_path).x
    assert image.shape == (3, 16, 8)
    assert image[:, :, 6:].mean() < 0.1, "what was at the top is now at the right"
    assert image[:, :, :2].mean() > 0.9


def test_unequal_sizes_are_refused_unless_a_size_is_given(tmp_path):
    write(tmp_path, "a/1.png", np.full((5, 7, 3), 128, np.uint8))
    write(tmp_path, "a/2.png", np.full((9, 7, 3), 128, np.uint8))
    with pytest.raises(InputError, match=r"2\.png is 9x7, the first one 5x7.*Pass size="):
        load_folder(tmp_path)
    assert load_folder(tmp_path, size=4).x.shape == (2, 3, 4, 4)
    found = load_folder(tmp_path, size=(6, 3))
    assert found.x.shape == (2, 3, 6, 3)
    torch.testing.assert_close(found.x, torch.full_like(found.x, 128 / 255))


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda root: write(root, "1.png", colour()), "holds no folders"),
        (lambda root: (root / "empty").mkdir(), "no image in the class folder 'empty'"),
        (lambda root: (root / "a").mkdir() or (root / "a" / "x.png").write_text("text"), r"unreadable image .*x\.png"),
        (lambda root: write(root, "a/deep.png", np.full((2, 2), 40000, np.uint16)), r"mode I;16; allowed: 8 bits"),
    ],
)
def test_folders_that_are_no_image_sets_are_refused(tmp_path, prepare, message):
    prepare(tmp_path)
    with pytest.raises(InputError, match=message):
        load_folder(tmp_path)


def test_a_cut_image_is_named(tmp_path):
    write(tmp_path, "a/cut.png", colour(64, 64))
    path = tmp_path / "a" / "cut.png"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"unreadable image .*cut\.png"):
        load_folder(tmp_path)


def test_no_folder_is_said_plainly(tmp_path):
    with pytest.raises(DataUnavailableError, match="There is no folder"):
        load_folder(tmp_path / "absent")


@pytest.mark.parametrize("size", [0, (3, 0), -1])
def test_an_impossible_size_is_refused(tmp_path, size):
    write(tmp_path, "a/1.png", colour())
    with pytest.raises(InputError, match="`size`"):
        load_folder(tmp_path, size=size)


def test_a_folder_is_one_of_the_forms_of_own_data(tmp_path):
    write(tmp_path, "a/1.png", colour())
    write(tmp_path, "b/1.png", colour())
    found = examples_from(tmp_path, name="pets")
    assert (found.name, found.class_names, len(found)) == ("pets", ("a", "b"), 2)
    assert len(examples_from(str(tmp_path), n=1)) == 1
