"""What will be run, on how many examples, for how long: decided before anything is run, and shown.

A limit gives each stress a number of examples of its own (:mod:`.allocation`), always the first ones of the same stratified order,
so that they can still be crossed: `clean` keeps all of its examples, then those stresses that a gate names, then all others share
the rest. Where not even a few examples fit, the least important stresses are left out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from io import StringIO
from typing import TYPE_CHECKING, Any, Literal

from holdfast.auditing.allocation import Want, allocate
from holdfast.auditing.pricing import Prices, seconds_of
from holdfast.auditing.stresses.cards import CLEAN
from holdfast.auditing.typed import read_changes
from holdfast.core.checks import as_written, check_one_of, check_whole, refuse
from holdfast.core.errors import InputError
from holdfast.core.extras import data_frame
from holdfast.core.stress import missing_parts
from holdfast.core.target import ACCESS_LEVELS
from holdfast.report.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from holdfast.core.estimate import Estimate
    from holdfast.core.experiment import Experiment, Point
    from holdfast.core.stress import Cost, Facts, Preset, Stress

__all__ = ["AuditPlan", "Basis", "PlannedStress", "check_choice", "choose", "for_running", "make_plan", "rank", "within"]

LEAST_EXAMPLES = 50  # below that a Wilson interval is wider than 25 points
LEAST_LIMIT, LIMIT_IN_PREDICTIONS = 600.0, 20.0  # s, and a factor that a busy machine does not reach
RESERVE_SECONDS, RESERVE_SHARE = 2.0, 0.05  # for judging and drawing
Decision = Literal["run", "reduced", "skipped"]


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
    whole : rows that each point would use without limits
    """

    stress: Stress
    decision: Decision
    examples: int
    points: int
    queries: int
    seconds: float
    reason: str = ""
    longest: float = 0.0
    whole: int = 0


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What a plan was made of, so that it can be revised while it is run.

    Parameters
    ----------
    lines : without limits
    prices : of a pass
    gated : names of the stresses that gates need
    """

    lines: tuple[PlannedStress, ...]
    prices: Prices
    gated: Collection[str] = ()


@dataclass(frozen=True, kw_only=True)
class AuditPlan:
    """What is run.

    Parameters
    ----------
    lines : in the order in which they are run
    samples : passes of the target that are one answer
    accuracy : clean, as the probe measured it; None if it did not
    basis : what it was made of; None for a stored plan, which is followed as it stands
    """

    lines: tuple[PlannedStress, ...]
    samples: int = 1
    accuracy: Estimate | None = None
    basis: Basis | None = field(default=None, compare=False, repr=False)

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
            decided = {key: kept[line.stress.name][key] for key in PlannedStress.__dataclass_fields__ if key != "stress"}
            stress = replace(line.stress, examples=decided["examples"]) if decided["decision"] == "reduced" else line.stress  # type: ignore[type-var]
            lines.append(replace(line, stress=stress, **decided))
        return replace(self, lines=tuple(lines), basis=None)

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
        """JSON-able lines, for the store and the table; that of the clean accuracy holds what the probe measured as `probed`."""
        rows = [{**asdict(replace(line, stress=None)), "stress": line.stress.name} for line in self.lines]  # type: ignore[arg-type]
        probed = {} if self.accuracy is None else {"probed": self.accuracy.to_json()}
        return [{**row, **probed} if row["stress"] == CLEAN.name else row for row in rows]


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
    gated: Collection[str] = (),
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
    gated : names of the stresses that gates need; they are reduced last
    """
    plan = AuditPlan(
        lines=tuple(_line(stress, facts, prices, left_out=stress.name in skip) for stress in stresses), samples=prices.samples
    )
    granted = None if seconds is None else for_running(seconds)
    basis = Basis(lines=plan.lines, prices=prices, gated=gated)
    return replace(plan, lines=tuple(within(plan.lines, basis, seconds=granted, queries=queries)), basis=basis)


def for_running(budget: float) -> float:
    """The seconds of a time `budget` in which points are measured; the rest is kept for judging and drawing."""
    return max(0.0, budget * (1 - RESERVE_SHARE) - RESERVE_SECONDS)


