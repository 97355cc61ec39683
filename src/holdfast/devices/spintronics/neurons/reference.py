"""Magnetic neurons by name, and their simulated curves in the units of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from holdfast.core.checks import check_one_of
from holdfast.devices.fit import in_network_units
from holdfast.devices.neuron import CharacteristicCurves
from holdfast.devices.spintronics.neurons.auto_oscillator import AutoOscillatorNeuron
from holdfast.devices.spintronics.neurons.hard_axis import HardAxisNeuron
from holdfast.devices.spintronics.neurons.junction_neuron import JunctionNeuron, neuron_curves
from holdfast.devices.spintronics.neurons.thermal import ThermalSigmoidNeuron

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["REFERENCE", "network_curves"]

Arrays = Mapping[str, "NDArray[np.floating]"]
REFERENCE: dict[str, tuple[JunctionNeuron, Literal["sigmoid", "relu"]]] = {
    "thermal": (ThermalSigmoidNeuron(), "sigmoid"),
    "hard_axis": (HardAxisNeuron(), "sigmoid"),
    "oscillator": (AutoOscillatorNeuron(), "relu"),
}
"""The nominal device and the family of its characteristic, by name."""
SPREAD = ("alpha", "thickness", "area")  # what fabrication varies


def network_curves(
    name: str, spread: float, *, keep: Callable[[str, Mapping[str, Any], Callable[[], Arrays]], Arrays], **settings: Any
) -> CharacteristicCurves:
    """Simulated curves of an ensemble in network units, each made monotone.

    Parameters
    ----------
    name : of :data:`REFERENCE`
    spread : relative standard deviation of damping, thickness and area
    keep : ``keep(name, settings, build)`` gives the arrays of an artefact that is built once, as
        :class:`holdfast.core.memo.Memo` does
    settings : samples, points, runs and seed of :func:`~holdfast.devices.spintronics.neuron_curves`

    Examples
    --------
    >>> build = lambda name, settings, build: build()
    >>> network_curves("oscillator", 0.1, keep=build, samples=3, points=5, runs=2, seed=1).y.shape
    (3, 5)
    """
    device, family = REFERENCE[check_one_of(name, "name", allowed=REFERENCE)]

    def build() -> Arrays:
        made = neuron_curves(device, spread=dict.fromkeys(SPREAD, spread), method="simulation", **settings)
        return {"x": made.x, "y": made.y, "stderr": np.asarray(made.stderr)}

    found = keep("curves", {"kind": name, "spread": spread, **settings}, build)
    curves = CharacteristicCurves(x=found["x"], y=found["y"], stderr=found["stderr"], nominal=device.response(found["x"]))
    return in_network_units(curves.made_monotone(), family)
