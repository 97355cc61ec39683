"""On which clean images an attack transfers: its success against the answers of both networks to the clean image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from holdfast.attacks.transfer.adapter import Adapted
from holdfast.core.checks import check_same_length, check_whole
from holdfast.core.estimate import proportion, spearman
from holdfast.nets import predict

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from holdfast.attacks.transfer.adapter import Adapter
    from holdfast.attacks.transfer.correspondence import Proxies
    from holdfast.core.estimate import Estimate

__all__ = ["Sensitivity", "clean_signals", "sensitivity"]


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """How success depends on a number that each clean image has.

    Parameters
    ----------
    correlation : Spearman's, of success with the signal; NaN where one of them never varies
    bins : success in groups of equal size, from the smallest signals to the largest
    edges : array (bins + 1,), the signals between the groups
    """

    correlation: Estimate
    bins: tuple[Estimate, ...]
    edges: NDArray[np.float64]


def clean_signals(
    victim: Any, model: Any, x: torch.Tensor, proxies: Proxies, *, adapter: Adapter | None = None
) -> dict[str, NDArray[np.float64]]:
    """Answers of victim and white box to the clean images `x` (N, ...): arrays (N,).

    ``confidence``     the victim's largest probability
    ``margin``         its largest logit minus the second
    ``proxy``          the white box's probability of the (heaviest) proxy
    ``entropy``        the white box's Shannon entropy in nat

    Parameters
    ----------
    victim : with scores
    model : white box
    proxies : of each image
    adapter : from `x` to what the white box takes

    Examples
    --------
    >>> from holdfast.attacks.transfer import Proxies
    >>> found = clean_signals(lambda x: x, lambda x: 0 * x, torch.eye(2), Proxies.single(torch.tensor([1, 0])))
    >>> found["margin"].tolist(), found["proxy"].tolist()
    ([1.0, 1.0], [0.5, 0.5])
    """
    check_same_length(x, proxies.classes, ("x", "proxies"))
    theirs = predict(victim, x).double()
    mine = predict(Adapted(model, adapter), x).double().softmax(1)
    first, second = theirs.topk(2, dim=1).values.unbind(1)
    found = {
        "confidence": theirs.softmax(1).amax(1),
        "margin": first - second,
        "proxy": mine.gather(1, proxies.classes[:, :1]).squeeze(1),
        "entropy": torch.special.entr(mine).sum(1),
    }
    return {name: signal.cpu().numpy() for name, signal in found.items()}


def sensitivity(success: ArrayLike, signal: ArrayLike, *, bins: int = 5) -> Sensitivity:
    """Success (N,) against a signal (N,) of the clean images: rank correlation, and rates in groups of equal size.

    Examples
    --------
    >>> found = sensitivity([True] * 10 + [False] * 10, range(20), bins=2)
    >>> [group.value for group in found.bins], found.correlation.value < -0.8
    ([1.0, 0.0], True)
    """
    hit, at = np.asarray(success, dtype=bool), np.asarray(signal, dtype=float)
    check_same_length(hit, at, ("success", "signal"))
    parts = np.array_split(np.argsort(at, kind="stable"), check_whole(bins, "bins", low=1, high=len(at)))
    return Sensitivity(
        correlation=spearman(at, hit),
        bins=tuple(proportion(int(hit[part].sum()), len(part)) for part in parts),
        edges=np.array([*(at[part[0]] for part in parts), at[parts[-1][-1]]]),
    )
