r"""The shortest step in a box onto a hyperplane, in three norms: what FAB takes for the way to a decision boundary.

Wanted is :math:`\min |\delta|_p` with :math:`w\cdot\delta + c = 0` and every coordinate between its walls. All coordinates move so
that they reduce :math:`|c|`: by the same amount (L-infinity), in proportion to their slope (L2), each until its wall, or one after
another in the order of their slope (L1). Source: M. Hein and M. Andriushchenko, NeurIPS 2017, arXiv:1705.08475, section 4.
What is gained, as a function of the common amount, is concave and piecewise linear, so Newton's method from 0 ends after finitely
many steps without sorting.
"""

from __future__ import annotations

import torch

__all__ = ["DUAL", "step_onto_plane"]

DUAL = {"linf": "l1", "l2": "l2", "l1": "linf"}  # the norm that measures slopes where perturbations are measured by the first
NEWTON_STEPS = 60


def step_onto_plane(
    normal: torch.Tensor, offset: torch.Tensor, *, low: torch.Tensor, high: torch.Tensor, norm: str
) -> torch.Tensor:
    """The smallest perturbation (n, d) that brings ``normal . delta + offset`` to zero; the best corner where none does.

    Parameters
    ----------
    normal : tensor (n, d), w
    offset : tensor (n,), c
    low, high : tensors (n, d), walls of the perturbation, ``low <= 0 <= high``
    norm : ``"linf"``, ``"l2"`` or ``"l1"``

    Examples
    --------
    >>> walls = torch.tensor([[1.0, 1.0]])
    >>> step_onto_plane(torch.tensor([[2.0, 1.0]]), torch.tensor([-1.5]), low=-walls, high=walls, norm="linf").tolist()
    [[0.5, 0.5]]
    """
    toward = normal.sign() * -offset.sign()[:, None]
    slope, wanted = normal.abs(), offset.abs()
    room = torch.where(toward > 0, high, -low).clamp_min(0).masked_fill(toward == 0, 0)
    return toward * (_in_order(slope, room, wanted) if norm == "l1" else _together(slope, room, wanted, norm))


def _in_order(slope: torch.Tensor, room: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The steepest coordinates to their walls, one of them in part."""
    sorted_slope, order = slope.sort(dim=1, descending=True)
    sorted_room = room.gather(1, order)
    gain = sorted_slope * sorted_room
    missing = (wanted[:, None] - (gain.cumsum(1) - gain)).clamp_min(0)
    taken = torch.minimum(sorted_room, missing / sorted_slope.clamp_min(torch.finfo(slope.dtype).tiny))
    return torch.zeros_like(room).scatter_(1, order, taken)


def _together(slope: torch.Tensor, room: torch.Tensor, wanted: torch.Tensor, norm: str) -> torch.Tensor:
    """All coordinates at once, each at its speed until its wall."""
    speed = slope if norm == "l2" else torch.ones_like(slope)
    rate, full = slope * speed, slope * room
    tiny = torch.finfo(slope.dtype).tiny
    amount = wanted / rate.sum(1).clamp_min(tiny)
    for _ in range(NEWTON_STEPS):
        free = (amount[:, None] * speed < room).to(slope.dtype)  # a product is several times faster than a mask
        missing = (wanted - torch.linalg.vecdot(full, 1 - free)).clamp_min(0)
        ahead = torch.maximum(amount, missing / torch.linalg.vecdot(rate, free).clamp_min(tiny))
        settled = ahead <= amount * (1 + 1e-6)
        amount = torch.where(settled, amount, ahead).clamp_max(torch.finfo(slope.dtype).max)
        if bool(settled.all()):
            break
    return torch.where(full.sum(1, keepdim=True) > wanted[:, None], torch.minimum(amount[:, None] * speed, room), room)
