"""What kind of inputs a network takes, and in which range and units they are examined.

Images, signals, sequences and volumes have one range for all their numbers. The features of a table have a unit each, so that they
are examined in units of their spread. Token ids are integers: they stay as they are, and no stress changes them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from holdfast.auditing.loading.named_inputs import by_name
from holdfast.core.seeds import seeded
from holdfast.data.pixels import Pixels
from holdfast.nets import FeatureUnits, InFeatureUnits, device_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.core.stress import InputKind
    from holdfast.core.target import Target
    from holdfast.data import Examples

__all__ = ["UNIT", "Fitted", "fitted"]

UNIT = (0.0, 1.0)
OTHER = "--bounds=LOW,HIGH (Python: bounds=(LOW, HIGH))"
FEW = 2
SHOWN = 20  # names of features in a note
LOOKED_UP = (
    "the inputs are whole numbers that the network looks up in an embedding: they are token ids, and are given to it as integers"
)
FLOATS = "the inputs are integers, and the network computes with them: they are features of a table, not token ids"


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A target and the examples for it, in the range and the units in which they are examined.

    Parameters
    ----------
    target : with the bounds of the inputs; the network of a table expects features in units of their spread
    examples : in these units
    unlabelled : further inputs (n, ...) in these units, or None
    kind : of the inputs
    notes : for the report, one sentence each
    """

    target: Target
    examples: Examples
    unlabelled: torch.Tensor | None
    kind: InputKind = "numbers"
    notes: tuple[str, ...] = ()


def fitted(
    target: Target,
    examples: Examples,
    unlabelled: torch.Tensor | None = None,
    *,
    bounds: tuple[float, float] | None = None,
    columns: Sequence[str] = (),
    stacked: Sequence[str] = (),
) -> Fitted:
    """`target` and `examples` as they belong together.

    Parameters
    ----------
    target : as loaded
    examples : as read
    unlabelled : further inputs (n, ...), or None
    bounds : that the user declared, or None: images keep [0, 1], and so does everything else that lies within it
    columns : names of the features, where the examples come from a table
    stacked : names of the parts that each input consists of; the network is handed those that it takes by their names
    """
    if stacked:
        handed, note = _by_name(target, stacked)
        whole = fitted(handed, examples, unlabelled, bounds=bounds)
        return replace(whole, notes=(note, *whole.notes))
    found, notes = _as_taken(target, examples)
    if isinstance(found.held, Pixels):
        return Fitted(target=target, examples=found, unlabelled=unlabelled)
    if not found.x[:1].is_floating_point():
        spare = None if unlabelled is None else unlabelled.long()
        target = replace(target, bounds=bounds or _range([found.x]))
        return Fitted(target=target, examples=found, unlabelled=spare, kind="tokens", notes=notes)
    spare = None if unlabelled is None else unlabelled.float()
    low, high = _range([found.x] if spare is None else [found.x, spare])
    whole = Fitted(target=target, examples=found, unlabelled=spare, notes=notes)
    within = low >= UNIT[0] and high <= UNIT[1] and not columns
    if bounds is not None or within or len(found.shape) == 3:
        return whole
    return _table(whole, columns) if len(found.shape) == 1 else _observed(whole, low, high)


def _by_name(target: Target, stacked: Sequence[str]) -> tuple[Target, str]:
    """The target handed the parts of its input by name, and a note that says which it takes."""
    assert isinstance(target.model, nn.Module), "loading makes every network a module"
    model, taken = by_name(target.model, stacked)
    left = [name for name in stacked if name not in taken]
    beside = f"; it takes no {' and no '.join(left)}" if left else ""
    return replace(target, model=model), f"the network is handed {' and '.join(taken)}{beside}"


def _range(parts: Sequence[torch.Tensor]) -> tuple[float, float]:
    """The smallest and the largest value of all `parts`; 1 apart at least where they are one and the same."""
    low, high = min(float(part.min()) for part in parts), max(float(part.max()) for part in parts)
    return (low, high) if low < high else (low, low + 1.0)


