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
from holdfast.core.errors import DataUnavailableError
from holdfast.core.estimate import exact
from holdfast.core.experiment import Drawing, Finding, Quantity, Summary
from holdfast.core.paper import Paper, StudyClaim, points_behind
from holdfast.core.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from holdfast.core.estimate import Estimate
    from holdfast.core.experiment import Context, Measurement, Point

    Summarise = Callable[["Study", Runs], Iterator["Row"]]

__all__ = ["DIGITS", "Part", "Row", "Study", "curve", "else_digits", "estimates_over", "joined", "traces"]

Row = Quantity | Curve | Finding | Drawing | str
"""What a part's summary yields: quantities, curves, findings, pictures, and notes as text."""

JOINED = ("curves", "findings", "drawings", "notes")
DIGITS = "digits"  # scikit-learn's bundled images


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
        joined = {name: tuple(row for part in parts.values() for row in getattr(part, name)) for name in JOINED}
        named = (replace(one, name=f"{part}.{one.name}") for part, found in parts.items() for one in found.quantities)
        return Summary(quantities=tuple(named), claims=self.planned(), notes=(*self.notes, *joined.pop("notes")), **joined)

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


def curve(name: str, dots: Mapping[float, Estimate | None], **words: Any) -> Iterator[Curve]:
    """The curve through at least two known dots, in the order of their strengths; nothing with fewer.

    Parameters
    ----------
    name : of the line
    dots : strength -> estimate, or None where there is none
    words : axis, unit, quantity, chart and log of :class:`holdfast.core.curve.Curve`
    """
    known = {float(at): estimate for at, estimate in sorted(dots.items()) if estimate is not None}
    if len(known) > 1:
        yield Curve(name=name, at=tuple(known), estimates=tuple(known.values()), **words)


def traces(lines: Mapping[str, tuple[str, str]], *, scale: tuple[float, float] = (1.0, 1.0), **words: Any) -> Summarise:
    """A part's summary: for each point and line the curve through two of its arrays, whose numbers are exact.

    Parameters
    ----------
    lines : name of the line, in which values of the point stand as ``{key}`` -> names of the arrays along and upward
    scale : factors on both, e.g. from Hz to GHz
    words : as in :func:`curve`
    """

    def summary(study: Study, runs: Runs) -> Iterator[Row]:
        del study
        for point, found in runs:
            for name, (along, upward) in lines.items():
                pairs = zip(found.arrays[along] * scale[0], found.arrays[upward] * scale[1], strict=True)
                yield from curve(name.format(**point), {float(at): exact(value) for at, value in pairs}, **words)

    return summary


def estimates_over(key: str, lines: Mapping[str, str], *, scale: float = 1.0, **words: Any) -> Summarise:
    """A part's summary: curves of its points' estimates over one value of the points.

    Parameters
    ----------
    key : of the value that runs along
    lines : name of the line, in which values of the point stand as ``{key}`` -> name of the estimate; points whose line has one
        name share it
    scale : factor on the value, e.g. from Hz to GHz
    words : as in :func:`curve`
    """

    def summary(study: Study, runs: Runs) -> Iterator[Row]:
        del study
        drawn: dict[str, dict[float, Estimate | None]] = {}
        for point, found in runs:
            for name, estimate in lines.items():
                drawn.setdefault(name.format(**point), {})[scale * point[key]] = found.estimates[estimate]
        for name, dots in drawn.items():
            yield from curve(name, dots, **words)

    return summary


def joined(*summaries: Summarise) -> Summarise:
    """A part's summary that says all of these, one after another."""
    return lambda study, runs: (row for summary in summaries for row in summary(study, runs))


def else_digits(name: str) -> str:
    """`name` if that data set is on this machine or can be fetched, otherwise scikit-learn's bundled ``"digits"``.

    A study keeps the answer in its settings, so that its points, claims and notes say on which images it ran.
    """
    from holdfast.data import load_images

    try:
        load_images(name, "test", n=10)
    except DataUnavailableError:
        return DIGITS
    return name
