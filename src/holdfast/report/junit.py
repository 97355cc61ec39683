"""``junit.xml`` for continuous integration: one suite per card with a case per gate, and one suite with a case per stress.

The elements and attributes are those of the schema of Apache Ant's JUnit task, which services read: each suite has its time, host
and moment (UTC, without a zone), each case its time.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET  # only writes; nothing is parsed
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from holdfast.report.document import metric_prefix
from holdfast.report.wording import WORDS, interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.report.document import Document
    from holdfast.report.judged import ClaimEntry
    from holdfast.report.measured import StressEntry

__all__ = ["junit"]

FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that XML 1.0 does not allow
STRESSES = "stresses"
NO_MOMENT = "1970-01-01T00:00:00"
Outcome = Literal["", "failure", "error", "skipped"]
OUTCOMES: dict[str, Outcome] = {"pass": "", "fail": "failure", "error": "error", "undecided": "skipped"}
STATUSES: dict[str, Outcome] = {"ok": "", "reduced": "", "partial": "skipped", "skipped": "skipped", "error": "error"}


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One test: a verdict, or a stress; `outcome` is empty where all is well."""

    group: str
    name: str
    outcome: Outcome = ""
    kind: str = ""
    message: str = ""
    text: str = ""
    seconds: float = 0.0


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

    Of an audit each stress is a case as well: one that crashed is an error, one that was left out or had no time is skipped.

    Examples
    --------
    >>> from holdfast.report.document import Document, RunEntry
    >>> from holdfast.report.judged import ClaimEntry
    >>> gate = ClaimEntry(id="gate.1", statement="clean.accuracy >= 0.9", status="fail", value=0.8, expected=">= 0.9")
    >>> '<failure message="0.8; expected &gt;= 0.9"' in junit(Document(run=RunEntry(id="a"), gates=[gate]))
    True
    """
    groups: dict[str, list[_Case]] = {}
    for entry in document.judged:
        case = _of_verdict(entry, _card(entry, document))
        groups.setdefault(case.group, []).append(case)
    if document.run.kind == "audit":
        groups[STRESSES] = [_of_stress(metric_prefix(card, name), entry) for card, name, entry in document.placed_stresses()]
    root = ET.Element("testsuites", name=_clean(f"holdfast {document.run.kind} {document.run.name}".strip()))
    root.attrib |= _counts([case for cases in groups.values() for case in cases])
    root.set("time", _seconds(document.run.seconds or 0.0))
    for place, (name, cases) in enumerate(groups.items()):
        _add_suite(root, name, cases, document=document, place=place)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _of_verdict(entry: ClaimEntry, card: str) -> _Case:
    measured = interval(entry.value, entry.lo, entry.hi)
    message = f"{measured}; expected {entry.expected}" if entry.value is not None else entry.reason or WORDS[entry.status]
    text = "\n".join(filter(None, [entry.reason, entry.note, entry.source and f"source: {entry.source}"]))
    name = f"{entry.id}: {entry.statement}"
    return _Case(group=card, name=name, outcome=OUTCOMES[entry.status], kind=entry.status, message=message, text=text)


def _of_stress(prefix: str, entry: StressEntry) -> _Case:
    seconds = sum(point.seconds or 0.0 for point in entry.points)
    traces = "\n".join(point.error for point in entry.points if point.status == "error" and point.error)
    outcome = STATUSES[entry.status]
    message = entry.reason or entry.status
    return _Case(group=STRESSES, name=prefix, outcome=outcome, kind="crash", message=message, text=traces, seconds=seconds)


def _add_suite(root: ET.Element, name: str, cases: Sequence[_Case], *, document: Document, place: int) -> None:
    run = document.run
    facts = {"id": str(place), "name": _clean(name), "package": "holdfast", **_counts(cases)}
    facts["skipped"] = str(sum(case.outcome == "skipped" for case in cases))
    facts |= {"time": _seconds(sum(case.seconds for case in cases)), "timestamp": _moment(run.started)}
    suite = ET.SubElement(root, "testsuite", {**facts, "hostname": _clean(run.host) or "localhost"})
    properties = ET.SubElement(suite, "properties")
    known = {"run": run.id, "preset": run.preset, "seed": str(run.seed), "command": run.command, "commit": run.commit}
    for key, value in known.items():
        if value:
            ET.SubElement(properties, "property", name=key, value=_clean(value))
    for case in cases:
        _add_case(suite, case)
    for stream in ("system-out", "system-err"):
        ET.SubElement(suite, stream)


def _add_case(suite: ET.Element, case: _Case) -> None:
    facts = {"classname": _clean(f"holdfast.{case.group}"), "name": _clean(case.name), "time": _seconds(case.seconds)}
    element = ET.SubElement(suite, "testcase", facts)
    if not case.outcome:
        return
    outcome = ET.SubElement(element, case.outcome, message=_clean(case.message))
    if case.outcome != "skipped":
        outcome.set("type", case.kind)
    outcome.text = _clean(case.text)


def _counts(cases: Sequence[_Case]) -> dict[str, str]:
    """The three counts that the root and every suite have."""
    kinds = [case.outcome for case in cases]
    return {"tests": str(len(kinds)), "failures": str(kinds.count("failure")), "errors": str(kinds.count("error"))}


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _moment(started: str) -> str:
    """An ISO 8601 time in UTC, to the second and without its zone, as the schema wants it."""
    try:
        moment = datetime.fromisoformat(started)
    except ValueError:
        return NO_MOMENT
    return f"{moment.astimezone(UTC) if moment.tzinfo else moment:%Y-%m-%dT%H:%M:%S}"
