r"""Sums and differences of means over the same examples, whose intervals follow from how the examples go together.

For terms :math:`c_i\hat p_i` whose lower ends lie :math:`d_i` below them, with the correlations :math:`\phi_{ij}` over examples,

.. math:: L = \sum_i c_i\hat p_i - \sqrt{\sum_{ij} \operatorname{sgn}(c_i c_j)\, \phi_{ij}\, d_i d_j}

and likewise above: MOVER for dependent terms (G. Y. Zou and A. Donner, Stat. Med. 27 (2008) 1693), which for the difference of two
shares is Newcombe's method 10 (R. G. Newcombe, Stat. Med. 17 (1998) 2635). Where that leaves out 0 although the exact McNemar test
does not reject it, the interval also covers the exact one given the number of discordant pairs, so that no verdict on a plain
difference contradicts the test. What comes beside the examples, such as the spread over chips, adds in squares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from holdfast.core.estimate import Estimate, exact, mcnemar, mean_t, paired_difference, share_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["ExampleValues", "Joint", "Means", "Term", "consistent_difference", "joint"]

METHOD = "paired"


@dataclass(frozen=True, eq=False, kw_only=True)
class ExampleValues:
    """What each example gave, of which an estimate is the mean.

    Parameters
    ----------
    values : array (n,), right or wrong (bool), or a number per example
    used : boolean array (n,), which rows count
    examples : array (n, ...), by which the rows of two runs are known to be the same examples
    margins : array (n,), the network's answers as real numbers, if they were kept: equal ones come from equal networks
    origin : of the values in words; equal values of one origin are one measurement; empty: unknown
    spread : the estimate's interval is not over examples, but over something beside them, such as chips
    """

    values: NDArray[Any]
    used: NDArray[np.bool_]
    examples: NDArray[Any]
    margins: NDArray[Any] | None = None
    origin: str = ""
    spread: bool = False

    def is_same(self, other: ExampleValues, rows: NDArray[np.intp]) -> bool:
        """True if both are one measurement on `rows`, whose difference is exactly 0."""
        if not np.array_equal(self.values[rows], other.values[rows]):
            return False
        if self.origin and self.origin == other.origin:
            return True
        if self.margins is None or other.margins is None:
            return False
        return np.array_equal(self.margins[rows], other.margins[rows], equal_nan=True)


class Term(NamedTuple):
    """A coefficient (not 0), an estimate, and the examples behind it, if they are known."""

    coefficient: float
    estimate: Estimate
    behind: ExampleValues | None = None


@dataclass(frozen=True, kw_only=True)
class Joint:
    """Several means over the same examples as one estimate.

    Parameters
    ----------
    estimate : of the sum; `n` is the number of examples that all terms share
    lost, won : of a plain difference, examples that only the subtracted side and only the other side gets right; otherwise None
    p : of the exact McNemar test; None where there are no such pairs
    """

    estimate: Estimate
    lost: int | None = None
    won: int | None = None
    p: float | None = None

    def __str__(self) -> str:
        told = f"paired on {self.estimate.n} examples"
        if self.p is None:
            return f"{told}, with equal answers" if self.estimate.is_exact else told
        return f"{told}: {self.lost} lost, {self.won} won, exact p = {self.p:.2g}"


def joint(terms: Sequence[Term]) -> Joint | None:
    """The sum of `terms` over the examples that all share; None where they share none or where examples are not known."""
    known = [term.behind for term in terms if term.behind is not None]
    if len(terms) < 2 or len(known) < len(terms):
        return None
    rows = _shared(known)
    if rows is None:
        return None
    left = _merged(terms, rows)
    if not left:
        return Joint(estimate=exact(0.0, len(rows), METHOD))
    if _is_plain_difference(left):
        return _difference(left, rows)
    return Joint(estimate=_sum(left, rows))


def _shared(known: Sequence[ExampleValues]) -> NDArray[np.intp] | None:
    """The rows that all use, if all have the same examples as far as the shortest goes."""
    n = min(len(one.examples) for one in known)
    if any(not np.array_equal(one.examples[:n], known[0].examples[:n]) for one in known[1:]):
        return None
    rows = np.flatnonzero(np.logical_and.reduce([one.used[:n] for one in known]))
    return rows if len(rows) else None


def _behind(term: Term) -> ExampleValues:
    assert term.behind is not None, "only terms whose examples are known are joined"
    return term.behind


def _merged(terms: Sequence[Term], rows: NDArray[np.intp]) -> list[Term]:
    """Terms of one measurement become one; those that cancel are gone."""
    merged: list[Term] = []
    for term in terms:
        same = next((place for place, other in enumerate(merged) if _behind(other).is_same(_behind(term), rows)), None)
        if same is None:
            merged.append(term)
        else:
            merged[same] = merged[same]._replace(coefficient=merged[same].coefficient + term.coefficient)
    return [term for term in merged if term.coefficient != 0]


def _is_plain_difference(terms: Sequence[Term]) -> bool:
    """True for one share minus another one."""
    whole = all(_behind(term).values.dtype == bool for term in terms)
    return len(terms) == 2 and whole and sorted(term.coefficient for term in terms) == [-1.0, 1.0]


def _difference(terms: Sequence[Term], rows: NDArray[np.intp]) -> Joint:
    before, after = (_behind(term).values[rows] for term in sorted(terms, key=lambda term: term.coefficient))
    lost, won = int((before & ~after).sum()), int((~before & after).sum())
    estimate = replace(consistent_difference(before, after), method=METHOD)
    return Joint(estimate=estimate, lost=lost, won=won, p=mcnemar(before, after))


def consistent_difference(before: ArrayLike, after: ArrayLike, *, level: float = 0.95) -> Estimate:
    """The paired difference of two shares, whose interval contains 0 wherever the exact McNemar test does not reject it.

    Newcombe's interval (:func:`holdfast.core.estimate.paired_difference`), made longer where the test contradicts it.

    Parameters
    ----------
    before, after : boolean arrays (n,)
    level : coverage

    Examples
    --------
    >>> before, after = [True] * 50, [False] * 5 + [True] * 45
    >>> print(consistent_difference(before, after))
    -0.1 [-0.214, 0.00436]
    """
    found = paired_difference(before, after, level=level)
    if found.lo <= 0 <= found.hi or mcnemar(before, after) <= 1 - level:
        return found
    lo, hi = _given_discordant(np.asarray(before, dtype=bool), np.asarray(after, dtype=bool), level)
    return replace(found, lo=min(found.lo, lo), hi=max(found.hi, hi))


def _given_discordant(before: NDArray[np.bool_], after: NDArray[np.bool_], level: float) -> tuple[float, float]:
    """The difference whose share of won pairs has the exact interval of C. Clopper and E. Pearson, Biometrika 26 (1934) 404."""
    from scipy.stats import binomtest

    lost, won = int((before & ~after).sum()), int((~before & after).sum())
    pairs = lost + won
    share = binomtest(max(lost, won), pairs).proportion_ci(confidence_level=level)
    lo, hi = (pairs / len(before) * (2 * end - 1) for end in (share.low, share.high))
    return (lo, hi) if won > lost else (-hi, -lo)


def _sum(terms: Sequence[Term], rows: NDArray[np.intp]) -> Estimate:
    """The sum by MOVER with the correlations over `rows`."""
    means = Means.over([_behind(term) for term in terms], [term.estimate for term in terms], rows)
    value, lo, hi = means.weighted(np.array([term.coefficient for term in terms]))
    return Estimate(value, lo, hi, len(rows), METHOD)


@dataclass(frozen=True, eq=False, kw_only=True)
class Means:
    """Several means, from whose intervals and correlations the interval of any weighted sum follows.

    Parameters
    ----------
    values : array (k,)
    reach : array (2, k), how far the interval of each mean over examples reaches below and above it
    correlations : array (k, k) over examples; None: unknown, so that terms of equal sign count as 1 and others as 0
    beside : array (2, k), the same as `reach` for what comes beside the examples, such as the spread over chips; or 0
    """

    values: NDArray[np.float64]
    reach: NDArray[np.float64]
    correlations: NDArray[np.float64] | None
    beside: NDArray[np.float64]

    @classmethod
    def over(cls, known: Sequence[ExampleValues], estimates: Sequence[Estimate], rows: NDArray[np.intp]) -> Means:
        """Those over the examples `rows`."""
        columns = [one.values[rows] for one in known]
        parts = [share_of(column) if column.dtype == bool else mean_t(column) for column in columns]
        spread = np.array([one.spread for one in known])
        correlations = np.array([[_correlation(one, other) for other in columns] for one in columns])
        values = np.array([part.value for part in parts])
        return cls(values=values, reach=_reach(parts), correlations=correlations, beside=np.where(spread, _reach(estimates), 0.0))

    @classmethod
    def of(cls, estimates: Sequence[Estimate], known: Sequence[ExampleValues | None] = ()) -> Means:
        """Those of `estimates`, over the examples that all of `known` share if there are such."""
        sure = [one for one in known if one is not None]
        rows = _shared(sure) if sure and len(sure) == len(estimates) else None
        if rows is not None:
            return cls.over(sure, estimates, rows)
        reach = _reach(estimates)
        return cls(values=np.array([one.value for one in estimates]), reach=reach, correlations=None, beside=np.zeros_like(reach))

    def weighted(self, coefficients: NDArray[np.float64]) -> tuple[float, float, float]:
        """Value and ends of the interval of the sum of coefficient times mean; an infinite one where a term has none."""
        value = float(coefficients @ self.values)
        signs = coefficients[:, None] * coefficients[None, :] > 0
        correlations = signs.astype(float) if self.correlations is None else self.correlations
        lengths = []
        for below, above in ((0, 1), (1, 0)):
            side = np.where(coefficients > 0, below, above)
            signed, beside = (coefficients * part[side, np.arange(len(side))] for part in (self.reach, self.beside))
            if not np.isfinite(signed + beside).all():
                lengths.append(math.inf)
                continue
            lengths.append(math.sqrt(max(0.0, float(signed @ correlations @ signed)) + float(beside @ beside)))
        return value, value - lengths[0], value + lengths[1]


def _reach(estimates: Sequence[Estimate]) -> NDArray[np.float64]:
    """Array (2, k): how far each interval reaches below and above its value."""
    return np.array([[one.value - one.lo for one in estimates], [one.hi - one.value for one in estimates]])


def _correlation(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Correlation over examples; of two shares that agree it is corrected for continuity, as Newcombe does."""
    if one is other:
        return 1.0
    n = len(one)
    x, y = one.astype(float), other.astype(float)
    together = n * float(x @ y) - float(x.sum()) * float(y.sum())
    if one.dtype == bool and other.dtype == bool and together > 0:
        together = max(together - n / 2, 0.0)
    scale = math.sqrt(math.prod(max(0.0, n * float(column @ column) - float(column.sum()) ** 2) for column in (x, y)))
    return min(1.0, max(-1.0, together / scale)) if scale > 0 else 0.0
