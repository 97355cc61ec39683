"""Noise of a diode: Johnson's, magnetic noise in closed form and simulated, and the power that drowns in it."""

from math import cos, pi, radians, sin

import numpy as np
import pytest
from scipy.constants import k as boltzmann

from holdfast.core.errors import InputError
from holdfast.devices.spintronics import (
    AntiferromagnetDevice,
    Drive,
    MacrospinDevice,
    SpinDiode,
    SpinTorque,
    TunnelJunction,
    noise_equivalent_power,
    threshold_current,
)
from holdfast.devices.spintronics.constants import MU0
from holdfast.devices.spintronics.diode import johnson_noise, magnetic_noise, noise_spectrum

H, MEFF, T = 4e4, 6e5, 300.0
LAYER = MacrospinDevice(ms=1e6, thickness=2e-9, area=pi * 50e-9**2, alpha=0.02, field=(H, 0, 0), demag=(0, 0, MEFF), temperature=T)


def in_plane(degrees, layer=LAYER, efficiency=0.6, **junction):
    spins = (cos(radians(degrees)), sin(radians(degrees)), 0)
    return SpinDiode(
        layer=layer,
        junction=TunnelJunction(reference=spins, **junction),
        torque=SpinTorque(polarization=spins, efficiency=efficiency),
    )


def test_the_noise_of_a_kiloohm_hides_four_picowatts_from_a_kilovolt_per_watt():
    # sqrt(4 * 1.380649e-23 J/K * 300 K * 1000 ohm) / (1000 V/W)
    assert noise_equivalent_power(1000.0, 1e3) == pytest.approx(4.0703e-12, rel=1e-4)
    assert johnson_noise(1e3, 300.0) ** 2 == pytest.approx(4 * boltzmann * 300 * 1e3, rel=1e-12)


def test_magnetic_noise_adds_in_power():
    johnson = noise_equivalent_power(1000.0, 1e3)
    both = noise_equivalent_power(1000.0, 1e3, magnetic=3 * johnson_noise(1e3, 300.0) ** 2)
    assert both == pytest.approx(2 * johnson, rel=1e-12)


def test_a_diode_without_sensitivity_sees_nothing():
    assert noise_equivalent_power(0.0, 1e3) == np.inf


def test_the_noise_over_all_frequencies_is_the_thermal_variance():
    """Equipartition: <my^2> = kT / (mu0 Ms V H) and V = I R_y my."""
    diode, current = in_plane(90, efficiency=0.0, readout="resistance"), 1e-4
    f = np.linspace(0, 400e9, 400_001)
    noise = magnetic_noise(diode, Drive(i_dc=current), f)
    variance = boltzmann * T / (MU0 * 1e6 * LAYER.volume * H)
    swing = 500.0 / 2  # half of R_AP - R_P per unit of my
    # the tail beyond 400 GHz holds alpha g (H + M) / (2 pi 400 GHz) / pi = 4e-4 of it
    assert np.trapezoid(noise, f) == pytest.approx((current * swing) ** 2 * variance, rel=2e-3)


def test_a_simulated_spectrum_follows_the_closed_form():
    devices, current = 64, 1e-4
    diode = in_plane(90, LAYER.replace(alpha=np.full(devices, 0.05)), efficiency=0.0, readout="resistance")
    found = noise_spectrum(diode, Drive(i_dc=current), duration=120e-9, settle=10e-9, segments=15, every=10, start=(1, 0, 0))
    one = in_plane(90, LAYER.replace(alpha=0.05), efficiency=0.0, readout="resistance")
    expected = magnetic_noise(one, Drive(i_dc=current), found.frequency)
    density = found.density.mean(axis=1)
    for low, high in ((1e9, 4e9), (4.5e9, 7e9), (8e9, 15e9)):
        band = (found.frequency > low) & (found.frequency < high)
        # 64 devices x 15 segments x at least 20 bins, half of them independent: 1 % standard error; the motion's own
        # anharmonicity (<my^2> = 5e-3) shifts the line by as much again
        assert density[band].mean() == pytest.approx(expected[band].mean(), rel=0.07)


def test_the_noise_of_a_bias_grows_towards_the_threshold():
    diode = in_plane(150)
    current = threshold_current(diode.replace(temperature=0.0)) * np.array([0.3, 0.6, 0.9])
    noise = magnetic_noise(diode, Drive(i_dc=current), 5.6e9)
    assert (np.diff(noise / current**2) > 0).all()


def test_both_sublattices_of_an_antiferromagnet_make_noise():
    layer = AntiferromagnetDevice(ms=1e6, thickness=2e-9, area=1e-14, alpha=0.01, demag=(-2e4, 0, 2e4), exchange=4e6, temperature=T)
    diode = SpinDiode(layer=layer, junction=TunnelJunction(readout="resistance", tmr=0.1, reference=(0, 1, 0)))
    f = np.linspace(0, 3e12, 300_001)
    noise = magnetic_noise(diode, Drive(i_dc=1e-4), f, start=(1, 0, 0))
    # equipartition for n_y of two moments: energy density mu0 Ms Ha n_y^2 in all
    variance = boltzmann * T / (2 * MU0 * 1e6 * layer.volume * 2e4)
    assert np.trapezoid(noise, f) == pytest.approx((1e-4 * 25.0) ** 2 * variance, rel=0.02)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: johnson_noise(-1.0, 300.0), "resistance"),
        (lambda: johnson_noise(1.0, -300.0), "temperature"),
        (lambda: noise_equivalent_power(1.0, 1.0, magnetic=-1.0), "magnetic"),
        (lambda: noise_spectrum(in_plane(60).replace(temperature=0.0), Drive(), duration=1e-9, settle=0.0), "0 K"),
        (lambda: noise_spectrum(in_plane(60), Drive(), duration=1e-9, settle=0.0, segments=0), "segments"),
        (lambda: magnetic_noise(in_plane(150), Drive(i_dc=2e-3), 1e9), "threshold_current"),
    ],
)
def test_noise_without_meaning_is_refused(call, part):
    with pytest.raises(InputError, match=part):
        call()
