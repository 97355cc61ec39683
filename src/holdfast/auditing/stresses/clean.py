"""The clean card: what the network answers when nothing happens to it, and how far its confidence can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from holdfast.auditing.stresses.answers import ANSWERED, examples_of, judged, passes_of
from holdfast.auditing.stresses.cards import CLEAN
from holdfast.core import calibration
from holdfast.core.checks import check_whole
from holdfast.core.digits import with_interval
from holdfast.core.estimate import Estimate, bootstrap, exact, mean_t, proportion
from holdfast.core.experiment import Finding, Measurement, Summary
from holdfast.core.stress import Card, Cost, Stress, StressContext

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from holdfast.core.experiment import Point
    from holdfast.core.stress import Facts, Preset
    from holdfast.core.target import Access

__all__ = ["Clean"]

CALIBRATION = ("nll", "brier", "ece", "ece_debiased", "overconfidence", "aurc", "temperature", "ece_after_temperature")
DENSE = 100  # classes up to which all confusions stand in one square table
MOST_PAIRS = 10_000  # confusions that are listed beyond it
LEAST_FIT = 20  # examples to fit a temperature on
TOLERATED_GAP = 0.02  # between confidence and accuracy; our choice


@dataclass(frozen=True, kw_only=True)
class Clean(Stress):
    """Accuracy, per class and as a confusion matrix, and calibration; the last two without answers that are not finite.

    Parameters
    ----------
    examples : rows of the data, None for all
    bins : of the reliability diagram, equal mass
    """

    name: ClassVar[str] = "clean"
    version: ClassVar[int] = 2
    title: ClassVar[str] = "Clean accuracy and calibration"
    card: ClassVar[Card] = CLEAN
    requires: ClassVar[Access] = "scores"
    short: ClassVar[str] = "Clean"
    importance: ClassVar[float] = 1.0
    metrics: ClassVar[tuple[str, ...]] = (*ANSWERED, "chance", *CALIBRATION)
    examples: int | None = None
    bins: int = 15

    def __post_init__(self) -> None:
        check_whole(self.bins, "bins", low=2)

    @classmethod
    def preset(cls, preset: Preset, facts: Facts) -> Self:
        """1000 examples in ``quick``, all otherwise."""
        del facts
        return cls(examples=1000 if preset == "quick" else None)

    def points(self) -> list[Point]:
        """One point."""
        return [{}]

    def estimate(self, point: Point) -> Cost:
        """One forward pass."""
        del point
        return Cost(forward=1, queries=1, seconds=5e-5, fixed_seconds=0.05)

    def measure(self, point: Point, context: StressContext) -> Measurement:
        """Answers, confusion and calibration."""
        del point
        data = examples_of(context, self.examples)
        passes = passes_of(context.target, data, context)
        base, logits = judged(passes, data.y), passes.logits
        chance = exact(data.chance, len(data))
        finite = base.arrays["prediction"] >= 0
        labels = data.y.cpu().numpy()
        z, y = logits.double().numpy()[finite], labels[finite]
        estimates, details = self._calibration(z, y, context.seeds.integer("bootstrap") % 2**32)
        details |= _by_class(labels, base.arrays["prediction"], classes=z.shape[1])
        return Measurement(estimates={**base.estimates, "chance": chance, **estimates}, arrays=base.arrays, details=details)

    def _calibration(self, z: NDArray[Any], y: NDArray[Any], seed: int) -> tuple[dict[str, Estimate], dict[str, Any]]:
        logs = calibration.log_probabilities(z)
        likelihood, confidence = logs[np.arange(len(y)), y], np.exp(logs.max(axis=1))
        right = z.argmax(1) == y

        def binned(error: Callable[[calibration.Reliability], float]) -> Estimate:
            def statistic(rows: NDArray[Any]) -> float:
                return error(calibration.reliability_of(rows[:, 0], rows[:, 1] > 0, bins=self.bins))

            return bootstrap(np.column_stack([confidence, right]), statistic, seed=seed, resamples=200)

        estimates = {
            "nll": mean_t(-likelihood),
            "brier": bootstrap(calibration.brier_scores(z, y), seed=seed, resamples=200),
            "ece": binned(lambda diagram: diagram.expected_error),
            "ece_debiased": binned(lambda diagram: diagram.debiased_error),
            "overconfidence": mean_t(confidence - right),
            "aurc": exact(calibration.aurc(z, y), len(y)),
        }
        half = len(y) // 2
        if half >= LEAST_FIT:
            temperature = calibration.fit_temperature(z[:half], y[:half]).temperature
            estimates["temperature"] = exact(temperature, half)
            estimates["ece_after_temperature"] = exact(
                calibration.expected_calibration_error(z[half:] / temperature, y[half:], bins=self.bins), len(y) - half
            )
        diagram = calibration.reliability(z, y, bins=self.bins)
        bins = {
            "confidence": diagram.confidence.tolist(),
            "accuracy": (diagram.hits / diagram.count).tolist(),
            "count": diagram.count.tolist(),
        }
        return estimates, {"reliability": bins}

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Findings where answers are guesses, and where confidence and accuracy are apart, which noise does not bias."""
        findings = []
        for _, found in measurements:
            findings += _guessing(found)
            gap = found.estimates["overconfidence"]
            temperature = found.estimates.get("temperature")
            if temperature is not None and (gap.lo > TOLERATED_GAP or gap.hi < -TOLERATED_GAP):
                side = "overconfident" if gap.value > 0 else "underconfident"
                findings.append(
                    Finding(
                        id="clean.calibration",
                        severity="medium",
                        text=f"The network is {side}: mean confidence minus accuracy is {with_interval(gap)}.",
                        evidence="clean.overconfidence",
                        estimate=gap,
                        threshold=f"{TOLERATED_GAP} either way",
                        remedy=f"Divide its logits by {temperature.value:.2f} (holdfast.core.calibration.fit_temperature).",
                    )
                )
        return Summary(findings=tuple(findings))


