"""Several trainings, each carried to several chips: what is said of all of them together.

Chips of one training share its weights, so they are not independent. From three trainings on an interval is over trainings; with
fewer it is over the chips of these trainings, holds for them alone, and its method says so.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import refuse
from holdfast.core.estimate import Estimate, bootstrap, cluster_bootstrap, mean_t, proportion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["mean_over_chips", "recovered_share", "share_of_chips"]

ENOUGH = 3  # trainings from which an interval says something about further ones


def _checked(runs: Sequence[ArrayLike], shape: str, axes: int) -> list[NDArray[np.float64]]:
    arrays = [np.asarray(run, dtype=float) for run in runs]
    if not arrays or any(run.ndim != axes or not len(run) for run in arrays):
        refuse("runs", f"has shapes {[run.shape for run in arrays]}", allowed=f"at least one training, each an array {shape}")
    return arrays


def mean_over_chips(runs: Sequence[ArrayLike]) -> Estimate:
    """Mean over trainings and their chips, with Student's t interval.

    Parameters
    ----------
    runs : for each training an array (chips,)

    Examples
    --------
    >>> mean_over_chips([[0.1, 0.2], [0.3, 0.4]]).method
    't over chips of these trainings'
    """
    arrays = _checked(runs, "(chips,)", 1)
    if len(arrays) >= ENOUGH:
        return replace(mean_t([run.mean() for run in arrays]), method="t over trainings")
    mean, count = float(np.concatenate(arrays).mean()), sum(map(len, arrays))
    freedom = count - len(arrays)
    half = math.inf
    if freedom:
        from scipy.special import stdtrit

        within = sum(float(((run - run.mean()) ** 2).sum()) for run in arrays)
        half = float(stdtrit(freedom, 0.975)) * math.sqrt(within / freedom / count)
    return Estimate(mean, mean - half, mean + half, count, "t over chips of these trainings")


def share_of_chips(runs: Sequence[ArrayLike]) -> Estimate:
    """Share of chips, with the Wilson interval over chips; from three trainings on no narrower than that of their shares.

    Parameters
    ----------
    runs : for each training a boolean array (chips,)
    """
    arrays = _checked(runs, "(chips,)", 1)
    chips = np.concatenate(arrays)
    share = proportion(int(chips.sum()), len(chips))
    if len(arrays) < ENOUGH:
        return replace(share, method="wilson over chips of these trainings")
    means = mean_over_chips(arrays)
    lo, hi = max(0.0, min(share.lo, means.lo)), min(1.0, max(share.hi, means.hi))
    return Estimate(share.value, lo, hi, len(arrays), "wilson, t over trainings")


def recovered_share(pairs: Sequence[ArrayLike]) -> Estimate | None:
    r"""Share of a loss that a repair wins back, :math:`1 - \bar\ell_\text{after} / \bar\ell_\text{before}`, by the bootstrap.

    Parameters
    ----------
    pairs : for each training an array (chips, 2): loss before and after the repair, on the same chips

    Returns
    -------
    Estimate, or None where nothing was lost for certain, so that nothing can be won back.
    """
    arrays = _checked(pairs, "(chips, 2)", 2)
    rows = np.concatenate(arrays)
    if rows[:, 0].min() <= 0 and not mean_t(rows[:, 0]).lo > 0:
        return None

    def share(sample: NDArray[np.float64]) -> float:
        return float(1 - sample[:, 1].mean() / sample[:, 0].mean())

    if len(arrays) >= ENOUGH:
        trainings = np.repeat(np.arange(len(arrays)), [*map(len, arrays)])
        return cluster_bootstrap(rows, trainings, share, method="bootstrap over trainings")
    centred = np.concatenate([run - run.mean(axis=0) for run in arrays]) + rows.mean(axis=0)
    return replace(bootstrap(centred, share), method="bootstrap over chips of these trainings")
