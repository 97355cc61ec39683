"""report.json: a record that is written canonically, read strictly, and described by a published schema."""

import json

import jsonschema
import numpy as np
import pytest
import report_samples as samples

from holdfast.core.claim import Claim, judge
from holdfast.core.errors import InputError
from holdfast.core.estimate import mean_t, proportion
from holdfast.core.metrics import MetricTable
from holdfast.report import ClaimEntry, Details, Document, EstimateEntry, Panel, PointEntry, RunEntry, dump, json_schema, load
from holdfast.report.document import to_json
from holdfast.report.schema import PUBLISHED, published_text

DOCUMENTS = [samples.audit_document, samples.partial_document, samples.study_document, samples.baseline_document]


@pytest.mark.parametrize("make", DOCUMENTS)
def test_a_written_document_follows_the_schema_and_reads_back_equal(make, tmp_path):
    path = dump(make(), tmp_path / "report.json")
    written = json.loads(path.read_text())
    jsonschema.Draft202012Validator(json_schema()).validate(written)
    assert load(path) == make()
    assert load(tmp_path) == make()


@pytest.mark.parametrize("make", DOCUMENTS)
def test_reading_and_writing_again_gives_the_same_bytes(make, tmp_path):
    first = dump(make(), tmp_path / "a.json").read_bytes()
    assert dump(load(tmp_path / "a.json"), tmp_path / "b.json").read_bytes() == first


def test_the_published_schema_is_the_models_own():
    assert PUBLISHED.read_text() == published_text(), "run: python -m holdfast.report.schema"
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_every_object_of_the_schema_but_the_open_details_refuses_unknown_keys():
    definitions = json_schema()["$defs"]
    open_ones = {name for name, entry in definitions.items() if entry.get("additionalProperties") is not False}
    assert open_ones == {"Details", "JsonValue"}


def test_the_claims_of_a_study_have_the_fields_that_scripts_rely_on():
    written = json.loads(to_json(samples.study_document()))
    # design.md section 7
    fields = {"id", "statement", "status", "value", "lo", "hi", "expected", "source"}
    assert all(fields <= set(claim) for claim in written["claims"])
    assert written["schema"] == "holdfast.report/1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "report.json"),
        ('{"schema": "holdfast.report/2", "run": {"id": "a"}}', "schema"),
        ('{"run": {"id": "a", "colour": "blue"}}', "run.colour"),
        ('{"run": {"id": "a"}, "gates": [{"id": "g", "statement": "s", "status": "green"}]}', "gates.0.status"),
    ],
)
def test_a_file_that_does_not_follow_the_schema_is_refused_with_the_place(text, message, tmp_path):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(InputError, match=message):
        load(tmp_path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "nothing.json")


def test_a_failed_write_leaves_the_old_file_whole(tmp_path):
    path = dump(samples.study_document(), tmp_path / "report.json")
    before = path.read_bytes()
    lone_surrogate = Document(run=RunEntry(id="a", name="\ud800"))  # cannot be encoded
    with pytest.raises(UnicodeEncodeError):
        dump(lone_surrogate, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_more_than_forty_thumbnails_are_refused():
    many = [image.model_copy(update={"panels": [Panel(caption="clean", png="")] * 11}) for image in samples.images(4)]
    with pytest.raises(ValueError, match="at most 40"):
        Document(run=RunEntry(id="a"), images=many)


def test_numbers_that_are_not_finite_become_null_and_come_back_as_unbounded():
    entry = EstimateEntry.of(mean_t([0.5]))
    assert (entry.lo, entry.hi) == (None, None)
    assert entry.estimate() == mean_t([0.5])
    text = to_json(Document(run=RunEntry(id="a", seconds=float("nan"))))
    assert "NaN" not in text
    assert json.loads(text)["run"]["seconds"] is None


def test_details_take_arrays_and_tuples_and_leave_out_what_is_absent():
    details = Details(chips=[0.5, 0.25], steepness=np.array([1.0, np.inf]), shape=(1, 2))
    assert details.model_dump(mode="json") == {"chips": [0.5, 0.25], "steepness": [1.0, None], "shape": [1, 2]}
    assert PointEntry(at={"eps": np.float64(0.1)}).at == {"eps": 0.1}


def test_a_curve_entry_refuses_what_is_no_curve():
    entry = samples.audit_document().cards["adversarial"].stresses["pgd"].curves[0]
    with pytest.raises(ValueError, match="strictly"):
        type(entry)(**{**entry.model_dump(), "at": [0.0, 0.1, 0.1, 0.2, 0.3]})


def test_a_verdict_becomes_an_entry_without_loss():
    table = MetricTable()
    table.add("clean.accuracy", proportion(97, 100))
    claim = Claim(id="gate.1", statement="It works", check="clean.accuracy >= 0.9", source="user", note="a note")
    [verdict] = judge([claim], table)
    entry = ClaimEntry.of(verdict)
    assert entry.model_dump() == verdict.to_json()


def test_records_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        samples.audit_document().run.seed = 3
