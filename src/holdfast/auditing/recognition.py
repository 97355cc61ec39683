"""Is this the network whose points are stored? Weights and layers do not say it: its code may have been edited.

What a deterministic network answers to a few examples and beside them, and its input gradients there, are stored as numbers and
compared within rounding, so that another machine or another number of threads still resumes; the digests of its code lie beside
them. A nondeterministic network is recognised by its weights and its code alone. Points of a network that is not recognised stay
in the folder and are not used.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

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
UNATTRIBUTED: dict[str, Any] = {"unattributed": True}
NOT_ATTRIBUTED = (
    "the folder also holds points that cannot be attributed to a network, since an earlier version of holdfast stored them without "
    "its answers and code: they are not used, and the present network is measured itself"
)


def recognised(store: Store, inputs: Inputs) -> tuple[Inputs, tuple[str, ...]]:
    """The inputs under the identity of a network that `store` knows, or of a new one, and notes, which the inputs hold too.

    The network is asked nothing.
    """
    now = inputs.likeness
    place, networks = _placed(store, now)
    notes = [] if inputs.probe.deterministic else [BY_CODE if now.code else BY_WEIGHTS]
    if UNATTRIBUTED in networks:
        notes.append(NOT_ATTRIBUTED)
    others = sorted({str(network["other"]) for network in networks if network.get("other")})
    if others:
        notes.append(
            f"the folder also holds points of a network with the same weights and other {' and '.join(others)}: "
            "they are not used, and the present network is measured itself"
        )
    target = inputs.identity.target if place == 0 else digest(inputs.identity.target, place)
    known = replace(inputs, identity=replace(inputs.identity, target=target), notes=(*inputs.notes, *notes))
    return known, tuple(notes)


def _placed(store: Store, now: Likeness) -> tuple[int, list[dict[str, Any]]]:
    """The number of the network among those in `store`, which is given one if it is new, and all of them."""
    known = _known(store)
    arrays = [store.kept_arrays(_name(place)) or {} for place in range(len(known))]
    apart = {
        place: difference({**arrays[place], "code": network["code"]}, now)
        for place, network in enumerate(known)
        if network != UNATTRIBUTED
    }
    place = next((place for place, other in apart.items() if not other), len(known))
    if place == len(known):
        known = [*known, {"code": dict(now.code), "other": list(apart.values())[-1] if apart else ""}]
        store.keep_arrays(_name(place), **now.arrays)
        store.remember(**{FACT: known})
    elif now.arrays.keys() - arrays[place].keys() or now.code.keys() - known[place]["code"].keys():
        # the first start had less access, or an earlier version looked at less
        store.keep_arrays(_name(place), **{**now.arrays, **arrays[place]})
        known[place] = {**known[place], "code": {**now.code, **known[place]["code"]}}
        store.remember(**{FACT: known})
    return place, known


def _known(store: Store) -> list[dict[str, Any]]:
    """The networks in `store`; where an earlier version stored points and none, their network is not known."""
    stored = store.fact(FACT)
    if not isinstance(stored, list) or not stored:
        return [UNATTRIBUTED] if store.holds_points() else []
    whole = [isinstance(network, dict) and isinstance(network.get("code"), dict) for network in stored]
    return [network if is_whole else UNATTRIBUTED for network, is_whole in zip(stored, whole, strict=True)]


def _name(place: int) -> str:
    return f"network-{place}"
