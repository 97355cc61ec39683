"""Tables of numbers with a column of labels: CSV and Parquet files, and data frames.

Every column but that of the labels is a feature, in the order of the table. Nothing is filled in and nothing is encoded: a missing
value and a column that holds no numbers are refused by their names.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from holdfast.core.checks import as_written, nearest, refuse
from holdfast.core.errors import HoldfastError, MissingExtraError
from holdfast.data.room import check_regular, check_room

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["TABLE_FILES", "Table", "is_table", "read_features", "read_table"]

TABLE_FILES = (".csv", ".tsv", ".parquet")
LABEL_COLUMNS = ("y", "label", "target", "class")
SEPARATORS = ",;\t"
LARGEST_LABEL = 2.0**53  # up to which floating point holds every whole number
SHOWN = 4
EXTRA = 'pip install "holdfast[tables]"'


@dataclass(frozen=True, kw_only=True)
class Table:
    """The rows of a table as inputs and labels.

    Parameters
    ----------
    x : array (n, features), float64
    y : array (n,), int64
    columns : name of each feature
    class_names : of the labels 0, 1, ..., sorted, where they are texts; empty where they are whole numbers
    notes : for the report, one sentence each
    """

    x: np.ndarray
    y: np.ndarray
    columns: tuple[str, ...]
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Column:
    """Values (n,) of a column: float64 where they are numbers, Python objects otherwise; and which of them are missing."""

    values: np.ndarray
    missing: np.ndarray

    @property
    def is_number(self) -> bool:
        return bool(self.values.dtype == np.float64)


def is_table(source: Any) -> bool:
    """True for the path of a table, a data frame, and a pair of a data frame and its labels."""
    if isinstance(source, str | Path):
        return Path(source).suffix.lower() in TABLE_FILES
    return _is_frame(source) or (isinstance(source, tuple | list) and len(source) == 2 and _is_frame(source[0]))


def _is_frame(source: Any) -> bool:
    """True for the data frames of pandas, and for others that give such a one."""
    return hasattr(source, "to_pandas") or (hasattr(source, "columns") and hasattr(source, "iloc"))


def read_table(source: Any, *, label_column: str | None = None) -> Table:
    """The features and labels of a table.

    Parameters
    ----------
    source : path to a CSV or Parquet file, a data frame, or a pair of a data frame of features and their labels
    label_column : holds the labels, whole numbers from 0 or texts; default: the one that is called y, label, target or class

    Raises
    ------
    InputError : no such column (the nearest name is given), missing values, a feature that holds no numbers
    MissingExtraError : neither pandas nor pyarrow is installed
    """
    if isinstance(source, tuple | list):
        frame, labels = source
        columns, notes = _without_index(_columns_of(frame))
        return _table(columns, _labels_beside(labels), notes=notes)
    columns, notes = _without_index(_columns_of(source))
    chosen, said = _label_column(columns, label_column)
    rest = {name: column for name, column in columns.items() if name != chosen}
    return _table(rest, columns[chosen], notes=(*notes, *said), label=chosen)


def read_features(source: Any, *, label_column: str | None = None, columns: Sequence[str] = ()) -> np.ndarray:
    """The features (n, features), float64, of a table that may lack labels: those called `columns`, in their order, if any are."""
    held, _ = _without_index(_columns_of(source))
    if columns:
        missing = [name for name in columns if name not in held]
        if missing:
            refuse("unlabelled", f"lacks the columns {_few(missing)}", allowed="a table with each feature of the examples")
        return _features({name: held[name] for name in columns})
    dropped = {label_column} if label_column is not None else {name for name in held if name.lower() in LABEL_COLUMNS}
    return _features({name: column for name, column in held.items() if name not in dropped})


def _table(columns: Mapping[str, _Column], labels: _Column, *, notes: tuple[str, ...], label: str = "labels") -> Table:
    _check_missing({**columns, label: labels})
    y, names = _numbered(labels, label)
    return Table(x=_features(columns), y=y, columns=tuple(columns), class_names=names, notes=notes)


def _label_column(columns: Mapping[str, _Column], wanted: str | None) -> tuple[str, tuple[str, ...]]:
    """The column of the labels, and a note if it was not named."""
    if wanted is not None:
        if wanted not in columns:
            close = nearest(wanted, columns)
            remedy = f"Did you mean {close!r}?" if close else ""
            refuse("label_column", f"is {wanted!r}", allowed=f"a column of the table: {_few(columns)}", remedy=remedy)
        return wanted, ()
    found = [name for name in columns if name.lower() in LABEL_COLUMNS]
    if len(found) == 1:
        return found[0], (f"the labels are the column {found[0]!r} of the table",)
    got = f"is not given, and {'several columns' if found else 'no column'} of {_few(columns)} may hold the labels"
    words = [name for name, column in columns.items() if not column.is_number]
    named = as_written("label_column", found[0] if found else [*columns, *words][-1])
    return refuse("label_column", got, allowed="the name of the column with the classes", remedy=f"Give it, for example {named}.")


def _few(names: Sequence[str] | Mapping[str, Any]) -> str:
    shown = [repr(name) for name in names]
    return ", ".join(shown[: 3 * SHOWN]) + (f" and {len(shown) - 3 * SHOWN} more" if len(shown) > 3 * SHOWN else "")


def _check_missing(columns: Mapping[str, _Column]) -> None:
    holes = {name: np.flatnonzero(column.missing) for name, column in columns.items() if column.missing.any()}
    if not holes:
        return
    told = [
        f"{name!r} (row{'s' * (len(rows) > 1)} {', '.join(map(str, rows[:SHOWN]))}{', ...' if len(rows) > SHOWN else ''})"
        for name, rows in list(holes.items())[:SHOWN]
    ]
    more = f" and {len(holes) - SHOWN} more columns" if len(holes) > SHOWN else ""
    refuse(
        "data",
        f"has missing values in {', '.join(told)}{more}; the first row below the names is 0",
        allowed="a table without missing values",
        remedy="Fill them in or drop these rows first, as the network's training did.",
    )


def _features(columns: Mapping[str, _Column]) -> np.ndarray:
    words = [name for name, column in columns.items() if not column.is_number]
    if words:
        refuse(
            "data",
            f"has columns that are not numbers: {_few(words)}",
            allowed="numbers in every column but that of the labels",
            remedy="Encode them as the network's training did (pandas.get_dummies makes columns of 0 and 1), or leave them out.",
        )
    if not columns:
        refuse("data", "has no column besides the labels", allowed="at least one feature")
    _check_missing(columns)
    return np.stack([column.values for column in columns.values()], axis=1)


def _numbered(labels: _Column, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels as whole numbers (n,), int64, and the names of the classes where they were texts."""
    if labels.is_number:
        odd = labels.values[(labels.values != np.round(labels.values)) | (np.abs(labels.values) > LARGEST_LABEL)]
        if len(odd):
            remedy = "A measured quantity is not a class: holdfast audits classifiers."
            refuse("label_column", f"is {name!r}, which holds {odd[0]:g}", allowed="whole numbers from 0, or texts", remedy=remedy)
        return labels.values.astype(np.int64), ()
    names, y = np.unique(labels.values.astype(str), return_inverse=True)
    return y.astype(np.int64), tuple(map(str, names))


