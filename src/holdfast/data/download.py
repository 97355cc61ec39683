"""Data files from this machine, or from their publisher: verified, in one piece, with a progress bar.

A file appears under its final name only after its checksum was found right, so a broken connection leaves nothing behind and the
next call starts anew. ``HOLDFAST_OFFLINE=1`` forbids every download.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.core.checks import refuse
from holdfast.core.errors import DataUnavailableError
from holdfast.data.catalogue import CATALOGUE, Archive, DataFile, data_set
from holdfast.data.checksums import check_file
from holdfast.data.folders import data_folders, download_folder, find, wanted_files

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["fetch", "obtain", "obtain_set"]


def fetch(name: str, *, folder: str | Path | None = None, progress: bool = True) -> list[Path]:
    """The files of a data set: those that are here and sound, the others by download.

    Parameters
    ----------
    name : of the data set, as in :data:`~holdfast.data.catalogue.CATALOGUE`
    folder : the data folder to complete; default: search all of them, download into the first that may be written to
    progress : show a bar on standard error

    Returns
    -------
    One path per file; an empty list for a data set that is part of an installed package.

    Raises
    ------
    DataUnavailableError : a file is to be had from none of its addresses; the message says where to put it
    InputError : unknown name; a damaged file lies where it hides the download
    """
    return [_sound(file, folder, progress=progress) for file in wanted_files(data_set(name), folder)]


def obtain(file: DataFile, *, progress: bool = True) -> Path:
    """The place of one file on this machine, after a download if need be; see :func:`fetch`."""
    return find(file) or _download(file, download_folder(), progress=progress)


def obtain_set(name: str) -> list[Path]:
    """The places of all files of a data set, in whichever form is here; unlike :func:`fetch`, what is here is taken as it is."""
    return [obtain(file) for file in wanted_files(data_set(name))]


def _sound(file: DataFile, folder: str | Path | None, *, progress: bool) -> Path:
    place = find(file, folder)
    if place is not None and check_file(file, place) != "damaged":
        return place
    root = Path(folder) if folder is not None else download_folder()
    if place is not None and place != root / file.path:
        refuse("fetch", f"finds a damaged {place}, which hides the download", allowed="a sound file or none", remedy="Delete it.")
    return _download(file, root, progress=progress)


def _download(file: DataFile, folder: Path, *, progress: bool) -> Path:
    if os.environ.get("HOLDFAST_OFFLINE", "0") not in {"", "0"}:
        raise _unavailable(file, folder, ["HOLDFAST_OFFLINE forbids downloads"])
    target = folder / file.path
    if file.archive is not None:
        _download_members(file, file.archive, folder, progress=progress)
        return target
    failures = _first_working(file.urls, target, f"sha256:{file.sha256}", progress=progress)
    if failures is not None:
        raise _unavailable(file, folder, failures or ["this file is not published anywhere"])
    return target


def _download_members(file: DataFile, archive: Archive, folder: Path, *, progress: bool) -> None:
    """Fetch the archive once and keep every catalogued member of it."""
    wanted = [each for entry in CATALOGUE.values() for files in entry.variants for each in files if each.archive is archive] or [
        file
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as made:
        packed = Path(made) / "archive.zip"
        failures = _first_working(archive.urls, packed, archive.checksum, progress=progress)
        if failures is not None:
            raise _unavailable(file, folder, failures)
        with zipfile.ZipFile(packed) as members:
            for each in wanted:
                alone = Path(made) / "member"
                with members.open(each.member) as source, alone.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
                if check_file(each, alone) != "ok":
                    raise _unavailable(each, folder, [f"{each.member} in the archive has another content than expected"])
                (folder / each.path).parent.mkdir(parents=True, exist_ok=True)
                alone.replace(folder / each.path)


def _first_working(urls: tuple[str, ...], target: Path, checksum: str, *, progress: bool) -> list[str] | None:
    """None if one of the addresses gave the right bytes, else one line per failure."""
    import pooch
    import requests

    failures = []
    for url in urls:
        try:
            with _bar(target.name, shown=progress) as bar, _quiet(pooch.get_logger()):
                downloader = pooch.HTTPDownloader(progressbar=bar, headers={"Accept-Encoding": "identity"})
                pooch.retrieve(url, checksum, fname=target.name, path=target.parent, downloader=downloader)
            target.chmod(0o644)  # the downloader makes files that only their owner may read, but these are public
        except (requests.RequestException, ValueError, OSError) as error:
            failures.append(f"{url}: {' '.join(str(error).split())[:200]}")
        else:
            return None
    return failures


def _unavailable(file: DataFile, folder: Path, reasons: list[str]) -> DataUnavailableError:
    searched = ", ".join(map(str, data_folders()))
    origin = f" (member {file.member} of {file.archive.urls[0]})" if file.archive else f" ({file.urls[0]})" if file.urls else ""
    return DataUnavailableError(
        f"{file.path}, {file.bytes} bytes, is not on this machine (searched: {searched}) and could not be downloaded "
        f"({'; '.join(reasons)}). "
        f"Put it{origin} at {folder / file.path}, or set HOLDFAST_DATA to a folder that holds {file.path}."
    )


@contextmanager
def _quiet(logger: Any) -> Iterator[None]:
    """Silence the downloader's own reports: ours follow."""
    before = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _bar(label: str, *, shown: bool) -> Iterator[_Bar | None]:
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as display:
        yield _Bar(display, label)


class _Bar:
    """What the downloader needs of a progress bar, drawn by rich."""

    def __init__(self, display: Any, label: str) -> None:
        self._display = display
        self._task = display.add_task(label, total=None)

    @property
    def total(self) -> int:
        """Bytes to come."""
        return int(self._display.tasks[0].total or 0)

    @total.setter
    def total(self, size: int) -> None:
        self._display.update(self._task, total=size or None)

    def update(self, size: int) -> None:
        """`size` more bytes have come."""
        self._display.advance(self._task, size)

    def reset(self) -> None:
        """Back to zero; the downloader does so before it reports the true total."""
        self._display.update(self._task, completed=0)

    def close(self) -> None:
        """Draw the last state."""
        self._display.refresh()
