"""Rows that come one by one or in batches, out of data sets, loaders and streams of the user's own."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    default_collate,
)

from holdfast.core.checks import SEVERAL, as_single_labels, refuse
from holdfast.data.room import check_room

if TYPE_CHECKING:
    from holdfast.data.entries import Entries

__all__ = [
    "Items",
    "as_items",
    "class_names_of",
    "collected",
    "is_sorted_by_folder",
    "items_of",
    "labels_of",
    "pair_of",
    "plain",
    "without_loader",
]

LABELS = ("targets", "labels")  # attributes under which data sets keep all labels
FEWER = "Read fewer: --examples N (Python: examples=N)."


class Items:
    """A source whose items can be read one by one, in any order; each is one example.

    Parameters
    ----------
    source : a list, or a data set with ``__getitem__`` and ``__len__``
    positions : of the items that count; default: all
    collate : what a loader makes of one item; default: nothing
    entries : which parts of an item are input and label, where they have names
    """

    def __init__(
        self, source: Any, positions: Sequence[int] | None = None, collate: Any = None, *, entries: Entries | None = None
    ) -> None:
        self.source, self.entries = source, entries
        self.positions = range(len(source)) if positions is None else positions
        self.collate = collate

    def __len__(self) -> int:
        return len(self.positions)

    def item(self, row: int) -> Any:
        """Item `row` as it comes."""
        item = self.source[self.positions[row]]
        return item if self.collate is None else self.collate(item)

    def pair(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Item `row` as a batch ``(x, y)`` of one."""
        return pair_of(self.item(row), row, self.entries)

    def single(self) -> bool:
        """True if the first item is one example; others hold batches and must be read from the first to the last."""
        return len(self) > 0 and len(self.pair(0)[1]) == 1

    def labels(self) -> np.ndarray | None:
        """All labels (n,), if they can be had without reading the inputs; else None."""
        found = labels_of(self.source, self.entries)
        return None if found is None else found[np.asarray(self.positions, dtype=np.int64)]

    def read(self, rows: Iterable[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and labels of the items `rows`, in that order."""
        return collected(self.pair(int(row)) for row in rows)


def as_items(source: Any, entries: Entries | None = None) -> Items | None:
    """`source` as items that can be read in any order; None for a stream, which only has a first item and a next one.

    A loader over a data set with a length is read item by item, through its ``collate_fn``, whatever its own order.
    """
    if isinstance(source, DataLoader):
        found = _loader_items(source)
        return found and Items(found.source, found.positions, found.collate, entries=entries)
    is_map = hasattr(source, "__getitem__") and hasattr(source, "__len__") and not isinstance(source, IterableDataset)
    return Items(source, entries=entries) if is_map else None


def without_loader(source: Any) -> Any:
    """The data set in a loader that hands out all of it, each item as it is; anything else unchanged."""
    if (
        not isinstance(source, DataLoader)
        or source.collate_fn is not default_collate
        or isinstance(source.dataset, IterableDataset)
    ):
        return source
    return source.dataset if _takes_all(source) else source


def _takes_all(loader: DataLoader[Any]) -> bool:
    """True if the loader's own order is that of its data set, or a permutation of it."""
    sampler = loader.sampler
    plain_batches = loader.batch_sampler is None or type(loader.batch_sampler) is BatchSampler
    shuffled = type(sampler) is RandomSampler and not sampler.replacement and len(sampler) == len(sampler.data_source)
    return plain_batches and (type(sampler) is SequentialSampler or shuffled)


def _loader_items(loader: DataLoader[Any]) -> Items | None:
    if isinstance(loader.dataset, IterableDataset) or not hasattr(loader.dataset, "__len__"):
        return None
    batched = loader.batch_sampler is not None
    collate = loader.collate_fn
    of_one = (lambda item: collate([item])) if batched else collate
    if _takes_all(loader):
        return Items(loader.dataset, None, of_one)
    by_batch = batched and type(loader.batch_sampler) is not BatchSampler
    sampler: Any = loader.batch_sampler if by_batch else loader.sampler
    if not hasattr(sampler, "__len__"):
        return None
    drawn = itertools.islice(sampler, len(sampler))
    return Items(loader.dataset, [int(place) for place in (itertools.chain.from_iterable(drawn) if by_batch else drawn)], of_one)


def labels_of(source: Any, entries: Entries | None = None) -> np.ndarray | None:
    """All labels (n,), int64, that `source` keeps beside its inputs; None if there are none of that kind."""
    if isinstance(source, Subset):
        found = labels_of(source.dataset, entries)
        return None if found is None else found[np.asarray(source.indices, dtype=np.int64)]
    if isinstance(source, ConcatDataset):
        parts = [labels_of(part, entries) for part in source.datasets]
        known = [part for part in parts if part is not None]
        return np.concatenate(known) if len(known) == len(parts) else None
    if isinstance(source, list | tuple):
        return _whole([_label_in(item, entries) for item in source], len(source))
    tensors = getattr(source, "tensors", None)
    if isinstance(tensors, tuple) and len(tensors) == 2:
        return _whole(tensors[1], len(source))
    candidates = (_whole(getattr(source, name, None), len(source)) for name in LABELS)
    return next((found for found in candidates if found is not None), None)


def _label_in(item: Any, entries: Entries | None) -> Any:
    if entries is not None and isinstance(item, Mapping):
        return item.get(entries.label)
    return item[1] if isinstance(item, list | tuple) and len(item) == 2 else None


def _whole(labels: Any, n: int) -> np.ndarray | None:
    """`labels` as an array (n,), int64, if they are one whole number for each of `n` rows."""
    if labels is None or not hasattr(labels, "__len__") or len(labels) != n or isinstance(labels, str):
        return None
    try:
        found = np.asarray(labels)
    except (TypeError, ValueError):  # ragged, or a tensor on another device
        return None
    return found.astype(np.int64) if found.ndim == 1 and found.dtype.kind in "iu" else None


def _inner(source: Any) -> Any:
    """The data set below loaders and subsets."""
    while isinstance(source, DataLoader | Subset):
        source = source.dataset
    return source


def class_names_of(source: Any) -> tuple[str, ...]:
    """The attribute `classes` of a data set, below loaders and subsets; empty if there is none."""
    names = getattr(_inner(source), "classes", None)
    return tuple(map(str, names)) if isinstance(names, list | tuple) and names else ()


def is_sorted_by_folder(source: Any) -> bool:
    """True for a data set of torchvision's folder kind, whose labels are places in the sorted names of its folders."""
    inner = _inner(source)
    places = getattr(inner, "class_to_idx", None)
    names = class_names_of(inner)
    return (
        hasattr(inner, "samples") and isinstance(places, dict) and [places.get(name) for name in names] == list(range(len(names)))
    )


def items_of(source: Any) -> Iterator[Any]:
    """The items of `source`, from the first one on."""
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


def collected(pairs: Iterable[tuple[torch.Tensor, torch.Tensor]], n: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """One tensor of inputs and one of labels out of batches; at most `n` rows, and no batch is asked for beyond them."""
    xs: list[torch.Tensor] = []
    ys: list[torch.Tensor] = []
    rows = 0
    for number, (x, y) in enumerate(pairs):
        if xs and x.shape[1:] != xs[0].shape[1:]:
            refuse(
                "source",
                f"gives shape {tuple(x.shape[1:])} at item {number} after {tuple(xs[0].shape[1:])}",
                allowed="inputs of one shape",
                remedy="Resize images first, and pad sequences.",
            )
        xs.append(x)
        ys.append(y)
        rows += len(x)
        check_room((rows, *x.shape[1:]), remedy=FEWER)
        if n is not None and rows >= n:
            break
    if not xs:
        refuse(
            "source",
            "is empty",
            allowed="at least one example",
            remedy="A used-up iterator gives nothing: pass a loader.",
        )
    return _joined(xs, n), torch.cat(ys)[:n]


def _joined(parts: list[torch.Tensor], n: int | None) -> torch.Tensor:
    """The first `n` rows of all parts together; each part is given up once it is copied, so that memory holds one set of them."""
    total = sum(map(len, parts))
    total = total if n is None else min(n, total)
    kind = functools.reduce(torch.promote_types, (part.dtype for part in parts))
    whole = torch.empty((total, *parts[0].shape[1:]), dtype=kind, device=parts[0].device)
    begin = 0
    parts.reverse()
    while parts:
        part = parts.pop()[: total - begin]
        whole[begin : begin + len(part)] = part
        begin += len(part)
    return whole


def pair_of(item: Any, number: int, entries: Entries | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """One item as a batch: a single example gets its first axis here; of one whose parts have names the `entries` are taken."""
    if entries is not None and isinstance(item, Mapping):
        item = entries.pair(item, number)
    if not isinstance(item, tuple | list) or len(item) != 2:
        size = f" of {len(item)}" if isinstance(item, tuple | list) else ""
        refuse("source", f"gives a {type(item).__name__}{size} at item {number}", allowed="pairs (x, y)")
    x = torch.as_tensor(_pixels(item[0]) if hasattr(item[0], "convert") else plain(item[0]))
    y = torch.as_tensor(plain(item[1]))
    if y.ndim == 0:
        return x[None], y[None]
    if x.ndim and len(x) == len(y) > 1 and y.ndim == 1 and (y.is_floating_point() or y.dtype == torch.bool):
        refuse(  # what looks like a batch may be one example with as many channels as classes
            "source",
            f"gives labels of shape {tuple(y.shape)} in {str(y.dtype).removeprefix('torch.')} at item {number}",
            allowed="one whole number as label of each example",
            remedy=f"If the item is a batch: {as_single_labels(y)} If it is one example: {_as_one_label(y)}",
        )
    if x.ndim == 0 or len(x) != len(y):
        refuse(
            "source",
            f"gives shapes {tuple(x.shape)} and {tuple(y.shape)} at item {number}",
            allowed="one whole number as label of each example",
            remedy=_as_one_label(y),
        )
    return x, y


def _as_one_label(y: torch.Tensor) -> str:
    """How the label `y` of one example, which is not a single number, becomes one; the others may differ from it."""
    if y.numel() == 1:
        return "Return the number itself: y.item()."
    if y.ndim != 1 or int((y != 0).sum()) != 1:
        return f"{SEVERAL}."
    return f"Convert one-hot labels with .argmax(-1). {SEVERAL}."


def plain(values: Any) -> Any:
    """A tensor without gradient, or a writable array, or None-free list; a read-only array is copied."""
    if isinstance(values, torch.Tensor):
        return values.detach()
    array = np.asarray(values)
    if array.dtype.kind in "US" or (array.dtype == object and array.size and isinstance(array.flat[0], str)):
        numbered = "numpy.unique(y, return_inverse=True)[1]"
        refuse("x, y", "hold texts", allowed="numbers", remedy=f"Classes are numbered in their sorted order by {numbered}.")
    if array.dtype == object:
        refuse(
            "x, y", "hold Python objects", allowed="numbers", remedy="Rows of unequal length cannot be stacked: resize them first."
        )
    return array if array.flags.writeable and array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _pixels(picture: Any) -> np.ndarray:
    """A Pillow image as (channels, height, width), uint8."""
    array = np.array(picture if picture.mode in {"L", "RGB"} else picture.convert("RGB"))
    return array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))
