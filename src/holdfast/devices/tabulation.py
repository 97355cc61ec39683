"""A characteristic as the rows of a table, in engineering units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from holdfast.devices.engineering import quantity, with_prefix, without_dust

if TYPE_CHECKING:
    from holdfast.devices.characteristic import Characteristic

__all__ = ["characteristic_rows"]

WIDEST = 5  # members of a family that a table shows if its rows are limited too


def characteristic_rows(characteristic: Characteristic, *, most: int | None = None) -> list[dict[str, str]]:
    """One row per swept value: its outputs; of an ensemble the nominal device and percentiles of the main output.

    Parameters
    ----------
    characteristic : what was measured
    most : rows at most, evenly taken from all, and then five members of a family at most; None for all

    Examples
    --------
    >>> from holdfast.devices.catalogue import characterise
    >>> characteristic_rows(characterise("sigmoid-neuron", sweeps=["drive=-1,0,1"]))[1]
    {'drive': '0', 'output': '0.5'}
    """
    swept = characteristic.sweep
    columns = _column(swept.name, characteristic.units.get(swept.name, ""), swept.values)
    for output in characteristic.outputs if characteristic.family is None else characteristic.outputs[:1]:
        if characteristic.family is not None:
            for place in _chosen(len(output.values), None if most is None else WIDEST):
                header = f"{output.name} at {characteristic.labels[place]}"
                columns |= _column(header, output.unit, output.values[place], like=output.values)
            continue
        columns |= _column(output.name, output.unit, output.values[0], like=output.values)
        if output is characteristic.outputs[0]:
            for name, row in characteristic.percentiles().items():
                columns |= _column(name, output.unit, row, like=output.values)
    return [{header: cells[place] for header, cells in columns.items()} for place in _chosen(len(swept), most)]


def _chosen(count: int, most: int | None) -> list[int]:
    """Places of at most `most` rows, equally far apart where that keeps more than half of them, the ends included."""
    if most is None or count <= most:
        return list(range(count))
    least = -(-(count - 1) // (most - 1))
    even = next((step for step in range(least, 2 * least) if (count - 1) % step == 0), None)
    return list(range(0, count, even)) if even else np.linspace(0, count - 1, most).round().astype(int).tolist()


def _column(name: str, unit: str, values: np.ndarray, *, like: np.ndarray | None = None) -> dict[str, list[str]]:
    """One column by its header; `like` gives the prefix that columns of one output share."""
    scale, shown = with_prefix(values if like is None else like, unit)
    clean = without_dust(values, like=like)
    return {quantity(name, shown): [f"{value / scale:.4g}" if np.isfinite(value) else "-" for value in clean]}
