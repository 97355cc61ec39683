"""The cross view: which examples fail under which stresses, which fail together, and at what strength each one breaks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import refuse
from holdfast.report.examples import Cross, CrossBreaking, CrossColumn, CrossGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["breaking_point", "cross_view"]

MAX_GROUPS = 8
MAX_LISTED = 40


def cross_view(
    columns: Sequence[tuple[CrossColumn, ArrayLike]],
    *,
    examples: ArrayLike,
    margins: ArrayLike | None = None,
    breaking: Sequence[CrossBreaking] = (),
) -> Cross:
    """Examples x stresses, and the groups of examples that fail together.

    Parameters
    ----------
    columns : pairs of a column and its array (n,): right (True) or wrong per example; NaN where it was not measured
    examples : array (n,), index of each example in the data
    margins : array (n,), clean margin of each example
    breaking : made by :func:`breaking_point`

    Returns
    -------
    Cross whose groups are the largest sets of examples that fail in exactly the same two or more columns.

    Examples
    --------
    >>> columns = [(CrossColumn(stress="a", label="a"), [True, False]), (CrossColumn(stress="b", label="b"), [True, False])]
    >>> view = cross_view(columns, examples=[7, 8])
    >>> view.outcomes, view.groups[0].examples
    (['11', '00'], [8])
    """
    index = np.asarray(examples, dtype=int)
    rows = [np.asarray(right, dtype=float) for _, right in columns]
    for right in rows:
        if right.shape != index.shape:
            refuse("columns", f"have shape {right.shape}", allowed=f"one value per example, {index.shape}")
    table = np.array(rows)
    letters = np.where(np.isnan(table), "-", np.where(table > 0, "1", "0"))
    outcomes = ["".join(row) for row in letters.T] if rows else [""] * len(index)
    return Cross(
        columns=[column for column, _ in columns],
        examples=index.tolist(),
        outcomes=outcomes,
        groups=_groups(outcomes, index),
        margins=[] if margins is None else np.round(np.asarray(margins, dtype=float), 4).tolist(),
        breaking=list(breaking),
    )


def _groups(outcomes: list[str], index: NDArray[np.int_]) -> list[CrossGroup]:
    failing = Counter(text for text in outcomes if text.count("0") > 1)
    largest = sorted(failing.items(), key=lambda entry: (-entry[1], entry[0]))[:MAX_GROUPS]
    return [
        CrossGroup(
            columns=[place for place, letter in enumerate(pattern) if letter == "0"],
            count=count,
            examples=sorted(int(example) for example, text in zip(index, outcomes, strict=True) if text == pattern)[:MAX_LISTED],
        )
        for pattern, count in largest
    ]


def breaking_point(stress: str, rights: Sequence[tuple[float, ArrayLike]], *, axis: str, unit: str = "") -> CrossBreaking:
    """For each example the mildest strength at which it fails.

    Parameters
    ----------
    stress : its name
    rights : pairs of a strength and its array (n,) of right or wrong, mildest first
    axis, unit : of the strength
    """
    table = np.array([np.asarray(right, dtype=bool) for _, right in rights])
    strengths = [float(strength) for strength, _ in rights]
    fails = ~table
    first = fails.argmax(axis=0)
    values: list[Any] = [strengths[place] if fails[place, row] else None for row, place in enumerate(first)]
    return CrossBreaking(stress=stress, axis=axis, unit=unit, strengths=strengths, values=values)
