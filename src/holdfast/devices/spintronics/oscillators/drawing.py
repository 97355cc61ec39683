"""Who synchronises with whom, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import refuse
from holdfast.core.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

__all__ = ["partition_figure"]

PARTITIONS = ("none", "1 and 2", "1 and 3", "2 and 3", "all three")
COLOURS = ("#f2f2f2", "#56b4e9", "#e69f00", "#009e73", "#0072b2")


def partition_figure(partition: ArrayLike, across: ArrayLike, up: ArrayLike) -> Figure:
    """A map of the partitions of three oscillators over the currents of the first and the third.

    Parameters
    ----------
    partition : whole numbers (len(across), len(up)) from 0 to 4: none, 1 and 2, 1 and 3, 2 and 3, all three
    across, up : currents of oscillator 1 and of oscillator 3 over their thresholds, rising

    Examples
    --------
    >>> partition_figure([[0, 1], [2, 4]], [1.4, 2.6], [1.4, 2.6]).axes[0].get_xlabel()
    'current of oscillator 1 over threshold'
    """
    from matplotlib.colors import ListedColormap

    shown, x, y = np.asarray(partition), np.asarray(across, dtype=float), np.asarray(up, dtype=float)
    if shown.shape != (len(x), len(y)) or not np.isin(shown, range(len(PARTITIONS))).all():
        refuse("partition", f"has shape {shown.shape}", allowed=f"numbers from 0 to 4 of shape ({len(x)}, {len(y)})")
    figure, [axes] = new_figure(size=(4.6, 3.8))
    image = axes.pcolormesh(x, y, shown.T, cmap=ListedColormap(COLOURS), vmin=-0.5, vmax=4.5, shading="nearest")
    axes.set(aspect="equal", xlabel="current of oscillator 1 over threshold", ylabel="current of oscillator 3 over its threshold")
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, ticks=range(len(PARTITIONS))).ax.set_yticklabels(PARTITIONS)
    return figure
