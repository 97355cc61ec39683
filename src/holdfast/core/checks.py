"""Checks of what a user passes, all with one form of message.

Every refusal reads ``NAME GOT; allowed: ALLOWED. REMEDY`` and raises :class:`~holdfast.core.errors.InputError`, which is a
``ValueError``. Arrays may be NumPy arrays or torch tensors: only methods that both have are used, so torch is not imported.
"""

from __future__ import annotations

import difflib
import heapq
import math
from contextlib import contextmanager
from os.path import commonprefix
from typing import TYPE_CHECKING, Any, NoReturn

from holdfast.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "SEVERAL",
    "as_range",
    "as_single_labels",
    "as_written",
    "check_finite",
    "check_labels",
    "check_one_of",
    "check_quantity",
    "check_same_length",
    "check_whole",
    "check_within",
    "nearest",
    "refuse",
    "under_names",
]


ROUNDING = 1e-3  # of shares that sum to 1
SEVERAL = "Several labels per example are not supported, because accuracy and attacks here are defined for one right class"
MOST_COMPARED = 500  # words, of 30 us each
PART = 2**22  # values checked at a time, since a check makes several arrays of its own


def refuse(name: str, got: str, *, allowed: str, remedy: str = "") -> NoReturn:
    """Raise an :class:`InputError` in the package's one form.

    Examples
    --------
    >>> refuse("bits", "is 0", allowed="whole numbers from 1 to 16")
    Traceback (most recent call last):
    holdfast.core.errors.InputError: `bits` is 0; allowed: whole numbers from 1 to 16.
    """
    raise InputError(f"`{name}` {got}; allowed: {allowed}." + (f" {remedy}" if remedy else ""))


@contextmanager
def under_names(**names: str) -> Iterator[None]:
    """Inside the block, or the function, a refusal of a parameter names it as the user wrote it: ``path="data"``.

    Examples
    --------
    >>> with under_names(path="data"):
    ...     refuse("path", "leads nowhere", allowed="a file")
    Traceback (most recent call last):
    holdfast.core.errors.InputError: `data` leads nowhere; allowed: a file.
    """
    try:
        yield
    except InputError as error:
        _, name, rest = (*str(error).split("`", 2), "", "")[:3]
        if name not in names or not str(error).startswith("`"):
            raise
        raise type(error)(f"`{names[name]}`{rest}") from error.__cause__


def as_written(name: str, value: str = "", *, python: str = "") -> str:
    """A setting as the command line and as Python write it, for messages that are read in both.

    Parameters
    ----------
    name : of the setting, e.g. ``"output_key"``
    value : after the flag; empty for a flag without one
    python : the same value in Python; default: `value` as text, True for a flag without one

    Examples
    --------
    >>> as_written("output_key", "logits"), as_written("fresh"), as_written("bounds", "-1,1", python="(-1, 1)")
    ("--output-key logits (Python: output_key='logits')", '--fresh (Python: fresh=True)', '--bounds=-1,1 (Python: bounds=(-1, 1))')
    """
    separator = "=" if value.startswith("-") else " " if value else ""
    return f"--{name.replace('_', '-')}{separator}{value} (Python: {name}={python or (repr(value) if value else True)})"


def as_range(low: float, high: float) -> str:
    """The range of inputs that holds [`low`, `high`], as the command line and as Python declare it.

    Examples
    --------
    >>> as_range(-2.11791, 2.64003)
    '--bounds=-2.118,2.641 (Python: bounds=(-2.118, 2.641))'
    """
    ends = [_outward(low, math.floor), _outward(high, math.ceil)]
    text = [str(end).removesuffix(".0") for end in ends]
    return f"--bounds={','.join(text)} (Python: bounds=({', '.join(text)}))"


