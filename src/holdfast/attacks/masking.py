"""Is the network robust, or are its gradients masked? Seven checks, each with its evidence.

After A. Athalye, N. Carlini and D. Wagner, *Obfuscated gradients give a false sense of security*, ICML 2018 (arXiv:1802.00420),
section 3.1, with fixed thresholds. A flag means that gradient attacks may overstate the robustness.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from holdfast.attacks.gradient import fgsm, pgd
from holdfast.attacks.noise import random_noise
from holdfast.attacks.precision import at_least_single
from holdfast.attacks.problem import pose
from holdfast.attacks.query.square import square
from holdfast.attacks.threat import AttackResult, ThreatModel
from holdfast.core.checks import check_one_of, refuse
from holdfast.core.estimate import Estimate, proportion
from holdfast.core.target import predicted_classes
from holdfast.data.examples import chance_level
from holdfast.nets import frozen

if TYPE_CHECKING:
    from holdfast.core.target import Target

__all__ = ["MaskingCheck", "check_masking", "masking_passes"]

RESTARTS = 2  # of the iterated attack
DRAWS = 10  # of noise per example in check iv


@dataclass(frozen=True, kw_only=True)
class MaskingCheck:
    """One check.

    Parameters
    ----------
    id : ``"i"`` to ``"vii"``
    title : what is compared
    flagged : the sign of masked gradients is there
    value : a share of examples
    threshold : the flag is raised above it
    text : one sentence with the number
    """

    id: str
    title: str
    flagged: bool
    value: Estimate
    threshold: float
    text: str


def masking_passes(*, steps: int = 20, queries: int = 100) -> tuple[int, int]:
    """Forward and backward passes per example that :func:`check_masking` needs at most; early stopping makes it cheaper.

    Examples
    --------
    >>> masking_passes(steps=20, queries=100)
    (305, 182)
    """
    backward = steps * (3 + RESTARTS + 2 * RESTARTS) + 2  # three other sizes; the size itself; more steps and restarts; i and v
    return backward + queries + DRAWS + 13, backward


def check_masking(  # noqa: PLR0913 - settings that a user chooses by name
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    steps: int = 20,
    queries: int = 100,
    black_box: AttackResult | torch.Tensor | None = None,
    seed: int = 0,
    batch_size: int = 500,
) -> tuple[MaskingCheck, ...]:
    r"""The seven checks at one attack size.

    ==== ============================================================================== ==================
    id   flagged if                                                                     threshold
    ==== ============================================================================== ==================
    i    the single step fools examples that the iterated attack does not               1 %
    ii   accuracy stays above chance where the ball is the whole range of the input     chance
    iii  an attack without gradients fools examples that the iterated attack does not   1 %
    iv   random noise of the same size fools examples that the iterated attack does not 1 %
    v    the input gradient of the cross entropy is zero, denormal or not finite        1 %
    vi   accuracy rises with eps, or falls further with more steps and restarts         2 points
    vii  the outputs of two passes differ, and the target does not average several      0
    ==== ============================================================================== ==================

    Check v takes the cross entropy as other tools do (float32, from the logits), so it detects saturation, to which
    :func:`~holdfast.attacks.pgd` itself is immune. In checks ii and vi it is the lower end of the interval that
    must exceed the threshold. Chance is the share of the largest class, at least 1/classes. Of a target that averages several
    passes (``Target(samples=10)``) what an attack found is judged by a fresh answer, and the share of examples on which two such
    answers differ is added to the thresholds of i, iii, iv and vi.

    Parameters
    ----------
    model : module, callable or target
    x, y : examples (N, ...) and labels (N,)
    threat : norm, radius and box at which to check; one radius for all
    steps : of the iterated attack, from each of its two starts
    queries : per example of the search without gradients (check iii) where `black_box` is not given
    black_box : success (N,) of a query or transfer attack of the same threat model, or its result, for check iii
    seed : of all random parts
    batch_size : examples per pass

    Returns
    -------
    seven checks in order
    """
    if isinstance(threat.eps, torch.Tensor):
        refuse("eps", "differs between examples", allowed="one radius for the masking checks")
    check_one_of(threat.norm, "norm", allowed=("linf", "l2", "l1"))
    problem = pose(model, x, y, threat)
    with frozen(model), torch.inference_mode(mode=False), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of randomness: that is check vii
        classes = problem.probe()
        answer = _connected(problem.target)
        panel = _Panel(answer, x, y, threat=threat, steps=steps, batch_size=batch_size, seed=seed)
        panel.averages = problem.target.samples > 1
        found = panel.climb(threat.eps, restarts=RESTARTS)
        panel.look_for_chance(found)
        return (
            panel.single_step(found),
            panel.unbounded(chance_level(problem.y, classes)),
            panel.without_gradient(found, black_box, queries),
            panel.noise(found),
            _dead_gradients(answer, x, y, batch_size),
            panel.consistency(found),
            _stochastic(problem.target, x, batch_size),
        )


Answer = Callable[[torch.Tensor], torch.Tensor]


def _connected(target: Target) -> Answer:
    """The target with a zero gradient added, so that attacks on one that cuts its graph run blind instead of stopping."""

    def answer(x: torch.Tensor) -> torch.Tensor:
        logits = target(x)
        return logits + (0 * x).flatten(1).sum(1, keepdim=True) if x.requires_grad else logits

    return answer


def _percent(share: Estimate) -> str:
    value, lo, hi = (f"{100 * end:.1f}".removesuffix(".0") for end in (share.value, share.lo, share.hi))
    return f"{value} % ({lo} to {hi} %)"


class _Panel:
    """The attacks whose results the checks compare."""

    def __init__(
        self, model: Answer, x: torch.Tensor, y: torch.Tensor, *, threat: ThreatModel, steps: int, batch_size: int, seed: int
    ) -> None:
        self.model, self.x, self.y, self.threat = model, x, y, threat
        self.steps, self.batch_size, self.seed = steps, batch_size, seed
        self.averages, self.chance = False, 0.0

    def settled(self, found: AttackResult, y: torch.Tensor) -> AttackResult:
        """What an attack found, judged by a fresh answer where answers are random: the attack kept the luckiest of many."""
        if not self.averages:
            return found
        with torch.no_grad():
            named = torch.cat([predicted_classes(self.model(part)) for part in found.x_adv.split(self.batch_size)])
        return replace(found, success=named != y)

    def look_for_chance(self, found: AttackResult) -> None:
        """Measure on how many examples two answers to the same inputs differ in whether they are right."""
        again = self.settled(found, self.y)
        self.chance = float((again.success != found.success).double().mean())

    def climb(self, eps: float | torch.Tensor, *, restarts: int = 1, **changes: Any) -> AttackResult:
        threat = replace(self.threat, eps=eps, **changes)
        found = pgd(
            self.model,
            self.x,
            self.y,
            threat,
            steps=self.steps,
            restarts=restarts,
            early_stop=not self.averages,
            batch_size=self.batch_size,
            seed=self.seed,
        )
        return self.settled(found, self.y)

    def climb_on(self, found: AttackResult) -> int:
        """How many more examples fall to twice the steps and new restarts."""
        left = (~found.success).nonzero().squeeze(1)
        if len(left) == 0:
            return 0
        more = pgd(
            self.model,
            self.x[left],
            self.y[left],
            self.threat,
            steps=2 * self.steps,
            restarts=RESTARTS,
            early_stop=not self.averages,
            batch_size=self.batch_size,
            seed=self.seed + 1,
        )
        return int(self.settled(more, self.y[left]).success.sum())

    def beaten(self, number: str, title: str, rival: torch.Tensor, found: AttackResult, who: str) -> MaskingCheck:
        """A check on the share of examples that `rival` fools and the iterated attack does not."""
        value = proportion(int((rival & ~found.success).sum()), len(self.x))
        text = f"{who} fools {_percent(value)} of the examples that {self.steps} gradient steps of the same size do not fool."
        threshold = 0.01 + self.chance
        return MaskingCheck(id=number, title=title, flagged=value.value > threshold, value=value, threshold=threshold, text=text)

    def single_step(self, found: AttackResult) -> MaskingCheck:
        single = fgsm(self.model, self.x, self.y, self.threat, batch_size=self.batch_size)
        single = self.settled(single, self.y)
        return self.beaten("i", "single step against iterated attack", single.success, found, "A single gradient step")

    def unbounded(self, chance: float) -> MaskingCheck:
        reach = self.threat.bounds[1] - self.threat.bounds[0]
        if self.threat.norm == "l2":
            reach *= self.x[0].numel() ** 0.5
        elif self.threat.norm == "l1":
            reach *= self.x[0].numel()
        value = self.climb(reach, mask=None).accuracy
        text = (
            f"With the whole range of the input allowed, an accuracy of {_percent(value)} is left; chance is {100 * chance:.3g} %."
        )
        flagged = value.lo > chance
        return MaskingCheck(id="ii", title="unbounded attack", flagged=flagged, value=value, threshold=chance, text=text)

    def without_gradient(self, found: AttackResult, black_box: AttackResult | torch.Tensor | None, queries: int) -> MaskingCheck:
        title, who = "attack without gradients", "An attack without gradients"
        if black_box is not None:
            rival = black_box.success if isinstance(black_box, AttackResult) else black_box.bool()
            if rival.shape != found.success.shape:
                refuse(
                    "black_box", f"has shape {tuple(rival.shape)}", allowed=f"one success per example, {tuple(found.success.shape)}"
                )
            return self.beaten("iii", title, rival.to(found.success.device), found, who)
        rival, left = found.success.clone(), (~found.success).nonzero().squeeze(1)
        if len(left):
            searched = square(
                self.model, self.x[left], self.y[left], self.threat, queries=queries, seed=self.seed, batch_size=self.batch_size
            )
            rival[left] = self.settled(searched, self.y[left]).success
        return self.beaten("iii", title, rival, found, f"A random search with {queries} queries")

    def noise(self, found: AttackResult) -> MaskingCheck:
        noise = random_noise(self.model, self.x, self.y, self.threat, draws=DRAWS, seed=self.seed, batch_size=self.batch_size)
        noise = self.settled(noise, self.y)
        return self.beaten("iv", "random noise", noise.success, found, f"The best of {DRAWS} draws of random noise")

    def consistency(self, found: AttackResult) -> MaskingCheck:
        eps = float(self.threat.eps)
        sizes = [self.climb(eps / 2), found, self.climb(2 * eps)]
        fooled = [int(result.success.sum()) for result in sizes]
        more = self.climb_on(found)
        value = proportion(max(0, fooled[0] - fooled[1], fooled[1] - fooled[2], more), len(self.x))
        half, full, double = (f"{result.accuracy.value:.3g}" for result in sizes)
        text = (
            f"Accuracies at half, full and double eps are {half}, {full}, {double}; twice the steps and {RESTARTS} new restarts "
            f"fool {more} more of {len(self.x)} examples: the largest contradiction is {_percent(value)}."
        )
        threshold = 0.02 + self.chance
        flagged = value.lo > threshold
        return MaskingCheck(
            id="vi", title="sizes, steps and restarts", flagged=flagged, value=value, threshold=threshold, text=text
        )


@torch.enable_grad()
def _dead_gradients(answer: Answer, x: torch.Tensor, y: torch.Tensor, batch_size: int) -> MaskingCheck:
    dead = 0
    for rows, labels in zip(x.split(batch_size), y.split(batch_size), strict=True):
        inputs = rows.detach().clone().requires_grad_()
        loss = nn.functional.cross_entropy(at_least_single(answer(inputs)), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, inputs)
        peak = at_least_single(gradient).abs().flatten(1).amax(1)  # whose smallest numbers half precision does not flush to zero
        alive = (peak >= torch.finfo(peak.dtype).tiny) & peak.isfinite()
        dead += int((~alive).sum())
    value = proportion(dead, len(x))
    text = f"The input gradient of the cross entropy is zero, denormal or not finite on {_percent(value)} of the examples."
    return MaskingCheck(id="v", title="vanishing gradients", flagged=value.value > 0.01, value=value, threshold=0.01, text=text)


@torch.no_grad()
def _stochastic(target: Target, x: torch.Tensor, batch_size: int) -> MaskingCheck:
    differing = 0
    for rows in x.split(batch_size):
        first, second = target(rows), target(rows)
        differing += int((~torch.isclose(first, second, rtol=1e-4, atol=1e-5 * float(first.abs().max()))).any(1).sum())
    value = proportion(differing, len(x))
    averaged = target.samples > 1
    text = f"Two passes over the same inputs differ on {_percent(value)} of the examples"
    remedy = f"; answers and gradients are means over {target.samples} passes" if averaged else "; average them: Target(samples=10)"
    text += f"{remedy}." if differing else "."
    flagged = differing > 0 and not averaged
    return MaskingCheck(id="vii", title="random outputs", flagged=flagged, value=value, threshold=0.0, text=text)
