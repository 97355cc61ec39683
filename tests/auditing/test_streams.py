"""Data without a length or an end: the first examples are used, and the report says what they do not hold."""

import itertools
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.utils.data import IterableDataset

from holdfast.auditing import audit
from holdfast.auditing.stresses.attacked import chunk_of
from holdfast.core.errors import InputError


class Level(nn.Module):
    """A network of five classes that names the level of its input, a tenth up to nine tenths."""

    def forward(self, x):
        levels = torch.linspace(0.1, 0.9, 5)
        return -20 * (x.flatten(1).mean(1, keepdim=True) - levels).abs()


class Endless(IterableDataset):
    """Examples of the first `classes` levels, for ever."""

    def __init__(self, classes=5):
        self.classes_seen = classes
        self.given = 0

    def __iter__(self):
        for row in itertools.count():
            self.given += 1
            label = row % self.classes_seen
            yield torch.full((1, 2, 2), 0.1 + 0.2 * label), label


@pytest.mark.parametrize(
    ("options", "read"), [({"preset": "quick"}, 1000), ({"preset": "standard"}, 10_000), ({"examples": 50}, 50)]
)
def test_an_endless_stream_ends(tmp_path, options, read):
    stream = Endless()
    report = audit(Level(), stream, stresses=["clean"], out=str(tmp_path / "run"), **options)
    assert stream.given == read
    assert report.document.data.total == read
    assert any(f"a stream: its first {read} examples, of 5 classes" in note for note in report.document.target.notes)


def test_classes_that_a_stream_did_not_show_are_warned_of(tmp_path):
    report = audit(Level(), Endless(classes=2), stresses=["clean"], examples=100, out=str(tmp_path / "run"))
    notes = " ".join(report.document.target.notes)
    assert "first 100 examples, of 2 classes, are used; --examples N" in notes
    assert "the network has 5 outputs and the data hold examples of 2 classes: the others are not examined" in notes


def test_identifiers_for_labels_are_refused_at_once(tmp_path):
    x = torch.rand(40, 1, 2, 2)
    with pytest.raises(InputError, match="labels up to 20000020, which look like identifiers"):
        audit(Level(), (x, torch.arange(40) * 512_821 + 1), out=str(tmp_path / "run"))


def test_a_network_that_answers_with_identifiers_is_refused(tmp_path):
    def service(x):
        return torch.full((len(x),), 20_000_000)

    with pytest.raises(InputError, match="`model` answers with labels up to 20000000, which look like identifiers"):
        audit(service, (torch.rand(40, 1, 2, 2), torch.arange(40) % 2), out=str(tmp_path / "run"))


@pytest.mark.parametrize(("shape", "most"), [((3, 32, 32), 1000), ((3, 256, 256), 20)])
def test_large_inputs_go_through_the_network_a_few_at_a_time(tmp_path, shape, most):
    seen = []

    class Counting(Level):
        def forward(self, x):
            seen.append(len(x))
            return super().forward(x)

    labels = torch.arange(60) % 5
    x = (0.1 + 0.2 * labels.float()).reshape(-1, *[1] * len(shape)).expand(60, *shape)
    report = audit(Counting(), (x, labels), stresses=["clean", "fgsm"], out=str(tmp_path / "run"))
    assert report.cards["clean"].entry.stresses["clean"].points[0].metrics["accuracy"].value == 1
    assert max(seen) == min(most, 60)


def test_chunks_of_attacks_keep_their_size_up_to_small_images():
    for shape, rows in [((1, 28, 28), 1000), ((3, 32, 32), 1000), ((3, 64, 64), 1000), ((3, 256, 256), 50), ((10**8,), 50)]:
        assert chunk_of(SimpleNamespace(shape=shape)) == rows
