"""What attacks did to the prediction of a posterior, and the one judge that decides it: the predictive of all defending samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch

from holdfast.attacks import worst_case
from holdfast.attacks.found import Found
from holdfast.attacks.losses import make_objective
from holdfast.attacks.problem import pose
from holdfast.core.checks import refuse
from holdfast.core.estimate import Estimate, mean_t, proportion
from holdfast.core.target import predicted_classes
from holdfast.nets import predict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from holdfast.attacks import AttackResult, ThreatModel, WorstCase
    from holdfast.bayes.posterior import Posterior

__all__ = ["AttackOutcome", "Judge", "Overlap", "ProtocolResult", "softmax_robustness"]

Overlap = Literal["the same", "some of them", "none of them", "some of them and others", "all of them and more", "fresh draws"]


def softmax_robustness(p_clean: torch.Tensor, p_adv: torch.Tensor) -> torch.Tensor:
    r"""How little the predicted probabilities moved: :math:`1 - \max_k |p_k(x) - p_k(x')|`.

    Source: the public code of arXiv:2002.04359 (which computes it after a second softmax).

    Parameters
    ----------
    p_clean, p_adv : probabilities (N, K) at the input and at the attacked input

    Returns
    -------
    tensor (N,) in [0, 1]

    Examples
    --------
    >>> softmax_robustness(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.25, 0.75]])).item()
    0.25
    """
    if p_clean.shape != p_adv.shape or p_clean.ndim != 2:
        refuse("p_adv", f"has shape {tuple(p_adv.shape)}", allowed=f"(N, K) like `p_clean`, {tuple(p_clean.shape)}")
    for name, values in (("p_clean", p_clean), ("p_adv", p_adv)):
        if not bool((values >= 0).all() and ((values.sum(1) - 1).abs() < 1e-3).all()):
            refuse(
                name, "holds rows that are not probabilities", allowed="rows >= 0 with sum 1", remedy="Take .softmax(1) of logits."
            )
    return (1 - (p_clean - p_adv).abs().amax(1)).clamp(0, 1)


def _mean_share(values: torch.Tensor) -> Estimate:
    """Mean of numbers in [0, 1] with Student's t interval, cut at the ends that they cannot pass."""
    mean = mean_t(values.cpu().numpy())
    return replace(mean, lo=min(max(mean.lo, 0.0), mean.value), hi=max(min(mean.hi, 1.0), mean.value))


@dataclass(frozen=True, kw_only=True)
class AttackOutcome:
    """What one attack did to the prediction of all defending samples.

    Parameters
    ----------
    result : judged by the predictive, whatever the attack climbed
    robustness : softmax robustness (N,) at ``result.x_adv``
    robustness_twice : the same after a second softmax, as in the paper's code; it exceeds the first by construction
    """

    result: AttackResult
    robustness: torch.Tensor
    robustness_twice: torch.Tensor

    @property
    def accuracy(self) -> Estimate:
        """Under this attack, with its Wilson interval."""
        return self.result.accuracy

    @property
    def softmax_robustness(self) -> Estimate:
        """Mean over examples with Student's t interval, within [0, 1]."""
        return _mean_share(self.robustness)

    @property
    def softmax_robustness_twice(self) -> Estimate:
        """The same after a second softmax."""
        return _mean_share(self.robustness_twice)


