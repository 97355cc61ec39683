"""``junit.xml``: one suite per card, one case per gate or claim, for continuous integration."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET  # only writes; nothing is parsed
from typing import TYPE_CHECKING

from holdfast.report.wording import WORDS, interval

if TYPE_CHECKING:
    from holdfast.report.document import Document
    from holdfast.report.judged import ClaimEntry

__all__ = ["junit"]

FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that XML 1.0 does not allow


def _clean(text: str) -> str:
    return FORBIDDEN.sub("\ufffd", text)


def _card(entry: ClaimEntry, document: Document) -> str:
    """The card that a gate's first metric belongs to; claims of a study stand under its name."""
    first = (entry.check or entry.statement).split(".", 1)[0].strip()
    if document.run.kind == "study":
        return document.run.name or "study"
    return first if re.fullmatch(r"\w+", first) else "gates"


def junit(document: Document) -> str:
    """The XML text. A failed verdict is a failure, one that could not be judged an error, an undecided one is skipped.

    Examples
    --------
    >>> from holdfast.report.document import Document, RunEntry
    >>> from holdfast.report.judged import ClaimEntry
    >>> gate = ClaimEntry(id="gate.1", statement="clean.accuracy >= 0.9", status="fail", value=0.8, expected=">= 0.9")
    >>> '<failure message="0.8; expected &gt;= 0.9"' in junit(Document(run=RunEntry(id="a"), gates=[gate]))
    True
    """
    groups: dict[str, list[ClaimEntry]] = {}
    for entry in document.judged:
        groups.setdefault(_card(entry, document), []).append(entry)
    root = ET.Element("testsuites", name=_clean(f"holdfast {document.run.kind} {document.run.name}".strip()))
    for key, value in _counts(document.judged).items():
        root.set(key, value)
    for name, entries in groups.items():
        suite = ET.SubElement(root, "testsuite", {"name": _clean(name), **_counts(entries)})
        if document.run.started:
            suite.set("timestamp", document.run.started)
        for entry in entries:
            _add_case(suite, name, entry)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _counts(entries: list[ClaimEntry]) -> dict[str, str]:
    statuses = [entry.status for entry in entries]
    named = {"tests": len(statuses), "failures": statuses.count("fail"), "errors": statuses.count("error")}
    return {key: str(count) for key, count in {**named, "skipped": statuses.count("undecided")}.items()}


def _add_case(suite: ET.Element, card: str, entry: ClaimEntry) -> None:
    case = ET.SubElement(suite, "testcase", classname=_clean(f"holdfast.{card}"), name=_clean(f"{entry.id}: {entry.statement}"))
    kinds = {"fail": "failure", "error": "error", "undecided": "skipped"}
    if entry.status not in kinds:
        return
    measured = interval(entry.value, entry.lo, entry.hi)
    message = f"{measured}; expected {entry.expected}" if entry.value is not None else entry.reason or WORDS[entry.status]
    outcome = ET.SubElement(case, kinds[entry.status], message=_clean(message))
    if entry.status != "undecided":
        outcome.set("type", entry.status)
    outcome.text = _clean("\n".join(filter(None, [entry.reason, entry.note, entry.source and f"source: {entry.source}"])))
