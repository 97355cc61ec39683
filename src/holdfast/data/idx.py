"""The IDX format of MNIST and its relatives, plain or compressed with gzip.

Big-endian: two zero bytes, one byte for the element type, one for the number of dimensions, then each dimension as four bytes,
then the elements in C order.
Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section on file formats.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from holdfast.core.checks import refuse
from holdfast.data.records import UNPACKED_LIMIT
from holdfast.data.room import check_regular

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["read_idx"]

ELEMENTS = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_SIDES = 32  # that every version of NumPy takes
GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | PathLike[str]) -> np.ndarray:
    """The array in an IDX file; gzip is recognised by its content, not by the name.

    Parameters
    ----------
    path : the file

    Returns
    -------
    array of the shape and element type that the header declares, writable, native byte order

    Raises
    ------
    InputError : the header is not IDX, the file is shorter or longer than its header says, or a compressed one unpacks to more
        than :data:`~holdfast.data.records.UNPACKED_LIMIT`
    """
    path = Path(path)
    check_regular(path, parameter="path")
    try:
        with _opened(path) as stream:
            return _parse(stream, path)
    except (EOFError, zlib.error, gzip.BadGzipFile, MemoryError) as error:
        refuse("path", f"leads to a damaged gzip file, {path} ({error})", allowed="a complete file", remedy="Fetch it again.")


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        compressed = file.read(2) == GZIP_MAGIC
    return cast("BinaryIO", gzip.open(path)) if compressed else path.open("rb")


def _parse(stream: BinaryIO, path: Path) -> np.ndarray:
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in ELEMENTS or head[3] == 0:
        refuse("path", f"leads to {path}, which starts with {head.hex(' ') or 'nothing'}", allowed="IDX: 00 00 TYPE DIMENSIONS")
    sides = stream.read(4 * head[3])
    if len(sides) < 4 * head[3]:
        refuse("path", f"leads to {path}, which ends inside its header", allowed="a complete file", remedy="Fetch it again.")
    shape = struct.unpack(f">{head[3]}I", sides)
    kind = np.dtype(ELEMENTS[head[2]])
    expected = math.prod(shape) * kind.itemsize
    room = max(UNPACKED_LIMIT, path.stat().st_size)
    if expected > room:
        refuse("path", f"leads to {path}, whose header {shape} states {expected} bytes", allowed=f"{room} bytes at most")
    if len(shape) > MOST_SIDES:
        refuse("path", f"leads to {path}, whose header claims {len(shape)} dimensions", allowed=f"at most {MOST_SIDES}")
    content = bytearray(stream.read(expected + 1))
    if len(content) != expected:
        got = f"more than {expected}" if len(content) > expected else str(len(content))
        refuse("path", f"leads to {path}, whose header {shape} is followed by {got} bytes", allowed=f"exactly {expected}")
    return np.frombuffer(content, dtype=kind).reshape(shape).astype(kind.newbyteorder("="), copy=False)
