r"""FAB: the nearest wrongly answered input, found by walking along the decision boundary back toward the example.

.. math:: x_{k+1} = (1 - \alpha)(x_k + \eta\,\delta(x_k)) + \alpha\,(x_0 + \eta\,\delta(x_0)), \qquad
          \alpha = \min\left(\frac{|\delta(x_k)|}{|\delta(x_k)| + |\delta(x_0)|},\; \alpha_{max}\right)

Here delta(z) is the shortest step in the box from z onto the boundary, linearised at x_k toward the class that is nearest by that
measure. A point on the wrong side is kept if it is the nearest so far, and the walk goes on from a point a tenth of the way back.
Source: F. Croce and M. Hein, ICML 2020, arXiv:1907.02044, Algorithm 1; toward one class after another: arXiv:2003.01690, appendix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from holdfast.attacks.active import ActiveSet
from holdfast.attacks.found import make_result
from holdfast.attacks.hyperplane import DUAL, step_onto_plane
from holdfast.attacks.losses import cw_margin
from holdfast.attacks.problem import Problem, invalid, pose, warn_of_invalid
from holdfast.attacks.projection import perturbation_norm, unit_noise
from holdfast.attacks.slope import logit_slope
from holdfast.attacks.transforms import cleaned
from holdfast.core.checks import check_one_of, check_whole
from holdfast.core.estimate import Estimate, proportion
from holdfast.core.seeds import torch_generator
from holdfast.nets import frozen

if TYPE_CHECKING:
    from holdfast.attacks.threat import AttackResult, ThreatModel

__all__ = ["Nearest", "fab", "fab_targeted", "nearest_adversarial"]

LARGEST_BIAS = 0.1  # alpha_max, eta, beta: section 4
OVERSHOOT = 1.05
BACKWARD = 0.9
POLISHINGS = 3


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """The nearest wrongly answered input that was found for each of N examples, whatever its distance.

    Parameters
    ----------
    x_adv : tensor (N, ...); the example itself where none was found
    norm : tensor (N,), its distance; 0 for examples that are wrong from the start, infinite where none was found
    queries : integer tensor (N,), forward passes spent on each example
    no_gradient : boolean tensor (N,), at some step the gradient was exactly zero or not finite
    """

    x_adv: torch.Tensor
    norm: torch.Tensor
    queries: torch.Tensor
    no_gradient: torch.Tensor

    def accuracy(self, eps: float) -> Estimate:
        """Share of examples that no input within `eps` is known to fool, with its Wilson interval: one search, all radii."""
        return proportion(int((self.norm > eps).sum()), len(self.norm))


def fab(  # noqa: PLR0913 - each argument is a setting chosen by name
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    steps: int = 100,
    restarts: int = 1,
    early_stop: bool = True,
    batch_size: int = 500,
    seed: int = 0,
) -> AttackResult:
    """Toward whichever class is nearest at each step; what is found within the radius counts.

    Each step takes K - 1 backward passes; :func:`fab_targeted` takes one, and is the choice for many classes.

    Parameters
    ----------
    model, x, y, batch_size, seed : as in :func:`~holdfast.attacks.apgd`
    threat : ``"linf"``, ``"l2"`` or ``"l1"``, radius (one or per example), box, mask
    steps : of each walk, >= 1
    restarts : walks per example; all but the first begin at a random point within half the radius
    early_stop : an example leaves as soon as an input within the radius is found; without, the walk goes on to nearer ones

    Returns
    -------
    AttackResult whose `loss` is the margin; `x_adv` is the example itself where nothing was found within the radius

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.nets import mlp
    >>> x, y = torch.rand(20, 8), torch.arange(20) % 3
    >>> bool((fab(mlp(8, classes=3), x, y, ThreatModel("l2", 0.2), steps=10).norm <= 0.2).all())
    True
    """
    settings = _FABSettings(classes=None, steps=steps, restarts=restarts, early_stop=early_stop, batch_size=batch_size)
    return _search(model, x, y, threat, settings=settings, seed=seed).result()


def fab_targeted(  # noqa: PLR0913 - as above
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    classes: int = 9,
    steps: int = 100,
    restarts: int = 1,
    early_stop: bool = True,
    batch_size: int = 500,
    seed: int = 0,
) -> AttackResult:
    """Toward one wrong class after another, the most likely first; any wrong answer within the radius is a success.

    Parameters
    ----------
    model, x, y, threat, steps, early_stop, batch_size, seed : as in :func:`fab`
    classes : target classes per example, in the order of the logits at `x`; at most K - 1 are there
    restarts : walks per target class

    Returns
    -------
    AttackResult, as from :func:`fab`
    """
    check_whole(classes, "classes", low=1)
    settings = _FABSettings(classes=classes, steps=steps, restarts=restarts, early_stop=early_stop, batch_size=batch_size)
    return _search(model, x, y, threat, settings=settings, seed=seed).result()


def nearest_adversarial(  # noqa: PLR0913 - as above
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    classes: int | None = None,
    steps: int = 100,
    restarts: int = 1,
    batch_size: int = 500,
    seed: int = 0,
) -> Nearest:
    """The nearest wrongly answered input of each example, whatever its distance: an accuracy curve over all radii from one search.

    Parameters
    ----------
    model, x, y, steps, restarts, batch_size, seed : as in :func:`fab`
    threat : norm, box and mask; its radius only sets how far from the example a restart begins
    classes : None walks toward the class that is nearest at each step, a number toward that many classes one after another

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.nets import mlp
    >>> x, y = torch.rand(20, 8), torch.arange(20) % 3
    >>> nearest = nearest_adversarial(mlp(8, classes=3), x, y, ThreatModel("l2", 0.1), steps=10)
    >>> nearest.accuracy(0.1).value >= nearest.accuracy(0.2).value
    True
    """
    if classes is not None:
        check_whole(classes, "classes", low=1)
    settings = _FABSettings(classes=classes, steps=steps, restarts=restarts, early_stop=False, batch_size=batch_size)
    search = _search(model, x, y, threat, settings=settings, seed=seed)
    warn_of_invalid(search.invalid)
    return Nearest(x_adv=search.returned(), norm=search.norm, queries=search.queries, no_gradient=search.no_gradient)


@dataclass(frozen=True, kw_only=True)
class _FABSettings:
    """The settings of one search, checked; `classes` is None for the nearest class at each step."""

    classes: int | None
    steps: int
    restarts: int
    early_stop: bool
    batch_size: int

    def __post_init__(self) -> None:
        for name in ("steps", "restarts", "batch_size"):
            check_whole(getattr(self, name), name, low=1)


def _search(
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    settings: _FABSettings,
    seed: int,
) -> _FABSearch:
    check_one_of(threat.norm, "norm", allowed=tuple(DUAL))
    problem = pose(model, x, y, threat)
    draws = torch_generator(seed, device=x.device)
    with frozen(model), torch.inference_mode(mode=False), torch.enable_grad():
        search = _FABSearch(problem, settings, classes=problem.probe())
        search.begin()
        search.run(draws)
        search.polish()
    return search


class _FABSearch:
    """The nearest wrongly answered inputs so far."""

    def __init__(self, problem: Problem, settings: _FABSettings, *, classes: int) -> None:
        self.problem, self.settings, self.classes = problem, settings, classes
        n, device = len(problem.x), problem.x.device
        self.x_adv = problem.x.clone()
        self.norm = torch.full((n,), torch.inf, dtype=problem.x.dtype, device=device)
        self.loss = torch.zeros_like(self.norm)
        self.clean_loss = self.loss
        self.order = torch.zeros(n, classes, dtype=torch.long, device=device)
        self.queries, self.steps_used = (torch.zeros(n, dtype=torch.long, device=device) for _ in range(2))
        self.no_gradient, self.invalid = (torch.zeros(n, dtype=torch.bool, device=device) for _ in range(2))

    @torch.no_grad()
    def ask(self, rows: torch.Tensor, inputs: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Ask about `inputs` and keep those that fool and are nearer; the margins (n,), and which rows fool."""
        logits = self.problem.ask(rows, inputs)
        self.queries[rows] += 1
        margin, hit = cw_margin(logits, self.problem.y[rows]).to(self.norm.dtype), self.problem.fooled(logits, rows)
        margin = margin.masked_fill(invalid(logits), -torch.inf)
        if step == 0:
            self.loss[rows] = margin
            self.order[rows] = logits.scatter(1, self.problem.y[rows, None], -torch.inf).argsort(1, descending=True)
        distance = self.problem.distance(rows, inputs)
        nearer = hit & (distance < self.norm[rows])
        chosen = rows[nearer]
        self.x_adv[chosen], self.norm[chosen], self.loss[chosen] = inputs[nearer], distance[nearer], margin[nearer]
        self.invalid[chosen], self.steps_used[chosen] = invalid(logits)[nearer], step
        return margin, hit

    def begin(self) -> None:
        """Ask about the examples themselves."""
        for rows in torch.arange(len(self.norm), device=self.norm.device).split(self.settings.batch_size):
            self.ask(rows, self.problem.x[rows], 0)
        self.clean_loss = self.loss.clone()

    def goes_on(self, rows: torch.Tensor) -> torch.Tensor:
        """Boolean (n,): nothing near enough is known about these examples."""
        return self.norm[rows] > (self.problem.eps[rows] if self.settings.early_stop else 0)

    def run(self, draws: torch.Generator) -> None:
        """All walks."""
        everyone = torch.arange(len(self.norm), device=self.norm.device)
        if self.settings.early_stop:
            everyone = everyone[self.problem.eps > 0]
        places = [None] if self.settings.classes is None else range(min(self.settings.classes, self.classes - 1))
        for place in places:
            goal = None if place is None else self.order[:, place]
            for restart in range(self.settings.restarts):
                noise = unit_noise(self.problem.x, self.problem.threat.norm, draws) if restart else None
                rows = everyone[self.goes_on(everyone)]
                for part in rows.split(self.settings.batch_size) if len(rows) else ():
                    start = self.problem.x[part] if noise is None else self.scattered(part, noise[part])
                    _FABWalk(self, part, start, None if goal is None else goal[part]).run()

    def scattered(self, rows: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Random points within half the radius, or half the distance of what was found."""
        x = self.problem.x[rows]
        low, high = self.problem.box(rows)
        reach = torch.minimum(self.norm[rows], self.problem.eps[rows]) / 2
        return (x + _wide(reach, x) * noise).clamp(low, high)

    @torch.no_grad()
    def polish(self) -> None:
        """Move along the straight line toward the example by false position, three times (section 3.3)."""
        rows = torch.arange(len(self.norm), device=self.norm.device)
        rows = rows[self.goes_on(rows) & self.norm.isfinite() & ~self.invalid]
        for part in rows.split(self.settings.batch_size) if len(rows) else ():
            x, steps = self.problem.x[part], self.steps_used[part]
            low, high = self.problem.box(part)
            shift = self.x_adv[part] - x
            inner, outer = torch.zeros_like(self.norm[part]), torch.ones_like(self.norm[part])
            inside, outside = self.clean_loss[part], self.loss[part].clone()
            for _ in range(POLISHINGS):
                place = inner + (outer - inner) * (inside / (inside - outside)).nan_to_num(nan=1.0).clamp(0, 1)
                margin, hit = self.ask(part, (x + _wide(place, x) * shift).clamp(low, high), 1)
                inner, inside = torch.where(hit, inner, place), torch.where(hit, inside, margin)
                outer, outside = torch.where(hit, place, outer), torch.where(hit, margin, outside)
            self.steps_used[part] = steps

    def returned(self) -> torch.Tensor:
        """The nearest inputs (N, ...) in the user's precision."""
        return self.problem.returned(torch.arange(len(self.norm), device=self.norm.device), self.x_adv)

    def result(self) -> AttackResult:
        """The inputs found within the radius."""
        problem = self.problem
        success = self.norm <= problem.eps
        warn_of_invalid(self.invalid & success)
        x_adv = torch.where(_wide(success, problem.x), self.x_adv, problem.x)
        return make_result(
            problem,
            x_adv=x_adv,
            success=success,
            loss=torch.where(success, self.loss, self.clean_loss),
            queries=self.queries,
            steps_used=self.steps_used.masked_fill(~success, 0),
            no_gradient=self.no_gradient,
            invalid=self.invalid & success,
        )


class _FABWalk(ActiveSet):
    """The examples of one batch on their way."""

    def __init__(self, search: _FABSearch, rows: torch.Tensor, point: torch.Tensor, goal: torch.Tensor | None) -> None:
        self.search, self.rows, self.point, self.goal = search, rows, point, goal
        self.x, self.y = search.problem.x[rows], search.problem.y[rows]
        self.low, self.high = search.problem.box(rows)

    def run(self) -> None:
        for step in range(1, self.search.settings.steps + 1):
            point = self.advance(*self.linearise())
            _, hit = self.search.ask(self.rows, point, step)
            back = (self.x + BACKWARD * (point - self.x)).clamp_(self.low, self.high)
            self.point = torch.where(_wide(hit, point), back, point)
            if self.search.settings.early_stop and bool(hit.any()):
                self.drop(~self.search.goes_on(self.rows))
                if len(self.rows) == 0:
                    return

    def linearise(self) -> tuple[torch.Tensor, torch.Tensor]:
        """How far class y is ahead of the nearest class, negative (n,), and the slope of that (n, ...)."""
        inputs = self.point.detach().requires_grad_()
        logits = self.search.problem.ask(self.rows, inputs)
        self.search.queries[self.rows] += 1
        if self.goal is not None:
            gap = _gap(logits, self.y, self.goal)
            return gap.detach(), self.clean(logit_slope(gap.sum(), inputs))
        return self.toward_the_nearest(logits, inputs)

    def toward_the_nearest(self, logits: torch.Tensor, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The class whose linearised boundary is nearest, ignoring the box."""
        dual, tiny = DUAL[self.search.problem.threat.norm], torch.finfo(inputs.dtype).tiny
        classes = logits.shape[1]
        best = torch.full((len(inputs),), torch.inf, dtype=inputs.dtype, device=inputs.device)
        nearest, steepest = torch.zeros_like(best), torch.zeros_like(inputs)
        for shift in range(1, classes):
            gap = _gap(logits, self.y, (self.y + shift) % classes)
            slope = logit_slope(gap.sum(), inputs, again=shift < classes - 1)
            distance = gap.detach().abs() / perturbation_norm(slope, dual).clamp_min(tiny)
            nearer = distance < best
            best = torch.where(nearer, distance, best)
            nearest = torch.where(nearer, gap.detach(), nearest)
            steepest = torch.where(_wide(nearer, slope), slope, steepest)
        return nearest, self.clean(steepest)

    def clean(self, slope: torch.Tensor) -> torch.Tensor:
        slope, blind = cleaned(slope)
        if blind is not None:
            self.search.no_gradient[self.rows] |= blind
        return slope

    def advance(self, gap: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
        """The next point: overshooting both boundary points, with a bias toward the one nearest to the example."""
        norm, point = self.search.problem.threat.norm, self.point
        normal, gap = slope.flatten(1), gap.to(slope.dtype)
        gap_at_x = gap + (normal * (self.x - point).flatten(1)).sum(1)
        starts = torch.cat([point, self.x])
        steps = step_onto_plane(
            normal.repeat(2, 1),
            torch.cat([gap, gap_at_x]),
            low=(self.low.repeat(2, *(1,) * (self.x.ndim - 1)) - starts).flatten(1),
            high=(self.high.repeat(2, *(1,) * (self.x.ndim - 1)) - starts).flatten(1),
            norm=norm,
        ).view_as(starts)
        here, there = perturbation_norm(steps, norm).chunk(2)
        bias = _wide((here / (here + there).clamp_min(1e-12)).clamp_max(LARGEST_BIAS), point)
        ahead, home = (starts + OVERSHOOT * steps).chunk(2)
        return ((1 - bias) * ahead + bias * home).clamp(self.low, self.high)


def _gap(logits: torch.Tensor, y: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
    """Logit of class `goal` minus that of class `y` (n,)."""
    return (logits.gather(1, goal[:, None]) - logits.gather(1, y[:, None])).squeeze(1)


def _wide(per_row: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return per_row.view(-1, *(1,) * (x.ndim - 1))
