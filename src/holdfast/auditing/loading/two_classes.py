"""One number per example as two classes.

A logit z of class 1 becomes the logits (0, z), and a probability p of class 1 becomes (log(1 - p), log p). Their softmax is that of
the network, so losses, attacks and calibration mean what they mean for two outputs.
"""

from __future__ import annotations

from typing import Any, Literal

import torch

__all__ = ["Binary", "is_one_number", "two_classes"]

Binary = Literal["either", "logits", "probabilities"]
"""What one number is; ``"either"`` until the probe has seen enough of them."""


def is_one_number(answer: Any) -> bool:
    """True for floating point with one number per example: (N,), (N, 1), or a single number for a batch of one.

    Examples
    --------
    >>> is_one_number(torch.zeros(5, 1)), is_one_number(torch.zeros(5, 2)), is_one_number(torch.tensor(0.0))
    (True, False, True)
    """
    if not isinstance(answer, torch.Tensor) or not answer.is_floating_point():
        return False
    return answer.ndim == 0 or answer.numel() == len(answer)


def two_classes(numbers: torch.Tensor, kind: Binary) -> torch.Tensor:
    """Logits (N, 2) out of `numbers` (N,) or (N, 1): finite also for probabilities of 0 and 1.

    Parameters
    ----------
    numbers : of class 1
    kind : ``"logits"`` or ``"probabilities"``

    Examples
    --------
    >>> two_classes(torch.tensor([2.0, -1.0]), "logits").tolist()
    [[0.0, 2.0], [0.0, -1.0]]
    >>> two_classes(torch.tensor([0.75]), "probabilities").softmax(1)
    tensor([[0.2500, 0.7500]])
    """
    column = numbers.reshape(-1)
    if kind != "probabilities":
        return torch.stack((torch.zeros_like(column), column), 1)
    both = torch.stack((1 - column, column), 1)
    return both.clamp_min(torch.finfo(both.dtype).tiny).log()
