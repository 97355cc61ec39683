"""Antiferromagnets: closed forms against the linearised equations and against simulations."""

from math import pi

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.devices.spintronics import (
    AntiferromagnetDevice,
    Drive,
    MacrospinDevice,
    SpinDiode,
    SpinTorque,
    TunnelJunction,
    equilibrium,
    linear_response,
    rectified_voltage,
    simulate,
    threshold_current,
)
from holdfast.devices.spintronics.constants import GAMMA0
from holdfast.devices.spintronics.macrospin import (
    antiferromagnetic_modes,
    current_for_pull,
    neel_rotation,
    neel_start,
    neel_tilt,
    retention_field,
    rotation_field,
    spin_pumping_voltage,
    tilted_resonance,
)

HE, HA = 4e6, 2e4
STEP = 2e-13  # s: 0.18 rad about the exchange field


def antiferromagnet(alpha=0.005, exchange=HE, easy=HA, hard=0.0):
    layer = AntiferromagnetDevice(ms=1e6, thickness=2e-9, area=1e-14, alpha=alpha, demag=(-easy, 0, hard), exchange=exchange)
    return SpinDiode(
        layer=layer,
        junction=TunnelJunction(readout="anisotropic", tmr=0.01),
        torque=SpinTorque(polarization=(0, 0, 1), efficiency=0.6),
    )


def run(diode, pull, *, duration, start=None, settle=2e-9, dt=STEP, i_ac=0.0, frequency=0.0):
    drive = Drive(i_dc=current_for_pull(diode, pull), i_ac=i_ac, frequency=frequency)
    return simulate(diode, drive, duration=duration, settle=settle, dt=dt, start=start)


@pytest.mark.parametrize(("exchange", "easy", "expected"), [(4e6, 2e4, 14.104e9), (2e8, 4e4, 140.9e9)])
def test_the_uniaxial_resonance_is_keffer_and_kittels(exchange, easy, expected):
    diode = antiferromagnet(exchange=exchange, easy=easy)
    inside, outside = antiferromagnetic_modes(diode.layer)
    assert inside == pytest.approx(expected, rel=1e-3)
    assert outside == inside
    rates = equilibrium(diode, start=(1, 0, 0)).rates
    assert np.abs(rates) / (2 * pi) == pytest.approx(expected, rel=2e-3)  # of a damped mode the modulus stays


def test_a_hard_axis_splits_the_modes():
    diode = antiferromagnet(alpha=1e-4, hard=5e4)
    rates = np.sort(np.abs(equilibrium(diode, start=(1, 0, 0)).rates.imag))[::2] / (2 * pi)
    assert rates == pytest.approx(sorted(antiferromagnetic_modes(diode.layer)), rel=1e-5)


def test_the_ringing_in_time_has_that_frequency():
    rung = run(antiferromagnet(), 0.0, duration=3e-9, settle=0.0, start=(1, 0.01, 0))
    assert rung.frequency == pytest.approx(14.104e9, rel=5e-3)


def test_a_torque_tilts_and_softens():
    diode = antiferromagnet(alpha=1e-3, hard=2e4)
    pull = rotation_field(diode.layer) * np.array([0.0, 0.5, 0.8])
    rest = equilibrium(diode, Drive(i_dc=current_for_pull(diode, pull)), start=(1, 0, 0))
    n = (rest.m[:, 0] - rest.m[:, 1]) / 2
    assert np.arctan2(n[:, 1], n[:, 0]) == pytest.approx(neel_tilt(diode.layer, pull), abs=1e-7)
    slowest = np.sort(np.abs(rest.rates), axis=-1)[:, 0] / (2 * pi)
    assert slowest == pytest.approx(tilted_resonance(diode.layer, pull), rel=5e-3)  # of order H_a / H_E
    assert slowest[2] / slowest[0] == pytest.approx(0.775, abs=0.015)


def test_the_state_ends_at_half_the_easy_axis_field():
    diode = antiferromagnet(alpha=0.02)
    assert threshold_current(diode, start=(1, 0, 0)) == pytest.approx(
        float(current_for_pull(diode, rotation_field(diode.layer))), rel=1e-5
    )


