"""results.sarif: what SARIF 2.1.0 requires, with levels that follow severity."""

import json

import pytest
import report_samples as samples

from holdfast.report import Document, RunEntry, sarif


def log_of(document):
    return json.loads(sarif(document))


# required properties: SARIF 2.1.0 sections 3.13 (log), 3.14 (run), 3.19 (driver), 3.20 (invocation), 3.27 (result), 3.49 (rule)
@pytest.mark.parametrize("make", [samples.audit_document, samples.partial_document, samples.study_document])
def test_everything_that_the_standard_requires_is_there(make):
    log = log_of(make())
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "holdfast"
    assert all(isinstance(call["executionSuccessful"], bool) for call in run["invocations"])
    identifiers = [rule["id"] for rule in driver["rules"]]
    assert len(identifiers) == len(set(identifiers))
    for result in run["results"]:
        assert result["message"]["text"]
        assert result["level"] in {"none", "note", "warning", "error"}
        assert identifiers[result["ruleIndex"]] == result["ruleId"]
        [location] = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == "holdfast.toml"
        assert location["logicalLocations"][0]["fullyQualifiedName"]


def test_levels_follow_severity_and_verdict():
    results = log_of(samples.audit_document())["runs"][0]["results"]
    levels = {result["ruleId"]: result["level"] for result in results}
    assert levels["adversarial.worst_case.half"] == "error"
    assert levels["device.weight_noise.p05"] == "warning"
    assert levels["clean.ece"] == "note"
    assert levels["gate.2"] == "error"
    assert levels["gate.4"] == "warning"
    assert "gate.1" not in levels, "a gate that holds is no result"


def test_a_partial_run_is_no_success():
    assert log_of(samples.partial_document())["runs"][0]["invocations"][0]["executionSuccessful"] is False
    assert log_of(Document(run=RunEntry(id="a")))["runs"][0]["results"] == []
