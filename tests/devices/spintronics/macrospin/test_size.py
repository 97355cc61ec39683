"""One moment for a whole layer: the width in exchange lengths, and the warning where it is large."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from holdfast.core.errors import MacrospinWarning
from holdfast.devices.spintronics import (
    AntiferromagnetDevice,
    Drive,
    HardAxisNeuron,
    MacrospinDevice,
    SpinDiode,
    exchange_lengths,
    rectified_voltage,
    simulate,
    simulate_neuron,
)
from holdfast.devices.spintronics.macrospin.tensors import integrate


def disc(diameter, kind=MacrospinDevice):
    layer = kind(ms=1e6, thickness=2e-9, area=np.pi / 4 * np.square(diameter), alpha=0.01, field=(4e4, 0, 0), demag=(0, 0, 6e5))
    return SpinDiode(layer=layer)


def test_a_width_is_counted_in_exchange_lengths():
    """sqrt(2 A / mu0 Ms^2) is 4.886 nm for 15 pJ/m and 1 MA/m."""
    assert exchange_lengths(disc(100e-9).layer) == pytest.approx(100 / 4.886, rel=1e-3)
    assert exchange_lengths(disc(100e-9).layer.replace(ms=torch.tensor(5e5, requires_grad=True))) == pytest.approx(10.23, rel=1e-3)


@pytest.mark.parametrize(
    "run",
    [
        lambda: simulate(disc(20e-9), duration=1e-11),
        lambda: simulate(disc([18e-9, 30e-9]), duration=1e-11),
        lambda: rectified_voltage(disc(100e-9), Drive(), duration=1e-11),
        lambda: simulate_neuron(HardAxisNeuron(area=1e-14, temperature=0.0), [0.01], duration=1e-11, settle=0.0),
        lambda: integrate(disc(100e-9), Drive(), start=(1, 0, 0), steps=10),
    ],
)
def test_a_layer_wider_than_four_exchange_lengths_is_warned_of(run):
    with pytest.warns(MacrospinWarning, match=r"wider than 4 exchange lengths .*smaller `area`.*filter"):
        run()


def test_the_warning_points_to_the_line_of_the_user():
    with pytest.warns(MacrospinWarning) as found:
        rectified_voltage(disc(100e-9), Drive(), duration=1e-11)
    assert found[0].filename == __file__


@pytest.mark.filterwarnings("error")
def test_small_layers_and_antiferromagnets_are_not_warned_of():
    simulate(disc(19e-9), duration=1e-11)
    simulate(disc(100e-9, AntiferromagnetDevice), duration=1e-12, dt=1e-14)


def test_the_warning_comes_once_in_a_process():
    lines = [
        "from holdfast.devices.spintronics import MacrospinDevice, SpinDiode, simulate",
        "layer = MacrospinDevice(ms=1e6, thickness=2e-9, area=1e-14, alpha=0.01)",
        "simulate(SpinDiode(layer=layer), duration=1e-11)",
        "simulate(SpinDiode(layer=layer.replace(area=2e-14)), duration=1e-11)",
    ]
    run = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert run.stderr.count("MacrospinWarning: ") == 1
