"""All quantities that a run measured, found by the names that a check uses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.core.checks import nearest, refuse
from holdfast.core.estimate import Estimate
from holdfast.core.grammar import Metric, is_path

__all__ = ["MetricTable", "means"]

Selector = Mapping[str, float | str] | Sequence[tuple[str, float | str]]


def means(wanted: float | str, value: Any) -> bool:
    """True if a selector's `wanted` means a point's `value`: numbers to 1e-9 of their size, anything else by its text."""
    if isinstance(value, bool) or value is None:
        return str(wanted).lower() == str(value).lower()
    if isinstance(value, int | float) and not isinstance(wanted, str):
        return math.isclose(wanted, value, rel_tol=1e-9)
    return str(wanted) == str(value)


@dataclass(frozen=True)
class _Entry:
    """An estimate, or the reason why there is none, at a point of a path."""

    path: str
    at: Mapping[str, Any]
    outcome: Estimate | str

    def __str__(self) -> str:
        return str(Metric(self.path, tuple(self.at.items())))

    def fits(self, selector: Mapping[str, float | str]) -> bool:
        """True if the point has every value that `selector` names."""
        return all(key in self.at and means(wanted, self.at[key]) for key, wanted in selector.items())


class MetricTable:
    """Estimates by path and point; it grows while the experiments of a run are read.

    Examples
    --------
    >>> from holdfast.core.estimate import proportion
    >>> table = MetricTable()
    >>> table.add("adversarial.pgd.accuracy", proportion(31, 100), at={"eps": 8 / 255})
    >>> print(table.find("adversarial.pgd.accuracy", {"eps": 0.0313725490196}))
    0.31 [0.228, 0.406]
    """

    def __init__(self) -> None:
        self._measured: list[_Entry] = []
        self._missing: list[_Entry] = []

    @property
    def paths(self) -> tuple[str, ...]:
        """The measured paths, sorted."""
        return tuple(sorted({entry.path for entry in self._measured}))

    def add(self, path: str, estimate: Estimate, *, at: Mapping[str, Any] | None = None) -> None:
        """Enter the estimate of `path` at the point `at`; None for a quantity of the whole experiment."""
        entry = _Entry(path, dict(at or {}), estimate)
        if not is_path(path):
            refuse("path", f"is {path!r}", allowed="words of letters, digits and _ joined by dots, other than abs and baseline")
        if any(other.path == path and other.at == entry.at for other in self._measured):
            refuse("path", f"is {entry}, which is in the table already", allowed="one estimate per path and point")
        self._measured.append(entry)

    def mark_missing(self, path_prefix: str, reason: str, *, at: Mapping[str, Any] | None = None) -> None:
        """Remember why nothing below `path_prefix` was measured (at the point `at` only, if given)."""
        self._missing.append(_Entry(path_prefix, dict(at or {}), reason))

    def find(self, path: str, selector: Selector = ()) -> Estimate:
        """The one estimate of `path` whose point has the values that `selector` names.

        An entry whose point has no other keys than the selector wins; otherwise exactly one may fit, because a choice among
        several would be silent.

        Raises
        ------
        InputError : nothing fits, several points fit, or what fits was not measured; the message lists what there is
        """
        wanted = dict(selector)
        missing = [entry for entry in self._missing if f"{path}.".startswith(f"{entry.path}.")]
        known = [entry for entry in self._measured if entry.path == path]
        fitting = [entry for entry in (*known, *missing) if (entry.at or entry in known) and entry.fits(wanted)]
        chosen = [entry for entry in fitting if entry.at.keys() == wanted.keys()] or fitting
        name = str(Metric(path, tuple(wanted.items())))
        if len(chosen) > 1:
            refuse("check", f"names {name}, which fits {len(chosen)} points", allowed=f"one of {', '.join(map(str, chosen))}")
        outcome = chosen[0].outcome if chosen else next((entry.outcome for entry in missing if not entry.at), None)
        if isinstance(outcome, Estimate):
            return outcome
        if outcome is not None:
            refuse("check", f"names {name}, which was not measured: {outcome}", allowed="quantities that were measured")
        if known:
            refuse("check", f"names {name}, a point that was not measured", allowed=f"one of {', '.join(map(str, known))}")
        close = nearest(path, self.paths)
        hint = f"Did you mean {close}?" if close else ""
        return refuse(
            "check", f"names the unknown metric {path}", allowed=f"the {len(self.paths)} metrics of this run", remedy=hint
        )
