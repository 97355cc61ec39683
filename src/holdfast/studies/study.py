"""What every study shares: parts with points, one way from measurements to a summary, and the claims as data beside it.

A study is a frozen dataclass of settings that inherits from :class:`Study` and names its parts. A part says which points there
are, how one is measured, and what all of them say together. The paper's sentences and the claims that decide them lie in
``claims.toml`` beside the class (:mod:`holdfast.core.paper`).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, ClassVar, Self

from holdfast.core.curve import Curve
from holdfast.core.experiment import Drawing, Finding, Quantity, Summary
from holdfast.core.paper import Paper, StudyClaim, points_behind
from holdfast.core.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from holdfast.core.experiment import Context, Measurement, Point

    Summarise = Callable[["Study", Runs], Iterator["Row"]]

__all__ = ["Part", "Row", "Study", "joined"]

Row = Quantity | Curve | Finding | Drawing | str
"""What a part's summary yields: quantities, curves, findings, pictures, and notes as text."""

JOINED = ("curves", "findings", "drawings", "notes")


@dataclass(frozen=True, kw_only=True)
class Part:
    """One kind of point.

    Parameters
    ----------
    measure : ``measure(study, point, context)``, one point
    points : ``points(study)``, which there are; default: one without values
    summary : ``summary(study, runs)``, what all of them say together; `runs` holds the finished points of this part
    """

    measure: Callable[[Any, Point, Context], Measurement]
    points: Callable[[Any], Iterable[Point]] = lambda study: ({},)  # noqa: ARG005 (the default needs no settings)
    summary: Callable[[Any, Runs], Iterable[Row]] = lambda study, runs: ()  # noqa: ARG005 (nothing to say together)


class Study:
    """The experiment of a paper; see the module's text. Points carry the name of their part under ``"part"``."""

    name: ClassVar[str]
    version: ClassVar[int]
    title: ClassVar[str]
    """What the study asks, for the page and for ``holdfast study list``."""
    source: ClassVar[str]
    """Authors, title and number of the paper."""
    parts: ClassVar[Mapping[str, Part]]
    notes: ClassVar[Sequence[str]] = ()
    """What a reader must know of all parts together."""
    noted: ClassVar[tuple[type[Warning], ...]] = ()
    """Categories of warnings about which the notes inform, so that no point repeats them."""

    def prepared(self) -> Self:
        """The study as the data and packages of this machine allow it."""
        return self

    def points(self) -> list[Point]:
        """All points of all parts, in their order."""
        return [{"part": name, **point} for name, part in self.parts.items() for point in part.points(self)]

    def measure(self, point: Point, context: Context) -> Measurement:
        """Measure one point."""
        context.check_time()
        with warnings.catch_warnings():
            for category in self.noted:
                warnings.simplefilter("ignore", category)
            return self.parts[point["part"]].measure(self, point, context)

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """What all parts say, and the claims about it."""
        parts = self.parts_of(measurements)
        together = {name: tuple(row for part in parts.values() for row in getattr(part, name)) for name in JOINED}
        named = (replace(one, name=f"{part}.{one.name}") for part, found in parts.items() for one in found.quantities)
        return Summary(quantities=tuple(named), claims=self.planned(), notes=(*self.notes, *together.pop("notes")), **together)

    def parts_of(self, measurements: Sequence[tuple[Point, Measurement]]) -> dict[str, Summary]:
        """What each part says; in checks the names of its quantities begin with its own."""
        runs = Runs(measurements)
        return {name: _gathered(self._rows(name, runs.where(part=name))) for name in self.parts}

    def _rows(self, name: str, runs: Runs) -> Iterator[Row]:
        """The summary of one part; where points are missing it ends where it needs them."""
        part = self.parts[name]
        try:
            yield from part.summary(self, runs)
        except Exception:
            if len(runs) == len(list(part.points(self))):
                raise

    @classmethod
    @cache
    def paper(cls) -> Paper:
        """The paper's sentences and all claims of the study, read from ``claims.toml`` beside the class."""
        return Paper.parse(files(cls.__module__).joinpath("claims.toml").read_text(encoding="utf-8"))

    def planned(self) -> tuple[StudyClaim, ...]:
        """The claims about quantities whose points these settings plan."""
        points = self.points()
        return tuple(claim for claim in self.paper().claims if all(points_behind(metric, points) for metric in claim.metrics))

    def decidable(self) -> int:
        """How many sentences of the abstract have a claim of the paper's among those planned, and no reason to stay open."""
        planned = [claim for claim in self.planned() if claim.kind == "paper"]
        return sum(not one.regime and any(one.means(claim) for claim in planned) for one in self.paper().sentences)


def _gathered(rows: Iterable[Row]) -> Summary:
    kept: dict[type, list[Any]] = {kind: [] for kind in (Quantity, Curve, Finding, Drawing, str)}
    for row in rows:
        kept[type(row)].append(row)
    quantities, curves, findings, drawings, notes = map(tuple, kept.values())
    return Summary(quantities=quantities, curves=curves, findings=findings, drawings=drawings, notes=notes)


def joined(*summaries: Summarise) -> Summarise:
    """A part's summary that says all of these, one after another."""
    return lambda study, runs: (row for summary in summaries for row in summary(study, runs))
