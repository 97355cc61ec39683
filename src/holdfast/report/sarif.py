"""``results.sarif``: findings and failed verdicts in SARIF 2.1.0, so that code hosts show them.

There is no source line to point at, so each result names a stress as its logical location and a file that the run has read: the
file with the gates, the configuration, or the network's own. Source: OASIS, Static Analysis Results Interchange Format (SARIF)
Version 2.1.0, 27 March 2020. GitHub shows the first location of a result, the texts, level and properties of its rule, and knows a
result again by its fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from holdfast.report.rules import rule_of_finding, rule_of_verdict, verdict_rule_id
from holdfast.report.wording import at_text, interval

if TYPE_CHECKING:
    from holdfast.report.document import Document, FindingEntry, RunEntry
    from holdfast.report.judged import ClaimEntry

__all__ = ["sarif"]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"high": "error", "medium": "warning", "low": "note", "info": "note"}
VERDICTS = {"fail": "error", "error": "error", "undecided": "warning"}
OWN_FILE = re.compile(r"^(?P<file>[^:]+\.(?:py|pt2|ts|torchscript|onnx|pt|pth))(?::\w.*)?$")
FALLBACK = "report.json"  # of the run itself, where it read no file that is known


def sarif(document: Document) -> str:
    """The JSON text."""
    read, gates = _file_read(document.run), document.run.gates_file
    findings = [(rule_of_finding(one, LEVELS[one.severity]), _finding(one, read)) for one in document.findings]
    verdicts = [
        (rule_of_verdict(one, VERDICTS[one.status]), _verdict(one, gates or read))
        for one in document.judged
        if one.status in VERDICTS
    ]
    rules = list({rule["id"]: rule for rule, _ in [*findings, *verdicts]}.values())
    order = {rule["id"]: place for place, rule in enumerate(rules)}
    driver = {
        "name": "holdfast",
        "version": document.run.versions.get("holdfast", "unknown"),
        "shortDescription": {"text": "Robustness of neural networks under attacks, noise, few bits and shifted data"},
        "rules": rules,
    }
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"holdfast/{document.run.kind}/{document.run.id}"},
        "invocations": [_invocation(document)],
        "artifacts": [
            {"location": {"uri": _uri(file)}, "roles": [role]}
            for file, role in {
                read: "analysisTarget",
                document.run.config_file: "userSpecifiedConfiguration",
                gates: "policy",
            }.items()
            if file
        ],
        "results": [{**result, "ruleIndex": order[rule["id"]]} for rule, result in [*findings, *verdicts]],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False) + "\n"


def _file_read(run: RunEntry) -> str:
    """The configuration file of the run, or else the file of its network or its weights, or else its own report."""
    if run.config_file:
        return run.config_file
    model = run.config.get("model")
    named = [model.get("source"), model.get("weights")] if isinstance(model, dict) else []
    own = OWN_FILE.match(named[0]) if named and isinstance(named[0], str) else None
    weights = named[1] if len(named) > 1 and isinstance(named[1], str) else ""
    return own["file"] if own else weights or FALLBACK


def _uri(file: str) -> str:
    """A path as a URI: relative ones stay relative to the repository."""
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def _invocation(document: Document) -> dict[str, Any]:
    """How the run was called, when and where, and which stresses crashed in it."""
    run = document.run
    call: dict[str, Any] = {"executionSuccessful": run.status == "complete"}
    times = {"startTimeUtc": _moment(run.started), "endTimeUtc": _moment(run.finished)}
    call |= {key: value for key, value in {"commandLine": run.command, "machine": run.host, **times}.items() if value}
    crashed = [(name, entry) for _, name, entry in document.placed_stresses() if entry.status == "error"]
    if crashed:
        call["toolExecutionNotifications"] = [
            {"level": "error", "message": {"text": f"{name}: {entry.reason}"}} for name, entry in crashed
        ]
    return call


def _moment(text: str) -> str:
    """An ISO 8601 time as the standard writes it, in UTC; empty where it has no zone or is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment.tzinfo else ""


def _result(rule: str, level: str, text: str, *, file: str, where: str, kind: str) -> dict[str, Any]:
    physical = {"artifactLocation": {"uri": _uri(file)}, "region": {"startLine": 1}}
    fingerprint = hashlib.sha256(f"{rule}\n{where}".encode()).hexdigest()[:16]
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": physical, "logicalLocations": [{"fullyQualifiedName": where, "kind": kind}]}],
        "partialFingerprints": {"primaryLocationLineHash": f"{fingerprint}:1"},
    }


def _finding(finding: FindingEntry, file: str) -> dict[str, Any]:
    place = ".".join(filter(None, [finding.card, finding.stress])) or finding.id
    where = f"{place} [{at_text(finding.at)}]" if finding.at else place
    text = " ".join(filter(None, [finding.text, finding.evidence]))
    return _result(finding.id, LEVELS[finding.severity], text, file=file, where=where, kind="stress")


def _verdict(entry: ClaimEntry, file: str) -> dict[str, Any]:
    measured = (
        f" Measured {interval(entry.value, entry.lo, entry.hi)}, expected {entry.expected}." if entry.value is not None else ""
    )
    text = f"{entry.statement}: {entry.status}.{measured} {entry.reason}".strip()
    where = entry.check or entry.id
    return _result(verdict_rule_id(entry), VERDICTS[entry.status], text, file=file, where=where, kind="gate")
