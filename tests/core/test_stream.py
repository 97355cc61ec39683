"""A stream that outlives its reader."""

import io
import os

import pytest

from holdfast.core.stream import LastingStream


def test_it_writes_as_long_as_somebody_reads_and_drops_the_rest():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        stream = LastingStream(pipe)
        assert stream.write("first\n") == 6
        stream.flush()
        assert os.read(reading, 100) == b"first\n"
        os.close(reading)
        for _ in range(3):
            assert stream.write("second\n" * 10_000) == 70_000
            stream.flush()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full disk here")  # noqa: PTH110
def test_a_full_disk_ends_the_writing_only():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        stream = LastingStream(full)
        stream.write("lost")
        stream.flush()
        stream.write("lost too")
        stream.flush()


def test_a_stream_that_somebody_closed_is_left_alone():
    closed = io.StringIO()
    closed.close()
    stream = LastingStream(closed)
    assert stream.write("lost") == 4
    stream.flush()


def test_what_an_encoding_does_not_know_becomes_a_question_mark():
    raw = io.BytesIO()
    stream = LastingStream(io.TextIOWrapper(raw, encoding="ascii"))
    stream.write("\N{CHECK MARK} pass")
    stream.flush()
    assert raw.getvalue() == b"? pass"
    assert stream.encoding == "ascii"
