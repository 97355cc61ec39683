"""Where data lie: ``HOLDFAST_DATA`` first, then the user's cache folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.data.catalogue import DataFile, DataSet

__all__ = ["cache_folder", "data_folders", "download_folder", "find", "wanted_files"]


def cache_folder() -> Path:
    """The user's cache folder of this package; ``HOLDFAST_CACHE`` moves it."""
    chosen = os.environ.get("HOLDFAST_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import pooch

    return Path(pooch.os_cache("holdfast"))


def data_folders() -> tuple[Path, ...]:
    """The folders in which data are searched, in order."""
    chosen = os.environ.get("HOLDFAST_DATA")
    return (Path(chosen).expanduser(), cache_folder()) if chosen else (cache_folder(),)


def download_folder() -> Path:
    """Where a download goes: the first folder of :func:`data_folders` that may be written to."""
    folders = data_folders()
    return next((folder for folder in folders if _is_writable(folder)), folders[0])


def _is_writable(folder: Path) -> bool:
    existing = next(above for above in (folder, *folder.absolute().parents) if above.exists())
    return existing.is_dir() and os.access(existing, os.W_OK)


def find(file: DataFile, folder: str | Path | None = None) -> Path | None:
    """The place of `file` on this machine, under any of its names; None if it is not there.

    Parameters
    ----------
    file : from the catalogue
    folder : search only here; default: all of :func:`data_folders`
    """
    folders = data_folders() if folder is None else (Path(folder),)
    places = (place / path for place in folders for path in (file.path, *file.also))
    return next((place for place in places if place.is_file() or place.is_dir()), None)


def wanted_files(entry: DataSet, folder: str | Path | None = None) -> tuple[DataFile, ...]:
    """The form of a data set that is completely on this machine; if none is, the first one that can be fetched.

    Parameters
    ----------
    entry : from the catalogue
    folder : search only here; default: all of :func:`data_folders`
    """
    if not entry.variants:
        return ()
    complete = (files for files in entry.variants if all(find(file, folder) for file in files))
    fetchable = (files for files in entry.variants if all(file.is_fetchable for file in files))
    return next(complete, None) or next(fetchable)
