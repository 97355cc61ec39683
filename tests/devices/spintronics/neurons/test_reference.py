"""Simulated curves of magnetic neurons in the units of a network."""

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.core.memo import Memo
from holdfast.devices.spintronics.neurons.reference import network_curves

SETTINGS = {"samples": 10, "points": 21, "runs": 2, "seed": 3}


def test_simulated_curves_are_built_once_and_kept_in_network_units(tmp_path):
    curves, again = (network_curves("oscillator", 0.1, keep=Memo(tmp_path), **SETTINGS) for _ in range(2))
    assert (again.y == curves.y).all()
    assert curves.monotone.all()
    assert np.interp(0.0, curves.x, curves.nominal) < 0.2 * curves.nominal.max()  # the threshold is at 0
    assert curves.y[:, -1].std() > 0.05 * curves.nominal[-1]


def test_an_unknown_neuron_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(InputError, match="thermal, hard_axis, oscillator"):
        network_curves("thermol", 0.1, keep=Memo(tmp_path), **SETTINGS)
