"""Is it plausible: evaluation mode, inputs in their range, and the clean accuracy that the network should have.

A low accuracy is the sign of the commonest mistake: normalisation is missing or applied twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from holdfast.auditing.batching import rows_per_pass
from holdfast.core.checks import as_range, as_written, check_finite, check_within, refuse
from holdfast.core.errors import QueryBudgetError
from holdfast.core.estimate import Estimate, mcnemar, proportion
from holdfast.nets import InFeatureUnits, Normalized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.core.target import Target
    from holdfast.data import Examples

__all__ = ["Alternative", "better_normalisation", "check_accuracy", "check_answers", "check_inputs", "check_mode"]

TIMES_CHANCE, ENOUGH = 1.5, 0.75  # the second is the first for two classes of equal size, and all that is asked of unequal ones
SHORTFALL = 0.05
GAIN, SIGNIFICANCE = 0.05, 1e-3
BARELY = "its accuracy is not significantly above chance, which the largest class alone gives"
SECONDS, FEWEST = 2.0, 32
SHOWN = 4  # columns in a hint
PART = 1024  # rows looked at together
WITHOUT = "without --normalize (Python: normalize), because the network normalises its own input"


def check_mode(target: Target) -> None:
    """Refuse a network in training mode."""
    if isinstance(target.model, nn.Module) and target.model.training:
        refuse(
            "model",
            "is in training mode, where dropout and batch normalisation falsify every figure",
            allowed="evaluation mode",
            remedy="Call model.eval() first, or let load_target do it.",
        )


def check_inputs(target: Target, examples: Examples) -> tuple[str, ...]:
    """Refuse inputs that are not finite or outside the declared range; a note if they fill little of it."""
    ends = []
    rows = rows_per_pass(examples.shape, PART)
    for begin in range(0, len(examples), rows):
        x = examples[begin : begin + rows].x
        check_finite(x, "data", first=begin)
        ends += [float(x.min()), float(x.max())]
    (low, high), (least, most) = target.bounds, (min(ends), max(ends))
    if least < low or most > high:
        refuse(
            "data",
            f"has values in [{least:.4g}, {most:.4g}]",
            allowed=f"the range ({low:g}, {high:g})",
            remedy=f"If these inputs are normalised, pass raw ones and {as_written('normalize', 'mean,std')}; otherwise declare "
            f"their range: {as_range(least, most)}.",
        )
    if most - least < (high - low) / 10 and x.is_floating_point():
        return (f"the data lie in [{least:.4g}, {most:.4g}], a small part of the declared range ({low:g}, {high:g}): is it right?",)
    return ()


def check_answers(named: torch.Tensor, y: torch.Tensor) -> tuple[str, ...]:
    """A note if the classes `named` (n,), -1 for none, are one and the same although the labels `y` (n,) differ."""
    if int(named[0]) >= 0 and bool((named == named[0]).all()) and bool((y != y[0]).any()):
        return (f"the network gives class {int(named[0])} to all {len(named)} examples of the probe",)
    return ()


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """Another normalisation, and how well the network does with it.

    Parameters
    ----------
    advice : what to change in the call
    accuracy : on the same examples
    gain : over the declared normalisation
    p : of the exact McNemar test of the two
    """

    advice: str
    accuracy: Estimate
    gain: float
    p: float

    @property
    def praise(self) -> str:
        """How much better it does, as a clause."""
        return f"it is right on {self.accuracy} {self.advice}"


def better_normalisation(target: Target, examples: Examples, correct: torch.Tensor, *, seconds: float = 0.0) -> Alternative | None:
    """The normalisation under which the network does best, if that is better than as declared; None otherwise.

    Tried are, for a network without declared normalisation, the [-1, 1], [0, 255], and the data's own mean and standard deviation
    (of the features of a table each its own); for one with it, none. Only modules are asked: a service behind a callable expects
    inputs in its bounds.

    Parameters
    ----------
    target : the network as declared
    examples : with which it was asked
    correct : boolean (n,), its answers so far
    seconds : per example of a forward pass; fewer examples are asked where all would take longer than 2 s
    """
    if not isinstance(target.model, nn.Module) or not target.allows("gradients") or not examples.x[:1].is_floating_point():
        return None
    n = max(FEWEST, int(SECONDS / max(3 * seconds, 1e-9)))
    examples, correct = examples[:n], correct[:n]
    rows = rows_per_pass(examples.shape, 64)
    best: Alternative | None = None
    for advice, model in _alternatives(target.model, examples.x):
        other = replace(target, model=model)
        try:
            with torch.no_grad():
                right = torch.cat([other.labels(x) == y for x, y in examples.batches(rows)])
        except QueryBudgetError:
            raise
        except Exception:  # noqa: BLE001, S112 (a network may refuse inputs that it was not made for in any way: it is not they)
            continue
        accuracy = proportion(int(right.sum()), len(right))
        gain = (int(right.sum()) - int(correct.sum())) / len(right)
        if gain > 0 and (best is None or gain > best.gain):
            best = Alternative(advice=advice, accuracy=accuracy, gain=gain, p=mcnemar(correct.cpu().numpy(), right.cpu().numpy()))
    return best


def _alternatives(model: nn.Module, x: torch.Tensor) -> list[tuple[str, nn.Module]]:
    """Other normalisations, each with the advice that leads to it."""
    if isinstance(model, InFeatureUnits):
        return _other_features(model)
    if isinstance(model, Normalized):
        return [(WITHOUT, model.model)]
    over = [0, *range(2, x.ndim)]
    mean, std = (x.mean(over), x.std(over)) if x.ndim > 2 else (x.mean()[None], x.std()[None])
    tried = [([0.5], [0.5]), ([0.0], [1 / 255]), (mean.tolist(), std.clamp_min(1e-6).tolist())]
    return [(_normalised(m, s), Normalized(model, m, s).to(x.device)) for m, s in tried]


def _other_features(model: InFeatureUnits) -> list[tuple[str, nn.Module]]:
    """The features of a table without a normalisation that is declared, else in units of their spread."""
    if isinstance(model.model, Normalized):
        return [(WITHOUT, InFeatureUnits(model.model.model, model.units))]
    mean, spread = model.mean.tolist(), model.spread.tolist()
    inside = Normalized(model.model, mean, spread).to(model.mean.device)
    return [(_normalised(mean, spread, digits=6), InFeatureUnits(inside, model.units))]


def _normalised(mean: Sequence[float], std: Sequence[float], *, digits: int = 4) -> str:
    return f"with {as_written('normalize', ','.join(f'{number:.{digits}g}' for number in (*mean, *std)))}"


def check_accuracy(
    accuracy: Estimate,
    *,
    chance: float,
    expected: float | None = None,
    alternative: Alternative | None = None,
    untrained: str = "",
    columns: Sequence[str] = (),
    allow: bool = False,
) -> tuple[str, ...]:
    """Refuse an accuracy near chance, more than 5 points below what was expected, or clearly better if normalised otherwise.

    Clearly means by more than 5 points and with p < 0.001; a smaller significant gain is a note, and so is an accuracy that is not
    significantly above chance where one class is so large that chance itself is high.

    Parameters
    ----------
    accuracy : clean
    chance : the accuracy of guessing (:attr:`holdfast.data.Examples.chance`); the least accuracy is 1.5 times that, 0.75 at most
    expected : what the user knows to be right
    alternative : from :func:`better_normalisation`; makes the hint precise
    untrained : what to do if the weights are not the trained ones; the first suspicion about an accuracy that chance gives, too
    columns : names of the features of a table, which may stand in another order than the network's inputs
    allow : give the sentence back as a note instead of refusing
    """
    if expected is not None:
        check_within(expected, "expect_accuracy", low=0, high=1)
    least = min(TIMES_CHANCE * chance, ENOUGH)
    notes = () if accuracy.lo > chance else (f"{BARELY}: {accuracy} against {chance:.3g}",)
    got = f"is right on {accuracy} of {accuracy.n} examples"
    better = alternative is not None and alternative.p <= SIGNIFICANCE
    hint = _hint(alternative if better else None, untrained if accuracy.lo <= chance else "", columns)
    if accuracy.value < least:
        allowed = f"at least {least:.2g}" + (", 1.5 times chance" if TIMES_CHANCE * chance <= ENOUGH else "")
    elif expected is not None and accuracy.value < expected - SHORTFALL:
        allowed = f"the expected {expected:g}, less 0.05 at most"
    elif alternative is None or not better:
        return notes
    elif alternative.gain > GAIN:
        allowed = "the normalisation that the network was trained with"
    else:
        return (f"is the normalisation the one that the network was trained with? {alternative.praise}", *notes)
    if allow:
        return (f"the network {got}; expected was {allowed}", hint)
    return refuse("model", got, allowed=allowed, remedy=f"{hint}. To go on nevertheless: {as_written('allow_low_accuracy')}.")


def _hint(alternative: Alternative | None, untrained: str, columns: Sequence[str]) -> str:
    """The likeliest cause of a low accuracy first; `alternative` is a normalisation that does clearly better."""
    if alternative is not None:
        return f"Normalisation is probably missing or applied twice: {alternative.praise}"
    see = f"normalisation is missing or applied twice: see {as_written('normalize', 'mean,std')}"
    if columns:
        named = ", ".join(columns[:SHOWN]) + (" ..." if len(columns) > SHOWN else "")
        see = f"the columns ({named}) stand in another order than the network's inputs, or {see}"
    return f"{untrained} Or {see}" if untrained else f"Perhaps {see}"
