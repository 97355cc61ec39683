"""Neurons simulated as macrospins beside their closed forms; ensembles beside single devices."""

from dataclasses import replace

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.devices.spintronics import (
    AutoOscillatorNeuron,
    HardAxisNeuron,
    RectifierNeuron,
    ThermalSigmoidNeuron,
    neuron_curves,
    simulate_neuron,
)


@pytest.mark.parametrize("neuron", [ThermalSigmoidNeuron(), HardAxisNeuron(misalignment=0.1), AutoOscillatorNeuron()])
def test_the_time_average_of_the_motion_is_the_closed_form(neuron):
    # 9 drives, Student's t of 63 degrees of freedom: beyond 6.3 standard errors once in 3e7 each, false alarm 3e-7
    drive = np.linspace(*neuron.operating_range, 9)
    run = simulate_neuron(neuron, drive, runs=64)
    distance = (run.state[:, 0] - neuron.mean_state(drive)) / run.state_stderr[:, 0]
    assert np.abs(distance).max() < 6.3
    assert run.state_stderr.max() < 0.01
    np.testing.assert_allclose(run.output[:, 0], neuron.response(drive), atol=6.3 * run.stderr.max())


def test_without_temperature_the_hard_axis_relaxes_to_its_closed_form():
    neuron = HardAxisNeuron(temperature=0.0, misalignment=-0.2, field=2e3)
    drive = np.linspace(*neuron.operating_range, 12)
    run = simulate_neuron(neuron, drive)
    np.testing.assert_allclose(run.state[:, 0], neuron.mean_state(drive), atol=1e-4)
    assert (run.stderr == 0).all()


def test_without_temperature_the_oscillator_settles_on_its_closed_form():
    neuron = AutoOscillatorNeuron(temperature=0.0)
    drive = neuron.threshold_current * np.array([0.0, 0.5, 1.5, 2.0])  # at the threshold itself it never gets there
    np.testing.assert_allclose(simulate_neuron(neuron, drive).state[:, 0], neuron.mean_state(drive), atol=1e-4)


def test_an_ensemble_in_one_batch_is_its_devices_one_by_one():
    neuron = HardAxisNeuron(temperature=0.0)
    drive = np.array([-0.03, 0.01])
    together = simulate_neuron(replace(neuron, hk=np.array([1.5e4, 2e4, 3e4])), drive)
    for number, hk in enumerate((1.5e4, 2e4, 3e4)):
        alone = simulate_neuron(replace(neuron, hk=hk), drive)
        np.testing.assert_allclose(together.output[:, number], alone.output[:, 0], rtol=1e-5)


def test_simulated_curves_carry_standard_errors_and_the_nominal_device():
    curves = neuron_curves(ThermalSigmoidNeuron(), spread={"alpha": 0.1}, samples=3, points=5, method="simulation", runs=4)
    exact = neuron_curves(ThermalSigmoidNeuron(), spread={"alpha": 0.1}, samples=3, points=5)
    # 15 values, 3 degrees of freedom are too few for a limit by t: the true error of 4 windows is below 0.04 of the swing of 1
    swing = np.ptp(exact.nominal)
    assert np.abs(curves.y - exact.y).max() < 0.25 * swing
    assert curves.stderr.shape == (3, 5)
    assert (curves.stderr > 0).all()
    assert np.abs(curves.nominal - exact.nominal).max() < 0.25 * swing


def test_the_same_seed_gives_the_same_runs():
    drive = [1e-6, 2e-6]
    one, two, other = (simulate_neuron(ThermalSigmoidNeuron(), drive, runs=2, duration=2e-8, seed=seed).state for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert (one != other).all()


def test_one_run_of_a_warm_neuron_has_no_error_and_is_refused():
    with pytest.raises(InputError, match="runs"):
        simulate_neuron(ThermalSigmoidNeuron(), [0.0], runs=1)


def test_the_rectifier_is_silent_then_its_voltage_rises():
    neuron = RectifierNeuron()
    run = simulate_neuron(neuron, np.array([0.0, 2e-5, 1e-4, 2e-4, 3e-4]), runs=16)
    voltage, error = -run.output[:, 0], run.stderr[:, 0]
    assert voltage[0] == 0  # without a drive V = <I R> is exactly 0
    # true steps of 8 mV or more, errors of 0.6 mV between two of them: ten standard errors of margin
    assert (np.diff(voltage[1:]) > 3e-3).all()
    assert error.max() < 1e-3
    assert voltage[1] < 0.1 * voltage[2]  # far below proportional: the threshold


def test_a_rectifier_has_no_closed_form_but_simulated_curves():
    with pytest.raises(InputError, match="simulation"):
        neuron_curves(RectifierNeuron())
    curves = neuron_curves(RectifierNeuron(), spread={"area": 0.1}, samples=2, points=4, method="simulation", runs=2)
    assert curves.y.shape == (2, 4)
    assert RectifierNeuron().response([0.0, 1e-4]).shape == (2,)


@pytest.mark.parametrize("settings", [{"hk1": 1e4}, {"hk1": -7e4}, {"hk2": -1.0}, {"frequency": 0.0}, {"largest": -1.0}])
def test_what_is_no_cone_or_no_drive_is_refused(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        RectifierNeuron(**settings)
