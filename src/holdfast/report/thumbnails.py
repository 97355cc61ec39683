"""Small PNG pictures of examples, base64, so that the page carries them itself."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import refuse
from holdfast.report.examples import Panel

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["MAX_SIDE", "panels", "thumbnail"]

MAX_SIDE = 64  # px


def thumbnail(image: ArrayLike) -> str:
    """The PNG of an image, base64; larger ones are reduced to at most 64 px side.

    Parameters
    ----------
    image : array (C, H, W) with C in {1, 3}, or (H, W), in [0, 1]; values outside are cut
    """
    from PIL import Image

    pixels = np.asarray(image, dtype=float)
    pixels = pixels[None] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3 or pixels.shape[0] not in {1, 3}:
        refuse("image", f"has shape {np.shape(image)}", allowed="(1, H, W), (3, H, W) or (H, W)")
    levels = (np.nan_to_num(pixels).clip(0, 1) * 255).round().astype(np.uint8)
    picture = Image.fromarray(levels[0] if len(levels) == 1 else np.moveaxis(levels, 0, -1))
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def panels(clean: ArrayLike, stressed: ArrayLike, *, gain: float = 10.0) -> list[Panel]:
    """Three thumbnails: clean, stressed, and `gain` times their difference about mid-grey (cut to [0, 1]).

    Parameters
    ----------
    clean, stressed : arrays (C, H, W) in [0, 1]
    gain : factor on the difference
    """
    before, after = np.asarray(clean, dtype=float), np.asarray(stressed, dtype=float)
    return [
        Panel(caption="clean", png=thumbnail(before)),
        Panel(caption="stressed", png=thumbnail(after)),
        Panel(caption=f"{gain:g}× difference", png=thumbnail(0.5 + gain * (after - before))),
    ]
