"""Images kept with one byte per value, and made floating point where they are used: a quarter of the memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from holdfast.core.checks import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Pixels"]

PART = 2**22  # values made floating point at a time


@dataclass(frozen=True)
class Pixels:
    """Values 0 to 255 that stand for inputs in [0, 1].

    Parameters
    ----------
    stored : tensor (n, ...), uint8

    Examples
    --------
    >>> Pixels(torch.tensor([[0, 51, 255]], dtype=torch.uint8)).floats()
    tensor([[0.0000, 0.2000, 1.0000]])
    """

    stored: torch.Tensor

    def __post_init__(self) -> None:
        if self.stored.dtype != torch.uint8 or not self.stored.ndim:
            got = f"has dtype {self.stored.dtype} and shape {tuple(self.stored.shape)}"
            refuse("stored", got, allowed="one row of uint8 per example")

    @property
    def shape(self) -> torch.Size:
        """(n, ...)."""
        return self.stored.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the inputs that they stand for."""
        return np.dtype("<f4")

    def __len__(self) -> int:
        return len(self.stored)

    def __getitem__(self, rows: Any) -> Pixels:
        """The pixels of some rows."""
        return Pixels(self.stored[rows])

    def to(self, device: str | torch.device) -> Pixels:
        """The same pixels on `device`."""
        return Pixels(self.stored.to(device))

    def floats(self) -> torch.Tensor:
        """The inputs (n, ...), float32 in [0, 1]: a new tensor."""
        return self.stored.to(torch.float32, memory_format=torch.contiguous_format).div_(255)

    def parts(self) -> Iterator[torch.Tensor]:
        """The inputs in order, some rows at a time: about 4 million values, and one row at least."""
        rows = max(1, PART // max(1, math.prod(self.shape[1:])))
        for begin in range(0, len(self), rows):
            yield self[begin : begin + rows].floats()
