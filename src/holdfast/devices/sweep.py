"""The values that a parameter is taken through, as an object and in a short notation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from holdfast.core.checks import check_finite, refuse

__all__ = ["Sweep"]

Array = np.ndarray
MOST = 100_000  # points
FORMS = "NAME=START:STOP:POINTS, NAME=START:STOP:POINTS:log or NAME=VALUE,VALUE,..."


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A parameter and the values that it takes.

    Parameters
    ----------
    name : of the parameter; empty for the one that a device is swept over by itself
    values : array (K,), K >= 1, in SI units
    logarithmic : whether they belong on a logarithmic axis

    Raises
    ------
    InputError : no value, a value that is not finite, values that are not positive on a logarithmic axis

    Examples
    --------
    >>> Sweep.parse("i_dc=0:1e-3:5").values.tolist()
    [0.0, 0.00025, 0.0005, 0.00075, 0.001]
    >>> Sweep.parse("frequency=1e8:1e10:3:log").values.round().tolist()
    [100000000.0, 1000000000.0, 10000000000.0]
    >>> Sweep.parse("alpha=0.01,0.02").values.tolist()
    [0.01, 0.02]
    """

    name: str
    values: Array
    logarithmic: bool = False

    def __post_init__(self) -> None:
        found = np.atleast_1d(np.asarray(self.values, dtype=float))
        if found.ndim != 1 or not found.size:
            refuse("sweep", f"of {self.name!r} has shape {found.shape}", allowed="a vector of at least one value")
        check_finite(found, "sweep")
        if self.logarithmic and found.min() <= 0:
            refuse("sweep", f"of {self.name!r} reaches {found.min():g}", allowed="values > 0 on a logarithmic axis")
        if len(np.unique(found)) < len(found):
            refuse("sweep", f"of {self.name!r} takes a value twice", allowed="values that differ from each other")
        object.__setattr__(self, "values", found)

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def parse(cls, text: str) -> Sweep:
        """The sweep that `text` describes: ``name=start:stop:points``, the same with ``:log``, or ``name=value,value``."""
        name, equals, body = text.rpartition("=")
        parts = [part.strip() for part in body.split(":")]
        if (equals and not name.strip()) or len(parts) not in {1, 3, 4} or (len(parts) == 4 and parts[3] not in {"log", "lin"}):
            refuse("sweep", f"is {text!r}", allowed=FORMS)
        try:
            numbers = [float(part) for part in (body.split(",") if len(parts) == 1 else parts[:3])]
        except ValueError:
            refuse("sweep", f"is {text!r}", allowed=FORMS, remedy="Numbers in SI units, such as 1e-9.")
        plain, logarithmic = name.strip().lstrip("-").replace("-", "_"), parts[-1] == "log"
        if len(parts) == 1:
            return cls(name=plain, values=np.array(numbers))
        start, stop, points = numbers
        if not float(points).is_integer() or not 2 <= points <= MOST:
            refuse("sweep", f"is {text!r}", allowed=f"a whole number of points from 2 to {MOST} in {FORMS}")
        if logarithmic and min(start, stop) <= 0:
            refuse("sweep", f"is {text!r}", allowed="values > 0 on a logarithmic axis")
        step = np.geomspace if logarithmic else np.linspace
        return cls(name=plain, values=step(start, stop, int(points)), logarithmic=logarithmic)
