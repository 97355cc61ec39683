"""Exceptions that a caller may want to catch, and warnings that one may want to filter.

::

    HoldfastError
    ├── InputError (also ValueError)        something the user passed cannot be used; exit code 2
    │   ├── UnsafePickleError               a pickle holds more than arrays
    │   └── RunMismatchError                a run folder belongs to other settings, model or data
    ├── DataUnavailableError (also FileNotFoundError)   a data set is neither on disk nor to be had
    ├── MissingExtraError (also ImportError)            an optional dependency is not installed
    ├── QueryBudgetError                    the next call would exceed the target's query cap
    ├── TimeBudgetError                     the next batch would exceed the time that was granted
    ├── RunLockedError                      another live process writes this run
    └── StorageError                        a measured point cannot be stored (full disk, lost permission); exit code 3

    UserWarning
    └── MacrospinWarning                    one moment stands for a magnet that is too wide for it
"""

from __future__ import annotations

__all__ = [
    "DataUnavailableError",
    "HoldfastError",
    "InputError",
    "MacrospinWarning",
    "MissingExtraError",
    "QueryBudgetError",
    "RunLockedError",
    "RunMismatchError",
    "StorageError",
    "TimeBudgetError",
    "UnsafePickleError",
    "last_line",
]


class HoldfastError(Exception):
    """Root of all errors that holdfast raises on purpose; `exit_code` is what the command line ends with."""

    exit_code = 2


class InputError(HoldfastError, ValueError):
    """Something the user passed cannot be used; the message says what was got, what is allowed and what to do."""


class UnsafePickleError(InputError):
    """A pickle asks for a name outside the short list that data files need; nothing of it was executed."""


class RunMismatchError(InputError):
    """A run folder was written for another model, data set or seed."""


class DataUnavailableError(HoldfastError, FileNotFoundError):
    """A data set is neither on disk nor downloadable; the message names each file and where to put it."""


class MissingExtraError(HoldfastError, ImportError):
    """An optional dependency is not installed; the message gives the command that installs it."""


class QueryBudgetError(HoldfastError):
    """The next call would exceed the target's query cap; nothing was sent."""


class TimeBudgetError(HoldfastError):
    """The time granted to a point is over; raised between two batches."""


class RunLockedError(HoldfastError):
    """Another live process is writing this run folder."""


class StorageError(HoldfastError):
    """A point was measured and cannot be stored; what was stored before is kept."""

    exit_code = 3


class MacrospinWarning(UserWarning):
    """One magnetic moment stands for a layer so wide that its magnetisation can vary from place to place."""


def last_line(traceback: str) -> str:
    r"""The last line of a traceback, which names the error; empty where there is none.

    Examples
    --------
    >>> last_line("Traceback (most recent call last):\n  ...\nValueError: boom\n")
    'ValueError: boom'
    """
    return traceback.strip().rpartition("\n")[2].strip()
