"""Parts of the user's data: chosen before they are read, each class in its share."""

import itertools

import numpy as np
import pytest
import torch
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from holdfast.core.errors import InputError
from holdfast.data import Examples, choose, examples_from, load_images
from holdfast.data.selection import MOST_OF_A_STREAM, choose_published

N = 600
LABELS = np.sort(np.arange(N) % 3)  # the worst order: class by class
X = (np.arange(N, dtype=np.float32) / N)[:, None].repeat(4, 1)


class Reading(Dataset):
    """A data set that remembers which items were read; `kept` names the attribute with its labels."""

    def __init__(self, kept=None):
        self.read = []
        if kept:
            setattr(self, kept, LABELS.tolist())

    def __len__(self):
        return N

    def __getitem__(self, row):
        self.read.append(row)
        return X[row], int(LABELS[row])


def is_stratified(found, n=60):
    rows = (found.examples.x[:, 0] * N).round().long().numpy()
    assert (rows == found.index).all(), "the index says which rows these are"
    assert found.total == N
    assert found.examples.y.tolist() == LABELS[rows].tolist()
    assert found.examples.y.bincount().tolist() == [n // 3] * 3
    assert found.examples.y[:9].bincount().tolist() == [3, 3, 3], "every prefix is stratified"


ARRAYS = (X, LABELS)
FORMS = {
    "arrays": lambda: ARRAYS,
    "tensors": lambda: tuple(map(torch.from_numpy, ARRAYS)),
    "a mapping of lists": lambda: {"x": X.tolist(), "y": LABELS.tolist()},
    "a mapping": lambda: {"x": X, "y": LABELS},
    "examples": lambda: Examples(*map(torch.from_numpy, ARRAYS)),
    "a TensorDataset": lambda: TensorDataset(*map(torch.from_numpy, ARRAYS)),
    "a loader": lambda: DataLoader(TensorDataset(*map(torch.from_numpy, ARRAYS)), batch_size=7),
    "a shuffling loader": lambda: DataLoader(Reading("targets"), batch_size=7, shuffle=True),
    "a loader that makes its batches itself": lambda: DataLoader(
        Reading("targets"),
        batch_size=7,
        collate_fn=lambda items: (np.stack([x for x, _ in items]), np.array([y for _, y in items])),
    ),
    "a data set with targets": lambda: Reading("targets"),
    "a data set with labels": lambda: Reading("labels"),
    "a subset": lambda: Subset(Reading("targets"), range(N)),
    "parts put together": lambda: ConcatDataset([Subset(Reading("labels"), range(400)), Subset(Reading("labels"), range(400, N))]),
    "a list of pairs": lambda: list(zip(X, LABELS.tolist(), strict=True)),
    "a list of batches": lambda: [(X[:350], LABELS[:350]), (X[350:], LABELS[350:])],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_with_labels_gives_the_same_stratified_part(form):
    found = choose(form(), n=60, seed=3)
    is_stratified(found)
    assert found.index.tolist() == choose(ARRAYS, n=60, seed=3).index.tolist()
    assert found.notes == ()


@pytest.mark.parametrize("loader", [False, True])
def test_of_a_data_set_that_keeps_its_labels_only_the_part_is_read(loader):
    data = Reading("targets")
    choose(DataLoader(data, batch_size=32, num_workers=0) if loader else data, n=60)
    assert len(set(data.read)) <= 61, "the part, and one item to see of what kind they are"


def test_of_a_data_set_without_labels_a_random_part_is_read_and_that_is_noted():
    data = Reading()
    found = choose(data, n=60, seed=3)
    assert len(set(data.read)) <= 61
    assert found.notes == (
        "the labels of the data stand only in their items, so 60 of 600 were drawn at random, not class by class",
    )
    rows = (found.examples.x[:, 0] * N).round().long().numpy()
    assert (rows == found.index).all()
    assert found.examples.y.tolist() == LABELS[rows].tolist()
    assert found.examples.y.bincount().min() >= 8, (
        "hypergeometric, 20 expected: fewer than 8 has a chance of 1e-4, and the seed is fixed"
    )
    assert found.index.tolist() == choose(Reading(), n=60, seed=3).index.tolist()


def test_everything_comes_in_a_stratified_order_too():
    for source in (ARRAYS, Reading(), Reading("targets"), iter(zip(X, LABELS.tolist(), strict=True))):
        found = choose(source, seed=1)
        assert sorted(found.index) == list(range(N))
        assert found.examples.y[:30].bincount().tolist() == [10, 10, 10]
        assert found.examples.y.tolist() == LABELS[found.index].tolist()


def test_the_rows_of_a_loader_are_those_of_its_sampler():
    data = Reading("targets")
    found = choose(DataLoader(data, sampler=SubsetRandomSampler(range(100, 500)), batch_size=8), n=50)
    assert found.total == 400
    assert found.examples.x[:, 0].mul(N).round().min() >= 100
    assert found.examples.x[:, 0].mul(N).round().max() < 500
    assert choose(DataLoader(data, sampler=WeightedRandomSampler([1.0] * N, 90)), n=50).total == 90


def endless():
    for row in itertools.count():
        yield X[row % N], int(row % 3 == 0)


class Endless(IterableDataset):
    def __iter__(self):
        return endless()


@pytest.mark.parametrize("stream", [endless, Endless, lambda: DataLoader(Endless(), batch_size=16)])
def test_a_stream_gives_its_first_examples_even_without_an_end(stream):
    found = choose(stream(), n=50)
    assert sorted(found.index) == list(range(50))
    assert found.total == 50
    assert found.notes == (
        "the data are a stream: its first 50 examples, of 2 classes, are used; --examples N (Python: examples=N) reads more",
    )
    assert choose(stream()).total == MOST_OF_A_STREAM


def test_labels_that_are_identifiers_are_refused_before_names_are_made():
    labels = np.array([20_000_000, 3, 5, 20_000_000])
    for source in ((X[:4], labels), [(x, int(y)) for x, y in zip(X, labels, strict=False)]):
        with pytest.raises(InputError, match="labels up to 20000000, which look like identifiers; allowed: numbers of classes"):
            choose(source)
        with pytest.raises(InputError, match="look like identifiers"):
            examples_from(source)
    with pytest.raises(InputError, match="look like identifiers"):
        Examples(torch.zeros(4, 1), torch.from_numpy(labels))


def test_only_the_part_becomes_floating_point_and_a_read_only_array_is_not_copied(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 256, (N, 3, 4, 4)).astype(np.uint8))
    for mode in ("r", "c"):
        stored = np.load(tmp_path / "x.npy", mmap_mode=mode)
        found = choose((stored, LABELS), n=30)
        assert found.examples.x.dtype == torch.float32
        np.testing.assert_allclose(found.examples.x.numpy(), stored[found.index] / 255, atol=1e-6)


def test_parts_of_published_sets_are_the_rows_that_the_index_names():
    whole = load_images("digits", "test")
    found = choose_published("digits", "test", n=40, seed=5)
    assert torch.equal(found.examples.x, whole.x[found.index])
    assert torch.equal(found.examples.y, whole.y[found.index])
    assert found.index.tolist() == whole.stratified_order(seed=5)[:40].tolist()
    assert (found.total, found.examples.name, found.examples.class_names) == (500, "digits test", tuple("0123456789"))


def test_unusable_sources_are_refused_as_ever():
    for source, message in [
        ((X, LABELS[:5]), "has 600 rows and `y` has 5"),
        ((X, LABELS - 1), "runs from -1 to 1"),
        ((X, LABELS.astype(float)), "dtype torch.float64"),
        ((X, np.eye(3)[LABELS]), "argmax"),
        ((X[:0], LABELS[:0]), "is empty"),
        ([], "is empty"),
        (iter(()), "used-up iterator"),
        (7, "is a int; allowed: Examples"),
        ("data.h5", "is the path data.h5"),
    ]:
        with pytest.raises(InputError, match=message):
            choose(source)


class Batches:
    """Ready batches that are made when they are asked for, and say which were."""

    def __init__(self):
        self.read = set()

    def __len__(self):
        return 40

    def __getitem__(self, place):
        self.read.add(place)
        return torch.full((10, 1, 2, 2), 0.01 * place), torch.full((10,), place % 4)


def test_of_ready_batches_only_as_many_are_read_as_are_needed():
    batches = Batches()
    found = choose(batches, n=25)
    assert len(found.examples) == 25
    assert len(batches.read) <= 4  # the first is looked at, and three are drawn
    assert "3 of 40 were drawn at random" in found.notes[0]
    assert (choose(batches, n=25).examples.x == found.examples.x).all()
    assert not (choose(batches, n=25, seed=1).examples.x == found.examples.x).all()
    whole = choose(batches)
    assert len(whole.examples) == 400
    assert not whole.notes
