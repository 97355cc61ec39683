"""What is kept of attacks by queries, and two of them on the same examples."""

import numpy as np
import pytest
import torch

from holdfast.attacks import ThreatModel, loss_gradient, p_rgf
from holdfast.attacks.query import compare_queries, query_record, success_by_queries
from holdfast.core.errors import InputError
from holdfast.core.target import Target
from holdfast.nets import mlp


def run(success, queries):
    return {"success": np.array(success), "queries": np.array(queries)}


@pytest.fixture(scope="module")
def recorded():
    """An attack with the victim's own gradient as its prior, which is also the truth that its cosines are taken with."""
    net, x, y = mlp(8, classes=3), torch.rand(30, 8), torch.arange(30) % 3
    own = loss_gradient(net, y)
    victim = Target(model=net, access="scores")
    result = p_rgf(victim, x, y, ThreatModel("linf", 0.02), prior=own, truth=own, queries=60, samples=5, sigma=1e-3)
    return result, query_record(result, 60)


def test_failures_count_with_the_whole_budget(recorded):
    result, kept = recorded
    failed = ~result.success.numpy()
    assert 0 < failed.sum() < 30, "a threat that fools some"
    assert (kept.arrays["queries"][failed] == 60).all()
    assert (kept.arrays["queries"][~failed] == result.queries.numpy()[~failed]).all()
    assert kept.estimates["success"].value == pytest.approx(1 - failed.mean())


def test_a_prior_that_is_the_gradient_has_cosine_1_everywhere(recorded):
    _, kept = recorded
    assert kept.estimates["prior_cosine"].value == pytest.approx(1, abs=1e-5)
    assert kept.estimates["prior_positive"].value == 1
    assert kept.arrays["prior_cosine_by_step"] == pytest.approx(np.ones(len(kept.arrays["prior_cosine_by_step"])), abs=1e-5)
    asked = np.isfinite(kept.arrays["alpha"])
    assert (kept.arrays["queries"][~asked] <= 1).all(), "what was wrong from the start took no step"


def test_success_grows_with_the_queries_to_its_end():
    found = success_by_queries(run([True, True, False, True], [10, 30, 100, 100]), 100, dots=10)
    assert list(found) == pytest.approx(np.arange(10, 101, 10))
    assert [found[at].value for at in (10, 20, 30, 90, 100)] == [0.25, 0.25, 0.5, 0.5, 0.75]


def test_runs_are_compared_example_by_example():
    alone, guided = run([True, True, False, True], [100, 50, 200, 80]), run([True] * 4, [60, 30, 120, 40])
    found = compare_queries(alone, guided)
    assert found["saved"].value == pytest.approx((40 + 20 + 80 + 40) / 4)
    assert found["gained"].value == 0.25
    assert found["ratio"].value == pytest.approx(250 / 430)
    assert found["saved_beyond_30"].value == pytest.approx((0.7 * 430 - 250) / 4)
    itself = compare_queries(alone, alone)
    assert (itself["saved"].value, itself["gained"].value, itself["ratio"].value) == (0, 0, 1)


def test_runs_on_other_examples_cannot_be_compared():
    with pytest.raises(InputError, match="guided"):
        compare_queries(run([True, False], [3, 9]), run([True], [1]))
