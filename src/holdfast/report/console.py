"""What is printed of a run: plan, progress, verdicts. A console observes; the runner (:mod:`holdfast.core.runner`) runs."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, cast

from holdfast.core.stream import LastingStream
from holdfast.report.verdicts import counted, verdict
from holdfast.report.wording import strength

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from holdfast.core.store import Record
    from holdfast.report.document import Document
    from holdfast.report.examples import PairedComparison
    from holdfast.report.judged import ClaimEntry

__all__ = ["Console"]

NUMBER = re.compile(r"[-+.\deE]+( \[[-+.\deE]+, [-+.\deE]+\])?")
MARKS = {"pass": "[green]✓ pass[/]", "fail": "[red]✗ fail[/]", "undecided": "[yellow]? undecided[/]", "error": "[red]! error[/]"}


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


class Console:
    """Prints to the terminal: a live bar there, one line per point in a file or a pipe.

    Parameters
    ----------
    prints : False: nothing is ever printed
    lasting : a reader that leaves, or a full disk behind the output, ends the printing and nothing else
    file : where it is printed; default: the standard output
    """

    def __init__(self, *, prints: bool = True, lasting: bool = False, file: IO[str] | None = None) -> None:
        self.prints = prints
        if prints:
            from holdfast.report.terminal import Terminal

            last = cast("IO[str]", LastingStream(sys.stdout)) if lasting and sys.stdout else None
            self._rich = Terminal(file or last)

    def say(self, text: str) -> None:
        """Print one line; square brackets are rich's markup."""
        if self.prints:
            self._rich.print(text)

    def note(self, text: str) -> None:
        """Print a line as it stands, without markup."""
        if self.prints:
            self._rich.print(f"  {text}", markup=False, style="dim", soft_wrap=True)

    def notes(self, texts: Iterable[str]) -> None:
        """Print each text as :meth:`note` does."""
        for text in texts:
            self.note(text)

    def plan(self, rows: Sequence[Mapping[str, Any]], *, seconds: float) -> None:
        """Print what will be run, and how long it is expected to take.

        Parameters
        ----------
        rows : mappings with stress, decision, examples, points, queries, seconds (predicted) and reason; `probed` is the clean
            accuracy that a first look measured
        seconds : predicted for all
        """
        if not self.prints:
            return
        from rich.markup import escape

        from holdfast.report.terminal import new_table

        numbers = ("points", "examples", "queries", "about")
        table = new_table("stress", *numbers, "", numbers=numbers, whole=["stress"])
        for row in rows:
            if row["decision"] == "skipped":
                table.add_row(row["stress"], "", "", "", "", f"[yellow]skipped:[/] {escape(row['reason'])}")
            else:
                queries = str(row["queries"] or "")
                reason = f"[yellow]reduced:[/] {escape(row['reason'])}" if row["reason"] else ""
                table.add_row(row["stress"], str(row["points"]), str(row["examples"]), queries, _duration(row["seconds"]), reason)
        self._rich.tabulate(table)
        self._rich.print(f"[dim]about {_duration(seconds)} in all[/]")
        for probed in (row["probed"] for row in rows if "probed" in row):
            measured = _measured(probed["value"], probed["lo"], probed["hi"])
            self.note(f"clean accuracy on the {probed['n']} examples of the probe: {measured}")

    def table(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Print mappings with the same keys as a table; the keys are its header."""
        if not self.prints or not rows:
            return
        from holdfast.report.terminal import new_table

        names = [name.replace("_", " ") for name in rows[0]]
        numeric = [name for name, key in zip(names, rows[0], strict=True) if all(_is_number(row[key]) for row in rows)]
        table = new_table(*names, numbers=numeric, whole=names[:1])
        for row in rows:
            table.add_row(*(_cell(item) for item in row.values()))
        self._rich.tabulate(table)

    @contextmanager
    def progress(self, total: int | Callable[[], int]) -> Iterator[Callable[[Record], None]]:
        """Give an observer of finished points, for ``on_record`` of the runner; a bar on a terminal, lines elsewhere.

        Parameters
        ----------
        total : points in all; a callable where their number may change on the way
        """
        points = total if callable(total) else lambda: total
        if not self.prints:
            yield lambda record: None  # noqa: ARG005 (nothing is printed)
        elif self._rich.is_terminal:
            yield from self._bar(points)
        else:
            yield self._lines(points)

    def _bar(self, total: Callable[[], int]) -> Iterator[Callable[[Record], None]]:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description:<34}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._rich, transient=True) as bar:
            task = bar.add_task("starting", total=total())

            def advance(record: Record) -> None:
                bar.update(task, advance=1, total=total(), description=_place(record)[:34])
                if record.status == "error":
                    self._rich.print(f"crashed: {_place(record)}: {record.reason}", markup=False, style="red")

            yield advance

    def _lines(self, total: Callable[[], int]) -> Callable[[Record], None]:
        done = 0

        def line(record: Record) -> None:
            nonlocal done
            done += 1
            found = record.measurement.estimates if record.measurement else {}
            name = "accuracy" if "accuracy" in found else next(iter(found), "")
            outcome = f"{name} {found[name]}" if name else record.reason
            timing = "kept from before" if record.reused else _duration(record.seconds)
            self.note(f"{done:>3}/{total()} {_place(record)}: {outcome} ({timing})")

        return line

    def verdicts(self, document: Document) -> None:
        """Print the table of claims or gates, and the findings that matter."""
        if not self.prints:
            return
        from rich.markup import escape

        if document.judged:
            self.judged(document.judged)
            if document.run.kind == "audit":
                self.note(verdict(document))
        for finding in document.findings:
            if finding.severity in {"high", "medium"}:
                colour = "red" if finding.severity == "high" else "yellow"
                self._rich.print(f"[{colour}]{finding.severity}[/] {escape(finding.text)}")

    def judged(self, entries: Sequence[ClaimEntry]) -> None:
        """Print the table of verdicts."""
        from rich.markup import escape

        from holdfast.report.terminal import new_table, unbroken

        table = new_table("", "id", "statement", "measured", "expected", whole=["", "id"])
        for claim in entries:
            measured = unbroken(_measured(claim.value, claim.lo, claim.hi)) if claim.value is not None else escape(claim.reason)
            expected = "" if claim.statement.endswith(claim.expected) else escape(claim.expected)
            table.add_row(MARKS[claim.status], claim.id, escape(claim.statement), measured, expected)
        self._rich.tabulate(table)

    def comparison(self, comparison: PairedComparison) -> None:
        """Print paired differences, one row per point that both runs measured, and the verdicts on them."""
        self.note(f"{comparison.before} -> {comparison.after}")
        self.table(
            [
                {
                    "metric": row.metric,
                    "at": " ".join(f"{key}={strength(key, value)}" for key, value in row.at.items()),
                    "before": _measured(row.before.value, None, None),
                    "after": _measured(row.after.value, None, None),
                    "difference": _measured(row.delta.value, row.delta.lo, row.delta.hi),
                    "p (Holm)": f"{row.p_holm:.2g}",
                    "regressions": row.regressions,
                }
                for row in comparison.rows
            ]
        )
        if comparison.gates and self.prints:
            self.judged(comparison.gates)
            self.note(counted(comparison.gates, names={}))

    def ended(self, document: Document, page: Path) -> None:
        """Print the verdicts and where the page lies; the line to resume with is the last one of an incomplete run."""
        self.verdicts(document)
        if not self.prints:
            return
        if document.run.status == "complete":
            self.say(f"[dim]{document.run.kind} finished in {_duration(document.run.seconds or 0.0)}[/]")
        self._rich.print(str(page), markup=False, style="bold", soft_wrap=True)
        if document.run.status != "complete" and document.run.resume:
            self._rich.print(f"This run is {document.run.status}. To complete it:", markup=False)
            self._rich.print(document.run.resume, markup=False, soft_wrap=True)


def _cell(item: Any) -> str:
    from rich.markup import escape

    if isinstance(item, bool | None):
        return {True: "yes", False: "no", None: ""}[item]
    return escape(", ".join(map(str, item)) if isinstance(item, tuple | list) else str(item))


def _is_number(item: Any) -> bool:
    """True for a number, also with its interval, as :func:`_measured` writes it."""
    if isinstance(item, str):
        return not item or NUMBER.fullmatch(item) is not None
    return item is None or (isinstance(item, int | float) and not isinstance(item, bool))


def _place(record: Record) -> str:
    parts = (f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in record.at.items())
    return " ".join([record.experiment, *parts])


def _measured(value: float | None, lo: float | None, hi: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if lo is None or hi is None or lo == hi else f"{value:.4g} [{lo:.4g}, {hi:.4g}]"
