"""Numbers, strengths and verdicts in words."""

import math

import pytest
import report_samples as samples

from holdfast.report import ClaimEntry, Document, RunEntry
from holdfast.report.verdicts import verdict
from holdfast.report.wording import common_factor, estimate_text, gist, interval, number, strength, threshold


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5, 12.0, 48210.0, 0.00123, 9.996, 99.95, 0.9995, -3.25, 2.5e-9, 7.1e12, 123456.0])
def test_a_number_in_words_is_the_number_to_three_digits(value):
    words = number(value).replace("\u202f", "").replace("−", "-")
    factor, _, power = words.rpartition("×10") if "×10" in words else (words, "", "")
    if not power and words.startswith("10") and words[2:3] in "⁻⁰¹²³⁴⁵⁶⁷⁸⁹" and words[2:]:
        factor, power = "1", words[2:]
    exponent = int(power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))) if power else 0
    assert math.isclose(float(factor) * 10.0**exponent, value, rel_tol=5.1e-3)


def test_a_share_just_below_one_is_not_rounded_to_one():
    assert number(0.99971) == "0.9997"
    assert number(1.0) == "1"


def test_the_ends_of_an_interval_have_the_places_of_its_value():
    assert interval(0.5, 0.4, 0.6) == "0.500 [0.400, 0.600]"
    assert interval(31.21, 28.1, 34.9) == "31.2 [28.1, 34.9]"
    assert interval(4.1e-6, 3.7e-6, 4.6e-6) == "4.1×10⁻⁶ [3.7×10⁻⁶, 4.6×10⁻⁶]"


def test_an_interval_without_ends_is_its_number():
    assert interval(0.5, None, None) == "0.5"
    assert interval(None, None, None) == "–"


def test_attack_sizes_are_told_in_levels_only_where_they_are_whole_levels():
    assert strength("eps", 8 / 255) == "8/255"
    assert strength("eps", 0.1) == "0.1"
    assert strength("eps", 51 / 255) == "0.2"
    assert strength("sigma", 8 / 255) == "0.0314"


def test_every_estimate_of_a_report_can_be_told():
    told = [estimate_text(metric) for _, _, point in samples.audit_document().points() for metric in point.metrics.values()]
    assert told
    assert not [words for words in told if "nan" in words or "e-" in words]


def test_gates_are_told_without_their_path():
    assert gist("device.weight_noise.p05[sigma=0.05] >= 0.95") == "weight noise 5th percentile at sigma 0.05"
    assert gist("clean.accuracy >= 0.9") == "clean accuracy"
    assert gist("Retraining helps.") == "Retraining helps"


def claims(*statuses):
    return [ClaimEntry(id=str(place), statement=f"sentence {place}", status=status) for place, status in enumerate(statuses)]


@pytest.mark.parametrize(
    ("statuses", "sentence"),
    [
        (["pass"], "The gate holds."),
        (["pass", "pass"], "All 2 gates hold."),
        (["undecided"], "The gate is undecided."),
        (["pass", "pass", "undecided", "undecided", "undecided"], "3 of 5 gates are undecided; 2 hold."),
        (["undecided", "undecided", "undecided"], "3 of 3 gates are undecided."),
        (["undecided", "error"], "1 of 2 gates is undecided; 1 could not be judged."),
        (["error", "pass"], "1 of 2 gates could not be judged; 1 holds."),
        (["fail"], "The gate fails: sentence 0."),
        (["fail", "pass"], "1 of 2 gates fails: sentence 0; 1 holds."),
        (
            ["fail", "fail", "undecided", "error"],
            "2 of 4 gates fail: sentence 0 and sentence 1; 1 is undecided; 1 could not be judged.",
        ),
        (["fail"] * 5, "5 of 5 gates fail: sentence 0, sentence 1, sentence 2 and 2 more."),
    ],
)
def test_the_verdict_counts_every_gate(statuses, sentence):
    assert verdict(Document(run=RunEntry(id="a"), gates=claims(*statuses))) == sentence


def test_thresholds_are_read_as_the_judge_writes_them():
    assert threshold(">= 0 (left - right)") == (">=", 0.0)
    assert threshold("<= 1.5e-3") == ("<=", 1.5e-3)
    assert threshold("== 8/255") == ("==", 8 / 255)
    assert threshold("between one and two") is None


def test_an_axis_of_tiny_numbers_gets_a_common_power_of_ten():
    factor, words = common_factor([1e-6, 5e-6])
    assert (5e-6 / factor, words) == (pytest.approx(5.0), " / 10⁻⁶")
    assert common_factor([0.0, 0.0]) == (1.0, "")
