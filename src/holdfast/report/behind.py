"""The examples behind the numbers of a report, found in its per-example table, so that gates and comparisons can pair them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.digest import canonical_json
from holdfast.core.paired import ExampleValues
from holdfast.report.per_example import row_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from holdfast.core.estimate import Estimate
    from holdfast.report.document import Document
    from holdfast.report.per_example import PerExampleTable

__all__ = ["Behind", "used_rows"]

UNUSED = -1  # in a column of whole numbers: the stress did not use this example
CHIPS = "share_of_chips"
COLUMNS = {
    "accuracy": ("correct", CHIPS),
    "one_pass_accuracy": ("share_of_passes",),
}  # whose mean a metric is, besides its own name


def used_rows(column: NDArray[Any]) -> NDArray[np.bool_]:
    """Which examples a stress used: boolean array (n,); the others are -1 in whole numbers and NaN in the rest."""
    if column.dtype == bool:
        return np.ones(len(column), dtype=bool)
    if np.issubdtype(column.dtype, np.floating):
        return ~np.isnan(column)
    return np.asarray(column != UNUSED)


@dataclass(frozen=True, eq=False)
class Behind:
    """The per-example table of one run.

    Parameters
    ----------
    document : the report of the run
    table : its examples
    """

    document: Document
    table: PerExampleTable

    @cached_property
    def _points(self) -> list[tuple[str, dict[str, Any]]]:
        """The points of the table; a whole number that a selector wrote as 200.0 is found by its value."""
        return self.table.points()

    def find(self, stress: str, at: Mapping[str, Any], metric: str, estimate: Estimate) -> ExampleValues | None:
        """What each example gave, of which `estimate` is the mean; None where no column of the table has this mean.

        Parameters
        ----------
        stress : name
        at : the point
        metric : of the stress
        estimate : the number that the report has
        """
        at = next((known for name, known in self._points if name == stress and known == at), at)
        for column in (metric, *COLUMNS.get(metric, ())):
            values = self.table.arrays.get(row_name(stress, at, column))
            if values is None or values.ndim != 1 or values.dtype.kind not in "bif":
                continue
            used = used_rows(values)
            counted = estimate.n == int(used.sum()) or column == CHIPS
            if counted and used.any() and np.isclose(values[used].mean(dtype=float), estimate.value, rtol=0, atol=1e-6):
                return self._found(values, used, stress=stress, at=at, column=column)
        return None

    def _found(
        self, values: NDArray[Any], used: NDArray[np.bool_], *, stress: str, at: Mapping[str, Any], column: str
    ) -> ExampleValues:
        whole = values.dtype.kind == "i" and set(np.unique(values[used]).tolist()) <= {0, 1}
        target = self.document.target.digest if self.document.target else ""
        return ExampleValues(
            values=(values == 1) if whole else values,
            used=used,
            examples=np.column_stack([self.table.example, self.table.label]),
            margins=self.table.arrays.get(row_name(stress, at, "margin")) if column == "correct" else None,
            origin=f"{target} {stress} {canonical_json(at)} {column}" if target else "",
            spread=column == CHIPS,
        )
