"""Rectified voltages, their powers and sensitivities, read-out of three terminals, and arrays that harvest."""

from math import cos, pi, radians, sin

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.devices import fabricate
from holdfast.devices.spintronics import (
    Drive,
    MacrospinDevice,
    SeriesDiode,
    SpinDiode,
    SpinTorque,
    TunnelJunction,
    equilibrium,
    harvest,
    linear_response,
    rectified_voltage,
    sensitivity_spectrum,
    simulate,
    threshold_current,
)
from holdfast.devices.spintronics.diode import read_voltage
from holdfast.devices.spintronics.macrospin import easy_plane_half_width

H, MEFF, ALPHA = 4e4, 6e5, 0.01
LAYER = MacrospinDevice(ms=1e6, thickness=2e-9, area=pi * 50e-9**2, alpha=ALPHA, field=(H, 0, 0), demag=(0, 0, MEFF))
F0 = 5.633e9


def in_plane(degrees, layer=LAYER, **torque):
    spins = (cos(radians(degrees)), sin(radians(degrees)), 0)
    return SpinDiode(
        layer=layer, junction=TunnelJunction(reference=spins), torque=SpinTorque(polarization=spins, efficiency=0.6, **torque)
    )


def test_no_drive_gives_no_voltage():
    found = rectified_voltage(in_plane(60), Drive(i_dc=1e-4), duration=1e-9)
    assert found.v_dc == 0
    assert np.isnan(found.sensitivity_absorbed)


def test_the_voltage_grows_with_the_power_of_a_weak_drive():
    amplitudes = np.array([1e-6, 20e-6])
    found = rectified_voltage(in_plane(60), Drive(i_ac=amplitudes, frequency=F0), duration=40e-9, settle=30e-9)
    slope = np.log(found.v_dc[1] / found.v_dc[0]) / np.log(found.absorbed[1] / found.absorbed[0])
    assert slope == pytest.approx(1, abs=0.03)


def test_the_voltage_is_even_in_the_alternating_current():
    drive = Drive(i_ac=np.array([1e-5, -1e-5]), frequency=F0)
    found = rectified_voltage(in_plane(60), drive, duration=40e-9, settle=30e-9, start=(1, 0, 0))
    assert found.v_dc[0] == pytest.approx(found.v_dc[1], rel=1e-6)


def test_the_mean_does_not_care_for_a_broken_period():
    drive = Drive(i_dc=1e-4, i_ac=1e-5, frequency=F0)
    whole, broken = (
        rectified_voltage(in_plane(150), drive, duration=periods / F0, settle=60e-9, every=1).v_dc for periods in (200, 200.37)
    )
    assert whole == pytest.approx(broken, rel=1e-3)


def test_direct_current_raises_the_sensitivity_and_then_some():
    diode = in_plane(150)
    share = np.array([0.0, 0.5, 0.9])
    small = linear_response(diode, Drive(i_dc=share * threshold_current(diode), i_ac=1e-6))
    peak = np.abs(small.rectify(small.resonance).sensitivity_absorbed)
    assert (np.diff(peak) > 0).all()
    assert peak[2] > 10 * peak[0]


def test_a_hot_idle_run_has_the_noise_of_the_driven_one():
    diode = in_plane(150).replace(temperature=300.0)
    none = rectified_voltage(diode, Drive(i_dc=1e-4, i_ac=np.zeros(3), frequency=F0), duration=5e-9)
    assert (none.v_dc == 0).all()


def test_the_spectrum_of_an_ensemble_has_the_line_of_each_device():
    ensemble = fabricate(in_plane(60), {"alpha": 0.05, "thickness": 0.02, "tmr": 0.1}, samples=7)
    f = np.linspace(5e9, 6.2e9, 241)
    found = sensitivity_spectrum(ensemble, f, power=1e-8)
    assert found.v_dc.shape == (241, 7)
    assert found.incident == pytest.approx(1e-8, rel=1e-12)
    alpha = ensemble.layer.alpha
    width = np.array([np.ptp(f[v > v.max() / 2]) / 2 for v in np.abs(found.v_dc).T])
    assert width == pytest.approx(easy_plane_half_width(H, MEFF, alpha=alpha), abs=10e6)  # two steps of the grid


