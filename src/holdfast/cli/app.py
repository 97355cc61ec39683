"""The root of the command line: the output of `holdfast` alone, and the process in which a command runs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from holdfast import __version__
from holdfast.cli.ending import EXIT_CRASH, EXIT_FAIL, guarded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.cli.supervisor import Left

__all__ = ["EXIT_FAIL", "app", "console", "main"]

MEASURING = (("audit",), ("plan",), ("resume",), ("study", "run"))  # commands that run what is not ours, or for long
WELCOME = """\
holdfast: will it hold? A laboratory for neural networks that must leave the lab.

Begin here:
  holdfast audit                       a report card of a small example network, in about a minute, nothing to download
  holdfast audit --model mynet:make --weights w.safetensors --data mydata:test
                                       the same for your own network
  holdfast study list                  published experiments that can be repeated here
  holdfast list stresses               everything that an audit does to a network
  holdfast device list                 devices whose curves can be measured here and put into a network

`holdfast COMMAND --help` explains a command with examples."""

app = App(
    name="holdfast",
    help="Will it hold? A laboratory for neural networks that must leave the lab.\n\nExample: holdfast audit",
    version=__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,  # it would become an exit by itself, which is that of a model's code
)


@app.default
def welcome(*words: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]) -> None:
    """Say what to do first."""
    if words:
        from holdfast.core.checks import check_one_of

        check_one_of(words[0], "command", allowed=[name for name in app if not name.startswith("-")])
    print(WELCOME)  # noqa: T201 (a command line prints)


def console() -> Any:
    """The terminal to print to."""
    from holdfast.report.console import Console

    return Console()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code.

    Parameters
    ----------
    arguments : words of a command, which is run in this process; default: those that the process was started with, where
        commands that measure run in a process of their own, so that nothing that a network does can lose their report
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is loaded: idle threads sleep instead of spinning
    if arguments is None and hasattr(os, "fork") and _measures(sys.argv[1:]):
        sys.exit(_supervised())
    sys.exit(guarded(lambda: _run(arguments)))


def _run(arguments: Sequence[str] | None) -> object:
    return app(arguments, exit_on_error=False, result_action="return_value")


def _measures(words: Sequence[str]) -> bool:
    return any(tuple(words[: len(command)]) == command for command in MEASURING)


def _supervised() -> int:
    """Run the process's own command under supervision; gives its exit code, also in the processes that this starts."""
    from holdfast.cli import supervised
    from holdfast.cli.supervisor import supervise
    from holdfast.core.stream import make_streams_last

    make_streams_last()
    return supervise(
        lambda send, lifeline: supervised.measure(lambda: guarded(lambda: _run(None)), send, lifeline),
        lambda left: guarded(lambda: _conclude(left)),
    )


def _conclude(left: Left) -> int:
    """Write the report of a run whose process is gone."""
    if left.kind == "audit":
        from holdfast.auditing.partial import conclude
    else:
        from holdfast.studies.run import conclude
    report = conclude(left.folder, running=left.running, reason=left.reason, interrupted=left.code != EXIT_CRASH, progress=True)
    return report.exit_code if report.document.run.status == "complete" else left.code
