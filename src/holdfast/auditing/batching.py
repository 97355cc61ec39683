"""How many examples go through a network together: as many as asked for, unless their size would fill the memory."""

from __future__ import annotations

import math

__all__ = ["rows_per_pass"]

VALUES = 4_000_000  # of the inputs of one pass: activations take some ten times as much, in four bytes each
ON_DEVICE = 16  # times as many where the network lies on an accelerator, which needs large batches to be fast


def rows_per_pass(shape: tuple[int, ...], most: int, *, device: str = "cpu") -> int:
    """The largest number of examples in one pass, at most `most`.

    It depends on the shape and the kind of device alone, so that the same settings give the same figures on every machine.

    Parameters
    ----------
    shape : of one example
    most : what the user allows
    device : where the network lies

    Examples
    --------
    >>> rows_per_pass((1, 28, 28), 1000), rows_per_pass((3, 256, 256), 1000), rows_per_pass((3, 256, 256), 1000, device="cuda")
    (1000, 20, 325)
    """
    values = VALUES if str(device).startswith("cpu") else VALUES * ON_DEVICE
    return max(1, min(most, values // max(1, math.prod(shape))))
