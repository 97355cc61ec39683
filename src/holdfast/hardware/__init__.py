"""Networks made of devices: neurons with their own curves, chips that differ, and what re-calibration wins back."""

from __future__ import annotations

from holdfast.hardware.activations import DeviceActivation, ParametricActivation
from holdfast.hardware.curves import CurveActivation
from holdfast.hardware.equip import ELEMENTWISE, chip, device_layers, fresh_devices, hardware_activations, redraw_devices
from holdfast.hardware.imitation import Imitation, curve_variation, imitate
from holdfast.hardware.oscillators import OscillatorLayer
from holdfast.hardware.readout import Converter, Faults
from holdfast.hardware.recalibrate import Calibrated, recalibrate
from holdfast.hardware.sites import fused_neurons
from holdfast.hardware.spread import (
    ChipResults,
    SpreadSweep,
    activation_variation,
    chip_seed,
    chips,
    other_chips,
    spread_sweep,
    weight_draws,
    weight_noise,
)
from holdfast.hardware.trainings import mean_over_chips, recovered_share, share_of_chips

__all__ = [
    "ELEMENTWISE",
    "Calibrated",
    "ChipResults",
    "Converter",
    "CurveActivation",
    "DeviceActivation",
    "Faults",
    "Imitation",
    "OscillatorLayer",
    "ParametricActivation",
    "SpreadSweep",
    "activation_variation",
    "chip",
    "chip_seed",
    "chips",
    "curve_variation",
    "device_layers",
    "fresh_devices",
    "fused_neurons",
    "hardware_activations",
    "imitate",
    "mean_over_chips",
    "other_chips",
    "recalibrate",
    "recovered_share",
    "redraw_devices",
    "share_of_chips",
    "spread_sweep",
    "weight_draws",
    "weight_noise",
]
