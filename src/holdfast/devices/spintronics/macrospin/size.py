r"""Whether one moment can stand for a layer: its width in exchange lengths.

Exchange holds neighbouring moments parallel over an exchange length. A layer that is a few of them wide turns as one; in a wider
one the magnetisation can vary from place to place (vortices, spin waves, domain walls), which a macrospin leaves out.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import check_quantity
from holdfast.core.errors import MacrospinWarning
from holdfast.devices.spintronics.constants import MU0
from holdfast.devices.spintronics.macrospin.layer import AntiferromagnetDevice, MacrospinDevice
from holdfast.devices.spintronics.macrospin.stack import numbers_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["WIDEST", "exchange_lengths", "warn_of_width"]

WIDEST = 4.0  # exchange lengths
TOO_WIDE = (
    f"One moment stands for a layer wider than {WIDEST:g} exchange lengths (exchange_lengths(layer) gives its width), where the "
    "magnetisation can vary from place to place. Take a smaller `area`, check the result with a micromagnetic simulation, or "
    "filter holdfast.core.errors.MacrospinWarning if the layer is known to turn as one."
)
warnings.filterwarnings("once", category=MacrospinWarning, append=True)  # the user's own filters go before


def exchange_lengths(layer: MacrospinDevice, *, stiffness: ArrayLike = 1.5e-11) -> NDArray[np.floating]:
    r"""Width of the layer in exchange lengths :math:`\sqrt{2 A / \mu_0 M_s^2}`; beyond :data:`WIDEST` one moment is doubtful.

    Parameters
    ----------
    layer : one or an ensemble, whose width is taken as the diameter of a disc of its area
    stiffness : array, exchange stiffness `A` in J/m, about 1.5e-11 in CoFeB

    Examples
    --------
    >>> from holdfast.devices.spintronics import MacrospinDevice
    >>> layer = MacrospinDevice(ms=1e6, thickness=2e-9, area=7.85e-15, alpha=0.01)
    >>> round(float(exchange_lengths(layer)))  # 100 nm across: it can hold more than one moment does
    20
    """
    energy = 2 * np.asarray(check_quantity(stiffness, "stiffness", unit="J/m", low=0, low_open=True))
    return np.asarray(np.sqrt(4 * numbers_of(layer.area) / np.pi) / np.sqrt(energy / (MU0 * numbers_of(layer.ms) ** 2)))


def warn_of_width(layer: MacrospinDevice) -> None:
    """Warn, once per process, of a layer that is too wide for one moment; the warning points to the caller outside of holdfast.

    An antiferromagnet is left out: it has no stray field that could break it up.

    Parameters
    ----------
    layer : one or an ensemble

    Warns
    -----
    MacrospinWarning : a layer wider than 4 exchange lengths
    """
    if isinstance(layer, AntiferromagnetDevice) or not np.any(exchange_lengths(layer) > WIDEST):
        return
    frame, depth = sys._getframe(), 1  # noqa: SLF001 (Python 3.12 has `skip_file_prefixes`)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("holdfast."):
        frame, depth = frame.f_back, depth + 1
    warnings.warn(TOO_WIDE, MacrospinWarning, stacklevel=depth)
