"""Networks of nonlinear auto-oscillators: the model, its coupling, its integration and what it observes."""

from __future__ import annotations

from holdfast.devices.spintronics.oscillators.coupling import all_to_all, nearest
from holdfast.devices.spintronics.oscillators.network import OscillatorNetwork, Source
from holdfast.devices.spintronics.oscillators.oscillation import Oscillation, pairs_of
from holdfast.devices.spintronics.oscillators.simulation import simulate_network
from holdfast.devices.spintronics.oscillators.universal import AutoOscillatorNetwork, supercriticality_at

__all__ = [
    "AutoOscillatorNetwork",
    "Oscillation",
    "OscillatorNetwork",
    "Source",
    "all_to_all",
    "nearest",
    "pairs_of",
    "simulate_network",
    "supercriticality_at",
]
