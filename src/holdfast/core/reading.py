"""Text files of users, read so that a damaged one gets one sentence."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from holdfast.core.checks import refuse

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_text", "read_toml"]


def read_text(file: Path, name: str, *, allowed: str, remedy: str = "") -> str:
    """The text of `file`, without a byte order mark.

    Parameters
    ----------
    file : to read
    name : of the setting that the user gave it by, for the message
    allowed, remedy : of the message, see :func:`holdfast.core.checks.refuse`

    Raises
    ------
    InputError : there is no such file, or it is not UTF-8
    """
    if not file.is_file():
        refuse(name, f"is {str(file)!r}: there is no such file", allowed=allowed, remedy=remedy)
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        got = f"is {str(file)!r}, whose byte {error.start} is not UTF-8"
        refuse(name, got, allowed=allowed, remedy=remedy or "Save it as UTF-8 text.")


def read_toml(file: Path, name: str, *, allowed: str, remedy: str = "") -> dict[str, Any]:
    """The content of the TOML file `file`; arguments and errors as for :func:`read_text`."""
    text = read_text(file, name, allowed=allowed, remedy=remedy)
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        refuse(name, f"is {str(file)!r}, which is not TOML: {error}", allowed=allowed, remedy=remedy)
