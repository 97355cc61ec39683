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

__all__ = ["Device", "Width", "deviations", "fabricate", "numeric_parameters"]

Width = Any  # a number, a frozen distribution of scipy.stats, or a callable (generator, samples) -> array


@runtime_checkable
class Device(Protocol):
    """A frozen dataclass of parameters with a response to a drive."""

    def response(self, drive: ArrayLike) -> NDArray[np.floating]:
        """Output at `drive`; the units of both stand in the device's own docstring."""


AnyDevice = TypeVar("AnyDevice", bound=Device)


def numeric_parameters(device: Any) -> list[str]:
    """Names of the fields that hold numbers and can therefore vary."""
    values = {entry.name: getattr(device, entry.name) for entry in fields(device)}
    return [name for name, value in values.items() if np.issubdtype(np.asarray(value).dtype, np.number)]


def deviations(
    width: Width, name: str, *, samples: int, generator: np.random.Generator, signed: bool = False
) -> NDArray[np.floating]:
    """Deviations (samples,) from nominal: normal and cut at 4 standard deviations, or as a distribution gives them.

    Parameters
    ----------
    width : standard deviation >= 0, a frozen distribution of ``scipy.stats``, or a callable ``(generator, samples) -> array``
    name : of the argument, for the message if it is refused
    samples : number of draws
    generator : source of the draws
    signed : let a deviation reach -1 and beyond; relative ones must not, because the parameter would change its sign
    """
    if callable(width) or hasattr(width, "rvs"):
        drawn = width.rvs(size=samples, random_state=generator) if hasattr(width, "rvs") else width(generator, samples)
        found = np.asarray(drawn, dtype=float)
        if found.shape != (samples,) or not np.isfinite(found).all() or (not signed and found.min() <= -1):
            refuse(name, f"draws shape {found.shape}", allowed=f"({samples},) finite relative deviations above -1")
        return found
    from scipy.special import ndtr, ndtri

    check_within(width, name, low=0)
    low = max(-4.0, -1 / width) if not signed and width > 0 else -4.0
    uniform = generator.uniform(ndtr(low), ndtr(4.0), size=samples)
    return np.asarray(width * ndtri(uniform))  # the cut normal by its inverse: ten times faster than scipy.stats.truncnorm


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
            nominal = float(getattr(device, name))
            generator = Seeds(seed).numpy("device", name)
            drawn_now = deviations(width, f"spread[{name}]", samples=samples, generator=generator, signed=not relative)
            drawn[name] = nominal * (1 + drawn_now) if relative else nominal + drawn_now
    return replace(device, **drawn)  # type: ignore[type-var]
