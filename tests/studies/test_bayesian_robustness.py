"""The study of Bayesian robustness on bundled digits: doubts about chains reach the verdicts, and attackers are told apart."""

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from holdfast.core.estimate import proportion
from holdfast.core.experiment import Measurement
from holdfast.core.runs import Runs
from holdfast.studies import find_study, run_study
from holdfast.studies.bayesian_robustness import PRESETS
from holdfast.studies.bayesian_robustness.measure import of_attacks, of_plane, of_settings

TINY = PRESETS["tiny"]


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    return run_study("bayesian-robustness", preset="tiny", out=tmp_path_factory.mktemp("run") / "run").document


def points(document, part, **at):
    return [one for one in document.stresses()[part].points if all(one.at[key] == value for key, value in at.items())]


def test_posteriors_come_before_the_attacks_that_share_them():
    parts = [point["part"] for point in PRESETS["quick"].points()]
    assert list(dict.fromkeys(parts)) == ["posterior", "moons", "plane", "regression", "attack"]
    assert [point["model"] for point in PRESETS["quick"].points()[:2]] == ["hmc", "vi"]  # the dearest first
    assert parts == sorted(parts, key=list(TINY.parts).index)


def test_a_plan_loads_no_torch():
    code = (
        "import sys, holdfast.studies.bayesian_robustness as study; study.PRESETS['paper'].points(); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == ["False"]


def test_the_sweep_stands_where_a_preset_has_one():
    assert {name for name, study in PRESETS.items() if any(point["part"] == "sweep" for point in study.points())} == {
        "tiny",
        "standard",
        "paper",
    }
    assert sum(point["part"] == "sweep" for point in PRESETS["standard"].points()) == 20


def test_a_claim_about_unconverged_chains_is_undecided_and_the_samples_as_drawn_stand_beside_it(document):
    claims = {claim.id: claim for claim in document.claims}
    assert points(document, "posterior", model="hmc")[0].metrics["rhat_logits"].value > 1.1  # 5 draws a chain settle nothing
    for id_ in ("5.clean.digits", "5.fgsm.digits", "6.hmc.digits", "7.hmc.digits"):
        assert claims[id_].status == "undecided"
        assert (claims[id_].lo, claims[id_].hi) == (None, None)
    metrics = document.stresses()["attack"].metrics
    judged, drawn = (metrics[f"fgsm_gain[data=digits, model=hmc, eps=0.1{more}]"] for more in ("", ", drawn=yes"))
    assert judged.value == drawn.value
    assert "R-hat" in judged.method
    assert drawn.lo < drawn.value < drawn.hi
    assert claims["5.fgsm.vi.digits"].lo is not None  # a fit has no chains
    assert "fgsm_gain[data=digits, model=vi, eps=0.1, drawn=yes]" not in metrics


def test_the_published_attack_has_one_sample_and_the_adaptive_one_all(document):
    def sides(protocol, model):
        [found] = points(document, "attack", protocol=protocol, model=model, eps=0.1)
        about = found.details.model_dump()
        return about["attack_samples"], about["defence_samples"], about["overlap"]

    assert sides("code", "hmc") == (1, 50, "some of them")
    assert sides("code", "vi") == (1, 50, "fresh draws")  # of a distribution an attacker draws samples of his own
    assert sides("adaptive", "vi") == (50, 50, "the same")
    assert any("1 attacking against 50 defending samples" in note for note in document.stresses()["attack"].notes)


def test_stronger_attacks_leave_no_more(document):
    metrics = document.stresses()["attack"].metrics
    for model in ("vi", "ensemble", "deterministic"):
        left = [metrics[f"left[data=digits, model={model}, eps={eps}]"].value for eps in (0.1, 0.3)]
        assert left[1] <= left[0] <= metrics[f"best_pgd[data=digits, model={model}, eps=0.1]"].value
    assert metrics["fgsm_gain[data=digits, model=deterministic, eps=0.1]"].value == 0


def test_charts_have_few_lines_and_the_law_beside_what_was_measured(document):
    charts = {}
    for stress in document.stresses().values():
        for curve in stress.curves:
            charts.setdefault(curve.chart, []).append(curve)
    assert all(title and len(curves) <= 6 for title, curves in charts.items())
    for title in ("Cancellation of gradients on digits", "Half-moons: cancellation of gradients off the data"):
        assert charts[title][-1].name == "n^-1/2"
        assert {curve.log for curve in charts[title]} == {"xy"}
    attacked = charts["Accuracy under attack: VI on digits"]
    assert [curve.at[0] for curve in attacked] == [0.0] * 6
    assert {one.title for one in document.drawings} == {"Gradients of half-moons under HMC", "Accuracy against robustness of HMC"}


def test_the_sentence_about_images_stays_open_and_says_why(document):
    sentences = {sentence.n: sentence for sentence in document.sentences}
    assert sentences[6].verdict == "undecided"
    assert "R-hat" in sentences[6].reason
    assert {claim.split(".")[0] for claim in sentences[5].claims} == {"1", "2", "3"}  # the limit is decided off the data


def attacked(right):
    """What one model under one protocol gives; `right` says of four examples whether every attack failed."""
    attacks = ("fgsm", "pgd", "worst")
    arrays = {f"{name}.right": np.array(right, dtype=bool) for name in attacks}
    arrays |= {f"{name}.softmax": np.ones(len(right)) for name in attacks}
    estimates = {f"{name}.{kind}": proportion(sum(right), len(right)) for name in attacks for kind in ("accuracy", "softmax")}
    estimates |= {"zero_gradients": proportion(0, 4), "clean.accuracy": proportion(4, 4)}
    details = {"attack_samples": 1, "defence_samples": 1, "overlap": "the same"}
    return Measurement(estimates=estimates, arrays=arrays, details=details)


def test_of_all_networks_the_one_that_keeps_most_counts():
    rights = {"hmc": [0, 0, 0, 0], "vi": [0, 1, 0, 0], "ensemble": [0, 0, 0, 0], "deterministic": [0, 0, 0, 0]}
    protocols = ("adaptive", "second_softmax", "predictive_nll", "mean_logits", "expected", "code")
    runs = Runs(
        ({"data": "digits", "model": model, "protocol": protocol, "eps": eps}, attacked(right))
        for model, right in rights.items()
        for eps in (0.1, 0.3)
        for protocol in protocols
    )
    rows = list(of_attacks(TINY, runs))
    [most] = [row for row in rows if getattr(row, "name", "") == "most_left"]
    assert most.estimate == proportion(1, 4)
    assert most.at == {"data": "digits", "eps": 0.3}


def test_gradients_in_the_plane_are_compared_between_the_fewest_and_the_most_points():
    lengths = {100: [4.0, 4.2, 3.8], 1000: [1.0, 1.2, 0.8]}
    found = {n: Measurement(estimates={"ratio": proportion(9, 10)}, arrays={"norm": np.array(each)}) for n, each in lengths.items()}
    details = {"method": "HMC", "chains": 4, "samples": 40, "warnings": []}
    runs = Runs(({"examples": n}, replace(found[n], details=details)) for n in lengths)
    excess = next(row.estimate for row in of_plane(TINY, runs) if getattr(row, "name", "") == "excess")
    assert excess.value == pytest.approx(1.0 - 4.0 / 2)
    assert excess.hi < 0


@pytest.mark.parametrize(
    ("robust", "words"), [((0.1, 0.2, 0.3, 0.4, 0.5, 0.6), "rise together"), ((0.6, 0.5, 0.4, 0.3, 0.2, 0.1), "are traded")]
)
def test_the_sweep_says_how_accuracy_and_robustness_go(robust, words):
    runs = Runs(
        (
            {"width": width, "examples": 60, "std": 1.0},
            Measurement(
                estimates={"clean": proportion(10 * width, 100), "softmax": proportion(round(100 * share), 100)},
                details={"warnings": []},
            ),
        )
        for width, share in zip(range(1, 7), robust, strict=True)
    )
    finding = next(row for row in of_settings(TINY, runs) if getattr(row, "id", "") == "bayesian.sweep")
    assert words in finding.text
    assert math.isfinite(finding.estimate.lo)


def test_digits_take_the_place_of_missing_images(monkeypatch, tmp_path):
    for place in ("HOLDFAST_DATA", "HOLDFAST_CACHE"):  # empty folders, and HOLDFAST_OFFLINE is set
        monkeypatch.setenv(place, str(tmp_path))
    for preset in ("quick", "standard"):
        small = find_study("bayesian-robustness").PRESETS[preset].prepared()
        assert [data for data, _ in small.readers] == ["digits"]
        assert not any(point["part"] == "sweep" for point in small.points())
        assert any(claim.id == "5.fgsm.digits" for claim in small.planned())
    assert TINY.prepared() == TINY
