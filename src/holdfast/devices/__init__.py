"""Devices: physical elements with parameters and a response. NumPy, SciPy and numba only."""

from __future__ import annotations

from holdfast.core.device import fabricate
from holdfast.devices.catalogue import characterise, find_device, known_devices
from holdfast.devices.characteristic import Characteristic, Output
from holdfast.devices.entry import Bench, DeviceEntry, Parameter, PhysicalQuantity
from holdfast.devices.fit import NeuronFit, VariationSummary, fit_neurons, in_network_units
from holdfast.devices.neuron import CharacteristicCurves, LinearNeuron, ReluNeuron, SigmoidNeuron, response_curves, vary
from holdfast.devices.sweep import Sweep

__all__ = [
    "Bench",
    "Characteristic",
    "CharacteristicCurves",
    "DeviceEntry",
    "LinearNeuron",
    "NeuronFit",
    "Output",
    "Parameter",
    "PhysicalQuantity",
    "ReluNeuron",
    "SigmoidNeuron",
    "Sweep",
    "VariationSummary",
    "characterise",
    "fabricate",
    "find_device",
    "fit_neurons",
    "in_network_units",
    "known_devices",
    "response_curves",
    "vary",
]
