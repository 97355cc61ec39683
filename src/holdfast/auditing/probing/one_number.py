"""Networks with one number per example: whether it is the logit or the probability of class 1."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from holdfast.auditing.batching import rows_per_pass
from holdfast.auditing.loading.adapt import behind_door, door_of
from holdfast.auditing.loading.two_classes import is_one_number
from holdfast.auditing.probing.outputs import ask
from holdfast.core.checks import as_written, refuse

if TYPE_CHECKING:
    from holdfast.core.target import Target
    from holdfast.data import Examples

__all__ = ["decided"]

FEW, MOST = 8, 64  # rows of the first pass, which mostly tells, and of the others
LOGIT = "the network returns one number z per example, not always in [0, 1]: it is read as a logit, and the two logits are 0 and z"
PROBABILITY = (
    "the network returns one number p in [0, 1] per example: it is read as the probability of class 1, and the two logits are "
    f"log(1 - p) and log p (if p is a logit: {as_written('outputs', 'binary-logits')})"
)
STEEPER = "attacks follow better gradients if the network returns what goes into its sigmoid"


def decided(target: Target, rows: Examples) -> tuple[Target, tuple[str, ...]]:
    """`target` with two logits per example where one number was declared, and a note that says what the number was taken for.

    Numbers that all lie in [0, 1] are probabilities, unless the user said otherwise.

    Raises
    ------
    InputError : one number was declared and there are more, or a number outside [0, 1] was declared as a probability
    """
    door = door_of(target.model)
    if door is None or door.binary is None:
        return target, ()
    bare = replace(target, model=behind_door(target.model, binary="either"))
    answer = ask(bare, rows.x[:FEW])
    if isinstance(answer, torch.Tensor) and not answer.is_floating_point():
        return target, ()  # labels
    if isinstance(answer, torch.Tensor) and not is_one_number(answer):
        got = f"declares one number per example, and the network returns shape {tuple(answer.shape)}"
        remedy = "Leave out --outputs (Python: outputs): it is for networks with a single output."
        refuse("outputs", got, allowed="binary for shape (examples,) or (examples, 1)", remedy=remedy)
    if door.binary == "logits" or not isinstance(answer, torch.Tensor):
        return target, ()
    outside = _outside(answer, bare, rows)
    if door.binary == "probabilities":
        if outside is not None:
            got = f"declares probabilities of class 1, and a number is {outside:.4g}"
            remedy = f"For logits: {as_written('outputs', 'binary-logits')}."
            refuse("outputs", got, allowed="numbers in [0, 1]", remedy=remedy)
        return target, ()
    model = behind_door(target.model, binary="logits" if outside is not None else "probabilities")
    return replace(target, model=model), (PROBABILITY, STEEPER) if outside is None else (LOGIT,)


def _outside(answer: torch.Tensor, bare: Target, rows: Examples) -> float | None:
    """A number outside [0, 1] in the `answer` to the first rows or, if there is none, in those to all of them."""
    found = answer[~_is_share(answer)]
    size = rows_per_pass(rows.shape, MOST)
    for begin in range(0, len(rows), size):
        if len(found):
            break
        numbers = ask(bare, rows[begin : begin + size].x)
        found = numbers[~_is_share(numbers)]
    return float(found.flatten()[0]) if len(found) else None


def _is_share(numbers: torch.Tensor) -> torch.Tensor:
    return (numbers >= 0) & (numbers <= 1)
