"""junit.xml: one suite per card, one case per gate, and nothing that an XML reader refuses."""

import xml.etree.ElementTree as ET

import report_samples as samples

from holdfast.report import ClaimEntry, Document, RunEntry, junit


def test_counts_agree_with_the_cases():
    root = ET.fromstring(junit(samples.audit_document()))
    assert {key: root.attrib[key] for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "7", "failures": "2", "errors": "1", "skipped": "1",
    }  # fmt: skip
    for suite in root:
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        assert int(suite.attrib["errors"]) == len(suite.findall("testcase/error"))
        assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped"))


def test_a_suite_is_a_card():
    root = ET.fromstring(junit(samples.audit_document()))
    assert [suite.attrib["name"] for suite in root] == ["clean", "adversarial", "precision", "device", "shift", "privacy"]


def test_the_claims_of_a_study_are_one_suite():
    [suite] = ET.fromstring(junit(samples.study_document()))
    assert suite.attrib["name"] == "spintronic-neuron"
    assert len(suite) == 5


def test_a_failure_says_what_was_measured_and_what_was_expected():
    root = ET.fromstring(junit(samples.audit_document()))
    messages = [failure.attrib["message"] for failure in root.iter("failure")]
    assert "0.628 [0.598, 0.657]; expected >= 0.70" in messages


def test_hostile_and_unprintable_statements_stay_well_formed():
    gate = ClaimEntry(id="g", statement="</testcase>\x00\x1b<script>", status="fail", value=1.0, expected="\ufffe", reason="]]>")
    [case] = ET.fromstring(junit(Document(run=RunEntry(id="a"), gates=[gate]))).iter("testcase")
    assert case.attrib["name"] == "g: </testcase>\ufffd\ufffd<script>"


def test_no_gates_give_an_empty_file_that_is_valid():
    assert ET.fromstring(junit(Document(run=RunEntry(id="a")))).attrib["tests"] == "0"
