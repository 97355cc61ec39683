"""Rows whose parts have names, as ``{"pixel_values": x, "labels": y}``: which part is the input, and which the label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch

from holdfast.core.checks import as_written, nearest, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Entries", "entries_of", "numbers"]

LABELS = ("label", "labels", "y", "target", "targets", "class")
IDS = "input_ids"
BESIDE_IDS = ("attention_mask", "token_type_ids", "position_ids")


@dataclass(frozen=True, kw_only=True)
class Entries:
    """The names of the parts of a row.

    Parameters
    ----------
    inputs : what the network gets; several, of one shape, are stacked in the axis behind that of the examples
    label : the class
    notes : for the report
    """

    inputs: tuple[str, ...]
    label: str
    notes: tuple[str, ...] = ()

    def pair(self, row: Mapping[Any, Any], number: int) -> tuple[Any, Any]:
        """Input and label of `row`, which holds one example or a batch; `number` is its place, for messages."""
        missing = [name for name in (*self.inputs, self.label) if name not in row]
        if missing:
            refuse("source", f"gives a row without {missing[0]!r} at item {number}", allowed="the same entries in every row")
        y = row[self.label]
        if len(self.inputs) == 1:
            return row[self.inputs[0]], y
        parts = [torch.as_tensor(numbers(row[name])) for name in self.inputs]
        shapes = {tuple(part.shape) for part in parts}
        if len(shapes) > 1:
            got = f"names {', '.join(self.inputs)} of the shapes {', '.join(map(str, sorted(shapes)))} at item {number}"
            refuse("input_key", got, allowed="one entry, or several of one shape")
        return torch.stack(parts, dim=min(np.ndim(numbers(y)), 1)), y


def numbers(value: Any) -> Any:
    """A tensor as it is, anything else as an array."""
    return value if isinstance(value, torch.Tensor) else np.asarray(value)


def entries_of(row: Mapping[Any, Any], *, input_key: str | None = None, label_column: str | None = None) -> Entries:
    """Which entries of `row` are the input and the label.

    Parameters
    ----------
    row : one example, a batch of them, or all
    input_key : of the input, or several separated by commas; default: ``"input_ids"`` with the masks beside it, ``"x"``, or the
        only other entry that holds more than one number
    label_column : of the label; default: the entry called label, labels, y, target, targets or class

    Raises
    ------
    InputError : there is no such entry (the nearest is given), or several entries may be meant (one is proposed)

    Examples
    --------
    >>> entries_of({"pixel_values": np.zeros((3, 8, 8)), "labels": 1, "id": "a7"}).inputs
    ('pixel_values',)
    >>> entries_of({"input_ids": [4, 2, 0], "attention_mask": [1, 1, 0], "label": 1}).inputs
    ('input_ids', 'attention_mask')
    """
    names = [str(name) for name in row]
    label = _label(names, label_column)
    rest = [name for name in names if name != label and _may_be_input(row[name], batch=np.ndim(numbers(row[label])))]
    inputs = _inputs(names, rest, input_key)
    unused = [name for name in names if name not in (*inputs, label)]
    note = f"of each row the network gets {' and '.join(map(repr, inputs))}, and {label!r} is the label"
    notes = (note + (f"; {', '.join(map(repr, unused))} {'is' if len(unused) == 1 else 'are'} not used" if unused else ""),)
    return Entries(inputs=inputs, label=label, notes=notes if names != ["x", "y"] else ())


def _label(names: list[str], wanted: str | None) -> str:
    if wanted is not None:
        return wanted if wanted in names else _refuse_name("label_column", wanted, names)
    found = [name for name in LABELS if name in names]
    if len(found) == 1:
        return found[0]
    got = f"is not given, and {'several' if found else 'none'} of the entries {', '.join(names)} of a row may be the label"
    named = as_written("label_column", found[0] if found else (names[-1] if names else "label"))
    return refuse("label_column", got, allowed="the name of an entry", remedy=f"Give it, for example {named}.")


def _inputs(names: list[str], rest: list[str], wanted: str | None) -> tuple[str, ...]:
    if wanted is not None:
        chosen = tuple(part.strip() for part in wanted.split(","))
        for name in chosen:
            if name not in names:
                _refuse_name("input_key", name, names)
        return _with_masks(rest) if chosen == (IDS,) else chosen
    if IDS in rest:
        return _with_masks(rest)
    found = ["x"] if "x" in rest else rest
    if len(found) == 1:
        return (found[0],)
    got = f"is not given, and {'several' if found else 'none'} of the entries {', '.join(names)} of a row may be the input"
    if not found:
        refuse("input_key", got, allowed="an entry that holds an image or an array of numbers")
    proposed = as_written("input_key", found[0])
    return refuse("input_key", got, allowed=", ".join(found), remedy=f"Say which: {proposed}.")


def _with_masks(rest: list[str]) -> tuple[str, ...]:
    return (IDS, *(name for name in BESIDE_IDS if name in rest))


def _refuse_name(parameter: str, name: str, names: list[str]) -> NoReturn:
    close = nearest(name, names)
    remedy = f"Did you mean {close!r}?" if close else ""
    refuse(parameter, f"is {name!r}", allowed=f"an entry of the rows: {', '.join(names)}", remedy=remedy)


def _may_be_input(value: Any, *, batch: int) -> bool:
    """True for an image, and for numbers with more axes than the labels have."""
    if hasattr(value, "convert"):
        return True
    try:
        held = numbers(value)
    except (TypeError, ValueError):  # ragged
        return False
    is_number = isinstance(held, torch.Tensor) or held.dtype.kind in "fiub"
    return is_number and held.ndim > min(batch, 1)
