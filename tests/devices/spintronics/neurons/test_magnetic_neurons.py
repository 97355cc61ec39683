"""Magnetic neurons in closed form: what their physics says in its limits, and the curves of a wafer of them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.constants import e, hbar, k

from holdfast.core.device import Device
from holdfast.core.errors import InputError
from holdfast.devices.spintronics import AutoOscillatorNeuron, HardAxisNeuron, ThermalSigmoidNeuron, neuron_curves
from holdfast.devices.spintronics.constants import MU0
from holdfast.devices.spintronics.oscillators import stationary_power

NEURONS = [ThermalSigmoidNeuron(), HardAxisNeuron(), AutoOscillatorNeuron()]
by_class = pytest.mark.parametrize("neuron", NEURONS, ids=lambda neuron: type(neuron).__name__)


@by_class
def test_every_magnetic_neuron_is_a_device_that_never_turns_back(neuron):
    assert isinstance(neuron, Device)
    assert neuron_curves(neuron).monotone.all()


@by_class
def test_an_ensemble_answers_as_its_members_do_alone(neuron):
    curves = neuron_curves(neuron, spread={"alpha": 0.1, "thickness": 0.1, "area": 0.1}, samples=4, points=9)
    members = [replace(neuron, **{name: 1.1 * getattr(neuron, name)}) for name in ("alpha", "thickness", "area")]
    together = replace(
        neuron,
        **{name: np.array([getattr(member, name) for member in members], dtype=float) for name in ("alpha", "thickness", "area")},
    )
    both = together.response(curves.x[:, None])
    for number, member in enumerate(members):
        np.testing.assert_allclose(both[:, number], member.response(curves.x), rtol=1e-12)


def test_the_resistance_of_the_junction_is_that_of_its_two_states():
    neuron = ThermalSigmoidNeuron(resistance_area=1e-12, area=1e-15, tmr=1.5)
    assert neuron.resistance([1.0, -1.0]) == pytest.approx([1e3, 2.5e3])
    assert 1 / neuron.resistance(0.0) == pytest.approx((1e-3 + 0.4e-3) / 2)  # the mean conductance


def test_without_barrier_the_alignment_is_langevins_of_the_currents_own_bias():
    # mu0 Ms V a_J / (alpha k T) = hbar eta I / (2 e alpha k T): neither magnetisation nor volume is left
    neuron = ThermalSigmoidNeuron(hk=0.0, alpha=0.03, efficiency=0.5, temperature=350.0)
    current = np.array([1e-6, 5e-6])
    xi = hbar * 0.5 * current / (2 * e * 0.03 * k * 350)
    np.testing.assert_allclose(neuron.bias(current), xi, rtol=1e-12)
    np.testing.assert_allclose(neuron.mean_state(current), 1 / np.tanh(xi) - 1 / xi, rtol=1e-10)
    np.testing.assert_allclose(replace(neuron, ms=5e5, thickness=3e-9).mean_state(current), neuron.mean_state(current), rtol=1e-10)


def test_a_high_barrier_makes_it_tanh():
    neuron = ThermalSigmoidNeuron(hk=2e7)
    current = np.linspace(-4e-6, 4e-6, 9)
    np.testing.assert_allclose(neuron.mean_state(current), np.tanh(neuron.bias(current)), atol=2e-3)


def test_a_field_shifts_the_threshold_by_its_current():
    neuron, field = ThermalSigmoidNeuron(), 500.0
    shift = field * neuron.alpha / (neuron.efficiency * neuron.torque_per_ampere)
    current = np.linspace(-1e-5, 1e-5, 7)
    np.testing.assert_allclose(replace(neuron, field=field).mean_state(current - shift), neuron.mean_state(current), atol=1e-12)


def test_cold_and_aligned_the_hard_axis_is_a_straight_line_with_corners():
    neuron = HardAxisNeuron(temperature=0.0, bias=0.0, hk=3e4, line_width=2e-6)
    fields = np.array([-6e4, -3e4, -1.5e4, 0.0, 2.1e4, 3e4, 9e4])
    np.testing.assert_allclose(neuron.mean_state(fields * 2 * 2e-6), np.clip(fields / 3e4, -1, 1), atol=1e-12)


def test_a_bias_field_rounds_the_cold_hard_axis_to_its_torque_balance():
    neuron = HardAxisNeuron(temperature=0.0, bias=6e3, hk=3e4)
    current = np.linspace(-0.2, 0.2, 11)
    sine = neuron.mean_state(current)
    h = current / (2 * neuron.line_width) / neuron.hk
    np.testing.assert_allclose(sine * np.sqrt(1 - sine**2) + 0.2 * sine, h * np.sqrt(1 - sine**2), atol=1e-12)


def test_a_misaligned_line_pulls_towards_the_easy_axis_and_bends_the_curve():
    straight, bent = (HardAxisNeuron(temperature=0.0, bias=0.0, misalignment=angle) for angle in (0.0, 0.1))
    current = np.linspace(0.005, 0.1, 20)
    assert (bent.mean_state(current) < straight.mean_state(current)).all()
    # far beyond the anisotropy the moment follows the line
    assert float(bent.mean_state(40.0)) == pytest.approx(np.cos(0.1), abs=1e-3)


def test_the_warm_hard_axis_becomes_the_cold_one():
    cold = HardAxisNeuron(temperature=0.0)
    current = np.linspace(*cold.operating_range, 21)
    np.testing.assert_allclose(replace(cold, temperature=1.0).mean_state(current), cold.mean_state(current), atol=4e-3)
    mixed = replace(cold, temperature=np.array([0.0, 300.0])).mean_state(current[:, None])
    np.testing.assert_allclose(mixed[:, 0], cold.mean_state(current), rtol=1e-12)
    np.testing.assert_allclose(mixed[:, 1], replace(cold, temperature=300.0).mean_state(current), rtol=1e-6)


def test_heat_rounds_the_corners():
    neuron = HardAxisNeuron(bias=0.0)
    corner = neuron.hk * 2 * neuron.line_width
    assert [float(replace(neuron, temperature=t).mean_state(corner)) for t in (0.0, 100.0, 300.0)] == sorted(
        (float(replace(neuron, temperature=t).mean_state(corner)) for t in (0.0, 100.0, 300.0)), reverse=True
    )


def test_the_oscillator_starts_at_its_threshold_and_grows_linearly():
    neuron = AutoOscillatorNeuron(temperature=0.0)
    zeta = np.array([-1.0, 0.5, 1.0, 1.5, 2.0])
    np.testing.assert_allclose(neuron.power(zeta * neuron.threshold_current), np.maximum(zeta - 1, 0) / 4.0, atol=1e-12)


def test_near_threshold_the_oscillator_is_the_one_of_the_power_equation():
    neuron = AutoOscillatorNeuron(temperature=0.0)
    zeta = 1 + np.array([1e-4, 1e-3])
    expected = stationary_power(zeta, neuron.frequency_shift - 1)
    np.testing.assert_allclose(neuron.power(zeta * neuron.threshold_current), expected, rtol=1e-3)


def test_far_below_threshold_the_oscillator_is_in_equipartition():
    neuron = AutoOscillatorNeuron(temperature=3.0)
    # energy 2 (H - M) p mu0 Ms V per quadrature pair is k T
    energy = 2 * MU0 * neuron.ms * neuron.volume * (neuron.field - neuron.meff)
    assert float(neuron.power(0.0)) == pytest.approx(k * 3.0 / energy, rel=2e-3)


def test_the_emitted_power_is_that_of_the_swing_into_a_matched_load():
    neuron = AutoOscillatorNeuron(temperature=0.0, tmr=0.02)
    current = 1.8 * neuron.threshold_current
    p = float(neuron.power(current))
    sine = 2 * np.sqrt(p * (1 - p))
    phase = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    voltage = neuron.read_current * neuron.resistance(sine * np.cos(phase))
    assert float(neuron.response(current)) == pytest.approx(voltage.var() / (4 * neuron.resistance(0.0)), rel=1e-3)


def test_curves_keep_the_nominal_device_and_the_spread():
    curves = neuron_curves(ThermalSigmoidNeuron(), spread={"alpha": 0.1}, absolute={"field": 200.0}, samples=300, seed=2)
    assert len(curves) == 300
    np.testing.assert_array_equal(curves.nominal, ThermalSigmoidNeuron().response(curves.x))
    assert curves.y[:, 32].std() > 0
    again, other = (
        neuron_curves(ThermalSigmoidNeuron(), spread={"alpha": 0.1}, absolute={"field": 200.0}, samples=300, seed=seed)
        for seed in (2, 3)
    )
    assert (again.y == curves.y).all()
    assert (other.y != curves.y).any()


def test_without_spread_there_is_one_curve():
    assert len(neuron_curves(HardAxisNeuron(), points=9)) == 1


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: ThermalSigmoidNeuron(ms=-1.0), r"`ms` is -1 A/m; allowed: .*\(0, inf\) A/m"),
        (lambda: ThermalSigmoidNeuron(thickness=0.0), r"`thickness` is 0 m"),
        (lambda: ThermalSigmoidNeuron(area=np.array([1e-15, -1e-15])), r"`area`.*m\^2"),
        (lambda: ThermalSigmoidNeuron(alpha=0.0), "`alpha`"),
        (lambda: ThermalSigmoidNeuron(temperature=0.0), r"`temperature` is 0 K.*\(0, inf\) K"),
        (lambda: HardAxisNeuron(temperature=-1.0), r"`temperature` is -1 K.*\[0, inf\) K"),
        (lambda: HardAxisNeuron(hk=0.0), "`hk`"),
        (lambda: HardAxisNeuron(bias=np.nan), "`bias`"),
        (lambda: AutoOscillatorNeuron(field=9e4), "above `meff`"),
        (lambda: AutoOscillatorNeuron(tmr=-0.1), "`tmr`"),
        (lambda: neuron_curves(HardAxisNeuron(), points=3), "points"),
        (lambda: neuron_curves(HardAxisNeuron(), method="guess"), "closed"),
        (lambda: neuron_curves(HardAxisNeuron(), spread={"alhpa": 0.1}), "Did you mean 'alpha'"),
        (lambda: neuron_curves(HardAxisNeuron(), spread={"alpha": -0.1}), "alpha"),
    ],
)
def test_impossible_devices_are_refused(attempt, message):
    with pytest.raises(InputError, match=message):
        attempt()
