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
from holdfast.devices.spintronics.constants import GAMMA0


@pytest.mark.parametrize("neuron", [ThermalSigmoidNeuron(), HardAxisNeuron(misalignment=0.1), AutoOscillatorNeuron()])
def test_the_time_average_of_the_motion_is_the_closed_form(neuron):
    # 9 drives, Student's t of 63 degrees of freedom: beyond 6.3 standard errors once in 3e7 each, false alarm 3e-7
    drive = np.linspace(*neuron.operating_range, 9)
    run = simulate_neuron(neuron, drive, runs=64)
    distance = (run.state[:, 0] - neuron.mean_state(drive)) / run.state_stderr[:, 0]
    assert np.abs(distance).max() < 6.3
    assert run.state_stderr.max() < 0.01
    np.testing.assert_allclose(run.output[:, 0], neuron.response(drive), atol=6.3 * run.stderr.max())


@pytest.mark.parametrize("hk", [6e4, 1.1e5])
def test_a_barrier_is_crossed_often_enough_to_average_over_both_wells(hk):
    # 2.7 and 5 kT; 3 drives, Student's t of 31 degrees of freedom: beyond 8 standard errors once in 2e8
    neuron = ThermalSigmoidNeuron(hk=hk)
    drive = np.array([-5e-7, 0.0, 5e-7])
    run = simulate_neuron(neuron, drive, runs=32)
    distance = (run.state[:, 0] - neuron.mean_state(drive)) / run.state_stderr[:, 0]
    assert np.abs(distance).max() < 8
    assert run.state_stderr.max() < 0.06
    assert neuron.mean_state(5e-7) > 0.25


@pytest.mark.parametrize(("neuron", "barrier"), [(ThermalSigmoidNeuron(hk=2.5e5), "11.4 kT"), (HardAxisNeuron(hk=2e5), "17.9 kT")])
def test_a_barrier_that_no_run_crosses_is_refused(neuron, barrier):
    with pytest.raises(InputError, match=rf"{barrier}.*up to 8 kT.*method=\"closed\""):
        simulate_neuron(neuron, np.array([-0.1, 0.0, 0.1]))


def test_a_barrier_that_the_drive_removes_or_that_does_not_matter_is_simulated():
    assert simulate_neuron(ThermalSigmoidNeuron(hk=2.5e5), [3e-5], runs=2, duration=1e-9, settle=0.0).state.shape == (1, 1)
    neuron = HardAxisNeuron(hk=2e5, bias=0.0)  # both wells read alike
    drive = np.array([0.1, 0.3])
    run = simulate_neuron(neuron, drive, runs=16)
    # Student's t of 15 degrees of freedom: beyond 8.4 standard errors once in 2e6 for either drive
    assert (np.abs(run.state[:, 0] - neuron.mean_state(drive)) < 8.4 * run.state_stderr[:, 0]).all()


def test_half_of_the_runs_start_in_the_other_well():
    start = np.asarray(ThermalSigmoidNeuron().experiment(np.zeros((4, 3, 1))).start)
    assert start[..., 2].sum(axis=0) == pytest.approx(0.0)


@pytest.mark.parametrize("alpha", [1e-3, 1e-2])
@pytest.mark.parametrize(
    "neuron", [ThermalSigmoidNeuron(), AutoOscillatorNeuron(), RectifierNeuron()], ids=lambda n: type(n).__name__
)
def test_the_step_suits_a_weak_damping(neuron, alpha):
    # Heun's step of x rad heats by x^3 / 8 alpha, and is refused beyond 4 %
    plan = replace(neuron, alpha=alpha).experiment(np.full((2, 1, 1), 1e-6))
    field = (
        np.abs(plan.layer.field).max() + np.abs(plan.layer.demag).max() + np.max(np.abs(plan.layer.hk1)) + np.max(plan.layer.hk2)
    )
    assert (GAMMA0 * field * plan.dt) ** 3 / (8 * alpha) < 0.04


def test_a_large_oscillator_waits_for_its_slow_power_at_the_threshold():
    # a volume 30 times larger: the power relaxes 5 times slower. Student's t of 31: beyond 7 standard errors once in 1e7
    neuron = AutoOscillatorNeuron(area=3e-13)
    drive = np.array([float(neuron.threshold_current)])
    run = simulate_neuron(neuron, drive, runs=32)
    assert abs(run.state[0, 0] - neuron.mean_state(drive)[0]) < 7 * run.state_stderr[0, 0]


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


def test_which_end_of_the_cone_the_rectifier_starts_at_is_forgotten():
    class Reversed(RectifierNeuron):
        def experiment(self, drive):
            plan = super().experiment(drive)
            return replace(plan, start=np.asarray(plan.start) * [-1, -1, 1])

    drive = np.array([2e-5, 1e-4, 3e-4])
    here, there = (
        simulate_neuron(neuron, drive, runs=32, seed=seed) for seed, neuron in enumerate((RectifierNeuron(), Reversed()))
    )
    # two means of 32 runs: beyond 6.5 standard errors of their difference once in 1e7 for one of three
    assert (np.abs(here.state - there.state) < 6.5 * np.hypot(here.state_stderr, there.state_stderr)).all()


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
