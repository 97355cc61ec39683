r"""How APGD paces itself: its record of every example, and when it shortens its steps or makes them sparser.

In L-infinity and L2 a step carries the last one along, :math:`x_{k+1} = P(x_k + \alpha(z - x_k) + (1 - \alpha)(x_k - x_{k-1}))`
with :math:`z = P(x_k + \eta\,d(g_k))`. At checkpoints the step size is halved where fewer than a share rho of the steps rose, or
where neither step size nor best value changed since the last checkpoint; such examples go on from their best point.
Source: F. Croce and M. Hein, ICML 2020, arXiv:2003.01690, Algorithm 1 and Eqs. (1) to (3).

In L1 a step moves k coordinates by the same amount, k being the support of the best perturbation divided by 1.5 at each checkpoint;
the step size is full again where the support shrank and 1.5 times smaller otherwise. Source: F. Croce and M. Hein, ICML 2021,
arXiv:2103.01208, Algorithm 1. Ours differs in one thing: coordinates that stand at a wall are passed over when the k are chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

import torch

from holdfast.attacks.active import ActiveSet

if TYPE_CHECKING:
    from holdfast.attacks.projection import Ball

__all__ = ["Pace", "Trace", "checkpoints", "make_pace"]

INERTIA = 0.75  # alpha, section 3.1
SUPPORT_SHARE = 0.2  # of all coordinates in the first sparse steps
SUPPORT_DIVISOR = 1.5
SHORTEST = 10  # times smaller than eps, in L1
WALL = 1e-6  # nearer than this to a wall is at the wall


def checkpoints(steps: int) -> tuple[int, ...]:
    r"""The steps at which APGD looks back: ``ceil(p_j steps)`` with p = 0.22, 0.41, 0.57, 0.70, 0.80, 0.87, 0.93, 0.99.

    .. math:: p_0 = 0, \quad p_1 = 0.22, \quad p_{j+1} = p_j + \max(p_j - p_{j-1} - 0.03, 0.06)

    Examples
    --------
    >>> checkpoints(100)
    (22, 41, 57, 70, 80, 87, 93, 99)
    """
    percents, last = [22], 0
    while percents[-1] <= 100:
        ahead = percents[-1] + max(percents[-1] - last - 3, 6)
        last = percents[-1]
        percents.append(ahead)
    return tuple(sorted({-(-percent * steps // 100) for percent in percents if percent <= 100}))


class Trace(ActiveSet):
    """Where n examples are, where they came from, and the best point of each so far.

    Parameters
    ----------
    adv : tensor (n, ...), the starts
    """

    def __init__(self, adv: torch.Tensor) -> None:
        n = len(adv)
        self.adv, self.previous, self.best = adv, adv, adv.clone()
        self.loss = torch.full((n,), -torch.inf, dtype=adv.dtype, device=adv.device)
        self.best_loss = self.loss.clone()
        self.best_logits: torch.Tensor | None = None
        self.best_step = torch.zeros(n, dtype=torch.long, device=adv.device)
        self.gradient, self.best_gradient = torch.zeros_like(adv), torch.zeros_like(adv)
        self.rises = torch.zeros(n, dtype=torch.long, device=adv.device)

    def observe(self, loss: torch.Tensor, logits: torch.Tensor, step: int) -> torch.Tensor:
        """Take in the values at `adv`, after `step` steps; gives which rows (n,) are better than ever."""
        loss = loss.to(self.best_loss.dtype).nan_to_num(nan=-torch.inf)
        if self.best_logits is None:
            self.best_logits = torch.zeros_like(logits)
        better = (loss > self.best_loss) | (step == 0)
        self.rises += (loss > self.loss) & (step > 0)
        self.loss = loss
        self.best[better], self.best_loss[better], self.best_logits[better] = self.adv[better], loss[better], logits[better]
        self.best_step[better] = step
        return better

    def steer(self, gradient: torch.Tensor, better: torch.Tensor) -> None:
        """Take in the gradient at `adv`; `better` is from :meth:`observe`."""
        self.gradient = gradient
        self.best_gradient[better] = gradient[better]

    def return_to_best(self, rows: torch.Tensor) -> None:
        """Go on from the best point where the boolean `rows` (n,) are True."""
        wide = _wide(rows, self.adv)
        self.adv = torch.where(wide, self.best, self.adv)
        self.gradient = torch.where(wide, self.best_gradient, self.gradient)
        self.loss = torch.where(rows, self.best_loss, self.loss)

    def advance(self, ahead: torch.Tensor) -> None:
        """Stand at `ahead` (n, ...)."""
        self.previous, self.adv = self.adv, ahead


class Pace(Protocol):
    """Chooses the next point, and looks back at checkpoints."""

    def move(self, trace: Trace, ball: Ball, step: int) -> torch.Tensor:
        """The point (n, ...) after `step` + 1 steps."""

    def review(self, trace: Trace, ball: Ball, step: int) -> None:
        """Adapt, after `step` steps."""

    def keep(self, places: torch.Tensor) -> Self:
        """Go on with the examples at `places` alone."""


def make_pace(ball: Ball, trace: Trace, *, steps: int, rho: float) -> Pace:
    """The pace for the norm of `ball`; in L1 its sparsity begins with that of the start."""
    return _Sparse(ball, trace, steps=steps) if ball.norm == "l1" else _Halved(ball, steps=steps, rho=rho)


class _Halved(ActiveSet):
    """Steps with inertia whose size is halved at checkpoints."""

    def __init__(self, ball: Ball, *, steps: int, rho: float) -> None:
        self.size = 2 * ball.eps
        self.checked_loss = torch.full_like(ball.eps, torch.nan)
        self.halved = torch.ones_like(ball.eps, dtype=torch.bool)
        self.rho, self.stops, self.last = rho, frozenset(checkpoints(steps)), 0

    def move(self, trace: Trace, ball: Ball, step: int) -> torch.Tensor:
        ahead = trace.adv.clone()
        ball.step_(ahead, trace.gradient, self.size)
        if step == 0:
            return ahead
        carried = INERTIA * (ahead - trace.adv) + (1 - INERTIA) * (trace.adv - trace.previous)
        return ball.nearest(trace.adv + carried)

    def review(self, trace: Trace, ball: Ball, step: int) -> None:
        del ball
        if step not in self.stops:
            return
        stuck = ~self.halved & (self.checked_loss == trace.best_loss)
        self.halved = (trace.rises < self.rho * (step - self.last)) | stuck
        self.checked_loss = trace.best_loss.clone()
        self.size = torch.where(self.halved, self.size / 2, self.size)
        trace.return_to_best(self.halved)
        trace.rises = torch.zeros_like(trace.rises)
        self.last = step


class _Sparse(ActiveSet):
    """Steps along the largest coordinates of the gradient, as many as the best perturbation needs."""

    def __init__(self, ball: Ball, trace: Trace, *, steps: int) -> None:
        self.size, self.every = ball.eps.clone(), max(1, int(0.04 * steps))
        self.support = _support(trace.adv - ball.x)
        self.count = (self.support / SUPPORT_DIVISOR).clamp_max(SUPPORT_SHARE * ball.x[0].numel())

    def move(self, trace: Trace, ball: Ball, step: int) -> torch.Tensor:
        del step
        count = self.count.long().clamp(1, ball.x[0].numel())
        direction = _sparse_signs(trace, ball, count)
        taken = direction.flatten(1).abs().sum(1).clamp_min(1)
        return ball.nearest(trace.adv + direction * _wide(self.size / taken, direction))

    def review(self, trace: Trace, ball: Ball, step: int) -> None:
        if step == 0 or step % self.every:
            return
        support = _support(trace.best - ball.x)
        sparser = support < 0.95 * self.support
        self.size = torch.where(sparser, ball.eps, (self.size / SUPPORT_DIVISOR).clamp_min(ball.eps / SHORTEST))
        self.support, self.count = support, support / SUPPORT_DIVISOR
        trace.return_to_best(sparser)


def _sparse_signs(trace: Trace, ball: Ball, count: torch.Tensor) -> torch.Tensor:
    """Signs (n, ...) of the `count` (n,) largest entries of the gradient among the coordinates that can follow it; 0 elsewhere."""
    delta = trace.adv - ball.x
    room = torch.where(trace.gradient > 0, ball.high - delta, delta - ball.low)
    size = trace.gradient.abs().masked_fill(room <= WALL, 0).flatten(1)
    least = size.topk(int(count.max()), dim=1).values.gather(1, count[:, None] - 1)
    chosen = (size >= least) & (size > 0)
    return trace.gradient.sign() * chosen.view_as(trace.gradient)


def _support(delta: torch.Tensor) -> torch.Tensor:
    return delta.flatten(1).count_nonzero(1).to(delta.dtype)


def _wide(per_row: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return per_row.view(-1, *(1,) * (x.ndim - 1))
