"""Can an attacker make a victim answer a chosen class that the attacker's own network does not know? With controls, and as a prior.

Source and target worlds share no class and no image. The victim is asked, once, what it makes of images of the source classes; the
source class that it takes for the target most often stands for it, and images of the victim's world are pushed towards that class
in the attacker's network: in its answer, in its layers, or in both. Each rate stands beside noise of the same size and beside
attacks towards random and worst proxies. The same gradients then guide an attack by queries.

Environments: clothes to other clothes, digits to other digits, digits to clothes; in the larger presets objects to other objects
and vehicles to animals.

Source: N. Inkawhich et al., arXiv:2103.09916, of which the abstract was read. Data, networks, sizes and numbers are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from holdfast.core.checks import check_one_of
from holdfast.core.experiment import Measurement, Quantity, Summary
from holdfast.studies.transfer_attack import queries, trials
from holdfast.studies.transfer_attack.claims import claims_for
from holdfast.studies.transfer_attack.environments import CIFAR, DIGITS, FASHION, MIXED, VEHICLES, Environment
from holdfast.studies.transfer_attack.outcomes import Outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from holdfast.core.claim import Claim
    from holdfast.core.experiment import Context, Point

__all__ = ["CLAIMS", "PRESETS", "SOURCE", "TITLE", "Environment", "TransferAttack", "prepare"]

TITLE = "Targeted attacks on classes that the attacker's network does not know"
SOURCE = (
    "N. Inkawhich et al., Can Targeted Adversarial Examples Transfer When the Source and Target Models Have No Label Space "
    "Overlap?, arXiv:2103.09916"
)
PARTS: dict[str, Callable[[Environment, Point, Context], Measurement]] = {
    "correspondence": trials.measure_correspondence,
    "transfer": trials.measure_transfer,
    "sink": trials.measure_sink,
    "layers": trials.measure_layers,
    "queries": queries.measure_queries,
}


@dataclass(frozen=True, kw_only=True)
class TransferAttack:
    """The experiment.

    Parameters
    ----------
    environments : pairs of worlds
    seeds : trainings of both networks; large environments have one
    images : attacked images of each environment, seed and target class
    steps : of each attack
    top_k : proxies of each target
    layers : whether layers are chosen with a second network
    sink_eps : size at which a victim that never saw noise is shown
    asked : images that are attacked by queries, queries for each, and directions per step
    asked_large : the same for CIFAR-10
    """

    name: ClassVar[str] = "transfer-attack"
    version: ClassVar[int] = 1

    environments: tuple[Environment, ...] = (FASHION, DIGITS, MIXED)
    seeds: int = 1
    images: int = 80
    steps: int = 10
    top_k: int = 1
    layers: bool = False
    sink_eps: float = 0.2
    asked: tuple[int, int, int] = (60, 500, 10)
    asked_large: tuple[int, int, int] = (40, 600, 25)

    def points(self) -> list[Point]:
        """One point per environment, seed, size and question; what trains networks comes first."""
        return [*self._correspondences(), *self._transfers(), *self._others(), *self._queries()]

    def _seeds(self, environment: Environment) -> range:
        return range(1 if environment.source == "cifar10" else self.seeds)

    def _correspondences(self) -> Iterator[Point]:
        for environment in self.environments:
            for seed in self._seeds(environment):
                yield {"part": "correspondence", "env": environment.name, "seed": seed}

    def _transfers(self) -> Iterator[Point]:
        settings = {"images": self.images, "steps": self.steps, "top_k": self.top_k}
        for environment in self.environments:
            for seed in self._seeds(environment):
                for eps in environment.eps:
                    yield {"part": "transfer", "env": environment.name, "seed": seed, "eps": eps, **settings}

    def _others(self) -> Iterator[Point]:
        asked = {"images": self.images, "steps": self.steps}
        for environment in self.environments:
            if environment.name == "E2":
                yield {"part": "sink", "env": "E2", "seed": 0, "eps": self.sink_eps, **asked}
            if self.layers:
                yield {"part": "layers", "env": environment.name, "seed": 0, "eps": max(environment.eps), **asked}

    def _queries(self) -> Iterator[Point]:
        for environment in self.environments:
            numbers = self.asked_large if environment.source == "cifar10" else self.asked
            asked = dict(zip(("images", "queries", "samples"), numbers, strict=True))
            for guide in environment.guides:
                yield {"part": "queries", "env": environment.name, "seed": 0, "eps": max(environment.eps), "guide": guide, **asked}

    def measure(self, point: Point, context: Context) -> Measurement:
        """Measure one point."""
        context.check_time()
        environment = next(environment for environment in self.environments if environment.name == point["env"])
        return PARTS[point["part"]](environment, point, context)

    def summarise(self, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
        """Curves, the quantities that the claims name, and the claims."""
        outcomes = Outcomes(measurements)
        asked, words = outcomes.part("queries"), {environment.name: environment.words for environment in self.environments}
        notes = (
            f"Environments: {'; '.join(f'{name} {what}' for name, what in words.items())}.",
            "Of the paper only the abstract was read: worlds, networks, sizes and numbers are ours, and none is quoted as its own.",
            "Success means the target class, out of five or six; a rate without its controls says nothing.",
            "Random proxies are any source classes but the best; the worst has the smallest entry in the target's column.",
            "Each image serves one target class, in equal numbers for each pair of right class and target.",
            "Attacks by queries take the victim's scores; the findings say how good each guess at its gradient is.",
            "Many guesses are compared, each at a level of 95 %: of twenty that do nothing one would seem to help or to harm.",
        )
        return Summary(
            curves=tuple(outcomes.curves()),
            quantities=tuple(Quantity(name, estimate) for name, estimate in outcomes.metrics().items()),
            findings=(*queries.savings(asked, words), *queries.regimes(asked, words)),
            claims=claims_for(self.environments),
            notes=notes,
        )


SIMPLE = ("none", "prior", "better", "frame_none", "frame_better", "frame_start")
FULL = ("none", "prior", "noise_source", "better", "coarse_none", "coarse_better", "frame_none", "frame_better", "frame_start")
SHARED = ("shared_none", "shared_prior")
PRESETS: dict[str, TransferAttack] = {
    "quick": TransferAttack(
        environments=(
            replace(FASHION, guides=(*SIMPLE, *SHARED)),
            replace(DIGITS, eps=(0.3,)),
            replace(MIXED, eps=(0.2,)),
        ),
    ),
    "standard": TransferAttack(
        environments=(
            replace(FASHION, guides=(*FULL, *SHARED)),
            replace(DIGITS, guides=SIMPLE),
            MIXED,
            replace(CIFAR, guides=(*SIMPLE, "frame_span")),
            replace(VEHICLES, guides=(*SIMPLE, "frame_span")),
        ),
        seeds=3,
        steps=20,
        top_k=2,
        layers=True,
        asked=(120, 1000, 10),
        asked_large=(120, 600, 25),
    ),
}
PRESETS["paper"] = replace(PRESETS["standard"], seeds=10, images=1000, asked=(100, 2000, 10), asked_large=(100, 10_000, 50))
CLAIMS: dict[str, tuple[Claim, ...]] = {preset: claims_for(experiment.environments) for preset, experiment in PRESETS.items()}


def prepare(preset: str = "quick") -> TransferAttack:
    """The experiment of a preset; its data are fetched, or refused, when the first point needs them."""
    return PRESETS[check_one_of(preset, "preset", allowed=PRESETS)]
