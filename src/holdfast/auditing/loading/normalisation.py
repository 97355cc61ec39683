"""Normalisation of inputs as the user writes it down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from holdfast.core.checks import refuse
from holdfast.core.numerals import as_number
from holdfast.nets import Normalized

__all__ = ["normalised", "parse_normalisation"]


def parse_normalisation(text: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel.

    Parameters
    ----------
    text : a pair ``(mean, std)`` of numbers or of sequences, or text: all means, then all standard deviations, comma-separated

    Examples
    --------
    >>> parse_normalisation("0.13,1/4")
    ((0.13,), (0.25,))
    >>> parse_normalisation("0.49,0.48,0.45,0.25,0.24,0.26")
    ((0.49, 0.48, 0.45), (0.25, 0.24, 0.26))
    """
    allowed = "all means and then all standard deviations, as in 0.13,0.31 or 0.49,0.48,0.45,0.25,0.24,0.26"
    try:
        if isinstance(text, str):
            numbers = [float(as_number(part)) for part in text.replace(";", ",").split(",") if part.strip()]
            half = len(numbers) // 2
            mean, std = numbers[:half], numbers[half:]
        else:
            mean, std = (_numbers(part) for part in text)
    except (TypeError, ValueError):
        mean, std = [], []
    if not mean or len(mean) != len(std):
        refuse("normalize", f"is {text!r}", allowed=allowed)
    if not all(torch.isfinite(torch.tensor([*mean, *std]))) or min(std) <= 0:
        refuse("normalize", f"is {text!r}", allowed="finite means and standard deviations above 0")
    return tuple(mean), tuple(std)


def _numbers(part: Any) -> list[float]:
    several = isinstance(part, Sequence | torch.Tensor) and not isinstance(part, str)
    return [float(as_number(number)) for number in (part if several else [part])]


def normalised(network: nn.Module, text: Any) -> Normalized:
    """The network behind the normalisation `text`, see :func:`parse_normalisation`."""
    mean, std = parse_normalisation(text)
    return Normalized(network, mean, std)
