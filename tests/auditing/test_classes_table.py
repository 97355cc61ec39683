"""The table of classes and confusions: complete for few classes, small for many, and old reports stay readable."""

import json

import numpy as np
import pytest
import torch

from holdfast.auditing.stresses.clean import MOST_PAIRS, Clean
from holdfast.core.errors import InputError
from holdfast.core.seeds import Seeds
from holdfast.core.stress import StressContext
from holdfast.core.target import Target
from holdfast.data import Examples
from holdfast.report import charts
from holdfast.report.measured import ConfusionsEntry, Details


def answered(labels, guesses, classes):
    """What the clean stress finds where a network answers `guesses`."""
    x = torch.tensor(guesses)[:, None].float() / classes
    target = Target(model=lambda x: 9.0 * torch.nn.functional.one_hot((x[:, 0] * classes).round().long(), classes).float())
    data = Examples(x, torch.tensor(labels), classes=classes)
    return Details(**Clean().measure({}, StressContext(seeds=Seeds(0), target=target, data=data)).details)


def test_few_classes_are_a_square_and_a_class_without_examples_has_no_accuracy():
    found = answered([0, 0, 2, 2, 2], [0, 1, 2, 2, 0], 3)
    assert found.confusion == [[1, 1, 0], [0, 0, 0], [1, 0, 2]]
    assert found.confusions is None
    assert [(entry.value, entry.n) for entry in found.per_class] == [(0.5, 2), (None, 0), (pytest.approx(2 / 3), 3)]


def test_many_classes_are_a_list_that_says_the_same():
    labels, guesses = [0, 0, 0, 7, 7, 150], [1, 1, 0, 3, 7, 150]
    found = answered(labels, guesses, 200)
    assert found.confusion is None
    listed = found.confusions
    assert list(zip(listed.true, listed.predicted, listed.count, strict=True)) == [(0, 1, 2), (7, 3, 1)]
    assert (listed.rows[0], listed.rows[7], listed.rows[150], sum(listed.rows), listed.unlisted) == (3, 2, 1, 6, 0)
    picture = charts.listed_confusions(listed, [])
    assert picture.note == "3 of 6 are wrong; most often class 0 is taken for class 1 (2)."
    assert "66.7%" in picture.body


def test_a_thousand_classes_take_less_than_a_megabyte():
    from holdfast.auditing.stresses.clean import _by_class

    generator = np.random.default_rng(0)
    labels = np.arange(50_000) % 1000
    guesses = np.where(generator.random(50_000) < 0.3, labels, generator.integers(0, 1000, 50_000))
    found = _by_class(labels, guesses, classes=1000)
    assert len(json.dumps(Details(**found).model_dump(mode="json"), indent=1)) < 8e5
    wrong = int((labels != guesses).sum())
    assert len(found["confusions"]["count"]) == MOST_PAIRS
    assert sum(found["confusions"]["count"]) + found["confusions"]["unlisted"] == wrong


def test_lists_that_contradict_themselves_are_no_confusions():
    for broken in ({"true": [0, 1]}, {"predicted": [5]}, {"true": [-1]}):
        with pytest.raises((InputError, ValueError)):
            ConfusionsEntry(**({"rows": [1, 1], "true": [0], "predicted": [1], "count": [1]} | broken))
