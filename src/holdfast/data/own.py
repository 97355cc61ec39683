"""The user's own data as :class:`~holdfast.data.examples.Examples`: arrays, tensors, a torch ``Dataset``, batches, files.

Nothing is guessed silently: pixels as ``uint8`` become [0, 1] by division by 255; any other integer input, an unknown order of the
axes, and values outside the declared bounds are refused with the remedy in the message.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from holdfast.core.checks import (
    as_range,
    as_written,
    check_finite,
    check_labels,
    check_one_of,
    check_same_length,
    check_whole,
    refuse,
)
from holdfast.data.examples import Examples, classes_in
from holdfast.data.files import load_npz_arrays
from holdfast.data.image_folder import load_folder
from holdfast.data.items import collected, items_of, pair_of, plain
from holdfast.data.layouts import LAYOUTS, reordered
from holdfast.data.named import named
from holdfast.data.pixels import Pixels
from holdfast.data.room import check_room

if TYPE_CHECKING:
    from holdfast.data.entries import Entries

__all__ = ["arrays_of", "as_examples", "examples_from", "load_npz", "name_of", "stream_of"]

DIVIDED = "pixels 0 to 255 were divided by 255; pass %s to keep them"
PART = 2**22  # values converted at a time
INTEGERS = (torch.int8, torch.int16, torch.int32, torch.int64)
TOKENS = " Token ids, one row of whole numbers per example, need bounds=None in Python and no --bounds on the command line."
Bounds = tuple[float, float]
LOG = logging.getLogger(__name__)


def examples_from(
    source: Any,
    *,
    layout: str | None = None,
    bounds: Bounds | None = (0.0, 1.0),
    name: str | None = None,
    classes: int = 0,
    n: int | None = None,
    input_key: str | None = None,
    label_column: str | None = None,
) -> Examples:
    """Labelled rows from almost anything that holds them.

    Parameters
    ----------
    source : Examples; a pair ``(x, y)`` of tensors or arrays; a torch ``Dataset`` or any iterable of pairs, which may be single
        examples or batches; a data frame; a path to an ``.npz``, CSV or Parquet file or to a folder of class folders. In place of
        pairs there may be mappings, such as ``{"pixel_values": x, "labels": y}``
    layout : order of the axes of x as it comes, one of :data:`~holdfast.data.layouts.LAYOUTS` (a single example has the same
        without N); None: as networks take it, images as NCHW
    bounds : range in which every value must lie after ``uint8`` became [0, 1]; None: any finite value, and whole numbers of two or
        three axes stay integers, as token ids are
    name : for tables; default: from the source
    classes : number of classes; default: the source's own class names, else the largest label + 1
    n : read at most this many rows, the first ones; default: all
    input_key : which part of each mapping is the input, see :func:`~holdfast.data.entries.entries_of`
    label_column : which column of a table, or part of each mapping, is the label

    Returns
    -------
    Examples with x float32, or int64 for token ids, and y int64.

    Raises
    ------
    InputError : no rows; items that are not pairs; labels that are not whole numbers in range; NaN; values outside `bounds`;
        integers that are neither ``uint8`` nor token ids; an order of axes that contradicts `layout`

    Examples
    --------
    >>> import numpy
    >>> len(examples_from((numpy.zeros((4, 1, 8, 8), "float32"), numpy.array([0, 1, 1, 0]))))
    4
    """
    if layout is not None:
        check_one_of(layout, "layout", allowed=LAYOUTS)
    if n is not None:
        check_whole(n, "n", low=1)
    options: dict[str, Any] = {"layout": layout, "bounds": bounds, "classes": classes}
    if isinstance(source, str | PathLike) and Path(source).is_dir():
        found = load_folder(Path(source), n=n)
        return found if name is None else replace(found, name=name)
    called = name or name_of(source)
    parts = named(source, input_key=input_key, label_column=label_column)
    if isinstance(source, Examples):
        options["layout"] = None
        found = as_examples(source.x[:n], source.y[:n], name=called, class_names=source.class_names, **options)
        return replace(found, numbering=source.numbering)
    held = arrays_of(parts.source)
    x, y = stream_of(parts.source, n, parts.entries) if held is None else (held[0][:n], held[1][:n])
    found = as_examples(x, y, name=called, class_names=parts.class_names, **options)
    return replace(found, x=found.held, numbering=parts.numbering)


def load_npz(
    path: str | PathLike[str],
    *,
    layout: str | None = None,
    bounds: Bounds | None = (0.0, 1.0),
    classes: int = 0,
    n: int | None = None,
) -> Examples:
    """Labelled rows from an ``.npz`` file with arrays ``x`` and ``y``; pickled objects inside are never loaded.

    Parameters
    ----------
    path : the file
    layout, bounds, classes, n : as in :func:`examples_from`

    Raises
    ------
    InputError : as in :func:`examples_from`; also if an array is missing or holds Python objects
    DataUnavailableError : no such file
    """
    x, y = load_npz_arrays(path)
    if layout is not None:
        check_one_of(layout, "layout", allowed=LAYOUTS)
    return as_examples(x[:n], y[:n], layout=layout, bounds=bounds, classes=classes, name=Path(path).stem)


def as_examples(  # noqa: PLR0913 (each says how the arrays are read)
    x: Any,
    y: Any,
    *,
    layout: str | None = None,
    bounds: Bounds | None = (0.0, 1.0),
    classes: int = 0,
    name: str = "data",
    class_names: tuple[str, ...] = (),
    rows: np.ndarray | None = None,
    as_stored: bool = False,
) -> Examples:
    """Checked examples from one array of inputs and one of labels.

    Parameters
    ----------
    x, y, layout, bounds, classes, name, class_names : as in :func:`examples_from`
    rows : array (n,) of the rows to take, in this order; only they are checked and become floating point. Default: all
    as_stored : keep pixels as :class:`~holdfast.data.pixels.Pixels`
    """
    x, y = x if isinstance(x, torch.Tensor) else np.asarray(x), torch.as_tensor(plain(y))
    if y.ndim == 0 or np.ndim(x) == 0:
        refuse("x, y", f"have shapes {tuple(np.shape(x))} and {tuple(y.shape)}", allowed="one row each per example")
    check_same_length(x, y)
    classes = classes or len(class_names)
    classes = classes or classes_in(y)
    check_labels(y, "y", classes=classes)
    names = class_names if len(class_names) == classes else ()
    chosen = y.long() if rows is None else y.long()[torch.as_tensor(rows)]
    inputs = _inputs(x, layout=layout, bounds=bounds, rows=rows, as_stored=as_stored)
    return Examples(inputs, chosen, classes=classes, name=name, class_names=names)


def _inputs(
    x: Any, *, layout: str | None, bounds: Bounds | None, rows: np.ndarray | None, as_stored: bool
) -> torch.Tensor | Pixels:
    """The `rows` of `x` as networks take them, checked; pixels in [0, 1] as they are stored if asked for."""
    kind = _taken(x[:1], None).dtype
    if as_stored and bounds in (None, (0.0, 1.0)) and kind == torch.uint8:
        LOG.info(DIVIDED, as_written("bounds", "0,255", python="(0, 255)"))
        return Pixels(reordered(_taken(x, rows), layout).contiguous())
    if kind in INTEGERS and bounds != (0.0, 1.0) and len(x.shape) in {2, 3} and layout in {None, "NF", "NTF"}:
        x = _taken(x, rows).long()  # as token ids are
    else:
        x = reordered(_floating(x, bounds, rows), layout)
    check_finite(x, "x")
    if bounds is not None:
        _check_bounds(x, bounds)
    return x.contiguous()


def _taken(x: Any, rows: np.ndarray | None) -> torch.Tensor:
    """The `rows` of `x` as a tensor; no other row is copied, not even of an array that is read-only."""
    if isinstance(x, torch.Tensor):
        return x.detach() if rows is None else x.detach()[torch.as_tensor(rows)]
    array = np.asarray(x)
    return torch.as_tensor(plain(array if rows is None else array[rows]))


def _floating(x: Any, bounds: Bounds | None, rows: np.ndarray | None) -> torch.Tensor:
    """The `rows` of `x` in float32, pixels in [0, 1]; converted part by part, so that only the result is held besides `x`."""
    kind = _taken(x[:1], None).dtype
    if not kind.is_floating_point and kind not in {torch.uint8, torch.bool}:
        refuse(
            "x",
            f"has dtype {str(kind).removeprefix('torch.')}, whose range is unknown",
            allowed="floating point, or uint8 for pixels 0 to 255",
            remedy=f"Convert with x.astype('uint8') if these are pixels, else scale and convert to float32.{TOKENS}",
        )
    if kind == torch.float32:
        return _taken(x, rows)
    scaled = kind == torch.uint8 and (bounds is None or bounds[1] != 255)
    if scaled:
        LOG.info(DIVIDED, as_written("bounds", "0,255", python="(0, 255)"))
    places = np.arange(len(x)) if rows is None else rows
    check_room((len(places), *x.shape[1:]), remedy=f"Read fewer: {as_written('examples', 'N', python='N')}.")
    whole = torch.empty((len(places), *x.shape[1:]), device=x.device if isinstance(x, torch.Tensor) else None)
    part = max(1, PART // max(1, math.prod(x.shape[1:])))
    for begin in range(0, len(places), part):
        whole[begin : begin + part] = _taken(x, places[begin : begin + part])
    return whole.div_(255) if scaled else whole


def _check_bounds(x: torch.Tensor, bounds: Bounds) -> None:
    low, high = x.min().item(), x.max().item()
    if low < bounds[0] or high > bounds[1]:
        refuse(
            "x",
            f"has values in [{low:.4g}, {high:.4g}]",
            allowed=f"the declared bounds ({bounds[0]:g}, {bounds[1]:g})",
            remedy=f"If these inputs are normalised, pass raw ones and {as_written('normalize', 'mean,std')}; otherwise declare "
            f"their range: {as_range(low, high)}.",
        )


def arrays_of(source: Any) -> tuple[Any, Any] | None:
    """The array of inputs and that of labels where `source` holds them as such, else None."""
    if isinstance(source, tuple | list) and len(source) == 2 and _is_array(source[0]) and _is_vector(source[1]):
        return source[0], source[1]
    tensors = getattr(source, "tensors", None)
    return tensors if isinstance(tensors, tuple) and len(tensors) == 2 else None


def stream_of(source: Any, n: int | None, entries: Entries | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and labels of the first `n` rows of `source`, item by item; all of them if `n` is None."""
    return collected((pair_of(item, number, entries) for number, item in enumerate(itertools.islice(items_of(source), n))), n)


def _is_array(part: Any) -> bool:
    return isinstance(part, torch.Tensor | np.ndarray)


def _is_vector(part: Any) -> bool:
    return _is_array(part) or (isinstance(part, list | tuple) and all(isinstance(label, int) for label in part))


def name_of(source: Any) -> str:
    """What tables call `source`, if nothing else is said."""
    if isinstance(source, Examples):
        return source.name
    if isinstance(source, str | PathLike):
        return Path(source).stem
    return "data" if isinstance(source, tuple | list | Mapping) else type(source).__name__
