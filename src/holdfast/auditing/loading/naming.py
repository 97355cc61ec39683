"""The names that a network holds of its own classes, in the order of its outputs.

Looked for are the attributes ``classes``, ``class_names`` and ``categories`` of the module and of its parts, the categories of
torchvision's weights, the ``id2label`` of a configuration, and the same words beside the tensors in a file of weights.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

__all__ = ["names_in_network", "names_in_weights"]

WORDS = ("classes", "class_names", "categories")
PLACEHOLDER = "LABEL_"  # of transformers, for classes without names


def names_in_network(network: nn.Module) -> tuple[str, ...]:
    """The class names that `network` or one of its parts holds; empty if there are none.

    Examples
    --------
    >>> net = torch.nn.Linear(4, 2)
    >>> net.classes = ["cat", "dog"]
    >>> names_in_network(torch.nn.Sequential(net))
    ('cat', 'dog')
    """
    for module in network.modules():
        meta = getattr(getattr(module, "weights", None), "meta", None)
        held = [getattr(module, word, None) for word in WORDS]
        held += [meta.get("categories") if isinstance(meta, Mapping) else None]
        held += [getattr(getattr(module, "config", None), "id2label", None)]
        found = next((names for names in map(_names, held) if names), ())
        if found:
            return found
    return ()


def names_in_weights(path: Path) -> tuple[str, ...]:
    """The class names that a file of weights, already read once as safe, holds beside its tensors; empty if there are none."""
    if path.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file:
            held: Any = file.metadata()
    elif path.suffix == ".npz":
        return ()
    else:
        held = _checkpoint(path)
    if not isinstance(held, Mapping):
        return ()
    return next((names for names in (_names(held.get(word)) for word in WORDS) if names), ())


def _checkpoint(path: Path) -> Any:
    """What ``torch.save`` wrote, its tensors left on disk; None for the old format, which cannot be mapped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except Exception:  # noqa: BLE001 (names are a help, not a need)
            return None


def _names(held: Any) -> tuple[str, ...]:
    """`held` as names: a sequence of texts, a mapping from numbers to texts, or either as JSON; else empty."""
    if isinstance(held, str):
        try:
            held = json.loads(held)
        except ValueError:
            return ()
    if isinstance(held, Mapping):
        places = {int(key): name for key, name in held.items() if str(key).isdecimal()}
        held = [places[place] for place in sorted(places)] if sorted(places) == list(range(len(held))) else None
    if not isinstance(held, list | tuple) or len(held) < 2 or not all(isinstance(name, str) and name.strip() for name in held):
        return ()
    return () if all(name.startswith(PLACEHOLDER) for name in held) else tuple(held)
