"""What the page of a study shows: the paper's sentences with their verdicts, and the claims by the sentence that they decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.report.document import Document
    from holdfast.report.judged import ClaimEntry, SentenceEntry

__all__ = ["SentenceView", "StudyView", "answer", "study_view"]

ORDER = ("holds", "fails", "undecided", "untestable")
ONE = {"holds": "holds", "fails": "fails", "undecided": "is undecided", "untestable": "cannot be tested here"}
MANY = {"holds": "hold", "fails": "fail", "undecided": "are undecided", "untestable": "cannot be tested here"}


@dataclass(frozen=True, kw_only=True)
class SentenceView:
    """A sentence with the claims that are shown below it.

    Parameters
    ----------
    entry : the sentence and its verdict
    claims : the paper's claims that decide it and stand below no earlier sentence
    elsewhere : other claims that decide it, which stand below an earlier sentence or among the controls
    """

    entry: SentenceEntry
    claims: list[ClaimEntry]
    elsewhere: list[ClaimEntry]


@dataclass(frozen=True, kw_only=True)
class StudyView:
    """The claims of a study in the order of its page.

    Parameters
    ----------
    sentences : of the abstract, in its order
    others : claims of the paper that decide no sentence
    controls : what would show that the paper's reading is wrong
    checks : of the implementation; they decide no sentence
    """

    sentences: list[SentenceView]
    others: list[ClaimEntry]
    controls: list[ClaimEntry]
    checks: list[ClaimEntry]


def study_view(document: Document) -> StudyView:
    """The claims of `document` by sentence and kind; each stands in one place."""
    papers = {claim.id: claim for claim in document.claims if claim.kind == "paper"}
    known = {claim.id: claim for claim in document.claims}
    sentences = []
    for entry in document.sentences:
        mine = [papers.pop(id_) for id_ in entry.claims if id_ in papers]
        elsewhere = [known[id_] for id_ in entry.claims if id_ in known and known[id_] not in mine]
        sentences.append(SentenceView(entry=entry, claims=mine, elsewhere=elsewhere))
    return StudyView(
        sentences=sentences,
        others=[*papers.values()],
        controls=[claim for claim in document.claims if claim.kind == "control"],
        checks=[claim for claim in document.claims if claim.kind not in {"paper", "control"}],
    )


def answer(document: Document) -> str:
    """How many of the paper's sentences came out how, in one sentence; empty if it has none.

    Examples
    --------
    >>> from holdfast.report.document import Document, RunEntry
    >>> from holdfast.report.judged import SentenceEntry
    >>> verdicts = ("holds", "holds", "undecided")
    >>> entries = [SentenceEntry(n=n, says="", verdict=verdict) for n, verdict in enumerate(verdicts)]
    >>> answer(Document(run=RunEntry(id="a", kind="study"), sentences=entries))
    'Of 3 sentences that state a result, 2 hold and 1 is undecided.'
    """
    verdicts = [entry.verdict for entry in document.sentences]
    counts = [(verdict, verdicts.count(verdict)) for verdict in ORDER if verdict in verdicts]
    told = [f"{count} {ONE[verdict] if count == 1 else MANY[verdict]}" for verdict, count in counts]
    if not told:
        return ""
    listed = f"{', '.join(told[:-1])} and {told[-1]}" if len(told) > 1 else told[0]
    return f"Of {len(verdicts)} sentences that state a result, {listed}." if len(verdicts) > 1 else f"Its one result: {listed}."
