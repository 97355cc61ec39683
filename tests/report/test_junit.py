"""junit.xml: one suite per card, one case per gate, and nothing that an XML reader refuses."""

import re
import xml.etree.ElementTree as ET

import pytest
import report_samples as samples

from holdfast.report import CardEntry, ClaimEntry, Document, RunEntry, StressEntry, junit


def suites(document):
    return ET.fromstring(junit(document)).findall("testsuite")


def test_counts_agree_with_the_cases():
    root = ET.fromstring(junit(samples.audit_document()))
    stresses = len(samples.audit_document().stresses())
    assert {key: int(root.attrib[key]) for key in ("tests", "failures", "errors")} == {
        "tests": 7 + stresses, "failures": 2, "errors": 1,
    }  # fmt: skip
    for suite in root:
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        assert int(suite.attrib["errors"]) == len(suite.findall("testcase/error"))
        assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped"))
        assert float(suite.attrib["time"]) == pytest.approx(
            sum(float(case.attrib["time"]) for case in suite.iter("testcase")), abs=0.01
        )


def test_a_suite_is_a_card_and_the_last_one_lists_the_stresses():
    names = [suite.attrib["name"] for suite in suites(samples.audit_document())]
    assert names == ["clean", "adversarial", "precision", "device", "shift", "privacy", "stresses"]


def test_the_claims_of_a_study_are_one_suite():
    [suite] = suites(samples.study_document())
    assert suite.attrib["name"] == "spintronic-neuron"
    assert len(suite.findall("testcase")) == 5


# The schema of Apache Ant's JUnit task (windyroad/JUnit-Schema): elements in this order, attributes of these kinds, all required
ORDER = ["properties", "testcase", "system-out", "system-err"]
TOKEN, WHOLE, DECIMAL = r"\S(.*\S)?", r"\d+", r"\d+\.\d+"
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
SUITE = {"name": TOKEN, "timestamp": MOMENT, "hostname": TOKEN, "package": TOKEN, "id": WHOLE, "tests": WHOLE, "failures": WHOLE}
SUITE |= {"errors": WHOLE, "skipped": WHOLE, "time": DECIMAL}
CASE = {"name": TOKEN, "classname": TOKEN, "time": DECIMAL}


def check_attributes(element, kinds):
    assert element.attrib.keys() == kinds.keys()
    for name, pattern in kinds.items():
        assert re.fullmatch(pattern, element.attrib[name]), f"{element.tag}.{name} is {element.attrib[name]!r}"


@pytest.mark.parametrize(
    "document",
    [samples.audit_document(), samples.partial_document(), samples.study_document(), Document(run=RunEntry(id="a"))],
    ids=["audit", "partial", "study", "empty"],
)
def test_the_file_follows_the_common_schema(document):
    for place, suite in enumerate(suites(document)):
        check_attributes(suite, SUITE)
        assert suite.attrib["id"] == str(place)
        tags = [child.tag for child in suite]
        assert tags == sorted(tags, key=ORDER.index)
        assert set(ORDER) - {"testcase"} <= set(tags)
        for case in suite.iter("testcase"):
            check_attributes(case, CASE)
            assert len(case) <= 1
            for outcome in case:
                assert outcome.tag in {"failure", "error", "skipped"}
                assert (outcome.tag == "skipped") == ("type" not in outcome.attrib)


def test_a_run_without_gates_lists_its_stresses_as_cases():
    document = samples.partial_document().model_copy(update={"gates": []})
    [suite] = suites(document)
    cases = {case.attrib["name"]: case for case in suite.findall("testcase")}
    assert len(cases) == len(document.placed_stresses())
    for card, name, stress in document.placed_stresses():
        case = cases[card if card == name else f"{card}.{name}"]
        expected = {"ok": [], "reduced": [], "skipped": ["skipped"], "partial": ["skipped"], "error": ["error"]}[stress.status]
        assert [outcome.tag for outcome in case] == expected
        assert all(outcome.attrib["message"] == stress.reason for outcome in case)
    assert next(suite.iter("error")).text.strip(), "what the point raised"
    assert {stress.status for stress in document.stresses().values()} >= {"ok", "error"}


def test_a_stress_that_was_left_out_is_a_skipped_case():
    left_out = StressEntry(status="skipped", reason="it does not fit into the time budget")
    cards = {"clean": CardEntry(stresses={"clean": StressEntry(), "other": left_out})}
    [suite] = suites(Document(run=RunEntry(id="a"), cards=cards))
    assert {key: suite.attrib[key] for key in ("tests", "skipped")} == {"tests": "2", "skipped": "1"}
    assert suite.find("testcase/skipped").attrib["message"] == "it does not fit into the time budget"


def test_a_suite_knows_when_where_and_for_how_long():
    sample = samples.audit_document()
    run = sample.run.model_copy(update={"host": "lab-7", "started": "2026-03-01T13:00:05+01:00"})
    *_, last = suites(sample.model_copy(update={"run": run}))
    assert (last.attrib["hostname"], last.attrib["timestamp"]) == ("lab-7", "2026-03-01T12:00:05")
    assert float(last.attrib["time"]) > 0


def test_a_failure_says_what_was_measured_and_what_was_expected():
    root = ET.fromstring(junit(samples.audit_document()))
    messages = [failure.attrib["message"] for failure in root.iter("failure")]
    assert "0.628 [0.598, 0.657]; expected >= 0.70" in messages


def test_hostile_and_unprintable_statements_stay_well_formed():
    gate = ClaimEntry(id="g", statement="</testcase>\x00\x1b<script>", status="fail", value=1.0, expected="\ufffe", reason="]]>")
    [case] = ET.fromstring(junit(Document(run=RunEntry(id="a"), gates=[gate]))).iter("testcase")
    assert case.attrib["name"] == "g: </testcase>\ufffd\ufffd<script>"
