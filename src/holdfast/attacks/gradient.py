"""Attacks along the gradient of the input: the fast gradient sign method and projected gradient descent.

Sources: I. Goodfellow, J. Shlens and C. Szegedy, arXiv:1412.6572 (FGSM); A. Madry et al., arXiv:1706.06083 (PGD); Y. Dong et al.,
arXiv:1710.06081 (momentum). The network is in evaluation mode and its parameters take no gradient meanwhile; both are restored.
Examples that are already fooled leave the batch, so that later steps cost less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from holdfast.attacks.active import ActiveSet
from holdfast.attacks.found import Found, averaged
from holdfast.attacks.losses import Loss, Objective, make_objective
from holdfast.attacks.problem import Problem, pose
from holdfast.attacks.projection import Ball, unit_noise
from holdfast.attacks.slope import input_slope
from holdfast.attacks.threat import AttackResult, ThreatModel, per_example
from holdfast.attacks.transforms import Direction, GradTransform, InputTransform, cleaned
from holdfast.core.checks import check_whole, check_within, refuse
from holdfast.core.seeds import torch_generator
from holdfast.nets import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["fgsm", "pgd"]


def fgsm(
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    target_class: int | torch.Tensor | None = None,
    loss: str | Loss = "ce",
    skip_wrong: bool = True,
    batch_size: int = 500,
) -> AttackResult:
    r"""One step of full length along the gradient.

    .. math:: x' = \mathrm{clip}(x + \varepsilon\,\mathrm{sign}\nabla_x L)  \quad (L_\infty), \qquad
              x' = P(x + \varepsilon\,\nabla_x L / |\nabla_x L|_2) \quad (L_2)

    Source: arXiv:1412.6572, section 4.

    Parameters
    ----------
    model, x, y, threat, target_class, loss, skip_wrong, batch_size : as in :func:`pgd`

    Examples
    --------
    >>> from holdfast.nets import mlp
    >>> x, y = torch.rand(4, 8), torch.tensor([0, 1, 2, 0])
    >>> fgsm(mlp(8, classes=3), x, y, ThreatModel("linf", 0.1)).x_adv.shape
    torch.Size([4, 8])
    """
    return pgd(
        model,
        x,
        y,
        threat,
        target_class=target_class,
        steps=1,
        step_size=threat.eps,
        loss=loss,
        random_start=False,
        early_stop=False,
        skip_wrong=skip_wrong,
        batch_size=batch_size,
    )


def pgd(  # noqa: PLR0913 - the attack that everything builds on; each argument is a setting chosen by name
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    target_class: int | torch.Tensor | None = None,
    steps: int = 40,
    step_size: float | torch.Tensor | None = None,
    loss: str | Loss = "ce",
    restarts: int = 1,
    random_start: bool = True,
    start: torch.Tensor | None = None,
    early_stop: bool = True,
    skip_wrong: bool = True,
    momentum: float = 0.0,
    input_transforms: Sequence[InputTransform] = (),
    grad_transform: Sequence[GradTransform] = (),
    eot_samples: int = 1,
    batch_size: int = 500,
    seed: int = 0,
) -> AttackResult:
    r"""Projected gradient descent: steps along the gradient, each followed by the projection onto ball and box.

    .. math:: x_{t+1} = P(x_t + a\, d(g_t)), \qquad d(g) = \mathrm{sign}\,g \;(L_\infty), \quad g/|g|_2 \;(L_2)

    Source: arXiv:1706.06083, section 2.1.

    Parameters
    ----------
    model : module, callable or :class:`~holdfast.core.target.Target` from a batch in `threat.bounds` to logits (N, K)
    x : tensor (N, ...), floating point, inside the box
    y : integer tensor (N,), the right classes
    threat : norm, radius (one or per example), box, mask
    target_class : class to be reached, one or per example; None: any wrong class
    steps : gradient steps, >= 1
    step_size : a, one or per example; default ``2.5 eps / steps``
    loss : ``"ce"``, ``"cw_margin"``, ``"dlr"``, ``"logit"`` or a callable ``(logits, labels) -> (N,)`` that is maximised (in a
        targeted attack its labels are the target classes)
    restarts : how often to begin anew; the best of each example is kept
    random_start : begin at a random point of the ball instead of at `x`
    start : inputs (N, ...) where the first run begins instead, brought into ball and box
    early_stop : an example leaves as soon as it is fooled; without, every example takes all steps and its last point counts
    skip_wrong : leave examples that are answered wrongly from the start as they are (they count as successes)
    momentum : mu in ``g <- mu g + grad / mean|grad|``; 0 takes the gradient itself
    input_transforms : ``(x, generator) -> x'`` before the network; ``x'`` may hold several stacked copies of the batch, whose
        losses (for ``"ce"`` the soft margins) add up. Success is then judged once, at the end, on the input itself
    grad_transform : ``gradient -> gradient``, e.g. a smoothing
    eot_samples : passes whose logits are averaged for each decision and whose gradients are averaged for each step, for networks
        that answer at random
    batch_size : examples per pass
    seed : of random starts and transforms

    Returns
    -------
    AttackResult, detached, inside ball (to 1e-6) and box

    Raises
    ------
    InputError : see :func:`~holdfast.attacks.problem.pose`; a model that cuts the gradient; probabilities instead of logits

    Examples
    --------
    >>> from holdfast.nets import mlp
    >>> x, y = torch.rand(20, 8), torch.arange(20) % 3
    >>> result = pgd(mlp(8, classes=3), x, y, ThreatModel("linf", 0.2), steps=5)
    >>> bool((result.x_adv - x).abs().max() <= 0.2 + 1e-6)
    True
    """
    if step_size is None:
        step_size = threat.eps * (2.5 / check_whole(steps, "steps", low=1))
    problem = pose(model, x, y, threat, target_class=target_class)
    if start is not None and start.shape != x.shape:
        refuse("start", f"has shape {tuple(start.shape)}", allowed=f"the shape of `x`, {tuple(x.shape)}")
    with frozen(model), torch.inference_mode(mode=False), torch.enable_grad():
        settings = _PGDSettings(
            steps=steps,
            step_size=_check_step(step_size, problem.x),
            objective=make_objective(loss, classes=problem.probe(samples=eot_samples), targeted=target_class is not None),
            restarts=restarts,
            random_start=random_start,
            early_stop=early_stop and not input_transforms,
            skip_wrong=skip_wrong,
            momentum=momentum,
            input_transforms=tuple(input_transforms),
            grad_transform=tuple(grad_transform),
            samples=eot_samples,
            batch_size=batch_size,
            draws=torch_generator(seed, device=x.device),
        )
        return _attack(problem, settings, start)


def _attack(problem: Problem, settings: _PGDSettings, start: torch.Tensor | None) -> AttackResult:
    """All restarts; the first one begins at `start` if that is given."""
    found = Found(problem, settings.objective)
    rows = torch.arange(len(problem.x), device=problem.x.device)
    fixed = problem.eps == 0
    for part in _parts(rows if settings.skip_wrong else rows[fixed], settings.batch_size):
        found.judge(part, problem.x[part], steps=0, samples=settings.samples)
    rows = rows[~fixed & ~(found.success & settings.skip_wrong)]
    for number in range(settings.restarts):
        given = start if number == 0 else None
        drawn = settings.random_start and given is None
        noise = unit_noise(problem.x, problem.threat.norm, settings.draws) if drawn else None
        for part in _parts(rows, settings.batch_size):
            _Ascent(problem, found, settings, part, noise=noise, start=given).run()
        if settings.early_stop:
            rows = rows[~found.success[rows]]
    return found.result()


def _parts(rows: torch.Tensor, size: int) -> Sequence[torch.Tensor]:
    return rows.split(size) if len(rows) else ()  # torch splits nothing into one empty part


def _check_step(step_size: float | torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    sizes = per_example(step_size, "step_size", x)
    if not bool((sizes >= 0).all() & sizes.isfinite().all()):
        refuse("step_size", f"has a smallest value of {float(sizes.min()):g}", allowed="finite numbers >= 0")
    return sizes


@dataclass(frozen=True, kw_only=True)
class _PGDSettings:
    """The settings of one attack, checked; `draws` is the stream of its random numbers."""

    steps: int
    step_size: torch.Tensor
    objective: Objective
    restarts: int
    random_start: bool
    early_stop: bool
    skip_wrong: bool
    momentum: float
    input_transforms: tuple[InputTransform, ...]
    grad_transform: tuple[GradTransform, ...]
    samples: int
    batch_size: int
    draws: torch.Generator

    def __post_init__(self) -> None:
        for name in ("steps", "restarts", "batch_size"):
            check_whole(getattr(self, name), name, low=1)
        check_whole(self.samples, "eot_samples", low=1)
        check_within(self.momentum, "momentum", low=0.0)


class _Ascent(ActiveSet):
    """One run from a start: the examples that still climb, and where they are."""

    def __init__(
        self,
        problem: Problem,
        found: Found,
        settings: _PGDSettings,
        rows: torch.Tensor,
        *,
        noise: torch.Tensor | None,
        start: torch.Tensor | None,
    ) -> None:
        self.problem, self.found, self.settings, self.rows = problem, found, settings, rows
        self.ball: Ball = problem.ball(rows)
        if start is not None:
            self.adv = self.ball.nearest(start[rows])
        else:
            self.adv = self.ball.x.clone() if noise is None else self.ball.start(noise[rows])
        self.steer = Direction(settings.momentum, settings.grad_transform)

    def run(self) -> None:
        for step in range(self.settings.steps):
            self.adv.requires_grad_()
            logits = self.answer()
            done = self.fooled(averaged(logits.detach(), self.settings.samples), step)
            if bool(done.all()):
                return
            gradient = self.gradient(logits)
            with torch.no_grad():
                self.adv = self.adv.detach()
                gradient = gradient[self.drop(done)]
                self.ball.step_(self.adv, self.direction(gradient), self.settings.step_size[self.rows])
        self.found.judge(self.rows, self.adv, steps=self.settings.steps, samples=self.settings.samples)

    def answer(self) -> torch.Tensor:
        inputs = self.adv
        for transform in self.settings.input_transforms:
            inputs = transform(inputs, self.settings.draws)
        return self.found.ask(self.rows, inputs, samples=self.settings.samples)

    def fooled(self, logits: torch.Tensor, step: int) -> torch.Tensor:
        """Boolean (n,): the examples that the attack may stop at, which are kept as found."""
        if not self.settings.early_stop:
            return torch.zeros_like(self.rows, dtype=torch.bool)
        done = self.problem.fooled(logits, self.rows)
        if bool(done.any()):
            ended = done.nonzero().squeeze(1)
            adv = self.adv.detach()[ended]
            self.found.take(self.rows[ended], adv, logits[ended], success=done[ended], steps=step)
        return done

    def gradient(self, logits: torch.Tensor) -> torch.Tensor:
        """Gradient of the summed objective in the inputs; parameters get none."""
        goal = None if self.problem.goal is None else self.problem.goal[self.rows]
        return input_slope(self.settings.objective, logits, self.adv, y=self.problem.y[self.rows], goal=goal)

    def direction(self, gradient: torch.Tensor) -> torch.Tensor:
        """The gradient after its transforms and momentum; zero where it is not finite. Blind examples are marked."""
        gradient, blind = cleaned(gradient)
        if blind is not None:
            self.found.no_gradient[self.rows] |= blind
        return self.steer(gradient)
