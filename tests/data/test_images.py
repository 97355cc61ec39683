"""Image sets are what their publishers say: sizes, class shares, pixel means, and which way up."""

import numpy as np
import pytest
import torch

from holdfast.core.errors import DataUnavailableError, InputError
from holdfast.data import IMAGE_SETS, load_images
from holdfast.data.folders import data_folders
from holdfast.data.idx import read_idx


def present(name, split):
    try:
        return load_images(name, split)
    except DataUnavailableError:
        pytest.skip(f"{name} is not on this machine")


FACTS = [
    # (name, split, shape, examples of each class, mean, standard deviation)
    # Class shares of MNIST: table of the 70000 digits on LeCun's page; moments: the values in general use, 0.1307 and 0.3081.
    ("mnist", "train", (60000, 1, 28, 28), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], [0.1307], [0.3081]),
    ("mnist", "test", (10000, 1, 28, 28), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009], None, None),
    # Xiao, Rasul, Vollgraf, arXiv:1708.07747: 6000 and 1000 of each class; moments: the values in general use.
    ("fashion-mnist", "train", (60000, 1, 28, 28), [6000] * 10, [0.2860], [0.3530]),
    ("fashion-mnist", "test", (10000, 1, 28, 28), [1000] * 10, None, None),
    # Cohen et al., arXiv:1702.05373, Table II: 800 test examples of each of 26 letters.
    ("emnist-letters", "test", (20800, 1, 28, 28), [800] * 26, None, None),
]


@pytest.mark.parametrize(("name", "split", "shape", "counts", "mean", "deviation"), FACTS, ids=[f"{f[0]} {f[1]}" for f in FACTS])
def test_published_facts_hold(real_data, name, split, shape, counts, mean, deviation):
    images = present(name, split)
    assert tuple(images.x.shape) == shape
    assert (images.x.dtype, images.y.dtype) == (torch.float32, torch.int64)
    assert images.x.is_contiguous()
    assert (images.x.min(), images.x.max()) == (0, 1)
    assert images.y.bincount().tolist() == counts
    assert len(images.class_names) == images.classes == len(counts)
    if mean is not None:
        np.testing.assert_allclose(images.x.mean((0, 2, 3)), mean, atol=5e-5)
        np.testing.assert_allclose(images.x.std((0, 2, 3)), deviation, atol=5e-5)


@pytest.mark.slow
def test_cifar10_has_the_known_moments_in_both_splits(real_data, tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path))
    train, test = present("cifar10", "train"), present("cifar10", "test")
    assert tuple(train.x.shape) == (50000, 3, 32, 32)
    assert tuple(test.x.shape) == (10000, 3, 32, 32)
    # Moments in general use for normalisation; those of the test split as measured by several projects.
    np.testing.assert_allclose(train.x.mean((0, 2, 3)), [0.4914, 0.4822, 0.4465], atol=5e-5)
    np.testing.assert_allclose(train.x.std((0, 2, 3)), [0.2470, 0.2435, 0.2616], atol=5e-5)
    np.testing.assert_allclose(test.x.mean((0, 2, 3)), [0.4942, 0.4851, 0.4504], atol=5e-5)
    assert train.y.bincount().tolist() == [5000] * 10
    assert test.y.bincount().tolist() == [1000] * 10
    assert train.y[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]  # frog, truck, truck, deer, ...: the first rows of data_batch_1


def test_letters_stand_upright(real_data):
    letters = present("emnist-letters", "test")
    ink = {name: letters.x[letters.y == label].mean(0)[0] for label, name in enumerate(letters.class_names)}
    rows, columns = ink["T"].sum(1), ink["T"].sum(0)
    assert rows[:14].sum() > rows[14:].sum(), "the bar of T is at its top"
    assert columns[11:17].sum() > columns[:6].sum() + columns[22:].sum(), "the stem of T is in its middle"
    left, right = ink["L"][:, :14].sum(), ink["L"][:, 14:].sum()
    assert left > right, "the stem of L is at its left"
    mirrored, upset = ink["M"].flip(1), ink["M"].flip(0)
    assert (mirrored - ink["M"]).abs().sum() < (upset - ink["M"]).abs().sum(), "M is like its mirror image, not like W"


def test_pixels_are_the_bytes_of_the_file_over_255(real_data):
    stored = read_idx(real_data / "mnist" / "t10k-images-idx3-ubyte.gz")
    np.testing.assert_array_equal(load_images("mnist", "test").x[:, 0].mul(255).round().numpy(), stored)


def test_a_part_is_stratified_seeded_and_made_of_rows_of_the_whole(real_data):
    whole, part = load_images("mnist", "test"), load_images("mnist", "test", n=200, seed=3)
    assert part.digest == load_images("mnist", "test", n=200, seed=3).digest
    assert part.digest != load_images("mnist", "test", n=200, seed=4).digest
    assert part.digest == whole.stratified(200, seed=3).digest
    shares = whole.y.bincount() / len(whole) * 200
    assert (part.y.bincount() - shares).abs().max() < 2


def test_digits_need_no_files_and_their_split_never_changes(empty_home):
    train, test = load_images("digits", "train"), load_images("digits", "test")
    assert (len(train), len(test)) == (1297, 500)
    assert tuple(test.x.shape[1:]) == (1, 8, 8)
    assert test.x.max() == 1
    assert (test.x * 16 == (test.x * 16).round()).all()
    assert (test.y.bincount() - 50).abs().max() <= 2
    together = np.concatenate([train.x.numpy(), test.x.numpy()]).reshape(1797, -1)
    from sklearn.datasets import load_digits

    rows = load_digits().data / 16
    np.testing.assert_array_equal(np.unique(together, axis=0), np.unique(rows, axis=0).astype(np.float32))
    # Recorded when the split was fixed: stored runs refer to these rows.
    assert (train.digest[:16], test.digest[:16]) == ("3587e351d4d78492", "4336bd77a45e9292")


@pytest.mark.parametrize("name", [name for name in IMAGE_SETS if name != "digits"])
def test_without_files_the_message_names_them_and_their_place(empty_home, name):
    with pytest.raises(DataUnavailableError) as refusal:
        load_images(name, "test")
    message = str(refusal.value)
    assert str(empty_home) in message
    assert "HOLDFAST_OFFLINE" in message
    assert "http" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("minst", "test"), "Did you mean 'mnist'"),
        (("mnist", "val"), "`split` is 'val'; allowed: train, test"),
        (("emnist-letters", "train"), "allowed: test"),
    ],
)
def test_wrong_names_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        load_images(*arguments)


def test_a_part_of_no_rows_is_refused():
    with pytest.raises(InputError, match="`n` is 0"):
        load_images("digits", "test", n=0)


def test_files_of_two_splits_do_not_pass_for_one(empty_home, real_data):
    folder = empty_home / "mnist"
    folder.mkdir(parents=True)
    (folder / "t10k-images-idx3-ubyte.gz").symlink_to(real_data / "mnist" / "t10k-images-idx3-ubyte.gz")
    (folder / "t10k-labels-idx1-ubyte.gz").symlink_to(real_data / "mnist" / "train-labels-idx1-ubyte.gz")
    with pytest.raises(InputError, match=r"images \(10000, 28, 28\) and labels \(60000,\)"):
        load_images("mnist", "test")


def test_the_users_folder_is_searched_before_the_cache(empty_home, tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path / "mine"))
    assert data_folders() == (tmp_path / "mine", empty_home)
