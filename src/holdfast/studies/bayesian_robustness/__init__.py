"""Are Bayesian networks robust to attacks along gradients? The paper's own attack, and what a sound one makes of the same networks.

Where no datum sees a direction of the input, the posterior of the weights that act on it is their prior, and the mean gradient over
samples cancels there. On half-moons in a plane of a larger space this is exact; in their own plane there is nothing to cancel. On
images four kinds of samples are attacked: of Hamiltonian chains, of a mean-field fit, of an ensemble, and a single network. Every
attack comes under two protocols: the paper's, along the expected gradient, and an adaptive one, on which alone a statement about
security may rest.

Sources: G. Carbone et al., arXiv:2002.04359, and Y. Feng et al., arXiv:2404.19640, of both of which the abstracts were read, and of
the first the public code. Numbers are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from holdfast.core.checks import check_one_of
from holdfast.core.errors import DataUnavailableError
from holdfast.core.experiment import Measurement, Quantity, Summary
from holdfast.studies.bayesian_robustness.claims import claims_for
from holdfast.studies.bayesian_robustness.outcomes import Outcomes
from holdfast.studies.bayesian_robustness.recipes import HMC, VI, Images, Moons, Plane, Regression, Sweep
from holdfast.studies.bayesian_robustness.remarks import findings, notes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdfast.core.claim import Claim
    from holdfast.core.experiment import Context, Point

__all__ = ["CLAIMS", "PRESETS", "SOURCE", "TITLE", "BayesianRobustness", "prepare"]

TITLE = "Are Bayesian networks robust to attacks along gradients?"
SOURCE = "G. Carbone et al., Robustness of Bayesian Neural Networks to Gradient-Based Attacks, arXiv:2002.04359"
DIGITS = "MNIST was not found: this ran on scikit-learn's digits."
MOONS, PLANE, REGRESSION = Moons(), Plane(), Regression()


@dataclass(frozen=True, kw_only=True)
class BayesianRobustness:
    """The experiment.

    Parameters
    ----------
    images : networks that read images
    moons, plane, regression : half-moons in a plane of a larger space, in their own plane, and a posterior that is known exactly
    sweep : settings whose accuracy and robustness are set against each other; None: left out
    """

    name: ClassVar[str] = "bayesian-robustness"
    version: ClassVar[int] = 1

    images: tuple[Images, ...] = (Images(data="mnist"),)
    moons: Moons = MOONS
    plane: Plane = PLANE
    regression: Regression = REGRESSION
    sweep: Sweep | None = None

    def points(self) -> list[Point]:
        """Posteriors first, the dearest before the others, then the attacks that share them."""
        found: list[Point] = [
            {"part": "images", "data": recipe.data, "model": model, "protocol": "clean", "eps": 0.0}
            for recipe in self.images
            for model in recipe.models
        ]
        found += [{"part": "moons", "model": model} for model in ("hmc", "vi", "ensemble", "deterministic")]
        found += [{"part": "plane", "examples": examples} for examples in self.plane.examples]
        found.append({"part": "regression"})
        for recipe in self.images:
            found += self._attacks(recipe)
        return [*found, *self._sweep()]

    def _attacks(self, recipe: Images) -> Iterator[Point]:
        for model in recipe.models:
            for eps in recipe.eps:
                for protocol in recipe.protocols(eps):
                    yield {"part": "images", "data": recipe.data, "model": model, "protocol": protocol, "eps": eps}

    def _sweep(self) -> Iterator[Point]:
        if self.sweep is not None:
            for width in self.sweep.widths:
                for examples in self.sweep.examples:
                    for std in self.sweep.stds:
                        yield {"part": "sweep", "width": width, "examples": examples, "std": std}

    def measure(self, point: Point, context: Context) -> Measurement:
        """Measure one point; posteriors are kept and shared."""
        from holdfast.studies.bayesian_robustness import images, moons

        context.check_time()
        if point["part"] == "images":
            recipe = next(recipe for recipe in self.images if recipe.data == point["data"])
            return images.measure_images(recipe, point, context)
        if point["part"] == "moons":
            return moons.measure_moons(self.moons, point, context)
        if point["part"] == "plane":
            return moons.measure_plane(self.plane, point, context)
        if point["part"] == "regression":
            return moons.measure_regression(self.regression, context)
        assert self.sweep is not None, "a point asks for the sweep, but there is none"
        return images.measure_sweep(self.sweep, point, context)

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Curves, the quantities that the claims name, the claims, and what is to be said about security."""
        outcomes = Outcomes(measurements)
        metrics = outcomes.metrics(self.moons, self.images)
        reasons: dict[str, str] = {}
        for key, text in outcomes.warnings().items():
            if key[0] != "images" or key[2] == "hmc":
                reasons.setdefault(str(key[1] if key[0] == "images" else key[0]), text)
        return Summary(
            curves=tuple(outcomes.curves(self.moons, self.images)),
            quantities=tuple(Quantity(name, estimate) for name, estimate in metrics.items()),
            findings=tuple(findings(metrics, self.images, self.sweep)),
            claims=claims_for(self.moons, self.plane, self.images, reasons),
            notes=(
                *notes(measurements, self.images),
                *(("MNIST was not found: this ran on scikit-learn's digits.",) if self._digits else ()),
            ),
        )

    @property
    def _digits(self) -> bool:
        return any(recipe.data == "digits" for recipe in self.images)


