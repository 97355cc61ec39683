"""Processes that begin others and are gone leave nothing behind: a process ends with the one that began it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["end_with_parent"]

SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def end_with_parent(wait: Callable[[], object]) -> None:
    """From now on this process ends at once when its parent is gone, even if the parent was killed.

    A thread does it everywhere; on Linux the kernel does it too, which also ends a process whose threads are all blocked.

    Parameters
    ----------
    wait : returns when the parent is gone, and blocks until then
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    threading.Thread(target=_leave, args=(wait,), daemon=True).start()


def _leave(wait: Callable[[], object]) -> None:
    wait()
    os._exit(1)
