"""Spin diodes: what a layer makes of a microwave, simulated or to second order in the drive, with its noise and its power."""

from __future__ import annotations

from holdfast.devices.spintronics.diode.designs import antiferromagnetic_diode, cone_diode, in_plane_diode, van_der_waals_diode
from holdfast.devices.spintronics.diode.harvest import Harvest, harvest
from holdfast.devices.spintronics.diode.linear import LinearResponse, linear_response
from holdfast.devices.spintronics.diode.locking import Locking, injection_locking
from holdfast.devices.spintronics.diode.lorentzian import Lorentzian, fit_lorentzian
from holdfast.devices.spintronics.diode.low_frequency import keeping_drive, low_frequency_share
from holdfast.devices.spintronics.diode.noise import (
    NoiseSpectrum,
    johnson_noise,
    magnetic_noise,
    noise_equivalent_power,
    noise_spectrum,
)
from holdfast.devices.spintronics.diode.rectification import Rectification
from holdfast.devices.spintronics.diode.voltage import read_voltage, rectified_voltage, sensitivity_spectrum

__all__ = [
    "Harvest",
    "LinearResponse",
    "Locking",
    "Lorentzian",
    "NoiseSpectrum",
    "Rectification",
    "antiferromagnetic_diode",
    "cone_diode",
    "fit_lorentzian",
    "harvest",
    "in_plane_diode",
    "injection_locking",
    "johnson_noise",
    "keeping_drive",
    "linear_response",
    "low_frequency_share",
    "magnetic_noise",
    "noise_equivalent_power",
    "noise_spectrum",
    "read_voltage",
    "rectified_voltage",
    "sensitivity_spectrum",
    "van_der_waals_diode",
]
