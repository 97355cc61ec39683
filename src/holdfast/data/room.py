"""How much memory and time files may take: a small one can claim more than a machine has, and a pipe never ends."""

from __future__ import annotations

import io
import math
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from holdfast.core.checks import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

__all__ = ["Limited", "check_regular", "check_room", "memory"]

BYTES = 4  # of a float32
SHARE = 0.5  # of the machine's memory that the examples may take


def memory() -> int:
    """The memory of this machine in bytes; 8 GiB where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 2**33


def check_room(shape: Sequence[int], *, remedy: str) -> None:
    """Refuse examples of `shape` that take more than half of the machine's memory as float32.

    Examples
    --------
    >>> check_room((10**9, 3, 224, 224), remedy="Read fewer.")
    Traceback (most recent call last):
    holdfast.core.errors.InputError: `data` has shape (1000000000, 3, 224, 224), ... GB as float32; allowed: half of ... Read fewer.
    """
    needed, limit = math.prod(shape) * BYTES, SHARE * memory()
    if needed > limit:
        got = f"has shape {tuple(shape)}, {needed / 1e9:.3g} GB as float32"
        refuse("data", got, allowed=f"half of this machine's memory, {limit / 1e9:.3g} GB", remedy=remedy)


def check_regular(path: str | PathLike[str], *, parameter: str) -> None:
    """Refuse a pipe, a device or a socket, which may never end; a path where nothing is passes."""
    place = Path(path)
    if place.exists() and not place.is_file() and not place.is_dir():
        refuse(parameter, f"is {str(path)!r}, a pipe, a device or a socket", allowed="a regular file")


class Limited(io.RawIOBase):
    """A stream of unpacked bytes that may not give more than it is allowed to.

    Parameters
    ----------
    stream : to read from
    limit : in bytes
    parameter, path : how the user calls the file, and where it is, for the message
    """

    def __init__(self, stream: IO[bytes], limit: int, *, parameter: str, path: str | PathLike[str]) -> None:
        super().__init__()
        self.stream, self.limit, self.left, self.parameter, self.path = stream, limit, limit, parameter, path

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` as far as the stream goes; refused beyond the limit."""
        part = self.stream.read(len(buffer))
        self.left -= len(part)
        if self.left < 0:
            refuse(
                self.parameter, f"is {str(self.path)!r}, which unpacks to more than {self.limit} bytes", allowed="a smaller file"
            )
        buffer[: len(part)] = part
        return len(part)
