"""The process that a command which measures is started in: it loads nothing, watches the one that measures, and outlives it.

Whatever ends the measuring process (``os._exit`` or a fault in the network, the kernel's memory guard, a kill), a point that never
returns, or a signal: what was measured becomes a report, and the exit code says that it is not complete.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast.cli.ending import ECHO, EXIT_CRASH, EXIT_FAIL, EXIT_USAGE, SIGNALS, interrupted_by

__all__ = ["Left", "supervise"]

TICK = 0.25  # s
LEAST_GRACE, MOST_GRACE = 2.0, 10.0  # s beyond a time limit, which the measuring process keeps between batches
REACTION = 5.0  # s from a signal until the point that is measured is given up
FAREWELL = 60.0  # s for the report of an interrupted run
CONCLUSION = 300  # s for the report of a run whose process is gone

Message = Mapping[str, Any]
Send = Callable[[Message], None]


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a process left that ended before its report was written.

    Parameters
    ----------
    folder, kind : of the run: ``"audit"`` or ``"study"``
    running : key of the point that was being measured, if it was the only one; else empty
    reason : one sentence
    code : exit code of the command, unless the run turns out to be complete
    """

    folder: str
    kind: str
    running: str
    reason: str
    code: int


@dataclass
class Seen:
    """What the measuring process has told, and when."""

    code: int | None = None
    doing: str = "starting"
    seconds: float | None = None
    since: float = field(default_factory=time.monotonic)
    folder: str = ""
    kind: str = ""
    reported: bool = False
    running: dict[str, Message] = field(default_factory=dict)
    signal: int | None = None
    signalled: float = 0.0
    kill_at: float | None = None

    def hear(self, message: Message) -> None:
        """Take in a message of :class:`holdfast.core.watch.Watch`, or the last word of the process."""
        self.code = message.get("code", self.code)
        self.folder, self.kind = message.get("folder", self.folder), message.get("kind", self.kind)
        self.reported = message.get("reported", self.reported)
        if "ending" in message:
            self.interrupted(message["ending"])
        if "begin" in message:
            self.running[message["begin"]] = message
        elif "doing" in message:  # no point is under way any more
            self.running = {}
            self.kill_at = None if self.signal is None else time.monotonic() + FAREWELL
        if "end" in message:
            self.running.pop(message["end"], None)
        if {"begin", "end", "doing"} & set(message):
            self.since = time.monotonic()
            self.doing, self.seconds = self._present(message)

    def _present(self, message: Message) -> tuple[str, float | None]:
        """What is done now, and the time that it may take: the longest of all points that are under way."""
        if not self.running:
            return message.get("doing", self.doing), message.get("seconds")
        limits = [point["seconds"] for point in self.running.values()]
        longest = None if None in limits else max(limits)
        return " or ".join(point["doing"] for point in self.running.values()), longest

    def interrupted(self, number: int) -> None:
        """A signal has come, to which the process has to react."""
        if self.signal is None:
            self.signal, self.signalled = number, time.monotonic()
            self.kill_at = self.signalled + REACTION

    @property
    def overdue(self) -> bool:
        """The present work has taken longer than it may."""
        if self.seconds is None:
            return False
        grace = min(max(LEAST_GRACE, 0.1 * self.seconds), MOST_GRACE)
        return time.monotonic() > self.since + self.seconds + grace


