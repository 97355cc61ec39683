"""Random noise: what an attack must beat to be one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from holdfast.attacks.projection import Ball, lengthened
from holdfast.attacks.query.oracle import GROUP, Oracle, query_problem
from holdfast.core.checks import check_whole
from holdfast.core.seeds import torch_generator

if TYPE_CHECKING:
    from holdfast.attacks.threat import AttackResult, ThreatModel

__all__ = ["random_noise"]


def random_noise(
    model: Any, x: torch.Tensor, y: torch.Tensor, threat: ThreatModel, *, draws: int = 10, seed: int = 0, batch_size: int = 500
) -> AttackResult:
    """The best of `draws` random perturbations on the surface of the ball, a control for every attack.

    Random signs of size eps (L-infinity), a Gaussian direction of length eps (L2), random signs and exponential sizes that add up
    to eps (L1), or random values of eps random coordinates (L0), where the mask allows, projected onto the box.

    Parameters
    ----------
    model, x, y, threat, batch_size : as in :func:`~holdfast.attacks.pgd`
    draws : perturbations tried per example, until one succeeds, after one pass over the input itself
    seed : of the noise

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.nets import mlp
    >>> result = random_noise(mlp(8, classes=3), torch.rand(4, 8), torch.arange(4) % 3, ThreatModel("l2", 0.1), draws=5)
    >>> int(result.queries.max()) <= 1 + 5
    True
    """
    check_whole(draws, "draws", low=1)
    problem = query_problem(model, x, y, threat, target_class=None, access="scores")
    oracle = Oracle(problem, queries=draws + 1, batch_size=batch_size)
    generator = torch_generator(seed, device=x.device)
    with oracle.asking():
        for part in oracle.begin().split(GROUP):
            for draw in range(draws):
                rows = oracle.going(part)
                if len(rows) == 0:
                    break
                ball = problem.ball(rows)
                oracle.ask(rows, _noisy(ball, generator), steps=draw + 1)
    return oracle.result()


def _noisy(ball: Ball, generator: torch.Generator) -> torch.Tensor:
    """The inputs of `ball` (n, ...) with noise of the length that the ball allows."""
    x = ball.x
    if ball.norm == "linf":
        up = torch.randint(0, 2, x.shape, generator=generator, device=x.device) > 0
        return torch.where(up, ball.high, ball.low)
    if ball.norm == "l0":
        return ball.start(torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device).mul_(2).sub_(1))
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    if ball.norm == "l1":
        noise = noise.sign() * torch.empty_like(noise).exponential_(generator=generator)
    noise = noise.masked_fill(ball.low == ball.high, 0)
    return ball.nearest(x + lengthened(noise, ball.eps, ball.norm))
