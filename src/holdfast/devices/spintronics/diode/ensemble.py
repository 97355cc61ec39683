"""Diodes as fabrication makes them: the same design, a little different from device to device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import check_quantity, check_whole, nearest, refuse
from holdfast.core.device import Width, deviations, numeric_parameters
from holdfast.core.seeds import Seeds
from holdfast.devices.spintronics.macrospin.layer import unit_vector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.devices.spintronics.macrospin.stack import SpinDiode

__all__ = ["DeviceEnsemble"]

MISALIGNMENT = "misalignment"
DIRECTIONS = {"axis", "polarization", "reference"}


@dataclass(frozen=True, kw_only=True)
class DeviceEnsemble:
    """A diode and `samples` copies of it whose parameters vary independently.

    Parameters
    ----------
    nominal : the design
    spread : name of a parameter of layer, junction or torque -> relative standard deviation (normal, cut at 4 standard deviations
        and at a change of sign), or a distribution of the relative deviation: a frozen one of ``scipy.stats`` or a callable
        ``(generator, samples) -> array``. Vectors keep their direction. ``"misalignment"`` is the standard deviation in rad of the
        angles by which the spin direction is tilted
    samples : number of devices
    seed : of the draw; each parameter has its own stream, so adding one leaves the others as they were

    Raises
    ------
    InputError : an unknown parameter (the valid ones are listed) or a negative spread

    Examples
    --------
    >>> from holdfast.devices.spintronics import MacrospinDevice, SpinDiode
    >>> layer = MacrospinDevice(ms=1e6, thickness=2e-9, area=7.85e-15, alpha=0.01)
    >>> ensemble = DeviceEnsemble(nominal=SpinDiode(layer=layer), spread={"alpha": 0.05}, samples=3)
    >>> ensemble.diode.layer.alpha.shape
    (3,)
    """

    nominal: SpinDiode
    spread: Mapping[str, Width]
    samples: int
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole(self.samples, "samples", low=1)
        known = self.parameters
        for name in self.spread:
            if name not in known:
                close = nearest(name, known)
                refuse("spread", f"names {name!r}", allowed=", ".join(known), remedy=f"Did you mean {close!r}?" if close else "")

    @property
    def parameters(self) -> list[str]:
        """Names that `spread` may use."""
        parts = [self.nominal.layer, self.nominal.junction, *self.nominal.torques]
        names = dict.fromkeys(name for part in parts for name in numeric_parameters(part) if name not in DIRECTIONS)
        return [*names, MISALIGNMENT]

    @cached_property
    def diode(self) -> SpinDiode:
        """The ensemble as one diode with arrays (samples,) in the varied fields."""
        nominal = self.nominal
        torques = tuple(self._tilted(self._vary(source, f"torque {place}"), place) for place, source in enumerate(nominal.torques))
        one = torques[0] if len(torques) == 1 else torques
        return replace(
            nominal, layer=self._vary(nominal.layer, "layer"), junction=self._vary(nominal.junction, "junction"), torque=one
        )

    def _vary(self, part: Any, stream: str) -> Any:
        """The part with its varied fields."""
        drawn = {}
        for name, width in self.spread.items():
            if name in numeric_parameters(part):
                factor = 1 + deviations(
                    width, f"spread[{name}]", samples=self.samples, generator=Seeds(self.seed).numpy(stream, name)
                )
                value = np.asarray(getattr(part, name), dtype=float)
                if not value.any():
                    remedy = f"Give the part an array of {name}s instead."
                    refuse("spread", f"names {name!r}, which is 0", allowed="parameters that are not 0", remedy=remedy)
                drawn[name] = factor.reshape(-1, *([1] * value.ndim)) * value
        return replace(part, **drawn)

    def _tilted(self, source: Any, place: int) -> Any:
        """The source with its spin direction tilted about two axes."""
        if MISALIGNMENT not in self.spread:
            return source
        angle = float(check_quantity(self.spread[MISALIGNMENT], MISALIGNMENT, unit="rad", low=0))
        spins = np.asarray(unit_vector(source.polarization, "polarization"))
        drawn = Seeds(self.seed).numpy(MISALIGNMENT, place).normal(0.0, angle, (self.samples, 3))
        across = drawn - (drawn * spins).sum(-1, keepdims=True) * spins
        length = np.linalg.norm(across, axis=-1, keepdims=True)
        return source.replace(polarization=np.cos(length) * spins + np.sinc(length / np.pi) * across)
