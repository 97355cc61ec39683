"""The first seconds with a network: what is it, and is it what the user takes it for.

Most failed robustness studies fail here: normalisation missing or applied twice, probabilities taken for logits, a network in
training mode, gradients cut off. What makes every later figure wrong is refused; what limits it is noted. Nothing is changed: the
probe hands back the target as it has to be used from now on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from holdfast.auditing import behaviour
from holdfast.auditing.outputs import ask, check_finite_logits, declare, understand
from holdfast.auditing.plausibility import better_normalisation, check_accuracy
from holdfast.core.checks import check_finite, refuse
from holdfast.core.digest import jsonable
from holdfast.core.estimate import Estimate, proportion
from holdfast.nets import seeded

if TYPE_CHECKING:
    from holdfast.auditing.behaviour import Gradients, Steadiness
    from holdfast.auditing.outputs import Kind
    from holdfast.core.target import Target
    from holdfast.data import Examples

__all__ = ["Probe", "probe"]

EXAMPLES, FEW = 256, 8
TOLERANCE = 1e-4  # relative, in float32; in 16 bit a few units of rounding
REPEATED = 1e-6  # relative; the order of sums may change between passes on a GPU
SATURATED = 0.01
SECONDS_FOR_ALTERNATIVES = 2.0


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What the first seconds showed.

    Parameters
    ----------
    target : the target as it has to be used: outputs declared, access lowered to what it really gives
    notes : one sentence each, for the report
    dtype : of the answers
    input_shape : of one example
    logits_shape : of the answers to the probed examples, (n, classes)
    classes : number of scores
    finite : all answers are
    batch_invariant : an example gets the same answer alone as in a batch, to 1e-4; None if chance hides it
    deterministic : two passes agree to 1e-6
    outputs_look_like : ``"logits"``, ``"probabilities"`` or ``"labels"``
    has_gradients : a gradient reaches the input; None if the access level asks for none
    gradients_finite : it holds no NaN or infinity
    saturated : share of examples whose input gradient is zero, denormal or not finite
    t_forward : forward pass, in s per example, median
    t_backward : backward pass on top of it, in s per example, median; 0 if there is none
    accuracy : clean, on up to 256 examples
    threads : of torch
    queries : examples that the network was asked about
    """

    target: Target
    notes: tuple[str, ...]
    dtype: str
    input_shape: tuple[int, ...]
    logits_shape: tuple[int, ...]
    classes: int
    finite: bool
    batch_invariant: bool | None
    deterministic: bool
    outputs_look_like: Kind
    has_gradients: bool | None
    gradients_finite: bool | None
    saturated: Estimate | None
    t_forward: float
    t_backward: float
    accuracy: Estimate
    threads: int
    queries: int

    def to_json(self) -> dict[str, Any]:
        """All facts as plain JSON types; of the target its access level and outputs."""
        facts = {entry.name: jsonable(getattr(self, entry.name)) for entry in fields(self) if entry.name != "target"}
        return {**facts, "access": self.target.access, "outputs": self.target.outputs}


def probe(
    target: Target,
    examples: Examples,
    *,
    expect_accuracy: float | None = None,
    allow_low_accuracy: bool = False,
    seed: int = 0,
) -> Probe:
    """Look at `target` for a few seconds, on up to 256 stratified `examples`.

    Parameters
    ----------
    target : from :func:`~holdfast.auditing.load.load_target`, or made by hand; unchanged
    examples : evaluation data in the target's bounds
    expect_accuracy : what the user knows to be right, in [0, 1]; more than 5 points less is refused
    allow_low_accuracy : note instead of refusing
    seed : of the choice of examples, and of a network that answers by chance

    Returns
    -------
    Probe. Use its `target` from then on.

    Raises
    ------
    InputError : inputs that are not finite or outside the bounds; a network in training mode; an answer that is no table of finite
        scores, or has fewer columns than there are labels; an accuracy near chance, below what was expected, or clearly better
        under another normalisation

    Examples
    --------
    >>> from holdfast.auditing.load import load_target
    >>> from holdfast.data import load_images
    >>> from holdfast.nets import fit, mlp
    >>> net = mlp(64, hidden=(32,))
    >>> _ = fit(net, load_images("digits"), epochs=5, lr=1e-2)
    >>> found = probe(load_target(net).target, load_images("digits", "test"))
    >>> found.outputs_look_like, found.has_gradients, found.deterministic
    ('logits', True, True)
    """
    _check_mode(target)
    notes = list(_check_inputs(target, examples))
    asked_before = target.queries.count
    rows = examples.stratified(EXAMPLES, seed=seed).to(_device(target, examples))
    few = rows.x[:FEW]
    with seeded(seed, rows.x.device):
        understood = understand(target, ask(target, few), few, examples)
        steady = behaviour.steadiness(understood.target, few)
        answer, t_forward = behaviour.answers(understood.target, rows.x, steady.seconds)
        check_finite_logits(answer, understood.target)
        declared, kind, said = (
            declare(understood.target, answer) if understood.kind == "logits" else (understood.target, "labels", ())
        )
        lowered, gradients = _gradients(declared, rows, t_forward)
        correct = answer.argmax(1) == rows.y
        part = min(len(rows), max(4 * FEW, int(SECONDS_FOR_ALTERNATIVES / max(3 * t_forward, 1e-9))))
        alternative = better_normalisation(declared, rows[:part], correct[:part])
    accuracy = proportion(int(correct.sum()), len(rows))
    notes += [*understood.notes, *said, *_remarks(steady, gradients, tolerance := _tolerance(target))]
    notes += check_accuracy(
        accuracy, classes=understood.classes, expected=expect_accuracy, alternative=alternative, allow=allow_low_accuracy
    )
    return Probe(
        target=lowered,
        notes=tuple(notes),
        dtype=str(answer.dtype).removeprefix("torch."),
        input_shape=tuple(rows.x.shape[1:]),
        logits_shape=tuple(answer.shape),
        classes=understood.classes,
        finite=True,
        batch_invariant=steady.alone <= tolerance if steady.repeated <= REPEATED else None,
        deterministic=steady.repeated <= REPEATED,
        outputs_look_like=kind,
        has_gradients=gradients.exist if gradients else None,
        gradients_finite=gradients.finite if gradients and gradients.exist else None,
        saturated=proportion(gradients.saturated, gradients.n) if gradients and gradients.exist else None,
        t_forward=t_forward,
        t_backward=max(0.0, gradients.seconds - t_forward) if gradients and gradients.exist else 0.0,
        accuracy=accuracy,
        threads=torch.get_num_threads(),
        queries=target.queries.count - asked_before,
    )


