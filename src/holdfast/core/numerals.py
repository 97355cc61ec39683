"""Numbers as users write them: whole, decimal, or a quotient of two, such as ``8/255``."""

from __future__ import annotations

import math
import re
from typing import Any

from holdfast.core.checks import refuse

__all__ = ["NUMERAL", "as_number", "quotient", "read_number"]

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
