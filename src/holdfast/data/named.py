"""Sources whose parts have names, tables and dict rows, as sources of pairs of input and label."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.core.checks import refuse
from holdfast.data.entries import Entries, entries_of, numbers
from holdfast.data.examples import Examples
from holdfast.data.files import load_npz_arrays
from holdfast.data.items import as_items, class_names_of, is_sorted_by_folder
from holdfast.data.tables import is_table, read_table

if TYPE_CHECKING:
    from holdfast.data.examples import Numbering

__all__ = ["Named", "named"]


@dataclass(frozen=True, kw_only=True)
class Named:
    """A source of pairs, and what the names of its parts say.

    Parameters
    ----------
    source : of pairs, or of rows with `entries`
    entries : which parts of a row are meant; None where the source gives pairs
    stacked : names of the parts that each input consists of, one after another; empty for a single one
    columns : names of the features of a table
    class_names : of the source; may be empty
    numbering : how its labels are numbered
    notes : for the report
    """

    source: Any
    entries: Entries | None = None
    stacked: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    numbering: Numbering = "own"
    notes: tuple[str, ...] = ()


def named(source: Any, *, input_key: str | None = None, label_column: str | None = None) -> Named:
    """`source` with the parts that its rows name found.

    Parameters
    ----------
    source : anything that :func:`~holdfast.data.own.examples_from` takes but a folder
    input_key : the part that is the input, see :func:`~holdfast.data.entries.entries_of`
    label_column : the column, or the part, that is the label

    Raises
    ------
    InputError : a name is given and the source has none, or does not have this one
    """
    given = {"input_key": input_key, "label_column": label_column}
    if is_table(source):
        _refuse_names({"input_key": input_key}, allowed="a name for rows that are dicts; every column of a table is a feature")
        table = read_table(source, label_column=label_column)
        numbering: Numbering = "sorted" if table.class_names else "own"
        pair = (table.x, table.y)
        return Named(source=pair, columns=table.columns, class_names=table.class_names, numbering=numbering, notes=table.notes)
    if isinstance(source, Examples):
        _refuse_names(given)
        own = () if source.class_names == tuple(map(str, range(source.classes))) else source.class_names
        return Named(source=source, class_names=own, numbering=source.numbering)
    if isinstance(source, str | PathLike):
        if Path(source).suffix != ".npz":
            refuse("source", f"is the path {source}", allowed="an .npz file with x and y, or a CSV or Parquet file")
        return Named(source=load_npz_arrays(source, names=(input_key or "x", label_column or "y")))
    if isinstance(source, Mapping):
        entries = entries_of(source, input_key=input_key, label_column=label_column)
        x, y = map(numbers, entries.pair(source, 0))
        return Named(source=(x, y), stacked=_stacked(entries), notes=entries.notes)
    row, source = _first_of(source)
    plain = Named(source=source, class_names=class_names_of(source), numbering="sorted" if is_sorted_by_folder(source) else "own")
    if not isinstance(row, Mapping):
        _refuse_names(given)
        return plain
    entries = entries_of(row, input_key=input_key, label_column=label_column)
    return replace(plain, entries=entries, stacked=_stacked(entries), notes=entries.notes)


def _stacked(entries: Entries) -> tuple[str, ...]:
    return entries.inputs if len(entries.inputs) > 1 else ()


def _refuse_names(given: Mapping[str, str | None], *, allowed: str = "a name for tables and for rows that are dicts") -> None:
    for parameter, name in given.items():
        if name is not None:
            refuse(parameter, f"is {name!r}", allowed=allowed, remedy="Leave it out.")


def _first_of(source: Any) -> tuple[Any, Any]:
    """The first row of `source`, or None where it is not one of rows, and the source as it was."""
    if isinstance(source, tuple | list):
        return (source[0] if len(source) else None), source
    if isinstance(getattr(source, "tensors", None), tuple):
        return None, source
    items = as_items(source)
    if items is not None:
        return (items.item(0) if len(items) else None), source
    if isinstance(source, Iterable):
        rows = iter(source)
        begun = list(itertools.islice(rows, 1))
        return (begun[0] if begun else None), itertools.chain(begun, rows)
    return None, source
