"""Spintronic devices as they stand on the bench of ``holdfast device``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.devices.spintronics.entries.neurons import neuron_entries
from holdfast.devices.spintronics.entries.oscillators import oscillator_entries
from holdfast.devices.spintronics.entries.rectifiers import rectifier_entries

if TYPE_CHECKING:
    from holdfast.devices.entry import DeviceEntry

__all__ = ["spintronic_devices"]


def spintronic_devices() -> tuple[DeviceEntry, ...]:
    """All entries: neurons, rectifiers, oscillators."""
    return (*neuron_entries(), *rectifier_entries(), *oscillator_entries())
