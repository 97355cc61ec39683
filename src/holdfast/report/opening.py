"""What the first screen of an audit's page says: whether its gates hold, of which network and code, on how many examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from holdfast.report.wording import number, short_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.report.document import Document
    from holdfast.report.judged import ClaimEntry

__all__ = ["Badge", "badge", "commit_words", "examples_words"]

MOST_NAMED = 3  # stresses with fewer examples than others


class Badge(NamedTuple):
    """The judgement of all gates together."""

    status: str
    """``"pass"``, ``"fail"``, ``"undecided"`` or ``"error"``; ``"none"``: there are no gates."""
    word: str


WORDS = {"fail": "FAIL", "error": "NOT JUDGED", "undecided": "UNDECIDED", "pass": "PASS"}  # the gravest first


def badge(gates: Iterable[ClaimEntry]) -> Badge:
    """One failed gate fails the run; otherwise one that was not judged or is undecided leaves it open.

    Examples
    --------
    >>> badge([])
    Badge(status='none', word='NO GATES')
    """
    statuses = {entry.status for entry in gates}
    return next((Badge(status, word) for status, word in WORDS.items() if status in statuses), Badge("none", "NO GATES"))


def commit_words(commit: str) -> str:
    """A commit as a sentence has it.

    Examples
    --------
    >>> commit_words("4f1c2d9a0b11+"), commit_words("4f1c2d9a0b11")
    ('4f1c2d9a0b11, with changes', '4f1c2d9a0b11')
    """
    return f"{commit.removesuffix('+')}, with changes" if commit.endswith("+") else commit


def examples_words(document: Document) -> str:
    """How many examples were used out of how many, and which stresses used fewer.

    Examples
    --------
    >>> from holdfast.report.document import DataEntry, Document, RunEntry
    >>> examples_words(Document(run=RunEntry(id="a"), data=DataEntry(n=500, total=10000)))
    'n = 500 of 10\u202f000'
    """
    data = document.data
    if data is None:
        return ""
    used = {name: max((point.n for point in stress.points), default=0) for name, stress in document.stresses().items()}
    most = max(used.values(), default=0) or data.n
    total = f" of {number(data.total)}" if data.total and data.total != most else ""
    fewer = {name: count for name, count in used.items() if 0 < count < most}
    if not fewer:
        return f"n = {number(most)}{total}"
    if len(fewer) > MOST_NAMED:
        return f"n = {number(most)}{total} ({len(fewer)} stresses used fewer, from {number(min(fewer.values()))})"
    named = ", ".join(f"{short_name(name, document.stresses()[name])} {number(count)}" for name, count in fewer.items())
    return f"n = {number(most)}{total} ({named})"