def _labels_beside(labels: Any) -> _Column:
    """Labels that come as a series, an array or a list beside a data frame."""
    if hasattr(labels, "isna"):
        return _of_series(labels)
    values = np.asarray(labels)
    is_number = values.dtype.kind in "iuf"
    return _Column(
        values=values.astype(np.float64 if is_number else object),
        missing=np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool),
    )


def _without_index(columns: dict[str, _Column]) -> tuple[dict[str, _Column], tuple[str, ...]]:
    """The columns without a first one that has no name and counts the rows, as pandas writes it."""
    first = next(iter(columns), "")
    nameless = first in {"", "Unnamed: 0"} or first.startswith("__index_level_")
    if not columns or not nameless or not np.array_equal(columns[first].values, np.arange(len(columns[first].values))):
        return columns, ()
    note = "the first column of the table has no name and counts the rows: it is not a feature"
    return {name: column for name, column in columns.items() if name != first}, (note,)


def _columns_of(source: Any) -> dict[str, _Column]:
    """All columns of a file or a data frame, by name."""
    if isinstance(source, str | Path):
        path = Path(source)
        check_regular(path, parameter="data")
        if not path.is_file():
            refuse("data", f"is {str(path)!r}, and there is no such file", allowed="a table that exists")
        columns = _of_file(path)
        if path.suffix.lower() != ".parquet" and all(_is_numeral(name) for name in columns):
            remedy = "Write a first line with the name of each column."
            refuse("data", f"is {str(path)!r}, whose first line names no columns", allowed="a table with a header", remedy=remedy)
    else:
        columns = _of_frame(source if hasattr(source, "iloc") else source.to_pandas())
    if not columns or not len(next(iter(columns.values())).values):
        refuse("data", "is a table without rows", allowed="at least one row below the names of the columns")
    return columns


