"""The reference designs are what their docstrings say."""

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.devices.spintronics import Drive, equilibrium, linear_response, threshold_current
from holdfast.devices.spintronics.diode import antiferromagnetic_diode, cone_diode, in_plane_diode, van_der_waals_diode
from holdfast.devices.spintronics.macrospin import antiferromagnetic_modes


def test_the_disc_in_its_plane_rectifies_passively_at_60_degrees_and_oscillates_at_150():
    small = linear_response(in_plane_diode(), Drive(i_ac=1e-5))
    assert np.abs(small.rectify(small.resonance).sensitivity_absorbed) > 200  # V/W
    assert threshold_current(in_plane_diode(150.0)) == pytest.approx(0.392e-3, rel=2e-3)


@pytest.mark.parametrize(("name", "square"), [("cone", 21e3 / 80e3), ("deep_cone", 41e3 / 60e3), ("perpendicular", 0.0)])
def test_the_cones_have_their_angles(name, square):
    rest = equilibrium(cone_diode(name), start=(0.3, 0.1, 0.95))
    assert rest.stable
    # sin^2 = -hk1 / hk2, with hk1 lowered by the easy axis of 1 kA/m in the plane
    assert rest.m[0] ** 2 + rest.m[1] ** 2 == pytest.approx(square, abs=1e-9)


def test_fields_of_an_antiferromagnet_set_its_resonance():
    assert antiferromagnetic_modes(antiferromagnetic_diode(2e6, 2e8).layer)[0] == pytest.approx(1e12, rel=0.01)
    assert antiferromagnetic_modes(van_der_waals_diode().layer) == pytest.approx((0.22e12, 1.12e12), rel=0.01)


def test_spins_along_the_hard_normal_turn_the_neel_vector_at_a_lower_current_than_as_many_in_the_plane():
    with_normal, without = (
        threshold_current(van_der_waals_diode(source), start=(1, 0, 0)) for source in ("low_symmetry", "in_plane")
    )
    assert with_normal < without / 3


def test_numbers_of_the_layer_are_taken_and_unknown_names_are_refused():
    assert in_plane_diode(temperature=300.0, alpha=0.02).layer.temperature == 300.0
    assert cone_diode(demag=(0.0, 0.0, 0.0)).layer.demag == (0.0, 0.0, 0.0)
    with pytest.raises(InputError, match="deep_cone"):
        cone_diode("shallow")
    with pytest.raises(InputError, match="low_symmetry"):
        van_der_waals_diode("platinum")
