"""Means over the same examples: their difference knows the pairs, agrees with the exact test, and keeps its coverage."""

import itertools
import math

import numpy as np
import pytest

from holdfast.core.claim import Claim, judge
from holdfast.core.combination import Combination
from holdfast.core.estimate import mcnemar, mean_t, paired_difference, share_of
from holdfast.core.metrics import MetricTable
from holdfast.core.paired import ExampleValues, consistent_difference


def behind(values, **more):
    values = np.asarray(values)
    n = len(values)
    return ExampleValues(**{"values": values, "used": np.ones(n, dtype=bool), "examples": np.arange(n), **more})


def mean(values, **more):
    return Combination.of(share_of(values) if np.asarray(values).dtype == bool else mean_t(values), behind(values, **more))


def pairs(both, lost, won, neither):
    """Right or wrong before and after, in the order both right, lost, won, both wrong."""
    before = np.repeat([True, True, False, False], [both, lost, won, neither])
    return before, np.repeat([True, False, True, False], [both, lost, won, neither])


def verdict(check, before, after, **more):
    table, baseline = MetricTable(pairs=True), MetricTable(pairs=True)
    table.add("clean.accuracy", share_of(after), behind=behind(after, **more))
    baseline.add("clean.accuracy", share_of(before), behind=behind(before))
    return judge([Claim(id="gate.1", statement="", check=check)], table, baseline)[0]


def test_a_significant_fall_of_3_6_points_among_500_fails():
    before, after = pairs(376, 24, 6, 94)  # 0.80 -> 0.764, exact p = 0.0014
    found = verdict("clean.accuracy >= baseline", before, after)
    assert (found.status, round(found.value, 3)) == ("fail", -0.036)
    assert found.reason.endswith("(paired on 500 examples: 24 lost, 6 won, exact p = 0.0014)")
    assert verdict("clean.accuracy >= baseline - 0.1", before, after).status == "pass"
    assert verdict("clean.accuracy >= baseline - 0.036", before, after).status == "undecided"


@pytest.mark.parametrize("check", ["clean.accuracy >= baseline - 0", "clean.accuracy == baseline", "clean.accuracy <= baseline"])
def test_a_network_against_itself_is_exactly_0(check):
    right, _ = pairs(380, 0, 0, 120)
    margins = np.linspace(-1, 1, 500, dtype=np.float32)
    table = MetricTable()
    table.add("clean.accuracy", share_of(right), behind=behind(right, margins=margins))
    again = MetricTable()
    again.add("clean.accuracy", share_of(right), behind=behind(right, margins=margins.copy()))
    [found] = judge([Claim(id="gate.1", statement="", check=check)], table, again)
    assert (found.status, found.value, found.lo, found.hi) == ("pass", 0, 0, 0)
    assert "paired on 500 examples, with equal answers" in found.reason


def test_networks_that_agree_on_every_example_are_not_known_to_be_equal():
    right, _ = pairs(380, 0, 0, 120)
    found = mean(right, margins=np.zeros(500)).minus(mean(right, margins=np.ones(500))).estimate()
    assert found.lo < 0 == found.value < found.hi
    one, same = (mean(right, origin="sha256:1 clean {} correct") for _ in range(2))
    assert one.minus(same).estimate().is_exact


def test_no_verdict_on_a_plain_difference_contradicts_the_exact_test():
    for lost, won, neither in itertools.product(range(0, 40, 3), range(0, 40, 3), (5, 90)):
        before, after = pairs(400 - lost - won, lost, won, neither)
        found, p = consistent_difference(before, after), mcnemar(before, after)
        assert (found.lo <= 0 <= found.hi) == (p > 0.05), (lost, won, neither, p)
        strict = verdict("clean.accuracy > baseline", before, after).status
        assert strict == ("undecided" if p > 0.05 else "pass" if won > lost else "fail")


def test_five_lost_and_none_won_are_not_significant_where_newcombe_alone_says_so():
    before, after = pairs(45, 5, 0, 0)
    assert mcnemar(before, after) == pytest.approx(0.0625)
    assert paired_difference(before, after).hi < 0 < consistent_difference(before, after).hi
    there, back = consistent_difference(before, after), consistent_difference(after, before)
    assert (there.value, there.lo, there.hi) == (-back.value, -back.hi, -back.lo)


