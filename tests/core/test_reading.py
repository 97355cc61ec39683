"""Damaged files are one kind of error, whatever was done to them."""

import random

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.core.reading import read_npz, read_text, read_toml


def mutated(content, dice):
    """`content` after one of the things that happen to files: cut, bytes changed, a piece repeated, a piece lost."""
    kind, place, length = dice.randrange(4), dice.randrange(len(content)), dice.randrange(1, 30)
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + dice.randbytes(length) + content[place + length :]
    if kind == 2:
        return content[:place] + content[place : place + length] * 2 + content[place + length :]
    return content[:place] + content[place + length :]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_archive_gives_its_arrays_or_one_kind_of_error(tmp_path, save):
    file, dice = tmp_path / "a.npz", random.Random(0)
    held = {"x": np.arange(12.0).reshape(3, 4), "y": np.array(["a", "bc"])}
    save(file, **held)
    whole = file.read_bytes()
    refused = 0
    for _ in range(1500):
        file.write_bytes(mutated(whole, dice))
        try:
            found = read_npz(file)
        except ValueError:
            refused += 1
        else:
            assert all(isinstance(array, np.ndarray) for array in found.values())
    assert refused > 500


def test_a_file_that_is_not_there_is_refused_by_the_name_of_its_setting(tmp_path):
    with pytest.raises(InputError, match=r"`gates` is '.*no.toml': there is no such file; allowed: a TOML file\."):
        read_toml(tmp_path / "no.toml", "gates", allowed="a TOML file")


@pytest.mark.parametrize("content", [b"a = ", b"\xff", b"a = " + b"[" * 50_000, b"a = 1\na = 2"])
def test_what_is_not_toml_is_refused(tmp_path, content):
    (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(InputError, match=r"`config` is .*not (TOML|UTF-8)"):
        read_toml(tmp_path / "a.toml", "config", allowed="a TOML file")


def test_a_byte_order_mark_is_not_content(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfa = 1")
    assert read_toml(tmp_path / "a.toml", "config", allowed="") == {"a": 1}
    assert read_text(tmp_path / "a.toml", "config", allowed="") == "a = 1"
