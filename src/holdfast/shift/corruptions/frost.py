"""Ice on the window, drawn from crystals that branch at 60 degrees, or cut out of photographs.

The benchmark lays six photographs of frost over its images. They belong to others, so the default is a procedural pane whose
brightness, contrast and tint follow theirs; accuracies under it must not be compared with published ones.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from holdfast.core.checks import refuse
from holdfast.shift.corruptions.fields import plasma_fields
from holdfast.shift.corruptions.luminance import luminance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

__all__ = ["frost", "frost_crops", "frost_panes", "read_photographs"]

# measured on crops of the six photographs that imagecorruptions-imaug 1.1.5 ships
BRIGHTNESS = (0.36, 0.80)  # smallest and largest mean luminance
CONTRAST = (0.05, 0.15)  # standard deviation: 0.10 on average at 224 px
RELIEF = 0.4  # share of the variance in structures below about 3 px
TINT = np.array([0.89, 1.035, 1.11], dtype=np.float32)  # mean red, green and blue over mean luminance
STEM = 70  # px, longest stem of a crystal at grain 1
ALONG = np.linspace(0.15, 0.9, 7)  # where on the stem the branches grow
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")


def frost(
    x: NDArray,
    *,
    keep: float,
    cover: float,
    grain: float,
    generators: Sequence[Generator],
    photographs: Path | None = None,
) -> NDArray:
    """Images (n, c, h, w) seen through frost: ``keep x + cover f``.

    Parameters
    ----------
    x : array (n, c, h, w), c = 1 or 3; a grey image gets the frost's brightness
    keep, cover : weights of image and frost
    grain : size of the frost's structures; 1 for images of 224 px, 0.2 for 32 px
    generators : one per image
    photographs : folder of photographs to cut the frost from; None draws it
    """
    shape = x.shape[-2:]
    if photographs is None:
        panes = frost_panes(generators, shape, grain=grain)
    else:
        panes = frost_crops(generators, shape, grain=grain, photographs=read_photographs(photographs))
    return np.float32(keep) * x + np.float32(cover) * (panes if x.shape[1] == 3 else luminance(panes))


def frost_panes(generators: Sequence[Generator], shape: tuple[int, int], *, grain: float) -> NDArray[np.float32]:
    """Procedural frost, array (n, 3, h, w): the relief of branching crystals on a cloud of rime."""
    rime = plasma_fields(generators, shape, decay=2)
    panes = []
    for cloud, generator in zip(rime, generators, strict=True):
        crystals = _crystals(generator, shape, grain=grain)
        relief = crystals - cv2.GaussianBlur(crystals, (0, 0), 1 + 3 * grain)
        pane = math.sqrt(1 - RELIEF) * _standardised(cloud) + math.sqrt(RELIEF) * _standardised(relief)
        panes.append(np.clip(generator.uniform(*BRIGHTNESS) + generator.uniform(*CONTRAST) * pane, 0, 0.9))
    return (np.stack(panes)[:, None] * TINT[:, None, None]).astype(np.float32)


def _standardised(field: NDArray) -> NDArray:
    """`field` with mean 0 and standard deviation 1; zeros if it is constant."""
    centred = field - field.mean()
    deviation = float(centred.std())
    return centred / deviation if deviation > 0 else centred


def _crystals(generator: Generator, shape: tuple[int, int], *, grain: float) -> NDArray:
    """Snow crystals (h, w), drawn at grain 1 and shrunk: stems from random roots, with branches on both sides at 60 degrees."""
    height, width = (math.ceil(side / grain) for side in shape)
    count = 2 + 8 * height * width // STEM**2
    roots = generator.uniform(0, (width, height), size=(count, 1, 2))
    heading = generator.uniform(0, 2 * np.pi, size=(count, 1))
    length = generator.uniform(0.3, 1, size=(count, 1)) * STEM
    knots = roots + (length * ALONG)[..., None] * _direction(heading)
    starts = np.concatenate([roots, knots, knots], axis=1)
    turns = np.repeat([0, np.pi / 3, -np.pi / 3], [1, len(ALONG), len(ALONG)])
    reach = length * np.concatenate([[1], 0.45 * (1 - ALONG), 0.45 * (1 - ALONG)])
    ends = starts + reach[..., None] * _direction(heading + turns)
    segments = np.round(np.stack([starts, ends], axis=2).reshape(-1, 2, 2) * 16).astype(np.int32)
    drawn = np.zeros((height, width), dtype=np.uint8)
    cv2.polylines(drawn, list(segments), isClosed=False, color=255, thickness=1, lineType=cv2.LINE_AA, shift=4)
    return cv2.resize(drawn, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)


def _direction(angle: NDArray) -> NDArray:
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


@lru_cache(maxsize=2)
def read_photographs(folder: Path) -> tuple[NDArray[np.float32], ...]:
    """The photographs in `folder`, arrays (h, w, 3) RGB in [0, 1], in the order of their names."""
    paths = sorted(path for path in Path(folder).glob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        refuse("photographs", f"is {str(folder)!r}, which holds no image", allowed=f"a folder with files {', '.join(SUFFIXES)}")
    images = {path.name: cv2.imread(str(path), cv2.IMREAD_COLOR) for path in paths}
    broken = [name for name, image in images.items() if image is None]
    if broken:
        refuse("photographs", f"holds files that are not images: {', '.join(broken)}", allowed="readable images")
    readable = (image[..., ::-1] for image in images.values() if image is not None)
    return tuple(image.astype(np.float32) / np.float32(255) for image in readable)


def frost_crops(
    generators: Sequence[Generator], shape: tuple[int, int], *, grain: float, photographs: Sequence[NDArray]
) -> NDArray[np.float32]:
    """Random crops (n, 3, h, w) of randomly chosen `photographs`, shrunk by `grain` but never below the size of a crop."""
    height, width = shape
    crops = []
    for generator in generators:
        photograph = photographs[int(generator.integers(len(photographs)))]
        scale = max(grain, (height + 1) / photograph.shape[0], (width + 1) / photograph.shape[1])
        size = (round(photograph.shape[1] * scale), round(photograph.shape[0] * scale))
        scaled = cv2.resize(photograph, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        top, left = (int(generator.integers(room + 1)) for room in (scaled.shape[0] - height, scaled.shape[1] - width))
        crops.append(scaled[top : top + height, left : left + width].transpose(2, 0, 1))
    return np.clip(np.stack(crops), 0, 1)
