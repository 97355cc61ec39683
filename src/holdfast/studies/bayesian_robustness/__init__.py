"""Are Bayesian networks robust to attacks along gradients? The paper's own attack, and an adaptive one on the same networks.

Where no datum sees a direction of the input, the posterior of the weights that act on it is their prior, and the mean gradient over
samples cancels there: exactly so for half-moons in a plane of a larger space, while in their own plane nothing lies off the data.
On images, samples of Hamiltonian chains, of a mean-field fit, of an ensemble, and one network are attacked along the mean gradient,
as in the paper, and by an adaptive protocol, on which alone a statement about security may rest.

Sources: G. Carbone et al., arXiv:2002.04359, and Y. Feng et al., arXiv:2404.19640: the abstracts, and the first one's public code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar, Self

from holdfast.core.posteriors import HMC, VI, AttackEffort, DeepEnsemble, SampledPerceptron
from holdfast.studies.study import Part, Study

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from holdfast.core.experiment import Point

__all__ = ["PRESETS", "BayesianRobustness"]

READER = SampledPerceptron(
    examples=1000,
    hidden=(64,),
    hmc=HMC(chains=10, samples=10, warmup=20, steps=10),
    few=HMC(chains=2, samples=25, warmup=20, steps=10),
    vi=VI(epochs=38, lr=2e-3, batch_size=128, samples=50),
    vi_examples=10_000,
    ensemble=DeepEnsemble(members=10, epochs=40, lr=5e-3, batch_size=100),
)
MOONS = SampledPerceptron(  # trajectories about as long as the prior is wide forget weights that no datum sees
    examples=500,
    hidden=(32, 32),
    hmc=HMC(chains=10, samples=40, warmup=30, steps=120, target_accept=0.75),
    vi=VI(epochs=800, lr=1e-2, batch_size=500, samples=400),
    ensemble=DeepEnsemble(members=50, epochs=200, lr=1e-2, batch_size=500),
)
PLANE = replace(MOONS, hmc=HMC(chains=5, samples=50, warmup=30, steps=150, target_accept=0.75))
EFFORT = AttackEffort(steps=20, climbs=30, restarts=1, queries=300)


def _part(measured: str, said: str, points: Callable[[Any], Iterable[Point]] = lambda study: ({},)) -> Part:  # noqa: ARG005
    """A part whose functions lie in `measure`, which loads torch and is imported by the first call."""

    def later(name: str) -> Callable[..., Any]:
        return lambda *given: getattr(import_module(f"{__name__}.measure"), name)(*given)  # noqa: PLW0108

    return Part(measure=later(measured), points=points, summary=later(said))


@dataclass(frozen=True, kw_only=True)
class BayesianRobustness(Study):
    """The experiment.

    Parameters
    ----------
    readers : pairs of a name of images and the networks that read them
    attacked, at : test images under attack; numbers of samples that gradients on images are averaged over
    eps, full : attack sizes in L-infinity; those of PGD on every loss and of the adaptive protocol
    effort : of the attackers
    moons : networks on half-moons in a plane of a larger space
    plane, fills : network on half-moons in their own plane, and numbers of its training points
    shown, draws : test points of half-moons; exact draws of a regression's posterior
    sweep : width, training images and std of the prior of chains whose accuracy and robustness are compared
    """

    readers: tuple[tuple[str, SampledPerceptron], ...] = (("mnist", READER),)
    attacked: int = 250
    at: tuple[int, ...] = (1, 5, 10, 25, 50, 100)
    eps: tuple[float, ...] = (0.05, 0.1, 0.3)
    full: tuple[float, ...] = (0.05, 0.1, 0.3)
    effort: AttackEffort = EFFORT
    moons: SampledPerceptron = MOONS
    plane: SampledPerceptron = PLANE
    fills: tuple[int, ...] = (100, 1000)
    shown: int = 500
    draws: int = 4096
    sweep: tuple[tuple[int, int, float], ...] = ()

    def prepared(self) -> Self:
        """On scikit-learn's digits, without the sweep, where a data set is not to be had."""
        from holdfast.data import else_bundled

        if all(else_bundled(data) == data for data, _ in self.readers):
            return self
        reader = replace(self.readers[0][1], examples=1000, vi_examples=1297)
        return replace(self, readers=(("digits", reader),), attacked=min(self.attacked, 500), sweep=())

    def posteriors(self) -> Iterator[Point]:
        """Each model of each data set, the dearest model first."""
        return ({"data": data, "model": model} for data, reader in self.readers for model in reader.models)

    def attacks(self) -> Iterator[Point]:
        """Each model under each protocol at each size, the dearest protocol first."""
        for point, eps in product(self.posteriors(), self.eps):
            full = ("adaptive", "second_softmax", "predictive_nll", "mean_logits") if eps in self.full else ()
            yield from ({**point, "protocol": protocol, "eps": eps} for protocol in (*full, "expected", "code"))

    name = "bayesian-robustness"
    version = 2
    title = "Are Bayesian networks robust to attacks along gradients?"
    source = "G. Carbone et al., Robustness of Bayesian Neural Networks to Gradient-Based Attacks, arXiv:2002.04359"
    parts: ClassVar = {  # dear posteriors first
        "posterior": _part("posterior", "of_posteriors", posteriors),
        "moons": _part("moons", "of_moons", lambda study: ({"model": model} for model in study.moons.models)),
        "plane": _part("plane", "of_plane", lambda study: ({"examples": n} for n in study.fills)),
        "regression": _part("regression", "of_regression"),
        "attack": _part("attack", "of_attacks", attacks),
        "sweep": _part("setting", "of_settings", lambda study: ({"width": w, "examples": n, "std": s} for w, n, s in study.sweep)),
    }
    notes = (
        "Of both papers the abstracts were read, of the first also the public code; no figure of theirs is quoted.",
        "A claim about a posterior is undecided where its chains disagree; charts, findings and drawn=yes show samples as drawn.",
        "Intervals are over attacked points, in the sweep over its settings; the samples of weights are taken as they are.",
    )


