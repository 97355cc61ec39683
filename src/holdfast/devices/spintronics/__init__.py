"""Spintronics with NumPy, SciPy and numba: the names that are needed most.

The rooms `macrospin`, `diode`, `neurons` and `oscillators` export the others.
"""

from __future__ import annotations

from holdfast.devices.spintronics.constants import oersted, spin_transfer_field, tesla
from holdfast.devices.spintronics.diode import (
    Rectification,
    harvest,
    injection_locking,
    linear_response,
    noise_equivalent_power,
    rectified_voltage,
    sensitivity_spectrum,
)
from holdfast.devices.spintronics.macrospin import (
    AntiferromagnetDevice,
    Drive,
    MacrospinDevice,
    Response,
    SeriesDiode,
    SpinDiode,
    SpinTorque,
    TunnelJunction,
    anisotropy_field,
    cylinder_factors,
    equilibrium,
    exchange_lengths,
    simulate,
    threshold_current,
)
from holdfast.devices.spintronics.neurons import (
    AutoOscillatorNeuron,
    HardAxisNeuron,
    RectifierNeuron,
    ThermalSigmoidNeuron,
    neuron_curves,
    simulate_neuron,
)
from holdfast.devices.spintronics.oscillators import (
    AutoOscillatorNetwork,
    Oscillation,
    SequenceBinder,
    Source,
    SynchronizationClassifier,
    VortexNetwork,
    all_to_all,
    locking_range,
    simulate_network,
    synchronization_map,
)

__all__ = [
    "AntiferromagnetDevice",
    "AutoOscillatorNetwork",
    "AutoOscillatorNeuron",
    "Drive",
    "HardAxisNeuron",
    "MacrospinDevice",
    "Oscillation",
    "Rectification",
    "RectifierNeuron",
    "Response",
    "SequenceBinder",
    "SeriesDiode",
    "Source",
    "SpinDiode",
    "SpinTorque",
    "SynchronizationClassifier",
    "ThermalSigmoidNeuron",
    "TunnelJunction",
    "VortexNetwork",
    "all_to_all",
    "anisotropy_field",
    "cylinder_factors",
    "equilibrium",
    "exchange_lengths",
    "harvest",
    "injection_locking",
    "linear_response",
    "locking_range",
    "neuron_curves",
    "noise_equivalent_power",
    "oersted",
    "rectified_voltage",
    "sensitivity_spectrum",
    "simulate",
    "simulate_network",
    "simulate_neuron",
    "spin_transfer_field",
    "synchronization_map",
    "tesla",
    "threshold_current",
]
