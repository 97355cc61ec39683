"""The device, the task and the points of the study."""

from __future__ import annotations

import math
from itertools import product

from holdfast.devices.spintronics import AutoOscillatorNetwork, all_to_all
from holdfast.devices.spintronics.vortex import VortexNetwork

__all__ = ["BEST", "COMMENSURATE", "EVERY_TARGET", "INCOMMENSURATE", "MISMATCH", "NU", "TARGETS", "group", "tag", "vortices"]

NU = 20 / 3  # nonlinearity of the default device at twice its threshold
BEST = math.atan(NU)  # coupling phase that widens locking most
MISMATCH = (0.4e6, -0.4e6, 0.0)  # Hz, fixed, inside the locking range
INCOMMENSURATE = (3e6, 5e6, 7.5e6)
COMMENSURATE = (8 * 0.35e6, 10 * 0.35e6, 13 * 0.35e6)
TARGETS = ("012", "201", "111", "002", "220", "102")
EVERY_TARGET = tuple("".join(events) for events in product("012", repeat=3))


def group(
    strength: float, *, oscillators: int = 3, phase: float = BEST, noise: float = 0.0, n: float = 60e6
) -> AutoOscillatorNetwork:
    """Equal oscillators at twice their threshold, coupled all to all with `strength` in Hz; `n` is their nonlinearity in Hz."""
    return AutoOscillatorNetwork(
        supercriticality=[2.0] * oscillators, nonlinearity=n, coupling=all_to_all(oscillators, strength, phase), noise=noise
    )


def vortices(strength: float, *, noise: float = 0.0) -> VortexNetwork:
    """Three equal vortices at 1.3 times their threshold, coupled all to all at the phase that widens locking most."""
    alone = VortexNetwork(supercriticality=[1.3] * 3)
    phase = math.atan(float(alone.phase_amplitude_ratio[0]))
    return VortexNetwork(supercriticality=[1.3] * 3, coupling=all_to_all(3, strength, phase), noise=noise)


def tag(number: float) -> str:
    """A noise level or a share as part of a metric's name: 1e-4 is n1e4, 0.05 is n5e2, 0 is n0."""
    if number == 0:
        return "n0"
    power = math.floor(math.log10(number) + 1e-9)
    return f"n{round(number / 10**power)}e{-power}"