def _is_numeral(name: str) -> bool:
    return name.lstrip("-+")[:1].isdigit()


def _of_file(path: Path) -> dict[str, _Column]:
    if find_spec("pandas") is None and find_spec("pyarrow") is None:
        got = f"is {path.name!r}, and neither pandas nor pyarrow is installed"
        raise MissingExtraError(f"`data` {got}; allowed: tables where one of them is. Install them: {EXTRA}.")
    try:
        if path.suffix.lower() == ".parquet":
            _check_rows(path)
        return _by_pandas(path) if find_spec("pandas") is not None else _by_pyarrow(path)
    except HoldfastError:
        raise
    except Exception as error:  # noqa: BLE001 (a broken file may fail in any way; all of them mean the same)
        _refuse_broken(path, error)


def _check_rows(path: Path) -> None:
    """Refuse a Parquet file that says of itself that it would fill the memory: a few bytes can stand for any number of rows."""
    if find_spec("pyarrow") is not None:
        from pyarrow import parquet

        facts = parquet.read_metadata(path)
        check_room((facts.num_rows, facts.num_columns), remedy="Write fewer rows into the file.")


def _refuse_broken(path: Path, error: Exception) -> NoReturn:
    if isinstance(error, ImportError):
        raise MissingExtraError(f"`data` is {path.name!r}, which needs pyarrow ({error}). Install it: {EXTRA}.") from error
    reason = " ".join(str(error).split())[:160]
    refuse("data", f"is {str(path)!r}, which cannot be read as a table ({reason})", allowed="a CSV or Parquet file")


def _separator(path: Path) -> str:
    """What stands most often between the names in the first line of a CSV file."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        line = file.readline(2**16)
    return max(SEPARATORS, key=line.count)


def _by_pandas(path: Path) -> dict[str, _Column]:
    import pandas as pd

    if path.suffix.lower() == ".parquet":
        return _of_frame(pd.read_parquet(path))
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # lines longer than the header are cut otherwise
        frame = pd.read_csv(path, sep=_separator(path), encoding="utf-8-sig", skipinitialspace=True, index_col=False)
    return _of_frame(frame)


def _of_frame(frame: Any) -> dict[str, _Column]:
    return _by_name([str(name) for name in frame.columns], [_of_series(frame.iloc[:, place]) for place in range(frame.shape[1])])


def _by_name(names: Sequence[str], columns: Sequence[_Column]) -> dict[str, _Column]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        refuse("data", f"has several columns that are called {_few(twice)}", allowed="one name for each column")
    return dict(zip(names, columns, strict=True))


def _of_series(series: Any) -> _Column:
    import pandas as pd

    is_number = pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_complex_dtype(series.dtype)
    values = series.to_numpy(dtype=np.float64, na_value=np.nan) if is_number else series.to_numpy(dtype=object)
    return _Column(values=values, missing=series.isna().to_numpy(dtype=bool))


def _by_pyarrow(path: Path) -> dict[str, _Column]:
    from pyarrow import csv, parquet

    if path.suffix.lower() == ".parquet":
        table = parquet.read_table(path)
    else:
        table = csv.read_csv(path, parse_options=csv.ParseOptions(delimiter=_separator(path)))
    return _by_name(table.column_names, [_of_chunks(column) for column in table.columns])


def _of_chunks(column: Any) -> _Column:
    import pyarrow as pa

    kind = column.type
    types = pa.types
    if types.is_boolean(kind):
        column = column.cast(pa.int8())
    is_number = types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    values = column.cast(pa.float64()) if is_number else column
    return _Column(
        values=values.to_numpy().astype(np.float64 if is_number else object),
        missing=column.is_null(nan_is_null=True).to_numpy().astype(bool),
    )
