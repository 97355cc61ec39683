"""What will be run, on how many examples, for how long: decided before anything is run, and shown.

A budget is met in two steps: first all stresses share one smaller cap on the number of examples (a prefix of the same stratified
subset, so that they can still be crossed), then, if even the least cap is not enough, the least important stresses are left out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from io import StringIO
from typing import TYPE_CHECKING, Any, Literal

from holdfast.auditing.typed import read_changes
from holdfast.core.checks import as_written, check_one_of, check_whole, refuse
from holdfast.core.errors import InputError
from holdfast.core.extras import data_frame
from holdfast.core.stress import missing_parts
from holdfast.core.target import ACCESS_LEVELS
from holdfast.report.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from holdfast.core.experiment import Experiment, Point
    from holdfast.core.stress import Cost, Facts, Preset, Stress

__all__ = ["AuditPlan", "PlannedStress", "Prices", "check_choice", "choose", "make_plan"]

LEAST_EXAMPLES = 50  # below that a Wilson interval is wider than 25 points
LEAST_LIMIT, LIMIT_IN_PREDICTIONS = 600.0, 20.0  # s, and a factor that a busy machine does not reach
RESERVE_SECONDS, RESERVE_SHARE = 2.0, 0.12  # for judging and drawing
Decision = Literal["run", "reduced", "skipped"]


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What a pass costs on this machine.

    Parameters
    ----------
    forward : seconds per example
    backward : seconds per example on top of the forward pass
    values : numbers that an example consists of
    samples : passes for one answer of the target
    """

    forward: float
    backward: float
    values: int = 0
    samples: int = 1


@dataclass(frozen=True, kw_only=True)
class PlannedStress:
    """One line of the plan.

    Parameters
    ----------
    stress : with its final settings
    decision : run, reduced or skipped
    reason : why it is reduced or skipped
    examples : rows that each point uses
    points : number of points
    queries : queries that count against a budget
    seconds : predicted
    longest : predicted for the longest of its points, in s
    """

    stress: Stress
    decision: Decision
    examples: int
    points: int
    queries: int
    seconds: float
    reason: str = ""
    longest: float = 0.0


@dataclass(frozen=True, kw_only=True)
class AuditPlan:
    """All lines, in the order in which they are run, and how many passes of the target are one answer."""

    lines: tuple[PlannedStress, ...]
    samples: int = 1

    @property
    def stresses(self) -> list[Stress]:
        """Those that are run."""
        return [line.stress for line in self.lines if line.decision != "skipped"]

    @property
    def seconds(self) -> float:
        """Predicted time of all that is run."""
        return sum(line.seconds for line in self.lines if line.decision != "skipped")

    def query_limit(self, experiment: Experiment, point: Point) -> int | None:
        """Largest number of queries of a point; None for stresses that are not black-box."""
        for line in self.lines:
            if line.stress.name == experiment.name and _counts(line.stress):
                cost = line.stress.estimate(point)
                return self.samples * (line.examples * cost.queries + cost.fixed_queries)
        return None

    def time_limit(self, experiment: Experiment, point: Point) -> float:
        """Longest time of a point in s, unless the user sets one: ten minutes, or 20 times what is predicted if that is more."""
        del point  # all points of a stress share the limit of the longest
        longest = max((line.longest for line in self.lines if line.stress.name == experiment.name), default=0.0)
        return max(LEAST_LIMIT, LIMIT_IN_PREDICTIONS * longest)

    def like(self, rows: Sequence[Mapping[str, Any]]) -> AuditPlan:
        """The plan with the decisions and examples of stored `rows` (:meth:`rows`), so that a restart changes nothing."""
        kept = {row["stress"]: row for row in rows}
        lines = []
        for line in self.lines:
            decided = {key: value for key, value in kept[line.stress.name].items() if key != "stress"}
            stress = replace(line.stress, examples=decided["examples"]) if decided["decision"] == "reduced" else line.stress  # type: ignore[type-var]
            lines.append(replace(line, stress=stress, **decided))
        return replace(self, lines=tuple(lines))

    def __str__(self) -> str:
        text = StringIO()
        Console(file=text).plan(self.rows(), seconds=self.seconds)
        return text.getvalue().rstrip()

    def to_frame(self) -> Any:
        """The lines as a pandas data frame: stress, card, decision, points, examples, queries, seconds (predicted), reason.

        Raises
        ------
        MissingExtraError : pandas is not installed
        """
        columns = ("stress", "card", "decision", "points", "examples", "queries", "seconds", "reason")
        lines = [{**row, "card": line.stress.card.name} for row, line in zip(self.rows(), self.lines, strict=True)]
        return data_frame([{name: row[name] for name in columns} for row in lines], columns=columns)

    def rows(self) -> list[dict[str, Any]]:
        """JSON-able lines, for the store and the table."""
        return [{**asdict(replace(line, stress=None)), "stress": line.stress.name} for line in self.lines]  # type: ignore[arg-type]


