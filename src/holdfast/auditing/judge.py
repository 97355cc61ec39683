"""Gates, held against what a report says.

A gate names ``card.stress.metric[axis=value]``; a stress that is called like its card is named once (``clean.accuracy``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.core.checks import nearest, refuse
from holdfast.core.claim import Claim, MetricTable, judge
from holdfast.core.grammar import parse, parse_metric
from holdfast.report import ClaimEntry, metric_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from holdfast.report import Document

__all__ = ["check_gates", "judge_gates", "metric_table"]


def metric_table(document: Document) -> MetricTable:
    """All estimates of a report by the names that gates use; what was skipped or crashed is marked with its reason."""
    table = MetricTable()
    for card, entry in document.cards.items():
        for stress_name, stress in entry.stresses.items():
            prefix = metric_prefix(card, stress_name)
            for text, estimate in stress.metrics.items():
                metric = parse_metric(text)
                table.add(f"{prefix}.{metric.path}", estimate.estimate(), at=dict(metric.selector))
            for point in stress.points:
                for name, estimate in point.metrics.items():
                    if point.at or name not in stress.metrics:
                        table.add(f"{prefix}.{name}", estimate.estimate(), at=point.at)
                if point.status != "ok":
                    table.mark_missing(prefix, point.error.strip().splitlines()[-1] if point.error else point.status, at=point.at)
            if stress.status in {"skipped", "error"}:
                table.mark_missing(prefix, stress.reason)
    return table


def check_gates(gates: Iterable[str], planned: Mapping[str, str]) -> None:
    """Refuse gates that name a stress which the plan does not have.

    Parameters
    ----------
    gates : texts
    planned : stress -> card
    """
    known = [metric_prefix(card, name) for name, card in planned.items()]
    for gate in gates:
        for metric in parse(gate).metrics:
            if not any(f"{metric.path}.".startswith(f"{prefix}.") for prefix in known):
                close = nearest(metric.path, known)
                remedy = f"Did you mean {close}.{metric.path.rsplit('.', 1)[-1]}?" if close else ""
                refuse("gates", f"name {metric.path!r}, which the plan does not measure", allowed=", ".join(known), remedy=remedy)


def judge_gates(gates: Sequence[str], document: Document, *, baseline: Document | None = None) -> list[ClaimEntry]:
    """The verdict on each gate, from reports alone.

    Parameters
    ----------
    gates : texts in the grammar of :mod:`holdfast.core.grammar`
    document : of the run
    baseline : of the run that gates may compare with
    """
    claims = [Claim(id=f"gate.{place}", statement=gate, check=gate, source="user") for place, gate in enumerate(gates, start=1)]
    before = None if baseline is None else metric_table(baseline)
    return [ClaimEntry.of(verdict) for verdict in judge(claims, metric_table(document), before)]
