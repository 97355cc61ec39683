"""Which function makes which corruption; the random ones also take one generator per image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.shift.corruptions import blur, digital, noise, weather
from holdfast.shift.corruptions.frost import frost

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["DETERMINISTIC", "RANDOM"]

RANDOM: dict[str, Callable[..., NDArray]] = {
    "gaussian_noise": noise.gaussian_noise,
    "shot_noise": noise.shot_noise,
    "impulse_noise": noise.impulse_noise,
    "speckle_noise": noise.speckle_noise,
    "glass_blur": blur.glass_blur,
    "motion_blur": blur.motion_blur,
    "snow": weather.snow,
    "frost": frost,
    "fog": weather.fog,
    "spatter": weather.spatter,
    "elastic_transform": digital.elastic_transform,
}
DETERMINISTIC: dict[str, Callable[..., NDArray]] = {
    "defocus_blur": blur.defocus_blur,
    "zoom_blur": blur.zoom_blur,
    "gaussian_blur": blur.gaussian_blur,
    "brightness": digital.brightness,
    "contrast": digital.contrast,
    "pixelate": digital.pixelate,
    "jpeg_compression": digital.jpeg_compression,
    "saturate": digital.saturate,
}
