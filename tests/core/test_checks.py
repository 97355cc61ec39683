"""Every refusal says what was got, what is allowed and what to do."""

import math
import time

import numpy as np
import pytest
import torch

from holdfast.core.checks import (
    check_finite,
    check_labels,
    check_one_of,
    check_same_length,
    check_whole,
    check_within,
    nearest,
    refuse,
)
from holdfast.core.errors import HoldfastError, InputError

NAN = math.nan

REFUSED = [
    (lambda: refuse("x", "is odd", allowed="even numbers"), "`x` is odd; allowed: even numbers."),
    (lambda: refuse("x", "is odd", allowed="even", remedy="Double it."), "`x` is odd; allowed: even. Double it."),
    (lambda: check_one_of("linf2", "norm", allowed=["linf", "l2"]), "`norm` is 'linf2'; allowed: linf, l2. Did you mean 'linf'?"),
    (lambda: check_one_of("qq", "norm", allowed=["linf", "l2"]), "`norm` is 'qq'; allowed: linf, l2."),
    (lambda: check_within(-0.1, "eps", low=0), "`eps` is -0.1; allowed: finite numbers in [0, inf)."),
    (lambda: check_within(0, "rate", low=0, high=1, low_open=True), "`rate` is 0; allowed: finite numbers in (0, 1]."),
    (lambda: check_within(NAN, "eps"), "`eps` is nan; allowed: finite numbers."),
    (lambda: check_within(math.inf, "eps", low=0), "`eps` is inf;"),
    (lambda: check_whole(2.5, "bits", low=1, high=16), "`bits` is 2.5; allowed: whole numbers from 1 to 16."),
    (lambda: check_whole(0, "bits", low=1), "`bits` is 0; allowed: whole numbers from 1 upwards."),
    (lambda: check_whole(True, "bits"), "`bits` is True;"),
    (lambda: check_whole(math.inf, "bits"), "`bits` is inf;"),
    (lambda: check_whole(NAN, "bits"), "`bits` is nan;"),
    (lambda: check_finite(np.array([[0.0, 1.0], [NAN, math.inf]]), "x"), "2 values that are NaN or infinite (first in row 1)"),
    (lambda: check_finite(torch.tensor([0.0, 1.0, NAN]), "x"), "1 values that are NaN or infinite (first in row 2)"),
    (lambda: check_finite(torch.full((3, 2, 2), NAN), "x"), "12 values that are NaN or infinite (first in row 0)"),
    (lambda: check_finite(np.array(NAN), "x"), "1 values that are NaN or infinite (first in row 0)"),
    (lambda: check_labels(torch.tensor([0.0, 1.0]), "y", classes=2), "has dtype torch.float32 and shape (2,)"),
    (lambda: check_labels(np.eye(2, dtype=int), "y", classes=2), "Convert one-hot rows with .argmax(1)"),
    (
        lambda: check_labels(np.array([[1, 0, 1], [0, 1, 0]]), "y"),
        "Several labels per example are not supported, because accuracy and",
    ),
    (lambda: check_labels(torch.tensor([[0.0, 0.9], [0.8, 0.9]]), "y"), "Several labels per example are not supported"),
    (lambda: check_labels(torch.tensor([0.5, 1.0]), "y"), "a network that predicts quantities is not examined"),
    (lambda: check_labels(np.array([1, 2]), "y", classes=2), "`y` runs from 1 to 2; allowed: 0 to 1 for a model with 2 outputs."),
    (
        lambda: check_labels(torch.tensor([-1, 0]), "y", classes=2),
        "to 1 for a model with 2 outputs. Leave unlabelled",
    ),
    (lambda: check_labels(torch.tensor([-1, 1, 1]), "y", classes=2), "Labels -1 and 1 become 0 and 1 with (y + 1) // 2."),
    (lambda: check_labels(np.array([-1, 1, 1]), "y"), "Labels -1 and 1 become 0 and 1 with (y + 1) // 2."),
    (lambda: check_same_length([1, 2], [1]), "`x` has 2 rows and `y` has 1; allowed: one row each per example."),
    (lambda: check_same_length([], [], ("images", "labels")), "`images` is empty; allowed: at least one example."),
]


@pytest.mark.parametrize(("call", "part"), REFUSED, ids=[part[:40] for _, part in REFUSED])
def test_refusals_have_one_form(call, part):
    with pytest.raises(InputError) as refusal:
        call()
    message = str(refusal.value)
    assert part in message
    assert message.startswith("`")
    assert "; allowed: " in message
    assert message.endswith((".", "?"))


LABELS = torch.tensor([1, 0, 0, 1])
STEPS = {
    "[:, 0]": lambda y: y[:, 0],
    ".long()": lambda y: y.long(),
    ".astype(int)": lambda y: y.astype(int),
    ".argmax(1)": lambda y: y.argmax(1),
}
OTHER_FORMS = [
    form.to(kind)
    for form in (torch.eye(2)[LABELS], LABELS[:, None], LABELS)
    for kind in (torch.float32, torch.int64, torch.bool)
    if form.ndim == 2 or kind != torch.int64
]


@pytest.mark.parametrize("given", OTHER_FORMS, ids=[f"{tuple(form.shape)}-{form.dtype}" for form in OTHER_FORMS])
@pytest.mark.parametrize("library", ["torch", "numpy"])
def test_the_remedy_for_other_labels_gives_the_labels(given, library):
    """The steps that the message names, taken one after another."""
    labels = given if library == "torch" else given.numpy()
    with pytest.raises(InputError) as refusal:
        check_labels(labels, "y", classes=2)
    remedy = str(refusal.value).partition("allowed: one integer per example. ")[2]
    other = ".astype(int)" if library == "torch" else ".long()"
    named = sorted((step for step in STEPS if step in remedy and step != other), key=remedy.index)
    assert named
    for step in named:
        labels = STEPS[step](labels)
    check_labels(labels, "y", classes=2)
    assert labels.tolist() == LABELS.tolist()


def test_a_refusal_is_a_value_error_and_one_of_ours():
    assert issubclass(InputError, ValueError)
    assert issubclass(InputError, HoldfastError)


def test_what_is_allowed_comes_back():
    assert check_one_of("l2", "norm", allowed=iter(["linf", "l2"])) == "l2"
    assert check_within(0.0, "eps", low=0) == 0.0
    assert (check_whole(8.0, "bits"), type(check_whole(8.0, "bits"))) == (8, int)
    assert check_whole(np.int64(3), "bits", high=3) == 3
    check_finite(np.zeros((0, 3)), "x")
    check_finite(torch.zeros(2, 3, dtype=torch.int64), "x")
    check_labels(np.array([], dtype=int), "y", classes=2)
    check_labels(torch.tensor([0, 1], dtype=torch.int32), "y", classes=2)
    check_same_length(torch.zeros(2, 1), [0, 1])


def test_nearest_is_near_or_nothing():
    assert nearest("acuracy", ["loss", "accuracy"]) == "accuracy"
    assert nearest("zzz", ["loss", "accuracy"]) is None
    assert nearest("a", []) is None


def test_the_nearest_of_very_many_words_is_found_at_once():
    many = [f"encoder.blocks.{place}.attention.weight" for place in range(50_000)]
    begun = time.process_time()
    assert nearest("encoder.blocks.31415.atention.weight", many) == "encoder.blocks.31415.attention.weight"
    assert time.process_time() - begun < 0.5
