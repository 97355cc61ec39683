"""A device on the bench: its parameters with units, what comes out of it, and how it is measured over any of its parameters.

Every number of a device may be swept, may distinguish the members of a family, and may vary over an ensemble. All three are the
same thing to a measurement: parameters are arrays that broadcast to (rows, K), one row per device and one column per swept value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import check_one_of, check_whole, refuse
from holdfast.core.device import drawn_parameters, numeric_parameters
from holdfast.devices.characteristic import Characteristic, Output
from holdfast.devices.documented import documented
from holdfast.devices.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.core.device import Device

__all__ = ["Bench", "DeviceEntry", "Parameter", "PhysicalQuantity", "closed_form", "parameters_of"]

Array = np.ndarray
Tick = Callable[[float], None]
MOST = 10_000_000  # points: devices times swept values


@dataclass(frozen=True, kw_only=True)
class PhysicalQuantity:
    """Something with a name, a unit and a meaning."""

    name: str
    unit: str = ""
    meaning: str = ""


@dataclass(frozen=True, kw_only=True)
class Parameter(PhysicalQuantity):
    """What can be set: a number in SI units, or a word out of `choices`.

    Parameters
    ----------
    default : value where none is given
    choices : words, where it is one
    whole : the least whole number, where it counts something
    shared : whether it belongs to the measurement, so that all devices have it in common: neither swept nor varied
    """

    default: Any = 0.0
    choices: tuple[str, ...] = ()
    whole: int | None = None
    shared: bool = False

    def taken(self, value: Any) -> Any:
        """`value` as this parameter holds it; refused where it is neither a number nor one of its choices."""
        if self.choices:
            return check_one_of(str(value), self.name, allowed=self.choices)
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if math.isnan(number):
            refuse(
                self.name, f"is {value!r}", allowed=f"a number{f' in {self.unit}' if self.unit else ''}, such as {self.default:g}"
            )
        return number if self.whole is None else float(check_whole(number, self.name, low=self.whole))  # type: ignore[arg-type]

    def changing(self, said: str) -> Parameter:
        """The parameter itself if it can be swept and varied; otherwise refused in the name of the argument `said`."""
        if self.choices:
            remedy = f"Measure once for each of {', '.join(self.choices)}."
            refuse(said, f"names {self.name!r}, which is a word", allowed="parameters that are numbers", remedy=remedy)
        if self.shared:
            refuse(said, f"names {self.name!r}, of which there is one for all devices", allowed="parameters of the device itself")
        return self


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What a measurement is given.

    Parameters
    ----------
    parameters : every parameter by name: a word, a number or an array that broadcasts to (rows, K)
    seed : of thermal noise
    tick : to be called with the share that is done
    """

    parameters: Mapping[str, Any]
    seed: int = 0
    tick: Tick | None = None

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    def of(self, names: Iterable[str]) -> dict[str, Any]:
        """Some of the parameters by name."""
        return {name: self.parameters[name] for name in names}


