"""The letter of a card says no more than the interval of its score does."""

from types import SimpleNamespace

import numpy as np
import pytest

from holdfast.auditing.grading import curve_summary, examples_behind, grade, whole
from holdfast.auditing.stresses.answers import chips_measured
from holdfast.core.curve import Curve
from holdfast.core.estimate import exact, mean_t, proportion, share_of
from holdfast.core.stress import Card
from holdfast.hardware import ChipResults
from holdfast.report import EstimateEntry, PointEntry, StressEntry

CLEAN = Card(name="clean", title="Clean", graded_by="accuracy")
ATTACKS = Card(name="adversarial", title="Attacks")


def clean(hits, n, *, chance=0.1):
    point = PointEntry(at={}, metrics={"accuracy": EstimateEntry.of(proportion(hits, n))})
    return grade(CLEAN, {"clean": StressEntry(points=[point])}, chance=chance)


@pytest.mark.parametrize(
    ("hits", "n", "letter"),
    [
        (970, 1000, "A"),  # Wilson: 0.957 to 0.979
        (960, 1000, "A–B"),  # 0.946 to 0.970: 0.95 lies inside
        (900, 1000, "B"),
        (19, 20, "A–C"),  # 0.764 to 0.991
        (500, 1000, "D–E"),
        (100, 1000, "E"),
    ],
)
def test_a_letter_names_the_best_and_the_worst_that_the_interval_allows(hits, n, letter):
    found = clean(hits, n)
    assert found.letter == letter
    assert found.lo <= found.score <= found.hi
    best, worst = letter[0], letter[-1]
    assert found.hi >= found.thresholds[best]
    assert found.lo >= found.thresholds[worst]


def test_an_accuracy_that_may_be_that_of_guessing_may_have_the_last_letter():
    assert clean(980, 1000, chance=0.95).letter == "A", "0.969 to 0.987 lies above chance"
    assert clean(955, 1000, chance=0.95).letter == "A–E", "0.940 to 0.966 contains chance"
    assert clean(940, 1000, chance=0.96).letter == "E"


def attacked(n, kept, *, behind):
    """The letter and the summary of a curve that falls from all right to `kept` of the examples, at three strengths."""
    rows = np.arange(n)
    columns = [rows < n * share for share in (0.96, (0.96 + kept) / 2, kept)]
    curve = Curve(name="pgd", axis="eps", at=(0.0, 0.1, 0.2), estimates=tuple(map(share_of, columns)))
    known = {id(one): whole(column) for one, column in zip(curve.estimates, columns, strict=True)} if behind else None
    summary = curve_summary((curve,), chance=0.1, axes={}, behind=known)
    return grade(ATTACKS, {"pgd": StressEntry(summary=summary)}, chance=0.1), summary


def test_the_retention_has_an_interval_that_pairs_make_shorter():
    (graded, paired), (_, apart) = attacked(500, 0.76, behind=True), attacked(500, 0.76, behind=False)
    assert paired.retention == apart.retention == pytest.approx(0.86 / 0.96, abs=1e-3)
    assert apart.retention_lo < paired.retention_lo < paired.retention < paired.retention_hi < apart.retention_hi
    assert (graded.letter, graded.lo, graded.hi) == ("B", paired.retention_lo, paired.retention_hi)
    assert attacked(60, 0.76, behind=True)[0].letter == "A–C"


def test_the_interval_of_a_retention_covers_the_truth_in_95_of_100_samples():
    # 300 samples at 95 % coverage miss 15 +- 3.8; a correct interval misses 33 or more with a chance of 2e-5 (binomial tail)
    generator = np.random.default_rng(2)
    falls, at, missed = (0.0, 0.1, 0.3), (0.0, 0.1, 0.2), 0
    truth = (1 + 2 * 0.9 + 0.7) / 4
    for _ in range(300):
        base, margin = generator.random(200) < 0.9, generator.random(200)
        columns = [base & (margin >= fall) for fall in falls]
        curve = Curve(name="pgd", axis="eps", at=at, estimates=tuple(map(share_of, columns)))
        lo, hi = curve.retention_interval([whole(column) for column in columns])
        missed += not lo <= truth <= hi
    assert missed < 33


def test_a_computed_curve_has_a_retention_without_width_and_one_of_single_values_any():
    known = Curve(name="pgd", axis="eps", at=(0.0, 1.0), estimates=(exact(1.0), exact(0.5)))
    assert known.retention_interval() == pytest.approx((0.75, 0.75))
    single = Curve(name="pgd", axis="eps", at=(0.0, 1.0), estimates=(mean_t([0.9]), mean_t([0.5])))
    lo, hi = single.retention_interval()
    assert (lo, hi) == (0, float("inf"))
    summary = curve_summary((single,), chance=0.1, axes={})
    assert grade(ATTACKS, {"pgd": StressEntry(summary=summary)}, chance=0.1).letter == "A–E"


@pytest.mark.parametrize(("chips", "examples"), [(1, 20), (5, 20), (20, 20)])
def test_the_accuracy_over_chips_is_the_mean_of_what_stands_behind_it(chips, examples):
    found = chips_measured(ChipResults(np.random.default_rng(0).random((chips, examples)) < 0.8))
    accuracy = found.estimates["accuracy"]
    behind = examples_behind([SimpleNamespace(measurement=found)])[id(accuracy)]
    assert behind.values.mean() == pytest.approx(accuracy.value, abs=1e-6)
    assert behind.spread == (chips > 1)
