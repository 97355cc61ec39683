"""The gradient of an objective on logits in the inputs, which may be shown to the network in several stacked copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from holdfast.core.checks import refuse

if TYPE_CHECKING:
    from holdfast.attacks.losses import Objective

__all__ = ["input_slope", "logit_slope"]


def input_slope(
    objective: Objective, logits: torch.Tensor, inputs: torch.Tensor, *, y: torch.Tensor, goal: torch.Tensor | None
) -> torch.Tensor:
    """Gradient (n, ...) of the summed `objective` in `inputs` (n, ...); parameters get none.

    Parameters
    ----------
    objective : on logits, labels and target classes
    logits : answers (k n, K) to k stacked copies of `inputs`, with their graph
    inputs : tensor (n, ...) that requires gradients
    y, goal : labels and target classes (n,) of the inputs; `goal` may be None

    Raises
    ------
    InputError : the graph does not lead from `logits` to `inputs`
    """
    copies = len(logits) // len(inputs)
    y, goal = y.repeat(copies), None if goal is None else goal.repeat(copies)
    if objective.slope is None:
        return logit_slope(objective.climb(logits, y, goal).sum(), inputs)
    return logit_slope(torch.vdot(logits.flatten(), objective.slope(logits.detach(), y, goal).flatten()), inputs)


def logit_slope(value: torch.Tensor, inputs: torch.Tensor, *, again: bool = False) -> torch.Tensor:
    """Gradient of the number `value` in `inputs`, refused where the model cuts it; `again` keeps the graph for the next one."""
    gradient = None
    if value.requires_grad:
        gradient = torch.autograd.grad(value, inputs, allow_unused=True, retain_graph=again)[0]
    if gradient is None:
        refuse(
            "model",
            "cuts the gradient between input and logits",
            allowed="a forward pass without torch.no_grad, .detach() or NumPy",
            remedy="For a network without gradients use a query attack.",
        )
    return gradient
