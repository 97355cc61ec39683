"""Numbers as in data sheets: with the prefix of the unit that leaves one to three digits before the point."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["described", "prefixed", "quantity", "with_prefix", "without_dust"]

PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
WORDS = {
    "i_dc": "direct current",
    "i_ac": "alternating current",
    "r_p": "parallel resistance",
    "ms": "saturation magnetisation",
    "tmr": "tunnel magnetoresistance",
    "hk": "anisotropy field",
    "hk1": "anisotropy field of first order",
    "hk2": "anisotropy field of second order",
    "meff": "easy-plane field",
    "alpha": "damping α",
    "q": "nonlinear damping",
}
DUST = 1e-13  # of the largest value: what rounding leaves
NOTHING = 1e-40  # in any unit
TAKES_PREFIX = {"A", "A/m", "Hz", "K", "T", "V", "V/W", "W", "ohm", "s", "m"}


def with_prefix(values: ArrayLike, unit: str) -> tuple[float, str]:
    """What to divide `values` by, and the unit that they then have.

    Units without prefix, such as m^2, keep their name; a power of ten stands before it where that is shorter to read.

    Examples
    --------
    >>> with_prefix([0.0, 5.6e9], "Hz"), with_prefix([2e-7], "m"), with_prefix([0.5], "")
    ((1000000000.0, 'GHz'), (1e-09, 'nm'), (1.0, ''))
    """
    found = np.abs(np.asarray(values, dtype=float))
    finite = found[np.isfinite(found)]
    largest = float(finite.max()) if finite.size else 0.0
    if largest < NOTHING or (0.1 <= largest < 1000):
        return 1.0, unit
    exponent = 3 * math.floor(math.log10(largest) / 3 + 1e-9)
    if unit in TAKES_PREFIX:
        exponent = min(max(exponent, -18), 12)
        return 10.0**exponent, PREFIXES[exponent] + unit
    if 1e-3 <= largest < 1e5:
        return 1.0, unit
    return 10.0**exponent, f"1e{exponent} {unit}".rstrip()


def prefixed(value: float, unit: str, *, digits: int = 4) -> str:
    """One number with its unit.

    Examples
    --------
    >>> prefixed(3.2e-5, "A"), prefixed(300.0, "K"), prefixed(0.02, ""), prefixed(7e-16, "m^2")
    ('32 µA', '300 K', '0.02', '7e-16 m^2')
    """
    if unit not in TAKES_PREFIX:
        return f"{value:.{digits}g} {unit}".rstrip()
    scale, shown = with_prefix(value, unit)
    return f"{value / scale:.{digits}g} {shown}".rstrip()


def without_dust(values: ArrayLike, *, like: ArrayLike | None = None) -> NDArray[np.float64]:
    """`values` with 0 for what rounding left, measured by the largest of them or of those that they are `like`.

    Examples
    --------
    >>> without_dust([1e-53, 0.0]).tolist(), without_dust([1e-20, 1.0]).tolist(), without_dust([1e-9, 1.0]).tolist()
    ([0.0, 0.0], [0.0, 1.0], [1e-09, 1.0])
    """
    found = np.asarray(values, dtype=float)
    others = np.abs(found if like is None else np.asarray(like, dtype=float))
    finite = others[np.isfinite(others)]
    least = max(NOTHING, DUST * float(finite.max())) if finite.size else NOTHING
    return np.where(np.abs(found) < least, 0.0, found)


def described(name: str) -> str:
    """A parameter in words, for a figure.

    Examples
    --------
    >>> described("i_dc"), described("read_current"), described("alpha")
    ('direct current', 'read current', 'damping α')
    """
    return WORDS.get(name, name.replace("_", " "))


def quantity(name: str, unit: str) -> str:
    """The label of an axis or a column.

    Examples
    --------
    >>> quantity("read_current", "A"), quantity("i_dc", "A"), quantity("alpha", "")
    ('read current (A)', 'i_dc (A)', 'alpha')
    """
    symbol = min(map(len, name.split("_"))) < 2
    words = name if symbol else name.replace("_", " ")
    return f"{words} ({unit})" if unit else words
