"""``per_example.npz``: one row per example and stress, so that no figure of the report has to be taken on trust.

The archive holds ``example`` (n,) and ``label`` (n,), and for each measured point arrays whose first dimension is n under the
name ``stress|{"axis":value}|column``: ``correct`` (bool), ``prediction``, ``margin``, and whatever else a stress kept. If
pyarrow is installed, the same rows are written beside it as a Parquet table.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import nearest, refuse
from holdfast.core.digest import canonical_json
from holdfast.core.durable import write_atomically
from holdfast.core.reading import read_npz

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

__all__ = ["PerExampleTable", "read_per_example", "row_name", "write_per_example"]


def row_name(stress: str, at: Mapping[str, Any], column: str = "correct") -> str:
    """The name of an array in the archive.

    Examples
    --------
    >>> row_name("pgd", {"eps": 0.1})
    'pgd|{"eps":0.1}|correct'
    """
    return f"{stress}|{canonical_json(at)}|{column}"


@dataclass(frozen=True)
class PerExampleTable:
    """What :func:`read_per_example` gives.

    Parameters
    ----------
    example : array (n,), index of each example in the data
    label : array (n,), its class
    arrays : name (:func:`row_name`) -> array (n, ...)
    """

    example: NDArray[np.int64]
    label: NDArray[np.int64]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def points(self) -> list[tuple[str, dict[str, Any]]]:
        """The measured points as ``(stress, at)``, in the order they were written."""
        parts = [name.split("|", 1) for name in self.arrays]
        seen = dict.fromkeys((stress, rest.rsplit("|", 1)[0]) for stress, rest in parts)
        return [(stress, json.loads(at)) for stress, at in seen]

    def table(self, stress: str, **at: Any) -> NDArray[Any]:
        """Structured array (n,) with the fields example, label and every column of one point.

        Raises
        ------
        InputError : that point is not in the archive; the nearest one is named
        """
        prefix = row_name(stress, at, "")
        columns = {name.removeprefix(prefix): rows for name, rows in self.arrays.items() if name.startswith(prefix)}
        if not columns:
            known = [f"{name} {canonical_json(where)}" for name, where in self.points()]
            close = nearest(f"{stress} {canonical_json(at)}", known)
            refuse(
                "at",
                f"is {canonical_json(at)} of {stress!r}",
                allowed="a measured point",
                remedy=f"Nearest: {close}." if close else "",
            )
        parts = {"example": self.example, "label": self.label, **columns}
        table = np.empty(len(self.example), dtype=[(name, rows.dtype, rows.shape[1:]) for name, rows in parts.items()])
        for name, rows in parts.items():
            table[name] = rows
        return table


def write_per_example(path: str | Path, arrays: Mapping[str, ArrayLike], *, example: ArrayLike, label: ArrayLike) -> Path:
    """Write the archive, atomically and with equal bytes for equal content.

    Parameters
    ----------
    path : of the ``.npz`` file
    arrays : name (:func:`row_name`) -> array (n, ...)
    example : array (n,), index of each example in the data
    label : array (n,), its class

    Raises
    ------
    InputError : an array whose first dimension is not n
    """
    index, labels = np.asarray(example, dtype=np.int64), np.asarray(label, dtype=np.int64)
    rows = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in {"label": labels, **rows}.items():
        if array.ndim == 0 or len(array) != len(index):
            refuse(f"arrays[{name}]", f"has shape {array.shape}", allowed=f"({len(index)}, ...): one row per example")
    file = Path(path)
    everything: dict[str, Any] = {"example": index, "label": labels, **rows}
    write_atomically(file, lambda scratch: np.savez_compressed(scratch, allow_pickle=False, **everything))
    if importlib.util.find_spec("pyarrow") is not None:
        write_atomically(file.with_suffix(".parquet"), lambda scratch: _fill_parquet(scratch, everything))
    return file


def _fill_parquet(path: Path, rows: Mapping[str, NDArray[Any]]) -> None:
    pyarrow = importlib.import_module("pyarrow")
    parquet = importlib.import_module("pyarrow.parquet")
    parquet.write_table(pyarrow.table({name: array for name, array in rows.items() if array.ndim == 1}), path)


def read_per_example(path: str | Path) -> PerExampleTable:
    """The archive in the file `path`, or in ``per_example.npz`` of the folder `path`."""
    file = Path(path) / "per_example.npz" if Path(path).is_dir() else Path(path)
    if not file.is_file():
        refuse("path", f"is {str(path)!r}: there is no such file", allowed="per_example.npz of a run, or the run's folder")
    try:
        arrays = read_npz(file)
        table = PerExampleTable(arrays.pop("example"), arrays.pop("label"), arrays)
    except (OSError, ValueError, KeyError) as error:
        refuse("path", f"is {str(file)!r}, which is damaged ({error})", allowed="per_example.npz as a run wrote it")
    lengths = {len(array) if array.ndim else 0 for array in (table.example, table.label, *arrays.values())}
    if len(lengths) > 1:
        refuse("path", f"is {str(file)!r}, whose arrays have {sorted(lengths)} rows", allowed="one row per example in each array")
    return table
