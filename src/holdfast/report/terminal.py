"""A terminal on which no table is cut: numbers stay whole there, and in a file or a pipe each line is as long as it needs."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, cast

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

    from rich.table import Column

__all__ = ["Terminal", "new_table", "unbroken"]

ENDLESS = 100_000  # letters of a line that no reader's window bounds


class Terminal(Console):
    """Rich's console, with the width of the window on a terminal and without any bound elsewhere.

    Parameters
    ----------
    file : to write to; default: standard output
    """

    def __init__(self, file: IO[str] | None = None) -> None:
        super().__init__(highlight=False, file=file)
        if not self.file.isatty():
            self.width = ENDLESS

    def on_broken_pipe(self) -> None:
        """Let the caller know that the reader left; rich would exit with 1, which says here that a gate failed."""
        raise BrokenPipeError

    def tabulate(self, table: Table) -> None:
        """Print `table`; where the window is narrower than its numbers and longest words, lines go on in the next row."""
        gaps = sum(table.padding[1::2]) * (len(table.columns) - 1)
        for column, width in zip(table.columns, _widths(table.columns, self.width - gaps), strict=True):
            column.width = width
        wide = max(self.width, gaps + sum(column.width or 0 for column in table.columns))
        drawn = Console(file=StringIO(), width=wide, force_terminal=self.is_terminal, highlight=False)
        with drawn.capture() as printed:
            drawn.print(table)
        for line in printed.get().splitlines():
            self.file.write(f"{line.rstrip()}\n")
        self.file.flush()


def new_table(*names: str, numbers: Sequence[str] = (), whole: Sequence[str] = ()) -> Table:
    """An empty table without lines between its cells.

    Parameters
    ----------
    names : of the columns
    numbers : columns that stand to the right, and whose cells are never broken
    whole : other columns whose cells are never broken
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, justify="right" if name in numbers else "left", no_wrap=name in {*numbers, *whole}, overflow="fold")
    return table


def unbroken(words: str) -> Text:
    """A cell that is never broken, whatever its column does."""
    return Text(words, no_wrap=True)


def _widths(columns: Sequence[Column], room: int) -> list[int]:
    """What each column needs, or where that is more than `room`, the widest ones less, down to their longest word."""
    widths = [max(map(cell_len, _parts(column, whole=True)), default=0) for column in columns]
    least = [max(map(cell_len, _parts(column)), default=0) for column in columns]
    for _ in range(sum(widths) - room):
        place = max(range(len(columns)), key=lambda column: (widths[column] > least[column], widths[column]))
        widths[place] = max(widths[place] - 1, least[place])
    return widths


def _parts(column: Column, *, whole: bool = False) -> Iterator[str]:
    """The cells of `column`, or the words of those that may be broken."""
    for cell in (column.header, *column.cells):
        text = Text.from_markup(cell) if isinstance(cell, str) else cast("Text", cell)
        yield from [text.plain] if whole or column.no_wrap or text.no_wrap else text.plain.split()
