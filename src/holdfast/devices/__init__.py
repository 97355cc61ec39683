"""Devices: physical elements with parameters and a response. NumPy, SciPy and numba only."""

from __future__ import annotations

from holdfast.devices.fit import NeuronFit, VariationSummary, fit_neurons, in_network_units
from holdfast.devices.neuron import CharacteristicCurves, LinearNeuron, ReluNeuron, SigmoidNeuron, response_curves, vary

__all__ = [
    "CharacteristicCurves",
    "LinearNeuron",
    "NeuronFit",
    "ReluNeuron",
    "SigmoidNeuron",
    "VariationSummary",
    "fit_neurons",
    "in_network_units",
    "response_curves",
    "vary",
]
