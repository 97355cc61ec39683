"""Gates, checked before they are judged: a metric or a point that nothing measures is refused, and the nearest one is named.

What a stress will measure is known from its class and its points, what a stored run has measured from its report. A stress whose
points were skipped, or whose class names no metrics, is checked as far as it is known; whatever is missing then makes its gates an
error when they are judged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from holdfast.auditing.implied import implied_metrics
from holdfast.auditing.joined import WORST_CASE, is_attack, joined_sizes
from holdfast.auditing.stresses.cards import ADVERSARIAL
from holdfast.core.checks import as_written, nearest, refuse, under_names
from holdfast.core.errors import InputError
from holdfast.core.estimate import exact
from holdfast.core.grammar import Metric, parse, parse_metric
from holdfast.core.metrics import MetricTable, means
from holdfast.report import load, metric_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from holdfast.auditing.plan import PlannedStress
    from holdfast.core.experiment import Point
    from holdfast.report import Document, StressEntry

__all__ = ["Measurable", "check_compared", "check_gates", "gated_stresses", "planned_metrics", "stored_metrics"]

MOST_LISTED = 8  # points in one message


@dataclass(frozen=True, kw_only=True)
class Measurable:
    """What gates may name of one stress.

    Parameters
    ----------
    prefix : what its metrics begin with, e.g. ``"adversarial.pgd"``
    metrics : of each point; with `joint` empty where they are not known
    points : values by which a selector finds them
    joint : quantities of several points together
    settings : axes of the points that are settings of their own, e.g. ``"eps"``
    """

    prefix: str
    metrics: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()
    joint: tuple[Metric, ...] = ()
    settings: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The paths of all metrics, each once; empty where they are not known."""
        return tuple(f"{self.prefix}.{name}" for name in dict.fromkeys([*self.metrics, *(metric.path for metric in self.joint)]))

    def covers(self, path: str) -> bool:
        """True if `path` names something of this stress."""
        return path.startswith(f"{self.prefix}.")

    def table(self, path: str) -> MetricTable:
        """Everything that `path` may mean, as a table to be searched; a path of an unknown stress is one of each of its points."""
        table = MetricTable()
        name = path.removeprefix(f"{self.prefix}.")
        joint = [metric.selector for metric in self.joint if metric.path == name]
        for selector in joint:
            table.add(path, exact(0), at=dict(selector))
        for point in self.points if not self.names or name in self.metrics else ():
            if point or () not in joint:
                table.add(path, exact(0), at=point)
        return table


def planned_metrics(lines: Sequence[PlannedStress]) -> list[Measurable]:
    """What the stresses of a plan will measure, skipped ones included, and the worst case over its attacks."""
    found = []
    for line in lines:
        stress = line.stress
        points = tuple(stress.points())
        settings = {axis for point in points for axis in point if hasattr(stress, axis)}
        found.append(
            Measurable(
                prefix=metric_prefix(stress.card.name, stress.name),
                metrics=stress.metrics,
                points=points,
                joint=tuple(map(Metric, stress.joint_metrics)),
                settings=tuple(sorted(settings)),
            )
        )
    if sizes := joined_sizes(lines):
        prefix = metric_prefix(ADVERSARIAL.name, WORST_CASE)
        found.append(Measurable(prefix=prefix, metrics=("accuracy",), points=tuple({"eps": size} for size in sizes)))
    return found


def stored_metrics(document: Document) -> list[Measurable]:
    """What the stresses of a report have measured or were to measure."""
    return [_stored(card, name, entry) for card, name, entry in document.placed_stresses()]


def _stored(card: str, stress: str, entry: StressEntry) -> Measurable:
    prefix = metric_prefix(card, stress)
    metrics = tuple(dict.fromkeys(name for point in entry.points for name in (*point.metrics, *implied_metrics(stress, point))))
    whole = entry.status in {"ok", "reduced"}
    points = tuple(point.at for point in entry.points) if whole or metrics else ()
    joint = tuple(parse_metric(text) for text in entry.metrics)
    return Measurable(prefix=prefix, metrics=metrics, points=points, joint=joint) if whole else Measurable(prefix=prefix)


@under_names(check="gates")
def check_gates(gates: Iterable[str], known: Sequence[Measurable]) -> None:
    """Refuse a gate that names a stress, a metric or a point which nothing measures; the nearest one is named.

    Parameters
    ----------
    gates : texts in the grammar of :mod:`holdfast.core.grammar`
    known : what is measured
    """
    for gate in gates:
        _check_metrics(parse(gate).metrics, known)


@under_names(check="gates")
def check_compared(gates: Iterable[str], baseline: str | Path | None) -> None:
    """Refuse gates that compare with a baseline where none is given, or where it did not measure what they compare.

    Parameters
    ----------
    gates : texts in the grammar of :mod:`holdfast.core.grammar`
    baseline : folder of the run before, or None
    """
    compared = [check for check in map(parse, gates) if check.uses_baseline]
    if not compared:
        return
    if baseline is None:
        remedy = f"Name its folder: {as_written('baseline', 'FOLDER')}."
        refuse("gates", "compare with `baseline`, and none is given", allowed="the folder of a run before", remedy=remedy)
    known = stored_metrics(load(baseline))
    for check in compared:
        try:
            _check_metrics(replace(check, right=check.left).metrics, known)
        except InputError as error:
            raise InputError(f"In the run that `baseline` names: {error}") from error


