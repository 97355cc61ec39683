"""The image data sets that studies use: digits, MNIST, Fashion-MNIST, EMNIST letters, CIFAR-10.

All come back as :class:`~holdfast.data.examples.Examples` in the publisher's order: (n, channels, height, width), float32, 0 to 1.
That order is not always random (EMNIST is sorted by letter): take a part with `n=`, which is stratified.
"""

from __future__ import annotations

import string
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from holdfast.core.checks import check_one_of, refuse
from holdfast.core.errors import DataUnavailableError
from holdfast.data.catalogue import CATALOGUE, DataFile, data_set
from holdfast.data.cifar import CIFAR10_CLASSES, DecodedImages, read_cifar10
from holdfast.data.download import obtain
from holdfast.data.examples import Examples
from holdfast.data.idx import read_idx
from holdfast.data.pixels import Pixels

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BUNDLED", "IMAGE_SETS", "else_bundled", "load_images", "scaled_images", "stored_images"]

BUNDLED = "digits"  # scikit-learn's images, which need no file

DIGITS = tuple(string.digits)
CLOTHES = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
DIGITS_TRAIN = 1297  # leaves 500 of 1797 for the test
STEMS = {"train": "train", "test": "t10k"}


@dataclass(frozen=True)
class _ImageReader:
    """How one data set is read: split -> pixels and labels; the largest pixel value; names of the classes."""

    read: Callable[[str], DecodedImages]
    class_names: tuple[str, ...]
    largest: int = 255


def _files(name: str, *parts: str) -> list[DataFile]:
    """The files of `name` whose paths hold each of `parts`, one each."""
    files = CATALOGUE[name].variants[0]
    return [next(file for file in files if part in file.path) for part in parts]


def _read_pair(name: str, stem: str) -> DecodedImages:
    images, labels = (read_idx(obtain(file)) for file in _files(name, f"{stem}-images", f"{stem}-labels"))
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        refuse(
            name,
            f"has images {images.shape} and labels {labels.shape}",
            allowed="(n, height, width) and (n,)",
            remedy="These files do not belong together: run `holdfast data verify`.",
        )
    return DecodedImages(images[:, None], labels)


def _read_mnist(split: str) -> DecodedImages:
    return _read_pair("mnist", STEMS[split])


def _read_fashion(split: str) -> DecodedImages:
    return _read_pair("fashion-mnist", STEMS[split])


def _read_letters(split: str) -> DecodedImages:
    """EMNIST stores its images transposed and counts letters from 1."""
    stored = _read_pair("emnist-letters", f"letters-{split}")
    return DecodedImages(stored.x.swapaxes(2, 3), stored.y.astype(np.int64) - 1)


def _read_cifar(split: str) -> DecodedImages:
    return read_cifar10(obtain(CATALOGUE["cifar10"].variants[0][0]), split)


def _read_digits(split: str) -> DecodedImages:
    """scikit-learn's bundled digits, values 0 to 16, in a fixed stratified split of 1297 and 500."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    whole = Examples(torch.from_numpy(bunch.images.astype(np.uint8))[:, None], torch.from_numpy(bunch.target.astype(np.int64)))
    order = whole.stratified_order(seed=0)
    part = whole[order[:DIGITS_TRAIN] if split == "train" else order[DIGITS_TRAIN:]]
    return DecodedImages(part.x.numpy(), part.y.numpy())


READERS = {
    "digits": _ImageReader(_read_digits, DIGITS, largest=16),
    "mnist": _ImageReader(_read_mnist, DIGITS),
    "fashion-mnist": _ImageReader(_read_fashion, CLOTHES),
    "emnist-letters": _ImageReader(_read_letters, tuple(string.ascii_uppercase)),
    "cifar10": _ImageReader(_read_cifar, CIFAR10_CLASSES),
}
IMAGE_SETS = tuple(READERS)
"""Names that :func:`load_images` takes."""


def load_images(name: str, split: str = "train", *, n: int | None = None, seed: int = 0) -> Examples:
    """A published image data set, from disk or else by a verified download.

    Parameters
    ----------
    name : one of :data:`IMAGE_SETS`
    split : ``"train"`` or ``"test"``; EMNIST letters have only ``"test"``
    n : take a stratified part of this many rows; only they become floating point. Default: all, in the publisher's order
    seed : of the part

    Returns
    -------
    Examples with x (n, channels, height, width), float32 in [0, 1]. EMNIST letters come upright, with labels 0 for A to 25 for Z.

    Raises
    ------
    InputError : an unknown name or split; a damaged file
    DataUnavailableError : the files are neither here nor to be had; the message names each file and its place

    Examples
    --------
    >>> digits = load_images("digits", "test")
    >>> tuple(digits.x.shape), digits.class_names[:3]
    ((500, 1, 8, 8), ('0', '1', '2'))
    """
    return scaled_images(name, stored_images(name, split).stratified(n, seed=seed))


def stored_images(name: str, split: str = "train") -> Examples:
    """A published image data set with its pixels as they are stored: uint8, mapped from disk where it is kept decoded.

    Parameters
    ----------
    name, split : as in :func:`load_images`
    """
    reader = READERS[check_one_of(name, "name", allowed=IMAGE_SETS)]
    check_one_of(split, "split", allowed=data_set(name).splits)
    stored = reader.read(split)
    return Examples(
        torch.from_numpy(stored.x),
        torch.from_numpy(stored.y).long(),
        classes=len(reader.class_names),
        name=f"{name} {split}",
        class_names=reader.class_names,
    )


def scaled_images(name: str, part: Examples, *, as_stored: bool = False) -> Examples:
    """A `part` of what :func:`stored_images` gives for `name`, as float32 in [0, 1], or as pixels that are read as that."""
    largest = READERS[name].largest
    if as_stored and largest == 255:
        return replace(part, x=Pixels(part.x.contiguous()))
    return replace(part, x=part.x.to(torch.float32, memory_format=torch.contiguous_format).div_(largest))


def else_bundled(name: str) -> str:
    """`name` if that data set is on this machine or can be fetched, otherwise ``"digits"``, which come with scikit-learn.

    An experiment that keeps the answer in its settings says on which images it ran.
    """
    try:
        stored_images(name, "test")
    except DataUnavailableError:
        return BUNDLED
    return name
