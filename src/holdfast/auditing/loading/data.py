"""The user's evaluation data, whatever form they come in: a built-in name, a file, a folder, an address, or a Python object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch
from torch.utils.data import Dataset

from holdfast.auditing.loading import locate
from holdfast.auditing.loading.factories import call_factory
from holdfast.auditing.loading.source import refuse_unread
from holdfast.core.checks import as_written, check_whole, refuse, under_names
from holdfast.core.errors import HoldfastError
from holdfast.data import IMAGE_SETS, Examples, Selection, choose, choose_images, choose_published, load_images
from holdfast.data.files import load_npz_inputs
from holdfast.data.tables import TABLE_FILES, is_table, read_features

if TYPE_CHECKING:
    from holdfast.data.selection import Classes

__all__ = ["load_data", "load_inputs"]

UNIT = (0.0, 1.0)
FORMS = f"{', '.join(IMAGE_SETS)}, package.module:make_loader, a file.npz, .csv or .parquet, or a folder of class folders"


@under_names(path="data", source="data")
def load_data(  # noqa: PLR0913 (each is a flag of the command line)
    source: Any,
    *,
    bounds: tuple[float, float] | None = None,
    layout: str | None = None,
    name: str | None = None,
    size: int | tuple[int, int] | None = None,
    limit: int | None = None,
    seed: int = 0,
    classes: Classes | None = None,
    known: Sequence[str] = (),
    input_key: str | None = None,
    label_column: str | None = None,
) -> Selection:
    """Evaluation data as labelled rows, of which only those wanted are read.

    Parameters
    ----------
    source : ``"digits"``, ``"mnist"``, ``"fashion-mnist"``, ``"cifar10"`` or ``"emnist-letters"`` (their test split);
        ``"package.module:make_loader"`` or ``"file.py:make_loader"``, which is or makes one of the following; ``"file.npz"`` with
        x and y; ``"file.csv"`` or ``"file.parquet"``; a folder with one folder of images per class; tensors, arrays, a data frame,
        a ``Dataset``, an iterable of pairs, or of mappings with named parts
    bounds : range in which every value must lie; None: any finite value, of image files and built-in sets [0, 1]
    layout : order of the axes, one of :data:`~holdfast.data.layouts.LAYOUTS`; None: as networks take them, images as NCHW
    name : for tables; default: from the source
    size : height and width to which the images of a folder are resized
    limit : keep a stratified part of this many rows
    seed : of the choice and the order of rows
    classes : names of all classes in the order of the network's outputs, or a text file with one per line
    known : names that the network holds, used where they include every class name of the source
    input_key : which part of rows that are mappings is the input
    label_column : which column of a table, or part of rows that are mappings, is the label

    Raises
    ------
    InputError : there is no such source (the nearest name is given), the user's code raised, or the rows cannot be used
    DataUnavailableError : a built-in set is neither on disk nor to be had

    Examples
    --------
    >>> len(load_data("digits", limit=100).examples)
    100
    """
    if limit is not None:
        check_whole(limit, "limit", low=1)
    is_text = isinstance(source, str | Path)
    text = str(source) if is_text else ""
    if is_text:
        refuse_unread(text, parameter="data")
    choice: dict[str, Any] = {"n": limit, "seed": seed, "classes": classes, "known": known}
    parts = {"input_key": input_key, "label_column": label_column}
    if text in IMAGE_SETS or (text and Path(text).is_dir()):
        for parameter, part in parts.items():
            if part is not None:
                refuse(parameter, f"is {part!r}", allowed="a name for tables and rows that are mappings", remedy="Leave it out.")
        return _images(text, bounds=bounds, name=name, size=size, choice=choice)
    if size is not None:
        refuse("size", f"is {size}", allowed="a size for a folder of images; arrays keep theirs")
    return _rows(
        _object_at(text) if is_text else source, bounds=bounds, layout=layout, name=name or text or None, **choice, **parts
    )


@under_names(data="unlabelled")
def load_inputs(  # noqa: PLR0913 (each is a flag of the command line)
    source: Any,
    *,
    bounds: tuple[float, float] | None = None,
    layout: str | None = None,
    size: int | tuple[int, int] | None = None,
    limit: int | None = None,
    seed: int = 0,
    input_key: str | None = None,
    label_column: str | None = None,
    columns: Sequence[str] = (),
) -> torch.Tensor:
    """Inputs (n, ...) without labels: forms as for :func:`load_data`, whose labels are dropped, or the inputs alone.

    Parameters
    ----------
    source : built-in names mean their training split here; an ``.npz`` needs x only; an array or a tensor is taken as inputs
    bounds, layout, size, limit, seed, input_key, label_column : as in :func:`load_data`; the inputs keep the order of the source,
        and a table may lack labels
    columns : of a table, in the order in which they are wanted
    """
    if isinstance(source, str | Path) and str(source) in IMAGE_SETS:
        return load_images(str(source), n=limit, seed=seed).x
    if isinstance(source, str | Path) and not Path(source).is_dir():
        refuse_unread(str(source), parameter="unlabelled")
        source = _object_at(str(source))
    if isinstance(source, Path) and source.suffix == ".npz":
        source = load_npz_inputs(source, parameter="unlabelled")
    elif is_table(source):
        source = read_features(source, label_column=label_column, columns=columns)
    if isinstance(source, np.ndarray | torch.Tensor):
        source, input_key, label_column = (source, np.zeros(len(source), dtype=np.int64)), None, None
    found = load_data(
        source,
        bounds=bounds,
        layout=layout,
        size=size,
        limit=limit,
        seed=seed,
        input_key=input_key,
        label_column=label_column,
    )
    return found.examples[np.argsort(found.index)].x


def _images(
    text: str,
    *,
    bounds: tuple[float, float] | None,
    name: str | None,
    size: int | tuple[int, int] | None,
    choice: Mapping[str, Any],
) -> Selection:
    """A built-in set or a folder of images; both are read as [0, 1]."""
    if bounds is not None and tuple(bounds) != UNIT:
        scaled = as_written("normalize", "0,0.003922")
        remedy = f"Leave out --bounds (Python: bounds) and let the network scale its input, e.g. {scaled} for one of 0 to 255."
        refuse("bounds", f"is {tuple(bounds)}", allowed="(0, 1) for image files and built-in sets", remedy=remedy)
    if text in IMAGE_SETS:
        return choose_published(text, name=name, **choice)
    return choose_images(text, size=size, name=name, **choice)


def _object_at(text: str) -> Any:
    """The Python object or file that `text` stands for."""
    if not locate.is_address(text):
        path = Path(text)
        if path.suffix == ".npz" or path.suffix.lower() in TABLE_FILES:
            locate.missing_file(path, parameter="data")
            return path
        _refuse_unread(path)
    found = locate.find(text, parameter="data")
    is_data = isinstance(found, Dataset | Examples | Mapping | Iterable) and not isinstance(found, type)
    return found if is_data or not callable(found) else call_factory(found)


def _refuse_unread(path: Path) -> NoReturn:
    """Refuse a path that leads to nothing that is read: the nearest name, or how to convert the file that lies there."""
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    got, remedy = f"is {str(path)!r}", locate.suggestion(path.name, [*IMAGE_SETS, *beside])
    if path.is_file():
        got += f", a file with the ending {path.suffix!r}, which is not read" if path.suffix else ", a file without an ending"
        remedy = (
            "Read it in Python and write its arrays once: `numpy.savez('data.npz', x=x, y=y)`, then pass "
            f"{as_written('data', 'data.npz')}; or write a function that returns (x, y): {as_written('data', 'mydata.py:test')}."
        )
    refuse("data", got, allowed=FORMS, remedy=remedy)


def _rows(source: Any, **options: Any) -> Selection:
    try:
        return choose(source, **options)
    except HoldfastError:
        raise
    except Exception as error:
        raise locate.blame(error, doing="your data") from error
