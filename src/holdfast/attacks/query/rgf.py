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

from holdfast.attacks.precision import at_least_single
from holdfast.attacks.query.differences import Differences
from holdfast.attacks.query.directions import Directions, unit
from holdfast.attacks.query.estimators import Biased, GradientEstimate, Orthogonal, State
from holdfast.attacks.query.oracle import GROUP, Oracle, query_problem
from holdfast.attacks.query.prior import Prior, averaged
from holdfast.attacks.threat import AttackResult, ThreatModel, per_example
from holdfast.core.checks import check_one_of, check_whole, refuse
from holdfast.core.seeds import Seeds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.attacks.losses import Loss

__all__ = ["EstimatedResult", "p_rgf", "rgf"]

TRACES = ("alpha", "lam", "prior_cosine", "estimate_cosine")
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
    model: Any,
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
    starts: torch.Tensor | None = None,
    truth: Prior | None = None,
    loss: str | Loss = "ce",
    seed: int = 0,
    batch_size: int = 500,
) -> EstimatedResult:
    """Climb along estimates of the gradient from random directions alone.

    Parameters
    ----------
    model, x, y, threat, target_class, queries, samples, sigma, step_size, memory : as in :func:`p_rgf`
    subspace, starts, truth, loss, seed, batch_size : as there
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
    oracle = _oracle(model, x, y, threat, target_class=target_class, queries=queries, loss=loss, batch_size=batch_size)
    estimate = _estimator(estimator, Differences(oracle, sigma), samples, (), memory=memory)
    return _RGF(oracle, estimate, starts, truth).run(step_size, subspace, Seeds(seed).child("rgf"))


def p_rgf(  # noqa: PLR0913 - each argument is a setting chosen by name
    model: Any,
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
    starts: torch.Tensor | None = None,
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
    model : module, callable or :class:`~holdfast.core.target.Target` that answers with scores (N, K)
    x, y : examples (N, ...) in the box, right classes (N,)
    threat : ``"linf"`` or ``"l2"``, radius (one or per example), box, mask
    prior : callable from inputs (n, ...) and the examples (n,) that they belong to, to directions (n, ...) of any length that
        should raise the objective; or several: averaged at length 1, or one direction each with ``"orthogonal"``
    target_class : class to be reached, one or per example; None: any wrong class
    queries : on each example at most, the first look at it included
    samples : q, directions per step
    sigma : s, first shift along a direction, in units of the input; 1e-3 for models whose answers are random or rounded; doubled
        where all differences of a step are exactly zero
    step_size : one or per example; default ``eps / 10``
    estimator : ``"biased"`` or ``"orthogonal"``
    memory : with ``"orthogonal"``, the last estimate is one more direction (arXiv:1910.05268)
    starts : inputs (N, ...) from which to climb, such as those of an attack on another network; they are projected onto ball and
        box. None: the examples themselves
    subspace : side of the coarse grid on which random directions are drawn; None: in the whole input
    truth : gradient of the model itself, for :attr:`EstimatedResult.prior_cosine`; it has no influence on the attack
    loss : climbed; ``"ce"`` by its soft margin
    seed : of the directions
    batch_size : inputs per pass

    Returns
    -------
    EstimatedResult inside ball and box

    Raises
    ------
    InputError : see :func:`~holdfast.attacks.problem.pose`; a target that gives labels alone; other norms; a prior of another shape

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.attacks.query import loss_gradient
    >>> from holdfast.nets import mlp
    >>> x, y = torch.rand(20, 8), torch.arange(20) % 3
    >>> source, model = mlp(8, classes=3, seed=1), mlp(8, classes=3)
    >>> threat = ThreatModel("linf", 0.1)
    >>> result = p_rgf(model, x, y, threat, prior=loss_gradient(source, y), queries=60, samples=5, sigma=1e-3)
    >>> result.alpha.shape == result.lam.shape
    True
    """
    priors = (prior,) if callable(prior) else tuple(prior)
    if len(priors) == 0:
        refuse("prior", "is empty", allowed="at least one callable", remedy="Attack without a prior with rgf().")
    oracle = _oracle(model, x, y, threat, target_class=target_class, queries=queries, loss=loss, batch_size=batch_size)
    estimate = _estimator(estimator, Differences(oracle, sigma), samples, priors, memory=memory)
    return _RGF(oracle, estimate, starts, truth).run(step_size, subspace, Seeds(seed).child("p_rgf"))


