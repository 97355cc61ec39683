"""What to do about inputs that a network refuses: it may take them with their axes in another order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from holdfast.auditing.probing.outputs import ask
from holdfast.core.checks import as_written
from holdfast.core.errors import HoldfastError, InputError
from holdfast.data.layouts import LAYOUTS, reordered

if TYPE_CHECKING:
    from typing import Any

    from holdfast.core.target import Target

__all__ = ["first_answer"]

INTEGERS = (
    "The inputs are integers, as token ids are: convert measurements to float32, and pixels to uint8 with an axis for the channel"
)


def first_answer(target: Target, x: torch.Tensor) -> Any:
    """What `target` answers to the batch `x`; where it raises, the message says in which order of the axes it would not.

    Raises
    ------
    InputError : the network raised
    """
    try:
        return ask(target, x)
    except InputError as error:
        hint = _order_that_works(target, x) if x.is_floating_point() else INTEGERS
        if not hint:
            raise
        raise InputError(f"{str(error).removesuffix('.')}. {hint}.") from error.__cause__


def _order_that_works(target: Target, x: torch.Tensor) -> str:
    if x.ndim == 1:
        return "Rows of a single feature have two axes: x.reshape(-1, 1)"
    for layout in LAYOUTS:
        if len(layout) == x.ndim and _answers_each(target, x, layout):
            return f"The network takes them with {as_written('layout', layout)}"
    return ""


def _answers_each(target: Target, x: torch.Tensor, layout: str) -> bool:
    """True if `layout` says something about `x`, and the network then gives an answer to each row."""
    try:
        moved = reordered(x, layout)
        answer = None if moved is x else ask(target, moved.contiguous())
    except HoldfastError:
        return False
    return isinstance(answer, torch.Tensor) and answer.ndim > 0 and len(answer) == len(x)
