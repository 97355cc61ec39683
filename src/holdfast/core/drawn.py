"""Curves of finished points: through given dots, through the arrays of each point, or of an estimate over a value of the points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.core.curve import Curve
from holdfast.core.estimate import exact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from holdfast.core.estimate import Estimate
    from holdfast.core.runs import Runs

    Drawn = Callable[[Any, Runs], Iterator[Curve]]

__all__ = ["curve", "estimates_over", "traces"]


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


def traces(lines: Mapping[str, tuple[str, str]], *, scale: tuple[float, float] = (1.0, 1.0), **words: Any) -> Drawn:
    """For each point and line the curve through two of its arrays, whose numbers are exact.

    Parameters
    ----------
    lines : name of the line, in which values of the point stand as ``{key}`` -> names of the arrays along and upward
    scale : factors on both, e.g. from Hz to GHz
    words : as in :func:`curve`

    Returns
    -------
    ``summary(settings, runs)``, which yields the curves.
    """

    def summary(study: Any, runs: Runs) -> Iterator[Curve]:
        del study
        for point, found in runs:
            for name, (along, upward) in lines.items():
                pairs = zip(found.arrays[along] * scale[0], found.arrays[upward] * scale[1], strict=True)
                yield from curve(name.format(**point), {float(at): exact(value) for at, value in pairs}, **words)

    return summary


def estimates_over(key: str, lines: Mapping[str, str], *, scale: float = 1.0, **words: Any) -> Drawn:
    """Curves of the points' estimates over one value of the points.

    Parameters
    ----------
    key : of the value that runs along
    lines : name of the line, in which values of the point stand as ``{key}`` -> name of the estimate; points whose line has one
        name share it
    scale : factor on the value, e.g. from Hz to GHz
    words : as in :func:`curve`

    Returns
    -------
    ``summary(settings, runs)``, which yields the curves.
    """

    def summary(study: Any, runs: Runs) -> Iterator[Curve]:
        del study
        drawn: dict[str, dict[float, Estimate | None]] = {}
        for point, found in runs:
            for name, estimate in lines.items():
                drawn.setdefault(name.format(**point), {})[scale * point[key]] = found.estimates[estimate]
        for name, dots in drawn.items():
            yield from curve(name, dots, **words)

    return summary
