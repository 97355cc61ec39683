"""The CIFAR-10 reader on small archives of the published form; the real archive is read in test_images."""

import io
import pickle
import tarfile
import warnings

import numpy as np
import pytest

from holdfast.core.errors import InputError, UnsafePickleError
from holdfast.data import cifar
from holdfast.data.cifar import BATCHES, read_cifar10

ROWS = 12


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch, empty_home):
    monkeypatch.setattr(cifar, "ROWS", ROWS)


@pytest.fixture
def batches():
    generator = np.random.default_rng(0)
    return {
        name: {
            "data": generator.integers(0, 256, (ROWS, 3072)).astype(np.uint8),
            "labels": generator.integers(0, 10, ROWS).tolist(),
        }
        for split in BATCHES.values()
        for name in split
    }


def write_folder(folder, batches):
    folder.mkdir(parents=True)
    for name, batch in batches.items():
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    return folder


def write_archive(path, batches, mode):
    with tarfile.open(path, mode) as archive:
        for name, batch in {**batches, "batches.meta": {"label_names": ["?"]}}.items():
            content = pickle.dumps(batch, protocol=2)
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.mark.parametrize(("suffix", "mode"), [(".tar.gz", "w:gz"), (".tar.xz", "w:xz"), (".tar", "w")])
def test_every_compression_and_the_folder_give_the_same_images(tmp_path, batches, suffix, mode):
    archive = write_archive(tmp_path / f"cifar-10-python{suffix}", dict(reversed(batches.items())), mode)
    folder = write_folder(tmp_path / "cifar-10-batches-py", batches)
    for split, names in BATCHES.items():
        expected = np.concatenate([batches[name]["data"] for name in names]).reshape(-1, 3, 32, 32)
        for place in (archive, folder, archive):  # the second reading comes from the decoded copy
            images = read_cifar10(place, split)
            np.testing.assert_array_equal(images.x, expected)
            assert images.y.tolist() == [label for name in names for label in batches[name]["labels"]]


def test_the_decoded_copy_is_used_and_a_changed_archive_gets_another(tmp_path, batches, monkeypatch):
    archive = write_archive(tmp_path / "a.tar", batches, "w")
    first = read_cifar10(archive, "test").x.copy()
    with monkeypatch.context() as patch:
        patch.setattr(cifar, "_from_archive", lambda _: pytest.fail("read the archive again"))
        np.testing.assert_array_equal(read_cifar10(archive, "test").x, first)
        assert len(read_cifar10(archive, "train").x) == 5 * ROWS
    batches["test_batch"]["data"] = 255 - batches["test_batch"]["data"]
    batches["test_batch"]["labels"] = [9] * ROWS
    archive.unlink()
    write_archive(archive, {**batches, "readme": "longer"}, "w")
    np.testing.assert_array_equal(read_cifar10(archive, "test").x, 255 - first)


def test_writing_into_what_was_read_does_not_reach_the_copy(tmp_path, batches):
    archive = write_archive(tmp_path / "a.tar", batches, "w")
    read_cifar10(archive, "test")
    images = read_cifar10(archive, "test")
    before = images.x.copy()
    images.x[:] = 0
    np.testing.assert_array_equal(read_cifar10(archive, "test").x, before)


def test_without_a_writable_cache_the_images_still_come_with_the_remedy(tmp_path, batches, monkeypatch):
    blocked = tmp_path / "a file, not a folder"
    blocked.write_text("")
    monkeypatch.setenv("HOLDFAST_CACHE", str(blocked))
    archive = write_archive(tmp_path / "a.tar", batches, "w")
    with pytest.warns(UserWarning, match="set HOLDFAST_CACHE"):
        images = read_cifar10(archive, "test")
    assert len(images.x) == ROWS


def test_a_batch_that_would_run_code_is_refused(tmp_path, batches):
    batches["data_batch_3"] = print
    folder = write_folder(tmp_path / "folder", batches)
    with pytest.raises(UnsafePickleError, match=r"builtin.*\.print"):
        read_cifar10(folder, "train")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_cifar10(folder, "test").x) == ROWS


def damaged(name, batches):
    batch = batches["test_batch"]
    if name == "missing":
        del batches["test_batch"]
    elif name == "short":
        batch["data"] = batch["data"][:-1]
    elif name == "float":
        batch["data"] = batch["data"].astype(float)
    elif name == "labels":
        batch["labels"][0] = 10
    elif name == "nested labels":
        batch["labels"][0] = [1]
    elif name == "list":
        batches["test_batch"] = [1, 2]
    return batches


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("missing", "lacks test_batch"),
        ("short", "holds no pixels"),
        ("float", "holds no pixels"),
        ("labels", "holds no labels"),
        ("nested labels", "holds no labels"),
        ("list", "holds no pixels"),
    ],
)
@pytest.mark.parametrize("form", ["folder", "archive"])
def test_damage_is_refused_and_leaves_no_copy(tmp_path, batches, damage, message, form, empty_home):
    broken = damaged(damage, batches)
    place = write_folder(tmp_path / "f", broken) if form == "folder" else write_archive(tmp_path / "a.tar", broken, "w")
    with pytest.raises(InputError, match=message):
        read_cifar10(place, "test")
    assert not list(empty_home.rglob("*.npy"))


@pytest.mark.parametrize("mode", ["w:gz", "w:xz"])
def test_a_cut_archive_is_refused(tmp_path, batches, mode):
    archive = write_archive(tmp_path / "a.tar", batches, mode)
    archive.write_bytes(archive.read_bytes()[:-5000])
    with pytest.raises(InputError, match=r"damaged archive|lacks"):
        read_cifar10(archive, "test")


def test_an_archive_that_unpacks_to_more_than_the_limit_is_refused_before_it_does(tmp_path, batches, monkeypatch):
    archive = write_archive(tmp_path / "a.tar.gz", batches, "w:gz")
    monkeypatch.setattr(cifar, "LARGEST", 50_000)
    with pytest.raises(InputError, match=r"unpacks to \d+ bytes; allowed: 50000 bytes at most"):
        read_cifar10(archive, "test")
