"""How much may neurons made of magnetic devices differ from each other? Training through them, moving between chips, and repair.

A perceptron reads handwritten digits. Every hidden neuron has its own sigmoid or ReLU-like characteristic, as the spread of
fabrication would give it (:func:`holdfast.devices.vary`). Five ways to use such a chip are compared with the same data, initial
weights and chips:

``in_situ``        the weights are trained through the devices of one chip and stay on it
``transferred``    the weights trained on one chip run on others without any care
``from_ideal``     weights trained through identical ideal neurons run on the same other chips
``recalibrated``   as transferred, but gain and bias before and after each neuron are trimmed on each new chip
``aware``          every training batch met another chip; the weights then run on the others without work on the single one

What the devices are is shown beside this: curves simulated from the motion of magnetic moments take the place of the formulas, and
are held against the closed forms of the same devices.

Source: E. Raimondo et al., arXiv:2106.16043, of which the abstract was read: 98.87 % with all-different sigmoid neurons, 98.89 %
with identical ones, "similar" for ReLU-like ones. Network size, spread, epochs and everything about transfer are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from holdfast.core.errors import MacrospinWarning
from holdfast.studies.spintronic_neuron import measure
from holdfast.studies.study import Part, Study

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.core.experiment import Point

__all__ = ["PRESETS", "Recipe", "SpintronicNeuron"]

Mode = Literal["in_situ", "transferred", "from_ideal", "recalibrated", "aware"]
MODES: tuple[Mode, ...] = ("in_situ", "transferred", "from_ideal", "recalibrated", "aware")


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
    beside: str | None = None


def _cells(*spreads: float) -> tuple[tuple[str, float], ...]:
    return tuple((kind, spread) for kind in measure.KINDS for spread in spreads)


SHORT = Recipe(net="short", hidden=(200,), epochs=4, lr=6e-3, cells=_cells(0.0, 0.1, 0.3))
LONG_CELLS = (("sigmoid", 0.0), ("sigmoid", 0.1), ("relu", 0.1))
LONG = Recipe(net="long", hidden=(512,), epochs=20, lr=5e-3, shift=2, cells=LONG_CELLS, modes=("in_situ",), seeds=3)
CARRIED = replace(SHORT, modes=("in_situ", "transferred", "from_ideal"))
REPAIR = replace(SHORT, net="repair", cells=_cells(0.3), modes=("in_situ", "transferred", "recalibrated", "aware"))
FINE = _cells(0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
BUILT = tuple((kind, 0.1) for kind in measure.PHYSICAL)
DEVICES = replace(SHORT, net="devices", cells=BUILT, modes=("in_situ",), beside="short")
PUBLISHED = replace(LONG, epochs=60, cells=FINE, modes=MODES, seeds=5, trimmed=20)


@dataclass(frozen=True, kw_only=True)
class SpintronicNeuron(Study):
    """The experiment.

    Parameters
    ----------
    recipes : networks and what is done with them
    data : ``"mnist"`` or, where that is missing, scikit-learn's ``"digits"``
    knots : of the tabulated sigmoid that is compared with its formula
    simulated : devices whose simulation is compared with its closed form
    fabricated : simulated devices that the neurons of a network draw from
    runs : of each simulated curve
    """

    recipes: tuple[Recipe, ...] = (CARRIED, REPAIR, DEVICES)
    data: str = "mnist"
    knots: int = 129
    simulated: tuple[str, ...] = ("thermal", "hard_axis", "oscillator")
    fabricated: int = 200
    runs: int = 2

    def uses(self) -> Iterator[Point]:
        """One point per network, use, neuron, spread and seed; trainings that others need come first."""
        for recipe in self.recipes:
            for mode in recipe.modes:
                for kind, spread in recipe.cells:
                    for seed in range(recipe.seeds if mode == "in_situ" or spread > 0 else 0):  # else all uses are the same
                        head = {"data": self.data, "net": recipe.net, "mode": mode}
                        yield {**head, "kind": kind, "spread": spread, "seed": seed}

    def simulations(self) -> Iterator[Point]:
        """Devices whose simulation is held against a formula."""
        yield from ({"device": device} for device in self.simulated)

    def recipe(self, net: str) -> Recipe:
        """The recipe called `net`."""
        return next(recipe for recipe in self.recipes if recipe.net == net)

    def prepared(self) -> Self:
        """On scikit-learn's digits, with more epochs on fewer images, where MNIST is not to be had."""
        from holdfast.data import else_bundled

        data = else_bundled(self.data)
        if data == self.data:
            return self
        return replace(
            self, data=data, recipes=tuple(replace(recipe, epochs=15 * recipe.epochs, shift=0) for recipe in self.recipes)
        )

    name = "spintronic-neuron"
    version = 3
    title = "How much may neurons made of magnetic devices differ from each other?"
    source = "E. Raimondo et al., Reliability of Neural Networks Based on Spintronic Neurons, arXiv:2106.16043"
    parts: ClassVar = {
        "table": Part(measure=measure.table, points=lambda study: [{"knots": study.knots}]),
        "closed": Part(measure=measure.closed_form, points=simulations, summary=measure.of_closed_forms),
        "network": Part(measure=measure.network, points=uses, summary=measure.of_networks),
    }
    noted = (MacrospinWarning,)
    notes = (
        "A single magnetic moment stands for each simulated device, as in its closed form.",
        "Accuracy in situ is averaged over trainings, with its interval over test images.",
        "Chips of one training share its weights: other uses have intervals over trainings where there are three or more.",
        "With fewer trainings these intervals are over chips, and hold for these trainings alone.",
    )


SMALL: dict[str, Any] = {"hidden": (20,), "epochs": 6, "lr": 2e-2, "seeds": 1, "chips": 3, "trimmed": 1}
PRESETS = {
    "tiny": SpintronicNeuron(
        recipes=tuple(replace(recipe, **SMALL) for recipe in (CARRIED, REPAIR, DEVICES)),
        data="digits",
        fabricated=4,
    ),
    "quick": SpintronicNeuron(),
    "standard": SpintronicNeuron(recipes=(LONG, replace(SHORT, cells=FINE), replace(REPAIR, seeds=5), DEVICES)),
    "paper": SpintronicNeuron(
        recipes=(
            PUBLISHED,
            replace(SHORT, cells=FINE),
            *(replace(PUBLISHED, net=f"hidden{'x'.join(map(str, wide))}", hidden=wide) for wide in ((100,), (2000,), (512, 512))),
            replace(PUBLISHED, net="devices", cells=BUILT, modes=("in_situ",), beside="long"),
        )
    ),
}
