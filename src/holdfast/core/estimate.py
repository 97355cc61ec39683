r"""One number with its interval, and the statistics that make one.

Proportions carry Wilson intervals, means Student's t, anything else a bootstrap; images that share a source (a foreground, a
writer) need the cluster bootstrap. Two models on the same examples are compared by the exact McNemar test, many comparisons by
Holm's correction. Sources: E. B. Wilson, JASA 22 (1927) 209; Q. McNemar, Psychometrika 12 (1947) 153; S. Holm, Scand. J. Stat. 6
(1979) 65; R. G. Newcombe, Stat. Med. 17 (1998) 2635 (paired differences, method 10); D. G. Bonett and T. A. Wright, Psychometrika
65 (2000) 23 (rank correlations).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, SupportsFloat

import numpy as np

from holdfast.core.checks import check_one_of, check_same_length, check_whole, check_within, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "FEWEST_FOR_P05",
    "Estimate",
    "bootstrap",
    "cluster_bootstrap",
    "computed",
    "exact",
    "extreme",
    "holm",
    "mcnemar",
    "mean_t",
    "paired_difference",
    "proportion",
    "share_of",
    "spearman",
]

FEWEST_FOR_P05 = 20  # observations: of fewer, not one is expected below the 5th percentile
Statistic = Callable[["NDArray[Any]"], float]


@dataclass(frozen=True)
class Estimate:
    """One number with its interval.

    Parameters
    ----------
    value : the number
    lo, hi : ends of the interval, ``lo <= value <= hi``; equal to `value` for a count or a computed quantity
    n : number of independent observations behind it
    method : how the interval was made, e.g. ``"wilson"``
    level : coverage of the interval, in (0, 1)

    Examples
    --------
    >>> print(proportion(95, 100))
    0.95 [0.888, 0.978]
    """

    value: float
    lo: float
    hi: float
    n: int
    method: str
    level: float = 0.95

    def __post_init__(self) -> None:
        if not (math.isnan(self.value) or self.lo <= self.value <= self.hi):
            refuse("Estimate", f"has value {self.value} outside [{self.lo}, {self.hi}]", allowed="lo <= value <= hi")

    def __str__(self) -> str:
        return f"{self.value:.4g}" if self.lo == self.hi else f"{self.value:.4g} [{self.lo:.3g}, {self.hi:.3g}]"

    @property
    def is_exact(self) -> bool:
        """True if the interval has no width."""
        return self.lo == self.hi

    def to_json(self) -> dict[str, Any]:
        """A mapping of plain numbers and strings (None for an infinite end); :meth:`from_json` reads it back."""
        entry = asdict(self)
        return {key: None if isinstance(item, float) and not math.isfinite(item) else item for key, item in entry.items()}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Estimate:
        """The estimate that :meth:`to_json` wrote."""
        value, lo, hi = (
            default if entry[key] is None else entry[key]
            for key, default in (("value", math.nan), ("lo", -math.inf), ("hi", math.inf))
        )
        return cls(value, lo, hi, entry["n"], entry["method"], entry["level"])


def exact(value: float, n: int = 1, method: str = "exact") -> Estimate:
    """A number that is not a sample: its interval has no width."""
    return Estimate(float(value), float(value), float(value), n, method)


def _normal_quantile(level: float) -> float:
    from scipy.special import ndtri

    check_within(level, "level", low=0.0, high=1.0, low_open=True)
    return float(ndtri(0.5 + level / 2))


def computed(**values: SupportsFloat) -> dict[str, Estimate]:
    """Numbers without uncertainty by their names, as the estimates of a measurement: ``computed(ratio=1.002, error=0.1)``."""
    return {name: exact(float(value)) for name, value in values.items()}


def proportion(hits: int, n: int, *, level: float = 0.95) -> Estimate:
    r"""Share of hits with its Wilson interval.

    .. math:: \frac{\hat p + z^2/2n \pm z\sqrt{\hat p(1-\hat p)/n + z^2/4n^2}}{1 + z^2/n}

    Parameters
    ----------
    hits : whole number in ``[0, n]``
    n : whole number >= 1
    level : coverage

    Examples
    --------
    >>> proportion(0, 10).hi < 0.28
    True
    """
    n = check_whole(n, "n", low=1)
    hits = check_whole(hits, "hits", low=0, high=n)
    z = _normal_quantile(level)
    share = hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    lo = 0.0 if hits == 0 else max(0.0, centre - half)
    hi = 1.0 if hits == n else min(1.0, centre + half)
    return Estimate(share, min(lo, share), max(hi, share), n, "wilson", level)


def share_of(hits: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Share of true values with its Wilson interval.

    Parameters
    ----------
    hits : boolean array (n,), n >= 1
    level : coverage

    Examples
    --------
    >>> print(share_of([True, True, False, True]))
    0.75 [0.301, 0.954]
    """
    values = np.asarray(hits)
    if values.ndim != 1 or values.dtype != bool:
        refuse("hits", f"is an array of {values.dtype}, shape {values.shape}", allowed="a boolean array (n,)")
    return proportion(int(values.sum()), len(values), level=level)


