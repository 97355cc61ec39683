"""All quantities that a run measured, found by the names that a check uses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from holdfast.core.checks import nearest, refuse
from holdfast.core.estimate import Estimate
from holdfast.core.grammar import Metric, is_path

if TYPE_CHECKING:
    from holdfast.core.paired import ExampleValues

__all__ = ["MetricTable", "means"]

MOST_REASONS = 3  # that one message lists
Same = Callable[[float | str, Any], bool]
Selector = Mapping[str, float | str] | Sequence[tuple[str, float | str]]


def means(wanted: float | str, value: Any) -> bool:
    """True if a selector's `wanted` means a point's `value`: numbers to 1e-9 of their size, anything else by its text."""
    if isinstance(value, bool) or value is None:
        return str(wanted).lower() == str(value).lower()
    if isinstance(value, int | float) and not isinstance(wanted, str):
        return math.isclose(wanted, value, rel_tol=1e-9)
    return str(wanted) == str(value)


def _prints_as(wanted: float | str, value: Any) -> bool:
    """True if both are the same number, not a whole one, to the four digits that a terminal shows."""
    if not isinstance(value, float) or isinstance(wanted, str) or float(wanted).is_integer():
        return means(wanted, value)
    return f"{wanted:.4g}" == f"{value:.4g}"


@dataclass(frozen=True)
class _Entry:
    """An estimate, or the reason why there is none, at a point of a path; without a point (None) at all of them."""

    path: str
    at: Mapping[str, Any] | None
    outcome: Estimate | str

    def __str__(self) -> str:
        return str(Metric(self.path, tuple((self.at or {}).items())))

    def covers(self, path: str) -> bool:
        """True if `path` lies below this entry's."""
        return not self.path or f"{path}.".startswith(f"{self.path}.")

    def fits(self, selector: Mapping[str, float | str], same: Same = means) -> bool:
        """True if the point has every value that `selector` names."""
        at = self.at
        return at is None or all(key in at and same(wanted, at[key]) for key, wanted in selector.items())


def _listed(reasons: Sequence[str]) -> str:
    """The first reasons, and how many more there are."""
    different = list(dict.fromkeys(reasons))
    more = f" (and {len(different) - MOST_REASONS} more)" if len(different) > MOST_REASONS else ""
    return "; ".join(different[:MOST_REASONS]) + more