def supervise(measure: Callable[[Send, int], int], conclude: Callable[[Left], int]) -> int:
    """Run `measure` in a process of its own, and give the exit code of the command.

    Parameters
    ----------
    measure : takes a function that sends messages and a file descriptor that ends when this process does; gives the exit code
    conclude : writes the report of a run whose process is gone, in another process; gives the exit code

    Returns
    -------
    Exit code, of which ever process this returns in: each of them has to exit with it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # whoever ignores it loses the exit status of its children
    heard, told = os.pipe()
    lifeline, held = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    child = os.fork()
    if child == 0:
        os.close(heard)
        os.close(held)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        code = measure(lambda message: _send(told, message), lifeline)
        _send(told, {"code": code})
        return code
    os.close(told)
    os.close(lifeline)
    seen = Seen()
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: _forward(child, number, seen))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    status, overdue = _attend(child, heard, seen)
    if seen.code is not None and (seen.reported or not seen.folder or seen.code == EXIT_USAGE):
        return seen.code
    return _conclude(seen, conclude, _reason(seen, status, overdue=overdue))


def _send(told: int, message: Message) -> None:
    try:
        os.write(told, json.dumps(message).encode() + b"\n")
    except OSError:  # the supervisor was killed, or the network closed the pipe: then the supervisor takes this for a crash
        return


def _message(line: bytes) -> Message:
    """The message in `line`; an empty one if something else has written to the pipe."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _forward(child: int, number: int, seen: Seen) -> None:
    """Hand a signal on; a second one ends a process that did not react to the first."""
    if seen.signal is None:
        seen.interrupted(number)
        os.kill(child, number)
    elif time.monotonic() - seen.signalled > ECHO:
        os.kill(child, signal.SIGKILL)


def _attend(child: int, heard: int, seen: Seen) -> tuple[int, bool]:
    """Listen until the process has ended, or end it; gives its wait status, and whether it was overdue."""
    rest, before, overdue = b"", time.monotonic(), False
    while True:
        ready, _, _ = select.select([heard], [], [], TICK)
        chunk = os.read(heard, 1 << 16) if ready else b""
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            seen.hear(_message(line))
        now = time.monotonic()
        if now - before > 20 * TICK:  # both processes were stopped for a while
            seen.since += now - before
        before = now
        if not chunk:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status, overdue
            if ready:
                time.sleep(TICK / 10)  # the pipe is closed, and the process about to end
        if seen.code is not None and seen.kill_at is None:
            seen.kill_at, seen.seconds = now + MOST_GRACE, None  # its last word is said
        if seen.overdue or (seen.kill_at is not None and now > seen.kill_at):
            overdue = seen.kill_at is None
            os.kill(child, signal.SIGKILL)


def _reason(seen: Seen, status: int, *, overdue: bool) -> str:
    """One sentence: what ended the process, and what it was doing."""
    if seen.signal is not None:
        return f"{signal.Signals(seen.signal).name} ended the run while {seen.doing}"
    if overdue:
        limit = f"its limit of {seen.seconds:.3g} s (--point-limit or --budget sets it)"
        return f"{seen.doing} did not end within {limit}, so the process was ended"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        killed = " (killed, or out of memory)" if number == signal.SIGKILL else ""
        return f"{signal.Signals(number).name}{killed} ended the process while {seen.doing}"
    return f"the process ended by itself (exit status {os.WEXITSTATUS(status)}) while {seen.doing}"


def _conclude(seen: Seen, conclude: Callable[[Left], int], reason: str) -> int:
    """Say what happened, and have the report written in another process, which runs nothing of the user's."""
    code = EXIT_CRASH if seen.signal is None else interrupted_by(seen.signal)
    if sys.stdout.isatty():
        sys.stdout.write("\x1b[?25h\n")  # a progress bar has hidden the cursor
    left = "the report is written" if seen.reported else "what was measured is reported" if seen.folder else "nothing was measured"
    print(f"holdfast: {reason}; {left}.", file=sys.stderr)  # noqa: T201
    sys.stdout.flush()
    sys.stderr.flush()
    if seen.reported or not seen.folder:
        return code
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        signal.alarm(CONCLUSION)
        running = next(iter(seen.running)) if len(seen.running) == 1 else ""
        return conclude(Left(folder=seen.folder, kind=seen.kind, running=running, reason=reason, code=code))
    found = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return found if found in (0, EXIT_FAIL) else code  # the verdict of a run that turned out to be complete
