"""A plan that is revised while it is run uses its limit, and a restart follows it as it was followed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import holdfast
from holdfast.auditing.plan import LEAST_EXAMPLES, make_plan
from holdfast.auditing.pricing import Prices
from holdfast.auditing.revision import Taken, next_line, revised
from holdfast.auditing.stresses.adversarial import FGSM, PGD
from holdfast.auditing.stresses.clean import Clean
from holdfast.auditing.stresses.device import WeightNoise
from holdfast.auditing.stresses.precision import WeightBits
from holdfast.core.store import Store
from holdfast.core.stress import Facts

FACTS = Facts(shape=(1, 28, 28), classes=10, examples=1000)
PRICES = Prices(forward=1e-3, backward=2e-3)
SIZES = (0.0, 0.1, 0.2)
STRESSES = (Clean(), FGSM(eps=SIZES), PGD(eps=SIZES, steps=10), WeightBits(), WeightNoise())


def followed(plan, seconds, factors):
    """The plan in the end and the seconds used, where each stress takes its factor times what the prices say."""
    used, taken = 0.0, {}
    while (line := next_line(plan, taken)) is not None:
        at_first = make_plan([line.stress], FACTS, PRICES).lines[0].seconds
        real = factors[line.stress.name] * at_first
        used += real
        taken[line.stress.name] = Taken(predicted=line.seconds, seconds=real)
        plan = revised(plan, taken, seconds=seconds - used, queries=None)
    return plan, used


def limited(seconds, **options):
    return make_plan(STRESSES, FACTS, PRICES, seconds=(seconds + 2.0) / 0.95, **options)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.5, 2.0), st.floats(30.0, 150.0))
def test_a_budget_is_used_however_wrong_the_prices_were(factor, seconds):
    plan, used = followed(limited(seconds), seconds, dict.fromkeys((stress.name for stress in STRESSES), factor))
    assert used <= 1.02 * seconds
    if any(line.decision == "reduced" and line.examples > LEAST_EXAMPLES for line in plan.lines):
        assert used >= 0.85 * seconds


def test_dear_stresses_leave_less_and_cheap_ones_more_for_those_that_have_not_begun():
    before = limited(60.0)
    examples = {line.stress.name: line.examples for line in before.lines}
    assert examples["pgd"] < 1000
    for factor, grown in ((2.0, False), (0.5, True)):
        taken = {name: Taken(predicted=5.0, seconds=5.0 * factor) for name in ("clean", "weight_bits")}
        after = {line.stress.name: line.examples for line in revised(before, taken, seconds=55.0, queries=None).lines}
        assert after["clean"] == examples["clean"]
        assert (after["pgd"] > examples["pgd"]) == grown


def test_what_gates_need_comes_first_and_what_was_made_smaller_last():
    plan, taken, order = limited(60.0, gated={"weight_noise"}), {}, []
    while (line := next_line(plan, taken)) is not None:
        order.append((line.stress.name, line.decision))
        taken[line.stress.name] = Taken(predicted=line.seconds, seconds=line.seconds)
    assert [name for name, _ in order[:2]] == ["clean", "weight_noise"]
    decisions = [decision for _, decision in order]
    assert decisions == sorted(decisions, key=["run", "reduced"].index)


def test_times_of_points_that_were_kept_say_nothing():
    plan = limited(60.0)
    kept = {"clean": Taken(predicted=1.0, seconds=None)}
    known = {"clean": Taken(predicted=1.0, seconds=1.0)}
    assert revised(plan, kept, seconds=60.0, queries=None) == revised(plan, known, seconds=60.0, queries=None)


def test_a_stored_plan_is_followed_as_it_stands():
    plan = limited(60.0)
    stored = make_plan(STRESSES, FACTS, Prices(forward=0.0, backward=0.0)).like(plan.rows())
    taken = {"clean": Taken(predicted=1.0, seconds=100.0)}
    assert revised(stored, taken, seconds=1.0, queries=None) is stored


@pytest.fixture(scope="module")
def few_queries(digits_cnn, digits_small, tmp_path_factory):
    """An audit with few queries, in which the search by scores needs fewer than it may ask."""
    out = tmp_path_factory.mktemp("few") / "run"
    options = {
        "access": "scores",
        "max_queries": 9000,
        "stresses": ["clean", "square", "hopskipjump"],
        "settings": {"adversarial": {"square": {"queries": 60, "eps": 0.3}, "hopskipjump": {"queries": 60, "examples": 500}}},
        "out": str(out),
        "threads": 1,
    }
    return holdfast.audit(digits_cnn, digits_small[1], **options), out, digits_cnn, digits_small[1], options


def test_queries_that_a_stress_did_not_need_go_to_the_next(few_queries):
    report, out, *_ = few_queries
    rows = {row["stress"]: row for row in Store.read(out).fact("plan")["rows"]}
    asked = {stress: entry.points[0].queries for _, stress, entry in report.document.placed_stresses() if entry.points[0].queries}
    left = 9000 - report.document.run.queries
    assert asked["square"] < rows["square"]["queries"]
    assert rows["hopskipjump"]["examples"] > (9000 - 256 - rows["clean"]["queries"] - rows["square"]["queries"]) // 61
    assert left >= 0


def test_a_restart_measures_nothing_again(few_queries):
    report, out, network, data, options = few_queries
    before = Store.read(out).fact("plan")["rows"]
    again = holdfast.audit(network, data, **options)
    assert Store.read(out).fact("plan")["rows"] == before
    points = [[point.metrics for _, _, point in one.document.points()] for one in (report, again)]
    assert points[0] == points[1]
    assert [entry.reason for entry in again.document.reduced] == [entry.reason for entry in report.document.reduced]


def test_a_stress_that_was_left_out_is_taken_up_where_the_others_leave_time():
    before = limited(2.0)
    left_out = {line.stress.name for line in before.lines if line.decision == "skipped"}
    assert left_out
    taken = {"clean": Taken(predicted=1.0, seconds=0.2)}
    after = {line.stress.name: line for line in revised(before, taken, seconds=60.0, queries=None).lines}
    assert all(after[name].decision != "skipped" and after[name].examples > LEAST_EXAMPLES for name in left_out)


def test_the_first_pass_of_a_run_decides_little():
    plan = limited(60.0)
    warming = {"clean": Taken(predicted=0.1, seconds=1.0)}
    after = {line.stress.name: line.examples for line in revised(plan, warming, seconds=60.0, queries=None).lines}
    before = {line.stress.name: line.examples for line in plan.lines}
    assert after["pgd"] > before["pgd"] / 3, "tenfold the price of one small stress is not tenfold that of all"
