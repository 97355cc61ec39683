"""What lies between camera and scene: fog, snow and spatter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from holdfast.shift.corruptions.blur import gaussian_blur, smeared, zoomed
from holdfast.shift.corruptions.fields import normal_fields, plasma_fields
from holdfast.shift.corruptions.luminance import LUMA, luminance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

__all__ = ["fog", "snow", "spatter"]

WATER = np.array([175, 238, 238], dtype=np.float32) / 255  # pale turquoise
MUD = np.array([63, 42, 20], dtype=np.float32) / 255


def fog(x: NDArray, *, strength: float, decay: float, generators: Sequence[Generator]) -> NDArray:
    """A plasma cloud of height `strength` is added, and the image scaled back so that its brightest value stays where it was."""
    brightest = x.max(axis=(1, 2, 3), keepdims=True)
    cloud = plasma_fields(generators, x.shape[-2:], decay=decay)
    return (x + strength * cloud[:, None]) * (brightest / (brightest + strength))


def snow(
    x: NDArray,
    *,
    mean: float,
    deviation: float,
    zoom: float,
    threshold: float,
    smear: tuple[int, float],
    keep: float,
    generators: Sequence[Generator],
) -> NDArray:
    """Falling flakes: enlarged noise above a threshold, smeared along the fall, over an image that the snow light has whitened.

    Parameters
    ----------
    x : array (n, c, h, w)
    mean, deviation : of the normal noise that flakes are cut from
    zoom : enlargement of a flake, >= 1
    threshold : noise below it makes no flake
    smear : radius and sigma of the flakes' smear, in px
    keep : share of the image's own colours, the rest is whitened
    generators : one per image
    """
    flakes = zoomed(mean + deviation * normal_fields(generators, x.shape[-2:]), [zoom])
    flakes = np.where(flakes < threshold, np.float32(0), np.minimum(flakes, 1))
    radius, sigma = smear
    angles = [generator.uniform(-135, -45) for generator in generators]
    layers = [smeared(flake[None], radius=radius, sigma=sigma, angle=angle) for flake, angle in zip(flakes, angles, strict=True)]
    layer = np.floor(np.stack(layers) * 255 + 0.5) / np.float32(255)
    whitened = np.maximum(x, luminance(x) * np.float32(1.5) + np.float32(0.5))
    return np.float32(keep) * x + np.float32(1 - keep) * whitened + layer + layer[..., ::-1, ::-1]


def spatter(
    x: NDArray,
    *,
    mean: float,
    deviation: float,
    sigma: float,
    threshold: float,
    strength: float,
    muddy: bool,
    generators: Sequence[Generator],
) -> NDArray:
    """Drops on the lens: blurred noise above a threshold; water adds light at the drops' rims, mud covers the scene.

    Parameters
    ----------
    x : array (n, c, h, w)
    mean, deviation : of the normal noise
    sigma : of its blur, in px
    threshold : noise below it makes no drop
    strength : brightness of the water's glints; for mud the blur of the stains, in px
    muddy : mud instead of water
    generators : one per image
    """
    liquid = gaussian_blur(np.float32(mean) + np.float32(deviation) * normal_fields(generators, x.shape[-2:]), sigma=sigma)
    tint = (MUD if muddy else WATER)[:, None, None]
    colour = tint if x.shape[1] == 3 else np.tensordot(LUMA, tint, 1)[None]
    if muddy:
        stains = gaussian_blur((liquid > threshold).astype(np.float32), sigma=strength)
        stains = np.where(stains < 0.8, np.float32(0), stains)[:, None]
        return x * (1 - stains) + stains * colour
    liquid[liquid < threshold] = 0
    glints = np.stack([_glints(plane) for plane in liquid])
    return x + np.float32(strength) * glints[:, None] * colour


def _glints(liquid: NDArray) -> NDArray:
    """Light at the rims of drops (h, w), scaled to a largest value of 1; zero if there is no drop."""
    drops = (np.clip(liquid, 0, 1) * 255).astype(np.uint8)
    distance = cv2.distanceTransform(255 - cv2.Canny(drops, 50, 150), cv2.DIST_L2, 5)
    rims = cv2.equalizeHist(cv2.blur(np.minimum(distance, 20), (3, 3)).astype(np.uint8))
    relief = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], dtype=np.float32)
    light = cv2.blur(cv2.filter2D(rims, cv2.CV_8U, relief), (3, 3)) * drops.astype(np.float32)
    brightest = light.max()
    return light / brightest if brightest > 0 else light
