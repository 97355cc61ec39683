"""`holdfast device` as a user types it: what it prints, what it writes, how it ends."""

import io
import json
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from typing import NamedTuple

import numpy as np
import pytest

from holdfast.cli import main
from holdfast.devices import CharacteristicCurves
from holdfast.devices.catalogue import known_devices
from holdfast.devices.entry import DeviceEntry


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def holdfast(*words, folder):
    """Run a command as the console script does, in `folder`, within this process."""
    out, err = io.StringIO(), io.StringIO()
    with chdir(folder), redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ending:
        main([*map(str, words)])
    return Done(ending.value.code, out.getvalue(), err.getvalue())


def test_help_teaches_and_loads_nothing_heavy():
    script = """
import sys
from holdfast.cli import app
for words in (["device", "--help"], ["device", "list", "--help"], ["device", "describe", "--help"], ["device", "-h"]):
    app(words, exit_on_error=False, result_action="return_value")
heavy = {"torch", "matplotlib", "numba", "scipy", "numpy"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Usage: holdfast device") == 4
    assert "--sweep" in done.stdout
    assert "Example: holdfast device thermal-sigmoid" in done.stdout


@pytest.mark.parametrize("words", [("device",), ("device", "list"), ("list", "devices")])
def test_all_devices_are_listed(words, tmp_path):
    done = holdfast(*words, folder=tmp_path)
    assert done.returncode == 0
    for name in known_devices():
        assert name in done.stdout


@pytest.mark.parametrize("words", [("device", "describe", "spin-diode"), ("device", "spin-diode", "--help")])
def test_a_device_explains_its_parameters(words, tmp_path):
    done = holdfast(*words, folder=tmp_path)
    assert done.returncode == 0
    for part in ("--field-like", "A/m", "V/W", "holdfast device spin-diode --sweep"):
        assert part in done.stdout


def test_a_device_is_measured_without_any_flag(tmp_path):
    done = holdfast("device", "hard-axis", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "current (mA)" in done.stdout
    written = {path.name for path in (tmp_path / "runs/device-hard-axis").iterdir()}
    assert written == {"curves.csv", "characteristic.json", "characteristic.svg", "characteristic.png"}
    for line in done.stdout.strip().splitlines()[-4:]:
        assert (tmp_path / line).is_file()


def test_an_ensemble_is_written_as_curves(tmp_path):
    words = ("--alpha", "0.02", "--samples", 20, "--spread", "alpha=0.1", "--spread", "resistance-area=0.05", "--seed", 4)
    done = holdfast("device", "thermal-sigmoid", *words, "--sweep", "-3e-6:3e-6:31", "--out", "dev", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "p95 (mV)" in done.stdout
    curves = CharacteristicCurves.from_csv(tmp_path / "dev/curves.csv")
    assert curves.y.shape == (20, 31)
    assert (curves.nominal != curves.y.mean(axis=0)).all()
    document = json.loads((tmp_path / "dev/characteristic.json").read_text())
    assert document["parameters"]["alpha"] == {"value": 0.02, "unit": ""}
    assert document["ensemble"] == {"samples": 20, "spread": {"alpha": 0.1, "resistance_area": 0.05}, "absolute": {}, "seed": 4}


def test_a_second_sweep_gives_a_family_and_negative_values_are_values(tmp_path):
    words = ("--threshold", "-1", "--sweep", "drive=-2:2:5", "--sweep", "steepness=1,4")
    done = holdfast("device", "sigmoid-neuron", *words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = np.loadtxt(tmp_path / "runs/device-sigmoid-neuron/curves.csv", delimiter=",", comments="#", skiprows=5)
    np.testing.assert_allclose(rows[1], [-1, 0.5, 0.5])


def test_the_written_command_repeats_the_measurement(tmp_path, monkeypatch):
    words = ["device", "sigmoid-neuron", "--steepness", "2", "--out", "a b"]
    monkeypatch.setattr(sys, "argv", ["holdfast", *words])
    assert holdfast(*words, folder=tmp_path).returncode == 0
    text = (tmp_path / "a b/curves.csv").read_text()
    assert "# holdfast device sigmoid-neuron --steepness 2 --out 'a b'" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("spin-dode",), "Did you mean 'spin-diode'?"),
        (("describe", "hard-axs"), "Did you mean 'hard-axis'?"),
        (("thermal-sigmoid", "--alhpa", "1"), "Did you mean '--alpha'?"),
        (("thermal-sigmoid", "--smaples", "5"), "Did you mean '--samples'?"),
        (("thermal-sigmoid", "--alpha", "much"), "`alpha` is 'much'"),
        (("thermal-sigmoid", "--alpha", "-1"), "`alpha` is -1"),
        (("thermal-sigmoid", "--sweep", "current=0:1"), "START:STOP:POINTS"),
        (("thermal-sigmoid", "--spread", "alpha"), "alpha=0.05"),
        (("thermal-sigmoid", "--samples", "3"), "spread"),
        (("thermal-sigmoid", "--samples", "x", "--spread", "alpha=0.1"), "--samples"),
        (("thermal-sigmoid", "more"), "more"),
        (("--alpha", "0.1"), "NAME"),
        (("cone-diode", "--samples", "2", "--spread", "runs=0.1"), "one for all devices"),
    ],
)
def test_what_cannot_be_used_is_refused_with_exit_code_2(tmp_path, words, message):
    done = holdfast("device", *words, folder=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "dev").write_text("")
    done = holdfast("device", "sigmoid-neuron", "--out", "dev", folder=tmp_path)
    assert done.returncode == 2
    assert "Choose another path" in done.stderr


def test_a_folder_that_is_a_file_is_refused_before_anything_is_measured(tmp_path, monkeypatch):
    (tmp_path / "dev").write_text("")
    monkeypatch.setattr(DeviceEntry, "characteristic", lambda *_, **__: pytest.fail("measured"))
    assert holdfast("device", "sigmoid-neuron", "--out", "dev/deeper", folder=tmp_path).returncode == 2


def test_the_files_of_another_device_leave_and_those_of_others_stay(tmp_path):
    folder = tmp_path / "dev"
    assert holdfast("device", "vortex-oscillator", "--out", "dev", folder=tmp_path).returncode == 0
    (folder / "notes.csv").write_text("mine")
    (folder / "radius.csv").write_text("mine now")
    assert holdfast("device", "sigmoid-neuron", "--out", "dev", folder=tmp_path).returncode == 0
    own = {"curves.csv", "characteristic.json", "characteristic.svg", "characteristic.png"}
    assert {path.name for path in folder.iterdir()} == own | {"notes.csv", "radius.csv"}


def test_an_ensemble_of_equal_devices_is_told(tmp_path):
    words = ("--samples", 4, "--spread", "read-current=0", "--sweep", "0.01,0.05")
    done = holdfast("device", "hard-axis", *words, folder=tmp_path)
    assert "All devices have equal outputs" in done.stdout


def test_long_simulations_tell_their_progress_on_standard_error(tmp_path, monkeypatch):
    from holdfast.cli import device

    monkeypatch.setattr(device, "SLOW", -1.0)
    done = holdfast("device", "antiferromagnet", "--sweep", "pull=2e4,3e4", "--settle", "0", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "antiferromagnet: 100%" in done.stderr
    assert "%" not in done.stdout
