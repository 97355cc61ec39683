"""Protocols side by side: how a posterior fares beside a baseline network on the same examples, under each way to attack it.

Both are given as measurements of :func:`~holdfast.bayes.named_protocol`, whose arrays are those of a
:class:`~holdfast.bayes.ProtocolResult`.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.curve import Curve
from holdfast.core.estimate import Estimate, exact, extreme, mean_t, paired_difference, share_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from holdfast.core.runs import Runs

    Arrays = Mapping[str, NDArray[Any]]

__all__ = ["PREDICTIVE", "compared_protocols", "protocol_curves"]

PREDICTIVE = ("predictive_nll", "mean_logits")
"""Losses of the prediction that the best PGD may climb."""
GAINS = {"fgsm": ("expected", "fgsm"), "adaptive": ("adaptive", "worst")}  # protocol and attack
LINES = {"FGSM": ("expected", "fgsm"), "code PGD": ("code", "pgd"), "adaptive": ("adaptive", "worst")}
KINDS = {"accuracy": "accuracy", "softmax": "softmax robustness"}


def compared_protocols(mine: Mapping[str, Arrays], base: Mapping[str, Arrays]) -> dict[str, Estimate]:
    """Gains over a baseline network under attacks of one size, and what the best attacks leave.

    Parameters
    ----------
    mine, base : name of the protocol -> its arrays, on the same examples; protocols that `mine` lacks are left out

    Returns
    -------
    By name: ``fgsm_gain`` and ``fgsm_softmax_gain``, of accuracy and of softmax robustness under FGSM along the expected gradient;
    ``adaptive_gain`` and ``adaptive_softmax_gain`` under the worst attack of the adaptive protocol; ``best_pgd``, the accuracy that
    the better PGD on the prediction leaves; ``expected_excess``, how much more PGD on the expected loss leaves; ``left``, the share
    of examples that withstand all of these but the last. Differences are paired by example.

    Examples
    --------
    >>> weak, strong = {"pgd.right": np.array([True, True])}, {"pgd.right": np.array([True, False])}
    >>> found = compared_protocols({"predictive_nll": weak, "mean_logits": strong, "expected": weak}, {})
    >>> found["best_pgd"].value, found["expected_excess"].value
    (0.5, 0.5)
    """
    found: dict[str, Estimate] = {}
    for name, (protocol, attack) in GAINS.items():
        if protocol in mine and protocol in base:
            before, after = base[protocol], mine[protocol]
            found[f"{name}_gain"] = paired_difference(before[f"{attack}.right"], after[f"{attack}.right"])
            found[f"{name}_softmax_gain"] = mean_t(after[f"{attack}.softmax"] - before[f"{attack}.softmax"])
    climbs = [mine[loss]["pgd.right"] for loss in PREDICTIVE if loss in mine]
    if not climbs:
        return found
    found["best_pgd"] = extreme([share_of(right, level=1 - 0.05 / len(climbs)) for right in climbs], "least")
    if "expected" in mine:
        found["expected_excess"] = paired_difference(min(climbs, key=np.sum), mine["expected"]["pgd.right"])
    worst = [mine["adaptive"]["worst.right"]] if "adaptive" in mine else []
    return found | {"left": share_of(np.logical_and.reduce([*climbs, *worst]))}


def protocol_curves(mine: Runs, base: Runs, *, name: str) -> Iterator[Curve]:
    """Accuracy and softmax robustness against eps under three protocols: a chart each, with the baseline network beside.

    Parameters
    ----------
    mine, base : points with ``protocol`` and ``eps`` of one posterior and of the baseline network
    name : of the posterior and its data, for the charts' titles
    """
    for (key, quantity), (runs, after), (line, (protocol, attack)) in product(
        KINDS.items(), ((mine, ""), (base, ", one network")), LINES.items()
    ):
        chosen = runs.where(protocol=protocol)
        dots = {float(point["eps"]): found.estimates[f"{attack}.{key}"] for point, found in chosen}
        start = [exact(1.0)] if key == "softmax" else chosen.estimates("clean.accuracy")[:1]
        dots = dict(sorted((dict.fromkeys([0.0], *start) | dots).items())) if start else dots
        if len(dots) > 1:
            chart = f"{quantity.capitalize()} under attack: {name}"
            words: dict[str, Any] = {"axis": "eps", "quantity": quantity, "chart": chart}
            yield Curve(name=f"{line}{after}", at=tuple(dots), estimates=tuple(dots.values()), **words)
