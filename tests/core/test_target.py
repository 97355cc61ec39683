"""A target counts every question, keeps to its limit and shows no more than its access level."""

import pytest
import torch

from holdfast.core.errors import InputError, QueryBudgetError
from holdfast.core.target import ACCESS_LEVELS, QueryCounter, Target, as_target


@pytest.fixture
def linear():
    return torch.nn.Linear(4, 3)


def test_a_target_answers_as_its_model(linear):
    x = torch.rand(5, 4)
    target = Target(model=linear)
    assert torch.equal(target(x), linear(x))
    assert torch.equal(target.labels(x), linear(x).argmax(1))


def test_every_example_that_is_asked_about_is_counted(linear):
    target = Target(model=linear)
    target(torch.rand(5, 4))
    target.labels(torch.rand(2, 4))
    target.carrying(torch.nn.Linear(4, 3))(torch.rand(1, 4))
    assert target.queries.count == 8
    assert target.queries.left is None


def test_the_limit_is_reached_but_never_exceeded(linear):
    asked = []
    target = Target(model=lambda x: (asked.append(len(x)), linear(x))[1], queries=QueryCounter(limit=10))
    target(torch.rand(6, 4))
    with pytest.raises(QueryBudgetError, match=r"5 more queries would exceed the limit of 10 \(6 are spent\)"):
        target(torch.rand(5, 4))
    target(torch.rand(4, 4))
    assert target.queries.left == 0
    assert asked == [6, 4]  # what was refused was never sent
    with pytest.raises(QueryBudgetError):
        target(torch.rand(1, 4))


