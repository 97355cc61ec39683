"""Two ways to attack a posterior: as a paper did, and with a strong adaptive attack.

``paper``: the gradient of few weight samples, through the loss of the public code of G. Carbone et al., arXiv:2002.04359, who ask
what this one attack does. ``adaptive``: the same samples as the defence, losses that do not vanish, adaptive steps, restarts, an
attack without gradients, and for each example the worst of all; after Y. Feng, T. Rudner, N. Tsilivis and J. Kempe,
arXiv:2404.19640, who found that evaluations without these overstate the robustness of Bayesian networks. Only the second allows
a statement about security.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

import torch

from holdfast.attacks import apgd, ascend, input_gradient, square
from holdfast.attacks.worst import with_rows
from holdfast.bayes.objectives import OBJECTIVES, PosteriorLoss, posterior_objective
from holdfast.bayes.outcome import Judge
from holdfast.core.checks import check_one_of, check_whole, refuse
from holdfast.core.posteriors import AttackEffort
from holdfast.core.seeds import Seeds
from holdfast.nets import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.attacks import AttackResult, ThreatModel
    from holdfast.bayes.outcome import Overlap, ProtocolResult
    from holdfast.bayes.posterior import Posterior

__all__ = ["adaptive_protocol", "named_protocol", "paper_protocol"]

PAPER_STEP = 2 / 225  # as the public code has it
ADAPTIVE: tuple[PosteriorLoss, ...] = ("predictive_nll", "mean_logits", "predictive_margin")


def paper_protocol(  # noqa: PLR0913 - each argument is a setting chosen by name
    posterior: Posterior,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    methods: Sequence[Literal["fgsm", "pgd"]] = ("fgsm", "pgd"),
    loss: PosteriorLoss = "second_softmax",
    attack_samples: int | None = 1,
    defence_samples: int | None = None,
    steps: int = 40,
    step_size: float | Literal["paper"] = PAPER_STEP,
    chunk: int | None = None,
    seed: int = 0,
    batch_size: int = 500,
) -> ProtocolResult:
    """The attacks of arXiv:2002.04359 as its public code runs them; no statement about security.

    Every example is attacked, also those that are answered wrongly, and only the answer at the attacked input counts.

    Parameters
    ----------
    posterior : the defence
    x, y, threat, batch_size : as in :func:`~holdfast.attacks.pgd`
    methods : ``"fgsm"`` and ``"pgd"``, the latter from the input itself
    loss : ``"second_softmax"`` as in the code; ``"expected"`` is the equation of the paper
    attack_samples : weight samples of the attacker: fresh draws where the posterior can draw, otherwise samples that do not defend
        where these are enough, otherwise any; None: the same as the defence
    defence_samples : number of samples that defend, evenly spaced; None: all
    steps : of PGD
    step_size : of PGD; ``"paper"`` is 2 over the largest pixel of each image, which leaves the whole box in one step, as in the
        branch of the code that runs with a dictionary of hyperparameters
    chunk : number of weight samples at once, to bound memory
    seed : of the attacker's samples

    Warns
    -----
    UserWarning : the gradient at more than 1 % of the inputs is exactly zero

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.bayes import Posterior
    >>> from holdfast.nets import mlp
    >>> post = Posterior.of_models([mlp(4, classes=3, seed=seed) for seed in range(5)])
    >>> found = paper_protocol(post, torch.rand(6, 4), torch.arange(6) % 3, ThreatModel("linf", 0.1))
    >>> list(found.outcomes), found.attack_samples, found.overlap
    (['fgsm', 'pgd'], 1, 'some of them')
    """
    attacker, defence, overlap = _sides(posterior.of_dtype(x.dtype), attack_samples, defence_samples, seed)
    size = _paper_step(step_size, x)
    objective = posterior_objective(attacker, y, loss, chunk=chunk)
    judge = Judge(defence, x, y, threat=threat, batch_size=batch_size, chunk=chunk)
    found: dict[str, AttackResult] = {}
    with frozen(attacker.model):
        for method in methods:
            check_one_of(method, "methods", allowed=("fgsm", "pgd"))
            pace: dict[str, Any] = (
                {"steps": 1, "step_size": threat.eps} if method == "fgsm" else {"steps": steps, "step_size": size}
            )
            found[method] = judge.judge(ascend(objective, x, threat, batch_size=batch_size, **pace), steps=pace["steps"])
        rows = torch.arange(len(x), device=x.device)
        zeros = sum(_dead(input_gradient(objective, x[part], part)) for part in rows.split(batch_size))
    _warn_of_zeros(zeros, len(x))
    chains = min(len(defence), posterior.chains)
    return judge.report("paper", found, zeros, attack_samples=len(attacker), overlap=overlap, chains=chains)


def adaptive_protocol(  # noqa: PLR0913 - as above
    posterior: Posterior,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    losses: Sequence[PosteriorLoss] = ADAPTIVE,
    steps: int = 100,
    restarts: int = 5,
    queries: int = 1000,
    retry_double: bool = True,
    chunk: int | None = None,
    seed: int = 0,
    batch_size: int = 500,
) -> ProtocolResult:
    """Adaptive gradient attacks on what is predicted, an attack without gradients, and the worst of all for each example.

    All samples attack and defend, the same at every query: a defence that draws new ones for each query
    is not attacked as such. Each loss is climbed by APGD; every attack is judged by the predictive.

    Parameters
    ----------
    posterior : the defence
    x, y, threat, batch_size : as in :func:`~holdfast.attacks.apgd`
    losses : of ``"predictive_nll"``, ``"mean_logits"`` and ``"predictive_margin"``
    steps, restarts : of APGD for each loss
    queries : of the Square attack; 0 leaves it out
    retry_double : repeat in double precision where a gradient was exactly zero and nothing was found
    chunk : number of weight samples at once
    seed : of starts and search

    Warns
    -----
    UserWarning : more than 1 % of the examples had zero gradients and were not fooled, in double precision neither

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.bayes import Posterior
    >>> from holdfast.nets import mlp
    >>> post = Posterior.of_models([mlp(4, classes=3, seed=seed) for seed in range(5)])
    >>> x, y = torch.rand(6, 4), torch.arange(6) % 3
    >>> found = adaptive_protocol(post, x, y, ThreatModel("linf", 0.1), steps=5, restarts=1, queries=10)
    >>> list(found.outcomes), found.overlap
    (['predictive_nll', 'mean_logits', 'predictive_margin', 'square'], 'the same')
    """
    if not check_whole(queries, "queries") and not losses:
        refuse("losses", "is empty", allowed="at least one loss, or queries > 0")
    judge = Judge(posterior.of_dtype(x.dtype), x, y, threat=threat, batch_size=batch_size, chunk=chunk)
    seeds = Seeds(seed).child("adaptive")
    found: dict[str, AttackResult] = {}
    blind = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    for loss in losses:
        check_one_of(loss, "losses", allowed=ADAPTIVE)
        climb = _PosteriorClimb(judge, loss, steps=steps, restarts=restarts, seed=seeds.integer(loss))
        found[loss] = climb(torch.arange(len(x), device=x.device))
        lost = found[loss].no_gradient & ~found[loss].success
        blind |= found[loss].no_gradient
        if retry_double and bool(lost.any()):
            rows = lost.nonzero().squeeze(1)
            found[loss] = with_rows(found[loss], rows, climb(rows, double=True))
    if queries:
        found["square"] = square(
            judge.predictive, x, y, threat, queries=queries, seed=seeds.integer("square") % 2**31, batch_size=batch_size
        )
    fooled = torch.stack([result.success for result in found.values()]).any(0)
    _warn_of_zeros(int((blind & ~fooled).sum()), len(x))
    samples, chains = len(posterior), posterior.chains
    return judge.report("adaptive", found, int(blind.sum()), attack_samples=samples, overlap="the same", chains=chains)


def named_protocol(
    name: str, posterior: Posterior, x: torch.Tensor, y: torch.Tensor, threat: ThreatModel, *, effort: AttackEffort | None = None
) -> ProtocolResult:
    """A protocol by its name, for comparisons that run several; zero gradients are counted in the result, without a warning.

    Parameters
    ----------
    name : ``"adaptive"`` for :func:`adaptive_protocol`; ``"code"`` for :func:`paper_protocol` as published, with one attacking
        sample; otherwise the loss that :func:`paper_protocol` climbs with all samples that defend, in steps of 2.5 eps / steps
    posterior, x, y, threat : as there
    effort : default: ``AttackEffort()``

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.bayes import Posterior
    >>> from holdfast.nets import mlp
    >>> post = Posterior.of_models([mlp(4, classes=3, seed=seed) for seed in range(5)])
    >>> x, y = torch.rand(6, 4), torch.arange(6) % 3
    >>> [named_protocol(name, post, x, y, ThreatModel("linf", 0.1)).attack_samples for name in ("code", "expected")]
    [1, 5]
    """
    work = effort or AttackEffort()
    check_one_of(name, "name", allowed=("adaptive", "code", *OBJECTIVES))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The gradient of .* is exactly zero", category=UserWarning)
        if name == "adaptive":
            return adaptive_protocol(posterior, x, y, threat, steps=work.climbs, restarts=work.restarts, queries=work.queries)
        if name == "code":
            return paper_protocol(posterior, x, y, threat)
        loss, pace = cast("PosteriorLoss", name), 2.5 * float(threat.eps) / work.steps
        return paper_protocol(posterior, x, y, threat, loss=loss, attack_samples=None, steps=work.steps, step_size=pace)


def _sides(posterior: Posterior, attack: int | None, defence: int | None, seed: int) -> tuple[Posterior, Posterior, Overlap]:
    """The attacker's and the defence's samples, and how they overlap."""
    defends = posterior if defence is None else posterior.spread(defence)
    if attack is None:
        return defends, defends, "the same"
    draws = Seeds(seed).torch("attacker")
    if posterior.sampler is not None:
        return posterior.resample(attack, draws), defends, "fresh draws"
    check_whole(attack, "samples", low=1, high=len(posterior))
    ours = set(range(len(posterior))) if defence is None else set(posterior.spread_rows(defence).tolist())
    if attack == len(ours) == len(posterior):
        return defends, defends, "the same"
    others = [row for row in range(len(posterior)) if row not in ours]
    pool = torch.tensor(others if len(others) >= attack else range(len(posterior)))
    rows = pool[torch.randperm(len(pool), generator=draws)[:attack]]
    return posterior.take(rows), defends, _overlap(set(rows.tolist()), ours)


def _overlap(theirs: set[int], ours: set[int]) -> Overlap:
    if theirs == ours:
        return "the same"
    if not theirs & ours:
        return "none of them"
    if theirs > ours:
        return "all of them and more"
    return "some of them" if theirs < ours else "some of them and others"


def _paper_step(step_size: float | str, x: torch.Tensor) -> float | torch.Tensor:
    if isinstance(step_size, str):
        check_one_of(step_size, "step_size", allowed=("paper",))
        return 2 / x.flatten(1).amax(1).clamp_min(torch.finfo(x.dtype).tiny)
    return step_size


def _dead(gradient: torch.Tensor) -> int:
    return int((~gradient.flatten(1).any(1)).sum())


def _warn_of_zeros(zeros: int, examples: int) -> None:
    """Warn, on behalf of the caller's caller."""
    if zeros > 0.01 * examples:
        warnings.warn(
            f"The gradient of {zeros} of {examples} examples is exactly zero, so this attack does not move and its accuracy "
            "proves no robustness. Use adaptive_protocol, whose losses survive saturation, or pass double precision.",
            UserWarning,
            stacklevel=3,
        )


