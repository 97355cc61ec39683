"""Files that may be damaged, read so that whatever is wrong with them is one kind of error."""

from __future__ import annotations

import re
import struct
import tokenize
import tomllib
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import refuse

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_npz", "read_text", "read_toml"]

DAMAGE = (  # what zipfile and NumPy raise over damaged bytes
    *(zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, SyntaxError, OSError, EOFError, LookupError),
    *(TypeError, AttributeError, RuntimeError, OverflowError, MemoryError),
)

LARGEST = 2**20  # characters of a TOML file
PARTS = 100  # of a dotted key
DEEP_KEY = re.compile(rf"(?<![\w\"'.-])[\w\"'-]+(?:[ \t]*\.[ \t]*[\w\"'-]+){{{PARTS}}}")


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
    if len(text) > LARGEST or DEEP_KEY.search(text):  # the parser takes memory with the square of a key's parts
        got = f"is {str(file)!r}, which has {len(text)} characters or a key of more than {PARTS} parts"
        refuse(name, got, allowed=f"{LARGEST} characters, and keys of a few parts", remedy=remedy)
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        refuse(name, f"is {str(file)!r}, which is not TOML: {error}", allowed=allowed, remedy=remedy)


def read_npz(file: Path) -> dict[str, np.ndarray]:
    """All arrays of an ``.npz`` file by name; pickled objects are never loaded.

    Raises
    ------
    OSError : there is no such file, or it cannot be read
    ValueError : it is not a whole archive of arrays
    """
    with file.open("rb") as stream:
        try:
            with np.load(stream, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except DAMAGE as error:
            raise ValueError(f"{file.name} is not a whole archive of arrays: {error}") from error
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise ValueError(f"{file.name} holds other files than arrays")
    return arrays
