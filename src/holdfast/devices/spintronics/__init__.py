"""Spintronics: macrospins, tunnel junctions, rectifiers, neurons and oscillators, with NumPy, SciPy and numba."""

from __future__ import annotations

from holdfast.devices.spintronics.antiferromagnet import (
    antiferromagnetic_modes,
    neel_rotation,
    neel_start,
    neel_tilt,
    retention_field,
    rotation_field,
    spin_pumping_voltage,
    tilted_resonance,
)
from holdfast.devices.spintronics.autooscillator_fit import AutoOscillatorFit, fit_autooscillator
from holdfast.devices.spintronics.binding import EventCourse, SequenceBinder
from holdfast.devices.spintronics.binding_rule import BindingRule
from holdfast.devices.spintronics.constants import GAMMA, GAMMA0, MU0, oersted, spin_transfer_field, tesla, thermal_field
from holdfast.devices.spintronics.demagnetization import cylinder_factors, exchange_lengths, prism_factors, spheroid_factors
from holdfast.devices.spintronics.diode import read_voltage, rectified_voltage, sensitivity_spectrum
from holdfast.devices.spintronics.drive import Drive, SeriesDiode, absorbed_power, incident_amplitude
from holdfast.devices.spintronics.easy_plane import easy_plane_half_width, easy_plane_resonance, easy_plane_threshold
from holdfast.devices.spintronics.ensemble import DeviceEnsemble
from holdfast.devices.spintronics.equilibrium import Equilibrium, equilibrium, threshold_current
from holdfast.devices.spintronics.hard_axis_neuron import HardAxisNeuron
from holdfast.devices.spintronics.harvest import Harvest, harvest
from holdfast.devices.spintronics.junction import TunnelJunction
from holdfast.devices.spintronics.linear import LinearResponse, linear_response
from holdfast.devices.spintronics.linewidth import phase_advances, phase_diffusion, phase_noise_rate
from holdfast.devices.spintronics.locking import Locking, injection_locking
from holdfast.devices.spintronics.locking_rule import LockingRule
from holdfast.devices.spintronics.lorentzian import Lorentzian, fit_lorentzian
from holdfast.devices.spintronics.macrospin import AntiferromagnetDevice, MacrospinDevice, anisotropy_field
from holdfast.devices.spintronics.neuron import JunctionNeuron, neuron_curves
from holdfast.devices.spintronics.neuron_run import NeuronRun, simulate_neuron
from holdfast.devices.spintronics.noise import NoiseSpectrum, johnson_noise, magnetic_noise, noise_equivalent_power, noise_spectrum
from holdfast.devices.spintronics.oscillation_power import mean_power, stationary_power
from holdfast.devices.spintronics.oscillator_neuron import AutoOscillatorNeuron
from holdfast.devices.spintronics.oscillators import (
    AutoOscillatorNetwork,
    Oscillation,
    Source,
    all_to_all,
    nearest,
    simulate_network,
    supercriticality_at,
)
from holdfast.devices.spintronics.rectification import Rectification, current_for_pull
from holdfast.devices.spintronics.rectifier_neuron import RectifierNeuron
from holdfast.devices.spintronics.response import Response
from holdfast.devices.spintronics.simulate import simulate
from holdfast.devices.spintronics.source_mixing import SourceMixing, design_mixing
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
from holdfast.devices.spintronics.synchronization_classifier import (
    SynchronizationClassifier,
    linear_baselines,
    locked_to,
    pattern_names,
)
from holdfast.devices.spintronics.thermal_neuron import ThermalSigmoidNeuron
from holdfast.devices.spintronics.torque import SpinTorque
from holdfast.devices.spintronics.vortex import VortexNetwork, vortex_to_autooscillator

__all__ = [
    "GAMMA",
    "GAMMA0",
    "MU0",
    "AntiferromagnetDevice",
    "AutoOscillatorFit",
    "AutoOscillatorNetwork",
    "AutoOscillatorNeuron",
    "BindingRule",
    "DeviceEnsemble",
    "Drive",
    "Equilibrium",
    "EventCourse",
    "HardAxisNeuron",
    "Harvest",
    "JunctionNeuron",
    "LinearResponse",
    "LockCriterion",
    "Locking",
    "LockingRange",
    "LockingRule",
    "Lorentzian",
    "MacrospinDevice",
    "NeuronRun",
    "NoiseSpectrum",
    "Oscillation",
    "Rectification",
    "RectifierNeuron",
    "Response",
    "SequenceBinder",
    "SeriesDiode",
    "Source",
    "SourceMixing",
    "SpinDiode",
    "SpinTorque",
    "SynchronizationClassifier",
    "SynchronizationMap",
    "ThermalSigmoidNeuron",
    "TunnelJunction",
    "VortexNetwork",
    "absorbed_power",
    "adiabatic_half_range",
    "all_to_all",
    "anisotropy_field",
    "antiferromagnetic_modes",
    "current_for_pull",
    "cylinder_factors",
    "design_mixing",
    "easy_plane_half_width",
    "easy_plane_resonance",
    "easy_plane_threshold",
    "equilibrium",
    "exchange_lengths",
    "fit_autooscillator",
    "fit_lorentzian",
    "harvest",
    "incident_amplitude",
    "injection_half_range",
    "injection_locking",
    "johnson_noise",
    "linear_baselines",
    "linear_response",
    "locked_to",
    "locking_range",
    "magnetic_noise",
    "mean_power",
    "nearest",
    "neel_rotation",
    "neel_start",
    "neel_tilt",
    "neuron_curves",
    "noise_equivalent_power",
    "noise_spectrum",
    "oersted",
    "partition_of",
    "partitions",
    "pattern_names",
    "phase_advances",
    "phase_diffusion",
    "phase_noise_rate",
    "prism_factors",
    "read_voltage",
    "rectified_voltage",
    "retention_field",
    "rotation_field",
    "sensitivity_spectrum",
    "simulate",
    "simulate_network",
    "simulate_neuron",
    "spheroid_factors",
    "spin_pumping_voltage",
    "spin_transfer_field",
    "stationary_power",
    "supercriticality_at",
    "synchronization_map",
    "tesla",
    "thermal_field",
    "threshold_current",
    "tilted_resonance",
    "vortex_to_autooscillator",
]
