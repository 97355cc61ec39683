"""``.npz`` files on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import as_written, refuse
from holdfast.core.errors import DataUnavailableError
from holdfast.data.records import check_records

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["load_npz_arrays", "load_npz_inputs"]


def load_npz_arrays(path: str | PathLike[str], *, names: tuple[str, str] = ("x", "y")) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and labels of an ``.npz`` file by their `names`, as they are stored; see :func:`holdfast.data.own.load_npz`."""
    arrays, held = _arrays(Path(path), names, "path")
    if len(arrays) != 2:
        others = f"{as_written('input_key', 'NAME')} and {as_written('label_column', 'NAME')}"
        refuse(
            "path",
            f"leads to {path}, which holds {', '.join(held)}",
            allowed=f"arrays named {' and '.join(names)}",
            remedy=f"Give the names of yours: {others}.",
        )
    return arrays[0], arrays[1]


def load_npz_inputs(path: str | PathLike[str], *, parameter: str = "path") -> np.ndarray:
    """The array ``x`` of an ``.npz`` file, which needs no ``y``; `parameter` is how the user calls the file."""
    arrays, held = _arrays(Path(path), ("x",), parameter)
    if not arrays:
        refuse(parameter, f"is {str(path)!r} with {sorted(held)}", allowed="an .npz that holds x")
    return arrays[0]


def _arrays(path: Path, names: tuple[str, ...], parameter: str) -> tuple[list[np.ndarray], list[str]]:
    """Those of the arrays `names` that the file holds, and the names of all; a member made to fill memory is refused."""
    if not path.is_file():
        raise DataUnavailableError(f"There is no file {path}; give an .npz file with arrays x and y.")
    try:
        held = [name.removesuffix(".npy") for name in check_records(path)]
        with np.load(path, allow_pickle=False) as archive:
            return [archive[key] for key in names if key in held], held
    except Exception as error:  # noqa: BLE001 (a broken archive may fail in any way; all of them mean the same)
        got = f"leads to {path}, which is not a sound .npz of numbers ({error})"
        refuse(parameter, got, allowed="arrays of numbers, no objects, as numpy.savez writes them")
