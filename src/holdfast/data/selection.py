"""A part of the user's data, chosen before the inputs are read.

What has a length and labels is chosen by stratified index, so that only the chosen inputs are read: of a folder, an array, a data
set that keeps its labels, or a loader over one. A data set whose labels stand only in its items is drawn at random, and so are
ready batches; a stream gives its first examples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from holdfast.core.checks import as_written, check_one_of, check_whole
from holdfast.core.seeds import Seeds
from holdfast.data.class_names import places_of, read_class_names, renumbered
from holdfast.data.examples import MOST_CLASSES, Examples
from holdfast.data.image_folder import list_images
from holdfast.data.images import scaled_images, stored_images
from holdfast.data.items import Items, as_items, collected, without_loader
from holdfast.data.layouts import LAYOUTS
from holdfast.data.named import named
from holdfast.data.own import arrays_of, as_examples, name_of, stream_of
from holdfast.data.pixels import Pixels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.data.entries import Entries
    from holdfast.data.examples import Numbering

__all__ = ["MOST_OF_A_STREAM", "Classes", "Selection", "choose", "choose_images", "choose_published"]

MOST_OF_A_STREAM = 10_000
"""Examples that a source without a length gives if no number is asked for: it may have no end."""
Classes = str | PathLike[str] | tuple[str, ...] | list[str]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Examples that were chosen from a source, and what was seen of it on the way.

    Parameters
    ----------
    examples : chosen, in an order whose every prefix is nearly stratified
    index : array (n,), int64: their places in the source
    total : rows of the source; of a stream those that were read
    notes : for the report, one sentence each
    columns : names of the features, of a table
    stacked : names of the parts that each input consists of, one after another; empty for a single one
    """

    examples: Examples
    index: np.ndarray
    total: int
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    stacked: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Naming:
    """Which number each class of a source gets.

    Parameters
    ----------
    own : the source's own names of its classes; may be empty
    names : those of the result; may be empty
    numbering : how the labels of the result are numbered
    notes : if the names came from the network
    """

    own: tuple[str, ...]
    names: tuple[str, ...]
    numbering: Numbering
    notes: tuple[str, ...] = ()

    def applied(self, examples: Examples) -> Examples:
        """`examples`, whose labels are places in `own`, with labels that are places in `names`."""
        if self.numbering != "named":
            return examples.labelled(examples.y, class_names=examples.class_names, numbering=self.numbering)
        labels = examples.y.cpu().numpy()
        labels = renumbered(labels, self.own, self.names) if self.own else labels
        return examples.labelled(torch.from_numpy(labels), class_names=self.names, numbering="named")


def _naming(own: tuple[str, ...], numbering: Numbering, classes: Classes | None, known: Sequence[str]) -> _Naming:
    """The names asked for, else those of the network if they hold every name of the source, else the source's own."""
    if classes is not None:
        names = read_class_names(classes)
        if own:
            renumbered(np.zeros(0, dtype=np.int64), own, names)  # refused before anything is read
        return _Naming(own=own, names=names, numbering="named")
    if own and known and None not in places_of(own, known):
        note = f"classes are matched by their names to the {len(known)} that the network holds"
        return _Naming(own=own, names=tuple(known), numbering="named", notes=(note,))
    return _Naming(own=own, names=own, numbering=numbering)


def choose(  # noqa: PLR0913 (each says how the source is read)
    source: Any,
    *,
    n: int | None = None,
    seed: int = 0,
    layout: str | None = None,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    name: str | None = None,
    classes: Classes | None = None,
    known: Sequence[str] = (),
    input_key: str | None = None,
    label_column: str | None = None,
) -> Selection:
    """At most `n` examples of `source`, each class in its share, of which nothing else is read.

    Parameters
    ----------
    source, layout, bounds, name, input_key, label_column : as in :func:`~holdfast.data.own.examples_from`; folders go to
        :func:`choose_images`
    n : examples wanted; default: all, of a stream the first 10,000
    seed : of the choice
    classes : names of all classes in the order of the network's outputs, or a text file with one per line
    known : names that the network itself holds, used where they include every class name of the source

    Raises
    ------
    InputError : as in :func:`~holdfast.data.own.examples_from`; a class of the source that `classes` lacks
    """
    if layout is not None:
        check_one_of(layout, "layout", allowed=LAYOUTS)
    if n is not None:
        check_whole(n, "n", low=1)
    source = without_loader(source)
    parts = named(source, input_key=input_key, label_column=label_column)
    naming = _naming(parts.class_names, parts.numbering, classes, known)
    options: dict[str, Any] = {
        "layout": layout,
        "bounds": bounds,
        "class_names": parts.class_names,
        "name": name or name_of(source),
    }
    if classes is not None and not parts.class_names:
        options["classes"] = len(naming.names)
    found = _chosen(parts.source, parts.entries, n=n, seed=seed, options=options)
    return replace(
        found,
        examples=naming.applied(found.examples),
        notes=(*parts.notes, *naming.notes, *found.notes),
        columns=parts.columns,
        stacked=parts.stacked,
    )


def _chosen(source: Any, entries: Entries | None, *, n: int | None, seed: int, options: dict[str, Any]) -> Selection:
    """The selection of any source but a folder, with labels as the source numbers them."""
    if isinstance(source, Examples):
        kept = {**options, "layout": None, "classes": source.classes}
        return _from_arrays(source.x, source.y, n=n, seed=seed, options=kept)
    held = arrays_of(source)
    if held is not None:
        return _from_arrays(*held, n=n, seed=seed, options=options)
    items = as_items(source, entries)
    if items is not None and items.single():
        return _from_items(items, n=n, seed=seed, options=options)
    if items is not None:
        return _from_batches(items, n=n, seed=seed, options=options)
    return _from_stream(source, entries, n=n, seed=seed, options=options)