class _PosteriorClimb:
    """APGD on one loss, judged by the predictive."""

    def __init__(self, judge: Judge, loss: PosteriorLoss, *, steps: int, restarts: int, seed: int) -> None:
        self.on, self.loss = judge, loss
        self.settings: dict[str, Any] = {"steps": steps, "restarts": restarts, "batch_size": judge.batch_size}
        self.settings["loss"] = "cw_margin" if loss == "predictive_margin" else "ce"
        self.seed = seed

    def __call__(self, rows: torch.Tensor, *, double: bool = False) -> AttackResult:
        if self.loss != "mean_logits":
            return self.climb(rows, double=double)[0]
        # another prediction than the one that is judged: what fools it may not do, and then the climb goes on
        first, fooled = self.climb(rows, double=double)
        left = (fooled & ~first.success).nonzero().squeeze(1)
        if len(left) == 0:
            return first
        more, _ = self.climb(rows[left], double=double, early_stop=False, skip_wrong=False)
        return with_rows(first, left, replace(more, queries=more.queries + first.queries[left]))

    def climb(self, rows: torch.Tensor, *, double: bool, **changes: Any) -> tuple[AttackResult, torch.Tensor]:
        """The result of one climb as the predictive judges it, and whether the climb fooled its own network (n,)."""
        problem = self.on.problem.of_rows(rows)
        network = self.on.posterior.as_module("mean_logits" if self.loss == "mean_logits" else "log_mean_exp", chunk=self.on.chunk)
        x, threat = problem.x, problem.threat
        if double:
            network, x = network.double(), x.double()
            threat = replace(threat, eps=problem.eps.double())
        found = apgd(network, x, problem.y, threat, seed=self.seed, **self.settings, **changes)
        if self.loss != "mean_logits" and not double:
            return found, found.success
        judged = self.on.judge(found.x_adv.to(problem.x.dtype), steps=self.settings["steps"], rows=rows, clean_counts=True)
        return replace(judged, queries=judged.queries + found.queries, no_gradient=found.no_gradient), found.success
