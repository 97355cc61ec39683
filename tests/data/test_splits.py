"""Splits give every row to whom they say, and to nobody twice."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import InputError
from holdfast.data import Examples, load_images
from holdfast.data.splits import (
    classes_per_client,
    dirichlet,
    disjoint,
    overlapping_blocks,
    select_classes,
    shards,
    shared_rows,
    stratified_parts,
)

Y = np.arange(1000) * 7 % 10  # 100 rows of each of 10 classes, mixed

PARTITIONS = {
    "shards": lambda seed: shards(Y, clients=20, seed=seed),
    "dirichlet": lambda seed: dirichlet(Y, clients=20, alpha=0.5, seed=seed),
    "classes per client": lambda seed: classes_per_client(Y, clients=20, classes=2, seed=seed),
    "stratified": lambda seed: stratified_parts(Y, parts=20, seed=seed),
    "disjoint": lambda seed: disjoint(1000, [50] * 20, seed=seed),
    "blocks": lambda seed: overlapping_blocks(1000, clients=20, seed=seed),
}


@pytest.mark.parametrize("split", PARTITIONS.values(), ids=PARTITIONS)
def test_every_row_goes_to_exactly_one_client_and_the_seed_decides(split):
    rows = split(0)
    assert len(rows) == 20
    assert sorted(np.concatenate(rows)) == list(range(1000))
    assert all((np.diff(mine) > 0).all() for mine in rows)
    assert all(map(np.array_equal, rows, split(0)))
    assert not all(map(np.array_equal, rows, split(1)))


@pytest.mark.parametrize("per_client", [1, 2, 5])
def test_a_client_holds_no_more_classes_than_shards(per_client):
    rows = shards(Y, clients=10, per_client=per_client)
    assert {len(mine) for mine in rows} == {100}
    assert max(len(set(Y[mine])) for mine in rows) <= per_client


def test_a_small_concentration_leaves_few_classes_and_a_large_one_equal_shares():
    def dominance(alpha):
        return np.mean([np.bincount(Y[mine], minlength=10).max() / len(mine) for mine in dirichlet(Y, clients=10, alpha=alpha)])

    assert dominance(0.05) > 0.6
    assert dominance(1e6) < 0.12


def test_dirichlet_shares_have_the_variance_of_their_law():
    # Var p = (1/K)(1 - 1/K) / (K alpha + 1) for symmetric Dirichlet; 400 draws of 10 classes, K = 5, alpha = 1: 0.0267.
    shares = np.concatenate(
        [
            [np.bincount(Y[mine], minlength=10) / 100 for mine in dirichlet(Y, clients=5, alpha=1.0, seed=seed)]
            for seed in range(400)
        ]
    )
    # Standard error of the variance over 20000 shares is about 3e-4 (kurtosis of Beta(1, 4)), so 0.002 is beyond 5 of it.
    assert np.var(shares) == pytest.approx(0.2 * 0.8 / 6, abs=0.002)


def test_nobody_is_left_without_data_or_it_is_said():
    assert min(map(len, dirichlet(Y, clients=20, alpha=0.1, smallest=10))) >= 10
    with pytest.raises(InputError, match="no draw gave each 60 rows"):
        dirichlet(Y, clients=20, alpha=0.1, smallest=60)


@given(clients=st.integers(1, 30), classes=st.integers(1, 10), seed=st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_each_client_holds_its_number_of_classes_and_classes_their_share_of_clients(clients, classes, seed):
    rows = classes_per_client(Y, clients=clients, classes=classes, seed=seed)
    held = [set(Y[mine].tolist()) for mine in rows]
    assert {len(mine) for mine in held} == {classes}
    holders = np.bincount([label for mine in held for label in mine], minlength=10)
    assert np.ptp(holders) <= 1
    together = np.concatenate(rows)
    assert len(set(together)) == len(together) == 100 * (holders > 0).sum()


def test_stratified_parts_have_equal_shares_of_every_class():
    uneven = np.repeat([0, 1, 2], [100, 31, 7])
    counts = np.array([np.bincount(uneven[mine], minlength=3) for mine in stratified_parts(uneven, parts=5)])
    assert np.ptp(counts, axis=0).max() <= 1
    assert np.ptp(counts.sum(1)) <= 1


@given(n=st.integers(20, 500), clients=st.integers(2, 10), overlap=st.floats(0, 0.9), seed=st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_blocks_have_one_length_share_their_fraction_and_cover_everything(n, clients, overlap, seed):
    blocks = overlapping_blocks(n, clients=clients, overlap=overlap, seed=seed)
    length = n / (clients - (clients - 1) * overlap)
    assert max(abs(len(block) - length) for block in blocks) <= 1
    shared = [len(np.intersect1d(one, other)) for one, other in itertools.pairwise(blocks)]
    assert max(abs(count - overlap * length) for count in shared) <= 2
    assert set(np.concatenate(blocks)) == set(range(n))


def test_chosen_classes_are_counted_anew_and_disjoint_choices_share_no_row():
    digits = load_images("digits", "test")
    low, high = select_classes(digits, range(5)), select_classes(digits, [9, 8, 7, 6, 5])
    assert len(low) + len(high) == len(digits)
    assert high.class_names == ("9", "8", "7", "6", "5")
    torch.testing.assert_close(high.x[high.y == 0], digits.x[digits.y == 9])
    assert len(shared_rows(low.x, high.x)) == 0


def test_shared_rows_are_found_wherever_they_stand():
    rows = torch.rand(50, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    other = torch.cat([rows[[7, 3]] + 1, rows[[30, 2, 30]]])
    assert sorted(shared_rows(rows, other).tolist()) == [[2, 3], [30, 2], [30, 4]]
    nearly = rows.clone()
    nearly[:, 0, 0, 0] += 1e-6
    assert shared_rows(rows, nearly).shape == (0, 2)


def test_rows_are_not_cut_to_the_type_of_the_other_set():
    whole, broken = torch.tensor([[1, 2], [3, 4]]), torch.tensor([[1.5, 2.5], [3.0, 4.0]])
    assert shared_rows(whole, broken).tolist() == [[1, 1]]
    assert shared_rows(broken, whole).tolist() == [[1, 1]]


BAD = [
    (lambda: shards(Y, clients=600), "asks for 1200 shards"),
    (lambda: shards([], clients=1), "at least one row"),
    (lambda: shards(Y / 2, clients=2), "one whole number per row"),
    (lambda: shards(np.eye(3, dtype=int), clients=2), "one whole number per row"),
    (lambda: dirichlet(Y, clients=0, alpha=1), "`clients` is 0"),
    (lambda: dirichlet(Y, clients=2, alpha=0), "`alpha` is 0"),
    (lambda: classes_per_client(Y, clients=3, classes=11), "`classes` is 11"),
    (lambda: classes_per_client([0, 1], clients=5, classes=2), "to 5 clients; allowed: at most its 1 rows"),
    (lambda: stratified_parts(Y, parts=1001), "`parts` is 1001"),
    (lambda: disjoint(10, [6, 5]), "sum to 11"),
    (lambda: overlapping_blocks(10, clients=2, overlap=1.0), "`overlap` is 1.0"),
    (lambda: overlapping_blocks(3, clients=4), "`clients` is 4"),
    (lambda: select_classes(Examples(torch.zeros(2, 1), torch.tensor([0, 1])), [1, 1]), "distinct labels"),
    (lambda: select_classes(Examples(torch.zeros(2, 1), torch.tensor([0, 1])), [2]), "`classes` is 2"),
    (lambda: shared_rows(np.zeros((2, 3)), np.zeros((2, 4))), r"rows of shape \(4,\)"),
]


@pytest.mark.parametrize(("act", "message"), BAD)
def test_impossible_splits_are_refused(act, message):
    with pytest.raises(InputError, match=message):
        act()
