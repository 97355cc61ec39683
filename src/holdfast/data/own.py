"""The user's own data as :class:`~holdfast.data.examples.Examples`: arrays, tensors, a torch ``Dataset``, batches, files.

Nothing is guessed silently: pixels as ``uint8`` become [0, 1] by division by 255; any other integer input, an unknown order of the
axes, and values outside the declared bounds are refused with the remedy in the message.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch

from holdfast.core.checks import as_written, check_finite, check_labels, check_one_of, check_same_length, check_whole, refuse
from holdfast.data.examples import Examples
from holdfast.data.files import load_folder, load_npz_arrays

__all__ = ["LAYOUTS", "as_examples", "examples_from", "load_npz"]

LAYOUTS = ("NCHW", "NHWC", "NHW")
"""Orders of the axes that are understood; the result is always NCHW."""
CHANNELS = (1, 3, 4)
Bounds = tuple[float, float]
LOG = logging.getLogger(__name__)


def examples_from(
    source: Any,
    *,
    layout: str = "NCHW",
    bounds: Bounds | None = (0.0, 1.0),
    name: str | None = None,
    classes: int = 0,
    n: int | None = None,
) -> Examples:
    """Labelled rows from almost anything that holds them.

    Parameters
    ----------
    source : Examples; a pair ``(x, y)`` of tensors or arrays; a mapping with ``"x"`` and ``"y"``; a torch ``Dataset`` or any
        iterable of pairs, which may be single examples or batches; a path to an ``.npz`` file or to a folder of class folders
    layout : order of the axes of x as it comes, one of :data:`LAYOUTS` (a single example has the same without N)
    bounds : range in which every value must lie after ``uint8`` became [0, 1]; None: any finite value
    name : for tables; default: from the source
    classes : number of classes; default: the source's own class names, else the largest label + 1
    n : read at most this many rows, the first ones; default: all

    Returns
    -------
    Examples with x float32 and y int64.

    Raises
    ------
    InputError : no rows; items that are not pairs; labels that are not whole numbers in range; NaN; values outside `bounds`;
        integers other than ``uint8``; an order of axes that contradicts `layout`

    Examples
    --------
    >>> import numpy
    >>> len(examples_from((numpy.zeros((4, 1, 8, 8), "float32"), numpy.array([0, 1, 1, 0]))))
    4
    """
    check_one_of(layout, "layout", allowed=LAYOUTS)
    if n is not None:
        check_whole(n, "n", low=1)
    options: dict[str, Any] = {"layout": layout, "bounds": bounds, "classes": classes}
    if isinstance(source, str | PathLike):
        return _from_path(Path(source), name, n, options)
    if isinstance(source, Examples):
        return as_examples(
            source.x[:n], source.y[:n], name=name or source.name, class_names=source.class_names, **{**options, "layout": "NCHW"}
        )
    x, y = _arrays(source, n)
    return as_examples(x, y, name=name or _name_of(source), class_names=_class_names(source), **options)


def load_npz(
    path: str | PathLike[str],
    *,
    layout: str = "NCHW",
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
    check_one_of(layout, "layout", allowed=LAYOUTS)
    return as_examples(x[:n], y[:n], layout=layout, bounds=bounds, classes=classes, name=Path(path).stem)


def as_examples(
    x: Any,
    y: Any,
    *,
    layout: str = "NCHW",
    bounds: Bounds | None = (0.0, 1.0),
    classes: int = 0,
    name: str = "data",
    class_names: tuple[str, ...] = (),
) -> Examples:
    """Checked examples from one array of inputs and one of labels; arguments as in :func:`examples_from`."""
    x, y = torch.as_tensor(_plain(x)), torch.as_tensor(_plain(y))
    if y.ndim == 0 or x.ndim == 0:
        refuse("x, y", f"have shapes {tuple(x.shape)} and {tuple(y.shape)}", allowed="one row each per example")
    check_same_length(x, y)
    classes = classes or len(class_names)
    check_labels(y, "y", classes=classes or max(1, int(y.max()) + 1))
    x = _reordered(_floating(x, bounds), layout)
    check_finite(x, "x")
    if bounds is not None:
        _check_bounds(x, bounds)
    names = class_names if len(class_names) == classes else ()
    return Examples(x.contiguous(), y.long(), classes=classes, name=name, class_names=names)


def _from_path(path: Path, name: str | None, n: int | None, options: dict[str, Any]) -> Examples:
    if path.is_dir():
        found = load_folder(path)
    elif path.suffix == ".npz":
        found = load_npz(path, n=n, **options)
    else:
        refuse("source", f"is the path {path}", allowed="an .npz file with x and y, or a folder with one folder per class")
    return Examples(found.x[:n], found.y[:n], found.classes, name or found.name, found.class_names)


def _plain(values: Any) -> Any:
    """A tensor without gradient, or a writable array, or None-free list; a read-only array is copied."""
    if isinstance(values, torch.Tensor):
        return values.detach()
    array = np.asarray(values)
    if array.dtype == object:
        refuse(
            "x, y", "hold Python objects", allowed="numbers", remedy="Rows of unequal length cannot be stacked: resize them first."
        )
    return array if array.flags.writeable and array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _floating(x: torch.Tensor, bounds: Bounds | None) -> torch.Tensor:
    if x.is_floating_point():
        return x.float()
    if x.dtype != torch.uint8:
        refuse(
            "x",
            f"has dtype {str(x.dtype).removeprefix('torch.')}, whose range is unknown",
            allowed="floating point, or uint8 for pixels 0 to 255",
            remedy="Convert with x.astype('uint8') if these are pixels, else scale and convert to float32.",
        )
    if bounds is not None and bounds[1] == 255:
        return x.float()
    LOG.info("pixels 0 to 255 were divided by 255; pass %s to keep them", as_written("bounds", "0,255", python="(0, 255)"))
    return x.float().div_(255)


def _reordered(x: torch.Tensor, layout: str) -> torch.Tensor:
    """`x` as NCHW; an order of axes that contradicts the layout is refused."""
    if x.ndim != len(layout):
        if x.ndim in {3, 4} or layout != "NCHW":
            hint = f"Grey images without an axis for the channel need {as_written('layout', 'NHW')}." if x.ndim == 3 else ""
            refuse("x", f"has shape {tuple(x.shape)}", allowed=f"{layout}, {len(layout)} axes", remedy=hint)
        return x
    if layout == "NHW":
        return x[:, None]
    channels = x.shape[layout.index("C")]
    other = {"NCHW": "NHWC", "NHWC": "NCHW"}[layout]
    suspect = x.shape[other.index("C")]
    if channels not in CHANNELS and suspect in CHANNELS and all(x.shape[other.index(side)] > suspect for side in "HW"):
        refuse(
            "x",
            f"has shape {tuple(x.shape)}, which looks like {other}",
            allowed=f"{layout}",
            remedy=f"Pass {as_written('layout', other)}.",
        )
    return x.permute(0, 3, 1, 2) if layout == "NHWC" else x


def _check_bounds(x: torch.Tensor, bounds: Bounds) -> None:
    low, high = x.min().item(), x.max().item()
    if low < bounds[0] or high > bounds[1]:
        declared = as_written("bounds", f"{low:.4g},{high:.4g}", python=f"({low:.4g}, {high:.4g})")
        refuse(
            "x",
            f"has values in [{low:.4g}, {high:.4g}]",
            allowed=f"the declared bounds ({bounds[0]:g}, {bounds[1]:g})",
            remedy=f"Pass raw images and let the target normalise them, or declare {declared}.",
        )


def _arrays(source: Any, n: int | None) -> tuple[Any, Any]:
    """One array of inputs and one of labels out of whatever holds them."""
    if isinstance(source, Mapping):
        missing = {"x", "y"} - set(source)
        if missing:
            refuse("source", f"has keys {sorted(map(str, source))}", allowed='"x" and "y"')
        return source["x"][:n], source["y"][:n]
    if isinstance(source, tuple | list) and len(source) == 2 and _is_array(source[0]) and _is_vector(source[1]):
        return source[0][:n], source[1][:n]
    tensors = getattr(source, "tensors", None)
    if isinstance(tensors, tuple) and len(tensors) == 2:
        return tensors[0][:n], tensors[1][:n]
    return _collected(source, n)


def _is_array(part: Any) -> bool:
    return isinstance(part, torch.Tensor | np.ndarray)


def _is_vector(part: Any) -> bool:
    return _is_array(part) or (isinstance(part, list | tuple) and all(isinstance(label, int) for label in part))


def _items(source: Any) -> Iterator[Any]:
    if isinstance(source, Iterable):
        yield from source
    elif hasattr(source, "__getitem__") and hasattr(source, "__len__"):
        for index in range(len(source)):
            yield source[index]
    else:
        refuse(
            "source",
            f"is a {type(source).__name__}",
            allowed="Examples, a pair (x, y), a torch Dataset, an iterable of pairs, an .npz file, a folder",
        )


def _collected(source: Any, n: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    xs: list[torch.Tensor] = []
    ys: list[torch.Tensor] = []
    rows = 0
    for number, item in enumerate(itertools.islice(_items(source), n)):
        x, y = _pair(item, number)
        if xs and x.shape[1:] != xs[0].shape[1:]:
            refuse(
                "source",
                f"gives shape {tuple(x.shape[1:])} at item {number} after {tuple(xs[0].shape[1:])}",
                allowed="inputs of one shape",
                remedy="Resize them first.",
            )
        xs.append(x)
        ys.append(y)
        rows += len(x)
        if n is not None and rows >= n:
            break
    if not xs:
        refuse(
            "source",
            "is empty",
            allowed="at least one example",
            remedy="A used-up iterator gives nothing: pass a loader.",
        )
    return torch.cat(xs)[:n], torch.cat(ys)[:n]


def _pair(item: Any, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """One item as a batch: a single example gets its first axis here."""
    if not isinstance(item, tuple | list) or len(item) != 2:
        size = f" of {len(item)}" if isinstance(item, tuple | list) else ""
        refuse("source", f"gives a {type(item).__name__}{size} at item {number}", allowed="pairs (x, y)")
    x = torch.as_tensor(_pixels(item[0]) if hasattr(item[0], "convert") else _plain(item[0]))
    y = torch.as_tensor(_plain(item[1]))
    if y.ndim == 0:
        return x[None], y[None]
    if x.ndim == 0 or len(x) != len(y):
        refuse(
            "source",
            f"gives shapes {tuple(x.shape)} and {tuple(y.shape)} at item {number}",
            allowed="one whole number as label of each example",
            remedy="Convert one-hot labels with .argmax(-1).",
        )
    return x, y


def _pixels(picture: Any) -> np.ndarray:
    """A Pillow image as (channels, height, width), uint8."""
    array = np.array(picture if picture.mode in {"L", "RGB"} else picture.convert("RGB"))
    return array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))


def _name_of(source: Any) -> str:
    return "data" if isinstance(source, tuple | list | Mapping) else type(source).__name__


def _class_names(source: Any) -> tuple[str, ...]:
    names = getattr(source, "classes", None)
    return tuple(map(str, names)) if isinstance(names, list | tuple) and names else ()
