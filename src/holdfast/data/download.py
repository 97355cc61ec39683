"""Data files from this machine, or from their publisher."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.core.errors import DataUnavailableError
from holdfast.data.folders import download_folder, find

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.data.catalogue import DataFile

__all__ = ["obtain"]


def obtain(file: DataFile) -> Path:
    """The place of `file` on this machine."""
    place = find(file)
    if place is None:
        raise DataUnavailableError(
            f"{file.path} ({file.bytes} bytes) is not on this machine: put it at {download_folder() / file.path}."
        )
    return place
