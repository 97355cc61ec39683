"""Random changes of a training batch; each is a callable ``(x, generator) -> x`` for :func:`holdfast.nets.fit`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from holdfast.core.checks import check_whole

__all__ = ["Augment", "random_flip", "random_shift"]

Augment = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


def random_shift(pixels: int) -> Augment:
    """Moves a batch of images by one random offset in ``-pixels..pixels`` per axis; zeros come in at the border.

    One offset for the whole batch costs a single copy; over many epochs every image still meets every offset.

    Examples
    --------
    >>> shift = random_shift(2)
    >>> shift(torch.ones(1, 1, 4, 4), torch.Generator().manual_seed(0)).shape
    torch.Size([1, 1, 4, 4])
    """
    check_whole(pixels, "pixels", low=0)

    def shift(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        down, right = torch.randint(-pixels, pixels + 1, (2,), generator=generator, device=generator.device).tolist()
        return nn.functional.pad(x, (right, -right, down, -down))

    return shift


def random_flip(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirrors each image of the batch `x` (N, C, H, W) left to right with probability one half."""
    chosen = torch.rand(len(x), generator=generator, device=generator.device).to(x.device) < 0.5
    return torch.where(chosen.view(-1, 1, 1, 1), x.flip(-1), x)
