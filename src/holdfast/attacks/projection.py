"""Balls in a box: steps, projections and random starts, in place and per example.

Each class holds the ball of every example of a batch. L-infinity balls meet the box in a smaller box, so clamping is the exact
projection. The others meet it in something else, and projecting onto one and then the other is not the nearest allowed point. In L2
the projection of ``x + d`` is ``x + clamp(t d)`` with the one t in [0, 1] whose norm is eps (the optimality condition with
multiplier ``1/t - 1``). Its square grows concavely and piecewise linearly in t^2, so Newton's method from the left ends in a few
steps and never leaves the ball on its way. In L1 all coordinates shrink by one amount, which sorting finds exactly.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

import torch

if TYPE_CHECKING:
    from holdfast.attacks.threat import ThreatModel

__all__ = [
    "Ball",
    "L0Ball",
    "L1Ball",
    "L2Ball",
    "LinfBall",
    "lengthened",
    "levelled",
    "make_ball",
    "make_box",
    "perturbation_norm",
    "unit_noise",
]

NEWTON_STEPS = 40
L0_START = 0.02  # of the width of the box
ORDERS = {"linf": torch.inf, "l2": 2, "l1": 1, "l0": 0}


class Ball(Protocol):
    """The allowed inputs around each example of a batch: centres `x` (N, ...), radii `eps` (N,).

    `box` bounds all inputs. `low` and `high` (N, ...) hold inputs (L-infinity) or perturbations (all others) and meet where nothing
    may move.
    """

    norm: ClassVar[str]
    x: torch.Tensor
    eps: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    box: tuple[float, float]

    def start(self, noise: torch.Tensor) -> torch.Tensor:
        """The allowed input at `noise` (N, ...), a point of the unit ball per example."""

    def step_(self, adv: torch.Tensor, gradient: torch.Tensor, size: torch.Tensor) -> None:
        """Move `adv` by `size` (N,) along the norm's steepest direction of `gradient` and project, in place."""

    def project(self, delta: torch.Tensor) -> torch.Tensor:
        """The allowed perturbation nearest to each row of `delta` (N, ...)."""

    def nearest(self, points: torch.Tensor) -> torch.Tensor:
        """The allowed input nearest to each row of `points` (N, ...); the box is kept to the last bit."""

    def keep(self, rows: torch.Tensor) -> Self:
        """The balls of the examples `rows`."""


def make_box(x: torch.Tensor, threat: ThreatModel) -> tuple[torch.Tensor, torch.Tensor]:
    """The smallest and the largest value (N, ...) that each coordinate of `x` may take, whatever the radius."""
    low = torch.full_like(x, threat.bounds[0])
    high = torch.full_like(x, threat.bounds[1])
    if threat.mask is None:
        return low, high
    movable = threat.mask.to(device=x.device, dtype=torch.bool).expand_as(x)
    return torch.where(movable, low, x), torch.where(movable, high, x)


def make_ball(x: torch.Tensor, threat: ThreatModel) -> Ball:
    """The allowed inputs around `x` (N, ...)."""
    (low, high), eps = make_box(x, threat), threat.eps_per_example(x)
    if threat.norm == "linf":
        inner = torch.maximum(x - _wide(eps, x), low), torch.minimum(x + _wide(eps, x), high)
        return LinfBall(x, *inner, eps, box=threat.bounds)
    return SHIFTS[threat.norm](x, low - x, high - x, eps, box=threat.bounds)


def perturbation_norm(delta: torch.Tensor, norm: str) -> torch.Tensor:
    """Size (N,) of each row of `delta` (N, ...)."""
    return torch.linalg.vector_norm(delta.flatten(1), ord=ORDERS[norm], dim=1)


def levelled(directions: torch.Tensor) -> torch.Tensor:
    """Each row of `directions` (N, ...) times a power of two that brings its largest entry to between 0.5 and 1; zero stays zero.

    The squares of very small or large slopes leave the range of a floating-point number, these do not; and no bit is rounded.
    """
    widest = -math.frexp(torch.finfo(directions.dtype).tiny)[1]
    exponent = torch.frexp(perturbation_norm(directions, "linf")).exponent.clamp(-widest, widest)
    return directions * _wide(torch.exp2(-exponent.to(directions.dtype)), directions)


def lengthened(directions: torch.Tensor, size: torch.Tensor, norm: str) -> torch.Tensor:
    """Each row of `directions` (N, ...) at length `size` (N,) in `norm`, however long or short it was; zero stays zero.

    Examples
    --------
    >>> [round(number, 4) for number in lengthened(torch.tensor([[3e-30, 4e-30]]), torch.ones(1), "l2")[0].tolist()]
    [0.6, 0.8]
    """
    level = levelled(directions)
    return level * _wide(_share(size, level, norm), level)


