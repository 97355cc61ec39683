"""What all attacks of an audit share: their sizes, how their finds are kept, their curve."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from holdfast.auditing.batching import rows_per_pass
from holdfast.auditing.stresses.answers import Draws, Passes, judged, measured, passes_of, whole_blocks
from holdfast.core.checks import refuse
from holdfast.core.experiment import Measurement, Summary
from holdfast.core.runs import Runs
from holdfast.core.stress import INPUT_UNITS, ActivePasses, Axis
from holdfast.core.target import predicted_classes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from holdfast.core.experiment import Point
    from holdfast.core.stress import Facts, StressContext
    from holdfast.data import Examples

__all__ = [
    "CHUNK",
    "NORMS",
    "NORM_NAMES",
    "REMEDY",
    "SIZE",
    "Norm",
    "accuracy_curve",
    "attacked",
    "check_sizes",
    "chunk_of",
    "climbs",
    "default_eps",
    "left_standing",
    "middle_eps",
    "nominal_eps",
    "survived",
    "tried",
    "with_pictures",
]

Norm = Literal["linf", "l2", "l1"]
NORMS = ("linf", "l2", "l1")
NORM_NAMES = {"linf": "L-inf", "l2": "L2", "l1": "L1"}
SIZE = Axis()
REMEDY = "Train on attacked inputs: holdfast.nets.fit(..., on_batch=...) with holdfast.attacks.pgd."
SPREADS = (0.0, 0.1, 0.25, 0.5, 1.0)
SHOWN = 6  # examples kept as pictures
CHUNK = 1000  # examples attacked by one call, whatever fits into a pass, so that random starts do not depend on memory


def default_eps(facts: Facts) -> tuple[float, ...]:
    """Attack sizes: 1/255 to 16/255 of the range for images in colour, tenths of it for other inputs, and spreads for tables."""
    if facts.kind == "features":
        return SPREADS
    width = facts.bounds[1] - facts.bounds[0]
    grey = len(facts.shape) != 3 or facts.shape[0] == 1
    steps = (0.0, 0.05, 0.1, 0.2, 0.3) if grey else (0.0, 1 / 255, 2 / 255, 4 / 255, 8 / 255, 16 / 255)
    return tuple(width * step for step in steps)


def middle_eps(facts: Facts) -> float:
    """The middle one of :func:`default_eps`, for attacks that are tried at one size."""
    sizes = default_eps(facts)
    return sizes[len(sizes) // 2]


def nominal_eps(facts: Facts) -> float:
    """The size at which attacks are usually quoted: 8/255 of the range for colour images, otherwise :func:`middle_eps`."""
    colour = len(facts.shape) == 3 and facts.shape[0] == 3
    return 8 / 255 * (facts.bounds[1] - facts.bounds[0]) if colour else middle_eps(facts)


def check_sizes(eps: tuple[float, ...]) -> None:
    """Refuse attack sizes that do not increase from 0 or above."""
    if not eps or any(size < 0 for size in eps) or list(eps) != sorted(set(eps)):
        refuse("eps", f"is {eps}", allowed="increasing sizes >= 0 in units of the input, e.g. (0, 0.1, 0.3)")


def climbs(norm: str, eps: float, *, steps: int, restarts: int = 1) -> tuple[ActivePasses, ...]:
    """The passes of an attack along the gradient with several `restarts`, each for the examples that are still right."""
    if eps <= 0:
        return ()
    first = ActivePasses(norm=norm, eps=eps, forward=steps + 1, backward=steps, steps=steps)
    if restarts == 1:
        return (first,)
    more = steps * (restarts - 1)
    return first, ActivePasses(norm=norm, eps=eps, forward=more, backward=more, steps=more, afterwards=True)


def chunk_of(data: Examples) -> int:
    """How many examples one call attacks: :data:`CHUNK`, or fewer where inputs are large; blocks of a random network stay whole."""
    return whole_blocks(rows_per_pass(data.shape, CHUNK // 4) * 4)


def attacked(context: StressContext, data: Examples, attack: Any) -> Measurement:
    """Accuracy after `attack(x, y, chunk index)`, with the first fooled examples as pictures.

    The attacked inputs of one chunk are held at a time: those of all would take as much memory as the data again, twice.
    """
    target = context.target
    answers: list[tuple[Passes, ...]] = []
    clean: list[torch.Tensor] = []
    pictures: list[torch.Tensor] = []
    chunk = chunk_of(data)
    for index, (x, y) in enumerate(data.batches(chunk)):
        context.check_time()
        adversarial = attack(x.to(context.device), y.to(context.device), index).x_adv.cpu()
        context.tick(min(1.0, (index + 1) * chunk / len(data)))
        first = index * chunk
        answers.append(tried(context, adversarial, first=first))
        clean.append(predicted_classes(passes_of(target, x, context, first=first).logits))
        fooled = (predicted_classes(answers[-1][0].logits) != y.cpu()) & (clean[-1] == y.cpu())
        pictures.append(adversarial[fooled][: SHOWN - sum(len(part) for part in pictures)].clone())
    found, before = survived([Passes.joined(kind) for kind in zip(*answers, strict=True)], data.y), torch.cat(clean)
    rows = np.flatnonzero(~found.arrays["correct"] & (before == data.y.cpu()).numpy())[:SHOWN]
    return with_pictures(found, data, torch.cat(pictures), rows, before=before.numpy())


def tried(context: StressContext, adversarial: torch.Tensor, *, first: int = 0) -> tuple[Passes, ...]:
    """What the target answers to the inputs `adversarial` (n, ...) that an attack made of the rows from `first` on.

    Returns
    -------
    the passes that count; of a random network also independent ones, by which attacks are compared, so that the one that is taken
    for the worst did not merely meet the most unlucky draw
    """
    kinds: tuple[Draws, ...] = ("answers",) if context.target.samples == 1 else ("answers", "selection")
    return tuple(passes_of(context.target, adversarial, context, first=first, draws=kind) for kind in kinds)


def survived(tries: Sequence[Passes], y: torch.Tensor) -> Measurement:
    """What the `tries` (:func:`tried`) of examples with labels `y` (n,) say; `selection` holds margins in independent passes."""
    found = judged(tries[0], y)
    if len(tries) == 1:
        return found
    apart = measured(tries[1].logits, y)
    return replace(found, arrays={**found.arrays, "selection": apart.arrays["margin"]})


def left_standing(tries: Iterable[tuple[NDArray[np.bool_], NDArray[np.floating] | None]], n: int) -> NDArray[np.bool_]:
    """Which of `n` examples no attack fooled; of a random network the attack counts that left an example the smallest margin.

    Parameters
    ----------
    tries : for each attack which of the first examples are right, and their margins in independent passes (None: not random)
    n : number of examples
    """
    left, least = np.ones(n, dtype=bool), np.full(n, np.inf)
    for right, selection in tries:
        if selection is None:
            left[: len(right)] &= right
            continue
        margin = np.nan_to_num(selection, nan=-np.inf)
        worse = np.flatnonzero(margin < least[: len(margin)])
        left[worse], least[worse] = right[worse], margin[worse]
    return left


def with_pictures(
    found: Measurement, data: Examples, stressed: torch.Tensor, rows: NDArray[Any], *, before: NDArray[Any]
) -> Measurement:
    """`found` with pictures of the first of the examples `rows`: as they were, and as they are `stressed`.

    Parameters
    ----------
    found : measured on `data`
    stressed : tensor (n, ...), one input for each of at least the first 6 of `rows`
    rows : array, places in `data`
    before : array (len(data),), what the target answered to the data
    """
    rows = rows[:SHOWN]
    if not len(rows) or len(data.shape) != 3 or data.shape[0] not in {1, 3}:
        return found
    shown = {
        "shown_index": rows,
        "shown_clean": data[torch.from_numpy(rows)].x.cpu().numpy(),
        "shown_stressed": stressed[:SHOWN].numpy(),
        "shown_before": before[rows],
    }
    return Measurement(estimates=found.estimates, arrays={**found.arrays, **shown}, details=found.details)


def accuracy_curve(name: str, measurements: Sequence[tuple[Point, Measurement]]) -> Summary:
    """Accuracy against attack size."""
    return Summary(curves=Runs(measurements).curve(name, over="eps", unit=INPUT_UNITS))
