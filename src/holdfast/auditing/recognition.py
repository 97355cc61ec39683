"""Is this the network whose points are stored? Weights and layers do not say it: its code may have been edited.

What a deterministic network answers to a few examples, and its input gradients there, are stored as numbers and compared within
rounding, so that another machine or another number of threads still resumes; the digests of its code lie beside them. A
nondeterministic network is recognised by its weights and its code alone. Points of a network that is not recognised stay in the
folder and are not used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from holdfast.auditing.probing.sounding import device_of, tolerance_of
from holdfast.auditing.sources import source_digests
from holdfast.core.digest import digest
from holdfast.core.errors import HoldfastError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from holdfast.auditing.inputs import Inputs
    from holdfast.core.store import Store
    from holdfast.core.target import Target

__all__ = ["Likeness", "difference", "likeness_of", "recognised"]

EXAMPLES = 8
NUMBERS = 2_000_000  # of all gradients that are stored, 8 MB
FACT = "networks"
BY_CODE = "the network is nondeterministic: stored points are recognised by its weights and its code, not by its answers"
BY_WEIGHTS = "the network is nondeterministic and its code cannot be read: stored points are recognised by its weights alone"


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """What tells a network from another one with the same weights and layers.

    Parameters
    ----------
    arrays : ``answers`` (n, classes) and, where there are any, ``gradients`` (n, ...); empty for a nondeterministic network
    code : digest of each piece of its code, by full name
    tolerance : relative difference that rounding explains
    """

    arrays: Mapping[str, NDArray[np.float32]]
    code: Mapping[str, str]
    tolerance: float


def likeness_of(target: Target, x: torch.Tensor, *, deterministic: bool) -> Likeness:
    """The likeness of `target`, from at most 8 of the examples `x` (N, ...), which count as queries."""
    few = x[: max(1, min(EXAMPLES, NUMBERS // max(1, x[0].numel())))]
    model = target.model
    code = source_digests(model) if isinstance(model, torch.nn.Module) else {}
    return Likeness(arrays=_answers(target, few) if deterministic else {}, code=code, tolerance=tolerance_of(target))


def _answers(target: Target, x: torch.Tensor) -> dict[str, NDArray[np.float32]]:
    """Answers to `x`, and gradients of one fixed mixture of the logits, whose size no saturation hides."""
    if not target.allows("gradients"):
        return _answers_alone(target, x)
    try:
        with torch.inference_mode(mode=False), torch.enable_grad():
            inputs = x.detach().clone().requires_grad_()
            logits = target(inputs)
            mixture = torch.linspace(-1, 1, logits.shape[1], device=logits.device, dtype=logits.dtype)
            (gradients,) = torch.autograd.grad((logits * mixture).sum(), inputs)
    except HoldfastError:
        raise
    except Exception:  # noqa: BLE001 (a network that cannot be differentiated here may fail in any way)
        return _answers_alone(target, x)
    return {"answers": _plain(logits), "gradients": _plain(gradients)}


def _answers_alone(target: Target, x: torch.Tensor) -> dict[str, NDArray[np.float32]]:
    with torch.no_grad():
        return {"answers": _plain(target(x))}


def _plain(values: torch.Tensor) -> NDArray[np.float32]:
    return values.detach().float().cpu().numpy()


def difference(before: Mapping[str, Any], now: Likeness) -> str:
    """In what `now` differs from stored arrays and code: ``"answers"``, ``"gradients"``, ``"code"``, or nothing (empty).

    Gradients of a few examples may differ where rounding moves a maximum or a kink: the median over the examples decides.

    Parameters
    ----------
    before : ``answers``, ``gradients`` and ``code``, as far as they were stored
    now : of the network at hand
    """
    if (before.get("answers") is None) != (not now.arrays):
        return "answers"  # one of the two is nondeterministic, or what was stored is not whole
    if now.arrays and not (_relative(before["answers"], now.arrays["answers"], rows=False) <= now.tolerance).all():
        return "answers"
    if before.get("gradients") is not None and "gradients" in now.arrays:
        apart = np.median(_relative(before["gradients"], now.arrays["gradients"]))
        if not apart <= now.tolerance:
            return "gradients"
    code = before["code"] if isinstance(before["code"], dict) else {}
    return "code" if any(code[name] != now.code[name] for name in code.keys() & now.code.keys()) else ""


def _relative(a: NDArray[np.float32], b: NDArray[np.float32], *, rows: bool = True) -> NDArray[np.float64]:
    """Largest difference of each row of two arrays (n, ...), in units of the largest number in that row or in all rows."""
    if a.shape != b.shape:
        return np.array([np.inf])
    first, second = (np.asarray(part, dtype=np.float64).reshape(len(part), -1) for part in (a, b))
    apart = np.abs(first - second)
    apart[(first == second) | (np.isnan(first) & np.isnan(second))] = 0.0  # equal infinities and NaN are equal
    finite = [np.where(np.isfinite(part), np.abs(part), 0.0).max(1) for part in (first, second)]
    scale = np.maximum(*finite)
    scale = scale if rows else np.full_like(scale, scale.max())
    largest = apart.max(1)
    return np.where(largest == 0, 0.0, largest / np.where(scale > 0, scale, 1.0))


def recognised(store: Store, inputs: Inputs) -> tuple[Inputs, tuple[str, ...]]:
    """The inputs under the identity of a network that `store` knows, or of a new one, and notes, which the inputs hold too."""
    x = inputs.data[:EXAMPLES].x.to(device_of(inputs.target, inputs.data))
    now = likeness_of(inputs.target, x, deterministic=inputs.probe.deterministic)
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
    elif "gradients" in now.arrays and "gradients" not in arrays[place]:  # the first start had less access
        store.keep_arrays(_name(place), **now.arrays)
    return place, sorted({str(entry["other"]) for entry in known if entry.get("other")})


def _name(place: int) -> str:
    return f"network-{place}"
