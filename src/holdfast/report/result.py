"""What an audit or a study gives back: its report, read from its document and its per-example table."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from holdfast.core.checks import check_one_of, refuse
from holdfast.core.extras import data_frame
from holdfast.report.document import load, to_json
from holdfast.report.page import render
from holdfast.report.per_example import PerExampleTable, read_per_example
from holdfast.report.verdicts import verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy as np

    from holdfast.core.curve import Curve
    from holdfast.report.document import Document
    from holdfast.report.measured import CardEntry, PointEntry

__all__ = ["EXIT_CRASH", "EXIT_FAIL", "EXIT_INTERRUPTED", "Report", "ReportCard", "Undecided", "exit_code"]

Undecided = Literal["warn", "fail", "pass"]
EXIT_FAIL, EXIT_CRASH, EXIT_INTERRUPTED = 1, 3, 130


def exit_code(document: Document, undecided: Undecided = "warn") -> int:
    """0: no gate or claim failed; 1: one failed; 3: a point crashed or a gate could not be measured; 130: interrupted.

    A failed gate is significant and wins over a crash elsewhere.
    """
    statuses = {gate.status for gate in document.judged}
    if document.run.status == "interrupted":
        return EXIT_INTERRUPTED
    if "fail" in statuses or ("undecided" in statuses and undecided == "fail"):
        return EXIT_FAIL
    crashed = any(point.status == "error" for _, _, point in document.points())
    return EXIT_CRASH if crashed or "error" in statuses else 0


@dataclass(frozen=True)
class ReportCard:
    """One section of a report."""

    entry: CardEntry

    def curve(self, stress: str, name: str | None = None) -> Curve:
        """The curve `name` of `stress`; default: its main curve."""
        check_one_of(stress, "stress", allowed=self.entry.stresses)
        curves = {curve.name: curve.curve() for curve in self.entry.stresses[stress].curves}
        if not curves:
            drawn = [other for other, entry in self.entry.stresses.items() if entry.curves]
            refuse("stress", f"is {stress!r}, which has no curve", allowed=", ".join(drawn) or "stresses of another card")
        return curves[check_one_of(name or next(iter(curves)), "name", allowed=curves)]


@dataclass(frozen=True, repr=False)
class Report:
    """A finished audit or study; it prints itself in a line.

    Parameters
    ----------
    document : everything in ``report.json``
    folder : of the run
    undecided : what an undecided gate does to :attr:`exit_code`
    """

    document: Document
    folder: Path
    undecided: Undecided = "warn"

    def __repr__(self) -> str:
        run = self.document.run
        judged = f": {verdict(self.document)[:-1]}" if self.document.judged else ""
        return f"<Report of {run.name}, {run.status}{judged}; {self.page.as_posix()}>"

    @classmethod
    def read(cls, folder: str | Path) -> Report:
        """The report that lies in the folder of a run."""
        return cls(load(folder), Path(folder))

    @property
    def cards(self) -> Mapping[str, ReportCard]:
        """The sections, by name."""
        return {name: ReportCard(entry) for name, entry in self.document.cards.items()}

    @property
    def exit_code(self) -> int:
        """What the command line exits with; see :func:`exit_code`."""
        return exit_code(self.document, self.undecided)

    @property
    def page(self) -> Path:
        """Path of ``report.html``."""
        return self.folder / "report.html"

    @cached_property
    def _table(self) -> PerExampleTable:
        return read_per_example(self.folder)

    def per_example(self, stress: str, **at: Any) -> np.ndarray:
        """Structured array (n,) with index, label and every column that `stress` kept at one point."""
        return self._table.table(stress, **at)

    def to_frame(self) -> Any:
        """All measured points as a pandas data frame, one row each.

        Columns are ``card``, ``stress``, one for each axis (empty where a stress does not have it), ``status``, ``examples``, and
        for each metric its value, e.g. ``accuracy``, with the interval and the number of observations behind it: ``accuracy_lo``,
        ``accuracy_hi``, ``accuracy_n``. An axis that is called like a metric has the ending ``_at``.

        Raises
        ------
        MissingExtraError : pandas is not installed
        """
        points = self.document.points()
        metrics = {name for _, _, point in points for name in point.metrics}
        axes = [f"{axis}_at" if axis in metrics else axis for _, _, point in points for axis in point.at]
        rows = [{"card": card, "stress": stress, **_row(point, metrics)} for card, stress, point in points]
        return data_frame(rows, columns=["card", "stress", *axes, "status", "examples"])

    def to_json(self) -> str:
        """The text of ``report.json``."""
        return to_json(self.document)

    def save(self, path: str | Path) -> Path:
        """Write the page (``.html``) or the facts (``.json``) to `path`."""
        destination = Path(path)
        check_one_of(destination.suffix, "path", allowed=(".html", ".json"))
        if destination.suffix == ".json":
            destination.write_text(self.to_json(), encoding="utf-8")
        elif self.page.is_file():
            shutil.copyfile(self.page, destination)
        else:
            destination.write_text(render(self.document), encoding="utf-8")
        return destination

    def _repr_html_(self) -> str:
        page = render(self.document).replace("&", "&amp;").replace('"', "&quot;")
        return f'<iframe srcdoc="{page}" style="width:100%;height:80vh;border:0"></iframe>'


def _row(point: PointEntry, metrics: Collection[str]) -> dict[str, Any]:
    """The cells of a point; an axis that is called like one of the `metrics` gets another name."""
    row: dict[str, Any] = {f"{axis}_at" if axis in metrics else axis: value for axis, value in point.at.items()}
    row |= {"status": point.status, "examples": point.n}
    for name, found in point.metrics.items():
        row |= {name: found.value, f"{name}_lo": found.lo, f"{name}_hi": found.hi, f"{name}_n": found.n}
    return row
