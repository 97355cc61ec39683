"""Metrics that a point leaves out of its report because they follow from the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.auditing.stresses import known_stresses
from holdfast.auditing.stresses.answers import NOT_FINITE, SINGLE
from holdfast.core.estimate import exact

if TYPE_CHECKING:
    from holdfast.core.estimate import Estimate
    from holdfast.report import PointEntry

__all__ = ["implied_metrics"]


def implied_metrics(stress: str, point: PointEntry) -> dict[str, Estimate]:
    """What follows at a measured `point`: no answer was NaN or infinite, and a single pass is as accurate as the answer.

    Only what the class of `stress`, a name, declares it may measure; nothing for a stress that is not installed.
    """
    kind = known_stresses().get(stress)
    if kind is None or point.status != "ok" or "accuracy" not in point.metrics:
        return {}
    follow = {NOT_FINITE: exact(0.0, point.n), SINGLE: point.metrics["accuracy"].estimate()}
    return {name: found for name, found in follow.items() if name in kind.metrics and name not in point.metrics}
