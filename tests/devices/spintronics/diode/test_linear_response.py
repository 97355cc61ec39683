"""The linearised diode against its closed forms and against simulations of the same object."""

from math import cos, pi, radians, sin

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.devices.spintronics import (
    Drive,
    MacrospinDevice,
    SeriesDiode,
    SpinDiode,
    SpinTorque,
    TunnelJunction,
    linear_response,
    rectified_voltage,
    threshold_current,
)
from holdfast.devices.spintronics.diode import fit_lorentzian
from holdfast.devices.spintronics.macrospin import easy_plane_half_width, easy_plane_resonance
from holdfast.devices.spintronics.macrospin.motion import Motion
from holdfast.devices.spintronics.macrospin.tensors import derivative

H, MEFF, ALPHA = 4e4, 6e5, 0.01
LAYER = MacrospinDevice(ms=1e6, thickness=2e-9, area=pi * 50e-9**2, alpha=ALPHA, field=(H, 0, 0), demag=(0, 0, MEFF))
F0 = 5.6348e9
TILTED = LAYER.replace(vcma=1e-13, axis=(0.3, 0, 1), hk1=2e4)


def in_plane(degrees, layer=LAYER, junction=None, **torque):
    spins = (cos(radians(degrees)), sin(radians(degrees)), 0)
    return SpinDiode(
        layer=layer,
        junction=TunnelJunction(reference=spins, **(junction or {})),
        torque=SpinTorque(polarization=spins, efficiency=0.6, **torque),
    )


def test_resonance_and_width_are_those_of_the_closed_forms():
    small = linear_response(in_plane(60), Drive(i_ac=1e-5))
    assert small.resonance == pytest.approx(easy_plane_resonance(H, MEFF), rel=4e-4)
    assert small.half_width == pytest.approx(easy_plane_half_width(H, MEFF, alpha=ALPHA), rel=2e-4)


@pytest.mark.parametrize("field_like", [0.0, 0.3])
def test_the_line_in_time_is_the_linear_one(field_like):
    diode, drive = in_plane(60, field_like=field_like), Drive(i_ac=1e-5)
    f = np.linspace(0.5, 1.6, 48) * F0
    linear = linear_response(diode, drive).v_dc(f)
    timed = rectified_voltage(diode, drive.replace(frequency=f), duration=60e-9, settle=30e-9)
    # what is left is of fourth order in the drive: (precession angle)^2 = 2e-3
    assert np.abs(timed.v_dc - linear).max() < 1e-2 * np.abs(linear).max()


def test_the_line_with_a_direct_current_counts_the_shift_of_the_state():
    diode = in_plane(150)
    drive = Drive(i_dc=0.8 * threshold_current(diode), i_ac=1e-6)
    small = linear_response(diode, drive)
    f = small.resonance + np.linspace(-3, 3, 13) * small.half_width
    timed = rectified_voltage(diode, drive.replace(frequency=f), duration=100e-9, settle=100e-9, start=(1, 1e-3, 0))
    assert np.abs(timed.v_dc - small.v_dc(f)).max() < 2e-3 * np.abs(timed.v_dc).max()


@pytest.mark.parametrize(
    ("name", "diode", "drive"),
    [
        ("valve", in_plane(60, junction={"readout": "resistance"}, asymmetry=0.5, field_like=0.2), Drive(i_dc=1e-4, i_ac=1e-5)),
        ("voltage", in_plane(60, TILTED, junction={"v_half": 0.3}, quadratic=0.5), Drive(i_dc=1e-4, i_ac=1e-5)),
        ("field", in_plane(60), Drive(i_dc=1e-4, field_ac=(0, 30.0, 0))),
        ("out of plane", SpinDiode(layer=LAYER, torque=SpinTorque(polarization=(0, 1, 0.5))), Drive(i_dc=5e-5, i_ac=1e-5)),
    ],
)
def test_every_kind_of_drive_agrees_with_time_stepping(name, diode, drive):
    small = linear_response(diode, drive)
    f = small.resonance * np.array([0.2, 0.98, 1.01])
    timed = rectified_voltage(diode, drive.replace(frequency=f), duration=40e-9, settle=30e-9)
    expected = small.v_dc(f)
    assert np.abs(timed.v_dc - expected).max() < 1e-2 * np.abs(expected).max(), name


