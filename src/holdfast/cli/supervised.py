"""The measuring process, as its supervisor sees it: it ends with the supervisor, tells what it does, and heeds signals once."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

from holdfast.cli.ending import ECHO, EXIT_INTERRUPTED, SIGNALS, interrupted_by
from holdfast.core.lifeline import end_with_parent
from holdfast.core.watch import UNWATCHED, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["measure", "watch"]

_watch = UNWATCHED


def watch() -> Watch:
    """Whom the command that runs tells what it is doing."""
    return _watch


class Interrupts:
    """Makes signals a ``KeyboardInterrupt``, and remembers the first.

    Parameters
    ----------
    send : tells the supervisor
    """

    def __init__(self, send: Callable[[Mapping[str, Any]], None]) -> None:
        self.first: int | None = None
        self._send = send
        self._last = float("-inf")

    def __call__(self, number: int, frame: object) -> None:
        """Heed the signal `number`."""
        del frame
        now = time.monotonic()
        if now - self._last < ECHO:
            return
        self._last = now
        self.first = self.first or number
        self._send({"ending": number})
        raise KeyboardInterrupt

    def heed(self) -> None:
        """From now on, for the signals that are not ignored."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self)


def measure(command: Callable[[], int], send: Callable[[Mapping[str, Any]], None], lifeline: int) -> int:
    """The exit code of `command`, run under supervision.

    Parameters
    ----------
    command : gives an exit code and raises nothing
    send : sends a message to the supervisor
    lifeline : file descriptor that ends when the supervisor does
    """
    global _watch  # noqa: PLW0603 (a process has one supervisor)
    _watch = Watch(send)
    end_with_parent(lambda: os.read(lifeline, 1))
    interrupts = Interrupts(send)
    interrupts.heed()
    code = command()
    return interrupted_by(interrupts.first) if code == EXIT_INTERRUPTED and interrupts.first else code