def _oracle(
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    target_class: int | torch.Tensor | None,
    queries: int,
    loss: str | Loss,
    batch_size: int,
) -> Oracle:
    if threat.norm not in {"linf", "l2"}:
        refuse("norm", f"is {threat.norm!r}", allowed="linf or l2 for attacks along estimated gradients")
    problem = query_problem(model, x, y, threat, target_class=target_class, access="scores")
    return Oracle(problem, queries=queries, loss=loss, batch_size=batch_size)


def _estimator(
    name: Estimator, differences: Differences, samples: int, priors: tuple[Prior, ...], *, memory: bool
) -> Biased | Orthogonal:
    check_whole(samples, "samples", low=1)
    check_one_of(name, "estimator", allowed=("biased", "orthogonal"))
    if name == "orthogonal":
        return Orthogonal(differences, samples, priors, memory=memory)
    if memory:
        refuse("memory", "is True", allowed="False with the biased estimator", remedy='Set estimator="orthogonal".')
    return Biased(differences, samples, priors if len(priors) < 2 else (averaged(priors),))


class _RGF:
    """The loop of both attacks."""

    def __init__(self, oracle: Oracle, estimate: Biased | Orthogonal, starts: torch.Tensor | None, truth: Prior | None) -> None:
        x = oracle.problem.x
        if starts is not None and (starts.shape != x.shape or not bool(starts.isfinite().all())):
            refuse("starts", f"has shape {tuple(starts.shape)}", allowed=f"finite inputs, one per example, {tuple(x.shape)}")
        self.oracle, self.estimate, self.starts, self.truth = oracle, estimate, starts, truth
        self.history: dict[str, list[torch.Tensor]] = {name: [] for name in TRACES}

    def run(self, step_size: float | torch.Tensor | None, subspace: int | None, seeds: Seeds) -> EstimatedResult:
        """Attack all examples."""
        oracle, problem = self.oracle, self.oracle.problem
        sizes = problem.eps / 10 if step_size is None else per_example(step_size, "step_size", problem.x)
        with oracle.asking():
            for number, rows in enumerate(oracle.begin().split(max(1, GROUP // self.estimate.samples))):
                generator = seeds.torch(number, device=str(problem.x.device))
                directions = Directions(problem.x, problem.threat, subspace=subspace, generator=generator)
                self.climb(rows, directions, sizes)
        found = oracle.result()
        empty = problem.eps.new_zeros(0, len(problem.x))
        return EstimatedResult(
            **{entry.name: getattr(found, entry.name) for entry in fields(AttackResult)},
            **{name: torch.stack(steps) if steps else empty for name, steps in self.history.items()},
        )

    def climb(self, rows: torch.Tensor, directions: Directions, sizes: torch.Tensor) -> None:
        """Attack the examples `rows` until they are fooled or have one query left, which then judges the last step."""
        problem, value = self.oracle.problem, self.estimate.differences.value
        ball = problem.ball(rows)
        adv, answers = ball.x.clone(), self.oracle.clean[rows]
        if self.starts is not None:
            adv = ball.nearest(self.starts[rows].to(adv))
            answers = self.oracle.ask(rows, adv)
        state, step = State(rows, ball, adv, value(rows, answers), torch.zeros_like(adv).flatten(1)), 0
        while True:
            state.drop(self.oracle.found.success[state.rows] | (self.oracle.left[state.rows] <= 1))
            if len(state.rows) == 0:
                return
            guess = self.estimate(state, directions, step)
            self.note(step, state, guess)
            state.last = guess.direction
            state.ball.step_(state.adv, guess.direction.view_as(state.adv), sizes[state.rows])
            step += 1
            state.base = value(state.rows, self.oracle.ask(state.rows, state.adv, steps=step))

    def note(self, step: int, state: State, guess: GradientEstimate) -> None:
        """Keep what this step was like."""
        traces = {"alpha": guess.alpha, "lam": guess.lam}
        if self.truth is not None:
            with torch.enable_grad():
                inputs = self.oracle.problem.returned(state.rows, state.adv.detach())
                truth = unit(at_least_single(self.truth(inputs, state.rows).detach()).flatten(1))
            traces["estimate_cosine"] = (unit(guess.direction) * truth).sum(1)
            if self.estimate.priors:
                traces["prior_cosine"] = (unit(guess.prior) * truth).sum(1)
        nothing = torch.full_like(self.oracle.problem.eps, torch.nan)
        for name, steps in self.history.items():
            if step == len(steps):
                steps.append(nothing.clone())
            if name in traces:
                steps[step][state.rows] = traces[name].to(nothing.dtype)
