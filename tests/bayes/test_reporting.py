"""What is said of measured posteriors: doubts take the bounds away, and nothing is told twice."""

import math

import pytest

from holdfast.bayes import cancellation_curves, posterior_quantities, protocol_notes, sample_notes
from holdfast.core.estimate import exact, proportion
from holdfast.core.experiment import Measurement
from holdfast.core.runs import Runs

AGREE = Measurement(estimates={}, details={"method": "HMC", "chains": 4, "samples": 40, "warnings": []})
DISAGREE = Measurement(
    estimates={}, details={"method": "HMC", "chains": 2, "samples": 40, "warnings": ["R-hat of the logits is 3.45 > 1.1"]}
)
FIT = Measurement(estimates={}, details={"method": "VI", "chains": 1, "samples": 1})


def test_where_chains_disagree_a_quantity_decides_nothing_and_the_drawn_one_stands_beside_it():
    drawn, judged = posterior_quantities("gain", proportion(9, 10), {"model": "hmc"}, AGREE, DISAGREE)
    assert (drawn.at, judged.at) == ({"model": "hmc", "drawn": "yes"}, {"model": "hmc"})
    assert drawn.estimate == proportion(9, 10)
    assert (judged.estimate.value, judged.estimate.lo, judged.estimate.hi) == (0.9, -math.inf, math.inf)
    assert judged.estimate.method == "unconverged: R-hat of the logits is 3.45 > 1.1"


@pytest.mark.parametrize("behind", [(AGREE,), (FIT,), (AGREE, FIT)])
def test_otherwise_there_is_one_quantity_as_it_was_measured(behind):
    [only] = posterior_quantities("gain", proportion(9, 10), {"model": "vi"}, *behind)
    assert (only.name, only.at, only.estimate) == ("gain", {"model": "vi"}, proportion(9, 10))


def test_notes_tell_samples_chains_and_doubts():
    runs = Runs([({"model": "a"}, AGREE), ({"model": "b"}, DISAGREE), ({"model": "c"}, FIT)])
    assert list(sample_notes(runs)) == [
        "a: HMC, 40 samples in all of 4 chains: no warning.",
        "b: HMC, 40 samples in all of 2 chains: R-hat of the logits is 3.45 > 1.1.",
        "c: VI, 1 sample in all.",
    ]


def test_notes_tell_both_sides_of_an_attack_and_where_it_had_no_gradient():
    sides = {"attack_samples": 1, "defence_samples": 40, "overlap": "some of them"}
    blind, fine = (
        Measurement(estimates={"zero_gradients": proportion(hits, 100)}, details=AGREE.details | sides) for hits in (76, 1)
    )
    first, second = protocol_notes(Runs([({"model": "a"}, blind), ({"model": "b"}, fine)]))
    assert first.startswith("a: 1 attacking against 40 defending samples (some of them); the gradient at 0.76 ")
    assert second == "b: 1 attacking against 40 defending samples (some of them)."


def test_ratios_stand_beside_the_law_of_independent_directions():
    found = {f"r{n}": exact(1 / n) for n in (1, 4, 16)}
    lines = {"HMC": Measurement(estimates=found), "one network": Measurement(estimates={"r1": exact(1.0)})}
    curves = {curve.name: curve for curve in cancellation_curves(lines, "r", (1, 4, 9, 16), chart="Cancellation")}
    assert set(curves) == {"HMC", "n^-1/2"}  # one number is not a line
    assert curves["HMC"].at == (1, 4, 16)
    assert curves["n^-1/2"].values.tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
    assert {(curve.chart, curve.log) for curve in curves.values()} == {("Cancellation", "xy")}
