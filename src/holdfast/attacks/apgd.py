"""APGD: projected gradient descent that finds its own step sizes, one schedule per example.

Sources: F. Croce and M. Hein, ICML 2020, arXiv:2003.01690 (L-infinity, L2, the DLR losses); F. Croce and M. Hein, ICML 2021,
arXiv:2103.01208 (L1: sparse steps, and a climb through balls of three and two times the radius first). The steps themselves are in
:mod:`holdfast.attacks.pacing`. Fooled examples leave the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from holdfast.attacks.active import ActiveSet
from holdfast.attacks.found import Found, averaged
from holdfast.attacks.losses import Loss, Objective, make_objective
from holdfast.attacks.pacing import Pace, Trace, make_pace
from holdfast.attacks.problem import Problem, pose
from holdfast.attacks.projection import Ball, make_ball, unit_noise
from holdfast.attacks.slope import input_slope
from holdfast.attacks.transforms import cleaned
from holdfast.core.checks import check_one_of, check_whole, check_within
from holdfast.core.seeds import torch_generator
from holdfast.nets import frozen

if TYPE_CHECKING:
    from holdfast.attacks.threat import AttackResult, ThreatModel

__all__ = ["apgd", "apgd_targeted"]

L1_RADII = ((3, 0.3), (2, 0.3))  # arXiv:2103.01208, section 3.3: multiples of eps before eps itself, with shares of the steps


def apgd(  # noqa: PLR0913 - each argument is a setting chosen by name
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    target_class: int | torch.Tensor | None = None,
    loss: str | Loss = "ce",
    steps: int = 100,
    rho: float = 0.75,
    restarts: int = 1,
    eot_samples: int = 1,
    early_stop: bool = True,
    skip_wrong: bool = True,
    batch_size: int = 500,
    seed: int = 0,
) -> AttackResult:
    """Projected gradient descent with inertia and step sizes that adapt to each example; in L1 its sparse form.

    Sources: arXiv:2003.01690, Algorithm 1; arXiv:2103.01208, Algorithm 1.

    Parameters
    ----------
    model : module, callable or :class:`~holdfast.core.target.Target` from a batch in `threat.bounds` to logits (N, K)
    x : tensor (N, ...), floating point, inside the box
    y : integer tensor (N,), the right classes
    threat : ``"linf"``, ``"l2"`` or ``"l1"``, radius (one or per example), box, mask
    target_class : class to be reached, one or per example; None: any wrong class
    loss : ``"ce"``, ``"dlr"``, ``"cw_margin"``, ``"logit"`` or a callable ``(logits, labels) -> (N,)`` that is maximised
    steps : gradient steps, >= 1
    rho : share of the steps between two checkpoints that must rise for the step size to stay, in [0, 1]
    restarts : random starts, for the examples that are left
    eot_samples : passes whose logits are averaged for each decision and whose gradients are averaged for each step, for networks
        that answer at random
    early_stop : an example leaves as soon as it is fooled; without, it goes on to the largest loss
    skip_wrong : leave examples that are answered wrongly from the start as they are (they count as successes)
    batch_size : examples per pass
    seed : of the random starts

    Returns
    -------
    AttackResult, detached, inside ball and box

    Raises
    ------
    InputError : see :func:`~holdfast.attacks.problem.pose`; a model that cuts the gradient; probabilities instead of logits

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.nets import mlp
    >>> x, y = torch.rand(20, 8), torch.arange(20) % 3
    >>> result = apgd(mlp(8, classes=3), x, y, ThreatModel("l2", 0.2), steps=10)
    >>> bool((result.norm <= 0.2 + 1e-6).all())
    True
    """
    settings = _APGDSettings(
        steps=steps, rho=rho, restarts=restarts, samples=eot_samples, early_stop=early_stop, batch_size=batch_size
    )
    problem = pose(model, x, y, threat, target_class=target_class)
    with frozen(model), torch.inference_mode(mode=False), torch.enable_grad():
        objective = make_objective(loss, classes=problem.probe(samples=eot_samples), targeted=target_class is not None)
        attack = _APGD(problem, Found(problem, objective), settings, seed)
        rows, _ = attack.begin(skip_wrong=skip_wrong)
        for _ in range(settings.restarts):
            rows = attack.climb(rows, objective, problem.goal)
    return attack.found.result()


def apgd_targeted(  # noqa: PLR0913 - as above
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    classes: int = 9,
    loss: str | Loss = "dlr",
    steps: int = 100,
    rho: float = 0.75,
    restarts: int = 1,
    eot_samples: int = 1,
    early_stop: bool = True,
    skip_wrong: bool = True,
    batch_size: int = 500,
    seed: int = 0,
) -> AttackResult:
    """APGD toward one wrong class after another, the most likely first; any wrong answer is a success.

    Source: arXiv:2003.01690, section 4.2: the targeted DLR loss and nine classes.

    Parameters
    ----------
    model, x, y, threat, steps, rho, eot_samples, early_stop, skip_wrong, batch_size, seed : as in :func:`apgd`
    classes : target classes per example, in the order of the logits at `x`; at most K - 1 are there
    loss : as in :func:`apgd`; its labels are the target classes
    restarts : random starts per target class

    Returns
    -------
    AttackResult whose `loss` is the margin

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.nets import mlp
    >>> x, y = torch.rand(20, 8), torch.arange(20) % 5
    >>> apgd_targeted(mlp(8, classes=5), x, y, ThreatModel("linf", 0.2), steps=10).x_adv.shape
    torch.Size([20, 8])
    """
    settings = _APGDSettings(
        steps=steps, rho=rho, restarts=restarts, samples=eot_samples, early_stop=early_stop, batch_size=batch_size
    )
    check_whole(classes, "classes", low=1)
    problem = pose(model, x, y, threat)
    with frozen(model), torch.inference_mode(mode=False), torch.enable_grad():
        known = problem.probe(samples=eot_samples)
        objective = make_objective(loss, classes=known, targeted=True)
        attack = _APGD(problem, Found(problem, make_objective("cw_margin", classes=known, targeted=False)), settings, seed)
        rows, logits = attack.begin(skip_wrong=skip_wrong)
        ranked = logits.scatter(1, problem.y[:, None], -torch.inf).argsort(1, descending=True)
        for place in range(min(classes, known - 1)):
            for _ in range(settings.restarts):
                rows = attack.climb(rows, objective, ranked[:, place])
    return attack.found.result()


@dataclass(frozen=True, kw_only=True)
class _APGDSettings:
    """The settings of one attack, checked."""

    steps: int
    rho: float
    restarts: int
    samples: int
    early_stop: bool
    batch_size: int

    def __post_init__(self) -> None:
        for name in ("steps", "restarts", "batch_size"):
            check_whole(getattr(self, name), name, low=1)
        check_whole(self.samples, "eot_samples", low=1)
        check_within(self.rho, "rho", low=0.0, high=1.0)


class _APGD:
    """What all starts of one attack share."""

    def __init__(self, problem: Problem, found: Found, settings: _APGDSettings, seed: int) -> None:
        check_one_of(problem.threat.norm, "norm", allowed=("linf", "l2", "l1"))
        self.problem, self.found, self.settings = problem, found, settings
        self.draws = torch_generator(seed, device=problem.x.device)

    def answer(self, rows: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Logits (samples n, K), the samples stacked."""
        return self.found.ask(rows, inputs, samples=self.settings.samples)

    def averaged(self, values: torch.Tensor) -> torch.Tensor:
        """The mean over the samples, from (samples n, ...) to (n, ...)."""
        return averaged(values, self.settings.samples)

    @torch.no_grad()
    def begin(self, *, skip_wrong: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Judge the inputs themselves; the rows that are to be attacked, and the logits (N, K)."""
        rows = torch.arange(len(self.problem.x), device=self.problem.x.device)
        fixed, logits = self.problem.eps == 0, []
        for part in rows.split(self.settings.batch_size):
            answer = self.averaged(self.answer(part, self.problem.x[part]))
            judged = torch.full_like(part, skip_wrong, dtype=torch.bool) | fixed[part]
            hit = self.problem.fooled(answer, part)
            self.found.take(part[judged], self.problem.x[part[judged]], answer[judged], success=hit[judged], steps=0)
            logits.append(answer)
        return rows[~fixed & ~(self.found.success & skip_wrong)], torch.cat(logits)

    def climb(self, rows: torch.Tensor, objective: Objective, goal: torch.Tensor | None) -> torch.Tensor:
        """One random start for each of `rows`; the rows that are left to be attacked."""
        steps, starts = self.settings.steps, self.starts()
        radii = L1_RADII if self.problem.threat.norm == "l1" else ()
        for part in rows.split(self.settings.batch_size) if len(rows) else ():
            run, adv = _APGDRun(self, objective, part, None if goal is None else goal[part]), starts[part]
            for factor, share in radii:
                adv = run.phase(adv, factor=factor, steps=int(share * steps), judged=False)
            run.phase(adv, factor=1, steps=steps - sum(int(share * steps) for _, share in radii), judged=True)
        return rows[~self.found.success[rows]] if self.settings.early_stop else rows

    def starts(self) -> torch.Tensor:
        """Random points (N, ...) of the balls; in L1 far outside, for their projections are sparse, as good perturbations are."""
        x, threat = self.problem.x, self.problem.threat
        if threat.norm == "l1":
            noise = torch.randn(x.shape, generator=self.draws, dtype=x.dtype, device=x.device)
            return x + noise * (threat.bounds[1] - threat.bounds[0])
        return make_ball(x, threat).start(unit_noise(x, threat.norm, self.draws))


class _APGDRun(ActiveSet):
    """The examples of one batch that still climb from one start."""

    ball: Ball
    trace: Trace
    pace: Pace

    def __init__(self, attack: _APGD, objective: Objective, rows: torch.Tensor, goal: torch.Tensor | None) -> None:
        self.attack, self.objective, self.rows, self.goal = attack, objective, rows, goal

    def phase(self, adv: torch.Tensor, *, factor: int, steps: int, judged: bool) -> torch.Tensor:
        """Climb from `adv` in the ball of `factor` times the radius; the best points. Only the true ball is `judged`."""
        if steps == 0:
            return adv
        problem = self.attack.problem
        self.ball = problem.ball(self.rows, scale=factor)
        self.trace = Trace(self.ball.nearest(adv))
        self.pace = make_pace(self.ball, self.trace, steps=steps, rho=self.attack.settings.rho)
        for step in range(steps + 1):
            self.look(step, judged=judged, last=step == steps)
            if len(self.rows) == 0 or step == steps:
                break
            self.pace.review(self.trace, self.ball, step)
            self.trace.advance(self.pace.move(self.trace, self.ball, step))
        if judged and self.trace.best_logits is not None:
            hit = problem.fooled(self.trace.best_logits, self.rows)
            self.attack.found.take(self.rows, self.trace.best, self.trace.best_logits, success=hit, steps=self.trace.best_step)
        return self.trace.best

    def look(self, step: int, *, judged: bool, last: bool) -> None:
        """Ask about the points where the examples stand; those that are fooled leave."""
        inputs = self.trace.adv.detach().requires_grad_()
        with torch.set_grad_enabled(not last):
            answers = self.attack.answer(self.rows, inputs)
        values = answers.detach()
        logits, loss = self.attack.averaged(values), self.attack.averaged(self.value(values))
        slope = None if last else input_slope(self.objective, answers, inputs, y=self.attack.problem.y[self.rows], goal=self.goal)
        if judged:
            running = self.retire(logits, step)
            logits, loss = logits[running], loss[running]
            slope = None if slope is None else slope[running]
        better = self.trace.observe(loss, logits, step)
        if slope is not None:
            self.trace.steer(self.clean(slope), better)

    def value(self, logits: torch.Tensor) -> torch.Tensor:
        """The objective (samples n,) of stacked logits."""
        samples = self.attack.settings.samples
        goal = None if self.goal is None else self.goal.repeat(samples)
        return self.objective.climb(logits, self.attack.problem.y[self.rows].repeat(samples), goal)

    def clean(self, slope: torch.Tensor) -> torch.Tensor:
        """The gradient, zero where it is not finite; examples that it leaves blind are marked, unless they are fooled already."""
        slope, blind = cleaned(slope)
        if blind is not None:
            self.attack.found.no_gradient[self.rows] |= blind & ~self.attack.found.success[self.rows]
        return slope

    def retire(self, logits: torch.Tensor, step: int) -> torch.Tensor:
        """Keep what fools, and take it out if the attack stops early; the places of those that go on."""
        done = self.attack.problem.fooled(logits, self.rows)
        if bool(done.any()):
            self.attack.found.take(self.rows[done], self.trace.adv[done], logits[done], success=done[done], steps=step)
        return self.drop(done & self.attack.settings.early_stop)
