"""The first seconds with a network: what is it, and is it what the user takes it for.

Most failed robustness studies fail here: normalisation missing or applied twice, probabilities taken for logits, a network in
training mode, gradients cut off. What makes every later figure wrong is refused; what limits it is noted. Nothing is changed: the
probe hands back the target as it has to be used from now on.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from holdfast.auditing.probing.numbering import check_order
from holdfast.auditing.probing.plausibility import better_normalisation, check_accuracy, check_answers, check_inputs, check_mode
from holdfast.auditing.probing.sounding import sound
from holdfast.core.digest import jsonable
from holdfast.core.estimate import Estimate, proportion
from holdfast.core.target import predicted_classes
from holdfast.data.examples import chance_level
from holdfast.nets import device_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.auditing.probing.sounding import Sounding
    from holdfast.core.target import Target
    from holdfast.data import Examples

__all__ = ["Probe", "probe"]

EXAMPLES = 256


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
    stochastic : two passes differ by more than rounding explains (1e-4, more in 16 bit)
    outputs_look_like : ``"logits"``, ``"probabilities"`` or ``"labels"``
    has_gradients : a gradient reaches the input; None if the access level asks for none
    why_no_gradients : why none does where one is asked for; empty if one does
    gradients_finite : it holds no NaN or infinity
    saturated : share of examples whose input gradient is zero, denormal or not finite
    t_forward : forward pass, in s per example, median
    t_backward : backward pass on top of it, in s per example, median; 0 if there is none
    accuracy : clean, on up to 256 examples
    threads : of torch, on which both passes were timed
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
    stochastic: bool
    outputs_look_like: Literal["logits", "probabilities", "labels"]
    has_gradients: bool | None
    why_no_gradients: str
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
    untrained: str = "",
    columns: Sequence[str] = (),
    seed: int = 0,
    threads: int | None = None,
) -> Probe:
    """Look at `target` for a few seconds, on up to 256 stratified `examples`.

    Parameters
    ----------
    target : from :func:`~holdfast.auditing.loading.target.load_target`, or made by hand; unchanged
    examples : evaluation data in the target's bounds
    expect_accuracy : what the user knows to be right, in [0, 1]; more than 5 points less is refused
    allow_low_accuracy : note instead of refusing
    untrained : what to do if the network turns out to be no better than chance because its weights are not the trained ones
    columns : names of the features of a table, for the refusal of an accuracy that another order would explain
    seed : of the choice of examples, and of a nondeterministic network
    threads : of torch; default: 1 or torch's own number, whichever a short probe finds faster

    Returns
    -------
    Probe. Use its `target` from then on.

    Raises
    ------
    InputError : inputs that are not finite or outside the bounds; a network in training mode; an answer that is not a table of
        finite scores, or has fewer columns than there are labels; classes in another order; an accuracy near chance, below what was
        expected, or clearly better under another normalisation
    """
    check_mode(target)
    notes = check_inputs(target, examples)
    asked_before = target.queries.count
    rows = examples.stratified(EXAMPLES, seed=seed).to(device_of(target, default=examples.y.device))
    seen = sound(target, rows, examples, seed=seed, threads=threads)
    classes = seen.answer.shape[1]
    named = predicted_classes(seen.answer)
    correct = named == rows.y
    order = check_order(named, rows, outputs=classes, allow=allow_low_accuracy)
    notes = (*notes, *check_answers(named, rows.y), *order)
    accuracy = proportion(int(correct.sum()), len(rows))
    # beside noise of a fixed size a larger input is easier to recognise, so for a random network this proves nothing
    alternative = None if seen.stochastic else better_normalisation(seen.declared, rows, correct, seconds=seen.t_forward)
    chance = chance_level(examples.y, classes)
    doubts = check_accuracy(
        accuracy,
        chance=chance,
        expected=expect_accuracy,
        alternative=alternative,
        untrained=untrained,
        columns=columns,
        allow=allow_low_accuracy,
    )
    return Probe(
        target=seen.target,
        notes=(*notes, *seen.notes, *doubts),
        dtype=str(seen.answer.dtype).removeprefix("torch."),
        input_shape=tuple(rows.x.shape[1:]),
        logits_shape=tuple(seen.answer.shape),
        classes=classes,
        finite=True,
        outputs_look_like=seen.kind,
        accuracy=accuracy,
        queries=target.queries.count - asked_before,
        **_of_behaviour(seen),
        **_of_gradients(seen),
    )


def _of_behaviour(seen: Sounding) -> dict[str, Any]:
    """The facts of a probe that are about repeated passes and their time, under the same names."""
    return {name: getattr(seen, name) for name in ("batch_invariant", "deterministic", "stochastic", "t_forward", "threads")}


def _of_gradients(seen: Sounding) -> dict[str, Any]:
    """What a probe says of the gradients in the input."""
    slope = seen.gradients if seen.gradients is not None and seen.gradients.exist else None
    return {
        "has_gradients": None if seen.gradients is None else seen.gradients.exist,
        "why_no_gradients": "" if seen.gradients is None else seen.gradients.reason,
        "gradients_finite": slope.finite if slope else None,
        "saturated": proportion(slope.saturated, slope.n) if slope else None,
        "t_backward": max(0.0, slope.seconds - seen.t_forward) if slope else 0.0,
    }
