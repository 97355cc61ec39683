"""Does a fair coin fall on both sides equally often? About the smallest study there can be."""

from dataclasses import dataclass
from typing import ClassVar

from holdfast.core.estimate import proportion
from holdfast.core.experiment import Measurement, Quantity
from holdfast.studies import Part, Study


def toss(study, point, context):
    heads = int(context.seeds.numpy(context.own_seed(point)).integers(2, size=study.tosses).sum())
    return Measurement(estimates={"heads": proportion(heads, study.tosses)})


def of_coins(study, runs):
    yield Quantity("all_heads", proportion(round(runs.values("heads").sum() * study.tosses), len(runs) * study.tosses))


@dataclass(frozen=True, kw_only=True)
class Coins(Study):
    coins: int = 4
    tosses: int = 4000
    name, version, title, source = "coins", 1, "Is a fair coin fair?", "J. Bernoulli, Ars Conjectandi, 1713"
    parts: ClassVar = {"toss": Part(measure=toss, points=lambda study: [{"coin": n} for n in range(study.coins)], summary=of_coins)}


PRESETS = {"quick": Coins(), "standard": Coins(coins=40)}
