"""Which networks are trained, and how their weights are used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["BUILT", "DEVICES", "FINE", "KINDS", "LONG", "MODES", "PHYSICAL", "PUBLISHED", "SHORT", "Mode", "Recipe", "tag"]

Mode = Literal["in_situ", "transferred", "from_ideal", "recalibrated", "aware"]
MODES: tuple[Mode, ...] = ("in_situ", "transferred", "from_ideal", "recalibrated", "aware")
KINDS = ("sigmoid", "relu")
PHYSICAL = ("thermal", "oscillator")  # simulated devices


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One network and what is done with it.

    Parameters
    ----------
    net : name, part of each point
    hidden : widths of the hidden layers
    epochs, lr : of Adam with a one-cycle rate of this maximum, batches of 128
    shift : random shift of each training batch, in pixels
    cells : pairs of kind and spread that are trained through
    modes : how the trained weights are used
    seeds : number of trainings per cell
    chips : number of other chips per training
    trimmed : how many of them are re-calibrated
    beside : the network, equal but for its neurons, whose identical ones these are compared with; None: this one
    """

    net: str
    hidden: tuple[int, ...]
    epochs: int
    lr: float
    shift: int = 0
    cells: tuple[tuple[str, float], ...]
    modes: tuple[Mode, ...] = MODES
    seeds: int = 2
    chips: int = 20
    trimmed: int = 5
    repaired_from: float = 0.0

    def uses(self, mode: Mode, spread: float) -> bool:
        """Whether this use of a cell is measured; without spread all uses are the same."""
        if mode == "in_situ":
            return True
        return spread > 0 and (mode not in {"recalibrated", "aware"} or spread >= self.repaired_from)

    beside: str | None = None


def _cells(*spreads: float) -> tuple[tuple[str, float], ...]:
    return tuple((kind, spread) for kind in KINDS for spread in spreads)


def tag(spread: float) -> str:
    """The spread as part of a metric's name: s10 is 10 %."""
    return f"s{round(100 * spread):02d}"


SHORT = Recipe(net="short", hidden=(200,), epochs=4, lr=6e-3, cells=_cells(0.0, 0.1, 0.3))
LONG = Recipe(
    net="long",
    hidden=(512,),
    epochs=20,
    lr=5e-3,
    shift=2,
    cells=(("sigmoid", 0.0), ("sigmoid", 0.1), ("relu", 0.1)),
    modes=("in_situ",),
    seeds=3,
)
FINE = _cells(0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
PUBLISHED = replace(LONG, epochs=60, cells=FINE, modes=MODES, seeds=5, trimmed=20)
BUILT = tuple((kind, 0.1) for kind in PHYSICAL)
DEVICES = replace(SHORT, net="devices", cells=BUILT, modes=("in_situ",), beside="short")
