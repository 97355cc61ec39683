"""A physical element with parameters in SI units and a response, and the ensemble that fabrication makes of it.

A device is a frozen dataclass. Its numeric fields may be scalars or arrays that broadcast against each other, so an ensemble of
devices is the same dataclass with one array entry per device: every formula written for one device works for all of them.
:func:`fabricate` makes every ensemble of this package. Its words are used throughout: the `spread` of a parameter is its relative
width from device to device, the `ensemble` is the devices that were drawn, `samples` is their number, and the `seed` is that of
the draw.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from holdfast.core.checks import check_whole, check_within, nearest, refuse
from holdfast.core.seeds import Seeds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Assembly", "Device", "Width", "deviations", "drawn_parameters", "fabricate", "numeric_parameters"]

Width = Any  # a number, a frozen distribution of scipy.stats, or a callable (generator, samples) -> array


@runtime_checkable
class Device(Protocol):
    """A frozen dataclass of parameters with a response to a drive."""

    def response(self, drive: ArrayLike) -> NDArray[np.floating]:
        """Output at `drive`; the units of both stand in the device's own docstring."""


@runtime_checkable
class Assembly(Protocol):
    """A device made of parts, each a frozen dataclass of parameters."""

    @property
    def parts(self) -> Mapping[str, Any]:
        """The parts by their labels, each of which names the random streams of its parameters."""

    def assembled(self, parts: Mapping[str, Any]) -> Any:
        """The same device from other parts with the same labels."""


AnyDevice = TypeVar("AnyDevice")


def numeric_parameters(device: Any) -> list[str]:
    """Names of the fields that hold numbers and can therefore vary; those that the class lists as ``directions`` are left out."""
    kept = [entry.name for entry in fields(device) if entry.name not in getattr(device, "directions", ())]
    return [name for name in kept if np.issubdtype(np.asarray(getattr(device, name)).dtype, np.number)]


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


def drawn_parameters(
    nominal: Mapping[str, Any],
    spread: Mapping[str, Width],
    *,
    samples: int,
    seed: int,
    absolute: Mapping[str, Width] | None = None,
    stream: str = "device",
) -> dict[str, NDArray[np.floating]]:
    """Values of the parameters that vary, in `samples` devices; :func:`fabricate` puts them into a device.

    Parameters
    ----------
    nominal : parameter name -> its nominal value, a number or an array
    spread : parameter name -> relative width; an array keeps the ratios of its entries
    samples : number of devices
    seed : of the draw; each parameter has its own stream, so adding one leaves the others as they were
    absolute : parameter name -> width in the parameter's own unit; each entry of an array has its own deviation
    stream : name of the part that the parameters belong to

    Returns
    -------
    parameter name -> array (samples, ...)

    Raises
    ------
    InputError : a relative width of a parameter that is 0, a parameter that varies twice, a negative width
    """
    drawn: dict[str, NDArray[np.floating]] = {}
    for name, width in spread.items():
        value = np.asarray(nominal[name], dtype=float)
        if not value.any():
            remedy = f"Use `absolute`: {name}=WIDTH, in the parameter's own unit."
            refuse("spread", f"names {name!r}, which is 0 nominally", allowed="parameters that are not", remedy=remedy)
        factor = 1 + deviations(width, f"spread[{name}]", samples=samples, generator=Seeds(seed).numpy(stream, name))
        drawn[name] = factor.reshape(-1, *([1] * value.ndim)) * value
    for name, width in (absolute or {}).items():
        if name in drawn:
            refuse("absolute", f"names {name!r}, which is varied twice", allowed="one width for each parameter")
        value = np.asarray(nominal[name], dtype=float)
        generator = Seeds(seed).numpy(stream, name)
        moved = deviations(width, f"absolute[{name}]", samples=samples * value.size, generator=generator, signed=True)
        drawn[name] = value + moved.reshape(samples, *value.shape)
    return drawn


def fabricate(
    device: AnyDevice,
    spread: Mapping[str, Width],
    *,
    samples: int,
    seed: int = 0,
    absolute: Mapping[str, Width] | None = None,
) -> AnyDevice:
    """An ensemble of `samples` devices whose parameters vary independently about the nominal device.

    Parameters
    ----------
    device : the nominal device; an :class:`Assembly` varies in all of its parts
    spread : parameter name -> relative standard deviation, >= 0 (normal, cut at 4 standard deviations and at a change of sign),
        or a distribution of the relative deviation: a frozen one of ``scipy.stats``, or a callable
        ``(generator, samples) -> array``. Vectors keep their direction
    samples : number of devices
    seed : of the draw; each parameter has its own stream, so adding one leaves the others as they were
    absolute : parameter name -> standard deviation in the parameter's own unit, cut at 4 standard deviations, or a distribution;
        of a direction's angle (``"misalignment"`` of a spin torque) -> standard deviation in rad about either axis

    Returns
    -------
    The same dataclass with arrays ``(samples, ...)`` in the varied fields.

    Raises
    ------
    InputError : an unknown parameter (the valid ones are listed), a negative spread, a relative one of a parameter that is 0
    """
    check_whole(samples, "samples", low=1)
    parts: Mapping[str, Any] = device.parts if isinstance(device, Assembly) else {"device": device}
    tables = {"spread": spread, "absolute": absolute or {}}
    numbers = {label: numeric_parameters(part) for label, part in parts.items()}
    angles = {label: getattr(part, "angles", {}) for label, part in parts.items()}
    _check_names("spread", spread, chain(*numbers.values()), kind=type(device).__name__)
    _check_names("absolute", tables["absolute"], chain(*numbers.values(), *angles.values()), kind=type(device).__name__)
    varied: dict[str, Any] = {}
    tilted: Counter[str] = Counter()
    for label, part in parts.items():
        nominal = {name: getattr(part, name) for name in numbers[label]}
        own = {said: {name: table[name] for name in table if name in nominal} for said, table in tables.items()}
        values = drawn_parameters(nominal, own["spread"], absolute=own["absolute"], samples=samples, seed=seed, stream=label)
        for angle in angles[label].keys() & tables["absolute"].keys():
            direction, generator = angles[label][angle], Seeds(seed).numpy(angle, tilted[angle])
            width = check_within(tables["absolute"][angle], f"absolute[{angle}]", low=0)
            values[direction] = _tilted(getattr(part, direction), width, samples=samples, generator=generator)
            tilted[angle] += 1
        varied[label] = replace(part, **values)
    return device.assembled(varied) if isinstance(device, Assembly) else varied["device"]


def _check_names(said: str, names: Iterable[str], known: Iterable[str], *, kind: str) -> None:
    """Refuse a name that is not among the `known` ones of the device."""
    allowed = list(dict.fromkeys(known))
    for name in names:
        if name not in allowed:
            close = nearest(name, allowed)
            hint = f"Did you mean {close!r}?" if close else ""
            refuse(said, f"names {name!r}, no parameter of {kind}", allowed=", ".join(allowed), remedy=hint)


def _tilted(direction: Any, width: float, *, samples: int, generator: np.random.Generator) -> NDArray[np.floating]:
    """Directions (samples, 3) at normal angles of standard deviation `width` in rad about both axes across `direction`."""
    along = np.asarray(direction, dtype=float)
    along = along / (along * along).sum(-1)[..., None] ** 0.5
    drawn = generator.normal(0.0, width, (samples, 3))
    across = drawn - (drawn * along).sum(-1, keepdims=True) * along
    angle = np.linalg.norm(across, axis=-1, keepdims=True)
    return np.asarray(np.cos(angle) * along + np.sinc(angle / np.pi) * across)