def _check_metrics(metrics: Iterable[Metric], known: Sequence[Measurable]) -> None:
    for metric in metrics:
        stress = next((one for one in known if one.covers(metric.path)), None)
        if stress is None:
            _refuse_stress(metric, known)
        elif stress.names and metric.path not in stress.names:
            _refuse_metric(metric, stress)
        elif stress.points or stress.joint:
            _check_point(metric, stress)


def gated_stresses(gates: Iterable[str], lines: Sequence[PlannedStress]) -> frozenset[str]:
    """Names of the stresses whose metrics the `gates` read; the worst case needs every attack.

    Parameters
    ----------
    gates : texts in the grammar of :mod:`holdfast.core.grammar`
    lines : of a plan
    """
    paths = [f"{metric.path}." for gate in gates for metric in parse(gate).metrics]

    def read(card: str, name: str) -> bool:
        return any(path.startswith(f"{metric_prefix(card, name)}.") for path in paths)

    together = read(ADVERSARIAL.name, WORST_CASE)
    stresses = [line.stress for line in lines]
    return frozenset(stress.name for stress in stresses if read(stress.card.name, stress.name) or (together and is_attack(stress)))


def _refuse_stress(metric: Metric, known: Sequence[Measurable]) -> None:
    prefixes = {one.prefix: one for one in known}
    homes = {name: one for one in known for name in one.names}
    close = nearest(metric.path, homes)
    remedy = f"Did you mean {_closest(close, metric, homes[close])}?" if close else ""
    if not close and (prefix := nearest(metric.path, prefixes)):
        path = f"{prefix}.{metric.path.rpartition('.')[2]}"
        remedy = f"Did you mean {_closest(path, metric, prefixes[prefix])}?"
    refuse("gates", f"name {metric.path!r}, which the plan does not measure", allowed=", ".join(prefixes), remedy=remedy)


def _refuse_metric(metric: Metric, stress: Measurable) -> None:
    close = nearest(metric.path, stress.names)
    remedy = f"Did you mean {_closest(close, metric, stress)}?" if close else ""
    refuse("gates", f"name {metric.path!r}, which {stress.prefix} does not measure", allowed=", ".join(stress.names), remedy=remedy)


def _check_point(metric: Metric, stress: Measurable) -> None:
    """Refuse a selector that fits no point, or several ones of a metric that is known."""
    wanted = dict(metric.selector)
    if stress.prefix == metric_prefix(ADVERSARIAL.name, WORST_CASE):
        wanted.pop("examples", None)  # how many all attacks tried is known when they ran
    table = stress.table(metric.path)
    fitting = table.named(metric.path, wanted)
    if len(fitting) == 1 or (fitting and not stress.names):
        return
    points = fitting or table.named(metric.path)
    listed = ", ".join(str(one).removeprefix(metric.path) or "without brackets" for one in points[:MOST_LISTED])
    more = f" and {len(points) - MOST_LISTED} more" if len(points) > MOST_LISTED else ""
    if fitting:
        got, remedy = f"which fits {len(fitting)} points", f"Name one, e.g. {fitting[0]}."
    else:
        close = _closest(metric.path, metric, stress)
        got, remedy = "a point that is not measured", f"Nearest: {close}."
        reached = dict(close.selector)
        if others := [axis for axis in stress.settings if axis in wanted and not means(wanted[axis], reached.get(axis))]:
            remedy += f" {stress.prefix}.{others[0]} sets the points."
    refuse("gates", f"name {metric}, {got}", allowed=listed + more, remedy=remedy)


def _closest(path: str, metric: Metric, stress: Measurable) -> Metric:
    """The metric `path` of `stress` at the point that is nearest to the one of `metric`."""
    wanted = dict(metric.selector)
    points = stress.table(path).named(path)
    return min(points, key=lambda one: _distance(wanted, dict(one.selector)), default=Metric(path, metric.selector))


def _distance(wanted: Mapping[str, float | str], point: Mapping[str, Any]) -> float:
    """How far a point lies from what a selector names, for the choice of the nearest one."""
    strange = 2.0 * len(point.keys() ^ wanted.keys())
    return strange + sum(_apart(value, point[axis]) for axis, value in wanted.items() if axis in point)


def _apart(wanted: float | str, value: Any) -> float:
    if means(wanted, value):
        return 0.0
    if isinstance(value, int | float) and not isinstance(wanted, str):
        return abs(wanted - value) / math.hypot(wanted, value)
    return 1.0 + 1.0 - SequenceMatcher(None, str(wanted), str(value)).ratio()
