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

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from holdfast.core.checks import check_one_of
from holdfast.core.errors import DataUnavailableError
from holdfast.core.experiment import Measurement, Quantity, Summary
from holdfast.studies.spintronic_neuron.bench import Bench, images, measure_table
from holdfast.studies.spintronic_neuron.claims import claims_for
from holdfast.studies.spintronic_neuron.outcomes import Outcomes
from holdfast.studies.spintronic_neuron.physics import measure_closed_form
from holdfast.studies.spintronic_neuron.recipes import BUILT, DEVICES, FINE, LONG, PUBLISHED, SHORT, Recipe, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.core.claim import Claim
    from holdfast.core.experiment import Context, Point

__all__ = ["CLAIMS", "PRESETS", "SOURCE", "TITLE", "Recipe", "SpintronicNeuron", "prepare"]

TITLE = "Networks of spintronic neurons that all differ"
SOURCE = "E. Raimondo et al., Reliability of Neural Networks Based on Spintronic Neurons, arXiv:2106.16043"


@dataclass(frozen=True, kw_only=True)
class SpintronicNeuron:
    """The experiment.

    Parameters
    ----------
    recipes : networks and what is done with them
    data : ``"mnist"`` or, where that is missing, scikit-learn's ``"digits"``
    knots : of the tabulated sigmoid that is compared with its formula
    simulated : devices whose simulation is compared with its closed form
    """

    name: ClassVar[str] = "spintronic-neuron"
    version: ClassVar[int] = 2

    recipes: tuple[Recipe, ...] = (SHORT, DEVICES)
    data: str = "mnist"
    knots: int = 129
    simulated: tuple[str, ...] = ("thermal", "hard_axis", "oscillator")

    def points(self) -> list[Point]:
        """One point per network, neuron, spread, use and seed, and one for each table; trainings that others need come first."""
        found: list[Point] = [{"net": "table", "knots": self.knots}]
        found += [{"net": "closed", "device": device} for device in self.simulated]
        for recipe in self.recipes:
            for mode in recipe.modes:
                found += [
                    {"net": recipe.net, "mode": mode, "kind": kind, "spread": spread, "seed": seed}
                    for kind, spread in recipe.cells
                    for seed in range(recipe.seeds)
                    if recipe.uses(mode, spread)
                ]
        return found

    def measure(self, point: Point, context: Context) -> Measurement:
        """Right and wrong answers on the test images, (n, chips)."""
        if point["net"] == "table":
            return measure_table(int(point["knots"]))
        if point["net"] == "closed":
            return measure_closed_form(point["device"], context)
        recipe = next(recipe for recipe in self.recipes if recipe.net == point["net"])
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="more than .* outside the curves' grid"
            )  # devices have an end: that is measured
            results = Bench(recipe, point, context, self.data).use(point["mode"])
        estimates = {"accuracy": results.accuracy}
        if len(results.correct) > 1:
            estimates |= {"sd": results.sd, "p05": results.p05}
        return Measurement(estimates=estimates, arrays={"correct": results.correct.T})

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Curves over the spread, the quantities that the claims name, and the claims."""
        outcomes = Outcomes(measurements)
        metrics = dict(outcomes.table)
        for recipe in self.recipes:
            for kind, spread in recipe.cells:
                metrics |= {
                    f"{recipe.net}.{kind}.{tag(spread)}.{key}": value for key, value in outcomes.metrics(recipe, kind, spread)
                }
        notes = [
            "Accuracy in situ is averaged over trainings, with its interval over test images.",
            "Chips of one training share its weights: other uses have intervals over trainings where there are three or more.",
            "With fewer trainings these intervals are over chips, and hold for these trainings alone.",
        ]
        if self.data != "mnist":
            notes.append("MNIST was not found: this ran on scikit-learn's 1797 digits, and tolerances are 1.5 points.")
        quantities = tuple(Quantity(name, estimate) for name, estimate in metrics.items())
        return Summary(
            curves=tuple(outcomes.curves(self.recipes)), quantities=quantities, claims=_claims_of(self), notes=tuple(notes)
        )


def _claims_of(experiment: SpintronicNeuron) -> tuple[Claim, ...]:
    return claims_for({recipe.net for recipe in experiment.recipes}, experiment.data)


PRESETS: dict[str, SpintronicNeuron] = {
    "quick": SpintronicNeuron(recipes=(replace(SHORT, repaired_from=0.3), DEVICES)),
    "standard": SpintronicNeuron(recipes=(LONG, replace(SHORT, cells=FINE), DEVICES)),
    "paper": SpintronicNeuron(
        recipes=(
            PUBLISHED,
            *(
                replace(PUBLISHED, net=f"hidden{'x'.join(map(str, hidden))}", hidden=hidden)
                for hidden in ((100,), (2000,), (512, 512))
            ),
            replace(PUBLISHED, net="devices", cells=BUILT, modes=("in_situ",), beside="long"),
        )
    ),
}
CLAIMS: dict[str, tuple[Claim, ...]] = {preset: _claims_of(experiment) for preset, experiment in PRESETS.items()}


def prepare(preset: str = "quick") -> SpintronicNeuron:
    """The experiment of a preset; on scikit-learn's digits, with more epochs on fewer images, where MNIST is not to be had."""
    experiment = PRESETS[check_one_of(preset, "preset", allowed=PRESETS)]
    try:
        images(experiment.data)
    except DataUnavailableError:
        small = tuple(replace(recipe, epochs=15 * recipe.epochs, shift=0) for recipe in experiment.recipes)
        return replace(experiment, data="digits", recipes=small)
    return experiment
