"""Judged sentences as they stand in ``report.json``: gates of an audit, claims of a study, and sentences of an abstract."""

# ruff: noqa: RUF012  pydantic copies the default of a field for each record

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from holdfast.report.measured import Entry, Number

if TYPE_CHECKING:
    from holdfast.core.claim import Verdict

__all__ = ["ClaimEntry", "SentenceEntry", "SentenceFigure"]


class ClaimEntry(Entry):
    """A checked sentence: an audit's gate or a study's claim."""

    id: str
    statement: str
    status: Literal["pass", "fail", "undecided", "error"]
    value: Number = None
    lo: Number = None
    hi: Number = None
    expected: str = ""
    """The range it must lie in, in words: ``">= 0.40"``."""
    source: str = ""
    """``"user"``, or the place in the paper."""
    check: str = ""
    """The sentence in the grammar of :mod:`holdfast.core.grammar`."""
    reason: str = ""
    """One sentence that explains the status."""
    note: str = ""
    """What a reader must know to weigh the verdict."""
    kind: Literal["", "paper", "control", "ours"] = ""
    """Of a study's claim: the paper's, a control of its reading, or a check of ours, which decides no sentence."""

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """The entry that describes `verdict`."""
        return cls(**verdict.to_json())


class SentenceFigure(Entry):
    """The number that stands beside a sentence."""

    text: str
    """E.g. ``"0.93 [0.91, 0.95] at eps 0.1"``."""
    claim: str
    """Id of the claim that it belongs to."""


class SentenceEntry(Entry):
    """What a study says about a sentence of the abstract that states a result."""

    n: int
    """Number of the sentence in the abstract."""
    says: str
    """The sentence in our words."""
    verdict: Literal["holds", "fails", "undecided", "untestable"]
    reason: str = ""
    claims: list[str] = []
    """Ids of the judged claims that it rests on."""
    figure: SentenceFigure | None = None
