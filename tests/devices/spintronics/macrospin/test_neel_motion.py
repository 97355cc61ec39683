"""The Neel vector rings and rotates as the closed forms say."""

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.devices.spintronics.diode import antiferromagnetic_diode, in_plane_diode
from holdfast.devices.spintronics.macrospin import neel_ringing, neel_rotation, neel_spinning, rotation_field


@pytest.mark.parametrize(("easy", "exchange", "resonance"), [(2e4, 4e6, 14.104e9), (2e6, 2e8, 0.9986e12)])
def test_a_torque_softens_the_resonance_from_gigahertz_to_terahertz(easy, exchange, resonance):
    found = neel_ringing(antiferromagnetic_diode(easy, exchange, alpha=1e-3), [0.0, 0.5, 0.8])
    assert found.frequency[0] == pytest.approx(resonance, rel=2e-3)
    assert found.frequency[2] / found.frequency[0] == pytest.approx(0.6**0.5, rel=5e-3)  # (1 - 0.8^2)^(1/4)
    assert found.error < 5e-3


def test_the_vector_rotates_from_its_threshold_on_and_not_before():
    diode = antiferromagnetic_diode()
    found = neel_spinning(diode, [0.97, 1.03, 2.0], duration=6e-9, settle=4e-9)
    assert found.cycles[0] == found.frequency[0] == found.expected[0] == 0
    assert (found.cycles[1:] > 20).all()
    assert found.expected[2] == neel_rotation(diode.layer, 2 * rotation_field(diode.layer))
    assert found.error < 0.01


def test_a_torque_spins_a_film_like_nickel_oxide_through_the_terahertz_range():
    found = neel_spinning(antiferromagnetic_diode(5e4, 3.9e8, alpha=3.5e-3), [1.1, 8.0], duration=50e-12, settle=50e-12)
    assert found.frequency == pytest.approx([0.274e12, 2.012e12], rel=5e-3)


def test_other_layers_and_shares_are_refused():
    with pytest.raises(InputError, match="AntiferromagnetDevice"):
        neel_ringing(in_plane_diode(), [0.0])
    with pytest.raises(InputError, match="share"):
        neel_ringing(antiferromagnetic_diode(), [1.0])
    with pytest.raises(InputError, match="share"):
        neel_spinning(antiferromagnetic_diode(), np.array([-1.0]), duration=1e-9, settle=0.0)
