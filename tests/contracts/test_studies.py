"""What every study keeps, whoever wrote it: this file knows none, only where they are listed. Each runs at its smallest scale."""

import pytest

from holdfast.core.errors import InputError
from holdfast.studies import Study, find_study, list_studies, run_study
from holdfast.studies.catalogue import HIDDEN, MODULES, presets

# Numbers of the sentences of each abstract that state a result; every one needs a verdict or a reason.
RESULTS = {
    "bayesian-robustness": {4, 5, 6},
    "oscillator-binding": {4, 5, 6},
    "spin-diode": {2, 3, 4},
    "spintronic-neuron": {3, 4, 5, 6},
    "transfer-attack": {3, 4, 5, 6, 7, 8},
}
MOST_CLAIMS = 40  # at `standard`: variants are curves or a table

each_study = pytest.mark.parametrize("name", sorted(MODULES))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The report of each study at its smallest scale, run once."""
    known = {}

    def report(name):
        if name not in known:
            known[name] = run_study(name, preset=HIDDEN, out=tmp_path_factory.mktemp(name) / "run")
        return known[name]

    return report


def measured(report):
    """Everything but times: the record of a run as it must come again."""
    document = report.document
    points = [(stress, point.at, point.metrics, point.details, point.status) for _, stress, point in document.points()]
    curves = {name: (stress.curves, stress.metrics, stress.notes) for name, stress in document.stresses().items()}
    return points, curves, document.claims, document.sentences, document.findings, document.drawings


@each_study
def test_every_point_is_measured_and_every_claim_finds_its_quantity(name, finished):
    document = finished(name).document
    assert document.run.status == "complete"
    assert {claim.id: claim.reason for claim in document.claims if claim.status == "error"} == {}
    assert {claim.id for claim in document.claims} == {claim.id for claim in find_study(name).PRESETS[HIDDEN].planned()}
    assert finished(name).page.read_text().startswith("<!doctype html>")


@each_study
def test_every_claim_belongs_to_a_preset_that_measures_it(name):
    planned = {claim.id for scale in find_study(name).PRESETS.values() for claim in scale.planned()}
    digits = {claim.id for claim in find_study(name).PRESETS["quick"].paper().claims} - planned
    assert all("digits" in id_ for id_ in digits), "claims that no preset plans, other than those for bundled images"


@each_study
def test_every_sentence_with_a_result_has_a_verdict_or_a_reason(name, finished):
    sentences = {sentence.n: sentence for sentence in finished(name).document.sentences}
    assert set(sentences) == RESULTS[name]
    for sentence in sentences.values():
        assert sentence.verdict in {"holds", "fails", "undecided", "untestable"}
        assert sentence.reason
        assert sentence.figure is None or sentence.figure.claim in sentence.claims


@each_study
def test_a_study_has_few_claims_and_says_whose_they_are(name):
    claims = find_study(name).PRESETS["standard"].planned()
    assert len(claims) <= MOST_CLAIMS
    assert {claim.kind for claim in claims} <= {"paper", "control", "ours"}
    assert all(claim.source for claim in claims)


@each_study
def test_the_same_seed_gives_the_same_bits_although_the_run_was_interrupted(name, finished, tmp_path, monkeypatch):
    whole, left = Study.measure, [3]

    def interrupted(self, point, context):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return whole(self, point, context)

    monkeypatch.setattr(Study, "measure", interrupted)
    cut = run_study(name, preset=HIDDEN, out=tmp_path / "run")
    assert cut.document.run.status == "interrupted"
    assert cut.exit_code == 130
    assert {claim.status for claim in cut.document.claims} >= {"error"}
    monkeypatch.undo()
    assert measured(run_study(name, preset=HIDDEN, out=tmp_path / "run")) == measured(finished(name))


@each_study
def test_the_list_says_how_many_sentences_a_preset_decides(name):
    row = next(row for row in list_studies() if row["study"] == name)
    assert HIDDEN not in row["decides"]
    assert row["decides"].endswith(f"of {len(RESULTS[name])} sentences")
    assert list(presets(name)) == ["quick", "standard", "paper"]


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="spintronic-neuron"):
        find_study("spintronic-neurons")
    with pytest.raises(InputError, match="quick, standard, paper"):
        run_study("spin-diode", preset="quik")
