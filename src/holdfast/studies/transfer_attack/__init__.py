"""Targeted attacks on a victim whose classes the attacker's own network does not know.

Source and target worlds share no class and no image. The victim is asked once about images of the source classes. The source class
that it takes for the target most often is the target's proxy, and images of the victim's world are pushed towards that class in the
attacker's network: in its answer, in its layers, or in both. Each rate stands beside noise of the same size and beside attacks
towards random and worst proxies. The same gradients then guide an attack by queries.

Source: N. Inkawhich et al., arXiv:2103.09916, of which the abstract was read. Data, networks, sizes and numbers are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from holdfast.studies.study import Part, Study
from holdfast.studies.transfer_attack import measure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from holdfast.core.experiment import Point

__all__ = ["PRESETS", "Environment", "TransferAttack"]

SIMPLE = ("none", "prior", "better", "frame_none", "frame_better", "frame_start")
FULL = (*SIMPLE[:2], "noise_source", "better", "coarse_none", "coarse_better", *SIMPLE[3:])
SHARED = ("shared_none", "shared_prior")


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A source world, which the attacker owns, and a target world, which the victim knows; they share no class and no image.

    Parameters
    ----------
    name, words : part of each point, and for the page
    source, target : data set and labels in it
    per_class : training images of each class
    source_widths, target_widths : channels of the blocks of both networks
    training, reach : of the white box: with ``"noise"`` or ``"adversarial"`` examples of one step, of a random size up to `reach`
    victim_noise : largest sign noise in the victim's training
    eps : sizes of the attack (L-infinity)
    guides : of the attacks by queries at the largest of them
    """

    name: str
    words: str
    source: tuple[str, tuple[int, ...]]
    target: tuple[str, tuple[int, ...]]
    per_class: int = 1000
    source_widths: tuple[int, ...] = (16, 32, 32, 64)
    target_widths: tuple[int, ...] = (24, 48, 48)
    training: str = "adversarial"
    reach: float = 0.15
    victim_noise: float = 0.05
    eps: tuple[float, ...] = (0.15, 0.2)
    guides: tuple[str, ...] = ()


CLOTHES = Environment(
    name="E1",
    words="clothes to other clothes",
    source=("fashion-mnist", (0, 1, 4, 5, 8)),  # T-shirt, trouser, coat, sandal, bag
    target=("fashion-mnist", (6, 3, 2, 7, 9)),  # shirt, dress, pullover, sneaker, boot
)
DIGITS = Environment(
    name="E2",
    words="digits 0-4 to digits 5-9",
    source=("mnist", (0, 1, 2, 3, 4)),
    target=("mnist", (5, 6, 7, 8, 9)),
    training="noise",
    reach=0.35,
    victim_noise=0.35,
    eps=(0.2, 0.3),
)
MIXED = replace(CLOTHES, name="E3", words="digits to clothes", source=("mnist", tuple(range(10))), per_class=500)
CIFAR = Environment(
    name="E4",
    words="objects to other objects",
    source=("cifar10", (0, 1, 3, 4, 6)),  # airplane, automobile, cat, deer, frog
    target=("cifar10", (8, 9, 5, 7, 2)),  # ship, truck, dog, horse, bird
    per_class=1500,
    source_widths=(32, 48, 64, 96),
    target_widths=(32, 64, 64),
    reach=8 / 255,
    victim_noise=8 / 255,
    eps=(8 / 255, 16 / 255),
    guides=(*SIMPLE, "frame_span"),
)
VEHICLES = replace(
    CIFAR,
    name="E5",
    words="vehicles to animals",
    source=("cifar10", (0, 1, 8, 9)),  # airplane, automobile, ship, truck
    target=("cifar10", (2, 3, 4, 5, 6, 7)),  # bird, cat, deer, dog, frog, horse
)


