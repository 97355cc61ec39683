"""Files that are either there and whole, or not there; and what a process that was killed while writing leaves behind.

A file is written under a scratch name beside its place, flushed to the disk and renamed; then the folder that holds the name is
flushed too. After a power cut a name therefore leads to the whole file or to the one before it, as far as the disk keeps what it
reports as flushed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["file_digest", "is_scratch", "make_folder", "remove_scratch", "sync_folder", "write_atomically"]

SCRATCH = re.compile(r"\..+\.(\d+)\.scratch(\.\w+)?")
LONGEST_WRITE = 3600.0  # s; a scratch file unchanged for longer was left by a process that ended
NOT_FLUSHED = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES}  # folders that cannot be opened or flushed on their own


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a neighbouring scratch file, flush it to the disk, give it the name `path` and flush the folder."""
    make_folder(path.parent)
    scratch = path.with_name(f".{path.stem}.{os.getpid()}.scratch{path.suffix}")
    try:
        write(scratch)
        with scratch.open("rb") as stream:
            os.fsync(stream.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make `folder` and what is missing above it, and flush the folders that hold the new names."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in reversed(missing):
        sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Flush the names in `folder` to the disk, where the system can: Windows flushes them by itself, some mounts refuse."""
    if os.name == "nt":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in NOT_FLUSHED:
            raise


def is_scratch(name: str) -> bool:
    """True for the name of a file that :func:`write_atomically` was writing.

    Examples
    --------
    >>> is_scratch(".report.812.scratch.json"), is_scratch("report.json"), is_scratch(".notes.swp")
    (True, False, False)
    """
    return SCRATCH.fullmatch(name) is not None


def remove_scratch(folder: Path) -> None:
    """Remove the scratch files in `folder` whose process has ended; everything else stays."""
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        written_by = SCRATCH.fullmatch(entry.name)
        if written_by is not None and not _is_written(entry, int(written_by[1])):
            entry.unlink(missing_ok=True)


def _is_written(scratch: Path, process: int) -> bool:
    """A process of that number lives, is not this one, and may still be writing."""
    if process == os.getpid() or os.name == "nt":
        return False
    try:
        os.kill(process, 0)
        return time.time() - scratch.stat().st_mtime < LONGEST_WRITE
    except PermissionError:  # of another user
        return True
    except (OSError, OverflowError):
        return False


def file_digest(path: Path) -> str:
    """SHA-256 (hexadecimal) of the bytes of the file `path`."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
