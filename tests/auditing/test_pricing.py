"""From passes to seconds: what the plan multiplies, and what a pilot on 32 examples finds."""

import dataclasses
import sys
import time

import pytest
import torch

from holdfast.attacks import ThreatModel, masking_passes, pgd
from holdfast.auditing.inputs import gather
from holdfast.auditing.pilot import EXAMPLES, prices_of
from holdfast.auditing.pricing import PassTimes, Prices, Survival, seconds_of
from holdfast.auditing.settings import AuditSettings
from holdfast.auditing.stresses.adversarial import APGD, PGD
from holdfast.auditing.stresses.masking import Masking
from holdfast.core.stress import ActivePasses, Cost

KNOWN = (Survival(eps=0.1, active=0.5, standing=0.2), Survival(eps=0.3, active=0.1, standing=0.0))
PRICES = Prices(forward=1e-3, backward=2e-3, right=0.9, survival={"linf": KNOWN})


def passes(eps, *, afterwards=False, norm="linf"):
    return ActivePasses(norm=norm, eps=eps, forward=10, backward=10, afterwards=afterwards)


@pytest.mark.parametrize(
    ("part", "share"),
    [
        (passes(0.1), 0.5),
        (passes(0.1, afterwards=True), 0.2),
        (passes(0.05), 0.7),  # half way between all right examples and those at the smallest size
        (passes(0.2), 0.3),
        (passes(0.5), 0.1),
        (passes(0.0), 0.9),
        (passes(0.1, norm="l2"), 0.9),  # of another norm nothing is known: all that are right stay
    ],
)
def test_passes_are_paid_by_the_examples_that_are_active(part, share):
    assert PRICES.share(part) == pytest.approx(share)
    assert seconds_of(Cost(active=(part,)), 200, PRICES) == pytest.approx(share * 200 * 10 * 3e-3)


def test_a_step_is_paid_once_for_each_batch():
    prices = dataclasses.replace(PRICES, forward=0.0, backward=0.0, step=0.01, batch=100)
    part = ActivePasses(norm="linf", eps=0.1, forward=10, backward=10, steps=10)
    assert seconds_of(Cost(active=(part,)), 250, prices) == pytest.approx(3 * 10 * 0.01)


def test_passes_for_each_layer_do_not_depend_on_the_examples():
    prices = dataclasses.replace(PRICES, layers=5)
    cost = Cost(forward_per_layer=100)
    assert seconds_of(cost, 10, prices) == seconds_of(cost, 1000, prices) == pytest.approx(5 * 100 * 1e-3)


def test_small_batches_have_a_price_of_their_own():
    prices = dataclasses.replace(PRICES, forward=PassTimes(((32, 1e-3), (1000, 4e-3))))
    assert seconds_of(Cost(forward=1), 20, prices) == pytest.approx(20 * 1e-3)
    assert seconds_of(Cost(forward=1), 4000, prices) == pytest.approx(4000 * 4e-3)


def test_where_all_examples_stay_an_attack_costs_the_passes_that_the_checks_count():
    stays = dataclasses.replace(PRICES, right=1.0, survival={})
    forward, backward = masking_passes(steps=10, queries=100)
    most = forward * 1e-3 + backward * 2e-3
    assert seconds_of(Masking(eps=0.1).estimate({}), 1, stays) == pytest.approx(most, rel=0.05)


def test_the_pilot_finds_who_stays_in_an_attack(digits_cnn, digits_small):
    inputs = gather(AuditSettings(run={"threads": 1}), digits_cnn, digits_small[1])
    stresses = [PGD(eps=(0.0, 0.05, 0.3), steps=10), APGD(eps=(0.1,), steps=10)]
    before = inputs.target.queries.count
    prices = prices_of(inputs, stresses, batch_size=1000)
    assert inputs.target.queries.count == before, "the pilot's passes are no queries of the run"
    found = {entry.eps: entry for entry in prices.survival["linf"]}
    assert sorted(found) == [0.05, 0.1, 0.3]
    assert prices.right >= found[0.05].active > found[0.1].active > found[0.3].active
    assert found[0.1].standing < found[0.1].active
    few = inputs.data[:EXAMPLES]
    whole = pgd(inputs.target, few.x, few.y, ThreatModel("linf", 0.1), steps=10, seed=0, batch_size=EXAMPLES)
    right = prices.right * float((~whole.success).float().mean()) / float((whole.queries > 1).float().mean())
    assert found[0.1].standing == pytest.approx(right)


def test_the_pilot_does_not_ask_a_target_whose_queries_are_limited(digits_cnn, digits_small):
    inputs = gather(AuditSettings(max_queries=5000, run={"threads": 1}), digits_cnn, digits_small[1])
    before = inputs.target.queries.count
    prices = prices_of(inputs, [PGD(eps=(0.1,))], batch_size=1000)
    assert inputs.target.queries.count == before
    assert prices.survival == {}
    assert prices.right == inputs.probe.accuracy.value


class Slow(torch.nn.Module):
    """A network that takes its time for every pass, and counts them."""

    def __init__(self, network):
        super().__init__()
        self.network, self.passes = network, 0

    def forward(self, x):
        self.passes += 1
        time.sleep(0.02)
        return self.network(x)


def test_the_pilot_ends_where_its_share_of_the_budget_does(digits_cnn, digits_small):
    network = Slow(digits_cnn)
    inputs = gather(AuditSettings(run={"threads": 1}), network, digits_small[1][:64])
    quick = dataclasses.replace(inputs, probe=dataclasses.replace(inputs.probe, t_forward=1e-4, t_backward=1e-4))
    before = network.passes
    prices = prices_of(quick, [PGD(eps=tuple(0.01 * step for step in range(1, 30)))], batch_size=1000, seconds=4.0)
    assert len(prices.survival["linf"]) == 1
    assert network.passes - before < 60, "29 sizes of 11 passes each would be 319"


class Leaving(torch.nn.Module):
    """A network that leaves the program when it is asked about 32 examples, which no probe does."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        if len(x) == EXAMPLES:
            sys.exit(0)
        return self.network(x)


def test_a_network_that_fails_in_the_pilot_is_planned_with_the_prices_of_the_probe(digits_cnn, digits_small):
    inputs = gather(AuditSettings(run={"threads": 1}), Leaving(digits_cnn), digits_small[1])
    prices = prices_of(inputs, [PGD(eps=(0.1,))], batch_size=1000)
    assert prices.survival == {}
    assert dataclasses.replace(prices, values=0).passes(1, 0, rows=EXAMPLES) == inputs.probe.t_forward


def test_a_slow_network_is_tried_on_fewer_examples_or_not_at_all(digits_cnn, digits_small):
    inputs = gather(AuditSettings(run={"threads": 1}), digits_cnn, digits_small[1])
    for each, tried in ((1e-3, 1), (0.1, 0)):  # s per pass and example: 10 steps on 8 examples take 0.16 s or 16 s
        slow = dataclasses.replace(inputs, probe=dataclasses.replace(inputs.probe, t_forward=each, t_backward=each))
        prices = prices_of(slow, [PGD(eps=(0.1,))], batch_size=1000, seconds=10.0)
        assert len(prices.survival.get("linf", ())) == tried


def test_steps_that_nobody_is_left_for_cost_nothing():
    prices = dataclasses.replace(PRICES, step=0.01)
    part = ActivePasses(norm="linf", eps=0.3, forward=10, backward=10, steps=10, afterwards=True)
    assert seconds_of(Cost(active=(part,)), 100, prices) == 0.0