def test_from_the_tilted_state_rotation_begins_at_the_threshold():
    diode = antiferromagnet()
    share = np.array([0.97, 1.03])
    start = neel_start(neel_tilt(diode.layer, rotation_field(diode.layer) * np.array([0.97, 1.0])))
    found = run(diode, rotation_field(diode.layer) * share, duration=6e-9, settle=4e-9, start=start)
    assert found.cycles[0] == 0
    assert found.frequency[1] > 5e9


def test_a_light_vector_rotates_as_fast_as_damping_allows():
    diode = antiferromagnet()
    pull = rotation_field(diode.layer) * np.array([1.1, 2.0, 4.0])
    found = run(diode, pull, duration=6e-9, settle=6e-9, start=neel_start(-pi / 4))
    assert found.frequency == pytest.approx(neel_rotation(diode.layer, pull), rel=0.01)


def test_a_heavily_damped_vector_hesitates_at_the_hard_directions():
    diode = antiferromagnet(alpha=0.05, easy=2e3)
    assert retention_field(diode.layer) > rotation_field(diode.layer)
    pull = rotation_field(diode.layer) * np.array([1.1, 1.5])
    found = run(diode, pull, duration=30e-9, settle=5e-9, start=neel_start(-pi / 4))
    assert found.frequency == pytest.approx(neel_rotation(diode.layer, pull), rel=0.02)


def test_inertia_keeps_a_rotation_below_the_threshold():
    diode = antiferromagnet()
    spinning = run(diode, 1.2 * rotation_field(diode.layer), duration=4e-9, start=neel_start(-pi / 4)).end
    low = retention_field(diode.layer)
    assert low < 0.2 * rotation_field(diode.layer)
    found = run(diode, low * np.array([0.8, 1.3]), duration=5e-9, settle=10e-9, start=spinning)
    assert found.cycles[0] == 0
    assert found.frequency[1] > 1e9


def test_the_two_sublattices_rectify_as_the_linear_response_says():
    diode = antiferromagnet(alpha=0.01, hard=2e4)
    pull = 0.6 * rotation_field(diode.layer)
    drive = Drive(i_dc=current_for_pull(diode, pull), i_ac=1e-6)
    small = linear_response(diode, drive, start=(1, 0, 0))
    f = small.resonance * np.array([0.9, 1.0, 1.05])
    start = neel_start(neel_tilt(diode.layer, pull))
    timed = rectified_voltage(diode, drive.replace(frequency=f), duration=4e-9, settle=8e-9, dt=STEP, start=start)
    assert np.abs(timed.v_dc - small.v_dc(f)).max() < 0.01 * np.abs(small.v_dc(f)).max()


def test_a_symmetric_resistance_does_not_rectify_about_the_easy_axis():
    small = linear_response(antiferromagnet(), Drive(i_ac=1e-6), start=(1, 0, 0))
    tilted = linear_response(antiferromagnet(), Drive(i_dc=1e-3, i_ac=1e-6), start=(1, 0, 0))
    assert np.abs(small.v_dc(small.resonance)) < 1e-9 * np.abs(tilted.v_dc(tilted.resonance))


def test_rotation_pumps_spins_along_its_axis():
    diode = antiferromagnet()
    found = run(diode, 2 * rotation_field(diode.layer), duration=4e-9, settle=6e-9, start=neel_start(-pi / 4))
    omega = 2 * pi * float(found.frequency)
    canting = omega / (2 * HE * GAMMA0)  # the moments lean out of the plane until the exchange field turns them at omega
    pumped = [spin_pumping_voltage(found, axis, conversion=1.0) for axis in ((0, 0, 1), (1, 0, 0))]
    assert np.abs(pumped[0]) == pytest.approx((1 - canting**2) * omega, rel=2e-3)
    assert np.abs(pumped[1]) < 1e-6 * omega


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: antiferromagnetic_modes(MacrospinDevice(ms=1e6, thickness=1e-9, area=1e-14, alpha=0.1)), "AntiferromagnetDevice"),
        (lambda: rotation_field(antiferromagnet().layer.replace(demag=(0, -1e4, 0))), "demag"),
        (lambda: neel_tilt(antiferromagnet().layer, 1.1e4), "rotation_field"),
        (lambda: neel_start(np.nan), "angle"),
    ],
)
def test_forms_that_do_not_hold_are_refused(call, part):
    with pytest.raises(InputError, match=part):
        call()
