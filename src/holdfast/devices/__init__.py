"""Devices: physical elements with parameters and a response. NumPy, SciPy and numba only."""

from __future__ import annotations

from holdfast.devices.neuron import CharacteristicCurves, LinearNeuron, ReluNeuron, SigmoidNeuron, response_curves, vary

__all__ = ["CharacteristicCurves", "LinearNeuron", "ReluNeuron", "SigmoidNeuron", "response_curves", "vary"]