def test_probabilities_become_logits_that_give_them_back(linear):
    x = torch.rand(5, 4)
    target = Target(model=lambda x: linear(x).softmax(1), outputs="probabilities")
    torch.testing.assert_close(target(x).softmax(1), linear(x).softmax(1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_probability_of_zero_stays_finite_and_last(dtype):
    target = Target(model=lambda x: torch.tensor([[0.0, 1.0]], dtype=dtype).expand(len(x), 2), outputs="probabilities")
    logits = target(torch.rand(3, 4))
    assert logits.dtype == dtype
    assert logits.isfinite().all()
    assert torch.equal(logits.softmax(1)[:, 1], torch.ones(3, dtype=dtype))


def test_preprocessing_is_part_of_the_target_and_of_its_gradient(linear):
    x = torch.rand(2, 4, requires_grad=True)
    target = Target(model=linear, preprocess=lambda x: (x - 0.5) / 0.25)
    torch.testing.assert_close(target(x), linear((x - 0.5) / 0.25))
    [gradient] = torch.autograd.grad(target(x)[:, 0].sum(), x)
    torch.testing.assert_close(gradient, (4 * linear.weight[0]).expand(2, 4))


def test_a_model_and_its_caller_cannot_reach_the_memory_of_each_other(linear):
    memory = torch.empty(2, 3)
    target = Target(model=lambda x: memory.copy_(linear(x.mul_(2))), preprocess=lambda x: x.sub_(1))
    x = torch.rand(2, 4)
    before = x.clone()
    with torch.no_grad():
        first = target(x)
        kept = first.clone()
        target(torch.rand(2, 4))
    assert torch.equal(x, before)
    assert torch.equal(first, kept)


def test_a_change_in_place_is_part_of_the_gradient(linear):
    x = torch.rand(2, 4, requires_grad=True)
    [gradient] = torch.autograd.grad(Target(model=lambda x: linear(x.mul_(2)))(x)[:, 0].sum(), x)
    torch.testing.assert_close(gradient, (2 * linear.weight[0]).expand(2, 4))


class Turning:
    """Answers with the first probabilities, then with the second, and so on."""

    def __init__(self, *tables):
        self.tables, self.calls = [torch.tensor(table).log() for table in tables], 0

    def __call__(self, x):
        self.calls += 1
        return self.tables[(self.calls - 1) % len(self.tables)] + 0 * x[:, :1] + self.calls  # a constant changes no probability


def test_several_passes_are_one_answer_by_their_mean_probability():
    target = Target(model=Turning([[0.9, 0.1]], [[0.3, 0.7]], [[0.3, 0.7]]), samples=3)
    torch.testing.assert_close(target(torch.zeros(2, 4)).exp(), torch.tensor([[0.5, 0.5]] * 2))
    torch.testing.assert_close(target.passes(torch.zeros(1, 4)).softmax(-1)[:, 0, 0], torch.tensor([0.9, 0.3, 0.3]))
    assert target.queries.count == 3 * 2 + 3
    assert target.carrying(lambda x: x).samples == 3


def test_the_gradient_of_several_passes_is_that_of_their_mean_probability(linear):
    draws = torch.randn(3, 2, 4)
    numbers = iter(draws)
    target = Target(model=lambda x: linear(x + next(numbers)), samples=3)
    x = torch.rand(2, 4, requires_grad=True)
    [found] = torch.autograd.grad(target(x)[:, 0].sum(), x)
    [wanted] = torch.autograd.grad(linear(x + draws).softmax(-1).mean(0)[:, 0].log().sum(), x)
    torch.testing.assert_close(found, wanted)


def test_a_limit_of_queries_counts_passes(linear):
    target = Target(model=linear, samples=4, queries=QueryCounter(limit=11))
    assert target.answers_left == 2
    target(torch.rand(2, 4))
    with pytest.raises(QueryBudgetError, match="4 more queries"):
        target(torch.rand(1, 4))


def test_labels_have_no_mean():
    with pytest.raises(InputError, match=r"`passes` have shape \(2, 5\); allowed: \(samples, examples, classes\) of scores"):
        Target(model=lambda x: torch.zeros(len(x), dtype=torch.long), samples=2)(torch.rand(5, 4))


def test_access_levels_contain_the_lower_ones(linear):
    for height, level in enumerate(ACCESS_LEVELS):
        target = Target(model=linear, access=level)
        assert [target.allows(needed) for needed in ACCESS_LEVELS] == [rank <= height for rank in range(4)]


def test_the_network_is_shown_at_access_weights_only(linear):
    assert Target(model=linear).module is linear
    with pytest.raises(InputError, match="`access` is 'gradients'; allowed: 'weights'"):
        _ = Target(model=linear, access="gradients").module
    with pytest.raises(InputError, match=r"`model` is a function; allowed: an nn.Module"):
        _ = Target(model=lambda x: x).module


def test_a_target_is_taken_as_it_is(linear):
    target = Target(model=linear, bounds=(-1.0, 1.0))
    assert as_target(target) is target
    assert as_target(target, bounds=(-1, 1)) is target
    assert as_target(linear).bounds == (0.0, 1.0)
    assert as_target(linear, bounds=(-1.0, 1.0)) == target


def test_bounds_that_contradict_the_target_are_refused(linear):
    with pytest.raises(InputError, match=r"`bounds` is \(0, 255\); allowed: the target's own bounds \(0.0, 1.0\)"):
        as_target(Target(model=linear), bounds=(0, 255))


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"access": "wieghts"}, "Did you mean 'weights'?"),
        ({"outputs": "softmax"}, "`outputs` is 'softmax'; allowed: logits, probabilities"),
        ({"bounds": (1.0, 1.0)}, "`bounds` is (1.0, 1.0); allowed: (low, high) with low < high"),
        ({"bounds": (0.0, float("nan"))}, "`bounds` is (0.0, nan)"),
        ({"model": [1, 2]}, "`model` is a list; allowed: an nn.Module or a callable"),
    ],
)
def test_bad_declarations_are_refused(linear, settings, part):
    with pytest.raises(InputError) as refusal:
        Target(**({"model": linear} | settings))
    assert part in str(refusal.value)
