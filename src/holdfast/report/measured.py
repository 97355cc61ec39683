"""Records of what was measured: estimates, curves, points, stresses and cards, as they stand in ``report.json``.

A *point* is one evaluated strength of a stress, a *card* is one section of the page. Arrays that a figure needs beyond
estimates travel in :class:`Details`; everything per example lies in ``per_example.npz`` (:mod:`holdfast.report.per_example`).
Numbers that are not finite are kept as null.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from holdfast.core.curve import Curve
from holdfast.core.digest import jsonable
from holdfast.core.errors import last_line
from holdfast.core.estimate import Estimate

__all__ = [
    "CardEntry",
    "Check",
    "CurveEntry",
    "Details",
    "Entry",
    "EstimateEntry",
    "Grade",
    "HalfPoint",
    "Json",
    "Layer",
    "Number",
    "PointEntry",
    "ReliabilityEntry",
    "StressEntry",
    "StressSummary",
]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]
"""A float, or null where the number is infinite or undefined."""


Json = Annotated[JsonValue, BeforeValidator(jsonable)]
"""Anything that JSON can hold; arrays, tuples and NumPy scalars are turned into it."""


class Entry(BaseModel):
    """Base of all records: immutable, and a key that it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True)


class EstimateEntry(Entry):
    """One number with its interval, as :meth:`holdfast.core.estimate.Estimate.to_json` writes it."""

    value: Number
    lo: Number = None
    """Lower end of the interval; null if it is infinite."""
    hi: Number = None
    """Upper end of the interval; null if it is infinite."""
    n: int = 1
    """Number of independent observations behind the number."""
    method: str = "exact"
    """How the interval was made: wilson, t, bootstrap, exact, ..."""
    level: float = 0.95
    """Coverage of the interval."""

    @classmethod
    def of(cls, estimate: Estimate) -> Self:
        """The entry that describes `estimate`."""
        return cls(**estimate.to_json())

    def estimate(self) -> Estimate:
        """The estimate that this entry describes."""
        return Estimate.from_json(self.model_dump())


class CurveEntry(Entry):
    """Estimates over ordered strengths, as :meth:`holdfast.core.curve.Curve.to_json` writes them."""

    name: str
    axis: str
    unit: str = ""
    quantity: str = "accuracy"
    at: list[float] = Field(min_length=1)
    estimates: list[EstimateEntry] = Field(min_length=1)
    notes: list[str] = []
    chart: str = ""
    """Title of the chart that it is drawn in; empty: with the curves of equal axes."""
    log: Literal["", "x", "y", "xy"] = ""
    """Axes of the chart that have powers of ten."""

    @model_validator(mode="after")
    def _is_a_curve(self) -> Self:
        self.curve()
        return self

    @classmethod
    def of(cls, curve: Curve) -> Self:
        """The entry that describes `curve`."""
        return cls(**curve.to_json())

    def curve(self) -> Curve:
        """The curve that this entry describes."""
        return Curve.from_json(self.model_dump())


class ReliabilityEntry(Entry):
    """Bins of a reliability diagram; three lists of one length."""

    confidence: list[Number]
    """Mean confidence in each bin."""
    accuracy: list[Number]
    """Share of right answers in each bin."""
    count: list[int]
    """Examples in each bin."""


class ConfusionsEntry(Entry):
    """What is taken for what, where the classes are too many for a square table; three lists of one length."""

    rows: list[int]
    """Examples of each class."""
    true: list[int]
    """True class of each confusion, the most frequent confusion first."""
    predicted: list[int]
    """The other class that it was taken for."""
    count: list[int]
    """How often."""
    unlisted: int = 0
    """Wrong answers in confusions that are not listed."""

    @model_validator(mode="after")
    def _has_equal_lengths(self) -> Self:
        if not len(self.true) == len(self.predicted) == len(self.count):
            raise ValueError("true, predicted and count must have one length")
        if any(not 0 <= label < len(self.rows) for label in (*self.true, *self.predicted)):
            raise ValueError("true and predicted must be classes that have an entry in rows")
        return self


class Check(Entry):
    """One check that can raise a flag, such as the seven of gradient masking."""

    id: str
    """Short name, e.g. ``"iii"``."""
    title: str
    flag: bool | None
    """True: flagged; false: passed; null: could not be decided."""
    text: str = ""
    """The evidence in one sentence, with its numbers."""
    value: Number = None
    threshold: Number = None