def _counts(stress: Stress) -> bool:
    """True for a black-box stress, whose queries count."""
    return ACCESS_LEVELS.index(stress.requires) <= ACCESS_LEVELS.index("scores")


def check_choice(
    names: Sequence[str | Stress],
    overrides: Mapping[str, Mapping[str, Any]],
    known: Mapping[str, type[Stress]],
    *,
    skip: Sequence[str] = (),
) -> None:
    """Refuse unknown stresses, settings and values of another kind; needs neither target nor data, so it comes first."""
    ready = [name.name for name in names if not isinstance(name, str)]
    for name in skip:
        check_one_of(name, "skip", allowed=dict.fromkeys((*known, *ready)))
    for name in [*overrides, *(name for name in names if isinstance(name, str) and name != "all")]:
        check_one_of(name, "stresses", allowed=("all", *known))
    for name, changes in overrides.items():
        read_changes(known[name], changes)


def choose(
    names: Sequence[str | Stress],
    *,
    preset: Preset,
    facts: Facts,
    known: Mapping[str, type[Stress]],
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Stress]:
    """The stresses with their settings: those of the preset, changed by `overrides`.

    Parameters
    ----------
    names : names, stresses with settings, or ``"all"``
    preset : quick, standard or deep
    facts : about target and data
    known : name -> class
    overrides : stress -> setting -> value

    Raises
    ------
    InputError : an unknown stress or setting; the nearest name is given
    """
    changes = dict(overrides or {})
    check_choice(names, changes, known)
    ready = {stress.name: stress for stress in names if not isinstance(stress, str)}
    wanted = [*known] if "all" in names else [name if isinstance(name, str) else name.name for name in names]
    chosen: list[Stress] = []
    for name in dict.fromkeys(wanted):
        stress = ready.get(name) or known[name].preset(preset, facts)
        if stress is None and (name in changes or "all" not in names):
            stress = known[name].preset("standard", facts)
        if stress is not None:
            chosen.append(_changed(_checked(stress), changes.get(name, {})))
    return chosen


def _checked(stress: Stress) -> Stress:
    """`stress`, refused if it lacks a part of the protocol."""
    if missing := missing_parts(stress):
        got = f"hold a {type(stress).__name__} without {', '.join(missing)}"
        refuse("stresses", got, allowed="frozen dataclasses that inherit from holdfast.core.stress.Stress")
    return stress


def _changed(stress: Stress, changes: Mapping[str, Any]) -> Stress:
    name = f"{stress.card.name}.{stress.name}"
    try:
        changed = replace(stress, **read_changes(type(stress), changes))  # type: ignore[type-var]
    except TypeError as error:
        raise InputError(f"`{name}` cannot take {dict(changes)} ({error}); see `holdfast describe {stress.name}`.") from error
    if changed.examples is not None:
        check_whole(changed.examples, f"{name}.examples", low=1)
    return changed


