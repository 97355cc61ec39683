"""Networks of nonlinear auto-oscillators and vortices: models, coupling, integration, synchronisation, and what they compute."""

from __future__ import annotations

from holdfast.devices.spintronics.oscillators.autooscillator_fit import AutoOscillatorFit, fit_autooscillator
from holdfast.devices.spintronics.oscillators.binding import EventCourse, SequenceBinder
from holdfast.devices.spintronics.oscillators.binding_rule import BindingRule
from holdfast.devices.spintronics.oscillators.coupling import all_to_all, nearest
from holdfast.devices.spintronics.oscillators.linewidth import phase_advances, phase_diffusion, phase_noise_rate
from holdfast.devices.spintronics.oscillators.locking_rule import LockingRule
from holdfast.devices.spintronics.oscillators.network import OscillatorNetwork, Source
from holdfast.devices.spintronics.oscillators.oscillation import Oscillation, pairs_of
from holdfast.devices.spintronics.oscillators.oscillation_power import mean_power, stationary_power
from holdfast.devices.spintronics.oscillators.simulation import simulate_network
from holdfast.devices.spintronics.oscillators.source_mixing import SourceMixing, design_mixing
from holdfast.devices.spintronics.oscillators.synchronization import (
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
from holdfast.devices.spintronics.oscillators.synchronization_classifier import (
    SynchronizationClassifier,
    linear_baselines,
    locked_to,
    pattern_names,
)
from holdfast.devices.spintronics.oscillators.universal import AutoOscillatorNetwork, supercriticality_at
from holdfast.devices.spintronics.oscillators.vortex import VortexNetwork, vortex_to_autooscillator

__all__ = [
    "AutoOscillatorFit",
    "AutoOscillatorNetwork",
    "BindingRule",
    "EventCourse",
    "LockCriterion",
    "LockingRange",
    "LockingRule",
    "Oscillation",
    "OscillatorNetwork",
    "SequenceBinder",
    "Source",
    "SourceMixing",
    "SynchronizationClassifier",
    "SynchronizationMap",
    "VortexNetwork",
    "adiabatic_half_range",
    "all_to_all",
    "design_mixing",
    "fit_autooscillator",
    "injection_half_range",
    "linear_baselines",
    "locked_to",
    "locking_range",
    "mean_power",
    "nearest",
    "pairs_of",
    "partition_of",
    "partitions",
    "pattern_names",
    "phase_advances",
    "phase_diffusion",
    "phase_noise_rate",
    "simulate_network",
    "stationary_power",
    "supercriticality_at",
    "synchronization_map",
    "vortex_to_autooscillator",
]
