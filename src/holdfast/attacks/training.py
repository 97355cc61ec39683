"""Adversarial training: batches in whose place a network learns what an attack makes of them.

Sources: I. J. Goodfellow, J. Shlens and C. Szegedy, arXiv:1412.6572 (one step), A. Kurakin, I. Goodfellow and S. Bengio,
arXiv:1611.01236 (a random size for each example, against overfitting to one size).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from holdfast.attacks.ascent import ascend
from holdfast.attacks.losses import cross_entropy
from holdfast.attacks.threat import ThreatModel
from holdfast.core.checks import check_whole, check_within
from holdfast.nets import frozen

if TYPE_CHECKING:
    from torch import nn

    from holdfast.attacks.threat import Norm
    from holdfast.nets.fit import OnBatch

__all__ = ["adversarial_batches"]


def adversarial_batches(reach: float, *, norm: Norm = "linf", steps: int = 1, bounds: tuple[float, float] = (0.0, 1.0)) -> OnBatch:
    """Adversarial examples in place of each training batch, for ``nets.fit(on_batch=...)``.

    Parameters
    ----------
    reach : largest size of a perturbation, >= 0; each example has its own, uniform from 0 on
    norm : in which it is measured
    steps : of gradient ascent on the cross entropy, each of ``size / steps``
    bounds : of valid inputs

    Returns
    -------
    callable ``(model, x, y, generator) -> (x, y)``; the network's mode and gradients are left as they were

    Examples
    --------
    >>> from holdfast.data import Examples
    >>> from holdfast.nets import fit, mlp
    >>> x = torch.rand(200, 2)
    >>> net = mlp(2, classes=2)
    >>> trained = fit(net, Examples(x, (x[:, 0] > x[:, 1]).long()), epochs=20, lr=0.05, on_batch=adversarial_batches(0.05))
    >>> trained.history[-1].accuracy > 0.8
    True
    """
    check_within(reach, "reach", low=0.0)
    check_whole(steps, "steps", low=1)

    def on_batch(
        model: nn.Module, x: torch.Tensor, y: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        eps = reach * torch.rand(len(x), generator=generator, device=generator.device).to(x.device)
        threat = ThreatModel(norm, eps, bounds=bounds)
        with frozen(model):
            return ascend(lambda z, rows: cross_entropy(model(z), y[rows]), x, threat, steps=steps), y

    return on_batch
