"""Networks that return more than one tensor: which part of a mapping, a tuple or an object holds the scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch
from torch import nn

from holdfast.auditing.loading.adapt import behind_door
from holdfast.core.checks import as_written, refuse

if TYPE_CHECKING:
    from holdfast.core.target import Target

__all__ = ["opened", "refuse_container"]

LOGITS = "logits"
ALLOWED = "one tensor (examples, classes)"


def opened(target: Target, answer: Any, *, rows: int) -> tuple[Target, tuple[str, ...]]:
    """`target` that answers with one part of the container `answer` to `rows` examples, and a note; unchanged if none stands out.

    That is the part ``logits``, or the only tensor if it has a row for each example. An array becomes a tensor.
    """
    if isinstance(answer, torch.Tensor) or not isinstance(target.model, nn.Module):
        return target, ()
    if isinstance(answer, np.ndarray):
        return replace(target, model=behind_door(target.model)), ("the network returns a NumPy array, which is read as a tensor",)
    tensors = {name: part for name, part in _parts(answer).items() if isinstance(part, torch.Tensor)}
    key = LOGITS if LOGITS in tensors else next(iter(tensors), "")
    if not key or (key != LOGITS and (len(tensors) > 1 or tensors[key].ndim == 0 or len(tensors[key]) != rows)):
        return target, ()
    note = f"of the {type(answer).__name__} that the network returns, the part {key!r} is examined"
    return replace(target, model=behind_door(target.model, output_key=key)), (note,)


def _parts(answer: Any) -> dict[str, Any]:
    """The named parts of a mapping, a named tuple or an object with attributes, or the places of a sequence."""
    if isinstance(answer, Mapping):
        return {str(key): value for key, value in answer.items()}
    if isinstance(answer, tuple | list):
        return dict(zip(getattr(answer, "_fields", map(str, range(len(answer)))), answer, strict=True))
    held = getattr(answer, "__dict__", {})
    return {name: value for name, value in held.items() if isinstance(value, torch.Tensor)}


def refuse_container(answer: Any, *, rows: int) -> NoReturn:
    """Refuse an `answer` to `rows` examples that is not a tensor; the remedy names a part that may be the scores."""
    parts, kind = _parts(answer), type(answer).__name__
    if not parts:
        refuse("model", f"returns a {kind}", allowed=ALLOWED)
    each = [part for part in parts.values() if isinstance(part, torch.Tensor) and part.ndim > 0]
    tables = [key for key, part in parts.items() if isinstance(part, torch.Tensor) and part.ndim == 2 and len(part) == rows]
    if tables:
        remedy = f"Say which part: {as_written('output_key', tables[0])}."
    elif len(each) == len(parts) == rows:
        remedy = "Return one tensor: torch.stack of the answers to all examples."
    else:
        remedy = "Let its forward return the scores of the classes alone."
    named = ", ".join(list(parts)[:8]) + (f" and {len(parts) - 8} more" if len(parts) > 8 else "")
    refuse("model", f"returns a {kind} with the parts {named}", allowed=ALLOWED, remedy=remedy)
