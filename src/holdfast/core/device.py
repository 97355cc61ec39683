"""A physical element with parameters in SI units and a response, and the ensemble that fabrication makes of it.

A device is a frozen dataclass. Its numeric fields may be scalars or arrays that broadcast against each other, so an ensemble of
devices is the same dataclass with one array entry per device: every formula written for one device works for all of them.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from holdfast.core.checks import check_whole, check_within, nearest, refuse
from holdfast.core.seeds import Seeds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Device", "fabricate", "numeric_parameters"]


@runtime_checkable
class Device(Protocol):
    """A frozen dataclass of parameters with a response to a drive."""

    def response(self, drive: ArrayLike) -> NDArray[np.floating]:
        """Output at `drive`; the units of both stand in the device's own docstring."""


AnyDevice = TypeVar("AnyDevice", bound=Device)


def numeric_parameters(device: Device) -> list[str]:
    """Names of the fields that hold numbers and can therefore vary."""
    values = {entry.name: getattr(device, entry.name) for entry in fields(device)}  # type: ignore[arg-type]
    return [name for name, value in values.items() if np.issubdtype(np.asarray(value).dtype, np.number)]


def fabricate(
    device: AnyDevice,
    spread: Mapping[str, float],
    *,
    samples: int,
    seed: int = 0,
    absolute: Mapping[str, float] | None = None,
) -> AnyDevice:
    """An ensemble of `samples` devices whose parameters vary independently about the nominal device.

    Parameters
    ----------
    device : the nominal device, scalar parameters
    spread : parameter name -> relative standard deviation, >= 0. Normal, cut at 4 standard deviations and at a change of sign
    samples : number of devices
    seed : of the draw; each parameter has its own stream, so adding one leaves the others as they were
    absolute : parameter name -> standard deviation in the parameter's own unit, cut at 4 standard deviations

    Returns
    -------
    The same dataclass with arrays ``(samples,)`` in the varied fields.

    Raises
    ------
    InputError : an unknown parameter (the valid ones are listed) or a negative spread
    """
    from scipy.special import ndtr, ndtri

    samples = check_whole(samples, "samples", low=1)
    known = numeric_parameters(device)
    drawn: dict[str, Any] = {}
    for table, relative in ((spread, True), (absolute or {}, False)):
        for name, width in table.items():
            if name not in known:
                close = nearest(name, known)
                hint = f"Did you mean {close!r}?" if close else ""
                refuse(
                    "spread",
                    f"names {name!r}, no parameter of {type(device).__name__}",
                    allowed=", ".join(known),
                    remedy=hint,
                )
            check_within(width, f"spread[{name}]", low=0)
            nominal = float(getattr(device, name))
            low = max(-4.0, -1 / width) if relative and width > 0 else -4.0
            uniform = Seeds(seed).numpy("device", name).uniform(ndtr(low), ndtr(4.0), size=samples)
            normal = ndtri(uniform)  # the cut normal by its inverse: ten times faster than scipy.stats.truncnorm
            drawn[name] = nominal * (1 + width * normal) if relative else nominal + width * normal
    return replace(device, **drawn)  # type: ignore[type-var]
