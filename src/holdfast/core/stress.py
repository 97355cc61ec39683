"""What the world does to a network, at a strength: an experiment that also says what it needs and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from holdfast.core.experiment import Experiment

if TYPE_CHECKING:
    from holdfast.core.experiment import Point
    from holdfast.core.target import Access

__all__ = ["Cost", "Stress"]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a point costs.

    Parameters
    ----------
    forward, backward : passes per example; a backward pass is counted with its own forward pass in `forward`
    seconds : time that does not scale with passes, e.g. the making of corrupted images, in s per example
    fixed_seconds : time that does not depend on the number of examples, in s
    queries : questions to the target per example that count against a query budget
    """

    forward: float = 0.0
    backward: float = 0.0
    seconds: float = 0.0
    fixed_seconds: float = 0.0
    queries: float = 0.0


@runtime_checkable
class Stress(Experiment, Protocol):
    """An experiment on a target.

    `card` is the section of the report, `requires` the least access, `examples` how many rows of the data are used (None: all).
    """

    card: ClassVar[str]
    requires: ClassVar[Access]
    examples: int | None

    def estimate(self, point: Point) -> Cost:
        """Predicted cost of one point."""
