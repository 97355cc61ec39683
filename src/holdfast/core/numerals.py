"""Numbers as users write them: whole, decimal, or a quotient of two, such as ``8/255``."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from holdfast.core.checks import refuse

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["NUMERAL", "as_number", "quotient", "read_number", "size_text"]

DIGITS = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
NUMERAL = rf"{DIGITS}(?:\s*/\s*{DIGITS})?"  # without a sign; a regular expression


def quotient(numeral: str) -> float | None:
    """The value of what :data:`NUMERAL` matched; None where it divides by 0.

    Examples
    --------
    >>> quotient("1/4"), quotient("2e-3"), quotient("1/0")
    (0.25, 0.002, None)
    """
    numerator, _, denominator = numeral.partition("/")
    divisor = float(denominator or 1)
    return float(numerator) / divisor if divisor else None


def read_number(text: str, name: str) -> float:
    """The number that `text` states.

    Parameters
    ----------
    text : a number or a quotient of two, with or without a sign
    name : of the setting, for the message

    Raises
    ------
    InputError : the text is not one number, or divides by 0

    Examples
    --------
    >>> read_number("0.1", "eps"), read_number("-1/4", "eps"), round(read_number("8/255", "eps"), 4)
    (0.1, -0.25, 0.0314)
    """
    value = as_number(text)
    if not isinstance(value, float) or not math.isfinite(value):
        refuse(name, f"is {text!r}", allowed="a number or a quotient of two, e.g. 0.1 or 8/255")
    return value


def as_number(value: Any) -> Any:
    """`value`; of text that states a number, that number, and for the words of infinity and NaN these.

    Examples
    --------
    >>> as_number("1/4"), as_number("inf"), as_number(3), as_number("many"), as_number("1/0")
    (0.25, inf, 3, 'many', '1/0')
    """
    if not isinstance(value, str):
        return value
    found = re.fullmatch(rf"\s*([+-]?)\s*({NUMERAL}|inf(?:inity)?|nan)\s*", value.lower(), re.ASCII)
    size = None if found is None else quotient(found[2])
    return value if found is None or size is None else -size if found[1] == "-" else size


def size_text(size: float, among: Iterable[float] = ()) -> str:
    """An attack size as every text of a run writes it: in levels of 1/255 where it is a whole number of them.

    Parameters
    ----------
    size : in units of the input; written with four digits, by which gates find it (:mod:`holdfast.core.metrics`)
    among : the sizes of the run; one in between, which no gate finds, has three digits, in levels where all the others are

    Examples
    --------
    >>> size_text(8 / 255), size_text(0.1), size_text(0.2), size_text(0), size_text(0.0123, [0, 2 / 255, 4 / 255])
    ('8/255', '0.1', '0.2', '0', '3.14/255')
    """
    if _whole_levels(size):
        return f"{round(size * 255)}/255"
    sizes = [one for one in among if one]
    if not size or not sizes or size in sizes:
        return f"{size:.4g}"
    return f"{size * 255:.3g}/255" if all(map(_whole_levels, sizes)) else f"{size:.3g}"


def _whole_levels(size: float) -> bool:
    """True for multiples of 1/255 that are not whole percents."""
    return math.isfinite(size) and abs(size * 255 - round(size * 255)) < 1e-6 < abs(size * 100 - round(size * 100))