def test_sides_on_different_numbers_of_examples_are_paired_on_those_that_both_use():
    before, after = pairs(376, 24, 6, 94)
    order = np.random.default_rng(0).permutation(500)
    before, after = before[order], after[order]
    used = np.arange(500) < 200
    short = Combination.of(share_of(after[:200]), behind(np.where(used, after, False), used=used))
    found = short.minus(mean(before)).estimate()
    expected = consistent_difference(before[:200], after[:200])
    assert (found.value, found.lo, found.hi, found.n) == (expected.value, expected.lo, expected.hi, 200)
    prefix = Combination.of(share_of(after[:200]), behind(after[:200]))  # a run on fewer examples of the same order
    assert prefix.minus(mean(before)).estimate() == found


def test_other_examples_are_taken_as_independent_and_the_reason_says_so():
    before, after = pairs(376, 24, 6, 94)
    found = verdict("clean.accuracy >= baseline", before, after, examples=np.arange(500)[::-1])
    assert found.status == "undecided"
    assert found.reason.endswith("(not paired: the sides hold different examples)")


def test_a_number_without_examples_is_named():
    table, baseline = MetricTable(pairs=True), MetricTable(pairs=True)
    right = np.repeat([True, False], [80, 20])
    table.add("clean.accuracy", share_of(right), behind=behind(right))
    baseline.add("clean.accuracy", share_of(right))
    [found] = judge([Claim(id="gate.1", statement="", check="clean.accuracy >= baseline")], table, baseline)
    assert found.reason.endswith("(not paired: no values per example are kept for clean.accuracy of the baseline)")


def test_a_study_says_nothing_about_pairs():
    table = MetricTable()
    table.add("a", share_of([True, False, True]))
    table.add("b", share_of([True, False, False]))
    [found] = judge([Claim(id="1", statement="", check="a >= b")], table)
    assert "paired" not in found.reason


def test_weighted_sums_reduce_to_the_paired_difference_and_to_one_mean():
    before, after = pairs(376, 24, 6, 94)
    nearly = mean(after).minus(mean(before).scaled(1 + 1e-12)).estimate()
    plain = paired_difference(before, after)
    assert (nearly.value, nearly.lo, nearly.hi) == pytest.approx((plain.value, plain.lo, plain.hi), abs=1e-9)
    thrice = mean(after, margins=np.ones(500)).scaled(3).minus(mean(after, margins=np.ones(500)).scaled(2)).estimate()
    one = share_of(after)
    assert (thrice.value, thrice.lo, thrice.hi) == pytest.approx((one.value, one.lo, one.hi), abs=1e-12)


def test_the_spread_over_chips_adds_to_that_over_examples():
    right, _ = pairs(380, 0, 0, 120)
    shares = np.where(right, 0.95, 0.05)
    over_chips = mean_t([0.73, 0.734, 0.737])
    chips = Combination.of(over_chips, behind(shares, spread=True))
    found = chips.minus(mean(right)).estimate()
    assert found.value == pytest.approx(shares.mean() - right.mean())
    assert found.value - found.lo > over_chips.value - over_chips.lo
    assert found.hi - found.value < math.hypot(over_chips.hi - over_chips.value, share_of(right).hi - share_of(right).value)


def test_a_weighted_difference_covers_the_truth_in_95_of_100_samples():
    # 400 samples at 95 % coverage miss 20 +- 4.4; a correct interval misses 40 or more with a chance of 2e-5 (binomial tail)
    generator = np.random.default_rng(1)
    missed = 0
    for _ in range(400):
        before = generator.random(150) < 0.8
        after = np.where(generator.random(150) < 0.9, before, generator.random(150) < 0.5)
        found = mean(after).minus(mean(before).scaled(0.9)).estimate()
        truth = 0.9 * 0.8 + 0.1 * 0.5 - 0.9 * 0.8
        missed += not found.lo <= truth <= found.hi
    assert missed < 40
