r"""Answers of a victim to transferred images, beside its answers to noise and to other proxies.

.. math:: \mathrm{tSuc}(t) = \frac{\#\{x : f_T(x') = t\}}{\#\{x\}}, \qquad
          \text{gain} = \frac1T \sum_t \bigl[\mathrm{tSuc}(t) - \max(\mathrm{noise}(t), \mathrm{random\ proxy}(t))\bigr]

A success rate alone proves nothing: a victim that assigns all unusual images to one class is "hit" by noise as often as by any
attack. Rates of all target classes therefore stand beside two controls, and a warning points out such a class.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from holdfast.attacks.precision import at_least_single, rounded_toward
from holdfast.attacks.projection import make_ball
from holdfast.attacks.transfer.objective import METHODS
from holdfast.attacks.transfer.proxy import proxy_attack
from holdfast.core.checks import check_labels, check_same_length, refuse
from holdfast.core.curve import Curve
from holdfast.core.estimate import Estimate, exact, paired_difference, proportion
from holdfast.core.experiment import Quantity
from holdfast.core.seeds import Seeds
from holdfast.core.target import predicted_classes
from holdfast.nets import predict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from holdfast.attacks.threat import ThreatModel
    from holdfast.attacks.transfer.correspondence import CorrespondenceMatrix
    from holdfast.data.examples import Examples

__all__ = [
    "CONTROLS",
    "TransferEvaluation",
    "control_attacks",
    "evaluate_methods",
    "evaluate_transfer",
    "noise_control",
    "transfer_curves",
]

CONTROLS = ("noise", "random_proxy")
ANSWER = "answer_"  # before the name of an attack, in arrays
SINK_SHARE = 0.5  # of the attack's success that noise alone may reach


def _mean_of_independent(parts: list[Estimate], method: str) -> Estimate:
    """Mean of independent estimates; distances to the ends add up as squares (MOVER)."""
    value = sum(part.value for part in parts) / len(parts)
    below = math.hypot(*(part.value - part.lo for part in parts)) / len(parts)
    above = math.hypot(*(part.hi - part.value for part in parts)) / len(parts)
    return Estimate(value, value - below, value + above, sum(part.n for part in parts), method)


@dataclass(frozen=True, kw_only=True)
class TransferEvaluation:
    """What the victim answered to each attack and control. Intervals hold where each image serves one target class.

    Parameters
    ----------
    y : integer tensor (N,), right classes
    target_class : integer tensor (N,)
    answers : by name of attack or control, integer tensors (N,)
    classes : of the victim
    """

    y: torch.Tensor
    target_class: torch.Tensor
    answers: Mapping[str, torch.Tensor]
    classes: int

    @classmethod
    def pooled(cls, runs: Iterable[Mapping[str, NDArray[Any]]]) -> TransferEvaluation:
        """The evaluation of the images of several runs together, from the :attr:`arrays` of each; other arrays do not matter."""
        kept = list(runs)
        if not kept:
            refuse("runs", "is empty", allowed="at least one run's arrays")
        names = [name for name in kept[0] if name in {"y", "target_class"} or name.startswith(ANSWER)]
        whole = {name: torch.from_numpy(np.concatenate([run[name] for run in kept])) for name in names}
        y, goals = whole.pop("y"), whole.pop("target_class")
        answers = {name.removeprefix(ANSWER): said for name, said in whole.items()}
        largest = max(int(item.max()) for item in (y, goals, *answers.values()))
        return cls(y=y, target_class=goals, answers=answers, classes=largest + 1)

    @property
    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """``y``, ``target_class`` and ``answer_NAME`` for each attack (N,), as a measurement keeps them."""
        answers = {f"{ANSWER}{name}": said for name, said in self.answers.items()}
        return {name: item.cpu().numpy() for name, item in {"y": self.y, "target_class": self.target_class, **answers}.items()}

    @property
    def targets(self) -> tuple[int, ...]:
        """The target classes that occur."""
        return tuple(self.target_class.unique().tolist())

    def success(self, name: str) -> torch.Tensor:
        """Boolean (N,): the victim gives the target class."""
        return self.answers[name] == self.target_class

    def by_target(self, name: str) -> dict[int, Estimate]:
        """Success rate of each target class, with Wilson intervals."""
        hit = self.success(name)
        return {
            goal: proportion(int(hit[self.target_class == goal].sum()), int((self.target_class == goal).sum()))
            for goal in self.targets
        }

    def macro(self, name: str) -> Estimate:
        """Mean of tSuc over target classes."""
        return _mean_of_independent(list(self.by_target(name).values()), "wilson, mean over targets")

    def error(self, name: str) -> Estimate:
        """Share of images that the victim gets wrong in any way."""
        return proportion(int((self.answers[name] != self.y).sum()), len(self.y))

    def gain(self, name: str = "attack") -> Estimate:
        """Mean over target classes of tSuc minus that of the better control on the same images."""
        return self.advantage(name, *CONTROLS)

    def advantage(self, name: str, *others: str) -> Estimate:
        """Mean over target classes of tSuc of `name` minus the largest of `others` on the same images (Newcombe's intervals)."""
        parts = []
        for goal in self.targets:
            here = self.target_class == goal
            rates = {other: self.success(other)[here] for other in others}
            best = max(rates.values(), key=lambda hit: int(hit.sum()))
            parts.append(paired_difference(best.cpu().numpy(), self.success(name)[here].cpu().numpy()))
        return _mean_of_independent(parts, "newcombe paired, mean over targets")

    def z(self, name: str, other: str) -> float:
        """Two-proportion z of the pooled counts of `name` and `other`; 0 where neither or both always succeed."""
        one, two, n = int(self.success(name).sum()), int(self.success(other).sum()), len(self.y)
        pool = (one + two) / (2 * n)
        return (one - two) / n / math.sqrt(pool * (1 - pool) * 2 / n) if 0 < pool < 1 else 0.0

    def quantities(self, methods: Sequence[str], at: Mapping[str, Any]) -> Iterator[Quantity]:
        """All rates: ``success`` and ``error`` of each attack and control, ``gain`` and ``z`` of each method over its controls.

        ``over_random`` is the last method's advantage over the random proxies, ``random_over_worst`` theirs over the worst.

        Parameters
        ----------
        methods : names of the attacks, without the controls
        at : the values of the quantities, to which ``method`` and ``control`` are added
        """
        for name in self.answers:
            yield Quantity("success", self.macro(name), {**at, "method": name})
            yield Quantity("error", self.error(name), {**at, "method": name})
        for name in methods:
            yield Quantity("gain", self.gain(name), {**at, "method": name})
            for control in (other for other in self.answers if other not in methods):
                z = exact(self.z(name, control), len(self.y), "z of pooled counts")
                yield Quantity("z", z, {**at, "method": name, "control": control})
        yield Quantity("over_random", self.advantage(methods[-1], "random_proxy"), at)
        yield Quantity("random_over_worst", self.advantage("random_proxy", "worst_proxy"), at)

    def cells(self, name: str) -> torch.Tensor:
        """Tensor (classes, classes): tSuc of each right class (row) towards each target (column); NaN where none was tried."""
        place = self.y * self.classes + self.target_class
        tried, hit = (place.bincount(weights, minlength=self.classes**2) for weights in (None, self.success(name).double()))
        return (hit / tried).view(self.classes, self.classes)

    def sink(self, name: str = "attack") -> int | None:
        """The class that noise is mostly taken for, if noise reaches half of the success of `name`; None otherwise."""
        noise = self.macro("noise").value
        if noise == 0 or noise < SINK_SHARE * self.macro(name).value:
            return None
        named = self.answers["noise"]
        wrong = named[(named != self.y) & (named >= 0)]
        return int(wrong.bincount(minlength=self.classes).argmax())


def evaluate_transfer(
    victim: Callable[[Any], Any],
    attacks: Mapping[str, torch.Tensor],
    y: torch.Tensor,
    target_class: int | torch.Tensor,
    *,
    warn: bool = True,
) -> TransferEvaluation:
    """Query the victim with the images of an attack and of its controls, once for each image.

    Parameters
    ----------
    victim : target, module or callable; its class decides, scores are not read
    attacks : images (N, ...) by name; ``"noise"`` and ``"random_proxy"`` must be among them (:func:`control_attacks`)
    y : right classes (N,)
    target_class : what was aimed at, one or (N,); differs from `y`
    warn : whether a sink class is pointed out, or left to :meth:`TransferEvaluation.sink`

    Warns
    -----
    UserWarning : noise reaches half of an attack's success, so that the victim has a sink class

    Raises
    ------
    InputError : a control is missing, lengths differ, a target is the right class
    """
    missing = [name for name in CONTROLS if name not in attacks]
    if missing:
        refuse(
            "attacks",
            f"lacks {' and '.join(missing)}",
            allowed="an attack with its controls, since a success rate alone proves nothing",
            remedy="Add control_attacks(model, x, target_class, correspondence, threat).",
        )
    goals = torch.as_tensor(target_class, device=y.device).expand(len(y))
    if bool((goals == y).any()):
        refuse("target_class", f"equals the label of {int((goals == y).sum())} images", allowed="classes other than the right ones")
    answers, classes = {}, 0
    for name, x in attacks.items():
        check_same_length(x, y, (name, "y"))
        logits = predict(victim, x)
        answers[name], classes = predicted_classes(logits), logits.shape[1]
    check_labels(y, "y", classes=classes)
    check_labels(goals, "target_class", classes=classes)
    found = TransferEvaluation(y=y, target_class=goals, answers=answers, classes=classes)
    for name in attacks if warn else ():
        if name not in CONTROLS and not name.startswith("worst") and (sink := found.sink(name)) is not None:
            warnings.warn(
                f"Noise alone reaches {found.macro('noise').value:.3f} where {name!r} reaches {found.macro(name).value:.3f}: the "
                f"victim assigns unusual images to class {sink}. Read the gain over the controls, or train the victim with noise.",
                UserWarning,
                stacklevel=2,
            )
    return found


def noise_control(x: torch.Tensor, threat: ThreatModel, *, seed: int = 0) -> torch.Tensor:
    """Images (N, ...) with random signs of size eps (L-infinity), or noise of length eps, clipped to the box."""
    centre = at_least_single(x)
    noise = torch.randn(x.shape, generator=Seeds(seed).torch("noise"), dtype=centre.dtype).to(x.device)
    ball, adv = make_ball(centre, threat), centre.clone()
    ball.step_(adv, noise, ball.eps)
    return rounded_toward(adv, centre, x.dtype)


def control_attacks(
    model: nn.Module,
    x: torch.Tensor,
    target_class: int | torch.Tensor,
    correspondence: CorrespondenceMatrix,
    threat: ThreatModel,
    *,
    seed: int = 0,
    **attack: Any,
) -> dict[str, torch.Tensor]:
    """The images of the controls: noise of the same size, the same attack with random proxies, and with the worst.

    Parameters
    ----------
    model, x, target_class, correspondence, threat, attack : as in :func:`~holdfast.attacks.transfer.proxy_attack`
    seed : of noise, proxies and attacks
    """
    goals = torch.as_tensor(target_class, device=x.device).expand(len(x))
    proxies = {"random_proxy": correspondence.random_proxy(goals, seed=seed), "worst_proxy": correspondence.worst_proxy(goals)}
    pushed = {name: proxy_attack(model, x, goals, some, threat, seed=seed, **attack).x_adv for name, some in proxies.items()}
    return {"noise": noise_control(x, threat, seed=seed), **pushed}


def evaluate_methods(  # noqa: PLR0913 - each argument is a setting chosen by name
    victim: Callable[[Any], Any],
    model: nn.Module,
    examples: Examples,
    target_class: torch.Tensor,
    correspondence: CorrespondenceMatrix,
    threat: ThreatModel,
    *,
    methods: Sequence[str] = METHODS,
    top_k: int = 1,
    seed: int = 0,
    **attack: Any,
) -> TransferEvaluation:
    """Attack with several methods, and with the controls of the last one; ask the victim about all of it.

    Parameters
    ----------
    victim : as in :func:`evaluate_transfer`; a sink class is not warned of, since the controls stand beside the methods
    model, target_class, correspondence, threat, attack : as in :func:`~holdfast.attacks.transfer.proxy_attack`
    examples : of the victim's classes, labelled
    methods : whose names are the keys of the answers
    top_k : proxies of the methods; each control has one
    seed : of noise and random proxies
    """
    at = (target_class, correspondence, threat)
    pushed = {name: proxy_attack(model, examples.x, *at, method=name, top_k=top_k, **attack).x_adv for name in methods}
    controls = control_attacks(model, examples.x, *at, method=methods[-1], seed=seed, **attack)
    return evaluate_transfer(victim, pushed | controls, examples.y, target_class, warn=False)


def transfer_curves(evaluations: Mapping[float, TransferEvaluation], *, chart: str = "") -> list[Curve]:
    """Success (tSuc, mean over targets) of each attack and control over the size of the perturbation.

    Parameters
    ----------
    evaluations : by eps, each with the same attacks
    chart : title of the chart in which they are drawn together
    """
    sizes = sorted(evaluations)
    return [
        Curve(
            name=name,
            axis="eps",
            unit="input units",
            at=tuple(sizes),
            estimates=tuple(evaluations[eps].macro(name) for eps in sizes),
            quantity="targeted success",
            chart=chart,
        )
        for name in evaluations[sizes[0]].answers
    ]