class Layer(Entry):
    """What stressing one layer alone did."""

    name: str
    value: Number
    """The quantity after only this layer was stressed."""
    lo: Number = None
    hi: Number = None


class Details(BaseModel):
    """What a point found besides estimates. The names below are drawn; others are allowed and listed."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)
    __pydantic_extra__: dict[str, Json] = Field(init=False)

    confusion: list[list[int]] | None = None
    """Counts, row = true class, column = predicted class; of up to 100 classes."""
    confusions: ConfusionsEntry | None = None
    """The same as a list, for more classes."""
    reliability: ReliabilityEntry | None = None
    """Bins of the reliability diagram."""
    per_class: list[EstimateEntry] | None = None
    """Accuracy of each class, in the order of the classes; null where the class has no example."""
    chips: list[float] | None = None
    """Accuracy of each simulated chip (Monte Carlo draw)."""
    loss: list[float] | None = None
    """Mean loss of an attack after each step."""
    checks: list[Check] | None = None
    """Checks that can raise a flag."""
    layers: list[Layer] | None = None
    """Sensitivity of each layer."""

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None}


class PointEntry(Entry):
    """One evaluated strength of a stress."""

    at: dict[str, Json]
    """Where: axis -> value, e.g. ``{"eps": 0.1}``."""
    n: int = 0
    """Examples that were used."""
    metrics: dict[str, EstimateEntry] = {}
    details: Details = Details()
    seconds: Number = None
    queries: int = 0
    key: str = ""
    """Digest of target, data, experiment, settings, point and seed."""
    status: Literal["ok", "partial", "late", "skipped", "error"] = "ok"
    """``late``: the time budget ended before it was measured."""
    error: str = ""
    """Traceback or reason, where the status is not ok."""

    @property
    def reason(self) -> str:
        """The last line of `error`, or the status where there is none."""
        return last_line(self.error) or self.status


class HalfPoint(Entry):
    """The strength at which half of the margin above chance is lost."""

    value: Number
    unit: str = ""
    text: str = ""
    """A clause for a reader: ``"loses half its margin at 2.6 bits"``."""


class StressSummary(Entry):
    """Numbers read off a stress's main curve."""

    curve: str = ""
    """Name of the curve they were read off; empty: the first one."""
    auc: Number = None
    retention: Number = None
    retention_lo: Number = None
    """Lower end of the interval of `retention`."""
    retention_hi: Number = None
    half_point: HalfPoint | None = None


class StressEntry(Entry):
    """One stress with its settings, points and curves."""

    version: int = 1
    title: str = ""
    short: str = ""
    """Its name where space is scarce; empty: made from its name."""
    axes: dict[str, str] = {}
    """Words for the axes of its points; an axis without words is called by its name."""
    status: Literal["ok", "reduced", "partial", "skipped", "error"] = "ok"
    reason: str = ""
    """Why it was reduced, skipped or is incomplete."""
    config: dict[str, Json] = {}
    """Its settings."""
    examples: int | None = None
    points: list[PointEntry] = []
    curves: list[CurveEntry] = []
    metrics: dict[str, EstimateEntry] = {}
    summary: StressSummary = StressSummary()
    notes: list[str] = []

    def unnamed(self, axis: str) -> Json:
        """The value of `axis` at points that do not name it: the first of its setting; None without such a setting."""
        values = self.config.get(f"{axis}s")
        return values[0] if isinstance(values, list) and values else None


class Grade(Entry):
    """A letter for one card, with the thresholds it was read from."""

    letter: str
    """All that the interval of the score allows, the better one first: ``"B"``, or ``"B–C"`` where it contains a threshold."""
    score: Number = None
    lo: Number = None
    """Lower end of the interval of the score."""
    hi: Number = None
    metric: str = ""
    """What the score is."""
    thresholds: dict[str, float] = {}
    """Letter -> least score."""


class CardEntry(Entry):
    """One section of the page."""

    title: str = ""
    text: str = ""
    """What the section is about, in one or two sentences."""
    stresses: dict[str, StressEntry] = {}
    grade: Grade | None = None
    notes: list[str] = []