WIDE = replace(READER, examples=5000, hidden=(128, 128), few=None, vi_examples=5000, vi_hidden=(256, 256))
WIDE = replace(WIDE, hmc=HMC(chains=4, samples=25, warmup=25, steps=20), vi=VI(epochs=60, lr=2e-3, batch_size=128, samples=50))
STANDARD = BayesianRobustness(
    readers=(("mnist", WIDE), ("fashion-mnist", WIDE)),
    attacked=500,
    eps=(0.05, 0.1, 0.15, 0.2, 0.25, 0.3),
    full=(0.1, 0.3),
    effort=replace(EFFORT, queries=1000),
    sweep=tuple(product((16, 32, 64, 128, 256), (300, 1000), (0.5, 1.0))),
)
FULL = replace(WIDE, examples=60_000, hidden=(512, 512), vi_examples=60_000, vi_hidden=(1024, 1024))
FULL = replace(FULL, hmc=HMC(chains=4, samples=100, warmup=50, steps=10), vi=VI(epochs=20, lr=1e-3, batch_size=128, samples=250))
FEW = HMC(chains=2, samples=25, warmup=2, steps=1)
TINY = SampledPerceptron(
    examples=60,
    hidden=(6,),
    hmc=FEW,
    vi=VI(epochs=3, lr=1e-2, batch_size=60, samples=50),
    ensemble=DeepEnsemble(members=50, epochs=1, lr=1e-2, batch_size=60),
)
PRESETS = {
    "tiny": BayesianRobustness(
        readers=(("digits", replace(TINY, hmc=HMC(chains=10, samples=5, warmup=2, steps=1))),),
        attacked=10,
        at=(1, 50),
        eps=(0.1, 0.3),
        effort=AttackEffort(steps=1, climbs=1, restarts=1, queries=2),
        moons=replace(TINY, hmc=HMC(chains=10, samples=40, warmup=2, steps=1)),
        plane=TINY,
        shown=10,
        draws=512,
        sweep=tuple(product((4, 8), (30,), (0.5, 1.0))),
    ),
    "quick": BayesianRobustness(),
    "standard": STANDARD,
    "paper": replace(
        STANDARD,
        readers=(("mnist", FULL), ("fashion-mnist", replace(FULL, hidden=(1024, 1024)))),
        attacked=1000,
        at=(1, 10, 50, 100, 250),
        full=STANDARD.eps,
        effort=AttackEffort(steps=20, climbs=100, restarts=5, queries=1000),
        plane=replace(PLANE, hidden=(128, 128), hmc=HMC(chains=10, samples=25, warmup=100, steps=30)),
        fills=(5000, 15_000),
        sweep=tuple(product((32, 128, 256, 512), (5000, 15_000), (0.3, 1.0))),
    ),
}
