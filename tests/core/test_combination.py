"""Intervals of sums and differences hold what they promise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from holdfast.core.combination import Combination
from holdfast.core.estimate import Estimate, exact, mean_t, paired_difference, proportion

NUMBERS = st.floats(-100, 100)


def interval(combination):
    estimate = combination.estimate()
    return estimate.lo, estimate.hi


@st.composite
def estimates(draw):
    lo, value, hi = sorted(draw(st.tuples(NUMBERS, NUMBERS, NUMBERS)))
    return Estimate(value, lo, hi, 10, "drawn")


# R. G. Newcombe, Stat. Med. 17 (1998) 873, table II, method 10: MOVER of two Wilson intervals, four decimals as printed
@pytest.mark.parametrize(
    ("one", "two", "lo", "hi"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090)],
)
def test_differences_of_proportions_are_those_of_newcombes_table(one, two, lo, hi):
    ends = interval(Combination.of(proportion(*one)).minus(Combination.of(proportion(*two))))
    assert tuple(round(end, 4) for end in ends) == (lo, hi)


def test_the_interval_of_a_difference_covers_it():
    # exact enumeration over all outcomes of two independent samples of 40
    n, shares = 40, (0.3, 0.5, 0.8, 0.95)
    counts = np.arange(n + 1)
    samples = [proportion(int(hits), n) for hits in counts]
    ends = np.array([[interval(Combination.of(a).minus(Combination.of(b))) for b in samples] for a in samples])
    for p in shares:
        for q in shares:
            weight = np.outer(binom.pmf(counts, n, p), binom.pmf(counts, n, q))
            covered = (weight * ((ends[..., 0] <= p - q) & (p - q <= ends[..., 1]))).sum()
            assert covered > 0.92, f"{p} - {q} is covered in {covered:.3f} of all cases"


def test_answers_to_the_same_examples_make_the_difference_wider_than_needed_never_narrower():
    # 900 right twice, 20 lost, 10 won: strongly correlated, as two runs on one test set are
    before, after = (
        np.repeat([True, True, False, False], [900, 20, 10, 70]),
        np.repeat([True, False, True, False], [900, 20, 10, 70]),
    )
    one, two = (Combination.of(proportion(int(answers.sum()), 1000)) for answers in (before, after))
    lo, hi = interval(two.minus(one))
    paired = paired_difference(before, after)
    assert lo < paired.lo < paired.hi < hi


def test_the_mean_of_two_equal_runs_is_no_surer_than_one_run():
    # two metrics that always agree have correlation 1: their mean has the interval of either
    one, copy = proportion(80, 100), Estimate(**proportion(80, 100).to_json())
    mean = Combination.of(one).plus(Combination.of(copy)).scaled(0.5)
    assert interval(mean) == pytest.approx((one.lo, one.hi), abs=1e-12)


def test_an_estimate_taken_from_itself_leaves_exactly_nothing():
    accuracy = Combination.of(proportion(80, 100))
    assert accuracy.minus(accuracy).is_constant
    assert accuracy.plus(accuracy).minus(accuracy.scaled(2.0)).estimate() == exact(0)


@given(estimates(), NUMBERS)
def test_scaling_and_shifting_move_the_ends_along(estimate, factor):
    ends = sorted((factor * estimate.lo + 3, factor * estimate.hi + 3))
    assert interval(Combination.of(estimate).scaled(factor).plus(Combination(3.0))) == pytest.approx(ends, abs=1e-9)


@given(estimates(), estimates(), st.floats(0, 1), st.floats(0, 1))
def test_products_and_sizes_enclose_all_products_and_sizes(one, two, s, t):
    x, y = one.lo + s * (one.hi - one.lo), two.lo + t * (two.hi - two.lo)
    lo, hi = interval(Combination.of(one).times(Combination.of(two)))
    assert lo - 1e-9 <= x * y <= hi + 1e-9
    lo, hi = interval(Combination.of(one).size())
    assert lo - 1e-9 <= abs(x) <= hi + 1e-9


def test_a_size_that_may_be_zero_begins_at_zero():
    assert interval(Combination.of(Estimate(-0.1, -0.3, 0.2, 10, "drawn")).size()) == (0.0, 0.3)
    assert interval(Combination.of(Estimate(-0.2, -0.3, -0.1, 10, "drawn")).size()) == (0.1, 0.3)


def test_an_unbounded_interval_stays_unbounded():
    single = Combination.of(mean_t([0.4]))
    assert interval(single.minus(Combination.of(proportion(1, 2)))) == (-math.inf, math.inf)
    assert interval(single.times(Combination.of(Estimate(0.0, 0.0, 1.0, 4, "drawn")))) == (-math.inf, math.inf)
    assert single.scaled(0.0).estimate() == exact(0)
