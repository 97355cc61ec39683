"""Do the labels number the classes as the network's outputs do? Sorted names give an order that no network has to share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scipy.optimize import linear_sum_assignment

from holdfast.core.checks import as_written, refuse
from holdfast.core.estimate import mcnemar, proportion

if TYPE_CHECKING:
    import torch

    from holdfast.data import Examples

__all__ = ["check_order"]

GAIN, SIGNIFICANCE, ENOUGH = 0.05, 1e-3, 0.75
MOST = 20  # classes whose order is written out


def check_order(named: torch.Tensor, examples: Examples, *, outputs: int, allow: bool = False) -> tuple[str, ...]:
    """Refuse labels by sorted names where the network is clearly better with its outputs in another order of these names.

    Clearly means right on three quarters of the examples at least, by more than 5 points and with p < 0.001 (McNemar, exact).

    Parameters
    ----------
    named : tensor (n,), the output that the network names for each of the `examples`, -1 for none
    examples : whose labels are places in the sorted names, or are numbered otherwise and pass
    outputs : of the network
    allow : give the sentence back as a note instead of refusing
    """
    names = examples.class_names
    if examples.numbering != "sorted" or len(names) != outputs or outputs > MOST:
        return ()
    y, named = examples.y.cpu(), named.cpu()
    answered = named >= 0
    counts = (y[answered] * outputs + named[answered]).bincount(minlength=outputs**2).reshape(outputs, outputs)
    labels, places = linear_sum_assignment(counts.numpy(), maximize=True)
    output_of = dict(zip(labels.tolist(), places.tolist(), strict=True))
    right = named == y.clone().apply_(output_of.__getitem__)
    before, after = ((proportion(int(hits.sum()), len(hits)), hits.numpy()) for hits in (named == y, right))
    gain = after[0].value - before[0].value
    if gain <= GAIN or after[0].value < ENOUGH or mcnemar(before[1], after[1]) > SIGNIFICANCE:
        return ()
    order = sorted(names, key=lambda name: output_of[names.index(name)])
    got = f"are numbered by their sorted names ({', '.join(names)}), in which order the network is right on {before[0]}"
    listed = as_written("classes", "names.txt", python=repr(order))
    remedy = f"In the order {', '.join(order)} it is right on {after[0]}: give this order, one name in a line, by {listed}."
    if allow:
        return (f"the classes {got}. {remedy}",)
    return refuse("classes", got, allowed="the order of the network's outputs", remedy=remedy)
