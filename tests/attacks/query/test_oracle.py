"""A query attack asks no more than it may, of one example and of the target, and forgets nothing that fooled."""

from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from holdfast.attacks import Oracle, ThreatModel, hopskipjump, nes, random_noise, rgf, square
from holdfast.attacks.query.oracle import query_problem
from holdfast.core.errors import InputError
from holdfast.core.target import QueryCounter, Target
from holdfast.nets import predict, weights_digest

THREAT = ThreatModel("linf", 0.05)


@pytest.fixture
def digits(digits_small):
    return digits_small[1][:90]


def oracle_of(model, x, y, threat, *, access="scores", target_class=None, **settings):
    return Oracle(query_problem(model, x, y, threat, target_class=target_class, access=access), access=access, **settings)


class Counting(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net, self.asked = net, 0

    def forward(self, x):
        self.asked += len(x)
        return self.net(x)


@pytest.mark.parametrize("queries", [1, 2, 7, 30])
@pytest.mark.parametrize("batch_size", [500, 40])
def test_each_example_s_budget_holds_and_every_pass_is_booked(digits_cnn, digits, queries, batch_size):
    net = Counting(digits_cnn)
    result = square(net, digits.x, digits.y, THREAT, queries=queries, batch_size=batch_size)
    assert net.asked == int(result.queries.sum())
    assert (result.queries[~result.success] == queries).all(), "who is not fooled has used up the budget"
    assert int(result.queries.max()) <= queries


@pytest.mark.parametrize("limit", [0, 1, 90, 91, 1003])
@pytest.mark.parametrize("batch_size", [500, 40])
def test_the_target_s_own_limit_holds_to_the_last_query_and_never_raises(digits_cnn, digits, limit, batch_size):
    counter = QueryCounter(limit=limit)
    net = Counting(digits_cnn)
    target = Target(model=net, access="scores", queries=counter)
    told = pytest.warns(UserWarning, match=f"{90 - limit} of 90 examples were never asked") if limit < 90 else nullcontext()
    with told:
        result = square(target, digits.x, digits.y, THREAT, queries=50, batch_size=batch_size)
    assert counter.count == limit == net.asked == int(result.queries.sum())
    assert torch.equal(result.success & (result.queries > 0), result.success), "nothing succeeds unasked"
    assert not result.success.all()
    assert torch.equal(
        predict(digits_cnn, result.x_adv).argmax(1)[result.success] != digits.y[result.success], result.success[result.success]
    )


@pytest.mark.parametrize(
    "attack", [square, random_noise, partial(nes, samples=6), partial(rgf, samples=6), partial(hopskipjump, queries=60)]
)
def test_how_many_inputs_fit_into_a_pass_decides_nothing(digits_cnn, digits, attack):
    settings = {} if attack is random_noise or "queries" in getattr(attack, "keywords", {}) else {"queries": 30}
    one, other = (attack(digits_cnn, digits.x, digits.y, THREAT, batch_size=size, **settings) for size in (500, 17))
    # sums of another order may turn a comparison of two nearly equal answers, for an example or two
    assert int((one.success != other.success).sum()) <= 2
    assert int(((one.x_adv - other.x_adv).flatten(1).abs().amax(1) > 1e-4).sum()) <= 5


def test_a_shared_counter_is_shared(digits_cnn, digits):
    counter = QueryCounter(limit=500, count=480)
    target = Target(model=digits_cnn, access="scores", queries=counter)
    first = square(target, digits.x[:10], digits.y[:10], THREAT, queries=2)
    with pytest.warns(UserWarning, match="never asked"):
        second = square(replace(target, name="again"), digits.x, digits.y, THREAT, queries=2)
    assert int(first.queries.sum() + second.queries.sum()) == 20
    assert counter.count == 500


def test_a_counter_inside_the_model_is_respected_too(digits_cnn, digits):
    inner = Target(model=digits_cnn, access="scores", queries=QueryCounter(limit=333))
    result = square(lambda x: 1.0 * inner(x), digits.x, digits.y, THREAT, queries=50)
    assert inner.queries.count == 333 == int(result.queries.sum())


def test_what_is_wrong_already_costs_one_query_and_stays(digits_cnn, digits):
    wrong = predict(digits_cnn, digits.x).argmax(1) != digits.y
    assert wrong.any()
    result = square(digits_cnn, digits.x, digits.y, THREAT, queries=30)
    assert (result.queries[wrong] == 1).all()
    assert torch.equal(result.x_adv[wrong], digits.x[wrong])
    assert result.success[wrong].all()


def test_a_radius_of_zero_costs_one_query_and_changes_nothing(digits_cnn, digits):
    result = square(digits_cnn, digits.x, digits.y, ThreatModel("l2", 0.0), queries=30)
    assert torch.equal(result.x_adv, digits.x)
    assert (result.queries == 1).all()


def test_every_question_that_fools_is_kept_if_it_is_allowed(digits_cnn, digits):
    """Three questions per example in one batch: one far outside the ball that fools, one inside that fools, one that does not."""
    found = square(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0.2), queries=200)
    rows = (found.success & (found.queries > 1)).nonzero().squeeze(1)
    other = digits.x[
        (digits.y[rows] + 1).remainder(10).map_(digits.y[rows], lambda goal, _: float((digits.y == goal).nonzero()[0]))
    ]
    oracle = oracle_of(digits_cnn, digits.x, digits.y, ThreatModel("linf", 0.2), queries=10)
    with oracle.asking():
        oracle.begin()
        oracle.ask(rows.repeat(3), torch.cat([other, digits.x[rows], found.x_adv[rows]]), steps=4, allowed=False)
    result = oracle.result()
    assert torch.equal(result.x_adv[rows], found.x_adv[rows])
    assert result.success[rows].all()
    assert (result.queries[rows] == 4).all()
    assert (result.steps_used[rows] == 4).all()


