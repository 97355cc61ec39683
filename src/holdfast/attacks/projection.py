"""Balls in a box: steps, projections and random starts, in place and per example.

Each class holds the ball of every example of a batch. L-infinity balls meet the box in a smaller box, so clamping is the exact
projection. An L2 ball meets it in something else; there the projection of ``x + d`` is ``x + clamp(t d)`` with the one t in [0, 1]
whose norm is eps (the optimality condition with multiplier ``1/t - 1``). Its square grows concavely and piecewise linearly in
t^2, so Newton's method from the left ends in a few steps and never leaves the ball on its way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

import torch

if TYPE_CHECKING:
    from holdfast.attacks.threat import ThreatModel

__all__ = ["Ball", "L2Ball", "LinfBall", "make_ball", "perturbation_norm", "unit_noise"]

NEWTON_STEPS = 40


class Ball(Protocol):
    """The allowed inputs around each example of a batch: centres `x` (N, ...), radii `eps` (N,).

    `low` and `high` (N, ...) hold inputs (L-infinity) or perturbations (L2); they meet where nothing may move.
    """

    norm: ClassVar[str]
    x: torch.Tensor
    eps: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor

    def start(self, noise: torch.Tensor) -> torch.Tensor:
        """The allowed input at `noise` (N, ...), a point of the unit ball per example."""

    def step_(self, adv: torch.Tensor, gradient: torch.Tensor, size: torch.Tensor) -> None:
        """Move `adv` by `size` (N,) along the norm's steepest direction of `gradient` and project, in place."""

    def project(self, delta: torch.Tensor) -> torch.Tensor:
        """The allowed perturbation nearest to each row of `delta` (N, ...)."""

    def keep(self, rows: torch.Tensor) -> Ball:
        """The balls of the examples `rows`."""


def make_ball(x: torch.Tensor, eps: torch.Tensor, threat: ThreatModel) -> Ball:
    """The allowed inputs around `x` (N, ...) with radii `eps` (N,)."""
    low = torch.full_like(x, threat.bounds[0])
    high = torch.full_like(x, threat.bounds[1])
    if threat.mask is not None:
        movable = threat.mask.to(device=x.device, dtype=torch.bool).expand_as(x)
        low, high = torch.where(movable, low, x), torch.where(movable, high, x)
    if threat.norm == "linf":
        return LinfBall(x, torch.maximum(x - _wide(eps, x), low), torch.minimum(x + _wide(eps, x), high), eps)
    return L2Ball(x, low - x, high - x, eps)


def perturbation_norm(delta: torch.Tensor, norm: str) -> torch.Tensor:
    """Size (N,) of each row of `delta` (N, ...)."""
    rows = delta.flatten(1)
    return rows.abs().amax(1) if norm == "linf" else torch.linalg.vector_norm(rows, dim=1)


def unit_noise(x: torch.Tensor, norm: str, generator: torch.Generator) -> torch.Tensor:
    """Points of the unit ball, one per row of `x` (N, ...), uniform in its volume.

    In L2 a Gaussian direction of length ``u^(1/d)`` with u uniform in [0, 1].
    """
    if norm == "linf":
        return torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device).mul_(2).sub_(1)
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    share = torch.rand(len(x), generator=generator, dtype=x.dtype, device=x.device)
    length = perturbation_norm(noise, "l2").clamp_min(torch.finfo(x.dtype).tiny)
    return noise.mul_(_wide(share ** (1 / noise[0].numel()) / length, noise))


def _wide(per_row: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return per_row.view(-1, *(1,) * (x.ndim - 1))


class LinfBall:
    """``max |x' - x| <= eps`` and box: the box from `low` to `high`."""

    norm: ClassVar[str] = "linf"

    def __init__(self, x: torch.Tensor, low: torch.Tensor, high: torch.Tensor, eps: torch.Tensor) -> None:
        self.x, self.low, self.high, self.eps = x, low, high, eps
        self.signs = torch.empty_like(x)  # reused: a new tensor per step costs as much as the arithmetic

    def start(self, noise: torch.Tensor) -> torch.Tensor:
        """Scaled and clamped."""
        return torch.addcmul(self.x, noise, _wide(self.eps, self.x)).clamp_(self.low, self.high)

    def step_(self, adv: torch.Tensor, gradient: torch.Tensor, size: torch.Tensor) -> None:
        """Along the sign of the gradient."""
        adv.addcmul_(torch.sign(gradient, out=self.signs), _wide(size, adv)).clamp_(self.low, self.high)

    def project(self, delta: torch.Tensor) -> torch.Tensor:
        """Clamped."""
        return (self.x + delta).clamp_(self.low, self.high).sub_(self.x)

    def keep(self, rows: torch.Tensor) -> LinfBall:
        """The balls of the examples `rows`."""
        return LinfBall(self.x[rows], self.low[rows], self.high[rows], self.eps[rows])


class L2Ball:
    """``|x' - x|_2 <= eps`` and box: perturbations from `low` to `high`."""

    norm: ClassVar[str] = "l2"

    def __init__(self, x: torch.Tensor, low: torch.Tensor, high: torch.Tensor, eps: torch.Tensor) -> None:
        self.x, self.low, self.high, self.eps = x, low, high, eps

    def start(self, noise: torch.Tensor) -> torch.Tensor:
        """Scaled and clamped, which does not lengthen it."""
        return (noise * _wide(self.eps, noise)).clamp_(self.low, self.high).add_(self.x)

    def step_(self, adv: torch.Tensor, gradient: torch.Tensor, size: torch.Tensor) -> None:
        """Along the gradient at unit length, coordinates that may not move left out."""
        gradient = gradient.masked_fill(self.low == self.high, 0)
        length = perturbation_norm(gradient, "l2").clamp_min(torch.finfo(gradient.dtype).tiny)
        adv.addcmul_(gradient, _wide(size / length, adv)).sub_(self.x)
        adv.copy_(self.project(adv)).add_(self.x)

    def keep(self, rows: torch.Tensor) -> L2Ball:
        """The balls of the examples `rows`."""
        return L2Ball(self.x[rows], self.low[rows], self.high[rows], self.eps[rows])

    def project(self, delta: torch.Tensor) -> torch.Tensor:
        """The allowed perturbation nearest to each row of `delta` (N, ...)."""
        tiny = torch.finfo(delta.dtype).tiny
        shrink = (self.eps / perturbation_norm(delta, "l2").clamp_min(tiny)).clamp_max(1)
        for _ in range(NEWTON_STEPS):
            scaled = delta * _wide(shrink, delta)
            inside = scaled.clamp(self.low, self.high)
            at_wall = scaled != inside
            free = delta.masked_fill(at_wall, 0).square().flatten(1).sum(1)
            spent = inside.masked_fill(~at_wall, 0).square().flatten(1).sum(1)
            wanted = ((self.eps.square() - spent).clamp_min(0) / free.clamp_min(tiny)).sqrt().clamp_max(1)
            if not bool((wanted > shrink * (1 + 1e-6)).any()):
                break
            shrink = torch.maximum(shrink, wanted)
        return inside
