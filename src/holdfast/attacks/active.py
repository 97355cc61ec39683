"""The active set of an attack: the examples of a batch that it still works on, and all numbers that belong to each of them.

Most examples are fooled, or out of queries, long before the last step. Dropping them makes later steps cheaper. The same examples
must leave everywhere, or the numbers of one would go to another.
"""

from __future__ import annotations

from typing import Protocol, Self, runtime_checkable

import torch

__all__ = ["ActiveSet", "PerExample"]


@runtime_checkable
class PerExample(Protocol):
    """Something with one entry per example, such as a ball, that can go on with some of them."""

    def keep(self, places: torch.Tensor) -> Self:
        """The entries at `places` (m,) alone, in that order."""


class ActiveSet:
    """Rows that are cut together: subclasses add what an attack keeps of each example.

    Attributes that are tensors hold one entry per example in their first dimension, in one common order, and attributes that are
    :class:`PerExample` follow. All other attributes are shared by all examples and stay as they are.

    Examples
    --------
    >>> class Climb(ActiveSet):
    ...     def __init__(self, rows, height):
    ...         self.rows, self.height = rows, height
    >>> climb = Climb(torch.tensor([4, 7, 9]), torch.tensor([0.1, 0.2, 0.3]))
    >>> climb.drop(climb.height == 0.2)
    tensor([0, 2])
    >>> climb.rows
    tensor([4, 9])
    """

    def keep(self, places: torch.Tensor) -> Self:
        """Go on with the examples at `places` (m,) alone, in that order; in place."""
        for name, value in vars(self).items():
            if isinstance(value, torch.Tensor):
                setattr(self, name, value[places])
            elif isinstance(value, PerExample):
                setattr(self, name, value.keep(places))
        return self

    def drop(self, done: torch.Tensor) -> torch.Tensor:
        """Let the examples leave that are `done`, boolean (n,); the places (m,) that the others had."""
        places = (~done).nonzero().squeeze(1)
        if len(places) < len(done):
            sizes = {name: len(value) for name, value in vars(self).items() if isinstance(value, torch.Tensor)}
            assert set(sizes.values()) <= {len(done)}, f"{sizes} entries for {len(done)} examples"
            self.keep(places)
        return places
