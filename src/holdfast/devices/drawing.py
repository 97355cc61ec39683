"""Figures of characteristics: the nominal device thick, the ensemble thin, a family in colours; axes in engineering units."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.figures import INK, PALETTE, STYLE, new_figure
from holdfast.devices.engineering import described, prefixed, quantity, with_prefix, without_dust

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from holdfast.devices.characteristic import Characteristic, Output

__all__ = ["characteristic_figure"]

MOST_LINES = 200  # thin ones; more are a grey area
WIDEST = 3  # axes in a row
WIDE_TITLE = 50  # letters above one axes


def characteristic_figure(characteristic: Characteristic) -> Figure:
    """One axes per output against the swept parameter; the title says what varies in an ensemble.

    Examples
    --------
    >>> from holdfast.devices.catalogue import characterise
    >>> characteristic_figure(characterise("sigmoid-neuron")).axes[0].get_ylabel()
    'output'
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        return _figure(characteristic)


def _figure(characteristic: Characteristic) -> Figure:
    chosen = characteristic.outputs
    columns = min(len(chosen), WIDEST)
    figure, axes = new_figure(rows=-(-len(chosen) // columns), columns=columns, size=(4.8, 3.3))
    for spare in axes[len(chosen) :]:
        spare.set_visible(False)
    x_unit = characteristic.units.get(characteristic.sweep.name, "")
    x_scale, x_unit = (1.0, x_unit) if characteristic.sweep.logarithmic else with_prefix(characteristic.sweep.values, x_unit)
    x = characteristic.sweep.values / x_scale
    for place, (output, target) in enumerate(zip(chosen, axes, strict=False)):
        target.set_xscale("log" if characteristic.sweep.logarithmic else "linear")
        _draw(target, x, output, characteristic)
        target.set_xlim(*_limits(target, x))
        target.set_xlabel(quantity(described(characteristic.sweep.name), x_unit))
        if place == 0 and len(characteristic.labels) > 1:
            target.legend(fontsize=8)
    parts = [characteristic.title, *([_ensemble(characteristic)] if characteristic.samples else [])]
    title = "\n".join(textwrap.fill(part, width=WIDE_TITLE * columns) for part in parts)
    figure.suptitle(title, fontsize=11, fontweight="bold", x=0.02, ha="left", color=INK)
    return figure


def _ensemble(characteristic: Characteristic) -> str:
    """What was varied and by how much."""
    relative = [f"{described(name)} ± {width * 100:.3g} %" for name, width in characteristic.spread.items()]
    absolute = [
        f"{described(name)} ± {prefixed(width, characteristic.units.get(name, ''))}"
        for name, width in characteristic.absolute.items()
    ]
    return f"{characteristic.samples} devices: {', '.join(relative + absolute)}"


def _draw(axes: Axes, x: Any, output: Output, characteristic: Characteristic) -> None:
    scale, unit = with_prefix(_seen(output.values), output.unit)
    rows = without_dust(output.values) / scale
    axes.set_ylabel(quantity(output.name, unit))
    few = "o" if len(x) <= 12 else ""
    if characteristic.family is not None:
        count = len(rows)
        named = set(range(count) if count <= len(PALETTE) else np.linspace(0, count - 1, 5).round().astype(int).tolist())
        for place, (row, label) in enumerate(zip(rows, _members(characteristic), strict=True)):
            axes.plot(x, row, label=label if place in named else None, marker=few, color=_shade(place, count))
        return
    if characteristic.samples:
        count = characteristic.samples
        thin = rows[1:][: min(count, MOST_LINES)]
        axes.plot(x, thin.T, color=PALETTE[5], linewidth=0.6, alpha=max(0.25, min(0.7, 40 / count)), zorder=1)
        axes.lines[0].set_label(f"{count} devices" + (f", {MOST_LINES} drawn" if count > MOST_LINES else ""))
    axes.plot(x, rows[0], color=PALETTE[0], linewidth=2.2, marker=few, label="nominal device", zorder=3)


def _members(characteristic: Characteristic) -> list[str]:
    """A name for each member of the family."""
    family = characteristic.family
    assert family is not None, "only a family has members"
    unit = characteristic.units.get(family.name, "")
    return [f"{described(family.name)} {prefixed(value, unit)}" for value in family.values]


def _limits(axes: Axes, x: Any) -> tuple[float, float]:
    """Ends of the horizontal axis, the same in all axes, also where an output has gaps."""
    if len(x) < 2:
        return axes.get_xlim()
    low, high = float(x.min()), float(x.max())
    if axes.get_xscale() == "log":
        edge = (high / low) ** 0.04
        return low / edge, high * edge
    return low - 0.04 * (high - low), high + 0.04 * (high - low)


def _seen(values: Any) -> Any:
    """The values that set the scale: finite ones."""
    return np.where(np.isfinite(values), values, 0.0)


def _shade(place: int, count: int) -> Any:
    """The house's colours for a few curves, a scale from dark to light for many."""
    if count <= len(PALETTE):
        return PALETTE[place]
    from matplotlib import colormaps

    return colormaps["viridis"](0.9 * place / (count - 1))
