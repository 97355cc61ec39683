"""Magnetic neurons: free layers that a drive moves and a tunnel junction reads, in closed form or simulated."""

from __future__ import annotations

from holdfast.devices.spintronics.neurons.auto_oscillator import AutoOscillatorNeuron
from holdfast.devices.spintronics.neurons.hard_axis import HardAxisNeuron
from holdfast.devices.spintronics.neurons.junction_neuron import JunctionNeuron, neuron_curves
from holdfast.devices.spintronics.neurons.rectifier import RectifierNeuron
from holdfast.devices.spintronics.neurons.simulation import NeuronRun, simulate_neuron
from holdfast.devices.spintronics.neurons.thermal import ThermalSigmoidNeuron

__all__ = [
    "AutoOscillatorNeuron",
    "HardAxisNeuron",
    "JunctionNeuron",
    "NeuronRun",
    "RectifierNeuron",
    "ThermalSigmoidNeuron",
    "neuron_curves",
    "simulate_neuron",
]
