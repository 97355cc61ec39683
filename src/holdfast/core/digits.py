"""The digits in which every text of a run writes what was measured: findings, the page and the terminal alike."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.core.estimate import Estimate

__all__ = ["ABSENT", "SUPERSCRIPT", "decimals", "interval", "number", "with_interval"]

ABSENT = "–"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _plain(value: float, digits: int) -> str:
    whole, _, fraction = f"{abs(value):.{digits}f}".partition(".")
    grouped = f"{int(whole):,}".replace(",", "\u202f") if len(whole) > 4 else whole
    sign = "−" if value < 0 and float(f"{value:.{digits}f}") != 0 else ""
    return sign + grouped + (f".{fraction}" if fraction else "")


def number(value: float | None, digits: int = 3) -> str:
    r"""A number with `digits` significant digits; powers of ten for the very large and very small.

    Examples
    --------
    >>> [number(entry) for entry in (0.9534, 0.99971, 12, 48210, -1.2e-9, None)]
    ['0.953', '0.9997', '12', '48\u202f210', '−1.2×10⁻⁹', '–']
    """
    if value is None or not math.isfinite(value):
        return ABSENT
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e6 or size < 1e-3:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        factor = "" if mantissa == "1" else f"{mantissa.replace('-', '−')}×"
        return f"{factor}10{str(int(exponent)).translate(SUPERSCRIPT)}"
    if float(value).is_integer():
        return _plain(value, 0)
    places = max(0, digits - 1 - math.floor(math.log10(size)))
    text = _plain(value, places)
    if float(f"{size:.{places}f}").is_integer():
        text = _plain(value, places + 1)
    return text.rstrip("0").rstrip(".") if "." in text else text


def decimals(lo: float, hi: float) -> int:
    """Places after the point that show an interval's width to two digits, between 0 and 6.

    Examples
    --------
    >>> decimals(0.28, 0.34)
    3
    """
    width = hi - lo
    return min(6, max(0, 1 - math.floor(math.log10(width)))) if width > 0 else 3


def interval(value: float | None, lo: float | None, hi: float | None) -> str:
    """A number with its interval, all with the same places.

    Examples
    --------
    >>> interval(0.31, 0.28, 0.34), interval(2, 2, 2)
    ('0.310 [0.280, 0.340]', '2')
    """
    if value is None:
        return ABSENT
    if lo is None or hi is None or not lo < hi:
        return number(value)
    largest = max(abs(lo), abs(hi))
    if largest >= 1e6 or largest < 1e-3:
        return f"{number(value)} [{number(lo)}, {number(hi)}]"
    places = 3 if largest <= 1 and hi - lo >= 1e-3 else decimals(lo, hi)
    return f"{_plain(value, places)} [{_plain(lo, places)}, {_plain(hi, places)}]"


def with_interval(estimate: Estimate) -> str:
    """An estimate with its interval, as it stands in a sentence.

    Examples
    --------
    >>> from holdfast.core.estimate import Estimate
    >>> with_interval(Estimate(value=0.02809, lo=0.0121, hi=0.0641, n=178, method="wilson"))
    '0.028 [0.012, 0.064]'
    """
    return interval(estimate.value, estimate.lo, estimate.hi)
