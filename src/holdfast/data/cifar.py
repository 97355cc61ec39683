"""CIFAR-10 in the "python version" of its publisher: an archive, or its folder, of pickled batches.

Every batch is a pickle of Python 2, read by the restricted reader of :mod:`holdfast.data.pickles`; nothing is unpacked to disk.
Since decompression takes many seconds, a decoded copy (plain ``.npy``) is kept in the cache.
Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import refuse
from holdfast.core.digest import digest
from holdfast.core.errors import HoldfastError
from holdfast.data.folders import cache_folder
from holdfast.data.pickles import loads_arrays
from holdfast.data.room import Limited, check_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CIFAR10_CLASSES", "DecodedImages", "read_cifar10"]

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCHES = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}
ALL_BATCHES = BATCHES["train"] + BATCHES["test"]
ROWS = 10_000  # per batch
LARGEST = 2**28  # bytes of all members of an archive; the published one has 178 MB
MOST_BYTES = 2 * LARGEST  # that are unpacked, headers included
UNPACK: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"\xfd7zXZ\0": lzma.LZMAFile,
    b"BZh": bz2.BZ2File,
}


@dataclass(frozen=True)
class DecodedImages:
    """Pixels as published, not yet floating point.

    Parameters
    ----------
    x : array (n, channels, height, width), uint8
    y : array (n,), integers
    """

    x: np.ndarray
    y: np.ndarray


def read_cifar10(path: str | Path, split: str) -> DecodedImages:
    """One split of CIFAR-10.

    Parameters
    ----------
    path : the archive (``.tar.gz`` as published, ``.tar.xz``, or plain ``.tar``), or its folder ``cifar-10-batches-py``
    split : ``"train"`` (50000) or ``"test"`` (10000)

    Raises
    ------
    InputError : the archive is damaged or unpacks to more than 512 MiB; a batch is missing or has another shape than the published
        ones
    UnsafePickleError : a batch asks for more than arrays
    """
    path = Path(path)
    if path.is_dir():
        return _decode(_from_folder(path), (split,), path)[split]
    copy = _copy_folder(path)
    return _read_copy(copy, split) or _decode_and_keep(path, copy)[split]


def _copy_folder(archive: Path) -> Path:
    """The decoded copy's own folder: another archive, or a changed one, gets another."""
    state = archive.stat()
    return cache_folder() / "decoded" / f"cifar10-{digest(archive.name, state.st_size, state.st_mtime_ns)[:16]}"


def _read_copy(folder: Path, split: str) -> DecodedImages | None:
    try:
        return DecodedImages(*(np.load(folder / f"{split}-{part}.npy", mmap_mode="c", allow_pickle=False) for part in "xy"))
    except (OSError, ValueError):
        return None


def _decode_and_keep(archive: Path, folder: Path) -> dict[str, DecodedImages]:
    """Both splits from one pass over the archive; they appear in the cache together or not at all."""
    splits = _decode(_from_archive(archive), tuple(BATCHES), archive)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            inner = Path(made) / "copy"
            inner.mkdir()
            for split, images in splits.items():
                np.save(inner / f"{split}-x.npy", images.x)
                np.save(inner / f"{split}-y.npy", images.y)
            if not folder.exists():
                inner.rename(folder)
    except OSError as error:
        warnings.warn(
            f"No decoded copy of CIFAR-10 could be kept in {folder.parent} ({error}), so every load takes seconds: "
            "set HOLDFAST_CACHE to a folder that may be written to.",
            stacklevel=4,
        )
    return splits


def _from_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.iterdir()):
        if path.name in ALL_BATCHES:
            yield path.name, path.read_bytes()


def _from_archive(archive: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with _unpacked(archive) as plain, tarfile.open(fileobj=plain, mode="r|") as stream:
            total = 0
            for entry in stream:
                name = PurePosixPath(entry.name).name
                total += entry.size
                if total > LARGEST:
                    refuse("path", f"leads to {archive}, which unpacks to {total} bytes", allowed=f"{LARGEST} bytes at most")
                content = stream.extractfile(entry) if entry.isfile() and name in ALL_BATCHES else None
                if content is not None:
                    yield name, content.read()
    except HoldfastError:
        raise
    except Exception as error:  # noqa: BLE001 (a forged archive may fail in any way; all of them mean the same)
        refuse("path", f"leads to a damaged archive, {archive} ({error})", allowed="a complete file", remedy="Fetch it again.")


@contextmanager
def _unpacked(archive: Path) -> Iterator[IO[bytes]]:
    """The bytes of the tar file, whatever packs it; the compression is recognised by its content."""
    check_regular(archive, parameter="path")
    with archive.open("rb") as file:
        head = file.read(6)
        file.seek(0)
        opened = next((unpack(file) for magic, unpack in UNPACK.items() if head.startswith(magic)), file)
        with opened:
            yield io.BufferedReader(Limited(opened, MOST_BYTES, parameter="path", path=archive))


def _decode(batches: Iterator[tuple[str, bytes]], splits: tuple[str, ...], path: Path) -> dict[str, DecodedImages]:
    """The named splits, filled batch by batch as they come."""
    sizes = {split: ROWS * len(BATCHES[split]) for split in splits}
    decoded = {split: DecodedImages(np.empty((n, 3, 32, 32), np.uint8), np.empty(n, np.int64)) for split, n in sizes.items()}
    missing = {name: split for split in splits for name in BATCHES[split]}
    for name, content in batches:
        split = missing.pop(name, None)
        if split is not None:
            first = ROWS * BATCHES[split].index(name)
            rows = slice(first, first + ROWS)
            decoded[split].x[rows], decoded[split].y[rows] = _batch(loads_arrays(content, name=name), name)
    if missing:
        refuse("path", f"leads to {path}, which lacks {', '.join(missing)}", allowed="the python version of CIFAR-10")
    return decoded


def _batch(content: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (10000, 3, 32, 32) and labels (10000,) of one batch."""
    pixels = content.get("data") if isinstance(content, dict) else None
    labels = content.get("labels") if isinstance(content, dict) else None
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape != (ROWS, 3072):
        refuse(name, "holds no pixels of CIFAR-10", allowed=f"`data` of shape ({ROWS}, 3072), uint8")
    if not isinstance(labels, list) or len(labels) != ROWS or not all(type(label) is int and 0 <= label < 10 for label in labels):
        refuse(name, "holds no labels of CIFAR-10", allowed=f"{ROWS} whole numbers from 0 to 9")
    return pixels.reshape(ROWS, 3, 32, 32), np.array(labels)