def _as_taken(target: Target, examples: Examples) -> tuple[Examples, tuple[str, ...]]:
    """The examples in the type that the network takes them in: integers where it looks them up, else floating point."""
    if len(examples.shape) != 1:
        return examples, ()
    if isinstance(examples.held, Pixels):
        ids = examples.held.stored
        is_read = _looks_up(target.model) and _takes(target, ids[:FEW].long())
        return (replace(examples, x=ids.long()), (LOOKED_UP,)) if is_read else (examples, ())
    few = examples[:FEW].x
    if not few.is_floating_point():
        is_table = not _looks_up(target.model) and _takes(target, few.float())
        if is_table and (_differentiable(target, few.float()) or not _takes(target, few)):
            return replace(examples, x=examples.x.float()), (FLOATS,)
    elif _looks_up(target.model):
        x = examples.x
        if bool(((x >= 0) & (x == x.round())).all()) and _takes(target, few.long()) and not _differentiable(target, few):
            return replace(examples, x=x.long()), (LOOKED_UP,)
    return examples, ()


def _looks_up(model: object) -> bool:
    return isinstance(model, nn.Module) and any(isinstance(part, nn.Embedding | nn.EmbeddingBag) for part in model.modules())


def _takes(target: Target, x: torch.Tensor) -> bool:
    device = device_of(target, default=x.device)
    try:
        with torch.no_grad(), seeded(0, device):
            target.model(x.to(device))
    except Exception:  # noqa: BLE001 (any refusal by someone else's network means no)
        return False
    return True


def _differentiable(target: Target, x: torch.Tensor) -> bool:
    device = device_of(target, default=x.device)
    inputs = x.to(device).clone().requires_grad_()
    try:
        with torch.enable_grad(), seeded(0, device):
            logits = target.model(inputs)
            (gradient,) = torch.autograd.grad(logits.sum(), inputs, allow_unused=True)
    except Exception:  # noqa: BLE001 (a network that cannot be differentiated may fail in any way)
        return False
    return gradient is not None


def _table(whole: Fitted, columns: Sequence[str]) -> Fitted:
    """The rows of a table in units of each feature's spread."""
    units = FeatureUnits.of(whole.examples.x)
    device = device_of(whole.target, default=whole.examples.y.device)
    rows = units.of_rows(whole.examples.x)
    model = whole.target.model
    assert isinstance(model, nn.Module), "loading makes every network a module"
    fixed = int((units.low == units.high).sum())
    note = (
        f"the inputs are a table of {_features(len(units.mean))}: attack sizes (eps) are in units of each feature's spread, its "
        f"standard deviation over the {len(rows)} examples, and each feature stays within its range there"
    )
    still = f"{_features(fixed)} of one value in all examples: no attack changes that"
    return replace(
        whole,
        target=replace(whole.target, model=InFeatureUnits(model, units).eval().to(device), bounds=_range([rows])),
        examples=replace(whole.examples, x=rows),
        unlabelled=None if whole.unlabelled is None else units.of_rows(whole.unlabelled),
        kind="features",
        notes=(*whole.notes, note, *([still] if fixed else []), *_named(columns)),
    )


def _features(count: int) -> str:
    return f"{count} feature" + "s" * (count != 1)


def _named(columns: Sequence[str]) -> tuple[str, ...]:
    if not columns:
        return ()
    shown = ", ".join(columns[:SHOWN]) + (f" and {len(columns) - SHOWN} more" if len(columns) > SHOWN else "")
    return (f"features of the table, in the order in which the network gets them: {shown}",)


def _observed(whole: Fitted, low: float, high: float) -> Fitted:
    """Inputs of any other rank in the range in which they lie."""
    note = f"the inputs lie in [{low:.4g}, {high:.4g}], and attacks stay there: {OTHER} declares another range"
    return replace(whole, target=replace(whole.target, bounds=(low, high)), notes=(*whole.notes, note))
