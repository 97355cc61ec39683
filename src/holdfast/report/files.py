"""The files that a run leaves: ``report.json``, ``report.html``, ``junit.xml`` and ``results.sarif``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.core.durable import write_atomically
from holdfast.core.run_folder import REPORT_FILES
from holdfast.report.document import to_json
from holdfast.report.junit import junit
from holdfast.report.page import render
from holdfast.report.sarif import sarif

if TYPE_CHECKING:
    from holdfast.report.document import Document

__all__ = ["ARTEFACTS", "write_report"]

ARTEFACTS = REPORT_FILES


def write_report(document: Document, folder: str | Path) -> dict[str, Path]:
    """Write all files of a report, each atomically; equal documents give equal bytes.

    Parameters
    ----------
    document : the report
    folder : made if it is not there

    Returns
    -------
    Mapping from file name to path, in the order of :data:`ARTEFACTS`.
    """
    texts = (to_json(document), render(document), junit(document), sarif(document))
    paths = {name: Path(folder) / name for name in ARTEFACTS}
    for path, text in zip(paths.values(), texts, strict=True):
        write_atomically(path, partial(_fill, text=text))
    return paths


def _fill(path: Path, *, text: str) -> None:
    path.write_bytes(text.encode())
