"""A device that is turned out of its rest rings at the frequency of its linearised motion."""

from math import cos, pi, radians, sin

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.devices.spintronics import (
    AntiferromagnetDevice,
    Drive,
    MacrospinDevice,
    SpinDiode,
    SpinTorque,
    simulate,
    threshold_current,
)
from holdfast.devices.spintronics.macrospin import (
    antiferromagnetic_modes,
    current_for_pull,
    easy_plane_fluctuations,
    easy_plane_resonance,
    ring_down,
    rotation_field,
    tilted_resonance,
)

LAYER = MacrospinDevice(ms=1e6, thickness=2e-9, area=pi * 50e-9**2, alpha=0.01, field=(4e4, 0, 0), demag=(0, 0, 6e5))
SPINS = (cos(radians(150)), sin(radians(150)), 0)
DIODE = SpinDiode(layer=LAYER, torque=SpinTorque(polarization=SPINS, efficiency=0.6))


def antiferromagnet(alpha=1e-3, hard=0.0):
    layer = AntiferromagnetDevice(ms=1e6, thickness=2e-9, area=1e-14, alpha=alpha, demag=(-2e4, 0, hard), exchange=4e6)
    return SpinDiode(layer=layer, torque=SpinTorque(polarization=(0, 0, 1), efficiency=0.6))


@pytest.mark.parametrize("axis", [(0, 0, 1), (0, 3, 0)])
def test_a_layer_in_its_plane_rings_as_kittel_says_whichever_way_it_is_turned(axis):
    rung = ring_down(DIODE, Drive(), duration=5e-9, axis=axis)
    assert rung.frequency == pytest.approx(easy_plane_resonance(4e4, 6e5), rel=1e-3)
    assert rung.amplitude < 1e-3


def test_a_current_tilts_an_antiferromagnet_and_softens_its_ringing():
    diode = antiferromagnet()
    pull = rotation_field(diode.layer) * np.array([0.0, 0.5, 0.8])
    rung = ring_down(diode, Drive(i_dc=current_for_pull(diode, pull)), duration=3e-9, start=(1, 0, 0))
    assert rung.frequency == pytest.approx(tilted_resonance(diode.layer, pull), rel=3e-3)


def test_a_hard_axis_gives_each_turn_a_frequency_of_its_own():
    diode = antiferromagnet(hard=5e4)
    found = [ring_down(diode, Drive(), duration=2e-9, axis=axis).frequency for axis in ((0, 0, 1), (0, 1, 0))]
    assert found == pytest.approx(list(antiferromagnetic_modes(diode.layer)), rel=3e-3)


def test_a_device_past_its_threshold_or_turned_about_itself_does_not_ring():
    with pytest.raises(InputError, match="threshold_current"):
        ring_down(DIODE, Drive(i_dc=1.2 * threshold_current(DIODE)), duration=5e-9)
    with pytest.raises(InputError, match="along the moment"):
        ring_down(DIODE, Drive(), duration=5e-9, axis=(1, 0, 0))


def test_heat_moves_a_layer_as_equipartition_says():
    alpha = np.full(256, 0.05)
    hot = SpinDiode(layer=LAYER.replace(alpha=alpha, temperature=300.0))
    found = simulate(hot, duration=100e-9, settle=10e-9, seed=3).m_square
    expected = easy_plane_fluctuations(4e4, 6e5, ms=1e6, volume=LAYER.volume, temperature=300.0)
    # the mean of 256 runs of 100 ns scatters by 0.5 %, larger terms of the energy shift it by 0.5 %
    assert found[:, 1].mean() == pytest.approx(expected[0], rel=0.035)
    assert found[:, 2].mean() == pytest.approx(expected[1], rel=0.035)
