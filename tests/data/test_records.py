"""Zip archives are read strictly: what two readers could take for two things is refused, and nothing is unpacked beyond a limit."""

import io
import warnings
import zipfile

import pytest

from holdfast.core.errors import InputError
from holdfast.data.records import UNPACKED_LIMIT, check_records, read_records, write_records

RECORDS = {"a/one": b"1" * 1000, "a/two": b"", "b": bytes(range(256))}


def packed(entries, method=zipfile.ZIP_STORED):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, record in entries:
            archive.writestr(name, record)
    return content.getvalue()


def marked(offset, value, *, header=b"PK\1\2"):
    """An archive whose last header of this kind holds another value."""
    content = bytearray(packed(RECORDS.items()))
    start = content.rindex(header) + offset
    content[start : start + len(value)] = value
    return bytes(content)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_was_read_is_what_is_written(method):
    read = read_records(packed(RECORDS.items(), method))
    assert read == RECORDS
    assert read_records(write_records(read)) == RECORDS
    assert write_records(read) == write_records(dict(read))


BAD = {
    "empty": (b"", "damaged zip archive"),
    "no archive": (b"hello", "damaged zip archive"),
    "cut": (packed(RECORDS.items())[:-30], "damaged zip archive"),
    "a wrong checksum": (marked(16, b"1234"), "damaged zip archive"),
    "one name twice": (packed([*RECORDS.items(), ("b", b"2")]), "holds the record 'b' twice"),
    "one name in two cases": (packed([*RECORDS.items(), ("B", b"2")]), "holds the record 'B' twice"),
    "encrypted": (marked(8, b"\x01\0"), "'b' is encrypted or packed in an unusual way"),
    "an unusual method": (packed(RECORDS.items(), zipfile.ZIP_LZMA), "is encrypted or packed in an unusual way"),
    "another name before the record": (marked(30, b"c", header=b"PK\3\4"), "damaged zip archive"),
    "overlapping records": (marked(20, (10**6).to_bytes(4, "little")), "its records overlap"),
    "a bomb": (
        marked(24, (2**31).to_bytes(4, "little")),
        f"unpack to 2147483648; allowed: {UNPACKED_LIMIT} bytes, or 20 times the file",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_a_damaged_or_ambiguous_archive_is_refused_in_one_sentence(content, message):
    with pytest.raises(InputError, match=message) as refusal:
        read_records(content)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["empty", "one name twice", "encrypted", "a bomb"])
def test_the_directory_alone_shows_it(name, tmp_path):
    content, message = BAD[name]
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(InputError, match=message):
        check_records(tmp_path / "a.zip")
