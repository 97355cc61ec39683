"""How much memory data may take: a small file can claim much more than a machine has."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from holdfast.core.checks import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_packed", "check_room", "memory"]

BYTES = 4  # of a float32
SHARE = 0.5  # of the machine's memory that the examples may take
PACKED, LOOSE = 2**28, 100  # an archive member may be larger than 256 MiB unless it was packed more than 100 fold


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


def check_packed(name: str, *, size: int, packed: int, parameter: str) -> None:
    """Refuse a member of an archive that unpacks to more than 256 MiB and more than 100 times its packed size.

    Images and weights pack less than tenfold; what packs more is made to fill memory.

    Parameters
    ----------
    name : of the member
    size, packed : in bytes, as the archive states them
    parameter : how the user calls the file
    """
    if size > PACKED and size > LOOSE * packed:
        refuse(
            parameter,
            f"holds {name!r}, which unpacks from {packed} to {size} bytes",
            allowed=f"at most {PACKED} bytes, or {LOOSE} times the packed size",
            remedy="If these are your data, write them again without compression.",
        )
