"""What stands between the audit's float32 batches and a user's network: another dtype, an answer inside a container, no tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from holdfast.auditing.loading.locate import suggestion
from holdfast.auditing.loading.two_classes import Binary, is_one_number, two_classes
from holdfast.core.checks import refuse
from holdfast.nets import InFeatureUnits, Normalized

__all__ = ["AdaptedNetwork", "CallableNetwork", "LabelScores", "behind_door", "door_of", "select"]

NUMBERS = "fiub"  # kinds of arrays: floating point, integers and truth values


def select(answer: Any, key: str) -> Any:
    """The part `key` of a network's answer: a key of a mapping, a position of a tuple, or an attribute.

    Raises
    ------
    InputError : there is no such part; the parts are listed

    Examples
    --------
    >>> select({"logits": 1, "aux": 2}, "logits"), select((1, 2), "-1")
    (1, 2)
    """
    if isinstance(answer, Mapping):
        if key in answer:
            return answer[key]
        parts = [str(part) for part in answer]
    elif isinstance(answer, tuple | list):
        if key.lstrip("-").isdecimal() and -len(answer) <= int(key) < len(answer):
            return answer[int(key)]
        if key in getattr(answer, "_fields", ()):
            return getattr(answer, key)
        parts = [str(place) for place in range(len(answer))]
    else:
        if not isinstance(answer, torch.Tensor) and hasattr(answer, key):
            return getattr(answer, key)
        parts = []
    got = f"is {key!r}, but the network returns a {type(answer).__name__}"
    allowed = f"one of {', '.join(parts)}" if parts else "nothing: leave it out"
    return refuse("output_key", got, allowed=allowed, remedy=suggestion(key, parts))


class AdaptedNetwork(nn.Module):
    """A network that is handed its own dtype, or integers as they are, and whose answer comes out of its container in float32.

    Parameters
    ----------
    model : the user's network
    dtype : what it computes in; None: its inputs are not cast
    output_key : which part of its answer holds the logits, see :func:`select`; None: the answer itself
    binary : what its answer is if that is one number per example, which becomes two classes; None: it is not
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        dtype: torch.dtype | None = None,
        output_key: str | None = None,
        binary: Binary | None = None,
    ) -> None:
        super().__init__()
        self.model, self.dtype, self.output_key, self.binary = model, dtype, output_key, binary

    def extra_repr(self) -> str:
        """Dtype, key and what one number is, for the printed network."""
        one_number = f", binary={self.binary!r}" if self.binary else ""
        return f"dtype={self.dtype}, output_key={self.output_key!r}{one_number}"

    def forward(self, x: torch.Tensor) -> Any:
        """The logits of the batch `x`."""
        answer = self.model(x.to(self.dtype) if self.dtype is not None and x.is_floating_point() else x)
        if self.output_key is not None:
            answer = select(answer, self.output_key)
        answer = _as_tensor(answer, x.device)
        if self.binary is None or self.binary == "either" or not is_one_number(answer):
            return answer
        return two_classes(answer, self.binary)


def _as_tensor(answer: Any, device: torch.device) -> Any:
    """An array of numbers as a tensor, floating point in single precision; anything else as it is."""
    if isinstance(answer, np.ndarray) and answer.dtype.kind in NUMBERS:
        answer = torch.as_tensor(answer.copy(), device=device)  # the network may use its memory again
    return answer.float() if isinstance(answer, torch.Tensor) and answer.is_floating_point() else answer


def door_of(model: Any) -> AdaptedNetwork | None:
    """The adapter around the user's network, which units of features and a normalisation may stand before; None without one."""
    while isinstance(model, InFeatureUnits | Normalized):
        model = model.model
    return model if isinstance(model, AdaptedNetwork) else None


def behind_door(model: Any, **changes: Any) -> nn.Module:
    """`model`, whose adapter has other settings, or has them for the first time; the user's network is shared, not copied.

    Examples
    --------
    >>> two = behind_door(Normalized(nn.Linear(4, 1), 0.5, 0.5), binary="logits")
    >>> two(torch.rand(3, 4)).shape, door_of(two).binary
    (torch.Size([3, 2]), 'logits')
    """
    if isinstance(model, InFeatureUnits):
        return InFeatureUnits(behind_door(model.model, **changes), model.units).eval()
    if isinstance(model, Normalized):
        inner = behind_door(model.model, **changes)
        return Normalized(inner, model.mean.tolist(), model.std.tolist()).to(model.mean.device).eval()
    if not isinstance(model, AdaptedNetwork):
        return AdaptedNetwork(model, **changes).eval()
    kept = {"dtype": model.dtype, "output_key": model.output_key, "binary": model.binary}
    return AdaptedNetwork(model.model, **{**kept, **changes}).eval()


class CallableNetwork(nn.Module):
    """A plain function of a batch as a network without weights; it may return tensors, arrays or lists.

    Parameters
    ----------
    function : from a batch (N, ...) to scores (N, classes) or labels (N,); it gets a tensor, which NumPy code can read as an array
    output_key : see :func:`select`
    differentiable : hand the function a tensor that takes gradients; otherwise one that does not
    """

    def __init__(self, function: Callable[[Any], Any], *, output_key: str | None = None, differentiable: bool = False) -> None:
        super().__init__()
        self.function, self.output_key, self.differentiable = function, output_key, differentiable

    def extra_repr(self) -> str:
        """Address of the function, for the printed network: two functions are two networks."""
        kind = self.function if hasattr(self.function, "__qualname__") else type(self.function)
        return f"{kind.__module__}.{kind.__qualname__}, output_key={self.output_key!r}"

    def forward(self, x: torch.Tensor) -> Any:
        """What the function answers, as a tensor on the device of `x`."""
        answer = self.function(x if self.differentiable else x.detach())
        if self.output_key is not None:
            answer = select(answer, self.output_key)
        if isinstance(answer, list) and np.asarray(answer).dtype.kind in NUMBERS:
            answer = np.asarray(answer)
        return _as_tensor(answer, x.device)


class LabelScores(nn.Module):
    """A network that answers with labels, as one with scores: 1 for the class it names and 0 for the others.

    Parameters
    ----------
    model : answers a batch (N, ...) with integers (N,)
    classes : number of classes
    """

    def __init__(self, model: Callable[[Any], torch.Tensor], classes: int) -> None:
        super().__init__()
        self.model, self.classes = model, classes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (N, classes), zeros and ones."""
        named = self.model(x).long().flatten()  # a single label may have lost the axis of the batch
        if len(named) and not 0 <= int(named.min()) <= int(named.max()) < self.classes:
            refuse("model", f"answers with labels from {named.min()} to {named.max()}", allowed=f"0 to {self.classes - 1}")
        return nn.functional.one_hot(named, self.classes).float()
