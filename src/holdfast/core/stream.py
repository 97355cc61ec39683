"""A text stream that outlives its reader, so that `| head` or a full disk behind standard output costs no report."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO, cast

__all__ = ["LastingStream", "make_streams_last"]


class LastingStream:
    """Writes to `stream` as long as that works, and drops everything after that.

    Parameters
    ----------
    stream : e.g. ``sys.stdout``
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write `text`, with question marks for what the stream's encoding does not know, or drop it."""
        try:
            return self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding
            return self.write(text.encode(encoding, "replace").decode(encoding))
        except (OSError, ValueError):  # the reader or the space is gone, or somebody has closed the stream
            self._drop()
            return len(text)

    def flush(self) -> None:
        """Hand on what was written, or drop it."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._drop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _drop(self) -> None:
        """Send what the stream still holds, and all that comes, to nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        with suppress(OSError, ValueError):  # a stream without a file has nothing to send
            os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


def make_streams_last() -> None:
    """Let standard output and standard error outlive their readers; closed ones lead to nowhere."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:  # a file that is opened later must not take their place
        pass
    os.close(opened)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (as long as the process)
        setattr(sys, name, cast("TextIO", LastingStream(stream)))
