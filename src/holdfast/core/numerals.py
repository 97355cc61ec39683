"""Numbers as users write them: whole, decimal, or a quotient of two, such as ``8/255``."""

from __future__ import annotations

import re

from holdfast.core.checks import refuse

__all__ = ["NUMERAL", "quotient", "read_number"]

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
    found = re.fullmatch(rf"\s*([+-]?)\s*({NUMERAL})\s*", text, re.ASCII)
    value = quotient(found[2]) if found else None
    if found is None or value is None:
        refuse(name, f"is {text!r}", allowed="a number or a quotient of two, e.g. 0.1 or 8/255")
    return -value if found[1] == "-" else value
