"""Random numbers as part of a state: a step that is repeated from the same state draws the same numbers again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Streams", "draw_normal", "draw_uniform"]


@dataclass(frozen=True)
class Streams:
    """Independent streams of random numbers, each at one moment.

    Parameters
    ----------
    states : one per stream, as :meth:`torch.Generator.get_state` gives it
    device : of the numbers

    Examples
    --------
    >>> streams = Streams.of([torch.Generator().manual_seed(0)])
    >>> [torch.equal(draw_normal(streams.generators(), torch.zeros(1, 2)), draw_normal(streams.generators(), torch.zeros(1, 2)))]
    [True]
    """

    states: tuple[torch.Tensor, ...]
    device: torch.device

    @classmethod
    def of(cls, generators: Iterable[torch.Generator]) -> Streams:
        """The streams of `generators`, at least one, as they are now."""
        known = tuple(generators)
        return cls(tuple(generator.get_state() for generator in known), known[0].device)

    def generators(self) -> list[torch.Generator]:
        """New generators that begin here; this object stays as it is."""
        return [torch.Generator(device=self.device).set_state(state) for state in self.states]


def draw_normal(generators: Sequence[torch.Generator], like: torch.Tensor) -> torch.Tensor:
    """Standard normal numbers like the tensor `like` (C, P), each row from its own one of C generators."""
    row = like[0]
    return torch.stack([torch.randn(row.shape, generator=one, dtype=row.dtype, device=row.device) for one in generators])


def draw_uniform(generators: Sequence[torch.Generator]) -> torch.Tensor:
    """Numbers (C,) in [0, 1) in double precision, each from its own one of C generators."""
    return torch.stack([torch.rand((), generator=one, dtype=torch.float64, device=one.device) for one in generators])
