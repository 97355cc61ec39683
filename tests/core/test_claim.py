"""One judge: a verdict follows from where the interval lies, and what was not measured never passes."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from holdfast.core.claim import Claim, MetricTable, judge
from holdfast.core.errors import InputError
from holdfast.core.estimate import Estimate, exact, proportion


def verdict(check, baseline=None, /, **estimates):
    table = MetricTable()
    for path, estimate in estimates.items():
        table.add(path, estimate)
    [result] = judge([Claim(id="c", statement="s", check=check)], table, baseline)
    return result


BAND = Estimate(0.5, 0.4, 0.6, 100, "drawn")


@pytest.mark.parametrize(
    ("check", "status"),
    [
        ("a >= 0.39", "pass"),
        ("a >= 0.4", "pass"),  # the whole interval satisfies it, its end included
        ("a > 0.4", "undecided"),
        ("a >= 0.5", "undecided"),
        ("a >= 0.6", "undecided"),
        ("a > 0.6", "fail"),  # none of it does
        ("a >= 0.61", "fail"),
        ("a <= 0.6", "pass"),
        ("a < 0.6", "undecided"),
        ("a < 0.61", "pass"),
        ("a <= 0.4", "undecided"),
        ("a < 0.4", "fail"),
        ("a == 0.5", "undecided"),
        ("a == 0.7", "fail"),
        ("0.3 <= a", "pass"),
        ("abs(a - 0.5) <= 0.1", "pass"),
        ("abs(a - 0.5) <= 0.05", "undecided"),
        ("abs(a - 0.8) <= 0.1", "fail"),
        ("-2 * a >= -1.2", "pass"),
        ("a >= a - 0.01", "pass"),  # it stands on both sides and cancels
        ("a > a", "fail"),
        ("a * a <= 0.36", "pass"),
        ("a * b >= 0.45", "undecided"),
        ("b == 1", "pass"),
        ("b < 1", "fail"),
    ],
)
def test_the_interval_decides(check, status):
    assert verdict(check, a=BAND, b=exact(1)).status == status


@given(st.floats(0, 1), st.sampled_from([">=", "<=", ">", "<"]))
def test_a_check_and_its_opposite_never_agree(threshold, operator):
    opposite = {">=": "<", "<=": ">", ">": "<=", "<": ">="}[operator]
    one, other = (verdict(f"a {sign} {threshold!r}", a=BAND).status for sign in (operator, opposite))
    assert (one, other) in {("pass", "fail"), ("fail", "pass"), ("undecided", "undecided")}


def test_rounding_decides_nothing():
    # 0.1 + 0.2 is 0.30000000000000004 in binary
    assert verdict("a + b <= 0.3", a=exact(0.1), b=exact(0.2)).status == "pass"
    assert verdict("a + b > 0.3", a=exact(0.1), b=exact(0.2)).status == "fail"
    assert verdict("a == 0.3 - 0.1", a=exact(0.2)).status == "pass"
    assert verdict("a > 0", a=exact(1e-300)).status == "pass"


def test_a_gate_at_the_true_value_is_seldom_decided_wrongly():
    # 1000 examples of a network whose accuracy is exactly the threshold: a decision either way is an error, and the two together
    # have the error rate of the 95 % interval, by exact enumeration
    n, truth = 1000, 0.9
    hits = np.arange(820, 961)
    decided = np.array([verdict(f"a >= {truth}", a=proportion(int(k), n)).status != "undecided" for k in hits])
    assert 0.03 < float(binom.pmf(hits, n, truth) @ decided) < 0.06


EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", "c.d"]) | st.integers(0, 9).map(str) | st.sampled_from(["8/255", "1e-3", "2.5"]),
    lambda part: (
        st.builds("{} {} {}".format, part, st.sampled_from("+-*"), part)
        | st.builds("({})".format, part)
        | st.builds("abs({})".format, part)
        | st.builds("-{}".format, part)
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
def test_expressions_mean_what_they_mean_in_python(text):
    values = {"a": 0.75, "b": -2.0, "c": 0.5}
    expected = eval(text.replace("c.d", "c"), {"abs": abs, **values})  # our own text; the product itself evaluates nothing
    table = MetricTable()
    for path, value in (("a", 0.75), ("b", -2.0), ("c.d", 0.5)):
        table.add(path, exact(value))
    [result] = judge([Claim(id="c", statement="s", check=f"{text} + 0 * a >= 0")], table)
    assert result.value == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_against_a_constant_the_left_side_is_shown_and_otherwise_the_difference():
    one = verdict("a >= 0.30 + 0.1", a=BAND)
    assert (one.value, one.lo, one.hi, one.expected) == (0.5, 0.4, 0.6, ">= 0.30 + 0.1")
    other = verdict("a >= b - 0.1", a=BAND, b=Estimate(0.5, 0.3, 0.7, 50, "drawn"))
    assert other.value == pytest.approx(0.1)
    # the distances 0.1 of the left and 0.2 of the right side add by their squares
    assert (other.lo, other.hi) == pytest.approx((0.1 - math.sqrt(0.05), 0.1 + math.sqrt(0.05)))
    assert other.expected == ">= 0 (left - right)"


def test_baseline_is_the_left_sides_own_value_before():
    before = MetricTable()
    before.add("a", exact(0.55))
    assert verdict("a >= baseline - 0.02", before, a=exact(0.53)).status == "pass"
    assert verdict("a >= baseline - 0.01", before, a=exact(0.53)).status == "fail"
    assert verdict("1 - a <= 1.1 * baseline", before, a=exact(0.5)).status == "fail"  # 0.5 <= 1.1 * 0.45


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ("b >= 0", "unknown metric b"),
        ("skipped.accuracy <= 1", "was not measured: over budget"),
        ("a >= baseline", "no baseline run was given"),
        ("broken < 1", "not a number"),
    ],
)
def test_what_was_not_measured_is_an_error_and_never_passes(check, reason):
    table = MetricTable()
    table.add("a", BAND)
    table.add("broken", Estimate(math.nan, math.nan, math.nan, 0, "none"))
    table.mark_missing("skipped", "over budget")
    [result] = judge([Claim(id="c", statement="s", check=check)], table)
    assert result.status == "error"
    assert reason in result.reason
    assert (result.value, result.lo, result.hi) == (None, None, None)


def test_what_the_baseline_lacks_is_an_error_that_says_so():
    assert verdict("a >= baseline", MetricTable(), a=BAND).reason.startswith("In the baseline run: ")


def test_one_broken_claim_leaves_the_others_judged():
    table = MetricTable()
    table.add("a", BAND)
    claims = [Claim(id=str(k), statement="s", check=check) for k, check in enumerate(["x > 0", "a > 0", "a > 1"])]
    assert [result.status for result in judge(claims, table)] == ["error", "pass", "fail"]


def test_a_typo_is_refused_when_the_claim_is_written():
    with pytest.raises(InputError, match="Write == for equality"):
        Claim(id="gate.1", statement="s", check="a = 1")


def test_json_has_the_agreed_fields_and_no_infinity():
    claim = Claim(id="gate.2", statement="It holds", check="a >= 0.4", source="user", note="n")
    table = MetricTable()
    table.add("a", Estimate(0.31, -math.inf, 0.34, 1, "t"))
    entry = judge([claim], table)[0].to_json()
    assert json.loads(json.dumps(entry, allow_nan=False)) == entry
    fields = {"id": "gate.2", "statement": "It holds", "status": "fail", "value": 0.31, "lo": None, "hi": 0.34}
    assert entry.items() >= (fields | {"expected": ">= 0.4", "source": "user"}).items()


def test_more_examples_turn_undecided_into_a_decision():
    statuses = [verdict("a >= 0.9", a=proportion(round(0.93 * n), n)).status for n in (30, 100, 300, 1000, 3000)]
    assert statuses[0] == "undecided"
    assert statuses[-1] == "pass"
    assert statuses == sorted(statuses, key=["undecided", "pass"].index)
