"""A free oscillation and a weak drive that takes it over."""

from dataclasses import replace
from math import cos, pi, radians, sin

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.devices.spintronics import (
    Drive,
    MacrospinDevice,
    SpinDiode,
    SpinTorque,
    TunnelJunction,
    injection_locking,
    linear_response,
    threshold_current,
)

LAYER = MacrospinDevice(ms=1e6, thickness=2e-9, area=pi * 50e-9**2, alpha=0.01, field=(4e4, 0, 0), demag=(0, 0, 6e5))
SPINS = (cos(radians(150)), sin(radians(150)), 0)
DIODE = SpinDiode(layer=LAYER, junction=TunnelJunction(reference=SPINS), torque=SpinTorque(polarization=SPINS, efficiency=0.6))
AMPLITUDES = np.array([5e-6, 10e-6, 20e-6])


@pytest.fixture(scope="module")
def tongue():
    return injection_locking(
        DIODE,
        i_dc=1.05 * threshold_current(DIODE),
        i_ac=AMPLITUDES,
        detuning=np.linspace(-100e6, 100e6, 21),
        duration=150e-9,
        settle=150e-9,
    )


def test_the_locked_range_grows_with_the_drive(tongue):
    assert (np.diff(tongue.width) > 0).all()
    assert tongue.width[0] >= 20e6


def test_a_drive_at_the_free_frequency_locks(tongue):
    assert tongue.locked[10].all()
    assert np.abs(tongue.pulled[10]).max() < 1e6


def test_the_largest_value_is_one_of_a_locked_detuning(tongue):
    rank = np.arange(21.0)[:, None] - 40 + np.zeros(3)
    assert (tongue.largest(rank) == 40 - tongue.locked.argmax(axis=0)).all()
    assert (replace(tongue, locked=np.zeros((21, 3), dtype=bool)).largest(rank) == 0).all()


def test_far_away_the_oscillation_keeps_its_own_frequency(tongue):
    assert not tongue.locked[[0, -1], 0].any()
    assert tongue.pulled[0, 0] == pytest.approx(100e6, rel=0.1)


def test_locking_makes_the_most_sensitive_diode_of_the_same_device(tongue):
    passive = linear_response(DIODE, Drive(i_ac=5e-6))
    weakest = np.abs(passive.rectify(passive.resonance).sensitivity_absorbed)
    best = tongue.largest(tongue.rectified.sensitivity_absorbed)
    assert tongue.rectified.absorbed[0, 0] < 12e-9
    assert best[0] > 2e4  # V/W
    assert best[0] > 100 * weakest
    assert (np.diff(best) < 0).all()  # the voltage of a locked oscillation hardly grows with the power


def test_the_width_counts_the_widest_unbroken_range(tongue):
    from dataclasses import replace

    rows = np.array([0, 1, 1, 0, 1, 1, 1, 0], dtype=bool)
    made = replace(tongue, detuning=np.arange(8) * 1e6, locked=rows[:, None])
    assert made.width == pytest.approx(3e6)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"i_dc": 1e-4}, "threshold_current"),
        ({"detuning": [0.0]}, "evenly spaced"),
        ({"detuning": [0.0, 1e6, 3e6]}, "evenly spaced"),
        ({"slips": -1}, "slips"),
    ],
)
def test_bad_tongues_are_refused(change, part):
    settings = {"i_dc": 4.2e-4, "i_ac": 1e-5, "detuning": [0.0, 1e6], "duration": 30e-9, "settle": 30e-9, "start": (1, 0.001, 0)}
    with pytest.raises(InputError, match=part):
        injection_locking(DIODE, **(settings | change))
