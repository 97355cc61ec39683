"""What the world does to a network, at a strength: an experiment that also says what it needs and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, Self, runtime_checkable

from holdfast.core.experiment import Experiment

if TYPE_CHECKING:
    from holdfast.core.experiment import Point
    from holdfast.core.target import Access

__all__ = ["PRESETS", "Cost", "Facts", "Preset", "Stress"]

Preset = Literal["quick", "standard", "deep"]
PRESETS: tuple[Preset, ...] = ("quick", "standard", "deep")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a point costs.

    Parameters
    ----------
    forward, backward : passes per example; a step of a gradient attack is one of each
    seconds : time per example that does not scale with passes, e.g. the making of corrupted images, in s
    seconds_per_value : the same per number of the input (channels x height x width)
    fixed_seconds : time that does not depend on the number of examples, in s
    queries : questions to the target per example that count against a query budget
    fixed_queries : the same that do not depend on the number of examples
    """

    forward: float = 0.0
    backward: float = 0.0
    seconds: float = 0.0
    seconds_per_value: float = 0.0
    fixed_seconds: float = 0.0
    queries: int = 0
    fixed_queries: int = 0


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a stress may know about the target and the data when its settings are chosen.

    Parameters
    ----------
    shape : of one example, e.g. (channels, height, width)
    classes : number of outputs
    bounds : of the input
    access : level of the audit
    is_module : True if the target is an ``nn.Module``, whose weights and layers can be reached
    other_sizes : True if the network answers images of another size than its own
    neurons : number of activation modules that device models can replace
    examples : rows of evaluation data
    unlabelled : further inputs without labels that the user gave
    """

    shape: tuple[int, ...]
    classes: int
    bounds: tuple[float, float] = (0.0, 1.0)
    access: Access = "weights"
    is_module: bool = True
    other_sizes: bool = False
    neurons: int = 0
    examples: int = 0
    unlabelled: int = 0

    @property
    def is_image(self) -> bool:
        """True for inputs of 1 or 3 channels in [0, 1]."""
        return len(self.shape) == 3 and self.shape[0] in {1, 3} and self.bounds == (0.0, 1.0)


@runtime_checkable
class Stress(Experiment, Protocol):
    """An experiment on a target.

    `title` names it in the report, `card` is the section of the report, `requires` the least access, `examples` how many rows
    of the data are used (None: all).
    """

    title: ClassVar[str]
    card: ClassVar[str]
    requires: ClassVar[Access]

    @property
    def examples(self) -> int | None:
        """Rows of the data that are used; None for all."""

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self | None:
        """The settings for `preset`, or None if the preset leaves this stress out."""

    def unfit(self, facts: Facts) -> str:
        """Why the stress cannot be applied, beyond access; empty if it can."""

    def estimate(self, point: Point) -> Cost:
        """Predicted cost of one point."""
