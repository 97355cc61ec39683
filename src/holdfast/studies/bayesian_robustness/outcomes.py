"""What all points together say: curves, the quantities that the claims name, and which posteriors are not to be trusted."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.curve import Curve
from holdfast.core.estimate import Estimate, bootstrap, exact, extreme, mean_t, paired_difference, proportion
from holdfast.studies.bayesian_robustness.recipes import PREDICTIVE, tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from holdfast.core.experiment import Measurement, Point
    from holdfast.studies.bayesian_robustness.recipes import Images, Moons

__all__ = ["Outcomes"]

WORDS = {"hmc": "HMC", "hmc_few": "HMC of few chains", "vi": "VI", "ensemble": "ensemble", "deterministic": "deterministic"}
TIED = 1e-9  # between settings of one accuracy, so that a curve holds all of them
Key = tuple[Any, ...]


class Outcomes:
    """What was measured; what is missing gives nothing, so that its claims become errors."""

    def __init__(self, measurements: Iterable[tuple[Point, Measurement]]) -> None:
        self.found: dict[Key, Measurement] = {tuple(point.values()): measurement for point, measurement in measurements}

    def warnings(self) -> dict[Key, str]:
        """What speaks against a posterior, by the part, the data and the model of a point."""
        return {key: "; ".join(found.details["warnings"]) for key, found in self.found.items() if found.details.get("warnings")}

    def metrics(self, moons: Moons, images: Iterable[Images]) -> dict[str, Estimate]:
        """All quantities; those of unconverged chains have no finite interval, and their twins ``drawn.`` are without that care."""
        table: dict[str, Estimate] = {}
        for name, estimate, behind in (*self._moons(moons), *self._plane(), *self._images(images)):
            reason = next((text for key, text in self.warnings().items() if any(key[: len(one)] == one for one in behind)), "")
            table[name] = replace(estimate, lo=-math.inf, hi=math.inf, method=f"unconverged: {reason}") if reason else estimate
            table[f"drawn.{name}"] = estimate
        for key, found in self.found.items():
            if key[0] == "regression":
                table |= {f"regression.{name}": estimate for name, estimate in found.estimates.items()}
        return table | self._sweep()

    def _moons(self, moons: Moons) -> Iterator[tuple[str, Estimate, list[Key]]]:
        base = self.found.get(("moons", "deterministic"))
        for key, found in self.found.items():
            if key[0] != "moons":
                continue
            for name, estimate in found.estimates.items():
                yield f"moons.{key[1]}.{name}", estimate, [key]
            for distance in moons.distances if base else ():
                name = f"off.{tag(distance)}"
                yield f"moons.{key[1]}.gain.{tag(distance)}", _gain(base, found, name), [key]

    def _plane(self) -> Iterator[tuple[str, Estimate, list[Key]]]:
        for key, found in self.found.items():
            if key[0] == "plane":
                for name, estimate in found.estimates.items():
                    yield f"plane.n{key[1]}.{name}", estimate, [key]
        runs = sorted((key for key in self.found if key[0] == "plane"), key=lambda key: key[1])
        if len(runs) > 1:
            few, many = (self.found[key].arrays["norm"] for key in (runs[0], runs[-1]))
            yield "plane.excess", mean_t(many - few / 2), runs

    def _images(self, images: Iterable[Images]) -> Iterator[tuple[str, Estimate, list[Key]]]:
        for recipe in images:
            for model in recipe.models:
                behind: list[Key] = [("images", recipe.data, model)]
                for name, estimate in self._of_model(recipe, model):
                    yield f"{metric_name(recipe.data)}.{model}.{name}", estimate, behind

    def _of_model(self, recipe: Images, model: str) -> Iterator[tuple[str, Estimate]]:
        clean, base = self._at(recipe, model, "clean", 0.0), self._at(recipe, "deterministic", "clean", 0.0)
        if clean is not None:
            yield from clean.estimates.items()
            sizes = [name for name in clean.estimates if name.startswith("largest")]
            if len(sizes) > 1:
                values = [clean.estimates[name].value for name in sizes]
                rise = max(after / before for before, after in pairwise(values))
                yield "largest_rise", exact(rise, len(values), "largest ratio of neighbours")
            if base is not None:
                yield "gain.clean", _gain(base, clean, "right")
        for eps in recipe.eps:
            yield from self._at_size(recipe, model, eps)

    def _at_size(self, recipe: Images, model: str, eps: float) -> Iterator[tuple[str, Estimate]]:
        """Accuracy and robustness under each attack of one size, gains over the deterministic network, and the best attacks."""
        for protocol in ("expected", "second_softmax", "code", *PREDICTIVE, "adaptive"):
            mine, base = (self._at(recipe, one, protocol, eps) for one in (model, "deterministic"))
            if mine is None:
                continue
            for name, estimate in mine.estimates.items():
                yield f"{tag(eps)}.{protocol}.{name}", estimate
            for name in [name.removesuffix(".right") for name in mine.arrays if name.endswith(".right")]:
                if base is not None and f"{name}.right" in base.arrays:
                    yield f"{tag(eps)}.{protocol}.{name}.gain", _gain(base, mine, f"{name}.right")
                    moved = mine.arrays[f"{name}.softmax"] - base.arrays[f"{name}.softmax"]
                    yield f"{tag(eps)}.{protocol}.{name}.softmax_gain", mean_t(moved)
        yield from self._best(recipe, model, eps)

    def _best(self, recipe: Images, model: str, eps: float) -> Iterator[tuple[str, Estimate]]:
        runs = [self._right(recipe, model, protocol, eps, "pgd") for protocol in PREDICTIVE]
        known = [run for run in runs if run is not None]
        if len(known) == len(PREDICTIVE):
            level = 1 - 0.05 / len(known)
            yield f"{tag(eps)}.best_pgd", extreme([proportion(int(run.sum()), len(run), level=level) for run in known], "least")
            expected = self._right(recipe, model, "expected", eps, "pgd")
            if expected is not None:
                yield f"{tag(eps)}.excess_of_expected", paired_difference(min(known, key=np.sum), expected)
        every = [run for run in (*known, self._right(recipe, model, "adaptive", eps, "worst")) if run is not None]
        if every:
            held = np.logical_and.reduce(every)
            yield f"{tag(eps)}.worst", proportion(int(held.sum()), len(held))

    def _at(self, recipe: Images, model: str, protocol: str, eps: float) -> Measurement | None:
        return self.found.get(("images", recipe.data, model, protocol, eps))

    def _right(self, recipe: Images, model: str, protocol: str, eps: float, attack: str) -> NDArray[np.bool_] | None:
        found = self._at(recipe, model, protocol, eps)
        return None if found is None else np.asarray(found.arrays[f"{attack}.right"], dtype=bool)

    def _sweep(self) -> dict[str, Estimate]:
        rows = [found.estimates for key, found in self.found.items() if key[0] == "sweep"]
        if len(rows) < 5:
            return {}
        pairs = np.array([[row["clean"].value, row["softmax"].value] for row in rows])
        return {"sweep.rank_correlation": bootstrap(pairs, _spearman)}

    def curves(self, moons: Moons, images: Iterable[Images]) -> Iterator[Curve]:
        """Cancellation against samples, accuracy and robustness against the size of attacks, and one against the other."""
        for model in ("hmc", "vi", "ensemble"):
            for part in ("orthogonal", "tangential"):
                yield from self._over_samples(("moons", model), moons.at, f"{part}.r", f"half-moons {part} {WORDS[model]}")
        for model in ("hmc", "vi", "ensemble", "deterministic"):
            dots = {distance: self._estimate(("moons", model), f"off.{tag(distance)}") for distance in moons.distances}
            dots = {0.0: self._estimate(("moons", model), "right")} | dots
            yield from _curve(f"half-moons attacked {WORDS[model]}", "L2 distance", dots)
        sizes = {key[1]: self._estimate(key, "norm") for key in self.found if key[0] == "plane"}
        yield from _curve("half-moons filling their plane", "training points", sizes, quantity="length of the expected gradient")
        for recipe in images:
            yield from self._image_curves(recipe)
        rows = sorted(
            (found.estimates for key, found in self.found.items() if key[0] == "sweep"), key=lambda row: row["clean"].value
        )
        apart = {row["clean"].value + TIED * place: row["softmax"] for place, row in enumerate(rows)}
        yield from _curve("sweep of settings, HMC", "accuracy without attack", apart, quantity="softmax robustness")

    def _image_curves(self, recipe: Images) -> Iterator[Curve]:
        for model in recipe.models:
            key = ("images", recipe.data, model, "clean", 0.0)
            name = f"{recipe.data} gradients {WORDS[model]}"
            yield from self._over_samples(key, recipe.at, "r", name)
            yield from self._over_samples(key, recipe.at, "largest", name, quantity="largest component of the mean gradient")
            for protocol, attack, label in (
                ("expected", "fgsm", "FGSM"),
                ("code", "pgd", "code-PGD"),
                ("adaptive", "worst", "adaptive"),
            ):
                for quantity, first in (("accuracy", self._estimate(key, "accuracy")), ("softmax", exact(1.0))):
                    dots = {0.0: first} | {
                        eps: self._estimate(("images", recipe.data, model, protocol, eps), f"{attack}.{quantity}")
                        for eps in recipe.eps
                    }
                    what = "softmax robustness" if quantity == "softmax" else quantity
                    yield from _curve(f"{recipe.data} {label} {WORDS[model]}", "eps", dots, quantity=what)

    def _over_samples(
        self, key: Key, at: Sequence[int], stem: str, name: str, *, quantity: str = "cancellation ratio"
    ) -> Iterator[Curve]:
        yield from _curve(name, "samples", {size: self._estimate(key, f"{stem}{size}") for size in at}, quantity=quantity)

    def _estimate(self, key: Key, name: str) -> Estimate | None:
        found = self.found.get(key)
        return None if found is None else found.estimates.get(name)


def metric_name(data: str) -> str:
    """A data set's name as part of a metric's name."""
    return data.replace("-", "_")


def _gain(base: Measurement | None, mine: Measurement, name: str) -> Estimate:
    assert base is not None, "asked for only where there is a deterministic network"
    return paired_difference(base.arrays[name], mine.arrays[name])


def _spearman(pairs: NDArray[np.float64]) -> float:
    from scipy.stats import rankdata

    ranks = rankdata(pairs, axis=0)
    spread = ranks.std(axis=0).prod()
    return float(np.mean((ranks - ranks.mean(axis=0)).prod(axis=1)) / spread) if spread else 0.0


def _curve(name: str, axis: str, dots: Mapping[float, Estimate | None], *, quantity: str = "accuracy") -> Iterator[Curve]:
    known = {at: estimate for at, estimate in sorted(dots.items()) if estimate is not None}
    if len(known) > 1:
        yield Curve(name=name, axis=axis, at=tuple(known), estimates=tuple(known.values()), quantity=quantity)
