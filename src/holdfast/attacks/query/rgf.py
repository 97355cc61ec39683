r"""Attacks along a gradient that is estimated from answers: random gradient-free (RGF), and RGF with a prior (P-RGF).

.. math:: \hat g = \frac1q \sum_i \frac{L(x + s u_i) - L(x)}{s}\, u_i

Source: S. Cheng, Y. Dong, T. Pang, H. Su and J. Zhu, NeurIPS 2019, arXiv:1906.06919; the estimate from orthogonal directions:
F. Meier, A. Mujika, M. M. Gauy and A. Steger, arXiv:1910.05268, and S. Cheng, G. Wu and J. Zhu, arXiv:2107.10110. Every pass is
counted: the look at each new input, the slope along the prior, and the slopes that measure the length of the gradient.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import torch

from holdfast.attacks.projection import Ball, make_ball
from holdfast.attacks.query.differences import Differences
from holdfast.attacks.query.directions import Directions, unit
from holdfast.attacks.query.oracle import Oracle, question
from holdfast.attacks.query.prior import Prior, averaged, optimal_lambda
from holdfast.attacks.threat import AttackResult, ThreatModel, per_example
from holdfast.attacks.transforms import cleaned
from holdfast.core.checks import check_one_of, check_whole, refuse
from holdfast.core.seeds import Seeds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.attacks.losses import Loss

__all__ = ["EstimatedResult", "p_rgf", "rgf"]

LENGTH_PROBES = 10  # queries that measure the length of the gradient, each time: the official code
Estimator = Literal["biased", "orthogonal"]


@dataclass(frozen=True, kw_only=True)
class EstimatedResult(AttackResult):
    """What an attack along estimated gradients found, and how good its directions were at each of S steps.

    All of these are tensors (S, N), NaN where an example took no such step or the number was not measured.

    Parameters
    ----------
    alpha : cosine between prior and gradient, as estimated from answers, before the prior is turned around where it is negative
    lam : weight of the prior in the estimate; with orthogonal directions its share of the estimate's square
    prior_cosine, estimate_cosine : with the true gradient, where one was given
    """

    alpha: torch.Tensor
    lam: torch.Tensor
    prior_cosine: torch.Tensor
    estimate_cosine: torch.Tensor


def rgf(  # noqa: PLR0913 - each argument is a setting chosen by name
    victim: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    target_class: int | torch.Tensor | None = None,
    queries: int = 10_000,
    samples: int = 50,
    sigma: float = 1e-4,
    step_size: float | torch.Tensor | None = None,
    estimator: Estimator = "biased",
    memory: bool = False,
    subspace: int | None = None,
    truth: Prior | None = None,
    loss: str | Loss = "ce",
    seed: int = 0,
    batch_size: int = 500,
) -> EstimatedResult:
    """Climb along estimates of the gradient from random directions alone.

    Parameters
    ----------
    victim, x, y, threat, target_class, queries, samples, sigma, step_size, memory, subspace, truth, loss, seed, batch_size : as in
        :func:`p_rgf`
    estimator : ``"biased"`` takes independent directions, ``"orthogonal"`` orthonormal ones

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.nets import mlp
    >>> x, y = torch.rand(20, 8), torch.arange(20) % 3
    >>> result = rgf(mlp(8, classes=3), x, y, ThreatModel("linf", 0.1), queries=60, samples=5, sigma=1e-3)
    >>> int(result.queries.max()) <= 60
    True
    """
    problem = question(victim, x, y, threat, target_class=target_class, access="scores")
    oracle = Oracle(problem, queries=queries, loss=loss, batch_size=batch_size)
    settings = _Settings(samples=samples, estimator=estimator, memory=memory, subspace=subspace)
    attack = _Attack(oracle, settings, sigma=sigma, priors=(), truth=truth)
    return attack.run(step_size, Seeds(seed).child("rgf"))


def p_rgf(  # noqa: PLR0913 - each argument is a setting chosen by name
    victim: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    prior: Prior | Sequence[Prior],
    target_class: int | torch.Tensor | None = None,
    queries: int = 10_000,
    samples: int = 50,
    sigma: float = 1e-4,
    step_size: float | torch.Tensor | None = None,
    estimator: Estimator = "biased",
    memory: bool = False,
    subspace: int | None = None,
    truth: Prior | None = None,
    loss: str | Loss = "ce",
    seed: int = 0,
    batch_size: int = 500,
) -> EstimatedResult:
    r"""Climb along estimates of the gradient that a prior leads.

    The ``"biased"`` estimator is the source's: directions lean to the prior by :func:`~holdfast.attacks.query.optimal_lambda`, for
    which each step spends one query on the slope along the prior, and every tenth step (and step 3) ten more on the length of the
    gradient. At lambda = 1 the step follows the prior, and no directions are asked about.

    The ``"orthogonal"`` estimator takes each prior as one of `samples` orthonormal directions and projects the gradient onto all
    of them. For a prior at cosine :math:`\alpha` the squared cosine of the estimate is on average
    :math:`\alpha^2 + (q - 1)(1 - \alpha^2)/(D - 1)`, the best that these answers allow. It needs neither lambda nor the length of
    the gradient, and a useless prior costs one query of q.

    Parameters
    ----------
    victim : :class:`~holdfast.core.target.Target` (or module, or callable) that tells scores
    x, y : examples (N, ...) in the box, right classes (N,)
    threat : ``"linf"`` or ``"l2"``, radius (one or per example), box, mask
    prior : callable from inputs (n, ...) and the examples (n,) that they belong to, to directions (n, ...) of any length that
        should raise the objective; or several: averaged at length 1, or one direction each with ``"orthogonal"``
    target_class : class to be reached, one or per example; None: any wrong class
    queries : on each example at most, the first look at it included
    samples : q, directions per step
    sigma : s, first shift along a direction, in units of the input; 1e-3 for victims that answer at random or round; doubled where
        all differences of a step are exactly zero
    step_size : one or per example; default ``eps / 10``
    estimator : ``"biased"`` or ``"orthogonal"``
    memory : with ``"orthogonal"``, the last estimate is one more direction (arXiv:1910.05268)
    subspace : side of the coarse grid on which random directions are drawn; None: in the whole input
    truth : gradient of the victim itself, for :attr:`EstimatedResult.prior_cosine`; it has no influence on the attack
    loss : climbed; ``"ce"`` by its soft margin
    seed : of the directions
    batch_size : inputs per pass

    Returns
    -------
    EstimatedResult inside ball and box

    Raises
    ------
    InputError : see :func:`~holdfast.attacks.problem.pose`; a target that tells labels alone; other norms; a prior of another shape

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.attacks.query import loss_gradient
    >>> from holdfast.nets import mlp
    >>> x, y = torch.rand(20, 8), torch.arange(20) % 3
    >>> source, victim = mlp(8, classes=3, seed=1), mlp(8, classes=3)
    >>> threat = ThreatModel("linf", 0.1)
    >>> result = p_rgf(victim, x, y, threat, prior=loss_gradient(source, y), queries=60, samples=5, sigma=1e-3)
    >>> result.alpha.shape == result.lam.shape
    True
    """
    priors = (prior,) if callable(prior) else tuple(prior)
    problem = question(victim, x, y, threat, target_class=target_class, access="scores")
    oracle = Oracle(problem, queries=queries, loss=loss, batch_size=batch_size)
    settings = _Settings(samples=samples, estimator=estimator, memory=memory, subspace=subspace)
    if len(priors) == 0:
        refuse("prior", "is empty", allowed="at least one callable", remedy="Attack without a prior with rgf().")
    attack = _Attack(oracle, settings, sigma=sigma, priors=priors, truth=truth)
    return attack.run(step_size, Seeds(seed).child("p_rgf"))


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """How a gradient is estimated."""

    samples: int
    estimator: Estimator
    memory: bool
    subspace: int | None

    def __post_init__(self) -> None:
        check_whole(self.samples, "samples", low=1)
        check_one_of(self.estimator, "estimator", allowed=("biased", "orthogonal"))
        if self.memory and self.estimator != "orthogonal":
            refuse("memory", "is True", allowed="False with the biased estimator", remedy='Set estimator="orthogonal".')


@dataclass(frozen=True, kw_only=True)
class _Estimate:
    """Directions (n, D) of one step, the mean prior among them, and what was learnt of it (n,)."""

    direction: torch.Tensor
    prior: torch.Tensor
    alpha: torch.Tensor
    lam: torch.Tensor


@dataclass
class _State:
    """Where the attack on a few examples stands: `adv` (n, ...), the objective there, the last estimate (n, D)."""

    rows: torch.Tensor
    ball: Ball
    adv: torch.Tensor
    base: torch.Tensor
    last: torch.Tensor

    def keep(self, stay: torch.Tensor) -> None:
        """Go on with these alone."""
        if not bool(stay.all()):
            self.rows, self.ball, self.adv = self.rows[stay], self.ball.keep(stay), self.adv[stay]
            self.base, self.last = self.base[stay], self.last[stay]


class _Attack:
    """The loop of both attacks."""

    def __init__(
        self, oracle: Oracle, settings: _Settings, *, sigma: float, priors: tuple[Prior, ...], truth: Prior | None
    ) -> None:
        threat = oracle.problem.threat
        if threat.norm not in {"linf", "l2"}:
            refuse("norm", f"is {threat.norm!r}", allowed="linf or l2 for attacks along estimated gradients")
        self.oracle, self.settings, self.priors, self.truth = oracle, settings, priors, truth
        self.differences = Differences(oracle, sigma)
        self.square = torch.zeros_like(oracle.problem.eps)  # of the gradient's length in the subspace, per example
        self.history: dict[str, list[torch.Tensor]] = {name: [] for name in TRACES}

    def run(self, step_size: float | torch.Tensor | None, seeds: Seeds) -> EstimatedResult:
        oracle, problem = self.oracle, self.oracle.problem
        sizes = problem.eps / 10 if step_size is None else per_example(step_size, "step_size", problem.x)
        with oracle.asking():
            for number, rows in enumerate(oracle.begin().split(max(1, oracle.batch_size // self.settings.samples))):
                generator = seeds.torch(number, device=str(problem.x.device))
                directions = Directions(problem.x, problem.threat, subspace=self.settings.subspace, generator=generator)
                self.climb(rows, directions, sizes)
        found = oracle.result()
        empty = torch.zeros(0, len(problem.x), dtype=problem.x.dtype, device=problem.x.device)
        return EstimatedResult(
            **{entry.name: getattr(found, entry.name) for entry in fields(AttackResult)},
            **{name: torch.stack(steps) if steps else empty for name, steps in self.history.items()},
        )

    def climb(self, rows: torch.Tensor, directions: Directions, sizes: torch.Tensor) -> None:
        """Attack the examples `rows` until they are fooled or have one query left, which then judges the last step."""
        problem, estimate = self.oracle.problem, self.biased if self.settings.estimator == "biased" else self.orthogonal
        ball = make_ball(problem.x[rows], problem.eps[rows], problem.threat)
        base = self.differences.value(rows, self.oracle.clean[rows])
        state = _State(rows, ball, ball.x.clone(), base, torch.zeros_like(ball.x).flatten(1))
        step = 0
        while True:
            state.keep(~self.oracle.found.success[state.rows] & (self.oracle.left[state.rows] > 1))
            if len(state.rows) == 0:
                return
            guess = estimate(state, directions, step)
            self.note(step, state, guess)
            state.last = guess.direction
            state.ball.step_(state.adv, guess.direction.view_as(state.adv), sizes[state.rows])
            step += 1
            state.base = self.differences.value(state.rows, self.oracle.ask(state.rows, state.adv, steps=step))

    def biased(self, state: _State, directions: Directions, step: int) -> _Estimate:
        """The mean over directions that lean to the prior, which is turned around if it points down."""
        slopes, n = self.differences.slopes, len(state.rows)
        at = (state.rows, state.adv, state.base)
        prior = self.priors_at(state).squeeze(1) if self.priors else state.adv.new_zeros(n, state.adv[0].numel())
        alpha = lam = prior.new_full((n,), torch.nan)
        weight = prior.new_zeros(n)
        if self.priors:
            if step % 10 == 0 or step == 3:
                self.measure_length(state, directions)
            known = prior.abs().amax(1) > 0
            along, asked = slopes(*at, directions=prior[:, None], wanted=known.long())
            alpha = torch.where(asked[:, 0], along[:, 0] / self.square[state.rows].sqrt().clamp_min(1e-12), torch.nan)
            prior = prior * torch.where(along < 0, -1.0, 1.0)
            lam = weight = self.weight(alpha.nan_to_num(0.0), directions, prior)
        drawn = directions.draw(n, self.settings.samples)
        drawn = unit(drawn - (drawn @ prior[:, :, None]) * prior[:, None])
        drawn = weight.sqrt()[:, None, None] * prior[:, None] + (1 - weight).sqrt()[:, None, None] * drawn
        wanted = torch.where(weight < 1, self.settings.samples, 0)
        found, asked = slopes(*at, directions=drawn, wanted=wanted)
        mean = (found[:, None] @ drawn).squeeze(1) / asked.sum(1, keepdim=True).clamp_min(1)
        return _Estimate(direction=torch.where(asked.any(1)[:, None], mean, prior), prior=prior, alpha=alpha, lam=lam)

    def measure_length(self, state: _State, directions: Directions) -> None:
        """Mean square of random slopes times the dimension: the squared length of the gradient (in the subspace)."""
        probes = directions.draw(len(state.rows), LENGTH_PROBES)
        slopes, asked = self.differences.slopes(state.rows, state.adv, state.base, directions=probes)
        mean = slopes.square().sum(1) / asked.sum(1).clamp_min(1)
        self.square[state.rows] = torch.where(asked.any(1), directions.dimension * mean, self.square[state.rows])

    def weight(self, alpha: torch.Tensor, directions: Directions, prior: torch.Tensor) -> torch.Tensor:
        """The best lambda (n,).

        What counts is the gradient's square along the prior against that left in the subspace. With c the share of the prior in the
        subspace of dimension d, about ``1 - c alpha^2`` is left in ``d - c`` dimensions; in the whole space c = 1.
        """
        share = directions.share(prior)
        along = alpha.square()
        left = (1 - share * along).clamp_min(0)
        whole = (along + left).clamp_min(torch.finfo(along.dtype).tiny)
        return optimal_lambda((along / whole).clamp_max(1), directions.dimension + 1 - share, self.settings.samples)

    def orthogonal(self, state: _State, directions: Directions, step: int) -> _Estimate:
        """The projection of the gradient onto the priors, the last estimate and random directions, all orthonormal."""
        n, features = len(state.rows), state.adv[0].numel()
        known = self.priors_at(state) if self.priors else state.adv.new_zeros(n, 0, features)
        count = known.shape[1]
        if self.settings.memory and step:
            known = torch.cat([known, unit(state.last)[:, None]], 1)
        known = known[:, : self.settings.samples]
        frame = directions.frame(known, self.settings.samples)
        slopes, asked = self.differences.slopes(state.rows, state.adv, state.base, directions=frame)
        direction = (slopes[:, None] @ frame).squeeze(1)
        alpha = lam = direction.new_full((n,), torch.nan)
        if count:
            led, rest = slopes[:, :count].square().sum(1), slopes[:, known.shape[1] :].square().sum(1)
            told = asked[:, known.shape[1] :].sum(1)
            length = slopes.square().sum(1) - rest + rest / told.clamp_min(1) * max(1, directions.dimension - known.shape[1])
            sign = slopes[:, 0].sign() if count == 1 else 1.0
            alpha = sign * (led / length.clamp_min(torch.finfo(led.dtype).tiny)).sqrt()
            lam = led / slopes.square().sum(1).clamp_min(torch.finfo(led.dtype).tiny)
        prior = known[:, :count].mean(1) if count else torch.zeros_like(direction)
        return _Estimate(direction=direction, prior=prior, alpha=alpha, lam=lam)

    def priors_at(self, state: _State) -> torch.Tensor:
        """Unit priors (n, m, D): one, or with orthogonal directions one per source; zero where a source knows nothing."""
        chosen = (
            self.priors
            if self.settings.estimator == "orthogonal"
            else (averaged(self.priors) if len(self.priors) > 1 else self.priors[0],)
        )
        found = []
        for prior in chosen:
            with torch.enable_grad():
                direction = prior(state.adv.detach(), state.rows).detach()
            if direction.shape != state.adv.shape:
                refuse("prior", f"gives shape {tuple(direction.shape)}", allowed=f"that of its inputs, {tuple(state.adv.shape)}")
            movable = cleaned(direction)[0].masked_fill(state.ball.low == state.ball.high, 0)
            found.append(unit(movable.flatten(1).to(state.adv.dtype)))
        return torch.stack(found, 1)

    def note(self, step: int, state: _State, guess: _Estimate) -> None:
        """Keep what this step was like."""
        traces = {"alpha": guess.alpha, "lam": guess.lam}
        if self.truth is not None:
            with torch.enable_grad():
                truth = unit(self.truth(state.adv.detach(), state.rows).detach().flatten(1))
            traces["prior_cosine"] = (unit(guess.prior) * truth).sum(1) if self.priors else guess.alpha
            traces["estimate_cosine"] = (unit(guess.direction) * truth).sum(1)
        for name, steps in self.history.items():
            if step == len(steps):
                steps.append(torch.full_like(self.square, torch.nan))
            if name in traces:
                steps[step][state.rows] = traces[name].to(self.square.dtype)


TRACES = ("alpha", "lam", "prior_cosine", "estimate_cosine")
