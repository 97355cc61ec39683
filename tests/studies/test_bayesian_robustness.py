"""The study of Bayesian robustness, at a size that a test can afford: bundled digits, few samples, the same machinery."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from holdfast.core.claim import MetricTable, judge
from holdfast.core.errors import DataUnavailableError
from holdfast.core.estimate import proportion
from holdfast.core.experiment import Context, Experiment, Measurement
from holdfast.core.memo import Memo
from holdfast.core.seeds import Seeds
from holdfast.studies import find_study, list_studies
from holdfast.studies.bayesian_robustness import CLAIMS, PRESETS, BayesianRobustness, prepare
from holdfast.studies.bayesian_robustness.moons import half_moons, random_plane
from holdfast.studies.bayesian_robustness.outcomes import Outcomes
from holdfast.studies.bayesian_robustness.recipes import HMC, VI, Images, Moons, Plane, Regression, Sweep

SHORT = HMC(chains=3, samples=4, warmup=3, steps=3)
TINY = BayesianRobustness(
    images=(
        Images(
            data="digits",
            examples=200,
            points=30,
            test=60,
            hidden=(8,),
            vi_hidden=(8,),
            hmc=SHORT,
            few=HMC(chains=1, samples=12, warmup=3, steps=3),
            vi=VI(epochs=4, lr=1e-2, batch_size=100, samples=12, examples=200),
            members=2,
            epochs=4,
            at=(1, 5, 12),
            eps=(0.1, 0.3),
            steps=3,
            full=(0.1,),
            adaptive=(0.1, 0.3),
            climbs=3,
            queries=5,
        ),
    ),
    moons=Moons(
        examples=60,
        test=20,
        hidden=(6,),
        hmc=SHORT,
        vi=VI(epochs=20, lr=1e-2, batch_size=60, samples=12),
        members=3,
        epochs=20,
        at=(1, 3, 12),
    ),
    plane=Plane(examples=(30, 60), test=20, hidden=(6,), hmc=SHORT),
    regression=Regression(samples=64, at=(1, 4, 16)),
    sweep=Sweep(data="digits", widths=(4, 6, 8), examples=(60,), stds=(0.5, 1.0), points=30, hmc=SHORT),
)


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    return Context(seeds=Seeds(0), memo=Memo(tmp_path_factory.mktemp("memo")))


@pytest.fixture(scope="module")
def measured(context):
    return [(point, TINY.measure(point, context)) for point in TINY.points()]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_an_experiment_with_distinct_points(preset):
    points = PRESETS[preset].points()
    assert isinstance(PRESETS[preset], Experiment)
    assert len({tuple(point.items()) for point in points}) == len(points)


def test_posteriors_come_before_the_attacks_that_share_them():
    protocols = [point["protocol"] for point in PRESETS["quick"].points() if point["part"] == "images"]
    assert protocols[:5] == ["clean"] * 5
    assert "clean" not in protocols[5:]


def test_the_study_is_listed():
    assert "bayesian-robustness" in {row["study"] for row in list_studies()}
    assert find_study("bayesian-robustness").PRESETS is PRESETS


def test_every_claim_names_what_is_measured(measured):
    # digits under tiny settings decide nothing, but no quantity may be missing
    summary = TINY.summarise(measured)
    table = MetricTable()
    for name, estimate in summary.metrics.items():
        table.add(name, estimate)
    named = [claim for claim in summary.claims if not any(word in claim.check for word in ("r25", "r50"))]  # more samples than here
    verdicts = judge(named, table)
    assert [verdict.claim.id for verdict in verdicts if verdict.status == "error"] == []
    assert len(verdicts) > 40


def test_an_attacker_of_a_distribution_draws_samples_of_his_own(measured):
    overlaps = {
        point["model"]: found.details["overlap"]
        for point, found in measured
        if point.get("protocol") == "code" and point["eps"] == 0.1
    }
    assert overlaps["vi"] == "fresh draws"
    assert overlaps["hmc"] == "some of them"


def test_unconverged_chains_leave_claims_about_the_posterior_undecided(measured):
    summary = TINY.summarise(measured)
    table = MetricTable()
    for name, estimate in summary.metrics.items():
        table.add(name, estimate)
    by_id = {verdict.claim.id: verdict for verdict in judge(summary.claims, table)}
    assert by_id["5.clean.digits"].status == "undecided"
    assert "unconverged" in by_id["5.clean.digits"].claim.note
    assert "R-hat" in by_id["5.clean.digits"].claim.note
    assert by_id["5.clean.digits.drawn"].claim.note == ""
    assert math.isfinite(by_id["5.clean.digits.drawn"].lo)
    assert math.isfinite(by_id["5.fgsm.vi.digits"].lo)
    assert any("chains" in note and "R-hat" in note for note in summary.notes)
    published, adaptive = (
        next(note for note in summary.notes if "samples that attack" in note and name in note)
        for name in ("what the published code climbs, of one sample", "all losses of the adaptive protocol")
    )
    assert "HMC 1 against 12 (some of them)" in published
    assert "VI 12 against 12 (the same)" in adaptive
    assert any(note.startswith("sweep: the chains disagree in ") for note in summary.notes)
    assert any("networks of 8 hidden units on 200 images" in note for note in summary.notes)


def test_stronger_attacks_leave_no_more(measured):
    metrics = TINY.summarise(measured).metrics
    for model in ("hmc", "vi", "ensemble", "deterministic"):
        clean = metrics[f"drawn.digits.{model}.accuracy"].value
        worst = metrics[f"drawn.digits.{model}.e030.worst"].value
        assert worst <= metrics[f"drawn.digits.{model}.e010.worst"].value <= metrics[f"drawn.digits.{model}.e010.best_pgd"].value
        assert metrics[f"drawn.digits.{model}.e010.worst"].value <= clean
    assert metrics["digits.deterministic.gain.clean"].value == 0


def test_the_curves_begin_without_attack_and_carry_intervals(measured):
    curves = {curve.name: curve for curve in TINY.summarise(measured).curves if curve.quantity == "accuracy"}
    curve = curves["digits adaptive VI"]
    assert curve.at == (0.0, 0.1, 0.3)
    assert all(estimate.lo < estimate.hi for estimate in curve.estimates)
    assert curves["half-moons attacked HMC"].at == (0.0, 0.25, 0.5, 1.0)


def test_the_sweep_ends_in_a_sentence(measured):
    summary = TINY.summarise(measured)
    assert -1 <= summary.metrics["sweep.rank_correlation"].value <= 1
    scatter = next(curve for curve in summary.curves if curve.name == "sweep of settings, HMC")
    assert len(scatter.at) == sum(point["part"] == "sweep" for point, _ in measured)
    assert any(finding.id == "bayesian.sweep" and "rank correlation" in finding.text for finding in summary.findings)


def test_a_kept_posterior_is_the_one_that_was_found(context):
    from holdfast.studies.bayesian_robustness.images import posterior_of

    first, second = (posterior_of(TINY.images[0], "hmc", context) for _ in range(2))
    assert first.diagnostics == second.diagnostics
    assert first.diagnostics.chains == first.chains == 3
    for name in first.params:
        assert torch.equal(first.params[name], second.params[name])


def test_exact_draws_cancel_as_one_over_the_root_of_their_number(context):
    # 16 groups of up to 256 draws in 18 dimensions: the root mean square of a length has a relative deviation of
    # 1 / sqrt(2 * 16 * 18) = 0.04, over log(256) = 5.5 that is at most 0.015 in the slope; 0.08 is beyond 5 of these
    found = replace(TINY, regression=Regression()).measure({"part": "regression"}, context).estimates
    assert found["orthogonal.slope"].value == pytest.approx(-0.5, abs=0.08)
    assert found["orthogonal.r256"].value < 0.1


def test_the_embedded_moons_lie_in_their_plane_and_fill_it():
    plane = random_plane(20, Seeds(0))
    torch.testing.assert_close(plane.T @ plane, torch.eye(2), rtol=0, atol=1e-6)
    z, y = half_moons(400, 0)
    assert sorted(np.bincount(y.numpy())) == [200, 200]
    assert -1.4 < z.min() < z.max() < 2.5
    assert torch.linalg.matrix_rank(z @ plane.T, atol=1e-3) == 2


def test_a_best_attack_is_the_one_that_leaves_least():
    recipe = replace(TINY.images[0], eps=(0.1,), few=None)

    def found(protocol, right):
        arrays = {
            "pgd.right": np.array(right),
            "pgd.softmax": np.ones(4),
            "worst.right": np.array(right),
            "worst.softmax": np.ones(4),
        }
        point = {"part": "images", "data": "digits", "model": "vi", "protocol": protocol, "eps": 0.1}
        return point, Measurement(estimates={"pgd.accuracy": proportion(sum(right), 4)}, arrays=arrays)

    runs = [found("predictive_nll", [1, 1, 0, 0]), found("mean_logits", [0, 0, 0, 1]), found("expected", [1, 1, 1, 0])]
    metrics = Outcomes(runs).metrics(TINY.moons, [recipe])
    assert metrics["digits.vi.e010.best_pgd"].value == 0.25
    assert metrics["digits.vi.e010.worst"].value == 0.0  # no example survived both
    assert metrics["digits.vi.e010.excess_of_expected"].value == 0.5


def test_claims_are_undecided_for_a_reason_only():
    ids = [claim.id for claim in CLAIMS["quick"]]
    assert len(set(ids)) == len(ids)
    assert not any("undecided" in claim.note for claim in CLAIMS["quick"])
    assert {claim.id.split(".")[0] for claim in CLAIMS["quick"]} == set("1234567")


def test_no_figure_is_said_to_be_the_papers():
    assert all("the number is ours" in claim.source or claim.source == "ours" for claim in CLAIMS["standard"])


def test_digits_take_the_place_of_missing_images(monkeypatch):
    import holdfast.data

    def missing(*args, **settings):
        raise DataUnavailableError("nothing here")

    monkeypatch.setattr(holdfast.data, "load_images", missing)
    small = prepare("quick")
    assert [recipe.data for recipe in small.images] == ["digits"]
    assert any("digits" in note for note in small.summarise([]).notes)
