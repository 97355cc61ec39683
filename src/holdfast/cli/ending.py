"""How a command ends: its exit codes, and what becomes of an error that reaches the command line."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING

from cyclopts import CycloptsError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ECHO", "EXIT_CRASH", "EXIT_FAIL", "EXIT_INTERRUPTED", "EXIT_USAGE", "SIGNALS", "guarded", "interrupted_by"]

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
ECHO = 1.0  # s within which a second signal is the same one, sent to a process and to its group

EXIT_FAIL, EXIT_USAGE, EXIT_CRASH, EXIT_INTERRUPTED = 1, 2, 3, 130
EXIT_READER_GONE = 141  # what a shell reports of a program that SIGPIPE ended


def interrupted_by(number: int) -> int:
    """What a shell reports of a program that the signal `number` ended.

    Examples
    --------
    >>> interrupted_by(2), interrupted_by(15)
    (130, 143)
    """
    return 128 + number


def guarded(command: Callable[[], object]) -> int:
    """The exit code of `command`, which is what it returns if that is a whole number, and 0 if not.

    Nothing that a model does ends here as 0: a ``SystemExit`` that comes from its code is a crash.
    """
    from holdfast.core.errors import HoldfastError

    try:
        code = command()
        sys.stdout.flush()
    except CycloptsError:
        return EXIT_USAGE
    except HoldfastError as error:
        print(f"holdfast: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except BrokenPipeError:  # the reader, e.g. `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_READER_GONE
    except OSError as error:
        print(f"holdfast: {error}. Choose another path, or free it.", file=sys.stderr)  # noqa: T201
        return EXIT_USAGE
    except KeyboardInterrupt:
        print("holdfast: interrupted", file=sys.stderr)  # noqa: T201
        return EXIT_INTERRUPTED
    except BaseException:  # noqa: BLE001 (neither a crash of ours nor an exit of theirs must look like a gate's verdict)
        traceback.print_exc()
        return EXIT_CRASH
    return code if isinstance(code, int) else 0