def _outward(value: float, rounding: Callable[[float], int]) -> float:
    """`value` in four digits, rounded by `rounding`; a whole number as it is."""
    if float(value).is_integer():
        return float(value)
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 3)
    return float(f"{rounding(value / unit) * unit:.10g}")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is closest to `word`, or None if none is close; of very many, those that begin and end like it."""
    words = list(known)
    if len(words) > MOST_COMPARED:
        words = heapq.nlargest(MOST_COMPARED, words, key=lambda other: _ends_shared(word, other))
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return close[0] if close else None


def _ends_shared(one: str, other: str) -> int:
    """How many letters two words share at their beginnings and at their ends."""
    pairs = ((one, other), (one[::-1], other[::-1]))
    return sum(len(commonprefix(pair)) for pair in pairs)  # noqa: RUF071 (words, not paths)


def check_one_of(value: str, name: str, *, allowed: Iterable[str]) -> str:
    """`value` if it is one of `allowed`; otherwise refuse and name the nearest allowed word.

    Examples
    --------
    >>> check_one_of("linf", "norm", allowed=["linf", "l2"])
    'linf'
    """
    words = list(allowed)
    if value not in words:
        close = nearest(str(value), words)
        refuse(name, f"is {value!r}", allowed=", ".join(words), remedy=f"Did you mean {close!r}?" if close else "")
    return value


def check_within(value: float, name: str, *, low: float = -math.inf, high: float = math.inf, low_open: bool = False) -> float:
    """`value` if it is finite and in ``[low, high]`` (``(low, high]`` with `low_open`).

    Examples
    --------
    >>> check_within(0.1, "eps", low=0)
    0.1
    """
    below = value <= low if low_open else value < low
    if not math.isfinite(value) or below or value > high:
        left = "(" if low_open or math.isinf(low) else "["
        right = ")" if math.isinf(high) else "]"
        within = "" if math.isinf(low) and math.isinf(high) else f" in {left}{low:g}, {high:g}{right}"
        refuse(name, f"is {value!r}", allowed=f"finite numbers{within}")
    return value


def check_quantity(
    values: Any, name: str, *, unit: str = "", low: float = -math.inf, high: float = math.inf, low_open: bool = False
) -> Any:
    """`values`, a number or an array of a physical quantity, as floats if all are finite and in ``[low, high]``; a tensor as it is.

    Examples
    --------
    >>> check_quantity(-1e6, "ms", unit="A/m", low=0, low_open=True)
    Traceback (most recent call last):
    holdfast.core.errors.InputError: `ms` is -1e+06 A/m; allowed: finite numbers in (0, inf) A/m.
    """
    import numpy as np

    found = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=float)
    bad = ~np.isfinite(found) | (found <= low if low_open else found < low) | (found > high)
    if bad.any():
        left = "(" if low_open or math.isinf(low) else "["
        right = ")" if math.isinf(high) else "]"
        place = f" at {tuple(map(int, np.argwhere(bad)[0]))}" if found.ndim else ""
        span = f"finite numbers in {left}{low:g}, {high:g}{right}"
        refuse(name, f"is {found[bad][0]:g} {unit}".rstrip() + place, allowed=f"{span} {unit}".rstrip())
    return values if hasattr(values, "detach") else found if found.ndim else float(found)


def check_whole(value: int, name: str, *, low: int = 0, high: int | None = None) -> int:
    """`value` as an ``int`` if it is a whole number in ``[low, high]``.

    Examples
    --------
    >>> check_whole(8, "bits", low=1, high=16)
    8
    """
    whole = not isinstance(value, bool) and float(value).is_integer()
    if not whole or value < low or (high is not None and value > high):
        upper = f"to {high}" if high is not None else "upwards"
        refuse(name, f"is {value!r}", allowed=f"whole numbers from {low} {upper}")
    return int(value)


def check_finite(array: Any, name: str, *, first: int = 0) -> None:
    """Refuse an array or tensor that holds NaN or infinity; the message counts them and names the first row.

    `first` is the number of the array's first row where it is a part of something larger.
    """
    rows = max(1, PART // max(1, math.prod(array.shape[1:])))
    parts = (array[begin : begin + rows] for begin in range(0, len(array), rows)) if array.ndim else [array]
    if all(bool(_finite(part).all()) for part in parts):
        return
    bad = ~_finite(array)
    rows = bad.reshape(bad.shape[0], -1).any(1) if bad.ndim > 1 else bad
    first += int(rows.nonzero()[0][0]) if rows.ndim else 0
    refuse(
        name,
        f"holds {int(bad.sum())} values that are NaN or infinite (first in row {first})",
        allowed="finite values",
        remedy="Clean or drop these rows before you pass them.",
    )


def _finite(array: Any) -> Any:
    if hasattr(array, "isfinite"):
        return array.isfinite()
    import numpy as np

    return np.isfinite(array)


def check_labels(labels: Any, name: str, *, classes: int | None = None) -> None:
    """Refuse labels that are not a vector of integers in ``0..classes-1``, or not negative where the classes are unknown (None)."""
    if labels.ndim != 1 or "int" not in str(labels.dtype):
        got = f"has dtype {labels.dtype} and shape {tuple(labels.shape)}"
        refuse(name, got, allowed="one integer per example", remedy=as_single_labels(labels))
    if len(labels) == 0:
        return
    low, high = int(labels.min()), int(labels.max())
    signs = low == -1 and high == 1 and bool((labels != 0).all())
    of_signs = "Labels -1 and 1 become 0 and 1 with (y + 1) // 2."
    if classes is None:
        if low < 0:
            remedy = of_signs if signs else "Leave unlabelled examples out."
            refuse(name, f"has a smallest entry of {low}", allowed="classes from 0 upwards", remedy=remedy)
    elif low < 0 or high >= classes:
        remedy = "Labels that start at 1 need `- 1`; otherwise model and data do not belong together."
        remedy = of_signs if signs else remedy if low >= 0 else "Leave unlabelled examples out."
        refuse(name, f"runs from {low} to {high}", allowed=f"0 to {classes - 1} for a model with {classes} outputs", remedy=remedy)


def as_single_labels(labels: Any) -> str:
    """How `labels` of another form become one integer per example, or why they cannot.

    Examples
    --------
    >>> import numpy
    >>> as_single_labels(numpy.eye(3)), as_single_labels(numpy.ones((4, 1)))
    ('Convert one-hot rows with .argmax(1).', 'Take the column with [:, 0] and convert it with .long() (NumPy: .astype(int)).')
    """
    kind = str(labels.dtype)
    convert = "" if "int" in kind else ".long() (NumPy: .astype(int))"
    if labels.ndim == 2 and labels.shape[1] > 1:
        shares = bool((labels >= 0).all()) and bool((abs(labels.sum(1) - 1) < ROUNDING).all())
        first = f"with {convert} and then " if "bool" in kind else ""  # torch finds no largest one of truth values
        return f"Convert one-hot rows {first}with .argmax(1)." if shares else f"{SEVERAL}."
    if "float" in kind and not bool((labels == labels // 1).all()):
        return "Labels are the numbers of classes, and these are not whole: a network that predicts quantities is not examined."
    if labels.ndim == 2:
        return "Take the column with [:, 0]" + (f" and convert it with {convert}." if convert else ".")
    return f"Convert them with {convert}." if convert and labels.ndim == 1 else ""


def check_same_length(x: Any, y: Any, names: tuple[str, str] = ("x", "y")) -> None:
    """Refuse two arrays with different first dimensions, or empty ones."""
    if len(x) != len(y):
        refuse(names[0], f"has {len(x)} rows and `{names[1]}` has {len(y)}", allowed="one row each per example")
    if len(x) == 0:
        refuse(names[0], "is empty", allowed="at least one example")
