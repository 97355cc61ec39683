"""What the world does to a network, at a strength: an experiment that also says its needs, its cost and its words.

Everything about a stress stands in its own class: settings, points, costs, and the words by which the plan, the page and the gates
know it. A stress names its card; a card that no other stress names is a new section of the report.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, Self, runtime_checkable

from holdfast.core.checks import refuse
from holdfast.core.experiment import Context, Experiment
from holdfast.core.grammar import is_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.core.experiment import Point
    from holdfast.core.target import Access, Target

__all__ = [
    "INPUT_UNITS",
    "PRESETS",
    "TOKENS",
    "ActivePasses",
    "Axis",
    "Card",
    "Change",
    "Cost",
    "Facts",
    "InputKind",
    "Preset",
    "Stress",
    "StressContext",
    "missing_parts",
]

Preset = Literal["quick", "standard", "deep"]
PRESETS: tuple[Preset, ...] = ("quick", "standard", "deep")
Change = Literal["weights", "activation_bits", "devices"]
InputKind = Literal["numbers", "features", "tokens"]
TOKENS = "its inputs are integers (token ids)"
INPUT_UNITS = "input units"


@dataclass(frozen=True, kw_only=True)
class ActivePasses:
    """Passes of an attack that leaves an example as soon as it is fooled, and one that is answered wrongly from the start alone.

    Parameters
    ----------
    norm, eps : size of the attack, in units of the input
    forward, backward : passes per example that is active to the end
    steps : of the attack; each is one call of the network, whatever the number of examples
    afterwards : True: passes that follow a whole attack of this size, for the examples that it did not fool
    """

    norm: str
    eps: float
    forward: float = 0.0
    backward: float = 0.0
    steps: int = 0
    afterwards: bool = False


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a point costs.

    Parameters
    ----------
    forward, backward : passes per example, whatever becomes of it
    forward_per_layer : forward passes for each layer with weights, whatever the number of examples
    active : passes that an attack spends on the examples that are still right; how many these are is measured before a plan is made
    seconds : time per example that does not scale with passes, e.g. the making of corrupted images, in s
    seconds_per_value : the same per number of the input (channels x height x width)
    fixed_seconds : time that does not depend on the number of examples, in s
    fixed_seconds_per_weight : the same per weight of the network, e.g. for a copy whose weights are drawn
    queries : queries to the target per example that count against a query budget
    fixed_queries : the same that do not depend on the number of examples
    """

    forward: float = 0.0
    backward: float = 0.0
    forward_per_layer: float = 0.0
    active: tuple[ActivePasses, ...] = ()
    seconds: float = 0.0
    seconds_per_value: float = 0.0
    fixed_seconds: float = 0.0
    fixed_seconds_per_weight: float = 0.0
    queries: int = 0
    fixed_queries: int = 0


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Facts about the target and the data that a stress may use when its settings are chosen.

    Parameters
    ----------
    shape : of one example, e.g. (channels, height, width)
    classes : number of outputs
    bounds : of the input
    access : level of the audit
    is_module : True if the target is an ``nn.Module``, whose weights and layers can be reached
    other_sizes : True if the network takes images of another size than its own
    closed_weights : layers whose weights cannot be replaced by others, because they are packed or drawn in each pass
    failed : why changes of the network fail that were tried on a few examples, by the change: other weights, activations with fewer
        bits, devices for neurons
    examples : rows of evaluation data
    unlabelled : further inputs without labels that the user gave
    why_no_gradients : why no gradient of the answers reaches the input; empty if one does, or if the access does not tell
    why_no_scores : why the target gives no scores; empty if it does, or if the access tells
    kind : of the inputs: ``"numbers"`` of one unit; ``"features"`` of a table, each in units of its spread; ``"tokens"``, integers
    """

    shape: tuple[int, ...]
    classes: int
    bounds: tuple[float, float] = (0.0, 1.0)
    access: Access = "weights"
    is_module: bool = True
    other_sizes: bool = False
    closed_weights: tuple[str, ...] = ()
    failed: Mapping[Change, str] = field(default_factory=dict)
    examples: int = 0
    unlabelled: int = 0
    why_no_gradients: str = ""
    why_no_scores: str = ""
    kind: InputKind = "numbers"

    @property
    def is_image(self) -> bool:
        """True for inputs of 1 or 3 channels in [0, 1]."""
        return self.kind == "numbers" and len(self.shape) == 3 and self.shape[0] in {1, 3} and self.bounds == (0.0, 1.0)

    @property
    def unit(self) -> str:
        """What attack sizes are counted in."""
        return "spreads of each feature" if self.kind == "features" else INPUT_UNITS

    @property
    def why_no_image(self) -> str:
        """Why no stress of images can be applied; empty if one can."""
        if self.kind == "tokens":
            return f"{TOKENS}, not images"
        return "" if self.is_image else f"its inputs of shape {self.shape} are not images of 1 or 3 channels in [0, 1]"

    @property
    def why_no_steps(self) -> str:
        """Why no stress can change the inputs by small steps; empty if one can."""
        return f"{TOKENS}, which cannot be changed by small steps" if self.kind == "tokens" else ""

    @property
    def why_no_weights(self) -> str:
        """Why no stress can change the weights; empty if one can."""
        if not self.is_module:
            return "the target is a callable without weights that can be reached"
        if self.closed_weights:
            layers = ", ".join(path or "the network" for path in self.closed_weights[:4])
            return f"the weights of {layers} cannot be changed, because they are packed or drawn in each pass"
        return self.failed.get("weights", "")

    def why_not(self, change: Change) -> str:
        """Why no stress can make this change in the network; empty if one can."""
        if change == "weights":
            return self.why_no_weights
        if not self.is_module:
            return "the target is a callable whose layers cannot be reached"
        return self.failed.get(change, "")


@dataclass(frozen=True, kw_only=True)
class Card:
    """A section of the report.

    Parameters
    ----------
    name : what gates and settings call it; one word without dots
    title : its heading
    text : one or two sentences below the heading; may be empty
    graded_by : what its letter is read from: ``"retention"``, the mean share of the area under its curves that is kept, or
        ``"accuracy"``, that of its points
    """

    name: str
    title: str
    text: str = ""
    graded_by: Literal["retention", "accuracy"] = "retention"

    def __post_init__(self) -> None:
        if not is_path(self.name) or "." in self.name:
            refuse("name", f"of a card is {self.name!r}", allowed="one word of letters, digits and _, other than abs and baseline")


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The words for one axis of a stress's points.

    Parameters
    ----------
    words : what the page calls it; empty: its own name
    symbol : for narrow labels; empty: its own name
    clause : where a strength lies, as the end of a sentence, e.g. ``"at {value:.1f} bits"``; empty: ``"at NAME VALUE"``
    """

    words: str = ""
    symbol: str = ""
    clause: str = ""


