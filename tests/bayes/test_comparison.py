"""Protocols side by side: the best attack leaves least, gains are paired, curves begin without attack."""

import numpy as np
import pytest

from holdfast.bayes import compared_protocols, protocol_curves
from holdfast.core.estimate import exact, proportion
from holdfast.core.experiment import Measurement
from holdfast.core.runs import Runs


def arrays(right, attack="pgd", softmax=1.0):
    return {f"{attack}.right": np.array(right, dtype=bool), f"{attack}.softmax": np.full(len(right), softmax)}


def test_a_best_attack_is_the_one_that_leaves_least():
    mine = {"predictive_nll": arrays([1, 1, 0, 0]), "mean_logits": arrays([0, 0, 0, 1]), "expected": arrays([1, 1, 1, 0])}
    found = compared_protocols(mine | {"expected": mine["expected"] | arrays([1, 1, 1, 1], "fgsm")}, {})
    assert found["best_pgd"].value == 0.25
    assert found["left"].value == 0.0  # no example withstood both
    assert found["expected_excess"].value == 0.5
    assert "fgsm_gain" not in found  # without a baseline there is no gain


def test_what_is_left_withstood_the_adaptive_protocol_too():
    mine = {"predictive_nll": arrays([1, 1, 1, 0]), "mean_logits": arrays([1, 1, 0, 0]), "adaptive": arrays([0, 1, 1, 1], "worst")}
    assert compared_protocols(mine, {})["left"].value == 0.25


def test_gains_are_over_the_baseline_on_the_same_examples():
    mine = {"expected": arrays([1, 1, 1, 0], "fgsm", 0.8), "adaptive": arrays([1, 0, 0, 0], "worst", 0.3)}
    base = {"expected": arrays([1, 0, 0, 0], "fgsm", 0.5), "adaptive": arrays([0, 0, 0, 1], "worst", 0.3)}
    found = compared_protocols(mine, base)
    assert {name: found[name].value for name in found} == pytest.approx(
        {"fgsm_gain": 0.5, "fgsm_softmax_gain": 0.3, "adaptive_gain": 0.0, "adaptive_softmax_gain": 0.0}
    )
    assert all(abs(estimate.value) < 1e-12 for estimate in compared_protocols(base, base).values())


def attacked(protocol, eps, hits):
    names = ("fgsm", "pgd", "worst")
    estimates = {f"{name}.{kind}": proportion(hits, 10) for name in names for kind in ("accuracy", "softmax")}
    return {"protocol": protocol, "eps": eps}, Measurement(estimates=estimates | {"clean.accuracy": proportion(9, 10)})


def test_curves_begin_without_attack_and_stand_in_one_chart_for_each_quantity():
    mine, base = (
        Runs([attacked(protocol, eps, hits) for protocol in ("expected", "code", "adaptive") for eps in (0.3, 0.1)])
        for hits in (5, 2)
    )
    curves = list(protocol_curves(mine, base, name="HMC on digits"))
    assert len(curves) == 12
    charts = {curve.chart for curve in curves}
    assert charts == {"Accuracy under attack: HMC on digits", "Softmax robustness under attack: HMC on digits"}
    assert all(sum(curve.chart == chart for curve in curves) <= 6 for chart in charts)
    adaptive = {curve.quantity: curve for curve in curves if curve.name == "adaptive"}
    assert adaptive["accuracy"].at == (0.0, 0.1, 0.3)
    assert adaptive["accuracy"].values.tolist() == [0.9, 0.5, 0.5]
    assert adaptive["softmax robustness"].estimates[0] == exact(1.0)
    assert next(curve for curve in curves if curve.name == "FGSM, one network").values.tolist() == [0.9, 0.2, 0.2]


def test_a_protocol_that_did_not_run_has_no_curve():
    runs = Runs([attacked("expected", eps, 5) for eps in (0.1, 0.3)])
    assert {curve.name for curve in protocol_curves(runs, Runs([]), name="VI")} == {"FGSM"}
