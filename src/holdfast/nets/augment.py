"""Random changes of a training batch; each is a callable ``(x, generator) -> x`` for :func:`holdfast.nets.fit`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from holdfast.core.checks import check_whole, check_within

__all__ = ["Augment", "random_flip", "random_shift", "sign_noise"]

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


def sign_noise(amplitude: float, *, share: float = 0.7, block: int = 7, bounds: tuple[float, float] = (0.0, 1.0)) -> Augment:
    """Adds random signs times an amplitude to some images of a batch, pixel by pixel or, for half of them, in blocks.

    A network trained so does not take every strange image for one and the same class.

    Parameters
    ----------
    amplitude : largest; each image has its own, uniform from 0 on
    share : of the images that are changed
    block : side of the blocks in pixels
    bounds : of valid images, to which the result is clipped

    Examples
    --------
    >>> noisy = sign_noise(0.2, share=1.0)(torch.full((4, 1, 28, 28), 0.5), torch.Generator().manual_seed(0))
    >>> bool((noisy - 0.5).abs().max() <= 0.2)
    True
    """
    check_within(amplitude, "amplitude", low=0.0)
    check_within(share, "share", low=0.0, high=1.0)
    check_whole(block, "block", low=1)

    def noise(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        def draw(*shape: int) -> torch.Tensor:
            return torch.rand(shape, generator=generator, device=generator.device, dtype=x.dtype).to(x.device)

        n, channels, height, width = x.shape
        coarse = draw(n, channels, -(-height // block), -(-width // block))
        blocks = coarse.repeat_interleave(block, 2).repeat_interleave(block, 3)[:, :, :height, :width]
        which = draw(n, 1, 1, 1) < 0.5
        signs = (torch.where(which, blocks, draw(*x.shape)) - 0.5).sign()
        size = amplitude * draw(n, 1, 1, 1) * (draw(n, 1, 1, 1) < share)
        return (x + size * signs).clamp(*bounds)

    return noise
