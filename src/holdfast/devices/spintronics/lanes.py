"""Arithmetic for compiled loops over lanes: what a vectorised loop may call, and random numbers that a counter finds.

The hash is SplitMix64 (G. L. Steele, D. Lea and C. H. Flood, OOPSLA 2014): a number of a stream is found by its key and its
place, so nothing depends on what else is computed, in which order, or where.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numba import njit
from numba.extending import register_jitable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "FAST",
    "GOLDEN",
    "LANES",
    "arctangent",
    "compiled",
    "increments",
    "inlined",
    "lane_keys",
    "mixed",
    "shared",
    "uniform_phases",
]

LANES = 64  # devices in a block; what a block needs stays in the first-level cache
# no flag that assumes finite numbers: a diverged lane must stay NaN
FAST = {"nsz", "contract", "arcp", "reassoc"}
Function = TypeVar("Function", bound=Callable[..., Any])
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# S. Moshier's Cephes library: rational approximation of (atan(t) - t) / t^3 on [0, tan(pi/8)], error 2e-16
TOP = (-8.750608600031904e-1, -1.615753718733365e1, -7.500855792314705e1, -1.2288666844901362e2, -6.485021904942025e1)
BOTTOM = (2.4858464901423063e1, 1.65027009831698854e2, 4.3288106049129027e2, 4.853903996359137e2, 1.9455065714826140e2)


def compiled(function: Function) -> Function:
    """`function` compiled, kept on disk, and free of the interpreter's lock."""
    return cast("Function", njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)(function))


def inlined(function: Function) -> Function:
    """`function` as part of the compiled functions that call it."""
    return cast("Function", njit(forceinline=True, error_model="numpy", fastmath=FAST)(function))


def shared(function: Function) -> Function:
    """`function` as it is, for arrays and tensors, and as part of the compiled functions that call it."""
    return register_jitable(forceinline=True, error_model="numpy", fastmath=FAST)(function)


@inlined
def arctangent(y: Any, x: Any) -> Any:  # pragma: no cover - compiled
    """The angle of the point (x, y) in rad, without branches."""
    wide, high = abs(x), abs(y)
    small, large = (wide, high) if wide < high else (high, wide)
    far = small > 0.41421356237309503 * large
    t = (small - large if far else small) / ((small + large if far else large) + 1e-300)
    z = t * t
    top = (((TOP[0] * z + TOP[1]) * z + TOP[2]) * z + TOP[3]) * z + TOP[4]
    bottom = ((((z + BOTTOM[0]) * z + BOTTOM[1]) * z + BOTTOM[2]) * z + BOTTOM[3]) * z + BOTTOM[4]
    angle = (0.7853981633974483 if far else 0.0) + t + t * z * top / bottom
    angle = 1.5707963267948966 - angle if high > wide else angle
    angle = 3.141592653589793 - angle if x < 0 else angle
    return -angle if y < 0 else angle


@shared
def mixed(z: Any) -> Any:
    """The finaliser of splitmix64: 64 bits that look random, a different number for each `z`."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def lane_keys(seed: int, points: ArrayLike) -> NDArray[np.uint64]:
    """One stream of random numbers per network: a hash of the seed and of the network's number in the batch.

    Parameters
    ----------
    seed : whole number in [0, 2**63)
    points : array (n,) of whole numbers
    """
    root = mixed(np.asarray([seed], dtype=np.uint64) + GOLDEN)
    return np.asarray(mixed(root ^ mixed((np.asarray(points, dtype=np.uint64) + np.uint64(1)) * GOLDEN)))


def uniform_phases(keys: NDArray[np.uint64], count: int) -> NDArray[np.float64]:
    """Array (n, count) of angles in [0, 2 pi), from the streams' own random numbers; the noise of a run uses others."""
    which = np.arange(count, dtype=np.uint64) + np.uint64(1 << 62)
    drawn = mixed(keys[:, None] + which * GOLDEN)
    return np.asarray((drawn >> np.uint64(11)).astype(float) * (2 * np.pi / 2**53))


def increments(keys: NDArray[np.uint64], step: int, oscillators: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The numbers in (-2**31, 2**31) that the compiled noise of step `step` uses: two arrays (n, oscillators)."""
    count = np.uint64(step * oscillators + 1) + np.arange(oscillators, dtype=np.uint64)
    drawn = np.asarray(mixed(keys[:, None] + count * GOLDEN))
    lower = (drawn & np.uint64(0xFFFFFFFF)).astype(np.uint32).view(np.int32)
    upper = (drawn >> np.uint64(32)).astype(np.uint32).view(np.int32)
    return np.asarray(lower + 0.5), np.asarray(upper + 0.5)
