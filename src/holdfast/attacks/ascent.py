"""Gradient ascent on any function of the input, in ball and box: what attacks on features, proxies and several networks share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from holdfast.attacks.precision import at_least_single, rounded_toward
from holdfast.attacks.projection import make_ball, unit_noise
from holdfast.attacks.threat import per_example
from holdfast.attacks.transforms import Direction, GradTransform, InputTransform, cleaned
from holdfast.core.checks import check_finite, check_whole, check_within, refuse
from holdfast.core.seeds import torch_generator

if TYPE_CHECKING:
    from holdfast.attacks.threat import ThreatModel

__all__ = ["InputObjective", "ascend", "input_gradient"]

InputObjective = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def input_gradient(objective: InputObjective, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Gradient (n, ...) of the summed `objective` in its inputs `x` (n, ...), which belong to the examples `rows` (n,).

    An objective may return several stacked copies of the batch's values, (k n,); they add up.
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        inputs = x.detach().clone().requires_grad_()
        value = objective(inputs, rows)
        if value.ndim != 1 or len(value) % len(x):
            refuse("objective", f"gives shape {tuple(value.shape)}", allowed=f"one number per example, ({len(x)},)")
        gradient = torch.autograd.grad(value.sum(), inputs, allow_unused=True)[0] if value.requires_grad else None
    if gradient is None:
        refuse("objective", "does not depend on the input", allowed="a differentiable function without torch.no_grad or .detach()")
    return gradient


def ascend(  # noqa: PLR0913 - each argument is a setting chosen by name
    objective: InputObjective,
    x: torch.Tensor,
    threat: ThreatModel,
    *,
    steps: int = 10,
    step_size: float | torch.Tensor | None = None,
    momentum: float = 0.0,
    input_transforms: Sequence[InputTransform] = (),
    grad_transform: Sequence[GradTransform] = (),
    random_start: bool = False,
    seed: int = 0,
    batch_size: int = 500,
) -> torch.Tensor:
    """The inputs after `steps` steps up `objective`, each projected onto ball and box.

    Networks inside `objective` should be frozen for the duration (:func:`holdfast.nets.frozen`).

    Parameters
    ----------
    objective : differentiable, from inputs (n, ...) and the examples (n,) that they belong to, to what is maximised (n,)
    x : clean inputs (N, ...) inside the box, floating point
    threat : norm, radius (one or per example), box, mask
    steps : gradient steps, >= 1
    step_size : one or per example; default ``eps / steps``
    momentum, input_transforms, grad_transform, random_start, seed, batch_size : as in :func:`~holdfast.attacks.pgd`

    Returns
    -------
    tensor (N, ...), detached, in the dtype of `x`; what is in half precision climbs in single precision

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> brighter = ascend(lambda x, rows: x.sum(1), torch.full((2, 3), 0.5), ThreatModel("linf", 0.25))
    >>> [round(value, 4) for value in brighter.tolist()[0]]
    [0.75, 0.75, 0.75]
    """
    check_finite(x, "x")
    check_whole(batch_size, "batch_size", low=1)
    check_within(momentum, "momentum", low=0.0)
    centre = at_least_single(x.detach())
    eps = threat.eps_per_example(centre)
    sizes = eps / check_whole(steps, "steps", low=1) if step_size is None else per_example(step_size, "step_size", centre)
    draws = torch_generator(seed, device=x.device)
    noise = unit_noise(centre, threat.norm, draws) if random_start else None

    def shown(inputs: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        for transform in input_transforms:
            inputs = transform(inputs, draws)
        views = rows.repeat(len(inputs) // len(rows))
        return objective(rounded_toward(inputs, centre[views], x.dtype), views)

    parts = []
    for rows in torch.arange(len(x), device=x.device).split(batch_size):
        ball = make_ball(centre[rows], threat.of_rows(rows))
        adv = ball.x.clone() if noise is None else ball.start(noise[rows])
        steer = Direction(momentum, grad_transform)
        for _ in range(steps):
            ball.step_(adv, steer(cleaned(input_gradient(shown, adv, rows))[0]), sizes[rows])
        parts.append(rounded_toward(adv, centre[rows], x.dtype))
    return torch.cat(parts)
