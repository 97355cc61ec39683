"""A free layer as one moment: the device, what drives and reads it, its motion and its rest."""

from __future__ import annotations

from holdfast.devices.spintronics.macrospin.antiferromagnet import (
    antiferromagnetic_modes,
    neel_rotation,
    neel_start,
    neel_tilt,
    retention_field,
    rotation_field,
    spin_pumping_voltage,
    tilted_resonance,
)
from holdfast.devices.spintronics.macrospin.demagnetization import cylinder_factors, prism_factors, spheroid_factors
from holdfast.devices.spintronics.macrospin.drive import Drive, SeriesDiode, absorbed_power, incident_amplitude
from holdfast.devices.spintronics.macrospin.easy_plane import (
    easy_plane_fluctuations,
    easy_plane_half_width,
    easy_plane_resonance,
    easy_plane_threshold,
)
from holdfast.devices.spintronics.macrospin.equilibrium import Equilibrium, equilibrium, threshold_current
from holdfast.devices.spintronics.macrospin.junction import TunnelJunction
from holdfast.devices.spintronics.macrospin.layer import AntiferromagnetDevice, MacrospinDevice, anisotropy_field
from holdfast.devices.spintronics.macrospin.neel_motion import NeelMotion, neel_ringing, neel_spinning
from holdfast.devices.spintronics.macrospin.response import Response
from holdfast.devices.spintronics.macrospin.ringing import ring_down
from holdfast.devices.spintronics.macrospin.schedule import longest_step
from holdfast.devices.spintronics.macrospin.simulation import simulate
from holdfast.devices.spintronics.macrospin.size import exchange_lengths
from holdfast.devices.spintronics.macrospin.stack import SpinDiode, current_for_pull
from holdfast.devices.spintronics.macrospin.torque import SpinTorque

__all__ = [
    "AntiferromagnetDevice",
    "Drive",
    "Equilibrium",
    "MacrospinDevice",
    "NeelMotion",
    "Response",
    "SeriesDiode",
    "SpinDiode",
    "SpinTorque",
    "TunnelJunction",
    "absorbed_power",
    "anisotropy_field",
    "antiferromagnetic_modes",
    "current_for_pull",
    "cylinder_factors",
    "easy_plane_fluctuations",
    "easy_plane_half_width",
    "easy_plane_resonance",
    "easy_plane_threshold",
    "equilibrium",
    "exchange_lengths",
    "incident_amplitude",
    "longest_step",
    "neel_ringing",
    "neel_rotation",
    "neel_spinning",
    "neel_start",
    "neel_tilt",
    "prism_factors",
    "retention_field",
    "ring_down",
    "rotation_field",
    "simulate",
    "spheroid_factors",
    "spin_pumping_voltage",
    "threshold_current",
    "tilted_resonance",
]