def test_both_methods_give_the_spectrum():
    f = np.linspace(5.4e9, 5.9e9, 5)
    linear, timed = (
        sensitivity_spectrum(in_plane(60), f, power=1e-8, method=method, **run)
        for method, run in (("linear", {}), ("simulated", {"duration": 40e-9, "settle": 30e-9}))
    )
    assert timed.sensitivity_incident == pytest.approx(linear.sensitivity_incident, rel=0.02)


def test_half_the_frequency_answers_a_drive_beyond_the_parametric_threshold():
    r"""A field along the moment at 2 f0 pumps it beyond h = 2 alpha (2H + M) sqrt(H (H + M)) / M.

    Linear stability of y' = -g (H + M + h c) z, z' = g (H + h c) y with c = cos(2 w0 t): the growth rate is
    g h M / (4 sqrt(H (H + M))) against the damping alpha g (2H + M) / 2.
    """
    threshold = 2 * ALPHA * (2 * H + MEFF) * np.sqrt(H * (H + MEFF)) / MEFF
    pump = threshold * np.array([0.8, 1.25])
    field = np.stack([pump, 0 * pump, 0 * pump], axis=-1)
    f0 = float(linear_response(in_plane(60), Drive(i_ac=1e-6)).resonance)
    run = simulate(
        SpinDiode(layer=LAYER), Drive(field_ac=field, frequency=2 * f0), duration=20e-9, settle=60e-9, start=(1, 0.01, 0)
    )
    assert run.amplitude[0] < 1e-4
    assert run.amplitude[1] > 0.05
    assert run.frequency[1] == pytest.approx(f0, rel=1e-3)


def test_an_anisotropy_that_follows_the_voltage_rectifies_without_any_torque():
    layer = LAYER.replace(vcma=1e-13, axis=(0.5, 0, 1), hk1=2e4)
    silent, driven = (
        SpinDiode(layer=one, junction=TunnelJunction(reference=(0.5, 0.866, 0))) for one in (layer.replace(vcma=0.0), layer)
    )
    drive = Drive(i_ac=1e-5)
    assert linear_response(silent, drive).v_dc(F0) == pytest.approx(0, abs=1e-15)
    assert abs(linear_response(driven, drive).v_dc(5.5e9)) > 1e-9


def test_a_third_terminal_reads_what_the_strip_writes():
    torque = SpinTorque.spin_orbit((0, 1, 0), spin_hall_angle=-0.3, area=LAYER.area, cross_section=5e-9 * 200e-9)
    diode = SpinDiode(layer=LAYER, junction=TunnelJunction(reference=(0.5, 0.866, 0)), torque=torque)
    drive = Drive(i_ac=1e-5, frequency=F0)
    run, idle = (simulate(diode, one, duration=40e-9, settle=30e-9) for one in (drive, Drive()))
    read = Drive(i_dc=1e-5, i_ac=1e-5)
    mixed = read_voltage(run, idle, read=read.replace(i_dc=0.0))
    # a read current equal to the drive rectifies as the drive itself would
    assert mixed == pytest.approx(float(run.v_dc), rel=1e-3)
    assert read_voltage(run, idle, read=read) == pytest.approx(float(mixed + 1e-5 * (run.r_mean - idle.r_mean)), rel=1e-12)


def test_spins_out_of_the_plane_lower_the_threshold_of_a_perpendicular_moment():
    layer = LAYER.replace(field=(0, 0, 0), demag=(0, 0, 0), hk1=1e5)
    found = {
        name: threshold_current(SpinDiode(layer=layer, torque=SpinTorque(polarization=spins)), start=(0.01, 0, 1))
        for name, spins in {"along": (0, 0, -1), "tilted": (1, 0, -1)}.items()
    }
    assert found["tilted"] == pytest.approx(np.sqrt(2) * found["along"], rel=0.02)  # only the normal part of the spins counts


