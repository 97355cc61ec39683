"""The forms in which a user may write a setting, each read into the one in which it is kept.

What cannot be read is refused, or passed on to the check of the type that the setting has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.core.checks import check_within, refuse
from holdfast.core.numerals import as_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import ValidationInfo

__all__ = ["ends", "key", "normalisation", "path", "seconds", "several", "words"]

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def seconds(value: Any, info: ValidationInfo) -> Any:
    """A duration such as ``"90s"``, ``"5m"`` or ``"1.5h"`` in s."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", value)
    if match is None or match[2] not in UNITS:
        refuse(str(info.field_name), f"is {value!r}", allowed="a time such as 90s, 5m or 1.5h")
    return check_within(float(match[1]) * UNITS[match[2]], str(info.field_name), low=0, low_open=True)


def ends(value: Any) -> Any:
    """Two numbers out of ``"0,1"`` or of two numbers or texts."""
    parts = value.split(",") if isinstance(value, str) else value
    try:
        low, high = (float(as_number(part)) for part in parts)
    except (TypeError, ValueError):
        refuse("bounds", f"is {value!r}", allowed="the smallest and the largest input value, e.g. 0,1")
    finite = check_within(low, "bounds"), check_within(high, "bounds")
    if low >= high:
        refuse("bounds", f"is {value!r}", allowed="a smallest input value below the largest, e.g. 0,1")
    return finite


def normalisation(value: Any) -> Any:
    """``"mean,std"`` out of a pair of numbers, sequences, arrays or tensors."""
    if isinstance(value, str) or value is None:
        return value
    try:
        mean, std = ([float(as_number(number)) for number in _listed(part)] for part in value)
    except (TypeError, ValueError):
        mean, std = [], []
    if not mean or len(mean) != len(std):
        refuse("normalize", f"is {value!r}", allowed="a pair (mean, std) of numbers, or of one number for each channel")
    return ",".join(map(repr, (*mean, *std)))


def _listed(part: Any) -> Sequence[Any]:
    held = part.tolist() if hasattr(part, "tolist") else part
    return held if isinstance(held, list | tuple) else [held]


def words(value: Any) -> Any:
    """``name=value`` texts out of a mapping."""
    return tuple(f"{name}={entry}" for name, entry in value.items()) if isinstance(value, Mapping) else several(value)


def several(value: Any) -> Any:
    """A text as a list of one."""
    return (value,) if isinstance(value, str) else value


def path(value: Any) -> Any:
    """A path as text."""
    return str(value) if isinstance(value, Path) else value


def key(value: Any) -> Any:
    """The place of a part in a tuple as text."""
    return str(value) if isinstance(value, int) else value
