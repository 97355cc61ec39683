"""What a run tells whoever supervises its process: what it is doing, how long that may take, and where its folder lies."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from holdfast.core.executors import Task
    from holdfast.core.store import Record

__all__ = ["UNWATCHED", "Watch"]


def _to_nobody(message: Mapping[str, Any]) -> None:
    del message


@dataclass(frozen=True)
class Watch:
    """Sends JSON-able messages to a supervisor.

    Parameters
    ----------
    send : takes a message; by default it is dropped
    """

    send: Callable[[Mapping[str, Any]], None] = _to_nobody

    def phase(self, doing: str, *, seconds: float | None = None) -> None:
        """What happens from now on, e.g. ``"loading the model"``, and the time that it may take in s."""
        self.send({"doing": doing, "seconds": seconds})

    def stored(self, folder: Path, kind: Literal["audit", "study"]) -> None:
        """From now on the run can be reported from its `folder` alone."""
        self.send({"folder": str(folder.resolve()), "kind": kind})

    def reported(self) -> None:
        """The report of the run is written."""
        self.send({"reported": True})

    def begin(self, task: Task) -> None:
        """A point is about to be measured."""
        left = None if task.deadline is None else max(0.0, task.deadline - time.time())
        seconds = min((time for time in (task.limit, left) if time is not None), default=None)
        words = [task.experiment.name, *(f"{key}={value}" for key, value in task.point.items())]
        self.send({"begin": task.key, "doing": f"measuring {' '.join(words)}", "seconds": seconds})

    def after(self, observe: Callable[[Record], None]) -> Callable[[Record], None]:
        """An observer of points that have ended, which is `observe` and tells it as well."""

        def ended(record: Record) -> None:
            self.send({"end": record.key})
            observe(record)

        return ended


UNWATCHED = Watch()
