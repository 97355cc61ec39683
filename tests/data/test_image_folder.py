"""Folders of images, one per class."""

import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.core.errors import DataUnavailableError, InputError
from holdfast.data import choose_images, examples_from, load_folder
from holdfast.data.class_names import read_class_names
from holdfast.data.image_folder import list_images

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
    with pytest.raises(InputError, match=r"2\.png is 9x7, the first one 5x7.*--size 5"):
        load_folder(tmp_path)
    assert load_folder(tmp_path, size=4).x.shape == (2, 3, 4, 4)
    found = load_folder(tmp_path, size=(6, 3))
    assert found.x.shape == (2, 3, 6, 3)
    torch.testing.assert_close(found.x, torch.full_like(found.x, 128 / 255))


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda root: write(root, "1.png", colour()), "holds no folders"),
        (lambda root: (root / "empty").mkdir(), "whose class folders hold no image"),
        (
            lambda root: (
                (write(root, "a/1.png", colour()).any() and (root / "b").mkdir()) or (root / "b" / "x.heic").write_text("x")
            ),
            r"no image in the class folder 'b', which holds 1 other files \(\.heic\).*empty folder",
        ),
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


@pytest.mark.parametrize("size", [0, (3, 0), -1, 100_000, (2, 10**9)])
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


@pytest.mark.parametrize("ending", ["bmp", "BMP", "webp", "JPG", "Jpeg", "tif", "TIFF", "ppm", "PGM"])
def test_all_common_endings_are_read_in_upper_and_lower_case(tmp_path, ending):
    pixels = np.full((4, 6), 200, np.uint8) if ending == "PGM" else np.full((4, 6, 3), 200, np.uint8)
    write(tmp_path, f"a/1.{ending}", pixels)
    assert load_folder(tmp_path).x.mul(255).round().sub(200).abs().max() <= 2


def test_an_ending_need_not_tell_the_format_but_no_other_format_is_tried(tmp_path):
    image = Image.new("RGB", (4, 4), (255, 0, 0))
    (tmp_path / "a").mkdir()
    image.save(tmp_path / "a" / "1.png", format="JPEG")
    assert load_folder(tmp_path).x.shape == (1, 3, 4, 4)
    image.save(tmp_path / "a" / "2.png", format="EPS")
    with pytest.raises(InputError, match=r"unreadable image .*2\.png"):
        load_folder(tmp_path)


def test_an_empty_folder_keeps_the_number_of_its_class(tmp_path):
    write(tmp_path, "ant/1.png", colour())
    (tmp_path / "bee").mkdir()
    write(tmp_path, "cow/1.png", colour())
    found = load_folder(tmp_path)
    assert (found.classes, found.class_names, found.y.tolist()) == (3, ("ant", "bee", "cow"), [0, 2])
    assert list_images(tmp_path).notes == ("class folders without an image keep their number: bee",)


def test_names_number_the_folders(tmp_path):
    write(tmp_path, "ant/1.png", colour())
    write(tmp_path, "cow/1.png", colour())
    found = load_folder(tmp_path, classes=["cow", "bee", "ant"])
    assert (found.y.tolist(), found.class_names, found.numbering) == ([2, 0], ("cow", "bee", "ant"), "named")
    with pytest.raises(InputError, match="lacks 'cow'"):
        load_folder(tmp_path, classes=["ant", "bee"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"ant\n\ncow\n", "no name in line 2"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (b"", "holds 0 names"),
        (b"a" * 5_000_000, "at most 4194304 bytes"),
    ],
)
def test_a_file_of_names_that_is_none_is_refused(tmp_path, content, message):
    (tmp_path / "names.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_class_names(tmp_path / "names.txt")


def test_a_file_of_names_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "names.txt").write_bytes("\ufeffant\r\nbée\r\n".encode())
    assert read_class_names(str(tmp_path / "names.txt")) == ("ant", "bée")


def test_only_the_wanted_images_are_opened(tmp_path):
    for number in range(6):
        write(tmp_path, f"{'ab'[number % 2]}/{number}.png", np.full((4, 4, 3), number, np.uint8))
    (tmp_path / "a" / "9.png").write_text("broken, but not wanted")
    found = choose_images(tmp_path, n=2, seed=1)
    assert (found.total, sorted(found.examples.y.tolist())) == (7, [0, 1])
    files = list_images(tmp_path).files
    for row, pixels in zip(found.index, found.examples.x, strict=True):
        assert pixels[0, 0, 0] * 255 == int(files[row].stem)


def test_a_part_has_the_channels_of_the_whole(tmp_path):
    for number in range(8):
        write(tmp_path, f"a/{number}.png", np.full((4, 4), number, np.uint8))
    write(tmp_path, "a/9.png", colour(4, 4))
    assert {choose_images(tmp_path, n=1, seed=seed).examples.x.shape[1] for seed in range(4)} == {3}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes exist on POSIX systems")
def test_pipes_and_devices_are_no_images_and_are_never_opened(tmp_path):
    write(tmp_path, "a/1.png", colour())
    os.mkfifo(tmp_path / "a" / "2.png")
    (tmp_path / "a" / "3.png").symlink_to("/dev/zero")
    (tmp_path / "a" / "4.png").symlink_to("absent.png")
    code = f"from holdfast.data import load_folder, examples_from; print(len(load_folder({str(tmp_path)!r})))"
    done = subprocess.run([sys.executable, "-c", code], timeout=60, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    assert "3 files in the class folders were left out (3 not a regular file; the first is a/2.png)" in list_images(tmp_path).notes


def png_of(width, height):
    """A PNG file of a few hundred bytes that claims `width` x `height` pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(9000, 9000), (10**6, 10**6)])
def test_an_image_that_claims_more_pixels_than_stated_is_refused_unread(tmp_path, size):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "bomb.png").write_bytes(png_of(*size))
    with pytest.raises(InputError, match=r"bomb\.png (of 9000x9000 pixels; allowed: at most 67108864 pixels|.*exceeds limit of)"):
        load_folder(tmp_path)


def test_more_images_than_memory_holds_are_refused_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr("holdfast.data.room.memory", lambda: 4000)
    for number in range(9):
        write(tmp_path, f"a/{number}.png", colour())
    with pytest.raises(InputError, match=r"has shape \(9, 3, 5, 7\), .* GB as float32; allowed: half .*--examples N .*--size N"):
        load_folder(tmp_path)
    assert len(choose_images(tmp_path, n=4).examples) == 4
