"""Finished points of an experiment, picked and grouped by the values of their points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.curve import Curve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from holdfast.core.estimate import Estimate
    from holdfast.core.experiment import Measurement, Point

__all__ = ["Runs"]


class Runs:
    """Pairs of a point and its measurement, in the order of the plan.

    Parameters
    ----------
    entries : the pairs; what :meth:`holdfast.core.experiment.Experiment.summarise` is given

    Examples
    --------
    >>> from holdfast.core.estimate import exact
    >>> from holdfast.core.experiment import Measurement
    >>> runs = Runs(({"bits": bits, "seed": seed}, Measurement(estimates={"loss": exact(seed / bits)}))
    ...             for bits in (4, 2) for seed in (0, 1))
    >>> {at["bits"]: group.values("loss").tolist() for at, group in runs.by("bits")}
    {4: [0.0, 0.25], 2: [0.0, 0.5]}
    >>> len(runs.where(bits=4)), len(runs.where(seed=(0, 1)))
    (2, 4)
    """

    def __init__(self, entries: Iterable[tuple[Point, Measurement]]) -> None:
        self.entries = list(entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[tuple[Point, Measurement]]:
        return iter(self.entries)

    def where(self, **at: Any) -> Runs:
        """Those whose points have these values; a tuple names several values, one of which the point must have."""
        allowed = {key: value if isinstance(value, tuple) else (value,) for key, value in at.items()}
        return Runs(
            (point, found) for point, found in self.entries if all(key in point and point[key] in allowed[key] for key in allowed)
        )

    def by(self, *axes: str) -> Iterator[tuple[dict[str, Any], Runs]]:
        """Groups with equal values of `axes`, in the order of the plan; points without one of the axes are left out."""
        groups: dict[tuple[Any, ...], list[tuple[Point, Measurement]]] = {}
        for point, found in self.entries:
            if all(axis in point for axis in axes):
                groups.setdefault(tuple(point[axis] for axis in axes), []).append((point, found))
        for values, entries in groups.items():
            yield dict(zip(axes, values, strict=True)), Runs(entries)

    @property
    def points(self) -> list[Point]:
        """The points alone."""
        return [point for point, _ in self.entries]

    @property
    def first(self) -> Measurement:
        """The measurement of the first entry; IndexError if there is none."""
        return self.entries[0][1]

    @property
    def names(self) -> list[str]:
        """Names of the estimates of all entries together."""
        return list(dict.fromkeys(name for _, found in self.entries for name in found.estimates))

    def estimates(self, name: str) -> list[Estimate]:
        """The estimates called `name`, of the points that have one."""
        return [found.estimates[name] for _, found in self.entries if name in found.estimates]

    def values(self, name: str) -> NDArray[np.float64]:
        """Array (points,) of their values."""
        return np.array([estimate.value for estimate in self.estimates(name)])

    def curve(self, name: str, *, over: str, of: str = "accuracy", **words: Any) -> tuple[Curve, ...]:
        """The curve of the estimate `of` over the value `over` of the points, in the order of the plan; none without points.

        Parameters
        ----------
        name : of the curve
        over : what runs along; points without it or without the estimate are left out
        of : name of the estimate
        words : further fields of the curve: unit, quantity, chart, ...
        """
        found = {point[over]: one.estimates[of] for point, one in self.entries if over in point and of in one.estimates}
        return (Curve(name=name, axis=over, at=tuple(found), estimates=tuple(found.values()), **words),) if found else ()

    def arrays(self, name: str) -> list[NDArray[Any]]:
        """The arrays called `name`, of the points that have one."""
        return [found.arrays[name] for _, found in self.entries if name in found.arrays]

    def pooled(self, name: str) -> NDArray[Any]:
        """These arrays one after another."""
        return np.concatenate(self.arrays(name))
