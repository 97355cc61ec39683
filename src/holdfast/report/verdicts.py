"""The sentence that counts verdicts: of the gates of an audit, or the claims of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.report.wording import gist

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.report.document import Document
    from holdfast.report.judged import ClaimEntry

__all__ = ["counted", "verdict"]

TALLIED = {  # for one and for several, in the order in which they are told
    "fail": ("fails", "fail"),
    "undecided": ("is undecided", "are undecided"),
    "error": ("could not be judged", "could not be judged"),
    "pass": ("holds", "hold"),
}


def _listing(entries: list[str]) -> str:
    shown = entries[:3] + ([f"{len(entries) - 3} more"] if len(entries) > 3 else [])
    return ", ".join(shown[:-1]) + " and " + shown[-1] if len(shown) > 1 else "".join(shown)


def verdict(document: Document) -> str:
    """One sentence made from the gates of an audit or the claims of a study.

    Examples
    --------
    >>> from holdfast.report.document import Document, RunEntry
    >>> verdict(Document(run=RunEntry(id="a")))
    'No gates were set: the figures below are measured, not judged.'
    """
    kind = "claim" if document.run.kind == "study" else "gate"
    judged = document.judged
    if not judged:
        return f"No {kind}s were set: the figures below are measured, not judged."
    names = {name: stress.short for name, stress in document.stresses().items()} if kind == "gate" else None
    return counted(judged, kind, names=names)


def counted(judged: Sequence[ClaimEntry], kind: str = "gate", *, names: Mapping[str, str] | None = None) -> str:
    """One sentence that counts verdicts, the failed ones first and by name.

    Parameters
    ----------
    judged : verdicts, at least one
    kind : the word for one of them
    names : short names of stresses; None: failed ones are counted only

    Examples
    --------
    >>> from holdfast.report.judged import ClaimEntry
    >>> verdicts = ["pass", "pass", "undecided", "undecided", "undecided"]
    >>> counted([ClaimEntry(id="g", statement="", status=status) for status in verdicts])
    '3 of 5 gates are undecided; 2 hold.'
    """
    total = len(judged)
    counts = {status: sum(entry.status == status for entry in judged) for status in TALLIED}
    if counts["pass"] == total:
        return f"All {total} {kind}s hold." if total > 1 else f"The {kind} holds."
    clauses: list[str] = []
    for status, (one, many) in TALLIED.items():
        if not (count := counts[status]):
            continue
        words = one if count == 1 else many
        if clauses:
            clauses.append(f"{count} {words}")
        else:
            clauses.append(f"{count} of {total} {kind}s {words}" if total > 1 else f"The {kind} {words}")
        if status == "fail" and names is not None:
            clauses[-1] += f": {_listing([gist(entry.statement, names) for entry in judged if entry.status == 'fail'])}"
    return "; ".join(clauses) + "."
