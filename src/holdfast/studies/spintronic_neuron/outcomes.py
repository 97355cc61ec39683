"""What all points together say: curves over the spread, and the quantities that the claims name."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.curve import Curve
from holdfast.core.estimate import Estimate, bootstrap, exact, mean_t, proportion
from holdfast.studies.spintronic_neuron.recipes import KINDS, MODES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from holdfast.core.experiment import Measurement, Point
    from holdfast.studies.spintronic_neuron.recipes import Mode, Recipe

__all__ = ["Outcomes"]

TOLERABLE = 0.01  # a chip that loses no more than this share of the images counts into the yield


class Outcomes:
    """What was measured, ordered by cell; cells that are missing give nothing, so that their claims become errors."""

    def __init__(self, measurements: Iterable[tuple[Point, Measurement]]) -> None:
        self.table: dict[str, Estimate] = {}
        self.correct: dict[tuple[str, str, float, str], dict[int, NDArray[np.float64]]] = defaultdict(dict)
        for point, measurement in measurements:
            if point["net"] == "table":
                self.table |= {f"table.{name}": value for name, value in measurement.estimates.items()}
            else:
                cell = (point["net"], point["kind"], point["spread"], point["mode"])
                self.correct[cell][point["seed"]] = np.asarray(measurement.arrays["correct"], dtype=float)

    def per_image(self, net: str, kind: str, spread: float) -> NDArray[np.float64] | None:
        """Array (n,): share of seeds whose network in situ is right."""
        runs = self.correct.get((net, kind, spread, "in_situ"))
        return np.mean([run[:, 0] for run in runs.values()], axis=0) if runs else None

    def losses(self, net: str, kind: str, spread: float, mode: str) -> NDArray[np.float64]:
        """Array (seeds x chips,): accuracy where the weights were trained minus accuracy on each other chip, seed by seed."""
        home = self.correct.get((net, kind, 0.0 if mode == "from_ideal" else spread, "in_situ"), {})
        away = self.correct.get((net, kind, spread, mode), {})
        per_seed = [home[seed].mean() - away[seed].mean(axis=0) for seed in sorted(away) if seed in home]
        return np.concatenate(per_seed) if per_seed else np.empty(0)

    def metrics(self, recipe: Recipe, kind: str, spread: float) -> Iterator[tuple[str, Estimate]]:
        """The quantities of one cell."""
        mine = self.per_image(recipe.net, kind, spread)
        if mine is not None:
            yield "accuracy", mean_t(mine)
            for other in KINDS:
                ideal = self.per_image(recipe.net, other, 0.0)
                if ideal is not None and (other, 0.0) != (kind, spread):
                    yield f"change_from_ideal_{other}", mean_t(mine - ideal)
        for mode in MODES[1:]:
            losses = self.losses(recipe.net, kind, spread, mode)
            if losses.size:
                yield f"{mode}_loss", mean_t(losses)
                yield f"{mode}_worst_loss", exact(losses.max(), losses.size, "largest")
                yield f"{mode}_yield", proportion(int((losses <= TOLERABLE).sum()), losses.size)
                if mode in {"recalibrated", "aware"}:
                    yield from self.recovered(recipe, kind, spread, mode)

    def recovered(self, recipe: Recipe, kind: str, spread: float, mode: Mode) -> Iterator[tuple[str, Estimate]]:
        """The share of the transfer's loss that `mode` wins back, chip by chip the same chips."""
        pairs = []
        for seed, away in self.correct.get((recipe.net, kind, spread, mode), {}).items():
            home = self.correct.get((recipe.net, kind, spread, "in_situ"), {}).get(seed)
            careless = self.correct.get((recipe.net, kind, spread, "transferred"), {}).get(seed)
            if home is not None and careless is not None:
                both = min(away.shape[1], careless.shape[1])
                pairs.append(home.mean() - np.stack([careless.mean(axis=0)[:both], away.mean(axis=0)[:both]], axis=1))
        if pairs:
            yield f"{mode}_recovers", bootstrap(np.concatenate(pairs), lambda rows: 1 - rows[:, 1].mean() / rows[:, 0].mean())

    def curves(self, recipes: Iterable[Recipe]) -> Iterator[Curve]:
        """Accuracy against spread for each network, kind and use."""
        for recipe in recipes:
            for kind in KINDS:
                for mode in recipe.modes:
                    dots = {
                        spread: self.estimate(recipe.net, kind, spread, mode) for other, spread in recipe.cells if other == kind
                    }
                    found = {spread: estimate for spread, estimate in sorted(dots.items()) if estimate is not None}
                    if len(found) > 1:
                        yield Curve(
                            name=f"{recipe.net} {kind} {mode.replace('_', ' ')}",
                            axis="relative spread",
                            at=tuple(found),
                            estimates=tuple(found.values()),
                        )

    def estimate(self, net: str, kind: str, spread: float, mode: str) -> Estimate | None:
        """Accuracy of one dot of a curve; without spread all uses are the same."""
        if mode == "in_situ" or spread == 0:
            mine = self.per_image(net, kind, spread)
            return None if mine is None else mean_t(mine)
        runs = self.correct.get((net, kind, spread, mode))
        return mean_t(np.concatenate([run.mean(axis=0) for run in runs.values()])) if runs else None
