"""The records of a zip archive, read strictly, and written again from what was read.

Two readers of one zip file may disagree: about names that occur twice, about headers that contradict the directory, about what lies
before and after. Here such archives are refused, sizes are bounded before anything is unpacked, and :func:`write_records` makes a
new archive that holds what was examined and nothing else.
"""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from holdfast.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["DAMAGE", "UNPACKED_LIMIT", "check_records", "read_records", "write_records"]

UNPACKED_LIMIT = 2**28
"""Bytes that the compressed records of any archive may unpack to, together; larger ones may reach `RATIO` times their size."""
RATIO = 20
ENCRYPTED = 0x1
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError, struct.error, OverflowError)
"""What Python's zip reader raises for damaged archives; an :class:`~holdfast.core.errors.InputError` is a ``ValueError``."""
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_records(content: bytes) -> dict[str, bytes]:
    """Every record of the archive `content`, by name.

    Raises
    ------
    InputError : it is damaged, holds a name twice or an encrypted record, or unpacks to more than
        :data:`UNPACKED_LIMIT`; the caller says of which file
    """
    with _complete(), zipfile.ZipFile(io.BytesIO(content)) as archive:
        _check(archive, len(content))
        return {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}


def check_records(path: Path) -> list[str]:
    """Names of the records of the archive at `path`, refused as :func:`read_records` does; only the directory is read."""
    with _complete(), zipfile.ZipFile(path) as archive:
        _check(archive, path.stat().st_size)
        return archive.namelist()


def write_records(records: Mapping[str, bytes]) -> bytes:
    """An archive of `records`, none of them compressed; equal records give equal bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, record in records.items():
            archive.writestr(zipfile.ZipInfo(name), record)
    return content.getvalue()


@contextlib.contextmanager
def _complete() -> Iterator[None]:
    """Turn what Python's zip reader raises into the one sentence that says it."""
    try:
        yield
    except InputError:
        raise
    except DAMAGE as error:
        why = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"it is a damaged zip archive ({why}); allowed: a complete file. Fetch or save it again.") from error


def _check(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse what two readers could take for two things, and what unpacks to more than is stated."""
    entries = archive.infolist()
    seen: set[str] = set()
    for entry in entries:
        if entry.filename.lower() in seen:  # torch's reader compares names without their case
            _refuse(f"it holds the record {entry.filename!r} twice", "each name once")
        seen.add(entry.filename.lower())
        if entry.flag_bits & ENCRYPTED or entry.compress_type not in METHODS:
            _refuse(f"its record {entry.filename!r} is encrypted or packed in an unusual way", "stored or deflated records")
    if sum(entry.compress_size for entry in entries) > size:
        _refuse("its records overlap", "records one after the other")
    unpacked = sum(entry.file_size for entry in entries if entry.file_size != entry.compress_size)
    if unpacked > max(UNPACKED_LIMIT, RATIO * size):
        _refuse(f"its {size} bytes unpack to {unpacked}", f"{UNPACKED_LIMIT} bytes, or {RATIO} times the file")


def _refuse(got: str, allowed: str) -> None:
    raise InputError(f"{got}; allowed: {allowed}. Save it again where it was made.")