def test_a_series_diode_alone_rectifies_as_its_curvature_says():
    barrier = SeriesDiode(saturation_current=1e-6, thermal_voltage=0.0258, source_resistance=0.0)
    plain = SpinDiode(layer=LAYER, junction=TunnelJunction(r_p=1.0, tmr=0.0), series=barrier)
    volts = 1e-3
    small = linear_response(plain, Drive(v_ac=volts))
    # I_s V^2 / (4 V_T^2) through 1 ohm, which takes 1 / 25800 of the voltage
    assert small.v_dc(1e9) == pytest.approx(1e-6 * volts**2 / (4 * 0.0258**2), rel=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize("v_dc", [0.0, 0.05])
def test_a_series_diode_and_the_moment_rectify_together_as_in_time(v_dc):
    diode = in_plane(60).replace(series=SeriesDiode(saturation_current=2e-5, thermal_voltage=0.0258))
    drive = Drive(v_dc=v_dc, v_ac=2e-3)
    f = np.array([2e9, 5.5e9, 5.633e9, 5.8e9])
    timed = rectified_voltage(diode, drive.replace(frequency=f), duration=60e-9, settle=40e-9)
    small = linear_response(diode, drive).rectify(f)
    assert timed.v_dc == pytest.approx(small.v_dc, rel=1e-3)  # the barrier's next order is (2 mV / V_T)^2 / 8 = 7e-4
    assert timed.absorbed == pytest.approx(small.absorbed, rel=1e-5)


def test_two_rectifications_add_or_compete():
    barrier = SeriesDiode(saturation_current=2e-5, thermal_voltage=0.0258)
    drive = Drive(v_ac=5e-3)
    values = {}
    for sign in (1, -1):
        for tmr in (0.0, 1.0):
            spins = (0.5, 0.866, 0)
            junction = TunnelJunction(r_p=500 if tmr else 1 / (0.5 / 500 + 0.5 / 1000), tmr=tmr, reference=spins)
            torque = SpinTorque(polarization=spins, efficiency=0.6 * sign)
            diode = SpinDiode(layer=LAYER, junction=junction, torque=torque, series=barrier)
            values[sign, tmr] = float(linear_response(diode, drive).v_dc(5.633e9))
    alone = values[1, 0.0]
    assert alone > 0
    assert (values[1, 1.0] - alone) * (values[-1, 1.0] - alone) < 0


def test_symmetric_and_antisymmetric_parts_come_from_the_two_torques():
    drive = Drive(i_ac=1e-5)
    fraction = {xi: linear_response(in_plane(60, field_like=xi), drive).line.antisymmetric_fraction for xi in (-0.3, 0.0, 0.3)}
    assert abs(fraction[0.0]) < 0.02
    assert fraction[-0.3] * fraction[0.3] < 0
    assert min(abs(fraction[-0.3]), abs(fraction[0.3])) > 0.2


@pytest.mark.parametrize("i_dc", [0.0, 3e-4])
def test_the_line_of_one_mode_is_the_response_near_resonance(i_dc):
    small = linear_response(in_plane(150, field_like=0.2), Drive(i_dc=i_dc, i_ac=1e-6))
    f = small.resonance + np.linspace(-2, 2, 41) * small.half_width
    line = small.line
    # the mode at negative frequency adds a part of order width / resonance
    assert np.abs(line.at(f) - small.v_dc(f)).max() < 0.05 * np.abs(line.at(f)).max()
    fitted = fit_lorentzian(f, small.v_dc(f))
    assert fitted.resonance == pytest.approx(float(small.resonance), rel=1e-4)
    assert fitted.half_width == pytest.approx(float(small.half_width), rel=2e-2)
    assert fitted.antisymmetric_fraction == pytest.approx(float(line.antisymmetric_fraction), abs=0.02)


def test_passive_voltage_is_exactly_proportional_to_power():
    small = linear_response(in_plane(60), Drive(i_ac=np.array([1e-6, 2e-6])))
    assert small.v_dc(5e9)[1] == pytest.approx(4 * small.v_dc(5e9)[0], rel=1e-9)


def test_the_jacobian_is_that_of_automatic_differentiation():
    import torch

    diode, drive = in_plane(60, field_like=0.3, asymmetry=0.3), Drive(i_dc=2e-4)
    m = torch.tensor([0.6, 0.64, 0.48], dtype=torch.float64)
    slope = derivative(diode, drive)
    full = torch.func.jacrev(lambda state: slope(state / state.norm(), 0.0))(m).numpy()
    motion = Motion(diode, drive)
    steps = 1e-20j * np.eye(3)
    state = m.numpy() + steps
    state = state / np.sqrt((state * state).sum(-1, keepdims=True))
    mine = motion.velocity(state[:, None, :])[:, 0].imag.T / 1e-20
    assert mine == pytest.approx(full, rel=1e-10, abs=1e-4)


def test_the_second_derivatives_are_those_of_automatic_differentiation():
    import torch

    diode, drive = in_plane(60, field_like=0.3), Drive(i_dc=2e-4, i_ac=1e-4)
    m0 = np.array([0.6, 0.64, 0.48])
    from holdfast.devices.spintronics.macrospin.motion import tangents

    basis, centre = torch.tensor(tangents(m0)), torch.tensor(m0)
    slope = derivative(diode, drive)

    def local(z):
        m = centre + z[:2] @ basis
        m = m / m.norm()
        speed, ahead = slope(m, z[2]), m @ centre
        return (basis @ speed - (basis @ m) * (speed @ centre) / ahead) / ahead

    expected = torch.func.jacrev(torch.func.jacrev(local))(torch.zeros(3, dtype=torch.float64)).numpy()
    found = Motion(diode, drive).jet(m0[None], second=True).second[:2]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6 * np.abs(expected).max())


def test_an_incident_wave_and_an_absorbed_one_are_told_apart():
    found = linear_response(in_plane(60), Drive(i_ac=1e-5)).rectify(5.6e9)
    mismatch = 4 * 50 * found.resistance / (found.resistance + 50) ** 2  # the share of power that a line leaves in R
    assert found.absorbed / found.incident == pytest.approx(float(mismatch), rel=1e-12)
    assert found.sensitivity_incident == pytest.approx(float(mismatch * found.sensitivity_absorbed), rel=1e-12)


def test_beyond_the_threshold_there_is_no_small_signal():
    diode = in_plane(150)
    with pytest.raises(InputError, match="threshold_current"):
        linear_response(diode, Drive(i_dc=1.1 * threshold_current(diode)))


@pytest.mark.parametrize(
    ("frequency", "voltage", "part"),
    [
        (np.arange(5.0), np.arange(5.0), "at least 6"),
        (np.arange(8.0), np.arange(7.0), "frequency"),
        (np.arange(8.0), np.full(8, np.nan), "NaN"),
    ],
)
def test_lines_that_cannot_be_fitted_are_refused(frequency, voltage, part):
    with pytest.raises(InputError, match=part):
        fit_lorentzian(frequency, voltage)