@dataclass(frozen=True, kw_only=True)
class DeviceEntry:
    """A device that can be characterised by its name.

    Parameters
    ----------
    name, title : what it is called, and what it is
    source : where its description comes from
    parameters : all that can be set, swept and varied
    outputs : what comes out; the first is the main one
    sweep : what is swept by default: a sweep, or a function of the parameters that gives it
    measure : bench -> arrays (rows, K) by the names of the outputs
    also : other sweeps that show something, in the notation of :class:`Sweep`
    """

    name: str
    title: str
    parameters: tuple[Parameter, ...]
    outputs: tuple[PhysicalQuantity, ...]
    sweep: Sweep | Callable[[Mapping[str, Any]], Sweep]
    measure: Callable[[Bench], Mapping[str, Any]]
    source: str = ""
    also: tuple[str, ...] = ()

    @property
    def units(self) -> dict[str, str]:
        """Unit of each parameter."""
        return {entry.name: entry.unit for entry in self.parameters}

    def parameter(self, name: str, *, said: str) -> Parameter:
        """The parameter `name`; one that does not exist is refused in the name of the argument `said`."""
        known = {entry.name: entry for entry in self.parameters}
        return known[check_one_of(name.replace("-", "_"), said, allowed=known)]

    @property
    def varied(self) -> str:
        """A parameter to begin an ensemble with: the damping, or the first that is not 0; empty where there is none."""
        swept = self.default_sweep(self.settings({})).name
        free = (each for each in self.parameters if not (each.choices or each.shared))
        able = [each.name for each in free if each.default and each.name != swept]
        return "alpha" if "alpha" in able else next(iter(able), "")

    def settings(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Value of every parameter: the defaults, with `changes`."""
        taken = {}
        for name, value in changes.items():
            entry = self.parameter(name, said="parameter")
            taken[entry.name] = entry.taken(value)
        return {entry.name: entry.default for entry in self.parameters} | taken

    def default_sweep(self, settings: Mapping[str, Any]) -> Sweep:
        """What is swept by default."""
        return self.sweep(settings) if callable(self.sweep) else self.sweep

    def characteristic(
        self,
        parameters: Mapping[str, Any] | None = None,
        *,
        sweeps: Iterable[Sweep | str] | Sweep | str = (),
        samples: int = 0,
        spread: Mapping[str, float] | None = None,
        absolute: Mapping[str, float] | None = None,
        seed: int = 0,
        tick: Tick | None = None,
    ) -> Characteristic:
        """What comes out while a parameter is swept.

        Parameters
        ----------
        parameters : name -> value in SI units; the others keep their defaults
        sweeps : what is swept, and what distinguishes the members of a family; as text in the notation of :class:`Sweep`
        samples : devices of an ensemble
        spread : name -> relative standard deviation from device to device
        absolute : name -> standard deviation in the parameter's own unit
        seed : of the ensemble and of thermal noise
        tick : called with the share that is done

        Raises
        ------
        InputError : unknown names (the nearest is given), values out of range, a family of ensembles, more than 10 million points
        """
        settings = self.settings(parameters or {})
        swept, family = self._sweeps([sweeps] if isinstance(sweeps, (str, Sweep)) else sweeps, settings)
        drawn = self._ensemble(settings, samples=samples, spread=spread or {}, absolute=absolute or {}, seed=seed)
        if drawn and family is not None:
            refuse("samples", "are given together with a second sweep", allowed="a family of designs or an ensemble of one")
        if swept.name in drawn:
            said = "absolute" if swept.name in map(_plain, absolute or {}) else "spread"
            refuse(said, f"names {swept.name!r}, which is swept", allowed="parameters that are not swept")
        rows = drawn | ({} if family is None else {family.name: family.values})
        shape = (max((len(values) for values in rows.values()), default=1), len(swept))
        if shape[0] * shape[1] > MOST:
            refuse("sweep", f"has {shape[1]} values for {shape[0]} devices", allowed=f"{MOST:.0e} points in all")
        bench = Bench(
            parameters=settings | {name: values[:, None] for name, values in rows.items()} | {swept.name: swept.values},
            seed=seed,
            tick=tick,
        )
        moved = {swept.name} | ({family.name} if family else set())
        return Characteristic(
            device=self.name,
            title=self.title,
            sweep=swept,
            outputs=self._measured(bench, shape),
            parameters={name: value for name, value in settings.items() if name not in moved},
            units=self.units,
            family=family,
            spread=dict(spread or {}),
            absolute=dict(absolute or {}),
            seed=seed,
        )

    def _measured(self, bench: Bench, shape: tuple[int, int]) -> tuple[Output, ...]:
        """All outputs, each an array of its own with the shape (rows, K)."""
        found = self.measure(bench)
        arrays = {each: np.broadcast_to(np.asarray(found[each.name], dtype=float), shape).copy() for each in self.outputs}
        return tuple(Output(**vars(each), values=values) for each, values in arrays.items())

    def _sweeps(self, sweeps: Iterable[Sweep | str], settings: Mapping[str, Any]) -> tuple[Sweep, Sweep | None]:
        """The sweep and the family."""
        given = [self._parsed(each) if isinstance(each, str) else each for each in sweeps]
        default = self.default_sweep(settings)
        named = [each if each.name else replace(each, name=default.name) for each in given] or [default]
        for each in named:
            entry = self.parameter(each.name, said="sweep").changing("sweep")
            if entry.whole is not None:
                for value in each.values:
                    entry.taken(value)
        if len(named) > 2 or len({each.name for each in named}) < len(named):
            refuse("sweep", f"is given {len(named)} times", allowed="a sweep and a second one of another parameter for a family")
        return named[0], named[1] if len(named) == 2 else None

    def _parsed(self, text: str) -> Sweep:
        """The sweep that `text` describes; a name that cannot be swept is refused before its values are read."""
        name, equals, _ = text.rpartition("=")
        if equals and _plain(name):
            self.parameter(_plain(name), said="sweep").changing("sweep")
        return Sweep.parse(text)

    def _ensemble(
        self,
        settings: Mapping[str, Any],
        *,
        samples: int,
        spread: Mapping[str, float],
        absolute: Mapping[str, float],
        seed: int,
    ) -> dict[str, Array]:
        """Values (1 + samples,) of the parameters that vary; the first is the nominal one."""
        check_whole(samples, "samples")
        if bool(samples) != bool(spread or absolute):
            got = f"is {samples}" if samples else "is missing"
            refuse("samples", got, allowed="a number of devices together with the `spread` of at least one parameter")
        check_whole(samples, "samples", high=MOST)
        widths: dict[str, dict[str, float]] = {"spread": {}, "absolute": {}}
        for said, table in (("spread", spread), ("absolute", absolute)):
            for given, width in table.items():
                name = self.parameter(given, said=said).changing(said).name
                if name in widths[said]:
                    refuse(said, f"names {name!r}, which is varied twice", allowed="one width for each parameter")
                widths[said][name] = width
        for name, width in widths["spread"].items():
            _check_relative(name, width)
        drawn = drawn_parameters(settings, widths["spread"], absolute=widths["absolute"], samples=samples, seed=seed)
        return {name: np.append(settings[name], values) for name, values in drawn.items()}


def _plain(name: str) -> str:
    """A parameter's name as it is written in Python."""
    return name.strip().lstrip("-").replace("-", "_")


def _check_relative(name: str, width: Any) -> None:
    """Refuse a relative width so large that the cut at 0 moves the mean far away."""
    if isinstance(width, (int, float)) and width >= 1:
        refuse(
            f"spread[{name}]",
            f"is {width:g}",
            allowed="relative standard deviations in [0, 1)",
            remedy=f"5 % is {name}=0.05; a width in the parameter's own unit goes to `absolute`.",
        )


def parameters_of(device: Any, *, without: Iterable[str] = (), **changes: Any) -> tuple[Parameter, ...]:
    """The scalar parameters of a device, with their defaults, and units and meanings out of its docstring.

    Parameters
    ----------
    device : a dataclass
    without : fields to leave out
    changes : defaults in place of the device's own
    """
    words = documented(type(device))
    numeric = set(numeric_parameters(device)) - set(without)
    found = []
    for entry in fields(device):
        value = changes.get(entry.name, getattr(device, entry.name))
        if entry.name in numeric and np.ndim(value) == 0:
            meaning, unit = words.get(entry.name, ("", ""))
            found.append(Parameter(name=entry.name, unit=unit, meaning=meaning, default=float(value)))
    return tuple(found)


def closed_form(
    name: str,
    device: Device,
    *,
    title: str,
    drive: PhysicalQuantity,
    output: PhysicalQuantity,
    sweep: Sweep | None = None,
    source: str = "",
) -> DeviceEntry:
    """The entry of a device whose `response` is its characteristic.

    Parameters
    ----------
    name, title, source : as in :class:`DeviceEntry`
    device : a frozen dataclass with ``response(drive)``; its numeric fields are the parameters
    drive, output : what goes in and what comes out
    sweep : of the drive; default: the device's ``operating_range`` in 65 steps
    """
    own = parameters_of(device)

    def measure(bench: Bench) -> dict[str, Any]:
        ready: Any = replace(device, **bench.of(entry.name for entry in own))  # type: ignore[type-var]
        return {output.name: ready.response(bench[drive.name])}

    def operating(settings: Mapping[str, Any]) -> Sweep:
        ready: Any = replace(device, **{entry.name: settings[entry.name] for entry in own})  # type: ignore[type-var]
        low, high = ready.operating_range
        return Sweep(name=drive.name, values=np.linspace(low, high, 65))

    return DeviceEntry(
        name=name,
        title=title,
        source=source,
        parameters=(*own, Parameter(**vars(drive))),
        outputs=(output,),
        sweep=operating if sweep is None else sweep,
        measure=measure,
    )