@dataclass(frozen=True, kw_only=True)
class TransferAttack(Study):
    """The experiment.

    Parameters
    ----------
    environments : pairs of worlds
    seeds : trainings of both networks; CIFAR-10 has one
    images : attacked images of each environment, seed and target class
    steps : of each attack
    top_k : proxies of each target
    layers : whether layers are chosen with a second network
    asked, asked_large : images that are attacked by queries, queries for each, directions per step; the latter for CIFAR-10
    """

    environments: tuple[Environment, ...] = (CLOTHES, DIGITS, MIXED)
    seeds: int = 1
    images: int = 80
    steps: int = 10
    top_k: int = 1
    layers: bool = False
    asked: tuple[int, int, int] = (60, 500, 10)
    asked_large: tuple[int, int, int] = (40, 600, 25)

    def environment(self, point: Mapping[str, Any]) -> Environment:
        """The environment of a point."""
        return next(one for one in self.environments if one.name == point["env"])

    def trained(self) -> Iterator[Point]:
        """Every pair of networks."""
        for env in self.environments:
            for seed in range(self.seeds if env.source[0] != "cifar10" else 1):
                yield {"env": env.name, "data": env.source[0], "seed": seed}

    def transfers(self) -> Iterator[Point]:
        """Each pair at each size of the attack."""
        for at in self.trained():
            yield from ({"env": at["env"], "seed": at["seed"], "eps": eps} for eps in self.environment(at).eps)

    def strongest(self) -> Iterator[Point]:
        """Each environment at the largest size of the attack."""
        yield from ({"env": env.name, "seed": 0, "eps": max(env.eps)} for env in self.environments)

    def guided(self) -> Iterator[Point]:
        """Each guide of the attacks by queries."""
        for at in self.strongest():
            env = self.environment(at)
            numbers = self.asked_large if env.source[0] == "cifar10" else self.asked
            asked = dict(zip(("images", "queries", "samples"), numbers, strict=True))
            yield from ({**at, "guide": guide, **asked} for guide in env.guides)

    name = "transfer-attack"
    version = 2
    title = "Targeted attacks on classes that the attacker's network does not know"
    source = (
        "N. Inkawhich et al., Can Targeted Adversarial Examples Transfer When the Source and Target Models Have No Label Space "
        "Overlap?, arXiv:2103.09916"
    )
    parts: ClassVar = {
        "correspondence": Part(measure=measure.matrix, points=trained, summary=measure.of_matrices),
        "transfer": Part(measure=measure.transfer, points=transfers, summary=measure.of_transfers),
        "sink": Part(
            measure=measure.sink, points=lambda study: (dict(at, eps=0.2) for at in study.strongest() if at["env"] == "E2")
        ),
        "layers": Part(measure=measure.layers, points=lambda study: study.strongest() if study.layers else ()),
        "queries": Part(measure=measure.queries, points=guided, summary=measure.of_queries),
    }
    notes = (
        "Of the paper the abstract was read: data, networks, sizes and numbers are ours, and none is quoted as its own.",
        "Success means the target class, out of five or six; a rate without its controls says nothing.",
        "Random proxies are any source classes but the best; the worst has the smallest entry in the target's column.",
        "Each image serves one target class, in equal numbers for each pair of right class and target.",
        "Attacks by queries use the victim's scores; images on which they fail count with the whole budget.",
        "Guides: prior is the white box's gradient (P-RGF), better are two smoothed ones, coarse is a coarse grid of directions.",
        "Frame directions are orthonormal, start begins at the transferred image, a shared victim has the white box's classes.",
        "Many guides are compared, each at a level of 95 %: of twenty without effect one would seem to help or to harm.",
    )


QUICK = (replace(CLOTHES, guides=(*SIMPLE, *SHARED)), replace(DIGITS, eps=(0.3,)), replace(MIXED, eps=(0.2,)))
LARGE = (replace(CLOTHES, guides=(*FULL, *SHARED)), replace(DIGITS, guides=SIMPLE), MIXED, CIFAR, VEHICLES)
BUNDLED: dict[str, Any] = {"words": "small digits", "source": ("digits", (0, 1, 2, 3, 4)), "target": ("digits", (5, 6, 7, 8, 9))}
SIZES: dict[str, Any] = {"per_class": 50, "source_widths": (8, 8, 8, 8), "target_widths": (8, 8, 8)}
SMALL = tuple(replace(env, guides=env.guides[:2] + env.guides[-2:], **BUNDLED, **SIZES) for env in QUICK)
STANDARD: dict[str, Any] = {"environments": LARGE, "steps": 20, "top_k": 2, "layers": True}
PRESETS = {
    "tiny": TransferAttack(environments=SMALL, images=4, steps=1, layers=True, asked=(10, 24, 4)),
    "quick": TransferAttack(environments=QUICK),
    "standard": TransferAttack(seeds=3, asked=(120, 1000, 10), asked_large=(120, 600, 25), **STANDARD),
    "paper": TransferAttack(seeds=10, images=1000, asked=(100, 2000, 10), asked_large=(100, 10_000, 50), **STANDARD),
}
