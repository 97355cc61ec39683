"""Which images a targeted attack is tried on, and towards which class each: every pair of classes equally often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from holdfast.core.checks import check_whole, refuse
from holdfast.core.target import predicted_classes
from holdfast.nets import predict

if TYPE_CHECKING:
    from holdfast.data.examples import Examples

__all__ = ["aimed"]


def aimed(victim: Any, examples: Examples, per_target: int, *, seed: int = 0) -> tuple[Examples, torch.Tensor]:
    """Examples that the victim gets right, each with one other class as its target.

    Each image serves one target only, so that the rates of different targets are independent.

    Parameters
    ----------
    victim : target, module or callable; it is asked about all of `examples`
    examples : labelled, of at least two classes
    per_target : examples for each target class, >= 1, rounded up to a multiple of the other classes; fewer where the victim gets
        fewer right
    seed : of the choice among the examples of a class

    Returns
    -------
    the examples (n), sorted by class, and their target classes (n,): equally many for each pair of right class and target, to one
    where a class has too few

    Raises
    ------
    InputError : one class only, or a victim that gets no example right

    Examples
    --------
    >>> from holdfast.data import Examples
    >>> brightest = torch.nn.functional.one_hot(torch.arange(60) % 3, 3).float()
    >>> chosen, goals = aimed(lambda x: x, Examples(brightest, torch.arange(60) % 3), 4)
    >>> chosen.y.tolist()[:4], goals.tolist()[:4]
    ([0, 0, 0, 0], [1, 2, 1, 2])
    """
    check_whole(per_target, "per_target", low=1)
    cells = examples.classes - 1
    if cells < 1:
        refuse("examples", "has one class", allowed="at least two, one of which is the target")
    order = examples.stratified_order(seed=seed)
    shuffled = examples[order]
    known = predicted_classes(predict(victim, shuffled.x)) == shuffled.y
    if not bool(known.any()):
        refuse("victim", "gets none of the examples right", allowed="a network with something to lose")
    right = shuffled[known]
    each = -(-per_target // cells)  # of one class for one target
    rows, goals = [], []
    for label in range(examples.classes):
        mine = (right.y == label).nonzero().squeeze(1)[: each * cells]
        rows.append(mine)
        goals.append((label + 1 + torch.arange(len(mine), device=mine.device) % cells) % examples.classes)
    return right[torch.cat(rows)], torch.cat(goals)
