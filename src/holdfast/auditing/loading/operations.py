"""The operations that a network in an archive may use without the user's consent.

The list is closed: an operation is refused because it is not on it, never because it is known to be harmful. It names functions of
tensors, numbers and text in ATen and its neighbours. What reads or writes files, starts processes, reaches other machines or
changes the seed is not on it. The words of the formats themselves stand beside them, each kind in its own namespace.
"""

from __future__ import annotations

import functools
from importlib.resources import files
from typing import NoReturn

from holdfast.core.checks import as_written
from holdfast.core.errors import UnsafePickleError

__all__ = ["allowed_operations", "is_allowed", "refuse_content"]


@functools.cache
def allowed_operations() -> frozenset[str]:
    """All operations that run without consent, as ``namespace::name``."""
    text = files("holdfast.auditing.loading").joinpath("operations.txt").read_text(encoding="utf-8")
    lines = " ".join(line for line in text.splitlines() if not line.startswith("#"))
    found = []
    namespace = ""
    for word in lines.split():
        if word.endswith(":"):
            namespace = word[:-1]
        else:
            found.append(f"{namespace}::{word}")
    return frozenset(found)


def is_allowed(operation: str) -> bool:
    """True if `operation` runs without consent.

    Examples
    --------
    >>> is_allowed("aten::conv2d"), is_allowed("aten::save"), is_allowed("mine::conv2d")
    (True, False, False)
    """
    return operation in allowed_operations()


def refuse_content(carries: str, *, remedy: str = "Export the network without it", trusted: bool = True) -> NoReturn:
    """Refuse an archive because of what it `carries`, which is named; nothing of it has been executed.

    With `trusted`, the message says how a user who trusts the archive gets it loaded.
    """
    trust = f", or if it is yours pass {as_written('unsafe_pickle')}" if trusted else ""
    raise UnsafePickleError(
        f"it carries {carries}, and loading or running it may do more than compute; allowed: tensors, and operations of tensors. "
        f"Nothing of it was executed. {remedy}{trust}."
    )