def within(lines: Sequence[PlannedStress], basis: Basis, *, seconds: float | None, queries: int | None) -> list[PlannedStress]:
    """The lines with fewer examples, or left out, so that together they keep to both limits.

    Parameters
    ----------
    lines : what would be run without limits
    basis : of the plan that they belong to
    seconds : for running alone, or None
    queries : limit, or None
    """
    found = list(lines)
    if queries is not None:
        found = _kept(found, queries, basis, cost=lambda line: line.queries, why="the query limit")
    if seconds is not None:
        found = _kept(found, seconds, basis, cost=lambda line: line.seconds, why="the time budget")
    return found


def rank(stress: Stress, gated: Collection[str]) -> int:
    """Which stresses a limit serves first: the clean accuracy, then what gates need, then all others."""
    return 0 if stress.name == CLEAN.name else 1 if stress.name in gated else 2


def _line(stress: Stress, facts: Facts, prices: Prices, *, left_out: bool) -> PlannedStress:
    reason = f"you left it out: {as_written('skip', stress.name)}" if left_out else _why_not(stress, facts)
    examples = facts.examples if stress.examples is None else min(stress.examples, facts.examples)
    line = PlannedStress(
        stress=stress, decision="run", examples=examples, points=len(stress.points()), queries=0, seconds=0.0, whole=examples
    )
    return replace(line, decision="skipped", reason=reason) if reason else _priced(line, examples, prices)


def _why_not(stress: Stress, facts: Facts) -> str:
    """Why `stress` cannot be applied; empty if it can."""
    if stress.requires in ("scores", "gradients") and facts.why_no_scores:
        return f"it needs {stress.requires}, and {facts.why_no_scores}"
    if stress.requires == "gradients" and facts.why_no_gradients:
        return facts.why_no_gradients
    if ACCESS_LEVELS.index(stress.requires) > ACCESS_LEVELS.index(facts.access):
        return f"it needs access to {stress.requires}, and the target gives {facts.access}"
    return stress.unfit(facts)


def _costs(stress: Stress) -> list[Cost]:
    return [stress.estimate(point) for point in stress.points()]


def _priced(line: PlannedStress, examples: int, prices: Prices, costs: Sequence[Cost] | None = None) -> PlannedStress:
    """The line on so many `examples`; `costs` of its points may be known already."""
    costs = _costs(line.stress) if costs is None else costs
    times = [seconds_of(cost, examples, prices) for cost in costs]
    asked = sum(cost.queries * examples + cost.fixed_queries for cost in costs) if _counts(line.stress) else 0
    queries = prices.samples * asked
    return replace(line, examples=examples, queries=queries, seconds=sum(times), longest=max(times, default=0.0))


def _kept(
    lines: Sequence[PlannedStress], limit: float, basis: Basis, *, cost: Callable[[PlannedStress], float], why: str
) -> list[PlannedStress]:
    """Lines whose total cost is at most `limit`; those that cost nothing of it stay as they are."""
    costly = [place for place, line in enumerate(lines) if line.decision != "skipped" and cost(line) > 0]

    def want(line: PlannedStress) -> Want:
        costs = _costs(line.stress)
        return Want(
            most=line.examples,
            least=min(LEAST_EXAMPLES, line.examples),
            weight=line.stress.importance,
            cost=lambda examples: cost(_priced(line, examples, basis.prices, costs)),
            rank=rank(line.stress, basis.gated),
        )

    found = list(lines)
    for place, examples in zip(costly, allocate([want(lines[place]) for place in costly], limit), strict=True):
        found[place] = _cut(lines[place], examples, basis.prices, why)
    return found


def _cut(line: PlannedStress, examples: int, prices: Prices, why: str) -> PlannedStress:
    """The line on so many `examples`."""
    if examples == line.examples:
        return line
    if not examples:
        return replace(line, decision="skipped", reason=f"it does not fit into {why}")
    reason = f"{examples} instead of {line.whole} examples, to keep within {why}"
    smaller = replace(line.stress, examples=examples)  # type: ignore[type-var]
    return replace(_priced(replace(line, stress=smaller), examples, prices), decision="reduced", reason=reason)
