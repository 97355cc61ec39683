"""Calibration: analytic cases, classifiers that are calibrated by construction, and invariances. Seeds are fixed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from holdfast.core.calibration import (
    aurc,
    brier_score,
    brier_scores,
    debiased_calibration_error,
    expected_calibration_error,
    fit_temperature,
    log_probabilities,
    negative_log_likelihood,
    reliability,
    reliability_of,
    risk_coverage,
    squared_calibration_error,
)
from holdfast.core.errors import InputError

SCORES = (
    negative_log_likelihood,
    brier_score,
    expected_calibration_error,
    squared_calibration_error,
    debiased_calibration_error,
    aurc,
)


def calibrated(n, *, classes=4, sharpness=2.0, seed=0):
    """Logits and labels drawn from their own softmax: a classifier that is calibrated by construction."""
    generator = np.random.default_rng(seed)
    logits = sharpness * generator.standard_normal((n, classes))
    return logits, (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)


def two_classes(confidence, right):
    """Logits of examples with given confidences in class 0, and labels that make them right or wrong."""
    confidence = np.asarray(confidence, dtype=float)
    return np.stack([np.log(confidence), np.log1p(-confidence)], axis=1), np.where(right, 0, 1)


def test_debiasing_removes_what_sampling_noise_adds():
    # 60 independent sets of 600: mean of the debiased estimate within 5 standard errors of 0 (5.7e-7), the plain one far above
    sets = [calibrated(600, seed=seed) for seed in range(60)]
    plain, debiased = (np.array([squared_calibration_error(*one, debiased=debias) for one in sets]) for debias in (False, True))
    assert abs(debiased.mean()) < 5 * debiased.std(ddof=1) / np.sqrt(60)
    assert plain.mean() > 20 * plain.std(ddof=1) / np.sqrt(60)
    # the plain estimate is about the number of bins times the variance of one answer over the number of examples
    spread = np.mean([(np.exp(log_probabilities(x).max(1)) * (1 - np.exp(log_probabilities(x).max(1)))).mean() for x, _ in sets])
    assert plain.mean() == pytest.approx(15 * spread / 600, rel=0.2)


def test_a_calibrated_classifier_has_an_error_that_vanishes_with_more_examples():
    few, many = (expected_calibration_error(*calibrated(n)) for n in (500, 50_000))
    assert many < 0.01 < few


def test_a_known_miscalibration_is_found():
    # confidence 0.9 throughout, right 70 times out of 100
    logits, labels = two_classes(np.full(100, 0.9), np.arange(100) < 70)
    assert expected_calibration_error(logits, labels) == pytest.approx(0.2)
    # Kumar et al., arXiv:1909.10155: (acc - conf)^2 - acc (1 - acc) / (n - 1), exact for one confidence
    assert squared_calibration_error(logits, labels) == pytest.approx(0.2**2 - 0.7 * 0.3 / 99)
    assert debiased_calibration_error(logits, labels) == pytest.approx(np.sqrt(0.2**2 - 0.7 * 0.3 / 99))


@pytest.mark.parametrize("binning", ["mass", "width"])
def test_equal_confidences_share_a_bin_in_any_order(binning):
    logits, labels = two_classes(np.full(100, 0.8), np.arange(100) < 60)
    shuffled = np.random.default_rng(0).permutation(100)
    for order in (np.arange(100), shuffled):
        diagram = reliability(logits[order], labels[order], binning=binning)
        assert diagram.count.tolist() == [100]
        assert expected_calibration_error(logits[order], labels[order], binning=binning) == pytest.approx(0.2)


def test_bins_of_equal_mass_hold_equally_many():
    diagram = reliability(*calibrated(3000))
    assert len(diagram.count) == 15
    assert set(diagram.count) <= {199, 200, 201}
    assert (np.diff(diagram.confidence) > 0).all()


def test_bins_of_equal_width_are_those_of_a_loop():
    logits, labels = calibrated(2000)
    probabilities = np.exp(log_probabilities(logits))
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    gaps = 0.0
    for k in range(10):
        inside = (confidence >= k / 10) & (confidence < (k + 1) / 10)
        if inside.any():
            gaps += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert expected_calibration_error(logits, labels, bins=10, binning="width") == pytest.approx(gaps)


def test_a_reliability_diagram_covers_the_examples_and_draws_its_uncertainty():
    logits, labels = calibrated(1000)
    for binning in ("mass", "width"):
        diagram = reliability(logits, labels, bins=10, binning=binning)
        assert diagram.count.sum() == 1000
        assert diagram.hits.sum() == (logits.argmax(1) == labels).sum()
        low, high = diagram.edges.T
        assert ((low <= diagram.confidence) & (diagram.confidence <= high)).all()
        assert [estimate.value for estimate in diagram.accuracy] == pytest.approx(diagram.hits / diagram.count)
        assert all(estimate.lo < estimate.hi for estimate in diagram.accuracy)


def test_likelihood_and_brier_of_a_coin_are_known():
    zeros, labels = np.zeros((30, 5)), np.arange(30) % 5
    assert negative_log_likelihood(zeros, labels) == pytest.approx(np.log(5))
    assert brier_score(zeros, labels) == pytest.approx(1 - 1 / 5)


def test_likelihood_is_that_of_scikit_learn():
    logits, labels = calibrated(500)
    assert negative_log_likelihood(logits, labels) == pytest.approx(log_loss(labels, np.exp(log_probabilities(logits))))


def test_saturated_logits_give_finite_scores():
    logits = np.array([[1e5, 0.0, -1e5], [1e5, 0.0, -1e5]])
    assert negative_log_likelihood(logits, np.array([0, 2])) == pytest.approx(1e5)
    assert brier_score(logits, np.array([0, 2])) == pytest.approx(1.0)


def test_risk_follows_confidence():
    # four answers in falling confidence, the last one wrong: risks 0, 0, 0, 1/4
    logits, labels = two_classes([0.9, 0.8, 0.7, 0.6], [True, True, True, False])
    assert risk_coverage(logits, labels).risk.tolist() == pytest.approx([0, 0, 0, 0.25])
    assert risk_coverage(logits, labels).coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert aurc(logits, labels) == pytest.approx(1 / 16)


def test_equally_sure_answers_have_the_error_rate_as_risk_at_any_coverage():
    logits, labels = two_classes(np.full(10, 0.9), np.arange(10) < 7)
    assert risk_coverage(logits, labels).risk == pytest.approx(np.full(10, 0.3))


def test_confidences_that_round_to_one_keep_their_order():
    logits = np.array([[800.0, 0.0], [60.0, 0.0]])
    assert np.exp(log_probabilities(logits)).max(1).tolist() == [1.0, 1.0]
    assert aurc(logits, np.array([0, 1])) == pytest.approx(0.25)
    assert aurc(logits, np.array([1, 0])) == pytest.approx(0.75)


def test_the_temperature_that_made_the_logits_is_found():
    logits, labels = calibrated(20_000)
    # the error of 1/T: likelihood curvature is n times the mean variance of the logits under the softmax
    probabilities = np.exp(log_probabilities(logits))
    curvature = len(labels) * np.mean((probabilities * logits**2).sum(1) - (probabilities * logits).sum(1) ** 2)
    for temperature in (0.3, 1.0, 2.5):
        found = fit_temperature(temperature * logits, labels)
        assert abs(temperature / found.temperature - 1) < 5 / np.sqrt(curvature)
        assert found.nll_after <= found.nll_before
        assert not found.at_limit


def test_scaling_cures_overconfidence_and_changes_no_answer():
    logits, labels = calibrated(5000)
    hot = 3 * logits
    cooled = hot / fit_temperature(hot[:2500], labels[:2500]).temperature
    assert (cooled.argmax(1) == hot.argmax(1)).all()
    assert expected_calibration_error(hot[2500:], labels[2500:]) > 0.15
    assert expected_calibration_error(cooled[2500:], labels[2500:]) < 0.05


@pytest.mark.parametrize("lead", [0.01, 1.0, 5.0, 100.0, 1e4])
def test_a_network_that_is_never_wrong_has_no_best_temperature(lead):
    labels = np.arange(100) % 4
    found = fit_temperature(lead * np.eye(4)[labels] - lead, labels)
    assert found.at_limit
    assert found.temperature < 1
    assert found.nll_after <= found.nll_before


@given(seed=st.integers(0, 2**16), shift=st.floats(-50, 50))
@settings(max_examples=25, deadline=None)
def test_scores_depend_on_neither_order_nor_a_common_shift_nor_the_names_of_classes(seed, shift):
    logits, labels = calibrated(60, seed=seed)
    generator = np.random.default_rng(seed)
    rows, names = generator.permutation(60), generator.permutation(4)
    renamed = np.empty_like(logits)
    renamed[:, names] = logits[rows]
    for score in SCORES:
        expected = score(logits, labels)
        assert score(renamed + shift, names[labels[rows]]) == pytest.approx(expected, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("score", [*SCORES, reliability, risk_coverage, fit_temperature])
@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (np.zeros(4), np.zeros(4, dtype=int), "(n, classes)"),
        (np.zeros((4, 1)), np.zeros(4, dtype=int), "at least 2 classes"),
        (np.zeros((4, 3)), np.zeros(5, dtype=int), "rows"),
        (np.zeros((0, 3)), np.zeros(0, dtype=int), "empty"),
        (np.full((4, 3), np.nan), np.zeros(4, dtype=int), "NaN"),
        (np.zeros((4, 3)), np.full(4, 3), "0 to 2"),
        (np.zeros((4, 3)), np.zeros(4), "one integer per example"),
        (np.full((4, 2), 0.5), np.zeros(4, dtype=int), "probabilities"),
    ],
)
def test_answers_that_are_no_logits_are_refused(score, logits, labels, message):
    with pytest.raises(InputError) as refusal:
        score(logits, labels)
    assert message in str(refusal.value)


def test_bins_must_hold_more_than_one_example():
    logits, labels = two_classes([0.6, 0.7, 0.8], [True, False, True])
    with pytest.raises(InputError, match="fewer bins"):
        squared_calibration_error(logits, labels, bins=15, binning="width")
    with pytest.raises(InputError, match="bins"):
        reliability(logits, labels, bins=0)
    with pytest.raises(InputError, match="mass, width"):
        reliability(logits, labels, binning="equal")


def test_a_bootstrap_of_two_numbers_of_each_example_is_one_of_its_logits():
    logits, labels = calibrated(400)
    confidence, right = np.exp(log_probabilities(logits).max(1)), logits.argmax(1) == labels
    rows = np.random.default_rng(0).integers(0, 400, 400)
    whole, short = reliability(logits[rows], labels[rows]), reliability_of(confidence[rows], right[rows])
    for field in ("confidence", "hits", "count", "residual_variance", "edges"):
        np.testing.assert_array_equal(getattr(whole, field), getattr(short, field))
    assert short.expected_error == expected_calibration_error(logits[rows], labels[rows])
    assert short.debiased_error == debiased_calibration_error(logits[rows], labels[rows])
    assert brier_scores(logits, labels)[rows].mean() == brier_score(logits[rows], labels[rows])
