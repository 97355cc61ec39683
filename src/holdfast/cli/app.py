"""The root of the command line: the output of `holdfast` alone, and how a command ends."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from holdfast import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EXIT_FAIL", "app", "console", "main"]

EXIT_FAIL, EXIT_USAGE, EXIT_CRASH, EXIT_INTERRUPTED = 1, 2, 3, 130
EXIT_READER_GONE = 141  # what a shell reports of a program that SIGPIPE ended
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
    """Run the command line and exit with its code."""
    from holdfast.core.errors import HoldfastError

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is loaded: idle threads sleep instead of spinning
    try:
        code = app(arguments, exit_on_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError:
        sys.exit(EXIT_USAGE)
    except HoldfastError as error:
        print(f"holdfast: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader, e.g. `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_READER_GONE)
    except OSError as error:
        print(f"holdfast: {error}. Choose another path, or free it.", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_USAGE)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception:  # noqa: BLE001 (a crash of ours must not look like a failed gate)
        traceback.print_exc()
        sys.exit(EXIT_CRASH)
    sys.exit(code if isinstance(code, int) else 0)
