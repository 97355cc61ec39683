"""The user's own data: every common form gives the same examples, and every common mistake is named."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, TensorDataset

from holdfast.core.errors import DataUnavailableError, InputError
from holdfast.data import Examples, examples_from, load_images, load_npz

X = np.random.default_rng(0).integers(0, 256, (6, 3, 8, 10)).astype(np.uint8)
Y = np.array([2, 0, 1, 1, 0, 2])
FLOAT = torch.tensor(X) / 255
BIG_ENDIAN = Y.astype(">i2")


class Rows(Dataset):
    """A map-style data set without an iterator, as users write it, with torchvision's attribute `classes`."""

    classes = ("ant", "bee", "cow")

    def __len__(self):
        return len(X)

    def __getitem__(self, index):
        return FLOAT[index], int(Y[index])


class Pictures(Rows):
    def __getitem__(self, index):
        return Image.fromarray(X[index].transpose(1, 2, 0)), int(Y[index])


FORMS = {
    "examples": lambda: Examples(FLOAT, torch.tensor(Y)),
    "tensors": lambda: (FLOAT, torch.tensor(Y)),
    "arrays": lambda: (X / 255, Y),
    "pixels": lambda: (X, Y.astype(np.uint8)),
    "a list of two arrays": lambda: [X, Y],
    "a mapping": lambda: {"x": X, "y": Y},
    "a TensorDataset": lambda: TensorDataset(FLOAT, torch.tensor(Y)),
    "a map-style data set": Rows,
    "pictures": Pictures,
    "a loader of batches": lambda: DataLoader(TensorDataset(FLOAT, torch.tensor(Y)), batch_size=4),
    "a list of pairs": lambda: [(x, y) for x, y in zip(FLOAT, Y, strict=True)],
    "exactly two pairs of batches": lambda: [(FLOAT[:4], Y[:4]), (FLOAT[4:], Y[4:])],
    "a generator of batches": lambda: ((FLOAT[i : i + 2], torch.tensor(Y[i : i + 2])) for i in (0, 2, 4)),
    "a tensor that needs gradients": lambda: (FLOAT.clone().requires_grad_(), torch.tensor(Y)),
    "big-endian, read-only arrays": lambda: (
        np.frombuffer((X / 255).astype(">f4").tobytes(), ">f4").reshape(X.shape),
        Y.astype(">i2"),
    ),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_gives_the_same_examples(form):
    examples = examples_from(form())
    torch.testing.assert_close(examples.x, FLOAT)
    assert examples.y.tolist() == Y.tolist()
    assert (examples.x.dtype, examples.y.dtype, examples.classes) == (torch.float32, torch.int64, 3)
    assert not examples.x.requires_grad


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_first_rows_alone_can_be_read(form):
    examples = examples_from(form(), n=3)
    torch.testing.assert_close(examples.x, FLOAT[:3])


def test_a_generator_is_not_read_beyond_what_is_wanted():
    def endless():
        while True:
            yield FLOAT[:4], Y[:4]

    assert len(examples_from(endless(), n=10)) == 10


def test_names_of_the_classes_come_from_the_data_set():
    assert examples_from(Rows()).class_names == ("ant", "bee", "cow")
    assert examples_from(Rows()).name == "Rows"
    assert examples_from(Rows(), name="mine", classes=5).class_names == ("0", "1", "2", "3", "4")


def test_the_users_own_arrays_stay_as_they_are():
    x, y = X.copy(), Y.copy()
    examples = examples_from((x, y))
    examples.x.zero_()
    np.testing.assert_array_equal(x, X)
    floating = FLOAT.clone()
    examples_from((floating, Y))
    torch.testing.assert_close(floating, FLOAT)


@pytest.mark.parametrize(
    ("layout", "stored"),
    [("NHWC", X.transpose(0, 2, 3, 1)), ("NCHW", X)],
)
def test_the_declared_order_of_the_axes_is_undone(layout, stored):
    torch.testing.assert_close(examples_from((stored, Y), layout=layout).x, FLOAT)


def test_grey_images_get_their_axis_for_the_channel():
    assert examples_from((X[:, 0], Y), layout="NHW").x.shape == (6, 1, 8, 10)


@pytest.mark.parametrize(
    ("layout", "stored", "given"),
    [
        (None, (6, 2, 9), (6, 2, 9)),
        ("NCL", (6, 2, 9), (6, 2, 9)),
        ("NLC", (6, 9, 2), (6, 2, 9)),
        ("NTF", (6, 9, 2), (6, 9, 2)),
        ("NF", (6, 9), (6, 9)),
        ("NHW", (6, 8, 10), (6, 1, 8, 10)),
        ("NDHW", (6, 4, 8, 10), (6, 1, 4, 8, 10)),
        ("NDHWC", (6, 4, 8, 10, 2), (6, 2, 4, 8, 10)),
        (None, (6, 2, 4, 8, 10), (6, 2, 4, 8, 10)),
    ],
)
def test_inputs_of_every_rank_are_read(layout, stored, given):
    assert examples_from((np.zeros(stored, dtype=np.float32), Y), layout=layout).x.shape == given


def test_channels_that_come_last_become_the_second_axis_with_their_own_numbers():
    signals = np.random.default_rng(0).random((6, 9, 2), dtype=np.float32)
    np.testing.assert_array_equal(examples_from((signals, Y), layout="NLC").x, signals.transpose(0, 2, 1))


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64"])
def test_token_ids_stay_integers(kind):
    ids = np.arange(24).reshape(6, 4).astype(kind)
    read = examples_from((ids, Y), bounds=None).x
    assert read.dtype == torch.int64
    np.testing.assert_array_equal(read, ids)


def test_rows_of_features_need_no_layout():
    assert examples_from((np.zeros((4, 7), np.float32), [0, 1, 0, 1])).x.shape == (4, 7)


def test_small_maps_of_many_channels_are_no_swapped_images():
    assert examples_from((np.zeros((2, 16, 4, 4), np.float32), [0, 1])).x.shape == (2, 16, 4, 4)


def test_the_division_of_pixels_leaves_a_note(caplog):
    caplog.set_level("INFO", logger="holdfast")
    examples_from((FLOAT, Y))
    assert not caplog.messages
    examples_from((X, Y))
    assert caplog.messages == ["pixels 0 to 255 were divided by 255; pass --bounds 0,255 (Python: bounds=(0, 255)) to keep them"]


def test_declared_bounds_admit_other_ranges():
    assert examples_from((FLOAT * 2 - 1, Y), bounds=(-1, 1)).x.min() < 0
    assert examples_from((FLOAT * 1e6, Y), bounds=None).x.max() > 1e5
    assert examples_from((X, Y), bounds=(0, 255)).x.max() > 200


HALF = FLOAT.clone()
HALF[4, 0, 0, 0] = torch.nan
ENDLESS = FLOAT.clone()
ENDLESS[1] = torch.inf
BAD = {
    # name: (source, options, part of the message)
    "no rows": ((FLOAT[:0], Y[:0]), {}, "is empty"),
    "an empty list": ([], {}, "`source` is empty"),
    "a used iterator": (iter(()), {}, "used-up iterator"),
    "unequal lengths": ((FLOAT, Y[:4]), {}, "has 6 rows and `y` has 4"),
    "negative labels": ((FLOAT, Y - 1), {}, "runs from -1 to 1"),
    "labels beyond the model": ((FLOAT, Y), {"classes": 2}, r"runs from 0 to 2; allowed: 0 to 1 for a model with 2 outputs"),
    "labels as texts": ((FLOAT, np.array(["a", "b"])[Y % 2]), {}, r"hold texts; allowed: numbers.*numpy.unique\(y, return_inv"),
    "labels as floats": ((FLOAT, Y.astype(float)), {}, "dtype torch.float64"),
    "one-hot labels": ((FLOAT, np.eye(3)[Y]), {}, r"argmax\(1\)"),
    "one-hot labels in items": (
        [(FLOAT[0], np.eye(3)[0])] * 2,
        {},
        r"at item 0.*If it is one example: Convert one-hot labels with \.argmax\(-1\)",
    ),
    "several labels in items": (
        [(FLOAT[0], np.array([1, 0, 1, 1]))] * 2,
        {},
        "Several labels per example are not supported, because",
    ),
    "a label with an axis": ([(FLOAT[0], np.array([1]))] * 2, {}, r"Return the number itself: y\.item\(\)"),
    "one-hot labels of another length": ([(FLOAT[0], np.eye(4)[0])] * 2, {}, r"\(3, 8, 10\) and \(4,\) at item 0.*argmax"),
    "NaN": ((HALF, Y), {}, r"1 values that are NaN or infinite \(first in row 4\)"),
    "infinity": ((ENDLESS, Y), {"bounds": None}, "first in row 1"),
    "integers of unknown range": ((X.astype(np.int64), Y), {}, "dtype int64, whose range is unknown.*uint8"),
    "normalised images": (((FLOAT - 0.5) / 0.25, Y), {}, r"has values in \[-2, 2\]; allowed: the declared bounds \(0, 1\)"),
    "pixels as floats": ((FLOAT * 255, Y), {}, r"values in \[0, 255\]"),
    "NHWC undeclared": ((X.transpose(0, 2, 3, 1), Y), {}, "looks like NHWC.*Pass --layout NHWC"),
    "NCHW declared as NHWC": ((X, Y), {"layout": "NHWC"}, "looks like NCHW.*--layout NCHW"),
    "a layout of other axes": ((X, Y), {"layout": "NHW"}, r"is NHW, 3 axes, .* \(6, 3, 8, 10\); allowed: NCHW or NHWC or NDHW"),
    "token ids in a range": ((Y[:, None].repeat(4, 1), Y), {}, "bounds=None in Python and no --bounds"),
    "an unknown layout": ((X, Y), {"layout": "CHWN"}, "`layout` is 'CHWN'"),
    "items that are no pairs": ([FLOAT[0], FLOAT[1], FLOAT[2]], {}, "gives a Tensor at item 0; allowed: pairs"),
    "triples": ([(FLOAT[0], 1, 2)], {}, "gives a tuple of 3 at item 0"),
    "a later item that is no pair": ([(FLOAT[0], 1), None], {}, "gives a NoneType at item 1"),
    "unequal shapes": ([(FLOAT[0], 1), (FLOAT[0, :, :4], 1)], {}, r"\(3, 4, 10\) at item 1 after \(3, 8, 10\).*Resize"),
    "rows of unequal length": (([[0.0, 1.0], [0.5]], [0, 1]), {}, "at item|unequal|pairs"),
    "a number": (7, {}, "is a int; allowed: Examples, a pair"),
    "a mapping without labels": ({"x": X}, {}, "none of the entries x of a row may be the label"),
    "a lone tensor": (FLOAT, {}, "pairs"),
    "a file of another kind": ("data.h5", {}, "is the path data.h5; allowed: an .npz file"),
    "no rows wanted": ((FLOAT, Y), {"n": 0}, "`n` is 0"),
}


@pytest.mark.parametrize(("source", "options", "message"), BAD.values(), ids=BAD)
def test_mistakes_are_named_with_their_remedy(source, options, message):
    with pytest.raises(InputError, match=message):
        examples_from(source, **options)


def test_an_npz_file_gives_the_same_examples(tmp_path):
    np.savez(tmp_path / "mine.npz", x=X, y=Y)
    examples = load_npz(tmp_path / "mine.npz")
    torch.testing.assert_close(examples.x, FLOAT)
    assert examples.name == "mine"
    assert examples_from(str(tmp_path / "mine.npz"), name="other", n=2).x.shape == (2, 3, 8, 10)
    np.savez(tmp_path / "last.npz", x=X.transpose(0, 2, 3, 1), y=Y)
    torch.testing.assert_close(examples_from(tmp_path / "last.npz", layout="NHWC").x, FLOAT)


def test_an_npz_file_with_objects_or_without_its_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "objects.npz", x=np.array([print, None]), y=Y[:2])
    np.savez(tmp_path / "names.npz", images=X, labels=Y)
    np.save(tmp_path / "single.npy", X)
    (tmp_path / "single.npy").rename(tmp_path / "single.npz")
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "names.npz").read_bytes()[:-50])
    for name, message in {
        "objects": "not a sound .npz of numbers .*Object arrays cannot be loaded",
        "names": "holds images, labels; allowed: arrays named x and y",
        "single": "not a sound .npz",
        "text": "not a sound .npz",
        "cut": "not a sound .npz",
    }.items():
        with pytest.raises(InputError, match=message):
            load_npz(tmp_path / f"{name}.npz")
    with pytest.raises(DataUnavailableError, match=r"no file .*absent\.npz"):
        load_npz(tmp_path / "absent.npz")


def test_a_published_set_passes_through_unchanged():
    digits = load_images("digits", "test")
    assert examples_from(digits).digest == digits.digest
    assert examples_from(digits).name == "digits test"
