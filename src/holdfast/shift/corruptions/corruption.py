"""One door to the 19 corruptions: checks, random streams, chunks, 8-bit rounding.

Noise of image i is drawn from a counter-based generator whose key comes from the seed and the corruption's name, and whose counter
is i. So it depends neither on how a set is cut into batches nor on the severity: the severities of one image are paired.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import torch

from holdfast.core.checks import check_finite, check_one_of, check_whole, refuse
from holdfast.core.seeds import Seeds
from holdfast.shift.corruptions.catalogue import DETERMINISTIC, RANDOM
from holdfast.shift.corruptions.kernels import finish
from holdfast.shift.corruptions.severities import CORRUPTIONS, Table, choose_table, severity_parameters

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.random import Generator
    from numpy.typing import NDArray

__all__ = ["Compat", "Corruption", "applicable", "corrupt"]

Compat = Literal["holdfast", "imagenet-c"]
Images = TypeVar("Images", "NDArray", torch.Tensor)

CHUNK = 2**18  # values worked on at once: 1 MB, so that the passes over a chunk meet in the cache


def applicable(name: str, channels: int) -> bool:
    """True if corruption `name` changes images with that number of channels; grey images have no saturation.

    Examples
    --------
    >>> [name for name in CORRUPTIONS if not applicable(name, 1)]
    ['saturate']
    """
    check_one_of(name, "name", allowed=CORRUPTIONS)
    return channels == 3 or (channels == 1 and name != "saturate")


@dataclass(frozen=True, kw_only=True)
class Corruption:
    """One corruption of the ImageNet-C family at one severity, for batches of any size.

    Parameters
    ----------
    name : one of :data:`CORRUPTIONS`
    severity : 1 (mild) to 5
    table : constants for 224 px (``"imagenet"``) or 32 px (``"cifar"``); ``"auto"`` takes the latter up to 64 px
    compat : ``"imagenet-c"`` repeats two habits of the published programs: glass_blur copies pixels instead of swapping them, and
        the result is cut off to 8 bits instead of rounded
    quantise : give values that an 8-bit file can hold, as the published sets do
    photographs : folder of photographs for frost; None draws the frost

    Examples
    --------
    >>> fog = Corruption(name="fog", severity=3)
    >>> x = np.full((2, 3, 32, 32), 0.5, dtype=np.float32)
    >>> bool((fog(x, seed=1)[1:] == fog(x[1:], seed=1, first_index=1)).all())
    True
    """

    name: str
    severity: int
    table: Table = "auto"
    compat: Compat = "holdfast"
    quantise: bool = True
    photographs: Path | None = None

    def __post_init__(self) -> None:
        check_one_of(self.name, "name", allowed=CORRUPTIONS)
        check_whole(self.severity, "severity", low=1, high=5)
        check_one_of(self.table, "table", allowed=("auto", "imagenet", "cifar"))
        check_one_of(self.compat, "compat", allowed=("holdfast", "imagenet-c"))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know before comparing with published numbers."""
        if self.name == "frost":
            return (f'frost="{"photographs" if self.photographs else "procedural"}"',)
        return ('glass_blur="swap"',) if self.name == "glass_blur" and self.compat == "holdfast" else ()

    def __call__(self, x: Images, *, seed: int = 0, first_index: int = 0) -> Images:
        """The corrupted images, of the shape, dtype and kind of `x` (n, c, h, w), c = 1 or 3, in [0, 1]; `x` stays as it is.

        Image k of the batch gets the noise of index ``first_index + k`` under `seed`. Tensors are worked on by the CPU and
        return to their device; no gradient flows.
        """
        if isinstance(x, torch.Tensor):
            _check_floats(x.dtype, floating=x.is_floating_point())
            corrupted = self(x.detach().cpu().float().numpy(), seed=seed, first_index=first_index)
            return torch.from_numpy(corrupted).to(x)
        _check_images(x)
        check_whole(first_index, "first_index")
        images = np.ascontiguousarray(x, dtype=np.float32)
        constants = severity_parameters(self.name, self.severity, choose_table(x.shape[2], x.shape[3], self.table))
        key = _stream_key(seed, self.name)
        corrupted = np.empty_like(images)
        size = max(1, CHUNK // images[0].size)
        for start in range(0, len(images), size):
            chunk = images[start : start + size]
            rows = range(first_index + start, first_index + start + len(chunk))
            generators = [_stream(key, row) for row in rows] if self.name in RANDOM else []
            self._finish(self._applied(chunk, constants, generators), corrupted[start : start + size])
        return corrupted.astype(x.dtype, copy=False)

    def _applied(self, x: NDArray, constants: dict[str, Any], generators: Sequence[Generator]) -> NDArray:
        if self.name in DETERMINISTIC:
            return DETERMINISTIC[self.name](x, **constants)
        if self.name == "glass_blur":
            constants = constants | {"overwrite": self.compat == "imagenet-c"}
        if self.name == "frost":
            constants = constants | {"photographs": self.photographs}
        return RANDOM[self.name](x, **constants, generators=generators)

    def _finish(self, values: NDArray, target: NDArray) -> None:
        """Write `values` to `target`, clipped to [0, 1] and, if asked for, brought to 8 bits."""
        if values.dtype == np.uint8:
            np.divide(values, np.float32(255), out=target)
            return
        cut = self.compat == "imagenet-c" and self.name != "pixelate"  # Pillow, which made the published pixels, rounds
        offset = 1e-3 if cut else 0.5  # in levels; a thousandth forgives float32 its rounding
        finish(np.ascontiguousarray(values, dtype=np.float32).ravel(), 255 * self.quantise, offset, target.ravel())


def corrupt(
    x: Images,
    name: str,
    severity: int,
    *,
    seed: int = 0,
    first_index: int = 0,
    table: Table = "auto",
    compat: Compat = "holdfast",
    quantise: bool = True,
) -> Images:
    """Images under one of the 19 corruptions at a severity from 1 to 5; see :class:`Corruption` for the arguments.

    Examples
    --------
    >>> x = torch.full((1, 1, 28, 28), 0.5)
    >>> corrupt(x, "brightness", 5).unique()
    tensor([0.8000])
    """
    corruption = Corruption(name=name, severity=severity, table=table, compat=compat, quantise=quantise)
    return corruption(x, seed=seed, first_index=first_index)


@lru_cache(maxsize=64)
def _stream_key(seed: int, name: str) -> NDArray:
    return Seeds(seed).sequence("corruption", name).generate_state(2, np.uint64)


def _stream(key: NDArray, index: int) -> Generator:
    return np.random.Generator(np.random.Philox(key=key, counter=index << 192))


def _check_images(x: NDArray) -> None:
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        refuse("x", f"has shape {x.shape}", allowed="images (n, channels, height, width) with 1 or 3 channels")
    if x.size == 0:
        refuse("x", f"is empty (shape {x.shape})", allowed="at least one image with at least one pixel")
    _check_floats(x.dtype, floating=x.dtype.kind == "f")
    low, high = float(x.min()), float(x.max())
    if not math.isfinite(low + high):
        check_finite(x, "x")
    if low < -1e-5 or high > 1 + 1e-5:
        remedy = "Divide by 255." if high > 1.5 and low >= 0 else "Pass images before their normalisation."
        refuse("x", f"has values in [{low:.3g}, {high:.3g}]", allowed="floats in [0, 1]", remedy=remedy)


def _check_floats(dtype: object, *, floating: bool) -> None:
    if not floating:
        refuse("x", f"has dtype {dtype}", allowed="floats in [0, 1]", remedy="Divide 8-bit images by 255.")
