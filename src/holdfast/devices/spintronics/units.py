"""Values that no magnet has, refused with the unit that was probably meant.

SI units are used throughout, and magnetism has others in use: tesla, emu/cm^3, nanometres. A number in one of them lies orders of
magnitude outside the bounds here, which are wider than any thin film, so that it is refused instead of giving silent nonsense.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.core.checks import check_quantity, refuse
from holdfast.devices.spintronics.constants import MU0

__all__ = ["BOUNDS", "LEAST_FIELD", "Bounds", "check_fields", "check_magnet"]

LEAST_FIELD = 10.0  # A/m, a fifth of the earth's field; as a number of tesla it would be beyond most laboratories' magnets
LARGEST_FIELD = 1e9  # A/m, above 1000 T: exchange fields reach 1e8


@dataclass(frozen=True)
class Bounds:
    """What a quantity of a thin magnetic film can be.

    Parameters
    ----------
    low, high : bounds in `unit`
    unit : in SI
    others : (name, size in `unit`) of the units that a number outside the bounds may have been meant in
    """

    low: float
    high: float
    unit: str
    others: tuple[tuple[str, float], ...]

    def remedy(self, value: float) -> str:
        """The unit in which `value` would lie within the bounds, if there is one."""
        for name, size in self.others:
            if self.low <= value * size <= self.high:
                return f"{value:g} looks like {name}: multiply by {size:.6g}."
        return ""


BOUNDS = {
    "ms": Bounds(1e4, 3e6, "A/m", (("tesla (mu0 Ms)", 1 / MU0), ("emu/cm^3 or kA/m", 1e3))),
    "thickness": Bounds(5e-11, 1e-5, "m", (("nm", 1e-9),)),
    "area": Bounds(1e-18, 1e-8, "m^2", (("nm^2", 1e-18), ("um^2", 1e-12))),
}


def check_magnet(values: Any, name: str) -> Any:
    """`values`, a number or an array of the quantity `name` of :data:`BOUNDS`, if a magnet can have all of them; a tensor as it is.

    Examples
    --------
    >>> check_magnet(1.0, "ms")
    Traceback (most recent call last):
    holdfast.core.errors.InputError: `ms` is 1 A/m; allowed: 1e4 to 3e6 A/m. 1 looks like tesla (mu0 Ms): multiply by 795775.
    """
    bounds = BOUNDS[name]
    found = _numbers(check_quantity(values, name, unit=bounds.unit, low=0, low_open=True))
    bad = (found < bounds.low) | (found > bounds.high)
    if bad.any():
        value = float(found[bad][0])
        place = f" at {tuple(map(int, np.argwhere(bad)[0]))}" if found.ndim else ""
        refuse(
            name,
            f"is {value:g} {bounds.unit}{place}",
            allowed=f"{_short(bounds.low)} to {_short(bounds.high)} {bounds.unit}",
            remedy=bounds.remedy(value),
        )
    return values


def check_fields(
    values: Any, name: str, *, least: float = LEAST_FIELD, otherwise: str = "tesla: multiply by 795775 (1/mu0)"
) -> Any:
    """`values`, a field or an array of fields or of their components, if their sizes are those of fields in A/m; a tensor as it is.

    A sweep or a spread about zero has small entries, so an array is judged by its largest one.

    Parameters
    ----------
    values : in A/m; zero is allowed
    name : of the argument
    least : the smallest that the largest entry may be, unless all are zero
    otherwise : what smaller numbers look like, and what to do with them
    """
    found = _numbers(check_quantity(values, name, unit="A/m"))
    largest = float(np.abs(found).max(initial=0.0))
    if 0 < largest < least or largest > LARGEST_FIELD:
        remedy = f"{largest:g} looks like {otherwise}." if largest < least else ""
        refuse(name, f"is at most {largest:g} A/m", allowed=f"0, or {least:g} to {_short(LARGEST_FIELD)} A/m", remedy=remedy)
    return values


def _numbers(values: Any) -> np.ndarray:
    """The numbers of an array or tensor."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=float)


def _short(bound: float) -> str:
    """A bound with one digit, as one writes it in Python."""
    return f"{bound:.0e}".replace("e+0", "e").replace("e-0", "e-")
