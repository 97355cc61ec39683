"""Numbers in another unit than the documented one are refused, and the message names the unit."""

import numpy as np
import pytest
import torch

from holdfast.core.errors import InputError
from holdfast.devices.spintronics import HardAxisNeuron, MacrospinDevice, ThermalSigmoidNeuron, simulate_neuron, tesla

LAYER = {"ms": 1e6, "thickness": 2e-9, "area": 7.85e-15, "alpha": 0.01}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ms": 1.0}, r"`ms` is 1 A/m; allowed: 1e4 to 3e6 A/m\. 1 looks like tesla \(mu0 Ms\): multiply by 795775"),
        ({"ms": 1000}, r"1000 looks like emu/cm\^3 or kA/m: multiply by 1000"),
        ({"ms": np.array([1e6, 800.0])}, r"`ms` is 800 A/m at \(1,\)"),
        ({"ms": torch.tensor(1.2)}, "looks like tesla"),
        ({"ms": 5e6}, r"allowed: 1e4 to 3e6 A/m\.$"),
        ({"thickness": 2}, r"2 looks like nm: multiply by 1e-09"),
        ({"thickness": [2e-9, 1.5]}, r"1\.5 looks like nm"),
        ({"area": 7854}, r"7854 looks like nm\^2: multiply by 1e-18"),
        ({"area": 0.00785}, r"0\.00785 looks like um\^2: multiply by 1e-12"),
        ({"field": (0.05, 0, 0)}, r"`field` is at most 0\.05 A/m; allowed: 0, or 10 to 1e9 A/m\. 0\.05 looks like tesla"),
        ({"field": np.array([[0.0, 0, 0], [0, 0, 0.3]])}, "looks like tesla"),
        ({"hk1": 0.1}, "`hk1` is at most 0.1 A/m"),
        ({"demag": (0, 0, 1)}, "looks like demagnetising factors: multiply by `ms`"),
    ],
)
def test_a_number_in_another_unit_is_refused_with_that_unit(wrong, message):
    with pytest.raises(InputError, match=message):
        MacrospinDevice(**LAYER | wrong)


@pytest.mark.parametrize("wrong", [{"ms": 1.0}, {"thickness": 1.5}, {"area": 700.0}])
def test_neurons_have_the_bounds_of_their_layers(wrong):
    with pytest.raises(InputError, match="looks like"):
        ThermalSigmoidNeuron(**wrong)


def test_no_field_and_fields_about_zero_are_legal():
    assert MacrospinDevice(**LAYER, field=(0, 0, 0)).field == (0, 0, 0)
    sweep = np.linspace(-1e4, 1e4, 2001)[:, None] * np.array([1.0, 0, 0])
    assert MacrospinDevice(**LAYER, field=sweep).field.shape == (2001, 3)
    assert MacrospinDevice(**LAYER, field=(float(tesla(0.05)), 0, 0)).field[0] == pytest.approx(39789, rel=1e-4)


def test_the_field_of_a_small_current_is_legal():
    """A strip line that carries 1 uA makes less than the earth's field, which a unit mixed up cannot explain."""
    neuron = HardAxisNeuron(temperature=0.0, bias=0.0)
    found = simulate_neuron(neuron, [1e-6])
    np.testing.assert_allclose(found.state[:, 0], neuron.mean_state([1e-6]), atol=1e-5)