@dataclass(frozen=True, kw_only=True)
class ProtocolResult:
    """All attacks of one protocol on the same N examples.

    Parameters
    ----------
    protocol : ``"paper"`` or ``"adaptive"``
    outcomes : by name of the attack
    worst : the intersection of all attacks
    correct : boolean tensor (N,), right without attack
    attack_samples, defence_samples : how many weight samples the attacker and the defence used
    overlap : the attacker's samples beside the defence's, one of the words of `Overlap`
    chains : that the defending samples come from
    method : of the posterior
    zero_gradients : number of examples at whose clean input the gradient is exactly zero (paper), or at which some gradient of an
        attack was (adaptive)
    """

    protocol: Literal["paper", "adaptive"]
    outcomes: Mapping[str, AttackOutcome]
    worst: WorstCase
    correct: torch.Tensor
    attack_samples: int
    defence_samples: int
    overlap: Overlap
    chains: int
    method: str
    zero_gradients: int

    @property
    def clean_accuracy(self) -> Estimate:
        """Without attack."""
        return proportion(int(self.correct.sum()), len(self.correct))

    @property
    def accuracy(self) -> Estimate:
        """Share of examples on which every attack failed."""
        return self.worst.accuracy

    @property
    def robustness(self) -> torch.Tensor:
        """Smallest softmax robustness (N,) over the attacks."""
        return torch.stack([outcome.robustness for outcome in self.outcomes.values()]).amin(0)

    @property
    def softmax_robustness(self) -> Estimate:
        """Mean over examples of :attr:`robustness`."""
        return _mean_share(self.robustness)

    @property
    def estimates(self) -> dict[str, Estimate]:
        """All numbers by name, e.g. ``pgd.accuracy`` and ``worst.softmax``; of the paper's protocol also ``pgd.softmax_twice``."""
        found = {"worst.accuracy": self.accuracy, "worst.softmax": self.softmax_robustness}
        for name, outcome in self.outcomes.items():
            found |= {f"{name}.accuracy": outcome.accuracy, f"{name}.softmax": outcome.softmax_robustness}
            if self.protocol == "paper":  # whose code computes it so
                found[f"{name}.softmax_twice"] = outcome.softmax_robustness_twice
        zeros = proportion(self.zero_gradients, len(self.correct))
        return found | {"clean.accuracy": self.clean_accuracy, "zero_gradients": zeros}

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Per example and attack: whether it failed (``pgd.right``), and the softmax robustness (``pgd.softmax``), each (N,)."""
        found = {"worst.right": ~self.worst.combined.success, "worst.softmax": self.robustness}
        for name, outcome in self.outcomes.items():
            found |= {f"{name}.right": ~outcome.result.success, f"{name}.softmax": outcome.robustness}
        return {name: values.cpu().numpy() for name, values in found.items()}

    @property
    def facts(self) -> dict[str, Any]:
        """JSON-able: how many weight samples attacked and defended, and how they overlap."""
        return {"attack_samples": self.attack_samples, "defence_samples": self.defence_samples, "overlap": self.overlap}

    def __str__(self) -> str:
        """The table, with both sample counts and whether they coincide."""
        wide = max(len("worst case"), *map(len, self.outcomes))
        head = f"{self.protocol} protocol, {self.method}, {self.chains} chains: attack with {self.attack_samples} samples"
        twice = self.protocol == "paper"  # as its code computes it
        lines = [f"{head} ({self.overlap}), defence with {self.defence_samples}"]
        lines.append(f"{'':{wide}}  {'accuracy':24}{'softmax robustness':24}{'after a second softmax' * twice}".rstrip())
        lines.append(f"{'no attack':{wide}}  {self.clean_accuracy!s:24}{'1':24}{'1' * twice}".rstrip())
        for name, item in self.outcomes.items():
            second = str(item.softmax_robustness_twice) if twice else ""
            lines.append(f"{name:{wide}}  {item.accuracy!s:24}{item.softmax_robustness!s:24}{second}".rstrip())
        lines.append(f"{'worst case':{wide}}  {self.accuracy!s:24}{self.softmax_robustness}")
        return "\n".join([*lines, f"zero gradients on {self.zero_gradients} of {len(self.correct)} examples"])


class Judge:
    """The predictive of all defending samples, and its answers at attacked inputs."""

    def __init__(
        self,
        posterior: Posterior,
        x: torch.Tensor,
        y: torch.Tensor,
        *,
        threat: ThreatModel,
        batch_size: int,
        chunk: int | None = None,
    ) -> None:
        self.posterior, self.batch_size, self.chunk = posterior, batch_size, chunk
        self.predictive = posterior.as_module(chunk=chunk)
        self.problem = pose(self.predictive, x, y, threat)
        self.classes = self.problem.probe()
        self.clean = predict(self.predictive, x, batch_size=batch_size)

    def judge(
        self, x_adv: torch.Tensor, *, steps: int, rows: torch.Tensor | None = None, clean_counts: bool = False
    ) -> AttackResult:
        """`x_adv` as the result of an attack that took `steps` steps, on all examples or on `rows`.

        With `clean_counts` an attacker may also leave an input as it is, so that no attack mends a wrong answer.
        """
        problem = self.problem if rows is None else self.problem.of_rows(rows)
        found = Found(problem, make_objective("ce", classes=self.classes, targeted=False))
        for part in torch.arange(len(x_adv), device=x_adv.device).split(self.batch_size):
            if clean_counts:
                found.judge(part, problem.x[part], steps=0)
            found.judge(part, x_adv[part], steps=steps)
        return found.result()

    def report(
        self,
        protocol: Literal["paper", "adaptive"],
        found: Mapping[str, AttackResult],
        zeros: int,
        *,
        attack_samples: int,
        overlap: Overlap,
        chains: int,
    ) -> ProtocolResult:
        """The report of a protocol whose attacks are `found`."""
        p_clean = self.clean.exp()
        outcomes = {}
        for name, result in found.items():
            p_adv = predict(self.predictive, result.x_adv, batch_size=self.batch_size).exp()
            lost = ~(p_adv.isfinite().all(1) & p_clean.isfinite().all(1))  # NaN or infinity counts as not robust
            before, after = (torch.where(lost[:, None], 1 / p_adv.shape[1], p) for p in (p_clean, p_adv))
            outcomes[name] = AttackOutcome(
                result=result,
                robustness=softmax_robustness(before, after).masked_fill(lost, 0.0),
                robustness_twice=softmax_robustness(before.softmax(1), after.softmax(1)).masked_fill(lost, 0.0),
            )
        return ProtocolResult(
            protocol=protocol,
            outcomes=outcomes,
            worst=worst_case(found),
            correct=predicted_classes(self.clean) == self.problem.y,
            attack_samples=attack_samples,
            defence_samples=len(self.posterior),
            overlap=overlap,
            chains=chains,
            method=self.posterior.method,
            zero_gradients=zeros,
        )