def _check_mode(target: Target) -> None:
    if isinstance(target.model, nn.Module) and target.model.training:
        refuse(
            "model",
            "is in training mode, where dropout and batch normalisation falsify every figure",
            allowed="evaluation mode",
            remedy="Call model.eval() first, or let load_target do it.",
        )


def _check_inputs(target: Target, examples: Examples) -> tuple[str, ...]:
    """Refuse inputs that are not finite or outside the declared range; a note if they fill little of it."""
    check_finite(examples.x, "data")
    (low, high), (least, most) = target.bounds, (float(examples.x.min()), float(examples.x.max()))
    if least < low or most > high:
        refuse(
            "data",
            f"has values in [{least:.4g}, {most:.4g}]",
            allowed=f"the declared range ({low:g}, {high:g})",
            remedy=f"Pass raw inputs and the normalisation by --normalize mean,std, or declare --range {least:.4g},{most:.4g}.",
        )
    if most - least < (high - low) / 10:
        return (f"the data lie in [{least:.4g}, {most:.4g}], a small part of the declared range ({low:g}, {high:g}): is it right?",)
    return ()


def _device(target: Target, examples: Examples) -> torch.device:
    """Where the network lies; a plain callable gets the data where they are."""
    weight = next(target.model.parameters(), None) if isinstance(target.model, nn.Module) else None
    return examples.x.device if weight is None else weight.device


def _tolerance(target: Target) -> float:
    """The relative difference that rounding explains: 1e-4, or a few units of rounding of the coarsest weights."""
    weights = target.model.parameters() if isinstance(target.model, nn.Module) else ()
    coarsest = max((torch.finfo(weight.dtype).eps for weight in weights if weight.is_floating_point()), default=0.0)
    return max(TOLERANCE, 8 * coarsest)


def _gradients(target: Target, rows: Examples, seconds: float) -> tuple[Target, Gradients | None]:
    """Input gradients, where the access level asks for them; without any, the access falls to scores."""
    if not target.allows("gradients"):
        return target, None
    n = behaviour.batch_size(rows.x, 3 * seconds)  # a backward pass costs about two forward passes
    found = behaviour.input_gradients(target, rows.x[:n], rows.y[:n])
    return (target if found.exist else replace(target, access="scores")), found


def _remarks(steady: Steadiness, gradients: Gradients | None, tolerance: float) -> list[str]:
    """What limits the figures to come, one sentence each."""
    said = []
    if steady.repeated > REPEATED:
        said.append(f"two passes differ by {steady.repeated:.2g}: the network answers by chance, and attacks must average over it")
    elif math.isinf(steady.alone):
        said.append("the network refuses a batch of one: points that come down to one example will fail")
    elif steady.alone > tolerance:
        said.append(
            f"an example alone gets another answer than in a batch (by {steady.alone:.2g}): figures depend on the batch size"
        )
    if gradients is None:
        return said
    if not gradients.exist:
        said.append(f"{gradients.reason}; access is lowered to scores, and stresses that need more are left out")
    elif not gradients.finite:
        said.append("input gradients hold NaN or infinity: gradient attacks will look weaker than they are")
    elif gradients.saturated > SATURATED * gradients.n:
        share = f"{gradients.saturated} of {gradients.n} examples"
        said.append(f"the input gradient is zero on {share}: saturated logits look like robustness without being it")
    return said
