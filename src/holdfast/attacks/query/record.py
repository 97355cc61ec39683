"""What a run of an attack along estimated gradients is kept as, how its success grows with the queries, and two runs side by side.

An example that was not fooled counts with the whole budget, so that an attack gains nothing by giving up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from holdfast.attacks.query.rgf import TRACES, EstimatedResult
from holdfast.core.checks import check_same_length, check_whole
from holdfast.core.estimate import Estimate, bootstrap, mean_t, paired_difference, proportion
from holdfast.core.experiment import Measurement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["compare_queries", "query_record", "success_by_queries"]


def query_record(result: EstimatedResult, budget: int) -> Measurement:
    """The run as estimates and arrays, without the images.

    Parameters
    ----------
    result : of N examples and S steps
    budget : queries that each example might cost, >= 1

    Returns
    -------
    Measurement with the estimates ``success``, ``mean`` and ``median`` (of the queries), and, for each of ``alpha``, ``lam``,
    ``prior_cosine`` and ``estimate_cosine`` that was measured, the mean over examples: over all steps (``lam``) and at the first
    one (``lam_first``); ``prior_positive`` is the share of examples whose prior has a positive cosine there. Its arrays are
    ``success`` and ``queries`` (N,), and each trace by example (N,) and by step (S,), NaN where nothing is known.

    Examples
    --------
    >>> import torch
    >>> from holdfast.attacks import ThreatModel, rgf
    >>> from holdfast.nets import mlp
    >>> x, y = torch.rand(20, 8), torch.arange(20) % 3
    >>> result = rgf(mlp(8, classes=3), x, y, ThreatModel("linf", 0.1), queries=60, samples=5, sigma=1e-3)
    >>> sorted(query_record(result, 60).estimates)
    ['mean', 'median', 'success']
    """
    success = result.success.cpu().numpy()
    spent = np.where(success, result.queries.cpu().numpy(), check_whole(budget, "budget", low=1))
    traces: dict[str, NDArray[np.floating]] = {name: getattr(result, name).cpu().numpy() for name in TRACES}
    means = {name: _mean_known(trace, axis=0) for name, trace in traces.items()}
    first = {f"{name}_first": trace[0] if len(trace) else np.full(len(success), np.nan) for name, trace in traces.items()}
    estimates = {
        "success": proportion(int(success.sum()), len(success)),
        "mean": mean_t(spent),
        "median": bootstrap(spent, lambda rows: float(np.median(rows))),
    }
    known = {name: values[np.isfinite(values)] for name, values in (means | first).items()}
    estimates |= {name: mean_t(values) for name, values in known.items() if len(values) > 1}
    if len(known["prior_cosine_first"]):
        estimates["prior_positive"] = proportion(int((known["prior_cosine_first"] > 0).sum()), len(known["prior_cosine_first"]))
    steps = {f"{name}_by_step": _mean_known(trace, axis=1) for name, trace in traces.items()}
    return Measurement(estimates=estimates, arrays={"success": success, "queries": spent, **means, **steps})


def success_by_queries(run: Mapping[str, NDArray], budget: int, *, dots: int = 20) -> dict[float, Estimate]:
    """Share of the examples that were fooled within a number of queries, for `dots` such numbers up to the budget.

    Parameters
    ----------
    run : arrays of a :func:`query_record`
    budget : of the run
    dots : numbers of queries

    Examples
    --------
    >>> run = {"success": np.array([True, True, False]), "queries": np.array([10, 40, 40])}
    >>> {at: round(share.value, 2) for at, share in success_by_queries(run, 40, dots=2).items()}
    {20.0: 0.33, 40.0: 0.67}
    """
    at = np.unique(np.linspace(budget / dots, budget, check_whole(dots, "dots", low=1)).astype(int))
    hits = {float(count): int((run["success"] & (run["queries"] <= count)).sum()) for count in at}
    return {count: proportion(hit, len(run["success"])) for count, hit in hits.items()}


def compare_queries(alone: Mapping[str, NDArray], guided: Mapping[str, NDArray]) -> dict[str, Estimate]:
    """Two runs on the same examples, e.g. without and with a prior.

    Parameters
    ----------
    alone, guided : arrays of their :func:`query_record`, with one budget

    Returns
    -------
    ``gained`` (rate of success that `guided` adds, paired), ``saved`` (mean queries per example), ``saved_beyond_30`` (those beyond
    30 in 100 of `alone`) and ``ratio`` (of the mean queries, guided over alone, by bootstrap)

    Examples
    --------
    >>> alone, guided = ({"success": np.ones(2, bool), "queries": np.array(spent)} for spent in ([40, 60], [20, 50]))
    >>> found = compare_queries(alone, guided)
    >>> found["saved"].value, found["ratio"].value
    (15.0, 0.7)
    """
    check_same_length(alone["queries"], guided["queries"], ("alone", "guided"))
    pairs = np.stack([guided["queries"], alone["queries"]], axis=1)
    return {
        "gained": paired_difference(alone["success"], guided["success"]),
        "saved": mean_t(alone["queries"].astype(float) - guided["queries"]),
        "saved_beyond_30": mean_t(0.7 * alone["queries"] - guided["queries"]),
        "ratio": bootstrap(pairs, lambda rows: float(rows[:, 0].mean() / rows[:, 1].mean())),
    }


def _mean_known(values: NDArray[np.floating], *, axis: int) -> NDArray[np.float64]:
    """Mean over what is not NaN; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis) / np.maximum(count, 1), np.nan)
