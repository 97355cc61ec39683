"""What all points together say: curves over the spread, and the quantities that the claims name."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.curve import Curve
from holdfast.core.estimate import Estimate, bootstrap, cluster_bootstrap, exact, mean_t, proportion
from holdfast.studies.spintronic_neuron.recipes import KINDS, MODES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from holdfast.core.experiment import Measurement, Point
    from holdfast.studies.spintronic_neuron.recipes import Mode, Recipe

__all__ = ["Outcomes"]

ENOUGH = 3  # trainings from which an interval says something about further ones
TOLERABLE = 0.01  # a chip that loses no more than this share of the images counts into the yield


def _over_chips(runs: Sequence[NDArray[np.float64]]) -> Estimate:
    """Mean over trainings and their chips, with Student's t interval; chips of one training share its weights.

    From three trainings on the interval is that of their means. With fewer it holds for these trainings alone: it comes from the
    deviations of chips from their training's mean, and its name says so.
    """
    if len(runs) >= ENOUGH:
        return replace(mean_t([run.mean() for run in runs]), method="t over trainings")
    mean, count = float(np.concatenate(runs).mean()), sum(map(len, runs))
    freedom = count - len(runs)
    half = math.inf
    if freedom:
        from scipy.special import stdtrit

        within = sum(float(((run - run.mean()) ** 2).sum()) for run in runs)
        half = float(stdtrit(freedom, 0.975)) * math.sqrt(within / freedom / count)
    return Estimate(mean, mean - half, mean + half, count, "t over chips of these trainings")


def _share_of_chips(runs: Sequence[NDArray[np.bool_]]) -> Estimate:
    """Share of chips, with the Wilson interval over chips; from three trainings on no narrower than that of their shares."""
    chips = np.concatenate(runs)
    share = proportion(int(chips.sum()), len(chips))
    if len(runs) < ENOUGH:
        return replace(share, method="wilson over chips of these trainings")
    means = _over_chips([run.astype(float) for run in runs])
    lo, hi = max(0.0, min(share.lo, means.lo)), min(1.0, max(share.hi, means.hi))
    return Estimate(share.value, lo, hi, len(runs), "wilson, t over trainings")


def _recovery(pairs: Sequence[NDArray[np.float64]]) -> Estimate:
    """Share of the first loss that the second leaves no more, by the bootstrap over trainings, or over chips where they are few."""

    def share(rows: NDArray[np.float64]) -> float:
        return float(1 - rows[:, 1].mean() / rows[:, 0].mean())

    rows = np.concatenate(pairs)
    if len(pairs) >= ENOUGH:
        return cluster_bootstrap(
            rows, np.repeat(np.arange(len(pairs)), [*map(len, pairs)]), share, method="bootstrap over trainings"
        )
    centred = np.concatenate([run - run.mean(axis=0) for run in pairs]) + rows.mean(axis=0)
    return replace(bootstrap(centred, share), method="bootstrap over chips of these trainings")


class Outcomes:
    """What was measured, ordered by cell; cells that are missing give nothing, so that their claims become errors."""

    def __init__(self, measurements: Iterable[tuple[Point, Measurement]]) -> None:
        self.table: dict[str, Estimate] = {}
        self.correct: dict[tuple[str, str, float, str], dict[int, NDArray[np.float64]]] = defaultdict(dict)
        for point, measurement in measurements:
            if point["net"] == "table":
                self.table |= {f"table.{name}": value for name, value in measurement.estimates.items()}
            elif point["net"] == "closed":
                self.table |= {f"closed.{point['device']}.{name}": value for name, value in measurement.estimates.items()}
            else:
                cell = (point["net"], point["kind"], point["spread"], point["mode"])
                self.correct[cell][point["seed"]] = np.asarray(measurement.arrays["correct"], dtype=float)

    def per_image(self, net: str, kind: str, spread: float) -> NDArray[np.float64] | None:
        """Array (n,): share of seeds whose network in situ is right."""
        runs = self.correct.get((net, kind, spread, "in_situ"))
        return np.mean([run[:, 0] for run in runs.values()], axis=0) if runs else None

    def losses(self, net: str, kind: str, spread: float, mode: str) -> list[NDArray[np.float64]]:
        """For each seed an array (chips,): accuracy where the weights were trained minus accuracy on each other chip."""
        home = self.correct.get((net, kind, 0.0 if mode == "from_ideal" else spread, "in_situ"), {})
        away = self.correct.get((net, kind, spread, mode), {})
        return [home[seed].mean() - away[seed].mean(axis=0) for seed in sorted(away) if seed in home]

    def metrics(self, recipe: Recipe, kind: str, spread: float) -> Iterator[tuple[str, Estimate]]:
        """The quantities of one cell."""
        mine = self.per_image(recipe.net, kind, spread)
        if mine is not None:
            yield "accuracy", mean_t(mine)
            for other in KINDS:
                ideal = self.per_image(recipe.beside or recipe.net, other, 0.0)
                if ideal is not None and (other, 0.0) != (kind, spread):
                    yield f"change_from_ideal_{other}", mean_t(mine - ideal)
        for mode in MODES[1:]:
            losses = self.losses(recipe.net, kind, spread, mode)
            if losses:
                yield f"{mode}_loss", _over_chips(losses)
                yield f"{mode}_worst_loss", exact(np.max(np.concatenate(losses)), sum(map(len, losses)), "largest")
                yield f"{mode}_yield", _share_of_chips([run <= TOLERABLE for run in losses])
                if mode in {"recalibrated", "aware"}:
                    yield from self.recovered(recipe, kind, spread, mode)

    def recovered(self, recipe: Recipe, kind: str, spread: float, mode: Mode) -> Iterator[tuple[str, Estimate]]:
        """The share of the transfer's loss that `mode` wins back, chip by chip the same chips; nothing where nothing was lost."""
        pairs = []
        for seed, away in self.correct.get((recipe.net, kind, spread, mode), {}).items():
            home = self.correct.get((recipe.net, kind, spread, "in_situ"), {}).get(seed)
            careless = self.correct.get((recipe.net, kind, spread, "transferred"), {}).get(seed)
            if home is not None and careless is not None:
                both = min(away.shape[1], careless.shape[1])
                pairs.append(home.mean() - np.stack([careless.mean(axis=0)[:both], away.mean(axis=0)[:both]], axis=1))
        careless_losses = np.concatenate(pairs)[:, 0] if pairs else np.zeros(1)
        if careless_losses.min() > 0 or mean_t(careless_losses).lo > 0:
            yield f"{mode}_recovers", _recovery(pairs)

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
        return _over_chips([run.mean(axis=0) for run in runs.values()]) if runs else None