def _order(labels: np.ndarray, n: int | None, seed: int) -> np.ndarray:
    """The first `n` rows of the stratified order of `labels`."""
    blank = torch.empty((len(labels), 0))
    return Examples(blank, torch.from_numpy(labels)).stratified_order(seed=seed)[:n].astype(np.int64)


def _from_arrays(x: Any, y: Any, *, n: int | None, seed: int, options: dict[str, Any]) -> Selection:
    labels = _vector(y)
    if labels is None or len(labels) != len(x) or not len(labels):
        return Selection(examples=as_examples(x, y, **options), index=np.arange(len(x)), total=len(x))  # refused there
    order = _order(labels, n, seed)
    return Selection(examples=as_examples(x, y, rows=order, as_stored=True, **options), index=order, total=len(labels))


def _vector(y: Any) -> np.ndarray | None:
    """Labels as an array (n,) of whole numbers from 0 on; None if they are something else."""
    labels = y.detach().cpu().numpy() if isinstance(y, torch.Tensor) else np.asarray(y)
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or (len(labels) and labels.min() < 0):
        return None
    return labels.astype(np.int64)


def _from_batches(items: Items, *, n: int | None, seed: int, options: dict[str, Any]) -> Selection:
    """Ready batches, whose rows have no index: drawn at random until they hold `n` rows; all of them if they lie in a list."""
    whole = n is None or isinstance(items.source, list | tuple)
    drawn = range(len(items)) if whole else Seeds(seed).numpy("batches").permutation(len(items)).tolist()
    parts: list[tuple[torch.Tensor, torch.Tensor]] = []
    for batch in drawn:
        parts.append(items.pair(batch))
        if n is not None and not whole and sum(len(y) for _, y in parts) >= n:
            break
    found = _from_arrays(*collected(parts), n=n, seed=seed, options=options)
    if len(parts) == len(items):
        return found
    note = f"the data come in ready batches, of which {len(parts)} of {len(items)} were drawn at random, not class by class"
    return replace(found, notes=(*found.notes, note))


def _from_items(items: Items, *, n: int | None, seed: int, options: dict[str, Any]) -> Selection:
    total = len(items)
    labels = items.labels()
    notes: tuple[str, ...] = ()
    if labels is not None and labels.min() >= 0 and labels.max() < MOST_CLASSES:
        rows = _order(labels, n, seed)
    elif n is None or n >= total:
        rows = np.arange(total)
    else:
        rows = np.sort(Seeds(seed).numpy("rows").permutation(total)[:n])
        notes = (f"the labels of the data stand only in their items, so {n} of {total} were drawn at random, not class by class",)
    x, y = items.read(rows)
    read = as_examples(x, y, as_stored=True, **options)
    order = read.stratified_order(seed=seed) if labels is None else np.arange(len(rows))
    return Selection(examples=read[order], index=rows[order], total=total, notes=notes)


def _from_stream(source: Any, entries: Entries | None, *, n: int | None, seed: int, options: dict[str, Any]) -> Selection:
    limit = n or MOST_OF_A_STREAM
    x, y = stream_of(source, limit, entries)
    found = _from_arrays(x, y, n=None, seed=seed, options=options)
    seen = len(np.unique(found.examples.y.numpy()))
    if len(y) < limit:
        return found
    more = as_written("examples", "N", python="N")
    note = f"the data are a stream: its first {limit} examples, of {seen} classes, are used; {more} reads more"
    return replace(found, notes=(note,))


def choose_images(
    path: str | PathLike[str],
    *,
    n: int | None = None,
    seed: int = 0,
    size: int | tuple[int, int] | None = None,
    name: str | None = None,
    classes: Classes | None = None,
    known: Sequence[str] = (),
) -> Selection:
    """At most `n` images of a folder of class folders, each class in its share; the others are listed, not opened.

    Parameters
    ----------
    path, size, name, classes : as in :func:`~holdfast.data.image_folder.load_folder`
    n, seed, known : as in :func:`choose`
    """
    if n is not None:
        check_whole(n, "n", low=1)
    folder = list_images(path)
    naming = _naming(folder.class_names, "sorted", classes, known)
    order = _order(folder.labels, n, seed)
    read = Examples(
        Pixels(folder.read(order, size=size)),
        torch.from_numpy(folder.labels[order]),
        classes=len(folder.class_names),
        name=name or folder.root.name,
        class_names=folder.class_names,
    )
    notes = (*naming.notes, *folder.notes)
    return Selection(examples=naming.applied(read), index=order, total=len(folder), notes=notes)


def choose_published(
    data_set: str,
    split: str = "test",
    *,
    n: int | None = None,
    seed: int = 0,
    name: str | None = None,
    classes: Classes | None = None,
    known: Sequence[str] = (),
) -> Selection:
    """At most `n` images of a published set, each class in its share; only they become floating point.

    Parameters
    ----------
    data_set, split : as in :func:`~holdfast.data.images.load_images`
    n, seed, name, classes, known : as in :func:`choose`
    """
    stored = stored_images(data_set, split)
    naming = _naming(stored.class_names, "own", classes, known)
    order = stored.stratified_order(seed=seed)[:n].astype(np.int64)
    read = scaled_images(data_set, stored[order], as_stored=True)
    examples = naming.applied(read if name is None else replace(read, x=read.held, name=name))
    return Selection(examples=examples, index=order, total=len(stored), notes=naming.notes)
