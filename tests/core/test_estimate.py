"""Statistics against published tables, exact enumeration and SciPy."""

import json
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binom, binomtest, norm, spearmanr
from scipy.stats import t as student

from holdfast.core.errors import InputError
from holdfast.core.estimate import (
    Estimate,
    bootstrap,
    cluster_bootstrap,
    exact,
    extreme,
    holm,
    mcnemar,
    mean_t,
    paired_difference,
    proportion,
    share_of,
    spearman,
)

ANSWERS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


# R. G. Newcombe, Stat. Med. 17 (1998) 857, table I, method 3 (score), four decimals as printed
@pytest.mark.parametrize(
    ("hits", "n", "lo", "hi"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_are_those_of_newcombes_table(hits, n, lo, hi):
    estimate = proportion(hits, n)
    assert (round(estimate.lo, 4), round(estimate.hi, 4)) == (lo, hi)


@pytest.mark.parametrize(("hits", "n", "level"), [(3, 17, 0.95), (40, 41, 0.99), (500, 1000, 0.9)])
def test_wilson_ends_are_where_the_score_test_just_rejects(hits, n, level):
    share, z = hits / n, norm.isf((1 - level) / 2)

    def score(p: float) -> float:
        return abs(share - p) - z * math.sqrt(p * (1 - p) / n)

    estimate = proportion(hits, n, level=level)
    assert estimate.lo == pytest.approx(brentq(score, 1e-12, share, xtol=1e-14), abs=1e-12)
    assert estimate.hi == pytest.approx(brentq(score, share, 1 - 1e-12, xtol=1e-14), abs=1e-12)


@pytest.mark.parametrize("n", [20, 100, 400])
def test_wilson_covers_the_truth_as_often_as_it_says(n):
    intervals = [proportion(hits, n) for hits in range(n + 1)]
    truth = np.linspace(0.05, 0.95, 181)
    covered = np.array([(e.lo <= truth) & (truth <= e.hi) for e in intervals])
    coverage = (covered * binom.pmf(np.arange(n + 1)[:, None], n, truth)).sum(0)
    assert 0.945 < coverage.mean() < 0.96
    assert coverage.min() > 0.91


@given(st.integers(1, 500), st.data())
def test_wilson_of_the_misses_mirrors_wilson_of_the_hits(n, data):
    hits = data.draw(st.integers(0, n))
    one, other = proportion(hits, n), proportion(n - hits, n)
    assert one.lo == pytest.approx(1 - other.hi, abs=1e-12)
    assert 0 <= one.lo <= one.value <= one.hi <= 1


def test_a_share_counts_true_values():
    assert share_of(np.array([True, False, True, True]), level=0.9) == proportion(3, 4, level=0.9)


@pytest.mark.parametrize("hits", [[0.5, 1.0], [[True], [False]], [1, 0], []])
def test_a_share_of_anything_else_is_refused(hits):
    with pytest.raises(InputError, match="`hits` is an array of"):
        share_of(hits)


def test_mean_interval_is_students():
    values = np.random.default_rng(3).normal(2.0, 0.3, 11)
    lo, hi = student.interval(0.9, 10, values.mean(), values.std(ddof=1) / math.sqrt(11))
    estimate = mean_t(values, level=0.9)
    assert (estimate.lo, estimate.hi) == pytest.approx((lo, hi), rel=1e-12)
    assert estimate.n == 11


def test_one_value_says_nothing_about_the_spread():
    estimate = mean_t([0.7])
    assert (estimate.value, estimate.lo, estimate.hi) == (0.7, -math.inf, math.inf)


def test_bootstrap_covers_a_mean_about_as_often_as_it_says():
    # With n = 40 normal values the percentile interval of a mean covers P(|t_39| < 1.96 sqrt(39/40)) = 0.940. Over 300 seeded
    # repeats a true coverage within [0.92, 0.96] leaves the band below with a probability under 2e-6.
    assert 1 - 2 * student.sf(norm.isf(0.025) * math.sqrt(39 / 40), 39) == pytest.approx(0.940, abs=1e-3)
    repeats, samples = 300, np.random.default_rng(11).normal(0.0, 1.0, (300, 40))
    estimates = [bootstrap(sample, seed=index, resamples=300) for index, sample in enumerate(samples)]
    hits = sum(e.lo <= 0.0 <= e.hi for e in estimates)
    assert binom.ppf(1e-6, repeats, 0.92) <= hits <= binom.isf(1e-6, repeats, 0.96)


def test_bootstrap_takes_any_statistic_of_rows_and_repeats_with_its_seed():
    rows = np.random.default_rng(0).normal(size=(50, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
    correlation = lambda sample: float(np.corrcoef(sample.T)[0, 1])  # noqa: E731 - the statistic under test, nothing more
    one, again, other = (bootstrap(rows, correlation, seed=seed, resamples=200) for seed in (1, 1, 2))
    assert one == again != other
    assert one.value == pytest.approx(np.corrcoef(rows.T)[0, 1])
    assert one.lo < one.value < one.hi


def test_clusters_of_one_are_plain_rows():
    values = np.random.default_rng(5).random(30)
    plain, clustered = bootstrap(values, seed=4), cluster_bootstrap(values, np.arange(30), seed=4)
    assert (plain.value, plain.lo, plain.hi, plain.n) == (clustered.value, clustered.lo, clustered.hi, clustered.n)


def test_copies_within_a_cluster_bring_no_information():
    values = np.random.default_rng(6).random(12)
    single = bootstrap(values, seed=9)
    copied = cluster_bootstrap(np.repeat(values, 7), np.repeat(np.arange(12), 7), seed=9)
    assert (copied.lo, copied.hi) == pytest.approx((single.lo, single.hi), abs=1e-12)
    assert copied.n == 12
    assert bootstrap(np.repeat(values, 7), seed=9).hi < copied.hi


def test_cluster_labels_may_be_words_in_any_order():
    values = np.arange(6.0)
    by_word = cluster_bootstrap(values, ["b", "a", "b", "c", "a", "c"], seed=1)
    by_number = cluster_bootstrap(values, [1, 0, 1, 2, 0, 2], seed=1)
    assert by_word == by_number


@given(ANSWERS)
def test_mcnemar_is_the_sign_test_on_the_discordant_pairs(answers):
    before, after = np.array(answers).T
    lost, won = int((before & ~after).sum()), int((~before & after).sum())
    expected = binomtest(lost, lost + won).pvalue if lost + won else 1.0
    assert mcnemar(before, after) == pytest.approx(expected, rel=1e-9)


@given(ANSWERS)
@example([(False, True)] * 8 + [(True, False)] * 7)  # two tails that rounding once told apart
def test_swapping_the_models_negates_the_difference_and_keeps_the_p_value(answers):
    before, after = np.array(answers).T
    one, other = paired_difference(before, after), paired_difference(after, before)
    assert (one.value, one.lo, one.hi) == (-other.value, -other.hi, -other.lo)
    assert mcnemar(before, after) == mcnemar(after, before)


# R. G. Newcombe, Stat. Med. 17 (1998) 2635, table III, rows of method 10; cells: right twice, won, lost, wrong twice
@pytest.mark.parametrize(
    ("cells", "lo", "hi"),
    [
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((20, 12, 2, 16), 0.0562, 0.3292),
        ((35, 14, 0, 1), 0.1461, 0.4175),
        ((2, 97, 1, 0), 0.8721, 0.9854),
        ((0, 30, 0, 0), 0.8395, 1.0),
        ((54, 0, 0, 0), -0.0664, 0.0664),
        ((27, 0, 0, 27), -0.0351, 0.0351),
    ],
)
def test_paired_intervals_are_those_of_newcombes_table(cells, lo, hi):
    after = np.repeat([True, True, False, False], cells)
    before = np.repeat([True, False, True, False], cells)
    estimate = paired_difference(before, after)
    assert (round(estimate.lo, 4), round(estimate.hi, 4)) == (lo, hi)
    assert estimate.value == (cells[1] - cells[2]) / sum(cells)


def test_paired_interval_covers_the_difference_of_correlated_answers():
    # exact enumeration of all outcomes of 25 pairs with cell probabilities as an audit meets them: mostly right twice
    probabilities, n = np.array([0.70, 0.05, 0.15, 0.10]), 25
    covered = 0.0
    for both in range(n + 1):
        for won in range(n + 1 - both):
            for lost in range(n + 1 - both - won):
                cells = np.array([both, won, lost, n - both - won - lost])
                log_chance = math.lgamma(n + 1) + sum(
                    k * math.log(p) - math.lgamma(k + 1) for k, p in zip(cells, probabilities, strict=True)
                )
                if log_chance < math.log(1e-9):
                    continue
                before, after = np.repeat([True, False, True, False], cells), np.repeat([True, True, False, False], cells)
                estimate = paired_difference(before, after)
                covered += math.exp(log_chance) * (estimate.lo <= -0.10 <= estimate.hi)
    assert 0.93 < covered < 0.99


def test_holm_gives_the_smallest_level_at_which_the_step_down_rejects():
    # S. Holm's procedure itself: go up the sorted p-values while p_(k) <= level / (m - k + 1)
    p_values = [0.01, 0.04, 0.03, 0.005, 0.2]

    def rejected(level: float) -> set[int]:
        order = sorted(range(5), key=p_values.__getitem__)
        stop = next((rank for rank, index in enumerate(order) if p_values[index] > level / (5 - rank)), 5)
        return set(order[:stop])

    for index, adjusted in enumerate(holm(p_values)):
        assert index in rejected(adjusted + 1e-12)
        assert index not in rejected(adjusted - 1e-12)


def test_holm_on_four_p_values_worked_by_hand():
    # sorted .005 .01 .03 .04 times 4 3 2 1 = .02 .03 .06 .04, made monotone: .02 .03 .06 .06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.6, 0.7]) == [1.0, 1.0]


@pytest.mark.parametrize(
    "estimate", [proportion(3, 7), mean_t([0.5]), exact(4), Estimate(math.nan, -math.inf, math.inf, 0, "none")]
)
def test_estimates_survive_json(estimate):
    again = Estimate.from_json(json.loads(json.dumps(estimate.to_json(), allow_nan=False)))
    assert str(again) == str(estimate)
    assert again.to_json() == estimate.to_json()


def test_the_interval_of_an_extreme_covers_where_all_are_equal():
    """The largest of four equal means at joint level 0.95: of 1000 draws more than 91 in 1000 missing has chance below 1e-7."""
    generator = np.random.default_rng(0)
    drawn = generator.normal(size=(1000, 4, 12))
    found = [extreme(mean_t(sample, level=1 - 0.05 / 4) for sample in samples) for samples in drawn]
    assert np.mean([one.lo <= 0 <= one.hi for one in found]) > 1 - 0.091
    assert np.mean([one.value for one in found]) > 0.2, "the value alone would claim a rise"
    least = extreme([exact(2.0), exact(3.0)], "least")
    assert (least.value, least.level) == (2.0, 1.0)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: proportion(5, 4), "`hits` is 5; allowed: whole numbers from 0 to 4"),
        (lambda: proportion(0, 0), "`n` is 0"),
        (lambda: proportion(1, 2, level=0.0), "`level` is 0.0"),
        (lambda: proportion(1, 2, level=1.5), "`level` is 1.5"),
        (lambda: mean_t([]), "`values` is empty"),
        (lambda: extreme([]), "`estimates` is empty"),
        (lambda: extreme([exact(1.0)], "most"), "largest, least"),
        (lambda: bootstrap([]), "has 0 rows"),
        (lambda: cluster_bootstrap([1.0, 2.0], [1]), "2 rows for 1 cluster labels"),
        (lambda: mcnemar([True], [True, False]), "`after` has shape (2,)"),
        (lambda: paired_difference([True], [True, False]), "`after` has shape (2,)"),
        (lambda: Estimate(0.5, 0.6, 0.7, 10, "wrong"), "outside [0.6, 0.7]"),
    ],
)
def test_bad_input_is_refused_with_a_reason(call, part):
    with pytest.raises(InputError) as refusal:
        call()
    assert part in str(refusal.value)


@pytest.mark.parametrize("interval", ["bonett-wright", "bootstrap"])
def test_rank_correlation_is_scipys_and_its_interval_covers(interval):
    generator = np.random.default_rng(0)
    x = generator.integers(0, 6, 80)
    y = x + generator.normal(size=80) * 4
    found = spearman(x, y, interval=interval)
    assert found.value == pytest.approx(spearmanr(x, y).statistic)
    assert -1 < found.lo < found.value < found.hi < 1
    assert (found.n, found.method) == (80, f"spearman, {interval}")
    # independent samples: the 95 % interval holds 0 in at least 80 of 100 cases; P[binomial(100, 0.05) > 20] < 1e-8
    pairs = generator.normal(size=(100, 2, 40))
    assert sum((one := spearman(*pair, interval=interval, resamples=200)).lo <= 0 <= one.hi for pair in pairs) >= 80


def test_rank_correlation_is_of_ranks_alone():
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(2, 30))
    assert spearman(x, y) == spearman(np.exp(x), y**3)
    assert spearman(x, y).value == pytest.approx(-spearman(x, -y).value)
    assert spearman(x, x).is_exact
    assert math.isnan(spearman(np.ones(5), np.arange(5)).value)
    assert spearman([0, 0, 0, 1], [0, 1, 2, 3], interval="bootstrap").lo <= 0  # some resamples never vary


@pytest.mark.parametrize(("arguments", "words"), [(([1, 2], [1, 2]), "at least 4"), (([1, 2, 3, 4], [1, 2, 3]), "3")])
def test_too_few_or_unpaired_ranks_are_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        spearman(*arguments)
