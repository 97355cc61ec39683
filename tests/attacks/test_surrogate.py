"""A surrogate asks no more than it may, and learns what it is told."""

import pytest
import torch
from torch import nn

from holdfast.attacks import ThreatModel, pgd
from holdfast.attacks.transfer import distil
from holdfast.core.errors import InputError
from holdfast.core.target import QueryCounter, Target
from holdfast.nets import predict


def asked_only(model, access, limit=None):
    return Target(model=model, access=access, queries=QueryCounter(limit=limit))


@pytest.fixture
def unlabelled(digits_small):
    return digits_small[0].x


@pytest.mark.parametrize("access", ["labels", "scores"])
def test_the_surrogate_answers_as_the_target_and_its_attacks_carry_over(digits_cnn, digits_small, unlabelled, access):
    target = asked_only(digits_cnn, access)
    twin = distil(target, unlabelled, queries=600, epochs=15)
    assert target.queries.count == 600
    test = digits_small[1]
    right = digits_cnn(test.x).argmax(1)
    # measured: 0.95 to 0.97; agreement by chance is 0.1
    assert (predict(twin, test.x).argmax(1) == right).float().mean() > 0.85
    threat = ThreatModel("linf", 0.25)
    attacked = pgd(twin, test.x, test.y, threat, steps=10, early_stop=False).x_adv
    noisy = (test.x + 0.25 * torch.randn(test.x.shape).sign()).clamp(0, 1)
    errors = [(predict(digits_cnn, x).argmax(1) != test.y).float().mean() for x in (attacked, noisy)]
    assert errors[0] > errors[1] + 0.2  # measured: 0.8 against 0.15


@pytest.mark.parametrize(("queries", "limit", "spent"), [(50, None, 50), (50, 30, 30), (10_000, None, 200)])
def test_no_more_queries_than_allowed_by_anyone(digits_cnn, unlabelled, queries, limit, spent):
    target = asked_only(digits_cnn, "labels", limit)
    distil(target, unlabelled[:200], queries=queries, epochs=1)
    assert target.queries.count == spent


def test_a_target_with_labels_only_is_not_read_further(digits_cnn, unlabelled):
    def sharper(x):
        return 100 * digits_cnn(x)  # the same classes with other scores

    twins = [distil(asked_only(model, "labels"), unlabelled, queries=100, epochs=1) for model in (digits_cnn, sharper)]
    for one, other in zip(*(twin.state_dict().values() for twin in twins), strict=True):
        assert torch.equal(one, other)


def test_a_target_that_names_classes_teaches_as_one_whose_scores_are_not_shown(digits_cnn, unlabelled):
    named = Target(model=lambda x: digits_cnn(x).argmax(1), access="labels")
    twins = [distil(target, unlabelled, queries=150, epochs=1) for target in (named, asked_only(digits_cnn, "labels"))]
    for one, other in zip(*(twin.state_dict().values() for twin in twins), strict=True):
        assert torch.equal(one, other)


def test_the_same_seed_gives_the_same_surrogate(digits_cnn, unlabelled):
    first, again, other = (
        predict(distil(digits_cnn, unlabelled, queries=100, epochs=1, seed=seed), unlabelled[:5]) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_network_of_ones_own_is_taken(digits_cnn, unlabelled):
    made = []

    def linear(shape, classes, seed):
        made.append((shape, classes, seed))
        return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

    twin = distil(digits_cnn, unlabelled, queries=100, make_net=linear, epochs=1)
    assert made[0][:2] == ((1, 8, 8), 10)
    assert predict(twin, unlabelled[:3]).shape == (3, 10)


def test_columns_that_never_vary_do_no_harm():
    x = torch.rand(60, 3)
    x[:, 1] = 0.5
    twin = distil(lambda x: x[:, :2], x, queries=60, epochs=1)
    assert predict(twin, x).isfinite().all()


def test_a_target_that_says_one_thing_only_is_pointed_out(unlabelled):
    with pytest.warns(UserWarning, match="one and the same class"):
        distil(lambda x: torch.eye(3)[torch.zeros(len(x), dtype=torch.long)], unlabelled[:20], queries=20, epochs=1)


@pytest.mark.parametrize(
    ("x", "queries", "limit", "message"),
    [
        (torch.zeros(0, 4), 5, None, "`x` is empty"),
        (torch.zeros(4, 4, dtype=torch.uint8), 5, None, "float"),
        (torch.full((4, 4), torch.nan), 5, None, "NaN"),
        (torch.zeros(4, 4), 0, None, "`queries` is 0"),
        (torch.zeros(4, 4), 5, 0, "no queries left"),
    ],
)
def test_bad_input_is_refused(x, queries, limit, message):
    with pytest.raises(InputError, match=message):
        distil(asked_only(nn.Linear(4, 3), "labels", limit), x, queries=queries)
