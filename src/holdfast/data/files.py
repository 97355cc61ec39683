"""Image folders and ``.npz`` files on disk."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from holdfast.core.checks import check_whole, refuse
from holdfast.core.errors import DataUnavailableError
from holdfast.data.examples import Examples

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["load_folder", "load_npz_arrays"]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})
EIGHT_BIT = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})
GREY = frozenset({"1", "L", "LA"})


def load_folder(path: str | PathLike[str], *, size: int | tuple[int, int] | None = None, name: str | None = None) -> Examples:
    """Images that lie in one folder per class.

    Classes are numbered in the order of their names: as numbers if all names are whole numbers (so that 10 follows 9), else
    alphabetically. Images of a class come in the order of their file names, folders inside included. If every image is grey, so
    is the result; otherwise all become RGB. A rotation noted by the camera is applied; transparency is dropped.

    Parameters
    ----------
    path : the folder of folders; PNG and JPEG files are read, others are ignored
    size : height and width, or one number for both, to which images are resized (bilinear); default: all must have one size
    name : for tables; default: the folder's name

    Returns
    -------
    Examples with x (n, 1 or 3, height, width), float32 in [0, 1]

    Raises
    ------
    DataUnavailableError : no such folder
    InputError : no class folder, a class without images, unequal sizes without `size`, an image that cannot be read
    """
    root = Path(path)
    if not root.is_dir():
        raise DataUnavailableError(f"There is no folder {root}; give one that holds a folder of images for each class.")
    folders = _sorted_classes([entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")])
    if not folders:
        refuse("path", f"leads to {root}, which holds no folders", allowed="one folder of images per class")
    files = [_images_in(folder) for folder in folders]
    everything = [file for group in files for file in group]
    grey = all(_mode(file) in GREY for file in everything)
    wanted = None if size is None else _checked_size(size)
    return Examples(
        _stacked(everything, wanted, grey=grey),
        torch.repeat_interleave(torch.arange(len(files)), torch.tensor([len(group) for group in files])),
        classes=len(folders),
        name=name or root.name,
        class_names=tuple(folder.name for folder in folders),
    )


def load_npz_arrays(path: str | PathLike[str]) -> tuple[np.ndarray, np.ndarray]:
    """The arrays ``x`` and ``y`` of an ``.npz`` file, as they are stored; see :func:`holdfast.data.own.load_npz`."""
    path = Path(path)
    if not path.is_file():
        raise DataUnavailableError(f"There is no file {path}; give an .npz file with arrays x and y.")
    try:
        with zipfile.ZipFile(path) as packed:
            held = [name.removesuffix(".npy") for name in packed.namelist()]
        with np.load(path, allow_pickle=False) as archive:
            arrays = [archive[key] for key in ("x", "y") if key in held]
    except (ValueError, OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        refuse("path", f"leads to {path}, which is not a sound .npz of numbers ({error})", allowed="arrays of numbers, no objects")
    if len(arrays) != 2:
        refuse("path", f"leads to {path}, which holds {', '.join(held)}", allowed="arrays named x and y")
    return arrays[0], arrays[1]


def _sorted_classes(folders: list[Path]) -> list[Path]:
    whole = all(folder.name.isdecimal() for folder in folders)
    return sorted(folders, key=lambda folder: (int(folder.name) if whole else 0, folder.name))


def _images_in(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))
    if not files:
        refuse("path", f"has no image in the class folder {folder.name!r}", allowed="PNG or JPEG files in each class folder")
    return files


def _checked_size(size: int | tuple[int, int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    return check_whole(height, "size", low=1), check_whole(width, "size", low=1)


def _mode(file: Path) -> str:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as picture:
            if picture.mode not in EIGHT_BIT:
                refuse(
                    "path", f"has the image {file} of mode {picture.mode}", allowed="8 bits per channel", remedy="Convert it first."
                )
            return str(picture.mode)
    except (UnidentifiedImageError, OSError) as error:
        refuse("path", f"has the unreadable image {file} ({error})", allowed="PNG or JPEG files", remedy="Remove or repair it.")


def _stacked(files: list[Path], size: tuple[int, int] | None, *, grey: bool) -> torch.Tensor:
    """All images as (n, channels, height, width), float32; pixels stay uint8 until the last step."""
    pixels: np.ndarray | None = None
    for row, file in enumerate(files):
        image = _pixels(file, size, grey=grey)
        if pixels is None:
            pixels = np.empty((len(files), *image.shape), np.uint8)
        if image.shape != pixels.shape[1:]:
            got = "x".join(map(str, image.shape[1:]))
            refuse(
                "path",
                f"has images of unequal size: {file} is {got}, the first one {pixels.shape[2]}x{pixels.shape[3]}",
                allowed="one size",
                remedy=f"Pass size={pixels.shape[2]} to resize them.",
            )
        pixels[row] = image
    return torch.from_numpy(pixels).float().div_(255)


def _pixels(file: Path, size: tuple[int, int] | None, *, grey: bool) -> Any:
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as picture:
            upright = ImageOps.exif_transpose(picture).convert("L" if grey else "RGB")
    except OSError as error:
        refuse("path", f"has the unreadable image {file} ({error})", allowed="PNG or JPEG files", remedy="Remove or repair it.")
    if size is not None and upright.size != size[::-1]:
        upright = upright.resize(size[::-1], Image.Resampling.BILINEAR)
    array = np.asarray(upright)
    return array[None] if grey else array.transpose(2, 0, 1)
