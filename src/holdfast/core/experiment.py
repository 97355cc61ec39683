"""What the runner executes: an experiment is settings, points and a measurement; studies and stresses are both of this kind.

An experiment is a frozen dataclass whose fields are its settings. Its points are small JSON-able mappings that do not depend on
each other; each is measured alone, committed alone and found again by its key.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar, runtime_checkable

from holdfast.core.errors import TimeBudgetError
from holdfast.core.grammar import Metric
from holdfast.core.seeds import Seeds

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from holdfast.core.claim import Claim
    from holdfast.core.curve import Curve
    from holdfast.core.estimate import Estimate
    from holdfast.core.target import Target

__all__ = ["Context", "Drawing", "Experiment", "Finding", "Measurement", "Point", "Quantity", "Severity", "Summary"]

Point = Mapping[str, Any]
Severity = Literal["high", "medium", "low", "info"]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one point gave.

    Parameters
    ----------
    estimates : named estimates
    arrays : named arrays, per example where that makes sense (first dimension = examples), so that every later figure can be
        recomputed without the model
    details : JSON-able facts that are not estimates (a trained temperature, a list of layers)
    """

    estimates: Mapping[str, Estimate]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A judged statement with its evidence.

    Parameters
    ----------
    id : dotted name, stable between versions, e.g. ``"adversarial.masking.iii"``
    severity : high, medium, low or info
    text : one sentence with the number and its interval
    evidence : where the number stands
    remedy : what to try next; names the library function that mitigates it
    estimate : the number, if there is one
    threshold : what it was compared with, in words
    """

    id: str
    severity: Severity
    text: str
    evidence: str = ""
    remedy: str = ""
    estimate: Estimate | None = None
    threshold: str = ""


@dataclass(frozen=True)
class Quantity:
    """An estimate of several points together.

    Parameters
    ----------
    name : dotted name, as a check writes it
    estimate : the number
    at : the values that these points share, by which a check selects it; empty for a quantity of the whole experiment
    rows : array (n,), what each example gave, if the number is their mean; so gates and comparisons can pair examples

    Examples
    --------
    >>> from holdfast.core.estimate import exact
    >>> print(Quantity("learning.solved", exact(0.9), {"spread": 0.05}).metric)
    learning.solved[spread=0.05]
    """

    name: str
    estimate: Estimate
    at: Mapping[str, Any] = field(default_factory=dict)
    rows: np.ndarray | None = field(default=None, compare=False)

    @property
    def metric(self) -> Metric:
        """Name and selector; its text is the key in ``report.json``."""
        return Metric(self.name, tuple(self.at.items()))


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A picture of an experiment's own: a map, a trace, a texture; what curves over a strength cannot show.

    Parameters
    ----------
    title : what it shows, understood alone
    figure : a matplotlib figure, see :func:`holdfast.core.figures.new_figure`
    note : how to read it
    """

    title: str
    figure: Any
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The results of all points together.

    Parameters
    ----------
    curves : estimates over strengths
    quantities : estimates of several points together
    findings : judged statements
    drawings : pictures beside the curves
    claims : of a study, to be judged
    notes : for the reader
    """

    curves: tuple[Curve, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    findings: tuple[Finding, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    claims: tuple[Claim, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def metrics(self) -> dict[str, Estimate]:
        """The quantities by the text of their metric, as ``report.json`` holds them."""
        return {str(quantity.metric): quantity.estimate for quantity in self.quantities}


Memo = Callable[[str, Mapping[str, Any], Callable[[], Mapping[str, Any]]], Mapping[str, Any]]


def _build_always(name: str, settings: Mapping[str, Any], build: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    del name, settings
    return build()


def _ignore_progress(share: float) -> None:
    del share


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a point is given.

    Parameters
    ----------
    seeds : the experiment's family of random streams; the same for all its points
    target : the network under examination, if there is one
    data : the evaluation data, if there are any
    device : ``"cpu"`` or ``"cuda"``
    memo : ``memo(name, settings, build)`` gives the arrays of an artefact that is built once and shared by many points and
        processes; `build` returns a mapping of arrays or tensors
    deadline : Unix time in s after which no new batch is begun
    batch_size : largest number of examples in one pass; the runner halves it when memory runs out
    tick : called with the share of the point that is done, in [0, 1]
    extras : further inputs that an audit or a study hands to its experiments (training data, a baseline), by name
    folder : where the run lives, if it is stored
    """

    seeds: Seeds = field(default_factory=lambda: Seeds(0))
    target: Target | None = None
    data: Any = None
    device: str = "cpu"
    memo: Memo = _build_always
    deadline: float | None = None
    batch_size: int = 1000
    tick: Callable[[float], None] = _ignore_progress
    extras: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def check_time(self) -> None:
        """Raise :class:`TimeBudgetError` once the deadline has passed; call it between batches."""
        if self.deadline is not None and time.time() > self.deadline:
            raise TimeBudgetError("the time granted to this point is over")

    def own_seed(self, point: Point) -> int:
        """A whole number that belongs to this point of the experiment alone: same point, same number."""
        return self.seeds.integer(*map(str, point.items()))

    def for_experiment(self, name: str) -> Context:
        """The context whose seeds belong to the experiment `name`."""
        return replace(self, seeds=self.seeds.child(name))


ContextT_contra = TypeVar("ContextT_contra", bound=Context, contravariant=True)


@runtime_checkable
class Experiment(Protocol[ContextT_contra]):
    """A frozen dataclass of settings with these names; see the module's text."""

    name: ClassVar[str]
    version: ClassVar[int]

    def points(self) -> Sequence[Point]:
        """The independent points, mildest first."""

    def measure(self, point: Point, context: ContextT_contra) -> Measurement:
        """Measure one point; must not change the target or the data."""

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """The results of all finished points together, in the order of :meth:`points`."""
