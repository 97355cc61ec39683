"""Optimisers by name, and learning-rate schedules as functions of the share of the training that is done."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from holdfast.core.checks import check_one_of

__all__ = ["OPTIMIZERS", "SCHEDULES", "MakeOptimizer", "Schedule", "constant", "cosine", "make_optimizer", "one_cycle"]

Schedule = Callable[[float], float]
MakeOptimizer = Callable[[Sequence[nn.Parameter]], torch.optim.Optimizer]


def constant(share: float) -> float:
    """1 throughout."""
    del share
    return 1.0


def cosine(share: float) -> float:
    """From 1 down to 0 along half a cosine."""
    return 0.5 * (1 + math.cos(math.pi * share))


def one_cycle(share: float) -> float:
    """From 1/25 up to 1 over the first 30 %, then down to 4e-7, both along half a cosine.

    Source: L. N. Smith and N. Topin, arXiv:1708.07120; the numbers are the defaults of torch's ``OneCycleLR``. Momentum stays.
    """
    start, end, warm = 1 / 25, 1 / 25e4, 0.3
    if share < warm:
        return 1 + (start - 1) * cosine(share / warm)
    return end + (1 - end) * cosine((share - warm) / (1 - warm))


SCHEDULES: dict[str, Schedule] = {"one_cycle": one_cycle, "constant": constant, "cosine": cosine}
OPTIMIZERS = ("adam", "adamw", "sgd")


def make_optimizer(
    name: str | MakeOptimizer, parameters: Sequence[nn.Parameter], *, lr: float, weight_decay: float, momentum: float
) -> torch.optim.Optimizer:
    """The optimiser `name` for `parameters`, or what the callable `name` makes of them.

    Parameters
    ----------
    name : ``"adam"``, ``"adamw"``, ``"sgd"`` (Nesterov where momentum > 0) or a callable from parameters to an optimiser
    parameters : those to train
    lr : largest learning rate
    weight_decay : as the optimiser defines it (``"adamw"`` decouples it from the gradient), on all parameters
    momentum : of ``"sgd"`` only
    """
    if callable(name):
        return name(parameters)
    check_one_of(name, "optimizer", allowed=OPTIMIZERS)
    fused = all(p.is_floating_point() and p.device.type in {"cpu", "cuda"} for p in parameters)
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=lr, momentum=momentum, nesterov=momentum > 0, weight_decay=weight_decay, fused=fused)
    kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return kind(parameters, lr=lr, weight_decay=weight_decay, fused=fused)
