"""Deterministic corruptions beside an independent package: imagecorruptions-imaug, on 8-bit pictures, level by level."""

import importlib.metadata

import numpy as np
import pytest

from holdfast.shift import corrupt

try:
    import imagecorruptions
except ImportError:
    imagecorruptions = None

pytestmark = pytest.mark.skipif(
    imagecorruptions is None or "imagecorruptions-imaug" not in {d.name for d in importlib.metadata.distributions()},
    reason='imagecorruptions-imaug is not installed: pip install "holdfast[bench]"',
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "name",
    [
        "contrast",
        "brightness",
        "pixelate",
        "jpeg_compression",
        "saturate",
        "gaussian_blur",
        "defocus_blur",
        "zoom_blur",
    ],
)
def test_published_behaviour_to_one_level(picture, name, severity):
    # version 1.1.5; it computes in double precision, we in single, so a value on the edge of a level may fall to either side;
    # pixelate: Pillow rounds to 8 bits after each of its two passes; saturate: doubled differences are whole levels, which the
    # peer's rounding errors push over the edge
    pixels = np.round(picture[0] * 255).astype(np.uint8).transpose(1, 2, 0)
    expected = imagecorruptions.corrupt(pixels, severity, name).astype(int)
    ours = np.round(corrupt(picture, name, severity, compat="imagenet-c")[0] * 255).astype(int).transpose(1, 2, 0)
    difference = np.abs(ours - expected)
    assert difference.max() <= (2 if name == "jpeg_compression" else 1)
    assert difference.mean() < {"pixelate": 0.4, "saturate": 0.25}.get(name, 0.1)
