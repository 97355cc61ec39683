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
        assert location["physicalLocation"]["artifactLocation"]["uri"] == "report.json"
        assert location["logicalLocations"][0]["fullyQualifiedName"]


def test_levels_follow_severity_and_verdict():
    results = log_of(samples.audit_document())["runs"][0]["results"]
    levels = {result["ruleId"]: result["level"] for result in results}
    assert levels["adversarial.worst_case.half"] == "error"
    assert levels["device.weight_noise.p05"] == "warning"
    assert levels["clean.ece"] == "note"
    assert levels["gate/adversarial.pgd.accuracy[eps=0.1] >= 0.70"] == "error"
    assert levels["gate/precision.weight_bits.accuracy[bits=4] >= clean.accuracy - 0.01"] == "warning"
    assert not [rule for rule in levels if "clean.accuracy >= 0.93" in rule], "a gate that holds is no result"


def test_a_partial_run_is_no_success():
    assert log_of(samples.partial_document())["runs"][0]["invocations"][0]["executionSuccessful"] is False
    assert log_of(Document(run=RunEntry(id="a")))["runs"][0]["results"] == []


def uris(document):
    """The file of each result, findings first."""
    results = log_of(document)["runs"][0]["results"]
    return [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in results]


@pytest.mark.parametrize(
    ("run", "uri"),
    [
        ({"config_file": "ci/audit 1.toml", "config": {"model": {"source": "nets/mynet.py:make"}}}, "ci/audit%201.toml"),
        ({"config_file": "/home/me/audit.toml"}, "file:///home/me/audit.toml"),
        ({"config": {"model": {"source": "nets/mynet.py:make", "weights": "w.safetensors"}}}, "nets/mynet.py"),
        ({"config": {"model": {"source": "model.pt2", "weights": None}}}, "model.pt2"),
        ({"config": {"model": {"source": "mynet:make", "weights": "w.safetensors"}}}, "w.safetensors"),
        ({"config": {"model": {"source": None, "weights": None}}}, "report.json"),
    ],
)
def test_results_name_a_file_that_was_read(run, uri):
    sample = samples.audit_document()
    found = uris(sample.model_copy(update={"run": sample.run.model_copy(update=run)}))
    assert set(found) == {uri}


def test_verdicts_name_the_file_of_the_gates_and_findings_the_configuration():
    sample = samples.audit_document()
    run = sample.run.model_copy(update={"config_file": "audit.toml", "gates_file": "gates.toml"})
    found = uris(sample.model_copy(update={"run": run}))
    findings = len(sample.findings)
    assert found[:findings] == ["audit.toml"] * findings
    assert found[findings:] == ["gates.toml"] * (len(found) - findings)
    assert len(found) > findings


def test_every_rule_says_what_it_means_and_what_to_do():
    sample = samples.audit_document()
    rules = {rule["id"]: rule for rule in log_of(sample)["runs"][0]["tool"]["driver"]["rules"]}
    for rule in rules.values():  # what GitHub shows of a rule, with its limits
        assert 0 < len(rule["shortDescription"]["text"]) <= 1024
        assert 0 < len(rule["fullDescription"]["text"]) <= 1024
        assert "What to do: " in rule["help"]["text"]
        assert "**What to do:** " in rule["help"]["markdown"]
        assert rule["defaultConfiguration"]["level"] in {"note", "warning", "error"}
        assert len(rule["properties"]["tags"]) == len(set(rule["properties"]["tags"])) <= 20
    half = rules["adversarial.worst_case.half"]
    assert half["shortDescription"]["text"] == "Attacks take half of the accuracy above chance"
    assert next(one.remedy for one in sample.findings if one.id == half["id"]) in half["help"]["text"]
    assert "holdfast compare" in rules["gate/adversarial.pgd.accuracy[eps=0.1] >= 0.70"]["help"]["text"]


def test_a_result_is_known_again_by_its_fingerprint_and_a_gate_by_its_text():
    sample = samples.audit_document()
    turned = sample.model_copy(
        update={"gates": [gate.model_copy(update={"id": f"gate.{9 - place}"}) for place, gate in enumerate(sample.gates)]}
    )
    prints = [
        [result["partialFingerprints"]["primaryLocationLineHash"] for result in log_of(one)["runs"][0]["results"]]
        for one in (sample, turned)
    ]
    assert prints[0] == prints[1]
    assert len(set(prints[0])) == len(prints[0])


def test_an_invocation_has_its_times_machine_and_crashes():
    sample = samples.partial_document()
    run = sample.run.model_copy(update={"started": "2026-03-01T13:00:05+01:00", "finished": "", "host": "lab"})
    [call] = log_of(sample.model_copy(update={"run": run}))["runs"][0]["invocations"]
    assert (call["startTimeUtc"], call["machine"]) == ("2026-03-01T12:00:05Z", "lab")
    assert "endTimeUtc" not in call
    crashed = [name for name, stress in sample.stresses().items() if stress.status == "error"]
    assert crashed
    assert [note["message"]["text"].split(":")[0] for note in call["toolExecutionNotifications"]] == crashed