@dataclass(frozen=True, kw_only=True)
class StressContext(Context):
    """What a point of a stress is given: a :class:`~holdfast.core.experiment.Context` that has a target."""

    target: Target

    @classmethod
    def of(cls, context: Context) -> StressContext:
        """`context` for a stress; refused where it has no target."""
        if context.target is None:
            refuse("context", "has no target", allowed="a target, because a stress examines one")
        return cls(**{field.name: getattr(context, field.name) for field in fields(context)})


@runtime_checkable
class Stress(Experiment[StressContext], Protocol):
    """An experiment on a target; a stress is a frozen dataclass that inherits from this class.

    `title` names it in the report, `card` is its section there, `requires` the least access. The rest has defaults: `short` is its
    name where space is scarce (empty: made from `name`), `axes` the words for the axes of its points, `remedy` what to try next
    where it finds something, and `importance` its rank when a budget cannot hold all stresses: the least important one is left out
    first. `metrics` names what each point may estimate and `joint_metrics` what its summary gives of several points, so that gates
    are checked before anything is run; where both are empty only the points of a gate are.
    """

    title: ClassVar[str]
    card: ClassVar[Card]
    requires: ClassVar[Access]
    short: ClassVar[str] = ""
    axes: ClassVar[Mapping[str, Axis]] = MappingProxyType({})
    remedy: ClassVar[str] = ""
    importance: ClassVar[float] = 0.0
    metrics: ClassVar[tuple[str, ...]] = ()
    joint_metrics: ClassVar[tuple[str, ...]] = ()

    @property
    def examples(self) -> int | None:
        """Rows of the data that are used; None for all."""

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self | None:
        """The settings for `preset`, or None if the preset leaves this stress out."""

    def unfit(self, facts: Facts) -> str:
        """Why the stress cannot be applied, beyond access; empty if it can."""
        del facts
        return ""

    def estimate(self, point: Point) -> Cost:
        """Predicted cost of one point."""


def missing_parts(stress: object) -> list[str]:
    """What a class or an object lacks to be a stress; a card that is not a :class:`Card` is lacking, too."""
    parts = {*dir(Stress), *Stress.__annotations__, *Experiment.__annotations__}
    lacking = sorted(part for part in parts if not part.startswith("_") and not hasattr(stress, part))
    return lacking if "card" in lacking or isinstance(stress.card, Card) else [*lacking, "card = Card(...)"]  # type: ignore[attr-defined]
