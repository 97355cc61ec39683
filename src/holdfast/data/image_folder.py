"""Images that lie in one folder per class: listed first, read only where they are wanted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch

from holdfast.core.checks import as_written, check_whole, refuse
from holdfast.core.errors import DataUnavailableError, HoldfastError
from holdfast.data.class_names import read_class_names, renumbered
from holdfast.data.examples import Examples
from holdfast.data.room import check_room

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from PIL.Image import Image

__all__ = ["ImageFolder", "list_images", "load_folder"]

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".pbm": "PPM",
}
"""Endings that are read, in upper or lower case, and the format of each; the content decides which of these it is."""
READ = "PNG, JPEG, BMP, WebP, TIFF or PPM files"
EIGHT_BIT = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})
GREY = frozenset({"1", "L", "LA"})
PARTS = frozenset({"train", "training", "val", "valid", "validation", "dev", "eval", "test", "testing"})
MOST_PIXELS = 2**26  # of one image, 8192 x 8192: a small file can claim many more
FEWER = as_written("examples", "N", python="N")
SMALLER = as_written("size", "N", python="N")


@dataclass(frozen=True, kw_only=True)
class ImageFolder:
    """A folder of class folders, of which nothing was read but the names.

    Parameters
    ----------
    root : the folder
    class_names : of the folders inside, in the order that numbers them
    files : all images, class by class, each class in the order of its file names
    labels : array (n,), int64: the class of each image, as its place in `class_names`
    left_out : files in class folders that are not read: endings other than :data:`FORMATS`, and what is not a regular file
    """

    root: Path
    class_names: tuple[str, ...]
    files: tuple[Path, ...]
    labels: np.ndarray
    left_out: tuple[Path, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.files)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, and which classes have no image; one sentence each."""
        return (*self._left_out_note(), *self._empty_note())

    def _left_out_note(self) -> tuple[str, ...]:
        if not self.left_out:
            return ()
        kinds = Counter(_kind(path) for path in self.left_out)
        counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        first = self.left_out[0].relative_to(self.root)
        return (f"{len(self.left_out)} files in the class folders were left out ({counted}; the first is {first})",)

    def _empty_note(self) -> tuple[str, ...]:
        filled = set(self.labels.tolist())
        empty = [name for place, name in enumerate(self.class_names) if place not in filled]
        if not empty:
            return ()
        names = ", ".join(empty[:4]) + (f" and {len(empty) - 4} more" if len(empty) > 4 else "")
        return (f"class folders without an image keep their number: {names}",)

    @cached_property
    def grey(self) -> bool:
        """True if every image is grey; the headers are read up to the first one in colour."""
        return all(_mode(file) in GREY for file in self.files)

    def read(self, rows: Sequence[int] | np.ndarray, *, size: int | tuple[int, int] | None = None) -> torch.Tensor:
        """The images `rows` as (n, 1 or 3, height, width), uint8.

        Parameters
        ----------
        rows : places in `files`
        size : height and width, or one number for both, to which images are resized (bilinear); default: all must have one size
        """
        wanted = None if size is None else _checked_size(size)
        return torch.from_numpy(_stacked([self.files[int(row)] for row in rows], wanted, grey=self.grey))


