"""Spintronics: macrospins, tunnel junctions, rectifiers, neurons and oscillators, with NumPy, SciPy and numba."""

from __future__ import annotations

from holdfast.devices.spintronics.binding import EventCourse, SequenceBinder, supercriticality_at
from holdfast.devices.spintronics.binding_rule import BindingRule
from holdfast.devices.spintronics.constants import GAMMA, GAMMA0, MU0, oersted, spin_transfer_field, tesla, thermal_field
from holdfast.devices.spintronics.drive import Drive, SeriesDiode, absorbed_power, incident_amplitude
from holdfast.devices.spintronics.ensemble import DeviceEnsemble
from holdfast.devices.spintronics.hard_axis_neuron import HardAxisNeuron
from holdfast.devices.spintronics.junction import TunnelJunction
from holdfast.devices.spintronics.linewidth import phase_diffusion, phase_noise_rate
from holdfast.devices.spintronics.macrospin import AntiferromagnetDevice, MacrospinDevice, anisotropy_field
from holdfast.devices.spintronics.neuron import JunctionNeuron, neuron_curves
from holdfast.devices.spintronics.neuron_run import NeuronRun, simulate_neuron
from holdfast.devices.spintronics.oscillation_power import mean_power, stationary_power
from holdfast.devices.spintronics.oscillator_neuron import AutoOscillatorNeuron
from holdfast.devices.spintronics.oscillators import AutoOscillatorNetwork, Oscillation, Source, all_to_all, nearest
from holdfast.devices.spintronics.rectifier_neuron import RectifierNeuron
from holdfast.devices.spintronics.response import Response
from holdfast.devices.spintronics.simulate import simulate
from holdfast.devices.spintronics.stack import SpinDiode
from holdfast.devices.spintronics.synchronization import (
    LockCriterion,
    LockingRange,
    SynchronizationMap,
    adiabatic_half_range,
    injection_half_range,
    locking_range,
    partition_of,
    partitions,
    synchronization_map,
)
from holdfast.devices.spintronics.thermal_neuron import ThermalSigmoidNeuron
from holdfast.devices.spintronics.torque import SpinTorque

__all__ = [
    "GAMMA",
    "GAMMA0",
    "MU0",
    "AntiferromagnetDevice",
    "AutoOscillatorNetwork",
    "AutoOscillatorNeuron",
    "BindingRule",
    "DeviceEnsemble",
    "Drive",
    "EventCourse",
    "HardAxisNeuron",
    "JunctionNeuron",
    "LockCriterion",
    "LockingRange",
    "MacrospinDevice",
    "NeuronRun",
    "Oscillation",
    "RectifierNeuron",
    "Response",
    "SequenceBinder",
    "SeriesDiode",
    "Source",
    "SpinDiode",
    "SpinTorque",
    "SynchronizationMap",
    "ThermalSigmoidNeuron",
    "TunnelJunction",
    "absorbed_power",
    "adiabatic_half_range",
    "all_to_all",
    "anisotropy_field",
    "incident_amplitude",
    "injection_half_range",
    "locking_range",
    "mean_power",
    "nearest",
    "neuron_curves",
    "oersted",
    "partition_of",
    "partitions",
    "phase_diffusion",
    "phase_noise_rate",
    "simulate",
    "simulate_neuron",
    "spin_transfer_field",
    "stationary_power",
    "supercriticality_at",
    "synchronization_map",
    "tesla",
    "thermal_field",
]
