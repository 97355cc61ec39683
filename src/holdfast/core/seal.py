"""Proof that this installation wrote something: a keyed digest whose key only the user's configuration folder holds.

A run folder is data and may come from anywhere; neither its owner nor its path says who began the run in it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import sys
from pathlib import Path
from typing import Any

from filelock import FileLock

from holdfast.core.digest import canonical_json
from holdfast.core.durable import write_atomically

__all__ = ["config_folder", "fits_seal", "seal"]

KEY = "run.key"
LENGTH = 32  # bytes


def config_folder() -> Path:
    """The user's configuration folder of this package; ``HOLDFAST_CONFIG`` moves it."""
    chosen = os.environ.get("HOLDFAST_CONFIG")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming") / "holdfast"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "holdfast"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "holdfast"


def seal(*parts: Any) -> str | None:
    """HMAC-SHA-256 (hexadecimal) of JSON-able `parts`; the key is made on first use, mode 600. None where no key can be kept."""
    try:
        key = _read_key() or _make_key()
    except (OSError, RuntimeError):  # no home, no permission, no space
        return None
    return None if key is None else _sign(key, parts)


def fits_seal(sealed: Any, *parts: Any) -> bool:
    """True if :func:`seal` gave `sealed` for equal `parts` with the key of this installation."""
    try:
        key = _read_key()
    except (OSError, RuntimeError):
        return False
    return key is not None and isinstance(sealed, str) and hmac.compare_digest(sealed.encode(), _sign(key, parts).encode())


def _sign(key: bytes, parts: tuple[Any, ...]) -> str:
    return hmac.new(key, canonical_json(["holdfast", *parts]).encode(), hashlib.sha256).hexdigest()


def _read_key() -> bytes | None:
    """The key; None if there is none, or if others may have read or written it."""
    try:
        with (config_folder() / KEY).open("rb") as stream:
            found = os.fstat(stream.fileno())
            key = stream.read(LENGTH + 1) if stat.S_ISREG(found.st_mode) else b""
    except FileNotFoundError:
        return None
    if os.name != "nt" and (found.st_mode & 0o077 or found.st_uid != os.geteuid()):
        return None
    return key if len(key) == LENGTH else None


def _make_key() -> bytes | None:
    """Write a new key, unless another process has done so meanwhile."""
    folder = config_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(folder / f"{KEY}.lock", timeout=10):
        if _read_key() is None:
            write_atomically(folder / KEY, _fill_key)
        return _read_key()


def _fill_key(place: Path) -> None:
    place.unlink(missing_ok=True)
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(secrets.token_bytes(LENGTH))
