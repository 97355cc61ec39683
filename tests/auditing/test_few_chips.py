"""What is said of few chips: the worst of them by its count; a 5th percentile only where one chip lies below it."""

import numpy as np
import pytest

from holdfast.auditing.stresses import ActivationVariation, WeightNoise
from holdfast.auditing.stresses.answers import chips_measured
from holdfast.hardware.spread import ChipResults

N = 200


def chips(count, accuracy, *, alike=False):
    """Measured on `count` chips of 200 answers, the last of which is five points worse than the first."""
    right = np.zeros((count, N), dtype=bool)
    for chip in range(count):
        right[chip, : round(N * (accuracy - 0.05 * chip / max(1, count - 1)))] = True
    return chips_measured(ChipResults(right, alike=alike))


def noisy(count):
    points = [({"sigma": 0.0}, chips(1, 0.95, alike=True)), ({"sigma": 0.1}, chips(count, 0.85))]
    return WeightNoise(sigma=(0.0, 0.1), chips=count, kinds=("additive",)).summarise(points)


@pytest.mark.parametrize("count", [2, 5, 19])
def test_fewer_than_20_chips_show_their_worst_one_without_an_interval(count):
    found = noisy(count)
    _, low = found.curves
    assert (low.name, low.notes) == ("additive, worst", (f"Worst: the least accurate of {count} chips.",))
    assert [estimate.is_exact for estimate in low.estimates] == [True, True]
    assert low.values[1] == pytest.approx(0.80)
    (finding,) = found.findings
    assert finding.text == f"Accuracy with additive weight noise of 10%, worst of {count} chips: 0.8."
    assert finding.evidence == "device.weight_noise.worst[sigma=0.1]"


def test_20_chips_show_their_5th_percentile():
    found = noisy(20)
    _, low = found.curves
    assert (low.name, low.notes) == ("additive, p05", ("p05: the 5th percentile of 20 chips.",))
    assert not low.estimates[1].is_exact
    assert "5th percentile: 0.80" in found.findings[0].text
    assert found.findings[0].evidence == "device.weight_noise.p05[sigma=0.1]"


def test_chips_without_deviation_have_no_interval_but_that_of_their_answers():
    measured = chips(1, 0.95, alike=True).estimates
    assert measured["p05"] == measured["accuracy"]
    for stress, axis in ((WeightNoise, "sigma"), (ActivationVariation, "spread")):
        found = stress(chips=20, **{axis: (0.0, 0.1)}).summarise(
            [({axis: 0.0}, chips(1, 0.95, alike=True)), ({axis: 0.1}, chips(20, 0.9))]
        )
        for curve in found.curves[:2]:
            assert curve.estimates[0].hi - curve.estimates[0].lo < 0.1


def test_a_gate_may_still_ask_for_the_percentile_of_few_chips():
    assert {"accuracy", "p05", "worst", "sd"} <= set(chips(5, 0.9).estimates)