def make_plan(
    stresses: Sequence[Stress],
    facts: Facts,
    prices: Prices,
    *,
    skip: Collection[str] = (),
    seconds: float | None = None,
    queries: int | None = None,
) -> AuditPlan:
    """Decide what is run, reduced or skipped.

    Parameters
    ----------
    stresses : with their settings
    facts : about target and data
    prices : of a pass
    skip : names of those that the user leaves out; the plan keeps a line for each
    seconds : time that is left for running, judging and drawing, or None
    queries : limit, or None
    """
    lines = [_line(stress, facts, prices, left_out=stress.name in skip) for stress in stresses]
    lines = _within(
        lines,
        queries,
        cost=lambda line: line.queries,
        cap=_capped(prices),
        why="the query limit",
        reducible=lambda line: _counts(line.stress),
    )
    if seconds is not None:
        granted = max(0.0, seconds * (1 - RESERVE_SHARE) - RESERVE_SECONDS)
        lines = _within(lines, granted, cost=lambda line: line.seconds, cap=_capped(prices), why="the time budget")
    return AuditPlan(lines=tuple(lines), samples=prices.samples)


def _line(stress: Stress, facts: Facts, prices: Prices, *, left_out: bool) -> PlannedStress:
    reason = f"you left it out: {as_written('skip', stress.name)}" if left_out else _why_not(stress, facts)
    examples = facts.examples if stress.examples is None else min(stress.examples, facts.examples)
    line = PlannedStress(stress=stress, decision="run", examples=examples, points=len(stress.points()), queries=0, seconds=0.0)
    return replace(line, decision="skipped", reason=reason) if reason else _priced(line, examples, prices)


def _why_not(stress: Stress, facts: Facts) -> str:
    """Why `stress` cannot be applied; empty if it can."""
    if stress.requires == "gradients" and facts.why_no_gradients:
        return facts.why_no_gradients
    if ACCESS_LEVELS.index(stress.requires) > ACCESS_LEVELS.index(facts.access):
        return f"it needs access to {stress.requires}, and the target gives {facts.access}"
    return stress.unfit(facts)


def _priced(line: PlannedStress, examples: int, prices: Prices) -> PlannedStress:
    costs = [line.stress.estimate(point) for point in line.stress.points()]
    times = [_seconds(cost, examples, prices) for cost in costs]
    asked = sum(cost.queries * examples + cost.fixed_queries for cost in costs) if _counts(line.stress) else 0
    queries = prices.samples * asked
    return replace(line, examples=examples, queries=queries, seconds=sum(times), longest=max(times, default=0.0))


def _seconds(cost: Cost, examples: int, prices: Prices) -> float:
    passes = prices.samples * (cost.forward * prices.forward + cost.backward * prices.backward)
    return (passes + cost.seconds + cost.seconds_per_value * prices.values) * examples + cost.fixed_seconds


def _capped(prices: Prices) -> Callable[[PlannedStress, int, str], PlannedStress]:
    def cap(line: PlannedStress, examples: int, why: str) -> PlannedStress:
        if line.examples <= examples:
            return line
        reason = f"{examples} instead of {line.examples} examples, to keep within {why}"
        smaller = replace(line.stress, examples=examples)  # type: ignore[type-var]
        return replace(_priced(replace(line, stress=smaller), examples, prices), decision="reduced", reason=reason)

    return cap


def _within(
    lines: list[PlannedStress],
    limit: float | None,
    *,
    cost: Callable[[PlannedStress], float],
    cap: Callable[[PlannedStress, int, str], PlannedStress],
    why: str,
    reducible: Callable[[PlannedStress], bool] = lambda line: True,  # noqa: ARG005 (every line)
) -> list[PlannedStress]:
    """Lines whose total cost is at most `limit`: one common cap on examples first, then the least important are skipped."""

    def total(some: Sequence[PlannedStress]) -> float:
        return sum(cost(line) for line in some if line.decision != "skipped")

    def capped(examples: int) -> list[PlannedStress]:
        return [cap(line, examples, why) if line.decision != "skipped" and reducible(line) else line for line in lines]

    if limit is None or total(lines) <= limit:
        return lines
    low, high = LEAST_EXAMPLES, max(line.examples for line in lines)
    if total(capped(low)) <= limit:
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if total(capped(middle)) <= limit else (low, middle)
        return capped(low)
    reduced = capped(low)
    order = sorted(range(len(reduced)), key=lambda place: reduced[place].stress.importance)
    for place in order:
        if total(reduced) <= limit:
            break
        line = reduced[place]
        if line.decision != "skipped" and cost(line) > 0:
            reduced[place] = replace(line, decision="skipped", reason=f"it does not fit into {why}")
    return reduced
