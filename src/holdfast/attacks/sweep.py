"""An attack at several sizes in one call: one batch with a radius per row, one clean pass for all."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import torch

from holdfast.attacks.gradient import pgd
from holdfast.attacks.threat import AttackResult, ThreatModel
from holdfast.core.checks import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["pgd_sweep"]


def pgd_sweep(
    model: Any, x: torch.Tensor, y: torch.Tensor, threat: ThreatModel, *, eps: Sequence[float], **settings: Any
) -> tuple[AttackResult, ...]:
    """:func:`~holdfast.attacks.pgd` at each radius of `eps`, in one batch.

    Balls of growing radius contain each other, so what fools at one radius counts at all larger ones: accuracy never rises along
    the sweep.

    Parameters
    ----------
    model, x, y : as in :func:`~holdfast.attacks.pgd`
    threat : norm, box and mask; its own radius is not used
    eps : increasing radii >= 0
    settings : further arguments of :func:`~holdfast.attacks.pgd`, except `skip_wrong` and `target_class`

    Returns
    -------
    one result per radius, in order

    Examples
    --------
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
    left = (~clean.success).nonzero().squeeze(1)
    results = [clean] * len(sizes)
    if len(left):
        radii = torch.tensor(sizes, dtype=x.dtype, device=x.device).repeat_interleave(len(left))
        tall = x[left].repeat(len(sizes), *(1,) * (x.ndim - 1))
        found = pgd(model, tall, y[left].repeat(len(sizes)), replace(threat, eps=radii), skip_wrong=False, **settings)
        results = [_replaced(clean, left, found, slice(row * len(left), (row + 1) * len(left))) for row in range(len(sizes))]
    for row in range(1, len(results)):
        inherited = results[row - 1].success & ~results[row].success
        results[row] = _replaced(results[row], inherited, results[row - 1], inherited)
    return tuple(results)


def _replaced(base: AttackResult, rows: torch.Tensor, other: AttackResult, part: slice | torch.Tensor) -> AttackResult:
    """`base` with its `rows` taken from the rows `part` of `other`."""
    whole = {}
    for entry in fields(AttackResult):
        values = getattr(base, entry.name).clone()
        values[rows] = getattr(other, entry.name)[part]
        whole[entry.name] = values
    return AttackResult(**whole)
