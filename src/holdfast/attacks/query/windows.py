"""Proposals of the Square attack: blocks of an image, or random coordinates of any other input, that jump to the edge of the ball.

Source: M. Andriushchenko, F. Croce, N. Flammarion and M. Hein, ECCV 2020, arXiv:1912.00049, Algorithms 2 (L-infinity) and 3 (L2),
and Eq. (2); the L1 form: F. Croce and M. Hein, arXiv:2103.01208, section 4. Each example has its own windows. A window is a list of
places (n, s) in the flattened last axes, which all channels share; inputs that are not images have one channel.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from holdfast.attacks.projection import lengthened, perturbation_norm

if TYPE_CHECKING:
    from holdfast.attacks.projection import Ball

__all__ = ["propose", "start"]

TILES = 5  # per side of the first L2 and L1 perturbation


def start(ball: Ball, generator: torch.Generator) -> torch.Tensor:
    """The first perturbed inputs (n, ...): stripes of random sign in L-infinity, five by five bumps in L2 and L1."""
    x = ball.x
    if ball.norm == "linf":
        shape = (*x.shape[:2], 1, x.shape[3]) if x.ndim == 4 else tuple(x.shape)
        return torch.where(_signs(shape, x, generator) > 0, ball.high, ball.low)
    if x.ndim == 4:
        delta = torch.zeros_like(x)
        height, width = x.shape[2:]
        side = max(1, min(height, width) // TILES)
        for top in range(height % side // 2, height - side + 1, side):
            for left in range(width % side // 2, width - side + 1, side):
                bump = _bump(side, ball.norm, generator, like=x).view(side, side)
                delta[:, :, top : top + side, left : left + side] = bump * _signs((*x.shape[:2], 1, 1), x, generator)
    else:
        delta = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    return x + _at_edge(delta, ball)


def propose(ball: Ball, adv: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    """`adv` (n, ...) with one window per example changed, which covers about `share` of the input; in ball and box."""
    if ball.norm == "linf":
        return _jump(ball, adv, share, generator)
    return _move_mass(ball, adv, share, generator)


def _signs(shape: tuple[int, ...], like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.randint(0, 2, shape, generator=generator, device=like.device).to(like.dtype).mul_(2).sub_(1)


def _channels(x: torch.Tensor) -> torch.Tensor:
    """`x` as (n, channels, places)."""
    return x.flatten(2) if x.ndim == 4 else x.flatten(1)[:, None]


def _jump(ball: Ball, adv: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    """Everything in the window to one end of the ball; a proposal that would change nothing goes to the other end.

    The sign is that of the channel in images and of the place in other inputs.
    """
    now, low, high = (_channels(part) for part in (adv, ball.low, ball.high))
    window = _window(adv, share, generator)
    places = window[:, None].expand(-1, now.shape[1], -1)
    up = torch.randint(0, 2, (*now.shape[:2], 1 if adv.ndim == 4 else window.shape[1]), generator=generator, device=adv.device) > 0
    floor, roof, old = low.gather(2, places), high.gather(2, places), now.gather(2, places)
    idle = (torch.where(up, roof, floor) == old).flatten(1).all(1)
    return now.scatter(2, places, torch.where(up ^ idle[:, None, None], roof, floor)).view_as(adv)


def _move_mass(ball: Ball, adv: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    """The perturbation of a second window is given to the first, whose shape turns by a random bump; in L2 and L1."""
    delta = _channels(adv - ball.x)
    if adv.ndim == 4:
        side = _odd_side(adv, share)
        first, second = (_squares(adv, side, generator) for _ in range(2))
        bump = _bump(side, ball.norm, generator, like=adv)
    else:
        first, second = (_window(adv, share, generator) for _ in range(2))
        bump = _signs(tuple(first.shape[1:]), adv, generator)
        bump = bump / bump.norm(p=2 if ball.norm == "l2" else 1)
    channels, order = delta.shape[1], 2 if ball.norm == "l2" else 1
    places, others = (window[:, None].expand(-1, channels, -1) for window in (first, second))

    old = delta.gather(2, places)
    emptied = delta.scatter(2, others, 0.0).scatter_(2, places, 0.0)
    whole, kept = (_power(part, order) for part in (delta, emptied))
    taken = whole - kept
    room = (ball.eps.view(-1, 1, 1) ** order - whole.sum(1, keepdim=True)).clamp_min(0)
    shape = bump * _signs((*delta.shape[:2], 1), delta, generator) + old / _root(_power(old, order), order).clamp_min(1e-12)
    size = _root(room / channels + taken, order) * (1 if order == 2 else channels)
    new = shape * (size / _root(_power(shape, order), order).clamp_min(1e-12))
    emptied.scatter_(2, places, new)
    return (ball.x + _at_edge(emptied.view_as(adv), ball)).clamp_(*ball.box)


def _power(delta: torch.Tensor, order: int) -> torch.Tensor:
    """Sum over places of the absolute values to the power of `order`, (n, channels, 1)."""
    return (delta.square() if order == 2 else delta.abs()).sum(2, keepdim=True)


def _root(power: torch.Tensor, order: int) -> torch.Tensor:
    return power.clamp_min(0).sqrt() if order == 2 else power


def _window(x: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    """Places (n, s) that cover about `share` of each input: a square of an image, random ones of anything else."""
    if x.ndim == 4:
        return _squares(x, _side(x, share), generator)
    features = x[0].numel()
    size = min(max(1, round(share * features)), features)
    return torch.rand(len(x), features, generator=generator, device=x.device).topk(size, dim=1).indices


def _side(x: torch.Tensor, share: float) -> int:
    height, width = x.shape[2:]
    return min(max(1, round(math.sqrt(share * height * width))), height, width)


def _odd_side(x: torch.Tensor, share: float) -> int:
    side = max(3, _side(x, share))
    return min(side + 1 - side % 2, *x.shape[2:])


def _squares(x: torch.Tensor, side: int, generator: torch.Generator) -> torch.Tensor:
    """Places (n, side^2) of a square at random in each image."""
    height, width = x.shape[2:]
    corner = torch.randint(0, (height - side + 1) * (width - side + 1), (len(x), 1), generator=generator, device=x.device)
    top, left = corner // (width - side + 1), corner % (width - side + 1)
    inner = torch.arange(side, device=x.device)
    return top * width + left + (inner[:, None] * width + inner).flatten()


def _bump(side: int, norm: str, generator: torch.Generator, *, like: torch.Tensor) -> torch.Tensor:
    """A hill beside a hollow, flattened (side^2,), of unit length, upright or lying at random; Eq. (2)."""
    half = side // 2
    bump = torch.cat([_hill(half, side, norm), -_hill(side - half, side, norm)])
    bump = bump / (bump.square().sum().sqrt() if norm == "l2" else bump.abs().sum())
    if bool(torch.randint(0, 2, (), generator=generator, device=like.device)):
        bump = bump.T
    return bump.flatten().to(dtype=like.dtype, device=like.device)


@lru_cache(maxsize=256)
def _hill(height: int, width: int, norm: str) -> torch.Tensor:
    """Nested rectangles around the middle whose contributions fall off as 1/k^2 (L2) or 1/k^4 (L1), of unit length."""
    hill = torch.zeros(height, width)
    if height == 0:
        return hill
    middle = (height // 2, width // 2)
    for ring in range(max(middle) + 1):
        top, left = (max(place - ring, 0) for place in middle)
        hill[top : middle[0] + ring + 1, left : middle[1] + ring + 1] += 1 / (ring + 1) ** (2 if norm == "l2" else 4)
    return hill / (hill.square().sum().sqrt() if norm == "l2" else hill.sum())


def _at_edge(delta: torch.Tensor, ball: Ball) -> torch.Tensor:
    """The perturbations `delta` (n, ...) at the length eps in L2, projected exactly in L1; what may not move left out."""
    delta = delta.masked_fill(ball.low == ball.high, 0)
    wide = (-1, *(1,) * (delta.ndim - 1))
    at_edge = lengthened(delta, ball.eps, ball.norm)
    if ball.norm == "l1":
        outside = perturbation_norm(delta, "l1") >= ball.eps
        return ball.project(torch.where(outside.view(wide), delta, at_edge))
    return at_edge.clamp_(ball.low, ball.high)
