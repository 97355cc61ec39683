"""The IDX reader takes exactly what the header declares."""

import gzip
import struct

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.data.idx import read_idx

PICTURES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def idx(array, code=0x08):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "images"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(("code", "kind"), [(0x08, "u1"), (0x09, "i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")])
def test_every_element_type_comes_back_in_native_order(path, pack, code, kind):
    path.write_bytes(pack(idx(PICTURES.astype(kind), code)))
    array = read_idx(path)
    np.testing.assert_array_equal(array, PICTURES)
    assert array.dtype.isnative
    assert array.flags.writeable


def test_the_header_alone_decides_not_the_name(tmp_path):
    path = tmp_path / "images.gz"
    path.write_bytes(idx(PICTURES))
    np.testing.assert_array_equal(read_idx(path), PICTURES)


WHOLE = idx(PICTURES)
BAD = {
    "empty": (b"", "starts with nothing"),
    "another format": (b"\x89PNG" + WHOLE, "starts with 89 50 4e 47"),
    "unknown element type": (b"\0\0\x07\3" + WHOLE[4:], "starts with 00 00 07 03"),
    "no dimensions": (b"\0\0\x08\0", "starts with 00 00 08 00"),
    "cut in the header": (WHOLE[:9], "ends inside its header"),
    "cut in the pixels": (WHOLE[:-1], "followed by 23 bytes; allowed: exactly 24"),
    "one byte too many": (WHOLE + b"!", "more than 24 bytes"),
    "dimensions beyond the file": (b"\0\0\x08\1\0\xff\xff\xff12", "followed by 2 bytes"),
    "dimensions beyond every file": (b"\0\0\x08\1\xff\xff\xff\xff12", "states 4294967295 bytes; allowed: 268435456 bytes at most"),
    "dimensions beyond every number": (b"\0\0\x08\xff" + b"\xff" * 1020, "states .* bytes; allowed: 268435456 bytes at most"),
    "a gzip bomb": (
        gzip.compress(struct.pack(">IIII", 0x803, 4_000_000, 28, 28)),
        "states 3136000000 bytes; allowed: 268435456 bytes",
    ),
    "cut gzip": (gzip.compress(WHOLE)[:-9], "damaged gzip"),
    "damaged gzip": (gzip.compress(WHOLE)[:-8] + b"12345678", "damaged gzip"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_damage_is_refused_with_what_was_found(path, content, message):
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_idx(path)
