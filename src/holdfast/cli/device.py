"""Commands about devices: what is known, what a device's parameters mean, its characteristic as table, figure and files."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from holdfast.cli.app import app, console

if TYPE_CHECKING:
    from holdfast.devices.characteristic import Characteristic
    from holdfast.devices.entry import DeviceEntry

__all__ = ["characterise", "describe_device", "device", "list_devices"]

ROWS = 17  # of the printed table; the files hold all
FLAGS = ("sweep", "samples", "spread", "absolute", "seed", "out", "help")
SLOW = 2.0  # s after which progress is shown
HELP = """\
Measure a physical device: print a table, write a figure, the curves as CSV, and everything as JSON.

`holdfast device list` names the devices, `holdfast device describe NAME` lists the parameters of one. Any of them is set by
`--PARAMETER VALUE` in SI units, swept by `--sweep`, and varied from device to device by `--spread`.

Exit code: 0 done, 2 wrong usage or input, 3 crashed, 130 interrupted.

Example: holdfast device thermal-sigmoid

Example: holdfast device thermal-sigmoid --alpha 0.02 --samples 200 --spread alpha=0.05 --spread area=0.1 --out runs/chip

Example: holdfast device spin-diode --sweep frequency=4e9:7e9:121 --sweep field_like=0,0.3"""
device = App(
    name="device",
    help=HELP,
    help_flags=[],
)
app.command(device)
Words = Annotated[list[str] | None, Parameter(negative=(), allow_leading_hyphen=True)]


@device.command(name="list", help_flags=["--help", "-h"])
def list_devices() -> None:
    """List the devices.

    Example: holdfast device list
    """
    from holdfast.devices.catalogue import known_devices

    rows = [
        {
            "device": entry.name,
            "what": entry.title.partition(":")[0],
            "shows": f"{', '.join(output.name for output in entry.outputs)} against {entry.default_sweep(entry.settings({})).name}",
        }
        for entry in known_devices().values()
    ]
    console().table(rows)
    print("\n`holdfast device describe NAME` explains one, `holdfast device NAME` measures it.")  # noqa: T201


@device.command(name="describe", help_flags=["--help", "-h"])
def describe_device(name: str, /) -> None:
    """Explain a device: its parameters with units and defaults, its outputs, and sweeps worth a look.

    Example: holdfast device describe thermal-sigmoid

    Parameters
    ----------
    name
        From `holdfast device list`.
    """
    from holdfast.devices.catalogue import find_device

    _explain(find_device(name))


@device.default
def characterise(
    name: str | None = None,
    /,
    *,
    sweep: Words = None,
    samples: int = 0,
    spread: Words = None,
    absolute: Words = None,
    seed: int = 0,
    out: Path | None = None,
    help_: Annotated[bool, Parameter(name=["--help", "-h"], negative=())] = False,
    **parameters: Annotated[str, Parameter(allow_leading_hyphen=True)],
) -> None:
    """Measure a device over one of its parameters.

    Parameters
    ----------
    name
        From `holdfast device list`.
    sweep
        `name=start:stop:points`, the same with `:log`, or `name=value,value,...`; a second one gives a family of curves.
    samples
        Devices of an ensemble around the nominal one.
    spread
        `name=width`, relative standard deviation from device to device; may be repeated.
    absolute
        `name=width`, standard deviation in the parameter's own unit, for those that are 0 nominally; may be repeated.
    seed
        Of the ensemble and of thermal noise.
    out
        Folder for the files; default: `runs/device-NAME`.
    help_
        Explain the command; after a NAME, that device.
    parameters
        Any parameter of the device by its own name.
    """
    if name is None:
        _check_nothing_asked(sweep, spread, absolute, samples, seed, out, *parameters)
        return app.help_print(["device"]) if help_ else list_devices()
    from holdfast.devices.catalogue import find_device

    entry = find_device(name)
    if help_:
        return _explain(entry)
    _check_flags(parameters, entry)
    folder = out if out is not None else Path("runs") / f"device-{name}"
    _check_folder(folder)
    with _progress(entry.name) as tick:
        found = entry.characteristic(
            parameters,
            sweeps=sweep or [],
            samples=samples,
            spread=_widths("spread", spread),
            absolute=_widths("absolute", absolute),
            seed=seed,
            tick=tick,
        )
    _show(found, folder)
    return None


def _check_nothing_asked(*asked: Any) -> None:
    """Refuse flags without the device that they are for."""
    from holdfast.core.checks import refuse

    if any(asked):
        refuse("NAME", "is missing", allowed="the name of a device before its flags", remedy="`holdfast device list` names them.")


def _check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be written to, before anything is measured."""
    from holdfast.core.checks import refuse

    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "cannot be written to" if there.is_dir() else "is no folder"
        refuse("out", f"is {str(folder)!r}, and {str(there)!r} {why}", allowed="a folder", remedy="Choose another path.")


