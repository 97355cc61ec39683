"""What a report says of measured posteriors: quantities with their doubts, curves of cancellation, who attacked whom.

The functions read measurements whose details hold :attr:`Posterior.facts <holdfast.bayes.Posterior.facts>`, and under attack also
:attr:`ProtocolResult.facts <holdfast.bayes.ProtocolResult.facts>`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from holdfast.core.curve import Curve
from holdfast.core.estimate import exact
from holdfast.core.experiment import Quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from holdfast.core.estimate import Estimate
    from holdfast.core.experiment import Measurement
    from holdfast.core.runs import Runs

__all__ = ["cancellation_curves", "posterior_quantities", "protocol_notes", "sample_notes"]

BLIND = 0.01  # share of inputs without a gradient from which it is told


def posterior_quantities(name: str, estimate: Estimate, at: Mapping[str, Any], *behind: Measurement) -> Iterator[Quantity]:
    """A quantity of a posterior; it decides nothing where the chains that it comes from disagree.

    There its interval has no ends and its method says why, and a second quantity, with ``drawn="yes"`` in its point, holds the
    estimate of the samples as they were drawn, whatever they stand for.

    Parameters
    ----------
    name, estimate, at : of the quantity, see :class:`~holdfast.core.experiment.Quantity`
    behind : measurements that it comes from

    Examples
    --------
    >>> from holdfast.core.estimate import proportion
    >>> from holdfast.core.experiment import Measurement
    >>> found = Measurement(estimates={}, details={"warnings": ["R-hat of the logits is 3.45 > 1.1"]})
    >>> [str(row.metric) for row in posterior_quantities("accuracy", proportion(9, 10), {"model": "hmc"}, found)]
    ['accuracy[model=hmc, drawn=yes]', 'accuracy[model=hmc]']
    """
    doubts = "; ".join(text for found in behind for text in found.details.get("warnings", ()))
    if doubts:
        yield Quantity(name, estimate, {**at, "drawn": "yes"})
        estimate = replace(estimate, lo=-math.inf, hi=math.inf, method=f"unconverged: {doubts}")
    yield Quantity(name, estimate, dict(at))


def sample_notes(runs: Runs) -> Iterator[str]:
    """For each point: what drew its samples, how many in how many chains, and what speaks against them."""
    for point, found in runs:
        about, count = found.details, found.details["samples"]
        warnings = about.get("warnings")
        chains = "" if warnings is None else f" of {about['chains']} chains: {'; '.join(warnings) or 'no warning'}"
        yield f"{_place(point)}: {about['method']}, {count} sample{'s' * (count > 1)} in all{chains}."


def protocol_notes(runs: Runs) -> Iterator[str]:
    """For each point: how many samples attacked and defended, and where an attack along one gradient had none to follow."""
    for point, found in runs:
        words = "{attack_samples} attacking against {defence_samples} defending samples ({overlap})".format(**found.details)
        blind = found.estimates["zero_gradients"]
        tail = f"; the gradient at {blind} of the inputs is exactly zero" if blind.value > BLIND else ""
        yield f"{_place(point)}: {words}{tail}."


def cancellation_curves(lines: Mapping[str, Measurement], stem: str, sizes: Sequence[int], *, chart: str) -> Iterator[Curve]:
    r"""Cancellation ratios against the number of samples, and :math:`n^{-1/2}`, the law of independent random directions.

    Parameters
    ----------
    lines : name of the line -> measurement with the estimates of a :class:`~holdfast.bayes.CancellationTable`
    stem : what stands before the number in their names, e.g. ``"r"``
    sizes : numbers of samples, increasing; lines with fewer than two of them are left out
    chart : its title
    """
    words: dict[str, Any] = {"axis": "samples", "quantity": "length of the mean gradient over mean length", "chart": chart}
    ratios = {name: {n: found.estimates.get(f"{stem}{n}") for n in sizes} for name, found in lines.items()}
    for name, dots in (ratios | {"n^-1/2": {n: exact(n**-0.5) for n in sizes}}).items():
        known = {float(n): estimate for n, estimate in dots.items() if estimate is not None}
        if len(known) > 1:
            yield Curve(name=name, at=tuple(known), estimates=tuple(known.values()), log="xy", **words)


def _place(point: Mapping[str, Any]) -> str:
    return ", ".join(str(value) for value in point.values())
