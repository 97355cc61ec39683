"""What of the catalogue is on this machine, and whether it is sound."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Literal

from holdfast.core.errors import InputError
from holdfast.data.catalogue import CATALOGUE, DataFile, DataSet, data_set
from holdfast.data.folders import find, wanted_files
from holdfast.data.room import Limited

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DataRow", "FileCheck", "Status", "check_file", "list_data", "verify"]

MOST_BYTES = 2**31  # that are unpacked for a checksum
Status = Literal["ok", "missing", "damaged", "unknown"]


@dataclass(frozen=True, kw_only=True)
class DataRow:
    """One line of the table of data sets.

    Parameters
    ----------
    name, what, splits, licence : from the catalogue
    present : True if all its files are on this machine
    where : the folder of its files; None if it is not present or part of an installed package
    bytes : on disk if present, else as published
    """

    name: str
    what: str
    splits: tuple[str, ...]
    present: bool
    where: Path | None
    bytes: int
    licence: str


@dataclass(frozen=True, kw_only=True)
class FileCheck:
    """One line of a verification.

    Parameters
    ----------
    name : of the data set
    file : path inside a data folder, as in the catalogue
    where : its place on this machine; None if it is missing
    status : ``"ok"`` (a published checksum), ``"missing"``, ``"damaged"`` (no published checksum), ``"unknown"`` (no published
        checksum, but a good file may have another one; loading it checks its content)
    """

    name: str
    file: str
    where: Path | None
    status: Status


def list_data() -> list[DataRow]:
    """Every data set that can be loaded by name, and where it lies.

    Examples
    --------
    >>> [row.name for row in list_data()][:3]
    ['digits', 'mnist', 'fashion-mnist']
    """
    return [_row(entry) for entry in CATALOGUE.values()]


def verify(name: str | None = None) -> list[FileCheck]:
    """Compare the files on this machine with their published checksums.

    Parameters
    ----------
    name : of the data set; default: all

    Returns
    -------
    One line per file. Of a data set that is published in two forms, the form that is here is checked.
    """
    entries = CATALOGUE.values() if name is None else [data_set(name)]
    return [_checked(entry, file) for entry in entries for file in wanted_files(entry)]


def check_file(file: DataFile, place: Path) -> Status:
    """Whether what lies at `place` is the catalogue's `file`, in any known wrapping."""
    if not place.exists():
        return "missing"
    if place.is_dir():
        return "unknown"
    with place.open("rb") as stream:
        if _sha256(stream) in {file.sha256, *file.repacked}:
            return "ok"
        stream.seek(0)
        if file.content and _content_sha256(stream) == file.content:
            return "ok"
    return "damaged" if file.strict else "unknown"


def _row(entry: DataSet) -> DataRow:
    files = wanted_files(entry)
    found = [place for place in map(find, files) if place is not None]
    present = len(found) == len(files)
    return DataRow(
        name=entry.name,
        what=entry.what,
        splits=entry.splits,
        present=present,
        where=found[0].parent if present and found else None,
        bytes=sum(map(_size, found)) if present else sum(file.bytes for file in files),
        licence=entry.licence,
    )


def _checked(entry: DataSet, file: DataFile) -> FileCheck:
    place = find(file)
    return FileCheck(name=entry.name, file=file.path, where=place, status=check_file(file, place) if place else "missing")


def _size(place: Path) -> int:
    return sum(file.stat().st_size for file in ([place] if place.is_file() else place.iterdir()))


def _sha256(stream: IO[bytes]) -> str:
    return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]


def _content_sha256(stream: IO[bytes]) -> str:
    """SHA-256 after gzip is undone; of the bytes themselves if they are not compressed."""
    try:
        with gzip.open(stream) as plain:
            return _sha256(io.BufferedReader(Limited(plain, MOST_BYTES, parameter="file", path=stream.name)))  # type: ignore[arg-type]
    except gzip.BadGzipFile:
        stream.seek(0)
        return _sha256(stream)
    except (EOFError, zlib.error, InputError):
        return ""
