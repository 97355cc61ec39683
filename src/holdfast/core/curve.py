"""Estimates over ordered strengths: all that a report or a plot needs to know, and the numbers read off a curve."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from holdfast.core.checks import refuse
from holdfast.core.estimate import Estimate
from holdfast.core.paired import Means

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from holdfast.core.paired import ExampleValues

__all__ = ["Curve", "pareto_front"]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Estimates over ordered strengths.

    Parameters
    ----------
    name : what is stressed how, e.g. ``"pgd"``; the legend
    axis : what the strength is, e.g. ``"eps"``
    unit : of the strength, empty if it has none
    quantity : what is estimated, e.g. ``"accuracy"``
    at : strengths, strictly increasing or strictly decreasing (bits fall as the stress grows); the first is the mildest
    estimates : one per strength
    notes : what a reader of the curve must know
    chart : title of the chart that it is drawn in, together with all curves of that title; empty: with those of equal axes
    log : which axes of the chart have powers of ten: ``""``, ``"x"``, ``"y"`` or ``"xy"``
    """

    name: str
    axis: str
    at: tuple[float, ...]
    estimates: tuple[Estimate, ...]
    unit: str = ""
    quantity: str = "accuracy"
    notes: tuple[str, ...] = field(default=())
    chart: str = ""
    log: Literal["", "x", "y", "xy"] = ""

    def __post_init__(self) -> None:
        if len(self.at) != len(self.estimates) or not self.at:
            refuse(
                "at",
                f"has {len(self.at)} strengths for {len(self.estimates)} estimates",
                allowed="one each, at least 1",
            )
        steps = np.diff(self.at)
        if len(steps) and not ((steps > 0).all() or (steps < 0).all()):
            refuse("at", f"is {self.at}", allowed="strictly increasing or strictly decreasing strengths")
        if "x" in self.log and min(self.at) <= 0:
            refuse("log", f"is {self.log!r} for strengths that reach {min(self.at):g}", allowed="strengths > 0")

    @property
    def values(self) -> NDArray[np.float64]:
        """Array (k,) of the estimates' values."""
        return np.array([estimate.value for estimate in self.estimates])

    @property
    def _travel(self) -> NDArray[np.float64]:
        """Strengths mapped to [0, 1] in the order of growing stress."""
        at = np.asarray(self.at, dtype=float)
        return (at - at[0]) / (at[-1] - at[0]) if len(at) > 1 else np.zeros(1)

    def area(self) -> float:
        """Integral of the curve over its normalised abscissa, by trapezoid; a single point gives its value."""
        return float(np.trapezoid(self.values, self._travel)) if len(self.at) > 1 else float(self.values[0])

    def retention(self) -> float:
        """Area divided by the value at the mildest strength; 1 means that nothing was lost. NaN if that value is 0."""
        start = self.values[0]
        return self.area() / start if start else float("nan")

    def retention_interval(self, behind: Sequence[ExampleValues | None] = ()) -> tuple[float, float]:
        """Ends of the interval of :meth:`retention`, after Fieller: the ratios that the data do not reject.

        A ratio r is kept if the interval of area minus r times the value at the mildest strength contains 0.

        Parameters
        ----------
        behind : the examples behind each estimate, so that they are paired (:mod:`holdfast.core.paired`); unknown ones make the
            interval longer
        """
        from scipy.optimize import brentq

        means = Means.of(self.estimates, behind)
        unit = np.eye(len(self.at))
        weights = np.trapezoid(unit, self._travel, axis=1) if len(self.at) > 1 else np.ones(1)
        ratio = self.retention()

        def ends(kept: float) -> tuple[float, float]:
            return means.weighted(weights - kept * unit[0])[1:]

        if math.isnan(ratio):
            return 0.0, math.inf
        low = brentq(lambda kept: ends(kept)[0], 0.0, ratio) if ends(0.0)[0] > 0 else 0.0
        beyond = next((far for far in ratio + 2.0 ** np.arange(-4, 8) if ends(far)[1] < 0), None)
        high = math.inf if beyond is None else brentq(lambda kept: ends(kept)[1], ratio, beyond)
        return min(low, ratio), max(high, ratio)

    def interpolate(self, strength: float) -> float:
        """Value at `strength`, linear between neighbours; refuses strengths outside the curve."""
        low, high = min(self.at), max(self.at)
        if not low <= strength <= high:
            refuse("strength", f"is {strength}", allowed=f"[{low}, {high}], the range that was measured")
        order = np.argsort(self.at)
        return float(np.interp(strength, np.asarray(self.at)[order], self.values[order]))

    def crossing(self, level: float) -> float | None:
        """The mildest strength at which the value falls to `level` or below, linear between neighbours; None if it never does."""
        values = self.values
        below = np.flatnonzero(values <= level)
        if len(below) == 0:
            return None
        last = int(below[0])
        if last == 0:
            return float(self.at[0])
        before, after = self.at[last - 1], self.at[last]
        share = (values[last - 1] - level) / (values[last - 1] - values[last])
        between = (1 - share) * before + share * after  # rounds to `after` itself where the share is 1
        return float(np.clip(between, min(before, after), max(before, after)))

    def half_point(self, floor: float = 0.0) -> float | None:
        """The strength at which half of what lies above `floor` (chance level) is lost; None if the curve never gets there."""
        return self.crossing((self.values[0] + floor) / 2)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curve with its interval, axes named with quantity and unit; gives the axes.

        Parameters
        ----------
        ax : matplotlib axes to draw into, which may hold curves already; default: those of a new figure, ``curve.plot().figure``

        Raises
        ------
        InputError : an object that is no axes

        Examples
        --------
        >>> from holdfast.core.estimate import proportion
        >>> pgd = Curve(name="pgd", axis="eps", at=(0.0, 0.1), estimates=(proportion(95, 100), proportion(31, 100)))
        >>> axes = pgd.plot()
        >>> axes.get_xlabel(), axes.get_ylabel()
        ('eps', 'accuracy')
        """
        from holdfast.core.figures import add_curve

        if ax is not None and not hasattr(ax, "fill_between"):
            remedy = "With plt.subplots(...) of several, pass one of them." if hasattr(ax, "__len__") else ""
            refuse("ax", f"is a {type(ax).__name__}", allowed="matplotlib axes, as of plt.subplots()", remedy=remedy)
        return add_curve(self, ax)

    def to_json(self) -> dict[str, Any]:
        """A mapping of plain values; :meth:`from_json` reads it back."""
        return {
            "name": self.name,
            "axis": self.axis,
            "unit": self.unit,
            "quantity": self.quantity,
            "at": list(self.at),
            "estimates": [estimate.to_json() for estimate in self.estimates],
            "notes": list(self.notes),
            "chart": self.chart,
            "log": self.log,
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Curve:
        """The curve that :meth:`to_json` wrote."""
        return cls(
            name=entry["name"],
            axis=entry["axis"],
            unit=entry["unit"],
            quantity=entry["quantity"],
            at=tuple(entry["at"]),
            estimates=tuple(Estimate.from_json(estimate) for estimate in entry["estimates"]),
            notes=tuple(entry["notes"]),
            chart=entry.get("chart", ""),
            log=entry.get("log", ""),
        )


def pareto_front(costs: ArrayLike) -> NDArray[np.bool_]:
    """Mask of the rows that no other row beats: none is at most as costly everywhere and cheaper somewhere.

    Parameters
    ----------
    costs : array (n, k), smaller is better in each column

    Examples
    --------
    >>> pareto_front([[1, 3], [2, 2], [3, 3]]).tolist()
    [True, True, False]
    """
    table = np.asarray(costs, dtype=float)
    keep = np.ones(len(table), dtype=bool)
    for index, row in enumerate(table):
        keep[index] = not ((table <= row).all(axis=1) & (table < row).any(axis=1)).any()
    return keep
