"""What a network answers with: one tensor of logits, probabilities or labels; anything else is refused with its remedy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import torch
from torch import nn

from holdfast.auditing.loading.adapt import LabelScores
from holdfast.auditing.loading.locate import blame
from holdfast.auditing.loading.two_classes import is_one_number
from holdfast.auditing.probing.containers import refuse_container
from holdfast.core.checks import as_written, check_labels, refuse
from holdfast.core.errors import HoldfastError
from holdfast.data.examples import classes_in

if TYPE_CHECKING:
    from holdfast.core.target import Target
    from holdfast.data import Examples

__all__ = ["LABELS", "Kind", "Understood", "ask", "check_finite_logits", "declare", "look_like_probabilities", "understand"]

ONE_SIZE = 'The program was exported for other shapes: export it with dynamic_shapes=({0: torch.export.Dim("batch", min=1)},).'
SIGMOIDS = (
    "all scores lie between 0 and 1 and rows do not sum to 1: if they come from a sigmoid, return what goes into it, for as logits "
    "they falsify calibration and flatten the gradients that attacks follow"
)
BOTH = 2
ALLOWED = "(examples, classes), two classes or more"
ONE_BATCH = "It is called with one batch alone, network(x): wrap it in a module whose forward takes no more."
LABELS = "the network answers with labels"
Kind = Literal["logits", "probabilities", "labels"]


@dataclass(frozen=True, kw_only=True)
class Understood:
    """A target whose answers are scores (N, classes), whatever it answered with before.

    Parameters
    ----------
    target : asked for scores from now on
    kind : ``"labels"`` if the network names classes, else ``"logits"`` until more rows say otherwise
    classes : number of scores
    notes : for the report
    """

    target: Target
    kind: Kind
    classes: int
    notes: tuple[str, ...] = ()


def ask(target: Target, x: torch.Tensor) -> Any:
    """What `target` answers to `x`, without gradients and before any logarithm; what its code raises is shown as theirs.

    Raises
    ------
    InputError : the network raised; the message gives the batch it was handed
    """
    try:
        with torch.no_grad():
            return replace(target, outputs="logits")(x)
    except HoldfastError:
        raise
    except Exception as error:
        doing = f"your network, given a batch of shape {tuple(x.shape)} in {str(x.dtype).removeprefix('torch.')},"
        text = str(error).lower()
        called = isinstance(error, TypeError) and "positional argument" in text
        hint = ONE_SIZE if "guard failed" in text else ONE_BATCH if called else ""
        raise blame(error, doing=doing, hint=hint) from error


def understand(target: Target, answer: Any, x: torch.Tensor, examples: Examples) -> Understood:
    """How to read the `answer` of `target` to the batch `x`, given the labels of all `examples`.

    Raises
    ------
    InputError : a container instead of a tensor, another number of rows, one number per example, or fewer scores than labels
    """
    if not isinstance(answer, torch.Tensor):
        refuse_container(answer, rows=len(x))
    shape = tuple(answer.shape)
    if not shape or shape[0] != len(x):
        refuse("model", f"answers {len(x)} examples with shape {shape}", allowed="one row of scores per example")
    if answer.numel() == len(x) and not answer.is_floating_point():
        return _named_classes(target, answer.flatten(), examples)
    if is_one_number(answer):
        _refuse_one_number(answer, examples)
    if answer.ndim != 2 or shape[1] < 2:
        _refuse_shape(answer)
    if not answer.is_floating_point():
        word = str(answer.dtype).removeprefix("torch.")
        refuse("model", f"returns {word} scores", allowed="floating point, or one integer label per example")
    _check_numbering(examples, outputs=shape[1])
    check_labels(examples.y, "y", classes=shape[1])
    return Understood(target=target, kind="logits", classes=shape[1], notes=_absent_classes(examples, outputs=shape[1]))


def _refuse_shape(answer: torch.Tensor) -> NoReturn:
    """Refuse scores that are not one row for each example."""
    shape, remedy = tuple(answer.shape), ""
    if answer.ndim > 2:
        single = answer[0].numel() == shape[1]
        remedy = "End its forward with .flatten(1)." if single else "Scores for each place of an input are not supported."
    refuse("model", f"returns shape {shape} for {shape[0]} examples", allowed=ALLOWED, remedy=remedy)


def _refuse_one_number(answer: torch.Tensor, examples: Examples) -> NoReturn:
    """Refuse one number per example where nothing is declared; the remedy depends on the numbers and on the labels."""
    remedy = (
        f"If it is the logit or the probability of class 1, say so: {as_written('outputs', 'binary')}."
        if examples.classes <= BOTH
        else f"One number cannot name one of {examples.classes} classes: return a score for each of them."
    )
    if bool((answer == answer.round()).all() & (answer >= 0).all()):
        remedy += " If it is the number of the class, return it as a whole number, with .long()."
    refuse("model", f"returns one number per example, shape {tuple(answer.shape)}", allowed=ALLOWED, remedy=remedy)


def _check_numbering(examples: Examples, *, outputs: int) -> None:
    """Refuse classes that are numbered by names where the network has another number of outputs."""
    if examples.classes == outputs or examples.numbering == "own":
        return
    names = as_written("classes", "names.txt")
    if examples.numbering == "named":
        refuse(
            "classes",
            f"holds {examples.classes} names and the network has {outputs} outputs",
            allowed="one name for each output, in their order",
            remedy=f"Correct the list, or give one: {names}.",
        )
    refuse(
        "data",
        f"has {examples.classes} classes, numbered by their sorted names, and the network has {outputs} outputs",
        allowed="one class for each output, or a list that says which output is which",
        remedy=f"Give the names of all outputs in their order, one per line: {names}; or, for a folder of images, add an empty "
        "folder for each class that has none.",
    )


def _absent_classes(examples: Examples, *, outputs: int) -> tuple[str, ...]:
    """A note if the data hold no example of some classes."""
    seen = len(examples.y.unique())
    if seen == outputs:
        return ()
    return (f"the network has {outputs} outputs and the data hold examples of {seen} classes: the others are not examined",)


def _named_classes(target: Target, answer: torch.Tensor, examples: Examples) -> Understood:
    classes = max(examples.classes, classes_in(answer, "model", verb="answers with"))
    reachable = target.allows("weights") and isinstance(target.model, nn.Module)
    return Understood(
        target=replace(target, model=LabelScores(target.model, classes), access="weights" if reachable else "labels"),
        kind="labels",
        classes=classes,
        notes=(f"{LABELS}: stresses that need scores or gradients are left out",),
    )


def check_finite_logits(answer: torch.Tensor, target: Target) -> None:
    """Refuse NaN or infinite scores; the message names weights that are not finite either."""
    bad = ~answer.isfinite()
    if not bool(bad.any()):
        return
    weights = target.model.named_parameters() if isinstance(target.model, nn.Module) else ()
    broken = [name for name, value in weights if not bool(value.isfinite().all())]
    rows = int(bad.any(1).sum())
    remedy = (
        f"These weights are not finite: {', '.join(broken[:4])}." if broken else "Its weights are finite: look for overflow inside."
    )
    refuse("model", f"returns NaN or infinite scores for {rows} of {len(answer)} examples", allowed="finite scores", remedy=remedy)


def look_like_probabilities(answer: torch.Tensor) -> bool:
    """True if every row is >= 0 and sums to 1 within the rounding of its dtype (1e-3 at least)."""
    if not answer.is_floating_point() or bool((answer < 0).any()):
        return False
    tolerance = max(1e-3, 8 * torch.finfo(answer.dtype).eps)
    return bool(((answer.double().sum(1) - 1).abs() <= tolerance).all())


def _look_like_sigmoids(answer: torch.Tensor) -> bool:
    """True if every score of at least two different ones lies in [0, 1]."""
    return bool((answer >= 0).all() and (answer <= 1).all() and (answer != answer[0, 0]).any())


def declare(target: Target, answer: torch.Tensor) -> tuple[Target, Kind, tuple[str, ...]]:
    """The target with its outputs declared as what the `answer` looks like, and a note if that is new or they look like sigmoids.

    Raises
    ------
    InputError : probabilities were declared, and the answer holds none
    """
    probable = look_like_probabilities(answer)
    if target.outputs == "probabilities" and not probable:
        low, total = float(answer.min()), float(answer.sum(1)[0])
        got = f"declares probabilities, but a number is {low:.4g} and a row sums to {total:.4g}"
        remedy = "Leave out --outputs (Python: outputs); it is detected automatically."
        refuse("outputs", got, allowed="rows >= 0 that sum to 1", remedy=remedy)
    if not probable:
        return target, "logits", (SIGMOIDS,) if _look_like_sigmoids(answer) else ()
    if target.outputs == "probabilities":
        return target, "probabilities", ()
    note = "rows are >= 0 and sum to 1: the network gives probabilities, and their logarithm is taken as logits"
    return replace(target, outputs="probabilities"), "probabilities", (note,)
