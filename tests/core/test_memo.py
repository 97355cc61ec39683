"""A memo builds once, finds again, and never hands out what is not as it was written."""

import hashlib

import numpy as np
import pytest
import torch

from holdfast.core.memo import Memo


def test_memo_keeps_tensors_as_tensors_and_arrays_as_arrays(tmp_path):
    memo = Memo(tmp_path)
    weights = memo("net", {"seed": 0}, lambda: {"w": torch.arange(3.0)})
    assert torch.equal(memo("net", {"seed": 0}, lambda: 1 / 0)["w"], weights["w"])
    assert {path.suffix for path in tmp_path.iterdir()} == {".safetensors", ".sha256", ".lock"}
    assert memo("net", {"seed": 1}, lambda: {"w": np.ones(2)})["w"].tolist() == [1, 1]


def test_memo_of_another_scope_is_another_artefact(tmp_path):
    assert Memo(tmp_path, "model a")("n", {}, lambda: {"v": np.zeros(1)})["v"][0] == 0
    assert Memo(tmp_path, "model b")("n", {}, lambda: {"v": np.ones(1)})["v"][0] == 1


def test_a_build_that_fails_leaves_nothing_behind(tmp_path):
    memo = Memo(tmp_path)
    with pytest.raises(ZeroDivisionError):
        memo("n", {}, lambda: 1 / 0)
    assert memo("n", {}, lambda: {"v": np.ones(1)})["v"][0] == 1


def test_the_digest_beside_an_artefact_is_that_of_sha256sum(tmp_path):
    Memo(tmp_path)("n", {}, lambda: {"v": np.ones(1)})
    artefact, line = next(tmp_path.glob("*.npz")), next(tmp_path.glob("*.sha256")).read_text()
    assert line == f"{hashlib.sha256(artefact.read_bytes()).hexdigest()}  {artefact.name}\n"


def cut(artefact, other):
    artefact.write_bytes(artefact.read_bytes()[:40])


def swap(artefact, other):
    artefact.write_bytes(other.read_bytes())


def swap_with_digest(artefact, other):
    swap(artefact, other)
    artefact.with_suffix(".sha256").write_text(other.with_suffix(".sha256").read_text())


def without_digest(artefact, other):
    swap(artefact, other)
    artefact.with_suffix(".sha256").unlink()


def with_garbage(artefact, other):
    artefact.with_suffix(".sha256").write_bytes(b"\xff\xfe")


@pytest.mark.parametrize("make", [torch.full, np.full])
@pytest.mark.parametrize("spoil", [cut, swap, swap_with_digest, without_digest, with_garbage])
def test_an_artefact_that_is_torn_or_swapped_is_built_again_and_said(tmp_path, spoil, make):
    memo = Memo(tmp_path)
    for value in (1.0, 2.0):
        memo("n", {"value": value}, lambda value=value: {"v": make((3,), value)})
    artefacts = {float(memo("n", {"value": value}, dict)["v"][0]): value for value in (1.0, 2.0)}
    assert artefacts == {1.0: 1.0, 2.0: 2.0}
    first, second = sorted((*tmp_path.glob("*.npz"), *tmp_path.glob("*.safetensors")), key=lambda path: path.stat().st_mtime_ns)
    spoil(first, second)
    with pytest.warns(UserWarning, match="is built again"):
        assert memo("n", {"value": 1.0}, lambda: {"v": make((3,), 1.0)})["v"].tolist() == [1, 1, 1]
    assert memo("n", {"value": 1.0}, lambda: 1 / 0)["v"].tolist() == [1, 1, 1]
