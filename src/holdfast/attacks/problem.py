"""The checked problem of an attack, posed once at the door."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from holdfast.attacks.precision import at_least_single, rounded_toward
from holdfast.attacks.projection import Ball, make_ball, make_box, perturbation_norm
from holdfast.core.checks import check_finite, check_labels, check_same_length, refuse
from holdfast.core.target import Target, as_target

if TYPE_CHECKING:
    from holdfast.attacks.threat import ThreatModel
    from holdfast.core.target import Access

__all__ = ["Problem", "invalid", "looks_like_probabilities", "pose", "warn_of_invalid"]

PROBE_ROWS = 8


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A checked problem: find, for each row of `x`, an allowed input that the target answers wrongly.

    Parameters
    ----------
    target : the network
    x : tensor (N, ...), inside the box, contiguous, in single precision at least
    y : tensor (N,), the right classes
    goal : tensor (N,), the classes to be reached, or None
    threat : norm, radius, box and mask; everything else about them is derived from it
    dtype : of the inputs that the target takes, and of those that an attack gives back
    """

    target: Target
    x: torch.Tensor
    y: torch.Tensor
    goal: torch.Tensor | None
    threat: ThreatModel
    dtype: torch.dtype

    def ask(self, rows: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Answers (k n, ...) of the target to `inputs` (k n, ...), which are k views of the examples `rows` (n,).

        The target gets them in its precision, as :meth:`returned` would return them; its scores come back in single precision at
        least.
        """
        views = len(inputs) // max(1, len(rows))
        return at_least_single(self.target(self.returned(rows.repeat(views) if views > 1 else rows, inputs)))

    def returned(self, rows: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """The `inputs` (n, ...) of the examples `rows` (n,) in the user's precision, rounded toward the examples."""
        return inputs if inputs.dtype == self.dtype else rounded_toward(inputs, self.x[rows], self.dtype)

    @cached_property
    def eps(self) -> torch.Tensor:
        """Radii (N,) in the dtype and on the device of `x`."""
        return self.threat.eps_per_example(self.x)

    def of_rows(self, rows: torch.Tensor) -> Problem:
        """The same problem for the examples `rows` (indices or boolean) alone."""
        goal = None if self.goal is None else self.goal[rows]
        return replace(self, x=self.x[rows], y=self.y[rows], goal=goal, threat=self.threat.of_rows(rows))

    def ball(self, rows: torch.Tensor, *, scale: int = 1) -> Ball:
        """The allowed inputs around the examples `rows` (n,), with `scale` times their radii."""
        threat = self.threat.of_rows(rows) if scale == 1 else replace(self.threat, eps=scale * self.eps[rows])
        return make_ball(self.x[rows], threat)

    def box(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The smallest and the largest value (n, ...) of each coordinate of the examples `rows` (n,), whatever the radius."""
        return make_box(self.x[rows], self.threat)

    def distance(self, rows: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """How far (n,) the `inputs` (n, ...) are from their examples `rows` (n,), in the norm of the threat model."""
        return perturbation_norm(inputs - self.x[rows], self.threat.norm)

    def fooled(self, logits: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Boolean (len(rows),): the answers `logits` to the examples `rows` reach the attacker's goal, or are invalid.

        An answer with NaN or infinity counts as not robust; see :func:`invalid`.
        """
        answer = logits.argmax(1)
        hit = answer != self.y[rows] if self.goal is None else answer == self.goal[rows]
        return hit | invalid(logits)

    def probe(self, *, samples: int = 1) -> int:
        """Number of classes, after two passes over a few rows have shown that the target is fit to be attacked.

        An attack that averages several `samples` of each answer, or whose target does, is not warned of randomness.
        """
        rows = torch.arange(len(self.x[:PROBE_ROWS]), device=self.x.device)
        once = replace(self, target=replace(self.target, samples=1))  # probabilities are not recognised in a mean of several passes
        with torch.no_grad():
            first, second = (once.ask(rows, self.x[rows]) for _ in range(2))
        classes = self.examine(first, len(rows))
        alike = torch.allclose(first, second, rtol=1e-4, atol=1e-5 * float(first.abs().max()))
        if samples == self.target.samples == 1 and not alike:
            warnings.warn(
                "The model answers differently on two passes over the same inputs: a single gradient is noise. "
                'Average several: pgd or apgd(..., eot_samples=20), or auto_attack(..., version="rand").',
                UserWarning,
                stacklevel=3,
            )
        return classes

    def examine(self, answers: torch.Tensor, asked: int) -> int:
        """Number of classes, if the `answers` to `asked` inputs are logits of a network with all the labels."""
        if answers.ndim != 2 or len(answers) != asked:
            refuse("model", f"answers with shape {tuple(answers.shape)}", allowed=f"logits of shape ({asked}, classes)")
        check_finite(answers, "logits")
        classes = answers.shape[1]
        self.check_classes(classes)
        if self.target.outputs == "logits" and looks_like_probabilities(answers):
            refuse(
                "model",
                "returns probabilities",
                allowed="logits (a second softmax hides gradients)",
                remedy='Leave the softmax out, or declare Target(model=model, outputs="probabilities").',
            )
        return classes

    def check_classes(self, classes: int) -> None:
        """Refuse labels and target classes that a network of so many `classes` does not have."""
        check_labels(self.y, "y", classes=classes)
        if self.goal is not None:
            check_labels(self.goal, "target_class", classes=classes)


def pose(
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    target_class: int | torch.Tensor | None = None,
    access: Access = "gradients",
) -> Problem:
    """The checked problem of an attack that needs `access` to the model.

    Raises
    ------
    InputError : integer images, values outside the box, NaN, lengths that differ, labels that are negative or no integers, targets
        that equal the labels, a target without the access, a radius tensor of the wrong length, a mask per example
    """
    target = as_target(model, bounds=threat.bounds)
    if not target.allows(access):
        refuse("access", f"is {target.access!r}", allowed=f"{access!r} or more for this attack")
    check_same_length(x, y)
    check_labels(y, "y")
    y = y.long()
    if threat.mask is not None:
        _check_mask(threat.mask, x)
    if not x.is_floating_point():
        refuse("x", f"has dtype {x.dtype}", allowed="floating point", remedy="Convert images with x.float() / 255.")
    low, high = (float(end) for end in x.aminmax())  # NaN shows in both ends
    if not (math.isfinite(low) and math.isfinite(high)):
        check_finite(x, "x")
    floor, ceiling = (float(torch.tensor(end, dtype=x.dtype)) for end in threat.bounds)  # as `x` can hold them
    if low < floor or high > ceiling:
        refuse(
            "x",
            f"has values in [{low:.6g}, {high:.6g}]",
            allowed=f"the box {threat.bounds} of the threat model",
            remedy="Pass inputs without normalisation, which belongs into the model (nets.Normalized), or other bounds.",
        )
    goal = None
    if target_class is not None:
        goal = torch.as_tensor(target_class, device=y.device)
        if goal.ndim > 0 and goal.shape != y.shape:
            refuse("target_class", f"has shape {tuple(goal.shape)}", allowed=f"one class, or one per example: {tuple(y.shape)}")
        goal = goal.expand(y.shape)
        check_labels(goal, "target_class")
        goal = goal.long()
        if bool((goal == y).any()):
            refuse(
                "target_class",
                f"equals the label of {int((goal == y).sum())} examples",
                allowed="classes other than the right ones",
                remedy="Leave these examples out.",
            )
    clean = at_least_single(x.detach().clone(memory_format=torch.contiguous_format))
    threat.eps_per_example(x)  # refuses another number of radii
    return Problem(target=target, x=clean, y=y, goal=goal, threat=threat, dtype=x.dtype)


def _check_mask(mask: torch.Tensor, x: torch.Tensor) -> None:
    one = (1, *x.shape[1:])
    sides = zip(reversed(mask.shape), reversed(one))  # noqa: B905 - trailing sides are compared, as in broadcasting
    if mask.ndim > len(one) or any(side not in {1, whole} for side, whole in sides):
        refuse(
            "mask",
            f"has shape {tuple(mask.shape)}",
            allowed=f"a shape that broadcasts with one input, {one[1:]}: the mask is the same for all examples",
            remedy="Attack examples with different masks one after another.",
        )


def invalid(logits: torch.Tensor) -> torch.Tensor:
    """Boolean (N,): the row of `logits` (N, K) holds NaN or infinity.

    Examples
    --------
    >>> invalid(torch.tensor([[0.0, 1.0], [torch.nan, 1.0]])).tolist()
    [False, True]
    """
    return ~logits.isfinite().all(1)


def warn_of_invalid(rows: torch.Tensor) -> None:
    """Warn, on behalf of the caller's caller, if any of the answers `rows` (N,) is invalid."""
    if bool(rows.any()):
        warnings.warn(
            f"The model answered {int(rows.sum())} of {len(rows)} examples with NaN or infinity; they count as fooled "
            "(AttackResult.invalid). Look for a division by zero, a logarithm of zero or an overflow in its forward pass.",
            UserWarning,
            stacklevel=4,
        )


def looks_like_probabilities(outputs: torch.Tensor) -> bool:
    """True if every row of `outputs` (N, K) is non-negative and sums to 1 within 1e-4.

    Examples
    --------
    >>> looks_like_probabilities(torch.eye(3)), looks_like_probabilities(torch.zeros(2, 3))
    (True, False)
    """
    return bool((outputs >= 0).all() and ((outputs.float().sum(1) - 1).abs() <= 1e-4).all())