def test_arrays_add_voltages_or_currents():
    one = harvest([1e-3], [1e3], [1e-6])
    assert one.load_power == pytest.approx(1e-6 / 4 / 1e3, rel=1e-12)  # V^2 / 4R
    assert one.efficiency == pytest.approx(one.load_power / 1e-6, rel=1e-12)
    eight = {way: harvest(np.full(8, 1e-3), 1e3, 1e-6, connection=way) for way in ("series", "parallel")}
    assert eight["series"].voltage == pytest.approx(8e-3, rel=1e-12)
    assert eight["parallel"].voltage == pytest.approx(1e-3, rel=1e-12)
    assert eight["parallel"].resistance == pytest.approx(125, rel=1e-12)
    for array in eight.values():
        assert array.load_power == pytest.approx(8 * float(one.load_power), rel=1e-12)
        assert array.efficiency == pytest.approx(float(one.efficiency), rel=1e-12)


def test_no_load_takes_more_than_the_matched_one():
    loads = np.geomspace(10, 1e6, 61)
    powers = harvest(np.tile([1e-3, 2e-3], (61, 1)), [500.0, 800.0], 1e-6, load=loads).load_power
    best = harvest([1e-3, 2e-3], [500.0, 800.0], 1e-6)
    assert powers.max() <= best.load_power
    assert best.load == pytest.approx(1300)


def test_the_limit_of_slow_drives_is_the_mean_over_states_of_rest():
    diode, amplitude = in_plane(60), 1e-5
    phases = 2 * pi * np.arange(32) / 32
    rest = equilibrium(diode, Drive(i_dc=amplitude * np.sin(phases)))
    mean = (rest.current * rest.resistance).mean()
    assert linear_response(diode, Drive(i_ac=amplitude)).rectify(0.0).v_dc == pytest.approx(mean, rel=1e-4)
    slow = rectified_voltage(diode, Drive(i_ac=amplitude, frequency=2e7), duration=5e-7)
    assert slow.v_dc == pytest.approx(mean, rel=1e-2)


@pytest.mark.parametrize(
    "drive", [Drive(i_ac=1e-5), Drive(i_ac=1e-5, frequency=np.array([0.0, F0])), Drive(i_dc=1e-4, field_ac=(0, 10, 0))]
)
def test_no_voltage_is_made_up_for_an_alternating_drive_that_stands_still(drive):
    with pytest.raises(InputError, match=r"0 Hz for an alternating drive.*linear_response"):
        rectified_voltage(in_plane(60), drive, duration=1e-9)


def test_a_voltage_beyond_breakdown_is_warned_of():
    with pytest.warns(UserWarning, match=r"breakdown at 1 V"):
        rectified_voltage(in_plane(60), Drive(i_ac=2e-3, frequency=F0), duration=2e-9)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: harvest(1e-3, 1e3, 1e-6), "one entry per device"),
        (lambda: harvest([1e-3], [0.0], 1e-6), "resistance"),
        (lambda: harvest([1e-3], [1e3], [1e-6], load=-1.0), "load"),
        (lambda: harvest([1e-3], [1e3], [1e-6], connection="ring"), "series"),
        (lambda: sensitivity_spectrum(in_plane(60), [5e9], power=1e-8, method="exact"), "linear"),
        (lambda: sensitivity_spectrum(in_plane(60), [-5e9], power=1e-8), "frequency"),
        (lambda: sensitivity_spectrum(in_plane(60), [0.0, 5e9], power=1e-8, method="simulated", duration=1e-9), "0 Hz"),
        (lambda: sensitivity_spectrum(in_plane(60), [5e9], power=-1e-8), "power"),
        (lambda: rectified_voltage(in_plane(60), Drive(i_ac=1e-5, frequency=F0), duration=2e-9, impedance=0.0), "impedance"),
        (lambda: rectified_voltage(in_plane(60), Drive(i_ac=1e-5, frequency=1e9), duration=1e-9), "10 periods"),
        (lambda: linear_response(SpinDiode(layer=LAYER, series=SeriesDiode()), Drive(i_ac=1e-5)), "v_ac"),
    ],
)
def test_bad_input_is_refused(call, part):
    with pytest.raises(InputError, match=part):
        call()
