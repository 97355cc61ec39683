"""Whose images, which classes, and how both networks are trained: one environment per pair of worlds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from holdfast.data.examples import Examples

__all__ = ["CIFAR", "DIGITS", "FASHION", "MIXED", "VEHICLES", "Environment", "World", "worlds"]

Training = Literal["plain", "noise", "adversarial"]


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A source world, which the attacker owns, and a target world, which the victim knows; they share no class and no image.

    Parameters
    ----------
    name : part of each point
    words : for the page
    source, target : data sets
    source_classes, target_classes : labels in them
    per_class : training images of each class
    source_widths, target_widths : channels of the blocks of both networks, every first and third of which halves the image
    training : of the white box: with sign noise or with adversarial examples of one step, both of a random size up to `reach`
    reach : that size
    victim_noise : largest sign noise in the victim's training
    eps : sizes of the attack (L-infinity)
    guides : of the attacks by queries at the largest of them, :mod:`holdfast.studies.transfer_attack.queries`
    """

    name: str
    words: str
    source: str
    target: str
    source_classes: tuple[int, ...]
    target_classes: tuple[int, ...]
    per_class: int = 1000
    source_widths: tuple[int, ...] = (16, 32, 32, 64)
    target_widths: tuple[int, ...] = (24, 48, 48)
    training: Training = "adversarial"
    reach: float = 0.15
    victim_noise: float = 0.05
    eps: tuple[float, ...] = (0.15, 0.2)
    guides: tuple[str, ...] = ()


FASHION = Environment(
    name="E1",
    words="clothes to other clothes",
    source="fashion-mnist",
    target="fashion-mnist",
    source_classes=(0, 1, 4, 5, 8),  # T-shirt, trouser, coat, sandal, bag
    target_classes=(6, 3, 2, 7, 9),  # shirt, dress, pullover, sneaker, boot
)
DIGITS = Environment(
    name="E2",
    words="digits 0-4 to digits 5-9",
    source="mnist",
    target="mnist",
    source_classes=(0, 1, 2, 3, 4),
    target_classes=(5, 6, 7, 8, 9),
    training="noise",
    reach=0.35,
    victim_noise=0.35,
    eps=(0.2, 0.3),
)
MIXED = replace(FASHION, name="E3", words="digits to clothes", source="mnist", source_classes=tuple(range(10)), per_class=500)
CIFAR = replace(
    FASHION,
    name="E4",
    words="objects to other objects",
    source="cifar10",
    target="cifar10",
    source_classes=(0, 1, 3, 4, 6),  # airplane, automobile, cat, deer, frog
    target_classes=(8, 9, 5, 7, 2),  # ship, truck, dog, horse, bird
    per_class=1500,
    source_widths=(32, 48, 64, 96),
    target_widths=(32, 64, 64),
    reach=8 / 255,
    victim_noise=8 / 255,
    eps=(8 / 255, 16 / 255),
)
VEHICLES = replace(
    CIFAR,
    name="E5",
    words="vehicles to animals",
    source_classes=(0, 1, 8, 9),  # airplane, automobile, ship, truck
    target_classes=(2, 3, 4, 5, 6, 7),  # bird, cat, deer, dog, frog, horse
)


@dataclass(frozen=True)
class World:
    """Training and test images of one side."""

    train: Examples
    test: Examples


@lru_cache(maxsize=4)
def _world(data: str, classes: tuple[int, ...], per_class: int) -> World:
    from holdfast.data import load_images
    from holdfast.data.splits import select_classes

    # ten classes in these data sets, of about equal size
    parts = (load_images(data, "train", n=10 * per_class), load_images(data, "test"))
    return World(*(select_classes(part, classes) for part in parts))


def worlds(environment: Environment) -> tuple[World, World]:
    """The worlds of the source and of the target, read once per process."""
    source = _world(environment.source, environment.source_classes, environment.per_class)
    return source, _world(environment.target, environment.target_classes, environment.per_class)