def list_images(path: str | PathLike[str]) -> ImageFolder:
    """The images in the class folders of `path`, of which only the names are read.

    Classes are numbered in the order of their names: as numbers if all names are whole numbers (so that 10 follows 9), else
    alphabetically. A folder that is empty keeps its number free for a class without images.

    Raises
    ------
    DataUnavailableError : no such folder
    InputError : no class folder, no image at all, a class folder whose files are all of other kinds, or one folder, or several
        alike, that hold the class folders in their turn
    """
    root = Path(path)
    if not root.is_dir():
        raise DataUnavailableError(f"There is no folder {root}; give one that holds a folder of images for each class.")
    folders = _sorted_classes([entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")])
    if not folders:
        refuse("path", f"leads to {root}, which holds no folders", allowed="one folder of images per class")
    _check_level(root, folders)
    files: list[Path] = []
    left_out: list[Path] = []
    counts = []
    for folder in folders:
        images, others = _images_in(folder)
        counts.append(len(images))
        files += images
        left_out += others
    if not files:
        refuse("path", f"leads to {root}, whose class folders hold no image", allowed=f"{READ} in class folders")
    return ImageFolder(
        root=root,
        class_names=tuple(folder.name for folder in folders),
        files=tuple(files),
        labels=np.repeat(np.arange(len(folders)), counts),
        left_out=tuple(left_out),
    )


def _check_level(root: Path, folders: Sequence[Path]) -> None:
    """Refuse a folder one level too high, whose one folder, or whose parts such as train and test, hold the class folders."""
    if len(folders) > 1 and not {folder.name.lower() for folder in folders} <= PARTS:
        return
    inner = [entry for folder in folders for entry in folder.iterdir() if not entry.name.startswith(".")]
    if len(inner) <= len(folders) or not all(entry.is_dir() for entry in inner):
        return
    names = ", ".join(folder.name for folder in folders)
    found = "one class was found" if len(folders) == 1 else f"{len(folders)} classes were found"
    refuse(
        "path",
        f"leads to {root}, where {found}, {names}, holding {len(inner)} folders and no image",
        allowed="the folder that holds one folder of images for each class",
        remedy=f"Give {' or '.join(str(folder) for folder in folders)}.",
    )


def load_folder(
    path: str | PathLike[str],
    *,
    size: int | tuple[int, int] | None = None,
    name: str | None = None,
    classes: str | PathLike[str] | Sequence[str] | None = None,
    n: int | None = None,
) -> Examples:
    """Images that lie in one folder per class.

    Classes are numbered by `classes`, else in the order of their names (see :func:`list_images`). Images of a class come in the
    order of their file names, folders inside included. If every image is grey, so is the result; otherwise all become RGB. A
    rotation noted by the camera is applied; transparency is dropped; of several pages or frames the first is read.

    Parameters
    ----------
    path : the folder of folders; PNG, JPEG, BMP, WebP, TIFF and PPM files are read, others are left out
    size : height and width, or one number for both, to which images are resized (bilinear); default: all must have one size
    name : for tables; default: the folder's name
    classes : names of all classes in the order of the network's outputs, or a text file with one per line
    n : read at most this many images, the first ones; default: all

    Returns
    -------
    Examples with x (n, 1 or 3, height, width), float32 in [0, 1]

    Raises
    ------
    DataUnavailableError : no such folder
    InputError : no class folder, no image, unequal sizes without `size`, an image that cannot be read, a folder that
        `classes` lacks
    """
    folder = list_images(path)
    names = folder.class_names if classes is None else read_class_names(classes)
    labels = folder.labels if classes is None else renumbered(folder.labels, folder.class_names, names)
    return Examples(
        folder.read(range(len(folder))[:n], size=size).float().div_(255),
        torch.from_numpy(labels[:n]),
        classes=len(names),
        name=name or folder.root.name,
        class_names=names,
        numbering="sorted" if classes is None else "named",
    )


def _sorted_classes(folders: list[Path]) -> list[Path]:
    whole = all(folder.name.isdecimal() for folder in folders)
    return sorted(folders, key=lambda folder: (int(folder.name) if whole else 0, folder.name))


def _images_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """The images in a class folder, and its other files; both sorted, without those that are hidden."""
    entries = sorted(entry for entry in folder.rglob("*") if not entry.name.startswith(".") and not entry.is_dir())
    images = [entry for entry in entries if entry.suffix.lower() in FORMATS and entry.is_file()]
    chosen = set(images)
    others = [entry for entry in entries if entry not in chosen]
    if others and not images:
        kinds = ", ".join(sorted({_kind(entry) for entry in others}))
        refuse(
            "path",
            f"has no image in the class folder {folder.name!r}, which holds {len(others)} other files ({kinds})",
            allowed=f"{READ}, or an empty folder for a class without images",
            remedy="Convert the files, or move them away.",
        )
    return images, others


def _kind(path: Path) -> str:
    """The ending of a file that is left out, or what it is if it is not a regular file."""
    return (path.suffix.lower() or "without an ending") if path.is_file() else "not a regular file"


def _checked_size(size: int | tuple[int, int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    height, width = check_whole(height, "size", low=1), check_whole(width, "size", low=1)
    if height * width > MOST_PIXELS:
        refuse("size", f"is {height}x{width}", allowed=f"at most {MOST_PIXELS} pixels in one image")
    return height, width


def _refuse_image(file: Path, error: Exception) -> NoReturn:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    refuse("path", f"has the unreadable image {file} ({reason})", allowed=READ, remedy="Remove or repair it.")


def _opened(file: Path) -> Image:
    """The image with its header read; only the formats of :data:`FORMATS` are tried, and the size is checked before any pixel."""
    import warnings

    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the limit below is ours, and is stated
        picture = Image.open(file, formats=sorted(set(FORMATS.values())))
    width, height = picture.size
    if width * height > MOST_PIXELS:
        picture.close()
        refuse(
            "path",
            f"has the image {file} of {width}x{height} pixels",
            allowed=f"at most {MOST_PIXELS} pixels in one image",
            remedy="Remove it, or make it smaller.",
        )
    return picture


def _checked_mode(picture: Image, file: Path) -> str:
    if picture.mode not in EIGHT_BIT:
        refuse("path", f"has the image {file} of mode {picture.mode}", allowed="8 bits per channel", remedy="Convert it first.")
    return str(picture.mode)


def _mode(file: Path) -> str:
    try:
        with _opened(file) as picture:
            return _checked_mode(picture, file)
    except HoldfastError:
        raise
    except Exception as error:  # noqa: BLE001 (a broken image may fail in any way; all of them mean the same)
        _refuse_image(file, error)


def _stacked(files: list[Path], size: tuple[int, int] | None, *, grey: bool) -> np.ndarray:
    """All images as (n, channels, height, width), uint8."""
    pixels: np.ndarray | None = None
    for row, file in enumerate(files):
        image = _pixels(file, size, grey=grey)
        if pixels is None:
            check_room((len(files), *image.shape), remedy=f"Read fewer, {FEWER}, or smaller ones, {SMALLER}.")
            pixels = np.empty((len(files), *image.shape), np.uint8)
        if image.shape != pixels.shape[1:]:
            got = "x".join(map(str, image.shape[1:]))
            refuse(
                "path",
                f"has images of unequal size: {file} is {got}, the first one {pixels.shape[2]}x{pixels.shape[3]}",
                allowed="one size",
                remedy=f"Resize them: {as_written('size', str(pixels.shape[2]), python=str(pixels.shape[2]))}.",
            )
        pixels[row] = image
    if pixels is None:
        refuse("path", "gives no image", allowed="at least one")
    return pixels


def _pixels(file: Path, size: tuple[int, int] | None, *, grey: bool) -> Any:
    from PIL import Image, ImageOps

    try:
        with _opened(file) as picture:
            _checked_mode(picture, file)
            upright = ImageOps.exif_transpose(picture).convert("L" if grey else "RGB")
    except HoldfastError:
        raise
    except Exception as error:  # noqa: BLE001 (a broken image may fail in any way; all of them mean the same)
        _refuse_image(file, error)
    if size is not None and upright.size != size[::-1]:
        upright = upright.resize(size[::-1], Image.Resampling.BILINEAR)
    array = np.asarray(upright)
    return array[None] if grey else array.transpose(2, 0, 1)