class MetricTable:
    """Estimates by path and point; it grows while the experiments of a run are read.

    Parameters
    ----------
    pairs : the examples behind the quantities are looked for, so that a verdict says where sides could not be paired

    Examples
    --------
    >>> from holdfast.core.estimate import proportion
    >>> table = MetricTable()
    >>> table.add("adversarial.pgd.accuracy", proportion(31, 100), at={"eps": 8 / 255})
    >>> print(table.find("adversarial.pgd.accuracy", {"eps": 0.0313725490196}))
    0.31 [0.228, 0.406]
    """

    def __init__(self, *, pairs: bool = False) -> None:
        self.pairs = pairs
        self._measured: list[_Entry] = []
        self._missing: list[_Entry] = []
        self._reasons: list[_Entry] = []
        self._behind: dict[int, ExampleValues] = {}

    @property
    def paths(self) -> tuple[str, ...]:
        """The measured paths, sorted."""
        return tuple(sorted({entry.path for entry in self._measured}))

    def add(
        self, path: str, estimate: Estimate, *, at: Mapping[str, Any] | None = None, behind: ExampleValues | None = None
    ) -> None:
        """Enter the estimate of `path` at the point `at`; None for a quantity of the whole experiment.

        Parameters
        ----------
        path : dotted name
        estimate : the number
        at : the point
        behind : what each example gave, if the number is their mean
        """
        entry = _Entry(path, dict(at or {}), estimate)
        if not is_path(path):
            refuse("path", f"is {path!r}", allowed="words of letters, digits and _ joined by dots, other than abs and baseline")
        if any(other.path == path and other.at == entry.at for other in self._measured):
            refuse("path", f"is {entry}, which is in the table already", allowed="one estimate per path and point")
        self._measured.append(entry)
        if behind is not None:
            self._behind[id(estimate)] = behind

    def behind(self, estimate: Estimate) -> ExampleValues | None:
        """What each example gave, for an `estimate` of this table; None where that is not known."""
        return self._behind.get(id(estimate))

    def name_of(self, estimate: Estimate) -> str:
        """The metric of an `estimate` of this table, with its point; empty for another one."""
        return next((str(entry) for entry in self._measured if entry.outcome is estimate), "")

    def mark_missing(
        self, path_prefix: str, reason: str, *, at: Mapping[str, Any] | None = None, needs: Mapping[str, Any] | None = None
    ) -> None:
        """Remember why something was not measured.

        Parameters
        ----------
        path_prefix : what the paths begin with; an empty text means all paths
        reason : in words, e.g. the last line of a traceback
        at : the point whose own estimates are missing; like a measured one it counts wherever a selector fits it
        needs : a missing point, as the reason for every quantity of several points whose selector fits it

        Without `at` and `needs` the reason holds for everything below `path_prefix`.

        Examples
        --------
        >>> table = MetricTable()
        >>> table.mark_missing("learning", "spread 0.05, seed 3: out of memory", needs={"spread": 0.05, "seed": 3})
        >>> table.find("learning.solved", {"spread": 0.05})
        Traceback (most recent call last):
        holdfast.core.errors.InputError: `check` names learning.solved[spread=0.05], which was not measured: spread 0.05, ...
        """
        (self._reasons if at is None else self._missing).append(_Entry(path_prefix, needs if at is None else at, reason))

    def find(self, path: str, selector: Selector = ()) -> Estimate:
        """The one estimate of `path` whose point has the values that `selector` names.

        An entry whose point has no other keys than the selector wins; otherwise exactly one may fit, because a choice among
        several would be silent. A number that no point has means the one that a terminal shows by the same four digits, so that
        ``eps=0.03137`` and ``eps=8/255`` are one point.

        Raises
        ------
        InputError : nothing fits, several points fit, or what fits was not measured; the message lists what there is
        """
        wanted = dict(selector)
        chosen = self._chosen(path, wanted)
        measured = [entry.outcome for entry in chosen if isinstance(entry.outcome, Estimate)]
        name = str(Metric(path, tuple(wanted.items())))
        if measured and len(chosen) > 1:
            refuse("check", f"names {name}, which fits {len(chosen)} points", allowed=f"one of {', '.join(map(str, chosen))}")
        return measured[0] if measured else self._refuse(name, path, wanted, chosen)

    def named(self, path: str, selector: Selector = ()) -> tuple[Metric, ...]:
        """The points among which :meth:`find` would choose: one if the selector is clear, none if no point has its values."""
        return tuple(Metric(entry.path, tuple((entry.at or {}).items())) for entry in self._chosen(path, dict(selector)))

    def _chosen(self, path: str, wanted: Mapping[str, float | str]) -> list[_Entry]:
        """The entries that fit best."""
        candidates = [
            *(entry for entry in self._measured if entry.path == path),
            *(entry for entry in self._missing if entry.covers(path)),
        ]
        fitting = [one for one in candidates if one.fits(wanted)] or [one for one in candidates if one.fits(wanted, _prints_as)]
        return [entry for entry in fitting if entry.at is not None and entry.at.keys() == wanted.keys()] or fitting

    def _refuse(self, name: str, path: str, wanted: Mapping[str, float | str], missing: Sequence[_Entry]) -> NoReturn:
        """Say why `path` has no estimate: the reasons of what is missing, or else what there is."""
        reasons = [entry for entry in self._reasons if entry.covers(path) and entry.fits(wanted)]
        because = missing or [entry for entry in reasons if entry.at is not None] or reasons
        if because:
            told = _listed([str(entry.outcome) for entry in because])
            refuse("check", f"names {name}, which was not measured: {told}", allowed="quantities that were measured")
        known = [entry for entry in self._measured if entry.path == path]
        if known:
            refuse("check", f"names {name}, a point that was not measured", allowed=f"one of {', '.join(map(str, known))}")
        close = nearest(path, self.paths)
        hint = f"Did you mean {close}?" if close else ""
        refuse("check", f"names the unknown metric {path}", allowed=f"the {len(self.paths)} metrics of this run", remedy=hint)
