"""torch's global generator, borrowed under a seed and given back as it was.

Initial weights and dropout draw from the global generator and take no other; everything else in holdfast has its own.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["seeded"]


@contextmanager
def seeded(seed: int, device: str | torch.device = "cpu") -> Iterator[None]:
    """Inside the block the global generators of the CPU and of `device` start from `seed`; afterwards they are as before.

    Examples
    --------
    >>> with seeded(0):
    ...     a = torch.rand(())
    >>> with seeded(0):
    ...     b = torch.rand(())
    >>> bool(a == b)
    True
    """
    place = torch.device(device)
    cuda = [torch.cuda.current_device() if place.index is None else place.index] if place.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(cuda[0]):
                torch.cuda.manual_seed(seed)
        yield
