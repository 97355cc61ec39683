"""Examples: checked once, cut fairly, named by their content."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import InputError
from holdfast.data import Examples

X = torch.arange(24.0).reshape(12, 2)
Y = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 0, 0, 0, 0])
EXAMPLES = Examples(X, Y)


def test_defaults_follow_from_the_labels():
    assert (len(EXAMPLES), EXAMPLES.classes, EXAMPLES.class_names) == (12, 3, ("0", "1", "2"))


@pytest.mark.parametrize(
    "rows",
    [
        slice(2, 9, 3),
        [2, 5, 8],
        np.array([2, 5, 8]),
        torch.tensor([2, 5, 8]),
        torch.isin(torch.arange(12), torch.tensor([2, 5, 8])),
    ],
    ids=["slice", "list", "array", "tensor", "mask"],
)
def test_rows_are_chosen_by_any_index(rows):
    part = EXAMPLES[rows]
    assert part.x[:, 0].tolist() == [4, 10, 16]
    assert part.y.tolist() == [2, 2, 0]
    assert part.classes == 3, "a part knows of classes that it does not hold"


def test_batches_are_the_rows_in_order_and_the_last_one_is_short():
    batches = list(EXAMPLES.batches(5))
    assert [len(x) for x, _ in batches] == [5, 5, 2]
    torch.testing.assert_close(torch.cat([x for x, _ in batches]), X)
    assert torch.cat([y for _, y in batches]).tolist() == Y.tolist()


@given(counts=st.lists(st.integers(1, 60), min_size=1, max_size=6), seed=st.integers(0, 9), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_stratified_part_follows_the_class_shares_to_within_one_row(counts, seed, data):
    y = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    n = data.draw(st.integers(1, len(y)))
    whole = Examples(torch.arange(len(y)).float()[:, None], y)
    part = whole.stratified(n, seed=seed)
    assert len(part) == n
    assert len(set(part.x[:, 0].tolist())) == n
    shares = n * torch.tensor(counts) / len(y)
    assert (part.y.bincount(minlength=len(counts)) - shares).abs().max() <= len(counts)


def test_splits_are_disjoint_complete_and_fair():
    y = torch.arange(3).repeat(100)
    first, second = Examples(torch.arange(300.0)[:, None], y).split(0.3, seed=1)
    assert (len(first), len(second)) == (90, 210)
    assert sorted([*first.x[:, 0].tolist(), *second.x[:, 0].tolist()]) == list(range(300))
    assert (first.y.bincount() - 30).abs().max() <= 1


def test_the_seed_alone_decides_the_part():
    assert EXAMPLES.stratified(6, seed=5).digest == EXAMPLES.stratified(6, seed=5).digest
    assert len({EXAMPLES.stratified(6, seed=seed).digest for seed in range(8)}) > 1
    assert EXAMPLES.stratified(None) is EXAMPLES
    assert EXAMPLES.stratified(99) is EXAMPLES


def test_the_digest_sees_inputs_labels_and_order():
    assert Examples(X.clone(), Y.clone(), name="other").digest == EXAMPLES.digest
    changed = X.clone()
    changed[3, 1] += 1e-6
    others = [Examples(changed, Y), Examples(X, Y.flip(0)), EXAMPLES[torch.arange(11, -1, -1)]]
    assert len({EXAMPLES.digest, *(other.digest for other in others)}) == 4


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Examples(X, Y[:5]), "`x` has 12 rows and `y` has 5"),
        (lambda: Examples(X[:0], Y[:0]), "is empty"),
        (lambda: Examples(X, Y - 1), "runs from -1"),
        (lambda: Examples(X, Y, classes=2), "0 to 1 for a model with 2 outputs"),
        (lambda: Examples(X, Y.float()), "one integer per example"),
        (lambda: Examples(X, torch.eye(12).long()), "one integer per example"),
        (lambda: Examples(X, Y, class_names=("a", "b")), "has 2 names"),
        (lambda: EXAMPLES.stratified(0), "`n` is 0"),
        (lambda: EXAMPLES.split(0.0), "`fraction` is 0.0"),
        (lambda: list(EXAMPLES.batches(0)), "`size` is 0"),
    ],
)
def test_impossible_examples_are_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()
