"""Two models on the same examples: differences with paired intervals, exact tests, and the examples that got worse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import refuse
from holdfast.core.estimate import holm, mcnemar, proportion
from holdfast.core.paired import consistent_difference
from holdfast.report.behind import used_rows
from holdfast.report.document import Document, metric_prefix
from holdfast.report.examples import ComparisonRow, PairedComparison
from holdfast.report.measured import EstimateEntry
from holdfast.report.per_example import PerExampleTable, row_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["compare"]

MAX_LISTED = 40


def compare(before: PerExampleTable, after: PerExampleTable, *, documents: tuple[Document, Document]) -> PairedComparison:
    """Every point that both runs measured on the same examples, tested exactly and corrected together.

    Parameters
    ----------
    before, after : the per-example tables of the two runs
    documents : the reports of the two runs, in the same order

    Returns
    -------
    One row per common point that kept ``correct`` per example. Swapping the arguments negates every difference.

    Raises
    ------
    InputError : the runs used different examples
    """
    if before.example.tolist() != after.example.tolist() or before.label.tolist() != after.label.tolist():
        refuse(
            "after",
            f"has {len(after.example)} examples that are not the {len(before.example)} of `before`",
            allowed="two runs on the same examples in the same order",
            remedy="Run both with the same data, seed, number of examples and preset.",
        )
    first, second = documents
    cards = {name: card for card, entry in second.cards.items() for name in entry.stresses}
    pairs = []
    for stress, at in after.points():
        name = row_name(stress, at)
        if name in before.arrays and name in after.arrays:
            one, two = before.arrays[name], after.arrays[name]
            both = used_rows(one) & used_rows(two)
            pairs.append((stress, at, one[both].astype(bool), two[both].astype(bool), after.example[both]))
    p_values = [mcnemar(one, two) for _, _, one, two, _ in pairs]
    rows = [
        _row(f"{metric_prefix(cards.get(stress, 'other'), stress)}.accuracy", at, (one, two), p=(p, adjusted), example=example)
        for (stress, at, one, two, example), p, adjusted in zip(pairs, p_values, holm(p_values), strict=True)
    ]
    return PairedComparison(
        before=first.target.name if first.target else first.run.name,
        after=second.target.name if second.target else second.run.name,
        before_digest=first.target.digest if first.target else "",
        after_digest=second.target.digest if second.target else "",
        rows=rows,
        curves={name: stress.curves for name, stress in first.stresses().items() if stress.curves},
    )


def _row(
    metric: str,
    at: dict[str, Any],
    rights: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    *,
    p: tuple[float, float],
    example: NDArray[np.int64],
) -> ComparisonRow:
    one, two = (np.asarray(right, dtype=bool) for right in rights)
    lost = one & ~two
    return ComparisonRow(
        metric=metric,
        at=at,
        before=EstimateEntry.of(proportion(int(one.sum()), len(one))),
        after=EstimateEntry.of(proportion(int(two.sum()), len(two))),
        delta=EstimateEntry.of(consistent_difference(one, two)),
        p=p[0],
        p_holm=p[1],
        regressions=int(lost.sum()),
        improvements=int((~one & two).sum()),
        examples=example[lost][:MAX_LISTED].tolist(),
    )
