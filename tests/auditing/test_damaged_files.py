"""Damaged files of weights and networks are refused in one sentence, whatever Python's readers raise for them."""

import io
import struct
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.auditing.loading.target import load_target
from holdfast.auditing.loading.weights import named_globals, read_weights
from holdfast.core.errors import InputError


def npz(header, body=bytes(64)):
    """An archive of one array whose header is the text `header`."""
    text = header.encode("latin1") + b"\n"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body)
    return content.getvalue()


def marked(offset, value):
    """An honest archive of arrays with another value in its directory."""
    content = io.BytesIO()
    np.savez(content, a=np.zeros(4, np.float32))
    changed = bytearray(content.getvalue())
    start = changed.rindex(b"PK\1\2") + offset
    changed[start : start + len(value)] = value
    return bytes(changed)


BAD_NPZ = {
    "a header that does not end": npz("{'descr': '<f4', 'fortran_order': False, 'shape': (4,"),
    "a header of brackets": npz("(" * 60_000),
    "a shape beyond memory": npz("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999,), }"),
    "a negative shape": npz("{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }"),
    "objects": npz("{'descr': '|O', 'fortran_order': False, 'shape': (4,), }"),
    "an unknown type": npz("{'descr': '<M8[s]', 'fortran_order': False, 'shape': (4,), }"),
    "strong encryption": marked(8, b"\x40\0"),
    "patched data": marked(8, b"\x20\0"),
    "an unknown method": marked(10, b"\x63\0"),
}


@pytest.mark.parametrize("content", BAD_NPZ.values(), ids=BAD_NPZ)
def test_a_damaged_npz_of_weights_is_refused_in_one_sentence(content, tmp_path):
    (tmp_path / "w.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"`weights` is 'w.npz', which is not an archive of numeric arrays") as refusal:
        read_weights(tmp_path / "w.npz")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("suffix", ["ts", "pt2", "pt"])
@pytest.mark.parametrize(("offset", "value"), [(0, b"\xff\xff"), (46, b"\xff")], ids=["magic number", "name that is not UTF-8"])
def test_a_damaged_directory_of_an_archive_is_refused_in_one_sentence(suffix, offset, value, tmp_path):
    content = io.BytesIO()
    torch.save(nn.Linear(2, 2).state_dict(), content)
    changed = bytearray(content.getvalue())
    start = changed.rindex(b"PK\1\2")
    changed[start + 9] |= 0x08  # names are said to be UTF-8
    changed[start + offset : start + offset + len(value)] = value
    (tmp_path / f"m.{suffix}").write_bytes(changed)
    with pytest.raises(InputError, match=rf"`model` is 'm.{suffix}': it is a damaged zip archive \(.*allowed: a complete file"):
        load_target(tmp_path / f"m.{suffix}")


def test_names_in_a_damaged_archive_are_none(tmp_path):
    content = io.BytesIO()
    torch.save(nn.Linear(2, 2).state_dict(), content)
    (tmp_path / "w.pt").write_bytes(content.getvalue().replace(b"PK\1\2", b"PK\1\3"))
    assert named_globals(tmp_path / "w.pt") == []


def test_a_million_pickles_in_a_row_are_read_once(tmp_path):
    """Copying what is left after each of them would take hours."""
    (tmp_path / "w.pt").write_bytes(b"N." * 1_000_000 + b"cos\nsystem\n.")
    assert named_globals(tmp_path / "w.pt") == ["os.system"]