def _check_flags(parameters: Mapping[str, str], entry: DeviceEntry) -> None:
    """Refuse a flag that is neither the command's nor a parameter's; a mistyped one gets the nearest correct flag."""
    from holdfast.core.checks import check_one_of

    known = [name.replace("_", "-") for name in entry.units]
    for name in parameters:
        check_one_of(f"--{name.replace('_', '-')}", "flag", allowed=[f"--{flag}" for flag in (*FLAGS, *known)])


def _widths(flag: str, texts: list[str] | None) -> dict[str, float]:
    """``name=width`` texts as a mapping."""
    from holdfast.core.checks import refuse

    widths = {}
    for text in texts or []:
        name, _, width = text.partition("=")
        try:
            widths[name.strip().lstrip("-").replace("-", "_")] = float(width)
        except ValueError:
            refuse(flag, f"is {text!r}", allowed="NAME=WIDTH, such as alpha=0.05")
    return widths


def _show(found: Characteristic, folder: Path) -> None:
    """Write the files, then print what was measured: a reader who leaves early loses no file."""
    from dataclasses import replace

    from holdfast.core.figures import save
    from holdfast.devices.drawing import characteristic_figure
    from holdfast.devices.engineering import prefixed
    from holdfast.devices.tabulation import characteristic_rows

    told = replace(found, command=shlex.join(["holdfast", *sys.argv[1:]]))
    paths = told.write(folder)
    figure = characteristic_figure(found)
    paths += [save(figure, folder / f"characteristic.{form}") for form in ("svg", "png")]
    print(found.title)  # noqa: T201
    console().note(
        ", ".join(f"{key} = {_text(value, found.units.get(key, ''), prefixed)}" for key, value in found.parameters.items())
    )
    console().table(characteristic_rows(found, most=ROWS))
    if found.samples and not found.varies:
        console().note(
            f"All devices have equal outputs: {', '.join((*found.spread, *found.absolute))} has no effect on this device here."
        )
    print("\n".join(map(str, paths)))  # noqa: T201


def _text(value: Any, unit: str, prefixed: Callable[[float, str], str]) -> str:
    return value if isinstance(value, str) else prefixed(value, unit)


def _explain(entry: DeviceEntry) -> None:
    """Print a device's parameters, outputs and sweeps."""
    print(f"{entry.name}: {entry.title}\n" + (f"Source: {entry.source}\n" if entry.source else ""))  # noqa: T201
    console().table(
        [
            {
                "parameter": f"--{parameter.name.replace('_', '-')}",
                "default": parameter.default if parameter.choices else f"{parameter.default:g}",
                "unit": parameter.unit,
                "meaning": parameter.meaning + (f" ({', '.join(parameter.choices)})" if parameter.choices else ""),
            }
            for parameter in entry.parameters
        ]
    )
    print()  # noqa: T201
    console().table([{"output": each.name, "unit": each.unit, "meaning": each.meaning} for each in entry.outputs])
    sweep = entry.default_sweep(entry.settings({}))
    ends = f"{sweep.values[0]:g} to {sweep.values[-1]:g} {entry.units[sweep.name]}".rstrip()
    print(f"\nDefault sweep: {sweep.name}, {ends}, {len(sweep)} points.\n\nExamples:")  # noqa: T201
    commands = ["", *(f"--sweep {text}" for text in entry.also)]
    commands += [f"--samples 100 --spread {entry.varied}=0.05 --seed 1"] if entry.varied else []
    print("\n".join(f"  holdfast device {entry.name} {words}".rstrip() for words in commands))  # noqa: T201


@contextmanager
def _progress(name: str) -> Iterator[Callable[[float], None]]:
    """Give a callback for the share that is done: a bar on a terminal, now and then a line elsewhere, both on standard error."""
    began, told = time.monotonic(), [0.0]
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(name, total=1.0)
            yield lambda share: bar.update(task, completed=share)
        return

    def line(share: float) -> None:
        if time.monotonic() - began > SLOW and share - told[0] >= 0.2:
            told[0] = share
            print(f"{name}: {share:.0%} after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)  # noqa: T201

    yield line
