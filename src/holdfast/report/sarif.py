"""``results.sarif``: findings and failed verdicts in SARIF 2.1.0, so that code hosts show them.

There is no source line to point at, so each result names a stress as its logical location and the configuration file as its
artefact. Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0, 27 March 2020.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from holdfast.report.wording import at_text, heading, interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.report.document import Document, FindingEntry
    from holdfast.report.judged import ClaimEntry

__all__ = ["sarif"]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"high": "error", "medium": "warning", "low": "note", "info": "note"}
VERDICTS = {"fail": "error", "error": "error", "undecided": "warning"}


def sarif(document: Document, *, artefact: str = "holdfast.toml") -> str:
    """The JSON text.

    Parameters
    ----------
    document : the report
    artefact : path of the configuration file, relative to the repository, that results are attached to
    """
    results = [
        *(_finding(finding, artefact) for finding in document.findings),
        *(_verdict(entry, artefact) for entry in document.judged if entry.status in VERDICTS),
    ]
    rules = list({rule["id"]: rule for rule, _ in results}.values())
    order = {rule["id"]: place for place, rule in enumerate(rules)}
    driver = {"name": "holdfast", "version": document.run.versions.get("holdfast", "unknown"), "rules": rules}
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"holdfast/{document.run.kind}/{document.run.id}"},
        "invocations": [{"executionSuccessful": document.run.status == "complete"}],
        "results": [{**result, "ruleIndex": order[rule["id"]]} for rule, result in results],
    }
    if document.run.command:
        run["invocations"][0]["commandLine"] = document.run.command
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False) + "\n"


def _location(artefact: str, name: str, kind: str) -> list[dict[str, Any]]:
    physical = {"artifactLocation": {"uri": artefact}, "region": {"startLine": 1}}
    return [{"physicalLocation": physical, "logicalLocations": [{"fullyQualifiedName": name, "kind": kind}]}]


def _finding(finding: FindingEntry, artefact: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
    rule: dict[str, Any] = {"id": finding.id, "shortDescription": {"text": heading(finding.id.rsplit(".", 1)[-1])}}
    if finding.remedy:
        rule["help"] = {"text": finding.remedy}
    place = ".".join(filter(None, [finding.card, finding.stress])) or finding.id
    where = f"{place} [{at_text(finding.at)}]" if finding.at else place
    text = " ".join(filter(None, [finding.text, finding.evidence]))
    result = {
        "ruleId": finding.id,
        "level": LEVELS[finding.severity],
        "message": {"text": text},
        "locations": _location(artefact, where, "stress"),
    }
    return rule, result


def _verdict(entry: ClaimEntry, artefact: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
    measured = (
        f" Measured {interval(entry.value, entry.lo, entry.hi)}, expected {entry.expected}." if entry.value is not None else ""
    )
    result = {
        "ruleId": entry.id,
        "level": VERDICTS[entry.status],
        "message": {"text": f"{entry.statement}: {entry.status}.{measured} {entry.reason}".strip()},
        "locations": _location(artefact, entry.check or entry.id, "gate"),
    }
    return {"id": entry.id, "shortDescription": {"text": entry.statement}}, result
