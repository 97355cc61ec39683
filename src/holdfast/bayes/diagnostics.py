"""Did the chains find the posterior? What samplers must report."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Diagnostics"]


@dataclass(frozen=True, kw_only=True)
class Diagnostics:
    """What a sampler says of its own run."""

    accept: float
