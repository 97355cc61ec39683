"""Artefacts that are built once and shared by many points and processes, found again by what they were made from.

Beside each artefact lies its digest in the form of ``sha256sum``. A file that does not fit its digest (torn, swapped, or of a
version of holdfast that wrote none) is built again.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock

from holdfast.core.digest import digest
from holdfast.core.durable import file_digest, make_folder, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Memo"]


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
        make_folder(self.folder)
        with FileLock(f"{stem}.lock"):
            found = _found(stem)
            return _kept(stem, build()) if found is None else found


def _found(stem: Path) -> dict[str, Any] | None:
    """The artefact if it lies there as it was written, else None."""
    for suffix, load in ((".safetensors", _load_tensors), (".npz", _load_arrays)):
        artefact = Path(f"{stem}{suffix}")
        if artefact.exists():
            if _noted(stem) == _digest_line(artefact):
                return load(artefact)
            warnings.warn(f"{artefact} does not fit the digest beside it, or has none, and is built again", stacklevel=3)
    return None


def _noted(stem: Path) -> str:
    """The line beside the artefact; empty if there is none."""
    try:
        return Path(f"{stem}.sha256").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _digest_line(artefact: Path) -> str:
    return f"{file_digest(artefact)}  {artefact.name}\n"


def _kept(stem: Path, built: Mapping[str, Any]) -> dict[str, Any]:
    """Write the artefact, then its digest, and read it back."""
    tensors = all(hasattr(item, "detach") for item in built.values())
    artefact = Path(f"{stem}.safetensors" if tensors else f"{stem}.npz")
    if tensors:
        write_atomically(artefact, lambda path: _save_tensors(path, built))
    else:
        plain: dict[str, Any] = {key: np.asarray(item) for key, item in built.items()}
        write_atomically(artefact, lambda path: np.savez(path, **plain))
    write_atomically(Path(f"{stem}.sha256"), lambda path: _fill(path, _digest_line(artefact)))
    return _load_tensors(artefact) if tensors else _load_arrays(artefact)


def _fill(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