def test_nobody_asks_beyond_the_budget_even_by_mistake(digits_cnn, digits):
    oracle = oracle_of(digits_cnn, digits.x, digits.y, THREAT, queries=2)
    rows = torch.tensor([3, 3])
    with oracle.asking():
        oracle.begin()
        with pytest.raises(AssertionError, match="beyond the budget"):
            oracle.ask(rows, digits.x[rows], allowed=False)


def test_an_attack_on_labels_sees_labels_alone(digits_cnn, digits):
    answers = []
    for model in (digits_cnn, lambda x: digits_cnn(x).argmax(1), lambda x: 100 * digits_cnn(x)):
        oracle = oracle_of(model, digits.x, digits.y, THREAT, queries=3, access="labels")
        with oracle.asking():
            rows = oracle.begin()
            answers.append(oracle.ask(rows, digits.x[rows]))
    assert torch.equal(answers[0], answers[1])
    assert torch.equal(answers[0], answers[2])
    assert set(answers[0].unique().tolist()) == {0.0, 1.0}


def test_flags_and_weights_are_left_as_they_were(digits_cnn, digits):
    digits_cnn.train()
    before = weights_digest(digits_cnn)
    square(digits_cnn, digits.x, digits.y, THREAT, queries=3)
    assert digits_cnn.training
    assert weights_digest(digits_cnn) == before
    digits_cnn.eval()


def test_a_random_network_is_named_as_such(digits_cnn, digits):
    def shaky(x):
        logits = digits_cnn(x)
        return logits + torch.randn_like(logits)

    with pytest.warns(UserWarning, match="answers differently when it is asked the same thing again"):
        square(shaky, digits.x, digits.y, THREAT, queries=60)


BAD = [
    ({"model": Target(model=nn.Linear(4, 3), access="labels")}, "hopskipjump"),
    ({"model": lambda x: x.sum(1).long() % 3}, "hopskipjump"),
    ({"model": lambda x: x.sum(1)}, "answers with shape"),
    ({"model": lambda x: torch.softmax(x[:, :3], 1)}, "returns probabilities"),
    ({"model": lambda x: x[:, :3] * torch.nan}, "NaN or infinite"),
    ({"x": torch.rand(5, 4) + 0.5}, "has values in"),
    ({"x": torch.full((5, 4), torch.nan)}, "NaN or infinite"),
    ({"x": torch.ones(5, 4, dtype=torch.uint8)}, "float"),
    ({"x": torch.rand(3, 4)}, "rows"),
    ({"y": torch.tensor([0, 1, 2, 3, 0])}, "runs from 0 to 3"),
    ({"target_class": torch.tensor([0, 1, 2, 0, 0])}, "equals the label"),
    ({"target_class": 7}, "target_class"),
    ({"threat": ThreatModel("linf", torch.rand(3))}, "one per example"),
    ({"queries": 0}, "queries"),
    ({"queries": 2.5}, "queries"),
    ({"batch_size": 0}, "batch_size"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_input_is_refused_with_a_remedy(change, message):
    given = {"model": nn.Linear(4, 3), "x": torch.rand(5, 4), "y": torch.tensor([0, 1, 2, 0, 1]), "threat": THREAT, "queries": 5}
    given |= change
    subject = [given.pop(name) for name in ("model", "x", "y", "threat")]
    with pytest.raises(InputError, match=message):
        square(*subject, **given)
