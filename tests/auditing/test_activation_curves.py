"""The loop from a device to an audit: its curves in a file, the network's activations made of them, chips drawn from them."""

import json
import re

import numpy as np
import pytest

import holdfast
from holdfast.auditing.stresses import ActivationVariation
from holdfast.core.errors import InputError
from holdfast.core.estimate import Estimate
from holdfast.core.experiment import Measurement
from holdfast.devices.catalogue import characterise

SPREAD = {"amplitude": 0.1, "steepness": 0.1}


@pytest.fixture(scope="module")
def rectifier_csv(tmp_path_factory):
    """Forty rectifying neurons and their nominal device, as `holdfast device relu-neuron` writes them."""
    folder = tmp_path_factory.mktemp("dev")
    return characterise("relu-neuron", {"corner": 50, "saturation": 0.0}, samples=40, spread=SPREAD).write(folder)[0]


GATE = "device.activation_variation.accuracy[measured_spread=1] >= 0.5"


def audited(net, data, path, tmp_path, **more):
    settings = {"run": {"threads": 1}, "device": {"activation_variation": {"chips": 3, "curves": str(path)} | more}}
    return holdfast.audit(net, data, stresses=["clean", "activation_variation"], gates=[GATE], out=str(tmp_path), settings=settings)


@pytest.fixture(scope="module")
def report(digits_cnn, digits_small, rectifier_csv, tmp_path_factory):
    return audited(digits_cnn, digits_small[1], rectifier_csv, tmp_path_factory.mktemp("run") / "a")


def test_nominal_devices_reproduce_the_clean_accuracy_and_chips_lose_from_there(report):
    curve = report.cards["device"].curve("activation_variation")
    nominal, *_ = report.document.stresses()["activation_variation"].points
    own = nominal.metrics["own_activations_accuracy"].value
    assert nominal.at == {"measured_spread": 0.0}
    assert curve.axis == "measured_spread"
    assert curve.at == (0.0, 0.25, 0.5, 1.0)
    assert curve.values[0] == pytest.approx(own, abs=0.01)
    assert report.per_example("clean")["correct"].mean() == own
    assert curve.values[-1] <= curve.values[0] + 0.01


def test_the_report_says_which_curves_were_used(report, rectifier_csv):
    page = report.page.read_text()
    assert "devices of curves.csv" in page
    assert "times that of the curves" in page
    stress = report.document.stresses()["activation_variation"]
    assert stress.config["curves"] == str(rectifier_csv)
    assert len(stress.config["curves_digest"]) == 16


def chips(accuracy):
    return Measurement(
        estimates={
            name: Estimate(value=accuracy, lo=accuracy, hi=accuracy, n=100, method="wilson")
            for name in ("accuracy", "p05", "worst")
        }
    )


@pytest.mark.parametrize(
    ("strength", "severity", "words"),
    [
        (0.25, "high", "at 0.25 times the measured spread"),
        (1.0, "medium", "at the full measured spread"),
        (2.0, "low", "at 2 times the measured spread"),
    ],
)
def test_a_finding_on_measured_devices_speaks_of_their_spread(rectifier_csv, strength, severity, words):
    stress = ActivationVariation(curves=str(rectifier_csv), measured_spread=(0.0, strength))
    found = stress.summarise([({"measured_spread": 0.0}, chips(0.9)), ({"measured_spread": strength}, chips(0.7))])
    (finding,) = found.findings
    assert finding.severity == severity
    assert words in finding.text
    assert "%" not in finding.text


def test_two_nominal_devices_are_refused(tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("drive,nominal,nominal,a\n" + "".join(f"{x},{x},{x},{x}\n" for x in range(5)))
    with pytest.raises(InputError, match="2 columns 'nominal'"):
        ActivationVariation(curves=str(path))


@pytest.mark.parametrize("wrong", [5, "1", (0.5, 0.1), (), (-1.0,)])
def test_strengths_that_are_no_list_are_refused(wrong):
    with pytest.raises(InputError, match="list of increasing numbers"):
        ActivationVariation(measured_spread=wrong)


def test_a_gate_can_name_the_measured_spread(report):
    assert [gate.status for gate in report.document.gates] == ["pass"]


def test_a_sigmoid_in_place_of_relu_costs_accuracy_and_says_so(digits_cnn, digits_small, tmp_path):
    found = characterise("thermal-sigmoid", samples=20, spread={"area": 0.05, "alpha": 0.1}).write(tmp_path / "dev")[0]
    report = audited(digits_cnn, digits_small[1], found, tmp_path / "run", measured_spread=[0, 1])
    curve = report.cards["device"].curve("activation_variation")
    own = report.per_example("clean")["correct"].mean()
    assert 0.8 < curve.values[0] < own - 0.02
    found = {finding.id: finding.text for finding in report.document.findings}
    assert "with nominal devices of curves.csv" in found["device.activation_variation.shape"]


def test_another_content_under_the_same_name_is_measured_anew(rectifier_csv, tmp_path):
    copy = tmp_path / "curves.csv"
    copy.write_text(rectifier_csv.read_text())
    first = ActivationVariation(curves=str(copy))
    copy.write_text(rectifier_csv.read_text().replace("device_1,", "device_one,"))
    second = ActivationVariation(curves=str(copy))
    assert first.curves_digest != second.curves_digest
    with pytest.raises(InputError, match="the file that the run began with"):
        ActivationVariation(curves=str(copy), curves_digest=first.curves_digest)


def test_unequal_steps_are_resampled(tmp_path):
    drives = np.array([0.0, 0.1, 0.4, 1.0, 2.0])
    path = tmp_path / "bench.csv"
    path.write_text("\n".join(f"{x},{x**2},{x}" for x in drives[::-1]))
    assert len(ActivationVariation(curves=str(path)).curves_digest) == 16


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no such file.*holdfast device"),
        ("", "no table"),
        ("0,1\n1,2\n", "at least 4"),
        ("0,1\n1,x\n2,3\n3,4\n", "'x' in line 2"),
        ("0,1\n1,2\n1,3\n3,4\n", "twice"),
        ("0,1\n1,1\n2,1\n3,1\n", "does not answer"),
    ],
)
def test_files_that_hold_no_curves_are_refused_before_anything_runs(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=r"device\.activation_variation\.curves.*") as refused:
        ActivationVariation(curves=str(path))
    assert re.search(message, str(refused.value))


def test_without_curves_nothing_has_changed():
    stress = ActivationVariation()
    assert [*stress.points()[0]] == ["spread"]
    assert json.dumps(stress.points())
