"""The names in a file of weights, brought to those of the network.

What trains a network wraps it, and its state dict then carries the wrapper's prefix (``module.`` of data parallel and of averaged
weights, ``_orig_mod.`` of compiled modules, ``model.`` or ``net.`` of Lightning modules), sometimes beside entries of its own, such
as a counter or the weights of a loss. Names are changed only if everything then fits, by name and by shape.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice, takewhile
from typing import TYPE_CHECKING

import torch
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from holdfast.core.checks import as_written, refuse

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Tensors", "entries_of", "fits", "implied", "is_lazy", "renamed"]

Tensors = dict[str, torch.Tensor]
COMPILED, COUNTER, BATCHES = "_orig_mod.", "n_averaged", "num_batches_tracked"
MOST_PREFIXES = 100  # that are tried; a file made to take long may hold one before each of its names
SHOWN = 4


def entries_of(network: nn.Module) -> Tensors:
    """The tensors of the network's state dict, the same objects that it computes with."""
    return {name: value for name, value in network.state_dict(keep_vars=True).items() if isinstance(value, torch.Tensor)}


def implied(own: Tensors, have: Tensors) -> Tensors:
    """Values for names in `own` that are missing in `have` and need not be there.

    These are what the network ties to a name that is there, and the number of batches that a normalisation has seen, which counts
    in training only; old checkpoints and converted ones lack it.
    """
    twins = {id(own[name]): value for name, value in have.items() if name in own}
    missing = {name: value for name, value in own.items() if name not in have}
    tied = {name: twins[id(value)] for name, value in missing.items() if id(value) in twins}
    return tied | {name: value for name, value in missing.items() if name.rpartition(".")[2] == BATCHES}


def is_lazy(value: torch.Tensor) -> bool:
    """True for an entry that gets its shape from what is put into it."""
    return isinstance(value, UninitializedParameter | UninitializedBuffer)


def fits(own: Tensors, tensors: Tensors) -> bool:
    """True if `tensors` fill each entry of `own`, in its shape, with nothing left over."""
    have = {name: value for name, value in tensors.items() if isinstance(value, torch.Tensor)}
    if not have.keys() <= own.keys() or any(have[name].shape != own[name].shape and not is_lazy(own[name]) for name in have):
        return False
    return own.keys() == have.keys() | implied(own, have).keys()


def renamed(network: nn.Module, tensors: Tensors) -> tuple[Tensors, tuple[str, ...]]:
    """`tensors` under the names that `network` has, and notes on what was changed; if nothing fits, under the nearest ones.

    Raises
    ------
    InputError : the parts under two prefixes fit, and differ
    """
    own = entries_of(network)
    if fits(own, tensors):
        return tensors, ()
    bare, notes = _without_wrappers(own, tensors)
    if fits(own, bare):
        return bare, notes
    prefixes = _prefixes(own, bare)
    fitting = list(islice((prefix for prefix in prefixes if fits(own, _below(prefix, bare))), 2))
    if fitting:
        _check_equal(fitting, bare)
        beside = [name for name in bare if not name.startswith(fitting[0])]
        left_out = f"; left out were {_few(beside)} beside it" if beside else ""
        said = f"the prefix {fitting[0]!r} was stripped from the names of the weights{left_out}"
        return _below(fitting[0], bare), (*notes, said)
    prefix = _common(own)
    if prefix and fits(own, inside := {f"{prefix}{name}": value for name, value in bare.items()}):
        return inside, (*notes, f"the prefix {prefix!r} of the network was put before the names of the weights")
    near = max((bare, *(_below(prefix, bare) for prefix in prefixes[:1])), key=lambda part: len(part.keys() & own.keys()))
    return near, notes


def _without_wrappers(own: Tensors, tensors: Tensors) -> tuple[Tensors, tuple[str, ...]]:
    """`tensors` without counters of averages and without the marks of compiled modules, where the network has none."""
    counters = [name for name in tensors if name not in own and name.rpartition(".")[2] == COUNTER]
    kept = {name: value for name, value in tensors.items() if name not in counters}
    compiled = any(COMPILED in name for name in kept) and not any(COMPILED in name for name in own)
    bare = {name.replace(COMPILED, ""): value for name, value in kept.items()} if compiled else kept
    notes = (f"the counter {_few(counters)} of averaged weights was left out",) if counters else ()
    if compiled and len(bare) == len(kept):
        return bare, (*notes, f"the prefix {COMPILED!r} was stripped from the names of the weights")
    return kept, notes


def _prefixes(own: Tensors, tensors: Tensors) -> list[str]:
    """What stands in `tensors` before names of the network, the most frequent first."""
    deepest = max((name.count(".") for name in own), default=0)
    found: Counter[str] = Counter()
    for name in tensors:
        prefix = name
        for _ in range(deepest + 1):
            prefix = prefix.rpartition(".")[0]
            if name[len(prefix) + 1 :] in own and prefix:
                found[f"{prefix}."] += 1
            if not prefix:
                break
    return [prefix for prefix, _ in found.most_common(MOST_PREFIXES)]


def _below(prefix: str, tensors: Tensors) -> Tensors:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _common(tensors: Tensors) -> str:
    """The longest beginning, ending in a dot, of all names; empty if there is none."""
    first, last = min(tensors, default=""), max(tensors, default="")  # what these two share, all share
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    beginning, dot, _ = "".join(letter for letter, _ in shared).rpartition(".")
    return beginning + dot


def _check_equal(prefixes: list[str], tensors: Tensors) -> None:
    """Refuse the parts under two prefixes that differ, for either may be the network."""
    first, *others = prefixes
    part = {name: value for name, value in _below(first, tensors).items() if isinstance(value, torch.Tensor)}
    for other in others:
        in_both = [(value, tensors[f"{other}{name}"]) for name, value in part.items() if f"{other}{name}" in tensors]
        if all(torch.equal(value, twin) for value, twin in in_both):  # what one lacks is implied by the rest
            continue
        one = f'{{name: tensor for name, tensor in weights.items() if name.startswith("{first}")}}'
        refuse(
            "weights",
            f"hold two networks that fit, under {first!r} and under {other!r}",
            allowed="one network",
            remedy=f'Save the one that you mean, e.g. torch.save({one}, "one.pt"), and pass {as_written("weights", "one.pt")}.',
        )


def _few(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
