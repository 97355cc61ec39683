"""States of rest, their stability, and the current at which it ends."""

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
    simulate,
    threshold_current,
)
from holdfast.devices.spintronics.macrospin import (
    current_for_pull,
    easy_plane_half_width,
    easy_plane_resonance,
    easy_plane_threshold,
)

H, MEFF, ALPHA = 4e4, 6e5, 0.01
LAYER = MacrospinDevice(ms=1e6, thickness=2e-9, area=pi * 50e-9**2, alpha=ALPHA, field=(H, 0, 0), demag=(0, 0, MEFF))


def in_plane(degrees, layer=LAYER, **torque):
    spins = (cos(radians(degrees)), sin(radians(degrees)), 0)
    return SpinDiode(
        layer=layer, junction=TunnelJunction(reference=spins), torque=SpinTorque(polarization=spins, efficiency=0.6, **torque)
    )


def test_a_layer_rests_along_its_field_and_rings_at_the_frequency_of_kittel():
    rest = equilibrium(in_plane(60))
    assert rest.m == pytest.approx([1, 0, 0], abs=1e-9)
    assert rest.stable
    # damping lowers the frequency by (width / frequency)^2 / 2 = 2e-4 and the width by alpha^2
    assert rest.rates.imag.max() / (2 * pi) == pytest.approx(easy_plane_resonance(H, MEFF), rel=4e-4)
    assert -rest.growth / (2 * pi) == pytest.approx(easy_plane_half_width(H, MEFF, alpha=ALPHA), rel=2e-4)


def test_the_easy_cone_opens_at_its_angle():
    layer = LAYER.replace(field=(0, 0, 0), demag=(0, 0, 0), hk1=-2e4, hk2=8e4)
    rest = equilibrium(SpinDiode(layer=layer), start=(0.3, 0.1, 0.9))
    assert rest.m[0] ** 2 + rest.m[1] ** 2 == pytest.approx(2e4 / 8e4, rel=1e-9)  # sin^2 = -Hk1 / Hk2


def test_relaxation_leaves_a_maximum_of_the_energy():
    rest = equilibrium(in_plane(60), start=(-1, 0.01, 0))
    assert rest.m == pytest.approx([1, 0, 0], abs=1e-9)


def test_a_start_on_a_maximum_stays_and_is_called_unstable():
    rest = equilibrium(in_plane(60), start=(-1, 0, 0))
    assert rest.converged
    assert not rest.stable


def test_two_states_are_told_apart_by_the_start():
    layer = LAYER.replace(field=(0, 0, 0), demag=(-2e4, 0, MEFF))
    rest = equilibrium(SpinDiode(layer=layer), start=[(0.5, 0.8, 0.1), (-0.5, 0.8, 0.1)])
    assert rest.m[:, 0] == pytest.approx([1, -1], abs=1e-9)
    assert rest.stable.all()


@pytest.mark.parametrize("torque", [{}, {"field_like": 0.3}])
def test_a_current_turns_the_state_as_a_simulation_does(torque):
    drive = Drive(i_dc=3e-4)
    diode = in_plane(60, **torque)
    run = simulate(diode, drive, duration=1e-9, settle=30e-9)
    rest = equilibrium(diode, drive)
    assert rest.stable
    assert rest.m == pytest.approx(run.end, abs=1e-7)  # what is left of the transient after 30 ns
    assert float(rest.resistance * rest.current) == pytest.approx(float(run.v_dc), rel=1e-6)


def test_a_batch_equals_its_devices_one_by_one():
    currents = np.linspace(-2e-4, 2e-4, 5)
    batch = equilibrium(in_plane(60), Drive(i_dc=currents))
    for place, current in enumerate(currents):
        assert batch.m[place] == pytest.approx(equilibrium(in_plane(60), Drive(i_dc=current)).m, abs=1e-9)


def test_a_state_that_a_current_made_unstable_is_found_and_named():
    diode = in_plane(150)
    rest = equilibrium(diode, Drive(i_dc=1.2 * threshold_current(diode)))
    assert rest.converged
    assert not rest.stable


@pytest.mark.parametrize("degrees", [120, 150, 180])
def test_the_threshold_is_where_damping_and_torque_balance(degrees):
    expected = easy_plane_threshold(H, MEFF, alpha=ALPHA, cosine=cos(radians(degrees)))
    diode = in_plane(degrees)
    found = threshold_current(diode)
    # the torque across the magnetisation turns it a little: order (a_J / M_eff)^2 and, off the axis, (a_J / H)^2
    assert found == pytest.approx(current_for_pull(diode, expected), rel=1e-2 if degrees == 120 else 1e-3)


def test_the_threshold_separates_decay_from_growth_in_time():
    diode = in_plane(150)
    drive = Drive(i_dc=threshold_current(diode) * np.array([0.96, 1.04]))
    early, late = (
        simulate(diode, drive, duration=5e-9, settle=settle, start=equilibrium(diode, drive).m + np.array([0, 1e-4, 0])).amplitude
        for settle in (0, 60e-9)
    )
    assert late[0] < early[0]
    assert late[1] > early[1]


def test_the_threshold_does_not_depend_on_the_direction_for_opposite_spins():
    assert threshold_current(in_plane(150)) == pytest.approx(threshold_current(in_plane(-30), direction=-1), rel=1e-9)


def test_thresholds_follow_the_damping_of_each_device():
    ensemble = fabricate(in_plane(180), {"alpha": 0.1}, samples=20)
    found = threshold_current(ensemble)
    assert found == pytest.approx(current_for_pull(in_plane(180), 1) * ensemble.layer.alpha * (H + MEFF / 2), rel=1e-3)


def test_without_a_destabilising_torque_there_is_no_threshold():
    assert threshold_current(in_plane(0), limit=1e-3) == np.inf


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: equilibrium(in_plane(60).replace(temperature=300.0)), "temperature"),
        (lambda: equilibrium(in_plane(60), start=(0, 0, 0)), "length 0"),
        (lambda: threshold_current(SpinDiode(layer=LAYER)), "torque"),
        (lambda: threshold_current(SpinDiode(layer=LAYER, torque=SpinTorque(), series=SeriesDiode())), "series"),
        (lambda: threshold_current(in_plane(60), direction=0), "direction"),
        (lambda: threshold_current(in_plane(60), start=(-1, 0, 0)), "stable"),
    ],
)
def test_what_has_no_answer_is_refused(call, part):
    with pytest.raises(InputError, match=part):
        call()
