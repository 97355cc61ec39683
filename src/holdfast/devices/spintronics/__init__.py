"""Spintronics: macrospins, tunnel junctions, rectifiers, neurons and oscillators, with NumPy, SciPy and numba."""

from __future__ import annotations

from holdfast.devices.spintronics.constants import GAMMA, GAMMA0, MU0, oersted, spin_transfer_field, tesla, thermal_field
from holdfast.devices.spintronics.hard_axis_neuron import HardAxisNeuron
from holdfast.devices.spintronics.neuron import JunctionNeuron, neuron_curves
from holdfast.devices.spintronics.oscillation_power import mean_power, stationary_power
from holdfast.devices.spintronics.oscillator_neuron import AutoOscillatorNeuron
from holdfast.devices.spintronics.thermal_neuron import ThermalSigmoidNeuron

__all__ = [
    "GAMMA",
    "GAMMA0",
    "MU0",
    "AutoOscillatorNeuron",
    "HardAxisNeuron",
    "JunctionNeuron",
    "ThermalSigmoidNeuron",
    "mean_power",
    "neuron_curves",
    "oersted",
    "spin_transfer_field",
    "stationary_power",
    "tesla",
    "thermal_field",
]
