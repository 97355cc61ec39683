"""A checkable sentence and its verdict; the claims of a study and the gates of a user are of this one kind.

A check (:mod:`holdfast.core.grammar`) compares two expressions over measured quantities (:mod:`holdfast.core.metrics`). Each side
becomes a combination of estimates (:mod:`holdfast.core.combination`, which states what its intervals assume), and the interval of
left minus right is held against 0; sides that hold the same examples are paired (:mod:`holdfast.core.paired`). Whether an undecided
check may pass is not judged here: that is the caller's policy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Literal

from holdfast.core.checks import as_written
from holdfast.core.combination import Combination
from holdfast.core.digest import jsonable
from holdfast.core.errors import InputError
from holdfast.core.grammar import Absolute, Baseline, Comparison, Metric, Node, Number, Operator, Product, parse
from holdfast.core.metrics import MetricTable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.core.estimate import Estimate

__all__ = ["Claim", "MetricTable", "Status", "Verdict", "judge", "parse"]

Status = Literal["pass", "fail", "undecided", "error"]
ROUNDING = 1e-12  # ends of a difference below this share of the two sides are rounding errors of the arithmetic here
VERBS = {"pass": "satisfies", "fail": "misses", "undecided": "contains the threshold of"}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A checkable sentence.

    Parameters
    ----------
    id : dotted name, stable between versions
    statement : the sentence in plain words
    check : the same in the grammar of :mod:`holdfast.core.grammar`
    source : where the claim comes from, e.g. paper and figure, or ``"user"``
    note : what a reader must know to weigh the verdict, e.g. how the scale differs from the source's
    kind : of a study's claim, ``"paper"``, ``"control"`` or ``"ours"``; empty for a gate

    Raises
    ------
    InputError : `check` is not a comparison; the message shows the place

    Examples
    --------
    >>> Claim(id="gate.1", statement="It still works", check="clean.accuracy >= 97%")
    Traceback (most recent call last):
    holdfast.core.errors.InputError: `check` has '%' at position 21; allowed: ... Write a share, 0.05 instead of 5%. Here:
        clean.accuracy >= 97%
                            ^
    """

    id: str
    statement: str
    check: str
    source: str = ""
    note: str = ""
    kind: str = ""

    def __post_init__(self) -> None:
        parse(self.check)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The judgement of the measurements on a claim.

    Parameters
    ----------
    claim : the claim that was judged
    status : ``pass`` if the whole interval satisfies the check, ``fail`` if none of it does, ``undecided`` if it contains the
        threshold, ``error`` if a quantity was not measured
    value, lo, hi : the left side if the right side is a constant, otherwise left minus right; None after an error
    expected : what `value` is held against, e.g. ``">= 0.40"``
    reason : one sentence that explains the status
    """

    claim: Claim
    status: Status
    expected: str
    value: float | None = None
    lo: float | None = None
    hi: float | None = None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """A mapping of plain values with the fields that the reports of studies and audits share."""
        names = {"id": self.claim.id, "statement": self.claim.statement, "status": self.status}
        numbers = {"value": self.value, "lo": self.lo, "hi": self.hi}
        texts = {"expected": self.expected, "source": self.claim.source, "check": self.claim.check}
        return jsonable(names | numbers | texts | {"reason": self.reason, "note": self.claim.note, "kind": self.claim.kind})


def judge(claims: Iterable[Claim], table: MetricTable, baseline: MetricTable | None = None) -> list[Verdict]:
    """The verdict on each claim.

    Parameters
    ----------
    claims : what is to be judged
    table : what the run measured
    baseline : what the baseline run measured, for checks that name ``baseline``

    Examples
    --------
    >>> from holdfast.core.estimate import proportion
    >>> table = MetricTable()
    >>> table.add("clean.accuracy", proportion(970, 1000))
    >>> claim = Claim(id="gate.1", statement="At most 4 errors in 100", check="clean.accuracy >= 0.96")
    >>> [verdict] = judge([claim], table)
    >>> verdict.status, verdict.reason
    ('undecided', '0.97 [0.957, 0.979] contains the threshold of >= 0.96')
    """
    return [_judge_one(claim, table, baseline) for claim in claims]


def _judge_one(claim: Claim, table: MetricTable, baseline: MetricTable | None) -> Verdict:
    """The verdict on one claim; what is missing or not a number becomes an error with its reason."""
    check = parse(claim.check)
    try:
        left, right = _sides(check, table, baseline)
    except InputError as problem:
        return Verdict(claim=claim, status="error", expected=check.expected, reason=str(problem))
    both = left.minus(right)
    difference = both.estimate()
    if math.isnan(difference.value):
        return Verdict(claim=claim, status="error", expected=check.expected, reason="What was measured is not a number.")
    slack = ROUNDING * (abs(left.estimate().value) + abs(right.estimate().value))
    status = _status(difference, check.operator, slack=slack)
    shown, expected = (left.estimate(), check.expected) if right.is_constant else (difference, f"{check.operator} 0 (left - right)")
    pairing = _pairing(both, table, baseline)
    reason = f"{shown} {VERBS[status]} {expected}" + (f" ({pairing})" if pairing else "")
    return Verdict(claim=claim, status=status, expected=expected, value=shown.value, lo=shown.lo, hi=shown.hi, reason=reason)


def _pairing(difference: Combination, table: MetricTable, baseline: MetricTable | None) -> str:
    """On which examples the sides were paired, or why they were not; empty where there is nothing to pair."""
    if together := difference.joint():
        return str(together)
    terms = difference.terms.values()
    if len(terms) < 2 or not table.pairs:
        return ""
    tables = [(table, "")] + ([(baseline, " of the baseline")] if baseline is not None else [])
    blank = [term.estimate for term in terms if term.behind is None]
    unknown = [f"{name}{whose}" for one in blank for known, whose in tables if (name := known.name_of(one))]
    if unknown:
        return f"not paired: no values per example are kept for {', '.join(unknown)}"
    return "not paired: " + ("products and absolute values have none per example" if blank else "the sides hold different examples")


def _sides(check: Comparison, table: MetricTable, baseline: MetricTable | None) -> tuple[Combination, Combination]:
    """Left and right side over what was measured."""
    left = _evaluate(check.left, table)
    if not check.uses_baseline:
        return left, _evaluate(check.right, table)
    if baseline is None:
        named = as_written("baseline", "FOLDER")
        raise InputError(f"The check names `baseline`, but no baseline run was given; name one with {named}.")
    try:
        before = _evaluate(check.left, baseline)
    except InputError as problem:
        raise InputError(f"In the baseline run: {problem}") from problem
    return left, _evaluate(check.right, table, before)


def _evaluate(node: Node, table: MetricTable, before: Combination | None = None) -> Combination:
    """An expression over `table`; `before` is the left side's value in the baseline run."""
    match node:
        case Number(value):
            return Combination(value)
        case Metric(path, selector):
            found = table.find(path, selector)
            return Combination.of(found, table.behind(found))
        case Baseline():
            assert before is not None, "the grammar has `baseline` on the right side only"
            return before
        case Absolute(part):
            return _evaluate(part, table, before).size()
    values = [_evaluate(part, table, before) for part in node.parts]
    return reduce(Combination.times if isinstance(node, Product) else Combination.plus, values)


def _status(difference: Estimate, operator: Operator, *, slack: float) -> Status:
    """Where the interval of left minus right lies: wholly where the operator holds, wholly outside, or across."""
    lo, hi = (0.0 if abs(end) <= slack else end for end in (difference.lo, difference.hi))
    if operator == "==":
        return "pass" if lo == hi == 0 else "undecided" if lo <= 0 <= hi else "fail"
    if operator in {"<=", "<"}:
        lo, hi = -hi, -lo
    if operator in {">=", "<="}:
        return "pass" if lo >= 0 else "fail" if hi < 0 else "undecided"
    return "pass" if lo > 0 else "fail" if hi <= 0 else "undecided"
