"""Devices by name: what ``holdfast device`` lists, and what installed packages add.

A package adds a device under the entry point ``holdfast.devices``: a :class:`~holdfast.devices.DeviceEntry`, or a frozen
dataclass (or its class) with ``response(drive)`` and the property ``operating_range``.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import check_one_of, refuse
from holdfast.core.registry import plugins
from holdfast.devices.entry import DeviceEntry, PhysicalQuantity, closed_form
from holdfast.devices.neuron import ReluNeuron, SigmoidNeuron
from holdfast.devices.sweep import Sweep

if TYPE_CHECKING:
    from holdfast.devices.characteristic import Characteristic

__all__ = ["characterise", "find_device", "known_devices"]

FOUR_NUMBERS = "four numbers per device: holdfast.devices.neuron; neurons made of devices: arXiv:2106.16043"


def _neurons() -> tuple[DeviceEntry, ...]:
    """The dimensionless closed forms of :mod:`holdfast.devices.neuron`."""
    drive = PhysicalQuantity(name="drive", meaning="pre-activation")
    output = PhysicalQuantity(name="output", meaning="activation")
    return (
        closed_form(
            "sigmoid-neuron",
            SigmoidNeuron(),
            title="Sigmoid neuron: its output rises once between two levels",
            source=FOUR_NUMBERS,
            drive=drive,
            output=output,
            sweep=Sweep(name="drive", values=np.linspace(-8, 8, 65)),
        ),
        closed_form(
            "relu-neuron",
            ReluNeuron(),
            title="Rectifying neuron: silent below a threshold, then it rises and slowly saturates",
            source=FOUR_NUMBERS,
            drive=drive,
            output=output,
            sweep=Sweep(name="drive", values=np.linspace(-2, 4, 97)),
        ),
    )


def known_devices() -> dict[str, DeviceEntry]:
    """All devices by name, those of installed packages included."""
    from holdfast.devices.spintronics.entries import spintronic_devices

    built_in = {entry.name: entry for entry in (*_neurons(), *spintronic_devices())}
    return built_in | {name: _entry(name, thing) for name, thing in plugins("holdfast.devices").items()}


def find_device(name: str) -> DeviceEntry:
    """The device with this name.

    Raises
    ------
    InputError : no such device; the nearest name is given

    Examples
    --------
    >>> find_device("sigmoid-neuron").units["drive"]
    ''
    """
    known = known_devices()
    return known[check_one_of(name, "device", allowed=known)]


def characterise(name: str, parameters: dict[str, Any] | None = None, **settings: Any) -> Characteristic:
    """What the device `name` answers while one of its parameters is swept.

    Parameters
    ----------
    name : from :func:`known_devices`
    parameters : name -> value in SI units
    settings : as :meth:`holdfast.devices.DeviceEntry.characteristic` takes them

    Examples
    --------
    >>> found = characterise("sigmoid-neuron", sweeps=["drive=-4:4:9"], samples=20, spread={"steepness": 0.1})
    >>> found.curves().y.shape
    (20, 9)
    """
    return find_device(name).characteristic(parameters, **settings)


def _entry(name: str, thing: Any) -> DeviceEntry:
    """The entry of what a package registered."""
    if isinstance(thing, DeviceEntry):
        return thing
    device = thing() if inspect.isclass(thing) else thing
    if not (hasattr(device, "response") and hasattr(device, "operating_range")):
        refuse(
            "holdfast.devices",
            f"has the entry {name!r}, a {type(device).__name__}",
            allowed="a DeviceEntry, or a dataclass with response(drive) and operating_range",
        )
    words = (inspect.getdoc(type(device)) or name).splitlines()[0].rstrip(".")
    return closed_form(name, device, title=words, drive=PhysicalQuantity(name="drive"), output=PhysicalQuantity(name="output"))