def _share(size: torch.Tensor, directions: torch.Tensor, norm: str) -> torch.Tensor:
    """`size` (N,) over the length of each row of the levelled `directions`, 0 where that is 0."""
    length = perturbation_norm(directions, norm)
    return torch.where(length > 0, size / _positive(length), 0)


def unit_noise(x: torch.Tensor, norm: str, generator: torch.Generator) -> torch.Tensor:
    """Points of the unit ball, one per row of `x` (N, ...), uniform in its volume.

    In L2 a Gaussian direction of length ``u^(1/d)`` with u uniform in [0, 1]; in L1 d of d + 1 exponential numbers with random
    signs, divided by their sum. For L0, whose ball has no volume, uniform in the box from -1 to 1.
    """
    if norm == "l1":
        rows = x[0].numel()
        sizes = torch.empty(len(x), rows + 1, dtype=x.dtype, device=x.device).exponential_(generator=generator)
        signs = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device).sub_(0.5).sign_()
        return signs * (sizes[:, :rows] / sizes.sum(1, keepdim=True)).view_as(x)
    if norm in {"linf", "l0"}:
        return torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device).mul_(2).sub_(1)
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    share = torch.rand(len(x), generator=generator, dtype=x.dtype, device=x.device)
    length = perturbation_norm(noise, "l2").clamp_min(torch.finfo(x.dtype).tiny)
    return noise.mul_(_wide(share ** (1 / noise[0].numel()) / length, noise))


def _positive(values: torch.Tensor) -> torch.Tensor:
    """Fit to be divided by."""
    return values.clamp_min(torch.finfo(values.dtype).tiny)


