"""What stands between a device and the next layer: neurons that are stuck, and a converter of finite resolution."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from holdfast.core.checks import check_whole, check_within, refuse
from holdfast.core.seeds import Seeds
from holdfast.nets.functional import round_ste

__all__ = ["Converter", "Faults", "checked_scale"]


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Neurons that do not answer any more.

    Parameters
    ----------
    dead : rate of neurons that are stuck at the low end of the read-out, in [0, 1]
    saturated : rate of neurons that are stuck at its high end; together with `dead` at most 1

    Examples
    --------
    >>> Faults(dead=0.5).draw(4, seed=1)
    tensor([-1, -1, -1,  0], dtype=torch.int8)
    """

    dead: float = 0.0
    saturated: float = 0.0

    def __post_init__(self) -> None:
        check_within(self.dead, "dead", low=0, high=1)
        check_within(self.saturated, "saturated", low=0, high=1 - self.dead)

    def draw(self, units: int, *, seed: int) -> torch.Tensor:
        """Vector (units,) of the chip `seed`: -1 dead, 1 saturated, 0 sound; what fails at a low rate fails at any higher one."""
        luck = Seeds(seed).numpy("faults").random(units)
        dead, saturated = luck < self.dead, luck > 1 - self.saturated
        return torch.from_numpy(saturated.astype("int8") - dead.astype("int8"))


@dataclass(frozen=True, kw_only=True)
class Converter:
    """An analogue-to-digital converter that all neurons of a layer share.

    Parameters
    ----------
    bits : resolution, 1 to 16
    full_scale : lowest and highest output that it resolves; values outside are clipped

    Examples
    --------
    >>> Converter(bits=1, full_scale=(0.0, 2.0))(torch.tensor([-1.0, 0.9, 1.1]))
    tensor([0., 0., 2.])
    """

    bits: int
    full_scale: tuple[float, float]

    def __post_init__(self) -> None:
        check_whole(self.bits, "bits", low=1, high=16)
        checked_scale(self.full_scale, needed=True)

    def __call__(self, y: torch.Tensor) -> torch.Tensor:
        """The nearest of the ``2**bits`` levels; gradients pass straight through the rounding, and not where it clips."""
        low, high = self.full_scale
        step = (high - low) / (2**self.bits - 1)
        return low + step * round_ste((y.clamp(low, high) - low) / step)


def checked_scale(full_scale: tuple[float, float] | None, *, needed: bool) -> tuple[float, float]:
    """The ends of the read-out, which must rise; refused where they are needed and missing, 0 and 1 where they are neither.

    Parameters
    ----------
    full_scale : lowest and highest output, or None
    needed : whether anything is stuck there or converted
    """
    if full_scale is None and needed:
        refuse(
            "full_scale",
            "is missing for neurons whose output has no end of its own",
            allowed="the lowest and highest output of the read-out",
            remedy="Pass e.g. full_scale=(0, 4).",
        )
    low, high = (check_within(float(end), "full_scale") for end in full_scale or (0.0, 1.0))
    if not high > low:
        refuse("full_scale", f"runs from {low:g} to {high:g}", allowed="a low end below the high one")
    return low, high
