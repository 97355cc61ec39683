"""Circuits, ensembles and the noise inside the kernels."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm, uniform

from holdfast.core.errors import InputError
from holdfast.devices import fabricate
from holdfast.devices.spintronics import (
    Drive,
    MacrospinDevice,
    SeriesDiode,
    SpinDiode,
    SpinTorque,
    TunnelJunction,
    anisotropy_field,
    oersted,
    simulate,
    tesla,
)
from holdfast.devices.spintronics.macrospin import absorbed_power, incident_amplitude
from holdfast.devices.spintronics.macrospin.kernels import three_gaussian, three_uniform

LAYER = MacrospinDevice(ms=1e6, thickness=2e-9, area=7.85e-15, alpha=0.5, field=(4e5, 0, 0))
DIODE = SpinDiode(layer=LAYER, torque=SpinTorque(polarization=(0, 1, 0)))


@pytest.mark.parametrize("voltage", [-2.0, -0.3, -1e-3, 1e-3, 0.1, 1.0, 30.0])
def test_a_series_diode_carries_the_current_that_solves_its_circuit(voltage):
    barrier = SeriesDiode(saturation_current=1e-7, thermal_voltage=0.03, source_resistance=50.0)
    stack = SpinDiode(layer=LAYER, junction=TunnelJunction(r_p=1000.0, tmr=0.0), series=barrier)
    run = simulate(stack, Drive(v_dc=voltage), duration=1e-12, dt=1e-13, start=(1, 0, 0))

    def excess(share):  # of the voltage, at the barrier
        return 1e-7 * math.expm1(share / 0.03) * 1050 + share - voltage

    at_barrier = brentq(excess, min(voltage, -1e-9) * 1.01, min(max(voltage, 0), 0.6) + 1e-9, xtol=1e-15)
    assert run.i_mean == pytest.approx((voltage - at_barrier) / 1050, rel=1e-6)


def test_a_series_diode_rectifies_by_itself():
    """For a small amplitude the current of an exponential barrier shifts by I_s (v / V_T)^2 / 4."""
    barrier = SeriesDiode(saturation_current=1e-9, thermal_voltage=0.03, source_resistance=0.0)
    stack = SpinDiode(layer=LAYER, junction=TunnelJunction(r_p=1.0, tmr=0.0), series=barrier)
    run = simulate(stack, Drive(v_ac=3e-3, frequency=5e9), duration=1e-8, dt=2e-13, every=1, start=(1, 0, 0))
    assert run.i_mean == pytest.approx(1e-9 * 0.1**2 / 4, rel=0.01)


@pytest.mark.parametrize("current", [1e-5, 5e-4, 1.5e-3])
def test_a_magnetoresistance_that_rolls_off_solves_its_own_bias(current):
    junction = TunnelJunction(r_p=500.0, tmr=1.0, reference=(-1, 0, 0), v_half=0.5)
    run = simulate(SpinDiode(layer=LAYER, junction=junction), Drive(i_dc=current), duration=1e-12, dt=1e-13, start=(1, 0, 0))
    voltage = brentq(lambda v: v - current * 500 * (1 + 1 / (1 + (v / 0.5) ** 2)), 0, 5)
    assert run.r_mean == pytest.approx(voltage / current, rel=1e-6)


def test_a_matched_line_gives_all_its_power_and_a_mismatched_one_less():
    assert absorbed_power(incident_amplitude(1e-6, 50.0), 50.0) == pytest.approx(1e-6)
    reflected = ((500 - 50) / (500 + 50)) ** 2
    assert absorbed_power(incident_amplitude(1e-6, 500.0), 500.0) == pytest.approx(1e-6 * (1 - reflected))


def test_units_and_anisotropies_convert():
    assert oersted(1.0) == pytest.approx(79.57747)
    assert tesla(4e-7 * math.pi) == pytest.approx(1.0)
    assert anisotropy_field(1e5, 1e6) == pytest.approx(2e5 / (4e-7 * math.pi * 1e6))
    assert anisotropy_field(1e5, 1e6, order=2) == pytest.approx(4e5 / (4e-7 * math.pi * 1e6))


@pytest.mark.parametrize(("tmr", "readout"), [(1.0, "conductance"), (0.4, "resistance")])
def test_a_junction_runs_from_parallel_to_antiparallel(tmr, readout):
    junction = TunnelJunction(r_p=500.0, tmr=tmr, readout=readout)
    np.testing.assert_allclose(junction.resistance([1.0, -1.0]), [500.0, 500 * (1 + tmr)])
    run = simulate(
        SpinDiode(layer=LAYER, junction=junction), Drive(i_dc=1e-6), duration=1e-16, start=(0.5, math.sqrt(0.75), 0), dt=1e-18
    )
    assert run.r_mean == pytest.approx(junction.resistance(0.5), rel=1e-6)


@pytest.mark.parametrize("draw", [three_uniform, three_gaussian])
def test_noise_has_its_moments_and_no_memory(draw):
    """1.2e5 numbers: 5.5 standard errors of mean, variance and third moment, and of correlations over places and components."""
    generate = draw.__wrapped__ if hasattr(draw, "__wrapped__") else draw
    with np.errstate(over="ignore"):
        table = np.array([[generate(np.uint64(key), np.uint64(n)) for n in range(200)] for key in range(1, 201)])
    numbers = table.reshape(-1)
    bound = 5.5 / math.sqrt(numbers.size)
    assert abs(numbers.mean()) < bound * math.sqrt(1 / 3)
    assert abs(3 * numbers.var() - 1) < bound * math.sqrt(3)
    assert abs((numbers**3).mean()) < bound
    scaled = table * math.sqrt(3)
    assert abs((scaled[:, 1:] * scaled[:, :-1]).mean()) < 5.5 / math.sqrt(scaled[:, 1:].size)
    assert abs((scaled[1:] * scaled[:-1]).mean()) < 5.5 / math.sqrt(scaled[1:].size)
    assert abs((scaled[..., 0] * scaled[..., 1]).mean()) < 5.5 / math.sqrt(scaled[..., 0].size)


def test_an_ensemble_has_the_spread_that_was_asked_for():
    spread = {
        "alpha": 0.05,
        "thickness": 0.02,
        "tmr": norm(0, 0.1),
        "efficiency": lambda generator, n: generator.uniform(-0.1, 0.1, n),
    }
    ensemble = fabricate(DIODE, spread, samples=4000)
    parts = {"alpha": ensemble.layer, "thickness": ensemble.layer, "tmr": ensemble.junction}
    for name, part in parts.items():
        width = 0.1 if name == "tmr" else spread[name]
        values = getattr(part, name) / getattr(DIODE.junction if name == "tmr" else LAYER, name)
        assert values.std() == pytest.approx(width, rel=0.06), name
    assert ensemble.torques[0].efficiency.min() == pytest.approx(0.54, rel=1e-3)


def test_a_new_spread_leaves_the_others_as_they_were():
    one, two = ({"alpha": 0.05}, {"alpha": 0.05, "ms": 0.1})
    first, second = (fabricate(DIODE, spread, samples=5).layer.alpha for spread in (one, two))
    np.testing.assert_array_equal(first, second)


def test_vectors_keep_their_direction_and_misaligned_spins_their_length():
    ensemble = fabricate(DIODE, {"field": 0.1}, absolute={"misalignment": 0.05}, samples=2000)
    fields, spins = ensemble.layer.field, ensemble.torques[0].polarization
    assert fields.shape == (2000, 3)
    assert (fields[:, 1:] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(spins, axis=1), 1)
    angle = np.arccos(np.clip(spins[:, 1], -1, 1))
    assert math.sqrt((angle**2).mean()) == pytest.approx(0.05 * math.sqrt(2), rel=0.08)


def test_each_component_of_a_vector_deviates_by_its_absolute_width():
    """4000 draws: 5 standard errors of a standard deviation are 6 %, of a correlation 0.08."""
    fields = fabricate(DIODE, {}, absolute={"field": 200.0}, samples=4000).layer.field - np.asarray(LAYER.field)
    assert fields.std(axis=0) == pytest.approx(200, rel=0.06)
    assert np.abs(np.corrcoef(fields.T) - np.eye(3)).max() < 0.08


@pytest.mark.parametrize(
    ("spread", "message"),
    [
        ({"thicknes": 0.1}, "names 'thicknes'.*Did you mean 'thickness'"),
        ({"hk1": 0.1}, "names 'hk1', which is 0"),
        ({"axis": 0.1}, "names 'axis', no parameter of SpinDiode"),
        ({"misalignment": 0.1}, "names 'misalignment'"),
        ({"alpha": -0.1}, r"`spread\[alpha\]` is -0.1"),
        ({"tmr": uniform(-3, 1)}, "finite relative deviations above -1"),
    ],
)
def test_an_impossible_spread_is_refused(spread, message):
    with pytest.raises(InputError, match=message):
        fabricate(DIODE, spread, samples=10)