def _wide(per_row: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return per_row.view(-1, *(1,) * (x.ndim - 1))


class LinfBall:
    """``max |x' - x| <= eps`` and box: the box from `low` to `high`."""

    norm: ClassVar[str] = "linf"

    def __init__(
        self, x: torch.Tensor, low: torch.Tensor, high: torch.Tensor, eps: torch.Tensor, *, box: tuple[float, float]
    ) -> None:
        self.x, self.low, self.high, self.eps, self.box = x, low, high, eps, box
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

    def nearest(self, points: torch.Tensor) -> torch.Tensor:
        """Clamped."""
        return points.clamp(self.low, self.high)

    def keep(self, rows: torch.Tensor) -> LinfBall:
        """The balls of the examples `rows`."""
        return LinfBall(self.x[rows], self.low[rows], self.high[rows], self.eps[rows], box=self.box)


class _Shifts:
    """Allowed perturbations, coordinate by coordinate from `low` to `high`; they include 0."""

    def __init__(
        self, x: torch.Tensor, low: torch.Tensor, high: torch.Tensor, eps: torch.Tensor, *, box: tuple[float, float]
    ) -> None:
        self.x, self.low, self.high, self.eps, self.box = x, low, high, eps, box

    def keep(self, rows: torch.Tensor) -> Self:
        """The balls of the examples `rows`."""
        return type(self)(self.x[rows], self.low[rows], self.high[rows], self.eps[rows], box=self.box)

    def start(self, noise: torch.Tensor) -> torch.Tensor:
        """Scaled and clamped, which does not lengthen it."""
        return (noise * _wide(self.eps, noise)).clamp_(self.low, self.high).add_(self.x).clamp_(*self.box)

    def nearest(self, points: torch.Tensor) -> torch.Tensor:
        """Projected; adding what was subtracted may round beyond the box, so it is clamped once more."""
        return self.project(points - self.x).add_(self.x).clamp_(*self.box)

    def move_(self, adv: torch.Tensor, direction: torch.Tensor, factor: torch.Tensor) -> None:
        """Add `factor` (N,) times `direction` to `adv` and project, in place."""
        adv.addcmul_(direction, _wide(factor, adv))
        adv.copy_(self.nearest(adv))

    def project(self, delta: torch.Tensor) -> torch.Tensor:
        """The allowed perturbation nearest to each row of `delta` (N, ...)."""
        raise NotImplementedError


class L2Ball(_Shifts):
    """``|x' - x|_2 <= eps`` and box."""

    norm: ClassVar[str] = "l2"

    def step_(self, adv: torch.Tensor, gradient: torch.Tensor, size: torch.Tensor) -> None:
        """Along the gradient at unit length, coordinates that may not move left out."""
        gradient = gradient.masked_fill(self.low == self.high, 0)
        level = levelled(gradient)
        self.move_(adv, level, _share(size, level, "l2"))

    def project(self, delta: torch.Tensor) -> torch.Tensor:
        """By Newton's method on the scale, see the module's text."""
        shrink = (self.eps / _positive(perturbation_norm(delta, "l2"))).clamp_max(1)
        for _ in range(NEWTON_STEPS):
            scaled = delta * _wide(shrink, delta)
            inside = scaled.clamp(self.low, self.high)
            at_wall = scaled != inside
            free = delta.masked_fill(at_wall, 0).square().flatten(1).sum(1)
            spent = inside.masked_fill(~at_wall, 0).square().flatten(1).sum(1)
            wanted = ((self.eps.square() - spent).clamp_min(0) / _positive(free)).sqrt().clamp_max(1)
            if not bool((wanted > shrink * (1 + 1e-6)).any()):
                break
            shrink = torch.maximum(shrink, wanted)
        return inside


class L1Ball(_Shifts):
    """``sum |x' - x| <= eps`` and box."""

    norm: ClassVar[str] = "l1"

    def step_(self, adv: torch.Tensor, gradient: torch.Tensor, size: torch.Tensor) -> None:
        """The steepest allowed step of L1 length `size`: coordinates in the order of their slope, each up to its wall.

        Fewer coordinates move than by the sign of a fixed share of them (F. Tramer and D. Boneh, arXiv:1904.13000, section 3), and
        under a linear model the steps end in its greedy optimum.
        """
        slope, shift = gradient.flatten(1), (adv - self.x).flatten(1)
        room = torch.where(slope > 0, self.high.flatten(1) - shift, shift - self.low.flatten(1)).clamp_min(0)
        order = slope.abs().argsort(dim=1, descending=True)
        room = room.gather(1, order)
        taken = torch.minimum(room, (size[:, None] - (room.cumsum(1) - room)).clamp_min(0))
        step = torch.zeros_like(slope).scatter_(1, order, taken).mul_(slope.sign())
        self.move_(adv, step.view_as(adv), torch.ones_like(size))

    def project(self, delta: torch.Tensor) -> torch.Tensor:
        r"""Exactly, by sorting the places where :math:`\sum_j \min((|d_j| - m)_+, c_j)` bends as the multiplier m grows."""
        goal = delta.flatten(1)
        reach = goal.abs()
        room = torch.where(goal > 0, self.high.flatten(1), -self.low.flatten(1))
        start, end = (reach - room).clamp_min(0), reach
        bends, order = torch.cat([start, end], dim=1).sort(dim=1)
        slope = torch.cat([torch.ones_like(start), -torch.ones_like(end)], dim=1).gather(1, order).cumsum(1)
        fall = (slope[:, :-1] * bends.diff(dim=1)).cumsum(1)
        total = torch.minimum(reach, room).sum(1, keepdim=True)
        wanted = (total - self.eps[:, None]).clamp_min(0)
        place = torch.searchsorted(fall, wanted).clamp_max(fall.shape[1] - 1)
        before = torch.where(place > 0, fall.gather(1, (place - 1).clamp_min(0)), torch.zeros_like(wanted))
        multiplier = bends.gather(1, place) + (wanted - before) / slope.gather(1, place).clamp_min(1)
        size = torch.minimum((reach - multiplier * (wanted > 0)).clamp_min(0), room)
        size = size * (self.eps[:, None] / _positive(size.sum(1, keepdim=True))).clamp_max(1)  # what rounding added
        return (goal.sign() * size).view_as(delta)


class L0Ball(_Shifts):
    """At most `eps` coordinates changed, and box: not a convex set, so that steps find one of many nearest points."""

    norm: ClassVar[str] = "l0"

    def start(self, noise: torch.Tensor) -> torch.Tensor:
        """Some coordinates, moved a little: far from where they were they would hold their places against every gradient."""
        return self.nearest(self.x + L0_START * (self.box[1] - self.box[0]) * noise)

    def step_(self, adv: torch.Tensor, gradient: torch.Tensor, size: torch.Tensor) -> None:
        """Along the gradient, in L1 by `size` times the width of the box (F. Croce and M. Hein, arXiv:1909.05040, section 3)."""
        gradient = gradient.masked_fill(self.low == self.high, 0)
        width = self.box[1] - self.box[0]
        level = levelled(gradient)
        self.move_(adv, level, _share(width * size, level, "l1"))

    def project(self, delta: torch.Tensor) -> torch.Tensor:
        """Clamped, then only those coordinates whose change brings the point nearest."""
        inside = delta.clamp(self.low, self.high)
        gain = (delta.square() - (delta - inside).square()).flatten(1)
        rank = gain.argsort(dim=1, descending=True).argsort(dim=1)
        return inside.masked_fill((rank >= self.eps[:, None]).view_as(inside), 0)


SHIFTS: dict[str, type[L2Ball | L1Ball | L0Ball]] = {"l2": L2Ball, "l1": L1Ball, "l0": L0Ball}
