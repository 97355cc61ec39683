"""The same content has the same digest in every process; any other content has another."""

import dataclasses
import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.digest import canonical_json, digest, digest_arrays, jsonable
from holdfast.core.estimate import exact

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_canonical_json_is_json_and_loses_nothing(value):
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(st.text(max_size=5), st.integers(), max_size=6), st.randoms())
def test_the_order_of_keys_is_no_content(table, random):
    keys = list(table)
    random.shuffle(keys)
    assert digest({key: table[key] for key in keys}) == digest(table)


@given(PLAIN, PLAIN)
def test_digests_are_equal_exactly_for_equal_texts(one, other):
    assert (digest(one) == digest(other)) == (canonical_json(one) == canonical_json(other))


def test_parts_do_not_run_into_each_other():
    assert len({digest("ab", "c"), digest("a", "bc"), digest("abc"), digest(["ab", "c"])}) == 4


def test_scientific_types_become_plain():
    assert jsonable({1: np.float32(0.5), "x": (np.int64(3), {2, 1}), "y": np.arange(2), "z": math.inf}) == {
        "1": 0.5,
        "x": [3, [1, 2]],
        "y": [0, 1],
        "z": None,
    }
    assert jsonable(exact(2.0)) == dataclasses.asdict(exact(2.0))


def test_another_process_computes_the_same_digest():
    # sha256 of the bytes [{"a":[1,0.1],"b":null}], computed with coreutils' sha256sum
    code = "from holdfast.core.digest import digest; print(digest({'b': None, 'a': (1, 0.1)}))"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        there.stdout.strip()
        == digest({"a": [1, 0.1], "b": None})
        == "5a2e7ed9cea219505fe829314fd8cf3e88dffbde7d41e3fe82d5297f56dc9e56"
    )


ARRAYS = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros(2, dtype=np.int64)}


def test_names_in_any_order_are_the_same_network():
    assert digest_arrays(ARRAYS) == digest_arrays(dict(reversed(ARRAYS.items())))


@pytest.mark.parametrize(
    "other",
    [
        ARRAYS | {"w": ARRAYS["w"] + np.float32(1e-6)},
        ARRAYS | {"w": ARRAYS["w"].reshape(3, 2)},
        ARRAYS | {"w": ARRAYS["w"].astype(np.float64)},
        ARRAYS | {"b": ARRAYS["b"].astype(np.int32)},
        {"v": ARRAYS["w"], "b": ARRAYS["b"]},
        {"w": ARRAYS["w"]},
    ],
    ids=["value", "shape", "dtype", "width", "name", "fewer"],
)
def test_any_change_of_an_array_changes_the_digest(other):
    assert digest_arrays(other) != digest_arrays(ARRAYS)


def test_tensors_and_arrays_of_equal_content_agree_wherever_they_lie_in_memory():
    tensors = {name: torch.from_numpy(array) for name, array in ARRAYS.items()}
    turned = {"w": tensors["w"].T.contiguous().T.requires_grad_(True), "b": tensors["b"]}
    assert digest_arrays(tensors) == digest_arrays(turned) == digest_arrays(ARRAYS)


def test_half_precision_weights_have_digests():
    weights = torch.tensor([1.0, -2.5], dtype=torch.bfloat16)
    assert digest_arrays({"w": weights}) != digest_arrays({"w": -weights})
