"""An attack at several sizes in one call, from the largest ball inward: what held in a ball need not be attacked in a smaller one.

Balls of growing radius contain each other, so an example that holds at one radius holds at all smaller ones, as far as the attack
can tell, and one that falls is attacked again from where it fell. Each example is thus attacked in vain only once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from holdfast.attacks.found import Found
from holdfast.attacks.gradient import pgd
from holdfast.attacks.losses import Loss, make_objective
from holdfast.attacks.problem import pose
from holdfast.attacks.projection import make_ball
from holdfast.attacks.worst import taken, with_rows
from holdfast.core.checks import refuse
from holdfast.nets import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.attacks.threat import AttackResult, ThreatModel

__all__ = ["pgd_sweep"]


def pgd_sweep(
    model: Any, x: torch.Tensor, y: torch.Tensor, threat: ThreatModel, *, eps: Sequence[float], **settings: Any
) -> tuple[AttackResult, ...]:
    """:func:`~holdfast.attacks.pgd` at each radius of `eps`: an accuracy curve at about twice the cost of one point.

    What fools at one radius counts at all larger ones, so accuracy never rises along the sweep. Where an example held at a larger
    radius, the input found there is brought into the smaller ball and asked about once.

    Parameters
    ----------
    model, x, y : as in :func:`~holdfast.attacks.pgd`
    threat : norm, box and mask; its own radius is not used
    eps : increasing radii >= 0
    settings : further arguments of :func:`~holdfast.attacks.pgd`, except `skip_wrong`, `start` and `target_class`

    Returns
    -------
    one result per radius, in order

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.nets import mlp
    >>> x, y = torch.rand(20, 8), torch.arange(20) % 3
    >>> sweep = pgd_sweep(mlp(8, classes=3), x, y, ThreatModel("linf", 0), eps=[0.1, 0.2], steps=5)
    >>> sweep[0].accuracy.value >= sweep[1].accuracy.value
    True
    """
    sizes = list(eps)
    if not sizes or sizes != sorted(set(sizes)):
        refuse("eps", f"is {sizes}", allowed="increasing radii, at least one")
    shared = {name: settings[name] for name in ("batch_size", "loss") if name in settings}
    clean = pgd(model, x, y, replace(threat, eps=0.0), **shared)
    results = [clean] * len(sizes)
    rows, start = (~clean.success).nonzero().squeeze(1), None
    for place in reversed(range(len(sizes))):
        if len(rows) == 0:
            break
        found = pgd(model, x[rows], y[rows], replace(threat, eps=sizes[place]), skip_wrong=False, start=start, **settings)
        results[place] = with_rows(results[place], rows, found)
        held = (~found.success).nonzero().squeeze(1)
        inside = _carried(model, x[rows[held]], y[rows[held]], threat, eps=sizes[:place], found=taken(found, held), **shared)
        for smaller, carried in enumerate(inside):
            results[smaller] = with_rows(results[smaller], rows[held], carried)
        fell = found.success.nonzero().squeeze(1)
        rows, start = rows[fell], found.x_adv[fell]
    for place in range(1, len(results)):
        inherited = (results[place - 1].success & ~results[place].success).nonzero().squeeze(1)
        results[place] = with_rows(results[place], inherited, taken(results[place - 1], inherited))
    return tuple(results)


def _carried(
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    eps: Sequence[float],
    found: AttackResult,
    loss: str | Loss = "ce",
    batch_size: int = 500,
) -> tuple[AttackResult, ...]:
    """What was `found` for the examples `x` (n, ...), brought into the balls of radii `eps` and asked about once in each."""
    if len(x) == 0 or not eps:
        return ()
    copies = len(eps)
    radii = torch.tensor(list(eps), dtype=x.dtype, device=x.device).repeat_interleave(len(x))
    tall = x.repeat(copies, *(1,) * (x.ndim - 1))
    problem = pose(model, tall, y.repeat(copies), replace(threat, eps=radii))
    points, steps = found.x_adv.repeat(copies, *(1,) * (x.ndim - 1)), found.steps_used.repeat(copies)
    with frozen(model), torch.inference_mode(mode=False):
        judged = Found(problem, make_objective(loss, classes=problem.probe(), targeted=False))
        for rows in torch.arange(len(tall), device=x.device).split(batch_size):
            ball = make_ball(problem.x[rows], radii[rows], threat)
            judged.judge(rows, ball.x + ball.project(points[rows] - ball.x), steps=steps[rows])
    judged.no_gradient |= found.no_gradient.repeat(copies)
    whole = judged.result()
    return tuple(taken(whole, rows) for rows in torch.arange(len(tall), device=x.device).split(len(x)))