def _by_class(y: NDArray[Any], prediction: NDArray[Any], *, classes: int) -> dict[str, Any]:
    """Accuracy of each class (no value where it has no example), and what is taken for what; -1 is no answer and thus wrong.

    The confusions of many classes are listed, the most frequent first, because their square table would be almost empty.
    """
    rows, right = np.bincount(y, minlength=classes), np.bincount(y[prediction == y], minlength=classes)
    per_class = [
        proportion(int(hits), int(n)).to_json() if n else {"value": None, "n": 0} for hits, n in zip(right, rows, strict=True)
    ]
    y, prediction = y[prediction >= 0], prediction[prediction >= 0]
    if classes <= DENSE:
        square = np.zeros((classes, classes), dtype=int)
        np.add.at(square, (y, prediction), 1)
        return {"per_class": per_class, "confusion": square.tolist()}
    wrong = prediction != y
    pairs, counts = np.unique(np.stack([y[wrong], prediction[wrong]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_PAIRS]
    found = {"rows": rows, "true": pairs[0, order], "predicted": pairs[1, order], "count": counts[order]}
    unlisted = int(wrong.sum() - counts[order].sum())
    return {"per_class": per_class, "confusions": {**{key: found[key].tolist() for key in found}, "unlisted": unlisted}}


def _guessing(found: Measurement) -> list[Finding]:
    """A finding where the network gives one answer to everything, or is no better than if it did."""
    accuracy, chance = found.estimates["accuracy"], found.estimates["chance"]
    answered = found.arrays["prediction"][found.arrays["prediction"] >= 0]
    named = np.unique(answered)
    constant, told = len(named) == 1 and accuracy.value < 1, with_interval(accuracy)
    if accuracy.lo > chance.value and not constant:
        return []
    if constant:
        text = f"The network gives class {named[0]} to all {len(answered)} examples: its accuracy {told} is that class's share."
    else:
        text = f"The accuracy {told} is not significantly above {chance.value:.3g}, the largest class's share or 1/classes."
    return [
        Finding(
            id="clean.constant" if constant else "clean.chance",
            severity="high" if constant or accuracy.value <= chance.value else "medium",
            text=text,
            evidence="clean.accuracy",
            estimate=accuracy,
            threshold=f"chance, {chance.value:.3g}",
            remedy="Check weights and normalisation, train with classes in equal shares, and compare with clean.chance in a gate.",
        )
    ]
