"""Is this the network whose points are stored? Weights and layers do not say it: its code may have been edited.

What a deterministic network answers to a few examples and beside them, and its input gradients there, are stored as numbers and
compared within rounding, so that another machine or another number of threads still resumes; the digests of its code lie beside
them. A nondeterministic network is recognised by its weights and its code alone. Points of a network that is not recognised stay
in the folder and are not used.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.auditing.likeness import difference
from holdfast.core.digest import digest

if TYPE_CHECKING:
    from holdfast.auditing.inputs import Inputs
    from holdfast.auditing.likeness import Likeness
    from holdfast.core.store import Store

__all__ = ["recognised"]

FACT = "networks"
BY_CODE = "the network is nondeterministic: stored points are recognised by its weights and its code, not by its answers"
BY_WEIGHTS = "the network is nondeterministic and its code cannot be read: stored points are recognised by its weights alone"


def recognised(store: Store, inputs: Inputs) -> tuple[Inputs, tuple[str, ...]]:
    """The inputs under the identity of a network that `store` knows, or of a new one, and notes, which the inputs hold too.

    The network is asked nothing.
    """
    now = inputs.likeness
    place, others = _placed(store, now)
    notes = [] if inputs.probe.deterministic else [BY_CODE if now.code else BY_WEIGHTS]
    if others:
        notes.append(
            f"the folder also holds points of a network with the same weights and other {' and '.join(others)}: "
            "they are not used, and the present network is measured itself"
        )
    target = inputs.identity.target if place == 0 else digest(inputs.identity.target, place)
    known = replace(inputs, identity=replace(inputs.identity, target=target), notes=(*inputs.notes, *notes))
    return known, tuple(notes)


def _placed(store: Store, now: Likeness) -> tuple[int, list[str]]:
    """The number of the network among those in `store`, which is given one if it is new, and in what others differ."""
    stored = store.fact(FACT)
    known = [entry if isinstance(entry, dict) else {} for entry in stored] if isinstance(stored, list) else []
    arrays = [store.kept_arrays(_name(place)) or {} for place in range(len(known))]
    apart = [difference({**held, "code": entry.get("code", {})}, now) for held, entry in zip(arrays, known, strict=True)]
    place = apart.index("") if "" in apart else len(known)
    if place == len(known):
        known = [*known, {"code": dict(now.code), "other": apart[-1] if apart else ""}]
        store.keep_arrays(_name(place), **now.arrays)
        store.remember(**{FACT: known})
    else:
        code = known[place].get("code")
        code = code if isinstance(code, dict) else {}
        if now.arrays.keys() - arrays[place].keys() or now.code.keys() - code.keys():
            # the first start had less access, or an earlier version looked at less
            store.keep_arrays(_name(place), **{**now.arrays, **arrays[place]})
            known[place] = {**known[place], "code": {**now.code, **code}}
            store.remember(**{FACT: known})
    return place, sorted({str(entry["other"]) for entry in known if entry.get("other")})


def _name(place: int) -> str:
    return f"network-{place}"
