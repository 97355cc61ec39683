"""What a device answers while one of its parameters is swept: the nominal device, and the ensemble or the family around it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import check_one_of, refuse
from holdfast.devices.engineering import prefixed
from holdfast.devices.neuron import CharacteristicCurves

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from holdfast.devices.sweep import Sweep

__all__ = ["Characteristic", "Output"]

Array = np.ndarray
PERCENTILES = (5, 50, 95)
FIGURES = ("svg", "png")  # beside the tables, as the command writes them


@dataclass(frozen=True, kw_only=True)
class Output:
    """One quantity that came out.

    Parameters
    ----------
    name : of the quantity
    values : array (rows, K): the nominal device and then the ensemble, or one row per member of a family
    unit : of the values
    meaning : in words
    """

    name: str
    values: Array
    unit: str = ""
    meaning: str = ""


@dataclass(frozen=True, kw_only=True)
class Characteristic:
    """Outputs of a device against what was swept.

    Parameters
    ----------
    device, title : name in the catalogue, and what it is
    sweep : what was swept, K values
    outputs : what came out; the first is the main one
    parameters : nominal values of all parameters that were not swept
    units : of the parameters, the swept ones included
    family : a second sweep, one curve for each of its values; None for a single device or an ensemble
    spread, absolute : widths of the ensemble, relative and in the parameters' own units
    seed : of the ensemble and of thermal noise
    command : that repeats it
    """

    device: str
    title: str
    sweep: Sweep
    outputs: tuple[Output, ...]
    parameters: Mapping[str, Any]
    units: Mapping[str, str]
    family: Sweep | None = None
    spread: Mapping[str, float] = field(default_factory=dict)
    absolute: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    command: str = ""

    @property
    def samples(self) -> int:
        """Devices of the ensemble, without the nominal one."""
        return 0 if self.family is not None else len(self.outputs[0].values) - 1

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each row of the outputs."""
        if self.family is not None:
            unit = self.units.get(self.family.name, "")
            return tuple(f"{self.family.name} = {prefixed(value, unit)}" for value in self.family.values)
        return ("nominal", *(f"device {number}" for number in range(1, self.samples + 1)))

    def output(self, name: str = "") -> Output:
        """The output with this name; without a name the main one."""
        known = {output.name: output for output in self.outputs}
        return known[check_one_of(name, "output", allowed=known)] if name else self.outputs[0]

    def percentiles(self, name: str = "") -> dict[str, NDArray[np.float64]]:
        """The 5th, 50th and 95th percentile of an output over the ensemble, arrays (K,) by name; nothing without an ensemble."""
        if not self.samples:
            return {}
        found = np.nanpercentile(self.output(name).values[1:], PERCENTILES, axis=0)
        return {f"p{percent:02d}": row for percent, row in zip(PERCENTILES, found, strict=True)}

    @property
    def varies(self) -> bool:
        """Whether any output differs between rows."""
        return any(bool((output.values != output.values[0])[np.isfinite(output.values)].any()) for output in self.outputs)

    def curves(self, name: str = "") -> CharacteristicCurves:
        """An output as the curves of neurons, for :func:`holdfast.hardware.hardware_activations`.

        Raises
        ------
        InputError : a family of designs, or a sweep that is not uniform
        """
        if self.family is not None:
            refuse("family", "is swept too", allowed="one sweep for the curves of a neuron")
        values = self.output(name).values
        return CharacteristicCurves(x=self.sweep.values, y=values[1:] if self.samples else values, nominal=values[0])

    def csv(self, name: str = "") -> str:
        """An output as a table: the swept parameter in the first column, then one column per row of the output.

        What :meth:`CharacteristicCurves.from_csv` reads. Lines that begin with ``#`` name the source of the numbers.
        """
        output = self.output(name)
        swept = f"{self.sweep.name} ({self.units.get(self.sweep.name, '')})".replace(" ()", "")
        settings = ", ".join(f"{key} = {value} {self.units.get(key, '')}".rstrip() for key, value in self.parameters.items())
        comments = [
            f"{self.device}: {self.title}",
            f"{output.name} ({output.unit})".replace(" ()", "") + f" against {swept}",
            f"parameters: {settings}",
        ]
        widths = [f"{key} {value:g} {kind}" for kind, each in self._widths() for key, value in each.items()]
        comments += [f"spread: {', '.join(widths)}; {self.samples} devices, seed {self.seed}"] if widths else []
        comments += [self.command] if self.command else []
        text = io.StringIO()
        text.writelines(f"# {line}\n" for line in comments)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([swept, *(label.replace(" ", "_") if self.family is None else label for label in self.labels)])
        writer.writerows(
            [repr(float(x)), *(f"{y:.9g}" for y in column)] for x, column in zip(self.sweep.values, output.values.T, strict=True)
        )
        return text.getvalue()

    def _widths(self) -> tuple[tuple[str, Mapping[str, float]], ...]:
        return (("relative", self.spread), ("absolute", self.absolute))

    def json(self) -> str:
        """Everything as JSON; rows of an ensemble are given by their percentiles. What is not a number is null."""
        outputs = {
            output.name: {
                "unit": output.unit,
                "meaning": output.meaning,
                **({label: _plain(row) for label, row in zip(self.labels, output.values, strict=True)} if not self.samples else {}),
                **({"nominal": _plain(output.values[0])} if self.samples else {}),
                **{percent: _plain(row) for percent, row in self.percentiles(output.name).items()},
            }
            for output in self.outputs
        }
        document = {
            "device": self.device,
            "title": self.title,
            "parameters": {key: {"value": value, "unit": self.units.get(key, "")} for key, value in self.parameters.items()},
            "sweep": _swept(self.sweep, self.units),
            "family": None if self.family is None else _swept(self.family, self.units),
            "ensemble": {"samples": self.samples, "spread": dict(self.spread), "absolute": dict(self.absolute), "seed": self.seed},
            "outputs": outputs,
            "command": self.command,
        }
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

    def write(self, folder: str | Path) -> list[Path]:
        """Write ``curves.csv`` (the main output), one more table per further output, and ``characteristic.json`` into `folder`.

        Tables and figures that an earlier characteristic left there are removed, whichever device it was of; nothing else is.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        for old in _earlier(place):
            old.unlink(missing_ok=True)
        texts = {"curves.csv": self.csv()} | {f"{output.name}.csv": self.csv(output.name) for output in self.outputs[1:]}
        texts |= {"characteristic.json": self.json()}
        for name, text in texts.items():
            (place / name).write_text(text, encoding="utf-8")
        return [place / name for name in texts]


def _earlier(place: Path) -> list[Path]:
    """Files of the characteristic that ``characteristic.json`` in this folder lists."""
    try:
        document = json.loads((place / "characteristic.json").read_text(encoding="utf-8"))
        device, names = str(document["device"]), [str(name) for name in document["outputs"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    tables = [place / f"{name}.csv" for name in names if name.isidentifier()]
    own = [table for table in tables if table.is_file() and table.read_bytes().startswith(f"# {device}: ".encode())]
    return [*own, *(place / f"characteristic.{form}" for form in FIGURES)]


def _plain(values: NDArray[np.floating]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _swept(sweep: Sweep, units: Mapping[str, str]) -> dict[str, Any]:
    return {"name": sweep.name, "unit": units.get(sweep.name, ""), "values": sweep.values.tolist()}