PRESETS: dict[str, BayesianRobustness] = {
    "quick": BayesianRobustness(),
    "standard": BayesianRobustness(
        images=tuple(
            Images(
                data=data,
                examples=5000,
                points=500,
                hidden=(128, 128),
                vi_hidden=(256, 256),
                hmc=HMC(chains=4, samples=25, warmup=25, steps=20),
                few=None,
                vi=VI(epochs=60, lr=2e-3, batch_size=128, samples=50, examples=5000),
                eps=(0.05, 0.1, 0.15, 0.2, 0.25, 0.3),
                full=(0.1, 0.3),
                adaptive=(0.1, 0.3),
                queries=1000,
            )
            for data in ("mnist", "fashion-mnist")
        ),
        sweep=Sweep(data="mnist"),
    ),
    "paper": BayesianRobustness(
        images=tuple(
            Images(
                data=data,
                examples=60_000,
                points=1000,
                hidden=hidden,
                vi_hidden=(1024, 1024),
                hmc=HMC(chains=4, samples=100, warmup=50, steps=10),
                few=None,
                vi=VI(epochs=20, lr=1e-3, batch_size=128, samples=250, examples=60_000),
                at=(1, 10, 50, 100, 250),
                eps=(0.05, 0.1, 0.15, 0.2, 0.25, 0.3),
                full=(0.05, 0.1, 0.15, 0.2, 0.25, 0.3),
                adaptive=(0.05, 0.1, 0.15, 0.2, 0.25, 0.3),
                climbs=100,
                restarts=5,
                queries=1000,
            )
            for data, hidden in (("mnist", (512, 512)), ("fashion-mnist", (1024, 1024)))
        ),
        plane=Plane(examples=(5000, 15_000), hidden=(128, 128), hmc=HMC(chains=10, samples=25, warmup=100, steps=30)),
        sweep=Sweep(data="mnist", widths=(32, 128, 256, 512), examples=(5000, 15_000), stds=(0.3, 1.0)),
    ),
}
CLAIMS: dict[str, tuple[Claim, ...]] = {
    preset: claims_for(experiment.moons, experiment.plane, experiment.images) for preset, experiment in PRESETS.items()
}


def prepare(preset: str = "quick") -> BayesianRobustness:
    """The experiment of a preset; on scikit-learn's digits where the images are not to be had."""
    experiment = PRESETS[check_one_of(preset, "preset", allowed=PRESETS)]
    from holdfast.data import load_images

    try:
        for recipe in experiment.images:
            load_images(recipe.data, "test", n=10)
    except DataUnavailableError:
        recipe = experiment.images[0]
        small = replace(recipe, data="digits", examples=1000, points=min(recipe.points, 500), vi=replace(recipe.vi, examples=1297))
        return replace(experiment, images=(small,), sweep=None)
    return experiment
