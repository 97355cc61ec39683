"""The user's evaluation data, whatever form they come in: a built-in name, a file, a folder, an address, or a Python object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from holdfast.auditing.loading import locate
from holdfast.auditing.loading.factories import call_factory
from holdfast.auditing.loading.source import refuse_unread
from holdfast.core.checks import as_written, check_whole, refuse
from holdfast.core.errors import HoldfastError
from holdfast.data import IMAGE_SETS, Examples, examples_from, load_folder, load_images

__all__ = ["load_data", "load_inputs"]

UNIT = (0.0, 1.0)


def load_data(
    source: Any,
    *,
    bounds: tuple[float, float] = UNIT,
    layout: str = "NCHW",
    name: str | None = None,
    size: int | tuple[int, int] | None = None,
    limit: int | None = None,
) -> Examples:
    """Evaluation data as labelled rows.

    Parameters
    ----------
    source : ``"digits"``, ``"mnist"``, ``"fashion-mnist"``, ``"cifar10"`` or ``"emnist-letters"`` (their test split);
        ``"package.module:make_loader"`` or ``"file.py:make_loader"``, which is or makes one of the following; ``"file.npz"`` with
        x and y; a folder with one folder of images per class; tensors, arrays, a ``Dataset``, an iterable of pairs
    bounds : range in which every value must lie
    layout : order of the axes, ``"NCHW"``, ``"NHWC"`` or ``"NHW"``
    name : for tables; default: from the source
    size : height and width to which the images of a folder are resized
    limit : keep a stratified part of this many rows

    Raises
    ------
    InputError : there is no such source (the nearest name is given), the user's code raised, or the rows cannot be used
    DataUnavailableError : a built-in set is neither on disk nor to be had

    Examples
    --------
    >>> len(load_data("digits", limit=100))
    100
    """
    if limit is not None:
        check_whole(limit, "limit", low=1)
    is_text = isinstance(source, str | Path)
    text = str(source) if is_text else ""
    if is_text:
        refuse_unread(text, parameter="data")
    if text in IMAGE_SETS or (text and Path(text).is_dir()):
        found = _images(text, bounds=bounds, name=name, size=size)
    else:
        if size is not None:
            refuse("size", f"is {size}", allowed="a size for a folder of images; arrays keep theirs")
        found = _rows(_object_at(text) if is_text else source, bounds=bounds, layout=layout, name=name or text or None)
    return found.stratified(limit)


def load_inputs(
    source: Any,
    *,
    bounds: tuple[float, float] = UNIT,
    layout: str = "NCHW",
    size: int | tuple[int, int] | None = None,
) -> torch.Tensor:
    """Inputs (n, ...) without labels: forms as for :func:`load_data`, whose labels are dropped, or the inputs alone.

    Parameters
    ----------
    source : built-in names mean their training split here; an ``.npz`` needs x only; an array or a tensor is taken as inputs
    bounds, layout, size : as in :func:`load_data`
    """
    if isinstance(source, str | Path) and str(source) in IMAGE_SETS:
        return load_images(str(source)).x
    if isinstance(source, str | Path) and not Path(source).is_dir():
        refuse_unread(str(source), parameter="unlabelled")
        source = _object_at(str(source))
    if isinstance(source, Path) and source.suffix == ".npz":
        with np.load(source, allow_pickle=False) as held:
            if "x" not in held:
                refuse("unlabelled", f"is {str(source)!r} with {sorted(held)}", allowed="an .npz that holds x")
            source = held["x"]
    if isinstance(source, np.ndarray | torch.Tensor):
        source = (source, np.zeros(len(source), dtype=np.int64))
    return load_data(source, bounds=bounds, layout=layout, size=size).x


def _images(text: str, *, bounds: tuple[float, float], name: str | None, size: int | tuple[int, int] | None) -> Examples:
    """A built-in set or a folder of images; both are read as [0, 1]."""
    if tuple(bounds) != UNIT:
        scaled = as_written("normalize", "0,0.003922")
        remedy = f"Leave out --bounds (Python: bounds) and let the network scale its input, e.g. {scaled} for one of 0 to 255."
        refuse("bounds", f"is {tuple(bounds)}", allowed="(0, 1) for image files and built-in sets", remedy=remedy)
    if text in IMAGE_SETS:
        found = load_images(text, "test")
        return found if name is None else Examples(found.x, found.y, found.classes, name, found.class_names)
    return load_folder(text, size=size, name=name)


def _object_at(text: str) -> Any:
    """The Python object or file that `text` stands for."""
    if not locate.is_address(text):
        path = Path(text)
        if path.suffix == ".npz":
            locate.missing_file(path, parameter="data")
            return path
        beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        refuse(
            "data",
            f"is {text!r}",
            allowed=f"{', '.join(IMAGE_SETS)}, package.module:make_loader, a file.npz, or a folder of class folders",
            remedy=locate.suggestion(path.name, [*IMAGE_SETS, *beside]),
        )
    found = locate.find(text, parameter="data")
    is_data = isinstance(found, Dataset | Examples | Mapping | Iterable) and not isinstance(found, type)
    return found if is_data or not callable(found) else call_factory(found)


def _rows(source: Any, *, bounds: tuple[float, float], layout: str, name: str | None) -> Examples:
    try:
        return examples_from(source, layout=layout, bounds=bounds, name=name)
    except HoldfastError:
        raise
    except Exception as error:
        raise locate.blame(error, doing="your data") from error
