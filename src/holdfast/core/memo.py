"""Artefacts that are built once and shared by many points and processes, found again by what they were made from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock

from holdfast.core.digest import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["Memo", "write_atomically"]


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a neighbouring file, flush it to the disk and only then give it the name `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        write(scratch)
        with scratch.open("rb") as stream:
            os.fsync(stream.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def _save_tensors(path: Path, tensors: Mapping[str, Any]) -> None:
    from safetensors.torch import save_file

    save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, path)


def _load_tensors(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(path)


def _load_arrays(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@dataclass(frozen=True)
class Memo:
    """A folder of artefacts: tensors as safetensors, NumPy arrays as ``.npz``.

    Parameters
    ----------
    folder : where the artefacts lie; made when it is first needed
    scope : JSON-able facts that every artefact depends on (target, data, seed), part of each key

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> memo = Memo(Path(tempfile.mkdtemp()))
    >>> memo("squares", {"n": 3}, lambda: {"values": np.arange(3) ** 2})["values"].tolist()
    [0, 1, 4]
    >>> memo("squares", {"n": 3}, lambda: 1 / 0)["values"].tolist()  # found, not built again
    [0, 1, 4]
    """

    folder: Path
    scope: Any = None

    def __call__(self, name: str, settings: Mapping[str, Any], build: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """The artefact `name` for `settings`; `build` is called only by the first process that asks.

        Parameters
        ----------
        name : kind of artefact
        settings : JSON-able facts that it is made from, besides the scope
        build : gives a mapping of tensors or of NumPy arrays
        """
        stem = self.folder / f"{name}-{digest(name, settings, self.scope)[:32]}"
        arrays, tensors = stem.with_suffix(".npz"), stem.with_suffix(".safetensors")
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(stem.with_suffix(".lock")):
            if tensors.exists():
                return _load_tensors(tensors)
            if arrays.exists():
                return _load_arrays(arrays)
            built = build()
            if all(hasattr(item, "detach") for item in built.values()):
                write_atomically(tensors, lambda path: _save_tensors(path, built))
                return _load_tensors(tensors)
            plain: dict[str, Any] = {key: np.asarray(item) for key, item in built.items()}
            write_atomically(arrays, lambda path: np.savez(path, **plain))
            return _load_arrays(arrays)
