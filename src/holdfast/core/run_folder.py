"""The names of everything that a run writes into its folder, so that nothing else is ever touched there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from holdfast.core.durable import is_scratch, remove_scratch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["BLOBS", "DATABASE", "LOCK", "MEMO", "REPORT_FILES", "clear_run", "holds_run", "tidy_run"]

DATABASE, LOCK, BLOBS, MEMO = "run.sqlite", "run.lock", "blobs", "memo"
REPORT_FILES = ("report.json", "report.html", "junit.xml", "results.sarif")
OWN = {
    "": re.compile("|".join(map(re.escape, REPORT_FILES)) + r"|per_example\.(npz|parquet)|run\.sqlite(-wal|-shm|-journal)?"),
    BLOBS: re.compile(r"[0-9a-f]{64}\.npz|arrays-[\w-]+\.npz"),
    MEMO: re.compile(r".+-[0-9a-f]{32}\.(npz|safetensors|sha256|lock)"),
}


def holds_run(folder: Path) -> bool:
    """True if a run was begun in `folder`."""
    return any((folder / name).exists() for name in (LOCK, DATABASE))


def clear_run(folder: Path) -> None:
    """Delete what a run wrote into `folder`, by name, but for its lock; every other file stays."""
    for file in list(_own_files(folder)):
        file.unlink(missing_ok=True)
    for name in (BLOBS, MEMO):
        place = folder / name
        if place.is_dir() and not place.is_symlink() and not any(place.iterdir()):
            place.rmdir()


def tidy_run(folder: Path) -> None:
    """Remove the scratch files that a killed process left in `folder`."""
    for name in OWN:
        remove_scratch(folder / name)


def _own_files(folder: Path) -> Iterator[Path]:
    for name, own in OWN.items():
        place = folder / name
        for entry in place.iterdir() if place.is_dir() else ():
            if (own.fullmatch(entry.name) or is_scratch(entry.name)) and not (entry.is_dir() and not entry.is_symlink()):
                yield entry
