"""Attacks without gradients that serve as controls: random noise, and a random search over blocks.

The search follows the Square attack (M. Andriushchenko, F. Croce, N. Flammarion and M. Hein, ECCV 2020, arXiv:1912.00049) in its
start, its proposals and its schedule of block sizes for L-infinity; in L2 it adds a block of random sign and projects, which is
simpler than the source's windows. Both only read scores.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from holdfast.attacks.losses import cw_margin
from holdfast.attacks.problem import Problem, invalid, pose, warn_of_invalid
from holdfast.attacks.projection import Ball, make_ball, perturbation_norm
from holdfast.attacks.threat import AttackResult
from holdfast.core.checks import check_whole
from holdfast.nets import evaluating

if TYPE_CHECKING:
    from holdfast.attacks.threat import ThreatModel

__all__ = ["block_search", "random_noise"]

Propose = Callable[[Ball, torch.Tensor, int, torch.Generator], torch.Tensor]
HALVINGS = (
    10,
    50,
    200,
    500,
    1000,
    2000,
    4000,
    6000,
    8000,
)  # queries of 10 000 after which the area is halved: the official code


def random_noise(
    model: Any, x: torch.Tensor, y: torch.Tensor, threat: ThreatModel, *, draws: int = 10, seed: int = 0, batch_size: int = 500
) -> AttackResult:
    """The best of `draws` random perturbations on the surface of the ball: what an attack must beat to be one.

    Random signs of size eps (L-infinity) or a Gaussian direction of length eps (L2) where the mask allows, clipped to the box.

    Parameters
    ----------
    model, x, y, threat, batch_size : as in :func:`~holdfast.attacks.pgd`
    draws : perturbations tried per example, until one succeeds, after one pass over the input itself
    seed : of the noise
    """
    check_whole(draws, "draws", low=1)

    def propose(ball: Ball, delta: torch.Tensor, step: int, generator: torch.Generator) -> torch.Tensor:
        del delta, step
        return _start(ball, generator, stripes=False)

    problem = pose(model, x, y, threat, access="scores")
    return _search(problem, propose, queries=draws, seed=seed, batch_size=batch_size)


def block_search(
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    queries: int = 100,
    area: float = 0.8,
    seed: int = 0,
    batch_size: int = 500,
) -> AttackResult:
    """Random search that changes one block at a time and keeps what raises the margin; see the module's text.

    Parameters
    ----------
    model, x, y, threat, batch_size : as in :func:`~holdfast.attacks.pgd`
    queries : proposals tried per example at most, each one forward pass, after one pass over the input itself
    area : share of the input that the first blocks cover; it shrinks on the source's schedule, stretched to `queries`
    seed : of the search
    """
    check_whole(queries, "queries", low=1)

    def propose(ball: Ball, delta: torch.Tensor, step: int, generator: torch.Generator) -> torch.Tensor:
        if step == 0:
            return _start(ball, generator, stripes=True)
        share = area / 2 ** sum(step / queries * 10_000 > limit for limit in HALVINGS)
        return delta + _bump(ball, share, generator)

    problem = pose(model, x, y, threat, access="scores")
    return _search(problem, propose, queries=queries, seed=seed, batch_size=batch_size)


def _signs(shape: tuple[int, ...], like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.randint(0, 2, shape, generator=generator, device=like.device).to(like.dtype).mul_(2).sub_(1)


def _per_row(values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return values.view(-1, *(1,) * (x.ndim - 1))


def _movable(delta: torch.Tensor, ball: Ball) -> torch.Tensor:
    """`delta` without the coordinates that the mask holds: a length is that of what moves."""
    return delta.masked_fill(ball.low == ball.high, 0)


def _start(ball: Ball, generator: torch.Generator, *, stripes: bool) -> torch.Tensor:
    """Signs per coordinate, or per column and channel for images; a Gaussian direction in L2."""
    x = ball.x
    if ball.norm == "l2":
        noise = _movable(torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device), ball)
        return noise * _per_row(ball.eps / perturbation_norm(noise, "l2").clamp_min(torch.finfo(x.dtype).tiny), x)
    shape = (*x.shape[:2], 1, x.shape[3]) if stripes and x.ndim == 4 else tuple(x.shape)
    return _signs(shape, x, generator) * _per_row(ball.eps, x)


def _bump(ball: Ball, share: float, generator: torch.Generator) -> torch.Tensor:
    """A block of one random sign per channel and example at a random place: large enough to reach the other side of the ball."""
    x = ball.x
    if x.ndim == 4:
        n, channels, height, width = x.shape
        side = min(max(1, round((share * height * width) ** 0.5)), height, width)
        top = torch.randint(0, height - side + 1, (n, 1, 1, 1), generator=generator, device=x.device)
        left = torch.randint(0, width - side + 1, (n, 1, 1, 1), generator=generator, device=x.device)
        rows = torch.arange(height, device=x.device).view(1, 1, -1, 1)
        columns = torch.arange(width, device=x.device).view(1, 1, 1, -1)
        inside = (rows >= top) & (rows < top + side) & (columns >= left) & (columns < left + side)
        block = _signs((n, channels, 1, 1), x, generator) * inside.to(x.dtype)
    else:
        inside = torch.rand(x.shape, generator=generator, device=x.device) < share
        block = _signs(tuple(x.shape), x, generator) * inside.to(x.dtype)
    size = 2 * ball.eps
    if ball.norm == "l2":
        block = _movable(block, ball)
        size = ball.eps / perturbation_norm(block, "l2").clamp_min(1)
    return block * _per_row(size, x)


@torch.no_grad()
def _search(problem: Problem, propose: Propose, *, queries: int, seed: int, batch_size: int) -> AttackResult:
    """Climb the margin by accepting proposals that raise it; examples leave once they are fooled."""
    n, x = len(problem.x), problem.x
    generator = torch.Generator(device=x.device).manual_seed(seed)
    x_adv, loss = x.clone(), torch.full((n,), -torch.inf, dtype=x.dtype, device=x.device)
    success, wild = torch.zeros(n, dtype=torch.bool, device=x.device), torch.zeros(n, dtype=torch.bool, device=x.device)
    asked, used = torch.zeros(n, dtype=torch.long, device=x.device), torch.zeros(n, dtype=torch.long, device=x.device)

    def ask(rows: torch.Tensor, inputs: torch.Tensor, step: int) -> None:
        logits = problem.target(inputs)
        broken, hit = invalid(logits), problem.fooled(logits, rows)
        margin = cw_margin(logits, problem.y[rows]).to(loss.dtype).masked_fill(broken, -torch.inf)
        asked[rows] += 1
        better = hit | (margin > loss[rows])
        chosen = rows[better]
        x_adv[chosen], loss[chosen] = inputs[better], margin[better]
        success[chosen], wild[chosen] = hit[better], broken[better]
        used[chosen] = step

    with evaluating(problem.target):
        problem.probe()
        for part in torch.arange(n, device=x.device).split(batch_size):
            ask(part, x[part], 0)
            for step in range(queries):
                rows = part[~success[part]]
                if len(rows) == 0:
                    break
                ball = make_ball(x[rows], problem.eps[rows], problem.threat)
                delta = ball.project(propose(ball, x_adv[rows] - x[rows], step, generator))
                ask(rows, x[rows] + delta, step + 1)
    warn_of_invalid(wild)
    return AttackResult(
        x_adv=x_adv,
        success=success,
        loss=loss,
        queries=asked,
        steps_used=used,
        norm=perturbation_norm(x_adv - x, problem.threat.norm),
        no_gradient=torch.zeros_like(success),
        invalid=wild,
    )
