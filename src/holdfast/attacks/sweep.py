"""An attack at several sizes in one call, from the largest ball inward.

What fools at one radius counts at all larger ones. An example that falls is attacked anew in the next smaller ball. One that held
is tried there with one step, from the best point of the larger ball.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from holdfast.attacks.gradient import pgd
from holdfast.attacks.worst import taken, with_rows
from holdfast.core.checks import check_whole, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.attacks.threat import AttackResult, ThreatModel

__all__ = ["pgd_sweep"]

CARRIED_STEPS = 1  # in a ball inside one in which an example held: four and ten found no more, on three networks in three norms


def pgd_sweep(
    model: Any, x: torch.Tensor, y: torch.Tensor, threat: ThreatModel, *, eps: Sequence[float], **settings: Any
) -> tuple[AttackResult, ...]:
    """:func:`~holdfast.attacks.pgd` at each radius of `eps`: an accuracy curve at the cost of a few points.

    Accuracy never rises along the sweep. In smaller balls examples that held in a larger one take one step.

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
    for name in ("skip_wrong", "start", "target_class"):
        if name in settings:
            refuse(name, "is set", allowed="the other arguments of pgd; a sweep chooses its starts itself and is not targeted")
    steps = check_whole(settings.pop("steps", 40), "steps", low=1)
    shared = {name: settings[name] for name in ("batch_size", "loss", "eot_samples") if name in settings}
    clean = pgd(model, x, y, replace(threat, eps=0.0), **shared)
    results = [clean] * len(sizes)
    fallen, held = (~clean.success).nonzero().squeeze(1), None
    points = clean.x_adv.clone()
    for place in reversed(range(len(sizes))):
        ball, ends = replace(threat, eps=sizes[place]), []
        for rows, count in ((fallen, steps), (held, CARRIED_STEPS)):
            if rows is None or len(rows) == 0:
                continue
            start = points[rows] if rows is held else None
            found = pgd(model, x[rows], y[rows], ball, steps=count, skip_wrong=False, start=start, **settings)
            results[place] = with_rows(results[place], rows, found)
            points[rows] = found.x_adv
            ends.append((rows, found.success))
        if not ends:
            break
        rows, success = (torch.cat(parts) for parts in zip(*ends, strict=True))
        fallen, held = rows[success], rows[~success]
    for place in range(1, len(results)):
        inherited = (results[place - 1].success & ~results[place].success).nonzero().squeeze(1)
        results[place] = with_rows(results[place], inherited, taken(results[place - 1], inherited))
    return tuple(results)
