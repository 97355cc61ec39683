"""What an entry offers beside its device: the method, the times of a simulation, and vectors out of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.devices.entry import Parameter

__all__ = ["method", "runs", "times", "vector"]

TIMES = {"duration": "averaging window", "settle": "time before the window", "dt": "time step"}


def method(default: str, meaning: str) -> Parameter:
    """The choice between a closed form and a simulation, the default first."""
    other = {"closed": "simulation", "simulation": "closed"}[default]
    return Parameter(name="method", default=default, choices=(default, other), meaning=meaning)


def runs(default: int) -> Parameter:
    """How many independent runs a simulation averages over."""
    return Parameter(
        name="runs", default=float(default), whole=2, shared=True, meaning="independent runs that a simulation averages over, >= 2"
    )


def times(meanings: dict[str, str] | None = None, /, **defaults: float) -> tuple[Parameter, ...]:
    """The times of a simulation by their `defaults` in s; all devices of a batch share them."""
    words = TIMES | (meanings or {})
    return tuple(
        Parameter(name=name, unit="s", default=value, shared=True, meaning=words[name]) for name, value in defaults.items()
    )


def vector(*components: Any) -> np.ndarray:
    """Components that broadcast against each other as vectors (..., 3)."""
    return np.stack(np.broadcast_arrays(*(np.asarray(part, dtype=float) for part in components)), axis=-1)
