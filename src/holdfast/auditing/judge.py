"""Gates, held against what a report says.

A gate names ``card.stress.metric[axis=value]``; a stress that is called like its card is named once (``clean.accuracy``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.auditing.implied import implied_metrics
from holdfast.auditing.stresses.answers import SINGLE
from holdfast.core.claim import Claim, judge
from holdfast.report import Behind, ClaimEntry, metric_prefix, metric_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.core.estimate import Estimate
    from holdfast.core.metrics import MetricTable
    from holdfast.core.paired import ExampleValues
    from holdfast.report import Document

__all__ = ["judge_gates", "report_table"]


def report_table(run: Document | Behind) -> MetricTable:
    """All estimates of a report by the names that gates use; what was skipped or crashed is marked with its reason.

    With the examples of the run, numbers that are means over them can be paired.
    """
    document = run.document if isinstance(run, Behind) else run
    names = {metric_prefix(card, name): name for card, name, _ in document.placed_stresses()}
    entries = {metric_prefix(card, name): stress for card, name, stress in document.placed_stresses()}

    def find(prefix: str, at: Mapping[str, Any], metric: str, estimate: Estimate) -> ExampleValues | None:
        return run.find(names[prefix], at, metric, estimate) if isinstance(run, Behind) else None

    table = metric_table(entries, find)
    for card, name, point in document.points():
        prefix = metric_prefix(card, name)
        for metric, estimate in implied_metrics(name, point).items():
            behind = find(prefix, point.at, "accuracy", estimate) if metric == SINGLE else None
            table.add(f"{prefix}.{metric}", estimate, at=point.at, behind=behind)
    return table


def judge_gates(gates: Sequence[str], run: Document | Behind, *, baseline: Document | Behind | None = None) -> list[ClaimEntry]:
    """The verdict on each gate, from what a run has stored.

    Parameters
    ----------
    gates : texts in the grammar of :mod:`holdfast.core.grammar`
    run : its report; with its examples, sides that hold the same ones are paired
    baseline : the same of the run that gates may compare with
    """
    claims = [Claim(id=f"gate.{place}", statement=gate, check=gate, source="user") for place, gate in enumerate(gates, start=1)]
    before = None if baseline is None else report_table(baseline)
    return [ClaimEntry.of(verdict) for verdict in judge(claims, report_table(run), before)]
