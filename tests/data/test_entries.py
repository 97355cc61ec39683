"""Rows whose parts have names: the input and the label are found, or asked for by the words that name them."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from holdfast.core.errors import InputError
from holdfast.data import choose, examples_from
from holdfast.data.entries import entries_of

N, CLASSES = 12, 3
X = np.random.default_rng(0).random((N, 3, 4, 5), dtype=np.float32)
Y = np.arange(N) % CLASSES
IDS = np.arange(N * 6).reshape(N, 6)
MASK = (IDS % 5 > 0).astype(np.int64)


def rows(**parts):
    return [{name: part[place] for name, part in parts.items()} for place in range(N)]


class Rows(Dataset):
    """A data set of mappings."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, place):
        return self.items[place]


def collate(items):
    return {name: torch.as_tensor(np.stack([item[name] for item in items])) for name in items[0]}


PIXELS = rows(pixel_values=X, labels=Y)
SOURCES = {
    "a list of rows": lambda: PIXELS,
    "a data set": lambda: Rows(PIXELS),
    "a part of a data set": lambda: torch.utils.data.Subset(Rows(PIXELS), range(N)),
    "a loader": lambda: DataLoader(Rows(PIXELS), batch_size=5),
    "a loader with its own collation": lambda: DataLoader(Rows(PIXELS), batch_size=5, collate_fn=collate),
    "batches": lambda: [collate(PIXELS[:7]), collate(PIXELS[7:])],
    "a stream": lambda: iter(PIXELS),
    "whole arrays": lambda: {"pixel_values": X, "labels": Y},
    "whole tensors": lambda: {"pixel_values": torch.from_numpy(X), "labels": torch.from_numpy(Y)},
}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_every_source_of_named_rows_gives_the_pairs_that_it_holds(make):
    expected = examples_from((X, Y))
    assert examples_from(make()).digest == expected.digest
    found = choose(make())
    order = np.argsort(found.index)
    np.testing.assert_array_equal(found.examples.x[order], X)
    np.testing.assert_array_equal(found.examples.y[order], Y)
    assert "of each row the network gets 'pixel_values', and 'labels' is the label" in found.notes


def test_labels_of_a_list_of_rows_are_read_before_the_inputs():
    found = choose(PIXELS, n=6)
    assert found.examples.y.bincount().tolist() == [2, 2, 2]
    assert not any("at random" in note for note in found.notes)


def test_pictures_are_inputs():
    pictures = [Image.fromarray((255 * x).astype(np.uint8).transpose(1, 2, 0)) for x in X]
    read = examples_from(rows(image=pictures, label=Y, name=["a"] * N))
    np.testing.assert_allclose(read.x, (255 * X).astype(np.uint8) / 255, atol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: rows(input_ids=IDS, attention_mask=MASK, label=Y),
        lambda: rows(input_ids=IDS.tolist(), attention_mask=MASK.tolist(), label=Y),
    ],
)
def test_token_ids_take_their_mask_along(make):
    found = choose(make(), bounds=None)
    assert found.stacked == ("input_ids", "attention_mask")
    order = np.argsort(found.index)
    np.testing.assert_array_equal(found.examples.x[order], np.stack([IDS, MASK], 1))
    assert found.examples.x.dtype == torch.int64


def test_a_batch_of_token_ids_is_stacked_behind_its_examples():
    batches = [{"input_ids": IDS[:7], "attention_mask": MASK[:7], "labels": Y[:7]}]
    assert examples_from(batches, bounds=None).x.shape == (7, 2, 6)
    assert examples_from({"input_ids": IDS, "attention_mask": MASK, "labels": Y}, bounds=None).x.shape == (N, 2, 6)


def test_several_inputs_are_named_with_commas():
    found = entries_of({"a": IDS[0], "b": MASK[0], "label": 0}, input_key="b, a")
    np.testing.assert_array_equal(found.pair({"a": IDS[0], "b": MASK[0], "label": 0}, 0)[0], np.stack([MASK[0], IDS[0]]))


def test_what_is_not_used_is_noted():
    (note,) = entries_of({"image": X[0], "label": 1, "name": "x", "place": 3}).notes
    assert note.endswith("; 'name', 'place' are not used")


ROW = {"left": X[0], "right": X[0], "label": 1}
BAD = {
    "two inputs": (
        ROW,
        {},
        r"`input_key` is not given, and several of the entries left, right, label .* --input-key left \(Python",
    ),
    "an unknown input": (ROW, {"input_key": "rigth"}, r"`input_key` is 'rigth'; allowed: .*Did you mean 'right'\?"),
    "no input": ({"text": "so", "label": 1}, {}, "none of the entries text, label of a row may be the input"),
    "no label": ({"image": X[0], "kind": 1}, {}, r"none of the entries .* may be the label.*--label-column kind"),
    "two labels": (
        {"image": X[0], "label": 1, "labels": 1},
        {},
        r"several of the entries .* may be the label.*--label-column label",
    ),
    "an unknown label": (ROW, {"label_column": "lable"}, r"`label_column` is 'lable'.*Did you mean 'label'\?"),
    "unlike shapes": ({"a": X[0], "b": X[0, 0], "label": 1}, {"input_key": "a,b"}, "one entry, or several of one shape"),
}


@pytest.mark.parametrize(("row", "options", "message"), BAD.values(), ids=BAD)
def test_what_may_be_meant_is_asked_for_by_its_name(row, options, message):
    with pytest.raises(InputError, match=message):
        examples_from([row, row], **options)


def test_the_name_that_is_proposed_works():
    assert examples_from([ROW, ROW], input_key="left").x.shape == (2, 3, 4, 5)


def test_a_later_row_without_an_entry_is_named():
    with pytest.raises(InputError, match="gives a row without 'labels' at item 3"):
        examples_from([*PIXELS[:3], {"pixel_values": X[0]}])


def test_names_are_refused_where_there_are_none():
    for options in ({"input_key": "x"}, {"label_column": "y"}):
        (name,) = options
        with pytest.raises(
            InputError, match=f"`{name}` is '.'; allowed: a name for tables and for rows that are dicts. Leave it out"
        ):
            examples_from((X, Y), **options)


def test_arrays_of_a_file_may_have_other_names(tmp_path):
    np.savez(tmp_path / "t.npz", images=X, kinds=Y)
    read = choose(tmp_path / "t.npz", input_key="images", label_column="kinds")
    assert read.total == N
    with pytest.raises(InputError, match=r"which holds images, kinds; allowed: arrays named x and y.*--input-key NAME"):
        choose(tmp_path / "t.npz")