def mean_t(values: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Mean of independent values with Student's t interval; one value gives an interval of infinite width.

    Examples
    --------
    >>> print(mean_t([0.9, 0.92, 0.94]))
    0.92 [0.87, 0.97]
    """
    sample = np.asarray(values, dtype=float).ravel()
    if sample.size == 0:
        refuse("values", "is empty", allowed="at least one value")
    mean = float(sample.mean())
    if sample.size == 1:
        return Estimate(mean, -math.inf, math.inf, 1, "t", level)
    from scipy.special import stdtrit

    quantile = float(stdtrit(sample.size - 1, 0.5 + level / 2))
    half = quantile * float(sample.std(ddof=1)) / math.sqrt(sample.size)
    return Estimate(mean, mean - half, mean + half, int(sample.size), "t", level)


def bootstrap(
    values: ArrayLike,
    statistic: Statistic | None = None,
    *,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> Estimate:
    """Any statistic of independent rows with a percentile bootstrap interval.

    Parameters
    ----------
    values : array (n, ...), one row per independent observation
    statistic : from an array of rows to one number; default: the mean
    seed : of the resampling
    resamples : number of bootstrap samples
    level : coverage
    """
    rows = np.asarray(values)
    return cluster_bootstrap(rows, np.arange(len(rows)), statistic, seed=seed, resamples=resamples, level=level, method="bootstrap")


def extreme(estimates: Iterable[Estimate], pick: Literal["largest", "least"] = "largest") -> Estimate:
    """The largest or the least of several quantities: it lies between the same extremes of their ends where all intervals hold.

    The chances that intervals miss add up (Bonferroni), so give each of k estimates the level 1 - 0.05 / k for 0.95 together.

    Examples
    --------
    >>> found = extreme([proportion(8, 10, level=0.975), proportion(5, 10, level=0.975)])
    >>> found.value, round(found.level, 3)
    (0.8, 0.95)
    """
    known = list(estimates)
    if not known:
        refuse("estimates", "is empty", allowed="at least one estimate")
    end = {"largest": max, "least": min}[check_one_of(pick, "pick", allowed=("largest", "least"))]
    value, lo, hi = (end(getattr(one, name) for one in known) for name in ("value", "lo", "hi"))
    level = 1 - sum(1 - one.level for one in known if one.lo < one.hi)
    return Estimate(value, lo, hi, min(one.n for one in known), f"{pick} of {len(known)}", max(level, 0.0))


def cluster_bootstrap(
    values: ArrayLike,
    clusters: ArrayLike,
    statistic: Statistic | None = None,
    *,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
    method: str = "cluster bootstrap",
) -> Estimate:
    """Any statistic of rows that are dependent within clusters: whole clusters are drawn with replacement.

    Parameters
    ----------
    values : array (n, ...)
    clusters : array (n,), the cluster of each row (any hashable labels)
    statistic, seed, resamples, level : as in :func:`bootstrap`
    method : how the estimate calls itself

    Returns
    -------
    Estimate whose `n` is the number of clusters.
    """
    rows, names = np.asarray(values), np.asarray(clusters)
    if len(rows) == 0 or len(rows) != len(names):
        refuse("values", f"has {len(rows)} rows for {len(names)} cluster labels", allowed="equal numbers, at least one")
    measure = statistic or (lambda sample: float(np.mean(sample)))
    _, codes, counts = np.unique(names, return_inverse=True, return_counts=True)
    order = np.argsort(codes, kind="stable")
    members = np.split(order, np.cumsum(counts)[:-1])
    generator = np.random.default_rng(seed)
    draws = generator.integers(0, len(members), size=(resamples, len(members)))
    alone = len(members) == len(rows)  # then a draw of clusters is a draw of rows
    repeated = [measure(rows[order[draw] if alone else np.concatenate([members[cluster] for cluster in draw])]) for draw in draws]
    value = float(measure(rows))
    lo, hi = np.quantile(repeated, [0.5 - level / 2, 0.5 + level / 2])
    return Estimate(value, min(float(lo), value), max(float(hi), value), len(members), method, level)


def _pairs(before: ArrayLike, after: ArrayLike) -> tuple[int, int, int, int]:
    """How many examples are right twice, lost, won and wrong twice."""
    first, second = np.asarray(before, dtype=bool), np.asarray(after, dtype=bool)
    if first.shape != second.shape:
        refuse("after", f"has shape {second.shape}", allowed=f"the shape of `before`, {first.shape}")
    counts = ((first & second), (first & ~second), (~first & second), (~first & ~second))
    both, lost, won, neither = (int(count.sum()) for count in counts)
    return both, lost, won, neither


def mcnemar(before: ArrayLike, after: ArrayLike) -> float:
    """Two-sided exact McNemar p-value of two models that answered the same examples.

    ``p = min(1, 2 P[X <= min(b, c)])`` with X binomial(b + c, 1/2), where b and c count the discordant pairs; swapping the models
    gives the same bits.

    Parameters
    ----------
    before, after : boolean arrays (n,), right or wrong per example

    Examples
    --------
    >>> round(mcnemar([True] * 8 + [False] * 2, [False] * 8 + [True] * 2), 4)
    0.1094
    """
    from scipy.stats import binom

    _, lost, won, _ = _pairs(before, after)
    pairs = lost + won
    if pairs == 0:
        return 1.0
    return float(min(1.0, 2 * binom.cdf(min(lost, won), pairs, 0.5)))


def paired_difference(before: ArrayLike, after: ArrayLike, *, level: float = 0.95) -> Estimate:
    r"""Difference of two proportions on the same examples (`after` minus `before`), Newcombe's method 10.

    .. math:: \hat\delta \pm \sqrt{u^2 - 2\hat\phi\,u v + v^2}

    where u and v are the distances of the two shares from the ends of their Wilson intervals and :math:`\hat\phi` is the
    correlation of the pairs, corrected for continuity where it is positive. Swapping the arguments negates value and interval
    exactly.

    Parameters
    ----------
    before, after : boolean arrays (n,)
    level : coverage
    """
    both, lost, won, neither = _pairs(before, after)
    n = both + lost + won + neither
    one, two = proportion(both + lost, n, level=level), proportion(both + won, n, level=level)
    agreement: float = both * neither - lost * won
    if agreement > 0:
        agreement = max(agreement - n / 2, 0.0)
    scale = math.sqrt((both + lost) * (won + neither) * (both + won) * (lost + neither))
    phi = agreement / scale if scale else 0.0
    delta = (won - lost) / n

    def reach(u: float, v: float) -> float:
        return math.sqrt((u - v) ** 2 + 2 * (1 - phi) * (u * v))

    lo = delta - reach(two.value - two.lo, one.hi - one.value)
    hi = delta + reach(two.hi - two.value, one.value - one.lo)
    return Estimate(delta, max(-1.0, lo), min(1.0, hi), n, "newcombe paired", level)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given; each may be compared with the family-wise level.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def spearman(
    x: ArrayLike,
    y: ArrayLike,
    *,
    interval: Literal["bonett-wright", "bootstrap"] = "bonett-wright",
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> Estimate:
    r"""Spearman's rank correlation of two samples; equal values share their mean rank.

    .. math:: \tanh\bigl(\operatorname{artanh} r \pm z \sqrt{(1 + r^2/2) / (n - 3)}\bigr)

    Parameters
    ----------
    x, y : arrays (n,), n >= 4
    interval : ``"bonett-wright"``, the formula above, or ``"bootstrap"`` of pairs, which assumes no distribution; a resample in
        which one side never varies counts as 0
    seed, resamples : of the bootstrap
    level : coverage

    Returns
    -------
    Estimate in [-1, 1]; NaN within [-1, 1] where one side never varies

    Examples
    --------
    >>> spearman([1, 2, 3, 4, 5], [1, 4, 9, 16, 25]).value
    1.0
    """
    check_one_of(interval, "interval", allowed=("bonett-wright", "bootstrap"))
    one, two = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    check_same_length(one, two)
    n = len(one)
    if n < 4:
        refuse("x", f"has {n} values", allowed="at least 4")
    method = f"spearman, {interval}"
    if np.ptp(one) == 0 or np.ptp(two) == 0:
        return Estimate(math.nan, -1.0, 1.0, n, method, level)
    if interval == "bootstrap":
        found = bootstrap(np.stack([one, two], axis=1), _rank_correlation, seed=seed, resamples=resamples, level=level)
        return replace(found, method=method)
    r = _rank_correlation(np.stack([one, two], axis=1))
    if abs(r) > 1 - 1e-12:
        return Estimate(float(round(r)), round(r), round(r), n, method, level)
    half = _normal_quantile(level) * math.sqrt((1 + r * r / 2) / (n - 3))
    return Estimate(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half), n, method, level)


def _rank_correlation(pairs: NDArray[Any]) -> float:
    """Spearman's coefficient of the columns (n, 2); 0 where one of them never varies."""
    from scipy.stats import rankdata

    ranks = rankdata(pairs, axis=0)
    return float(np.clip(np.corrcoef(ranks.T)[0, 1], -1, 1)) if np.ptp(ranks, axis=0).all() else 0.0
