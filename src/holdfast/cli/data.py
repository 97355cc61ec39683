"""Commands about data sets: data list, data fetch, data verify."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from cyclopts import App

from holdfast.cli.app import EXIT_FAIL, app, console

__all__ = ["data", "data_fetch", "data_list", "data_verify"]

data = App(name="data", help="Data sets: what is known, what is here, fetch and verify.\n\nExample: holdfast data list")
app.command(data)


@data.command(name="list")
def data_list() -> None:
    """List the known data sets and where they lie.

    Example: holdfast data list
    """
    from holdfast.data import list_data

    console().table(
        [
            {"name": row.name, "here": row.present, "size": f"{row.bytes / 1e6:.1f} MB", "splits": row.splits, "what": row.what}
            | {"licence": row.licence, "where": row.where}
            for row in list_data()
        ]
    )


@data.command(name="fetch")
def data_fetch(name: str, /, *, folder: Path | None = None) -> None:
    """Download a data set and verify it.

    Example: holdfast data fetch mnist

    Parameters
    ----------
    name
        From `holdfast data list`.
    folder
        Where to put it; default: `HOLDFAST_DATA`, or the user's cache folder.
    """
    from holdfast.data import fetch

    for path in fetch(name, folder=folder, progress=True):
        print(path)  # noqa: T201


@data.command(name="verify")
def data_verify(name: str | None = None, /) -> int:
    """Compare the files that are here with their published checksums.

    Example: holdfast data verify mnist

    Parameters
    ----------
    name
        From `holdfast data list`; default: all.
    """
    from holdfast.data import verify

    rows = [asdict(row) for row in verify(name)]
    console().table(rows)
    return EXIT_FAIL if any(row["status"] == "damaged" for row in rows) else 0
