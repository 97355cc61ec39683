"""What tells a network from another one with the same weights and layers: what it answers, its input gradients, its code."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from holdfast.auditing.probing.sounding import tolerance_of
from holdfast.auditing.sources import source_digests
from holdfast.core.errors import HoldfastError
from holdfast.core.seeds import Seeds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from holdfast.core.target import Target

__all__ = ["Likeness", "difference", "likeness_of"]

EXAMPLES = 8
NUMBERS = 2_000_000  # of the gradients at clean examples that are stored, 8 MB
NOISY = "noisy_"
REFUSED = np.full((1, 1), np.nan, dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """What tells a network from another one with the same weights and layers.

    Parameters
    ----------
    arrays : ``answers`` (n, classes) and, where there are any, ``gradients`` (n, ...) at clean examples, and the same beside them
        as ``noisy_answers`` and ``noisy_gradients``; empty for a nondeterministic network
    code : digest of each piece of its code, by full name
    tolerance : relative difference that rounding explains
    """

    arrays: Mapping[str, NDArray[np.float32]]
    code: Mapping[str, str]
    tolerance: float


def likeness_of(target: Target, x: torch.Tensor, *, deterministic: bool) -> Likeness:
    """The likeness of `target`, from at most 8 of the examples `x` (N, ...), clean and with noise, which count as queries."""
    few = x[: max(1, min(EXAMPLES, NUMBERS // max(1, x[0].numel())))]
    model = target.model
    code = source_digests(model) if isinstance(model, torch.nn.Module) else {}
    return Likeness(arrays=_arrays(target, few) if deterministic else {}, code=code, tolerance=tolerance_of(target))


def _arrays(target: Target, x: torch.Tensor) -> dict[str, NDArray[np.float32]]:
    """Answers and gradients at `x`, and beside it, since an edit may change answers nowhere but off the clean inputs."""
    clean = _answers(target, x)
    try:
        noisy = _answers(target, _beside(x, target.bounds))
    except Exception:  # noqa: BLE001 (a network may refuse such inputs in any way; that it does is part of its likeness)
        noisy = {"answers": REFUSED}
    return {**clean, **{f"{NOISY}{name}": array for name, array in noisy.items()}}


def _beside(x: torch.Tensor, bounds: tuple[float, float]) -> torch.Tensor:
    """`x` (n, ...) with the same noise on every call, from half of the width of the `bounds` in the first row to 1/256 of it.

    Of integers each place takes its token from another row, so that there is none that the network does not know.
    """
    if not x.is_floating_point():
        rows = Seeds(0).numpy("likeness").integers(len(x), size=(len(x), x.shape[-1]))
        return x.gather(0, torch.from_numpy(rows).to(x.device).reshape(len(x), *[1] * (x.ndim - 2), -1).expand_as(x))
    low, high = bounds
    width = high - low if math.isfinite(high - low) else 1.0
    sizes = width * np.geomspace(0.5, 1 / 256, len(x)).reshape(-1, *[1] * (x.ndim - 1))
    noise = sizes * Seeds(0).numpy("likeness").uniform(-1, 1, tuple(x.shape))
    return (x + torch.from_numpy(noise).to(x)).clamp(low, high)


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
    before : the arrays and the ``code``, as far as they were stored
    now : of the network at hand
    """
    if (before.get("answers") is None) != (not now.arrays):
        return "answers"  # one of the two is nondeterministic, or what was stored is not whole
    for place in ("", NOISY):
        answers, gradients = f"{place}answers", f"{place}gradients"
        if _both(answers, before, now) and not (_apart(answers, before, now, rows=False) <= now.tolerance).all():
            return "answers"
        if _both(gradients, before, now) and not np.median(_apart(gradients, before, now)) <= now.tolerance:
            return "gradients"
    code = before["code"] if isinstance(before["code"], dict) else {}
    return "code" if any(code[name] != now.code[name] for name in code.keys() & now.code.keys()) else ""


def _both(name: str, before: Mapping[str, Any], now: Likeness) -> bool:
    return before.get(name) is not None and name in now.arrays


def _apart(name: str, before: Mapping[str, Any], now: Likeness, *, rows: bool = True) -> NDArray[np.float64]:
    return _relative(before[name], now.arrays[name], rows=rows)


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
