"""AutoAttack: a fixed ensemble of attacks without settings to tune, each on the examples that held against those before it.

Source: F. Croce and M. Hein, ICML 2020, arXiv:2003.01690, section 5, and for L1 arXiv:2103.01208, section 5; the versions
``"plus"`` and ``"rand"`` and all numbers of restarts, target classes and queries are those of the authors' program. What an attack
claims is asked again before it counts.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from holdfast.attacks.apgd import apgd, apgd_targeted
from holdfast.attacks.fab import fab, fab_targeted
from holdfast.attacks.found import Found
from holdfast.attacks.losses import make_objective
from holdfast.attacks.problem import pose
from holdfast.attacks.query import square
from holdfast.attacks.threat import AttackResult
from holdfast.core.checks import check_one_of, check_whole
from holdfast.core.estimate import Estimate, proportion
from holdfast.core.seeds import Seeds
from holdfast.nets import frozen

if TYPE_CHECKING:
    from holdfast.attacks.problem import Problem
    from holdfast.attacks.threat import ThreatModel

__all__ = ["VERSIONS", "AutoAttackResult", "AutoAttackRow", "auto_attack"]

VERSIONS = {
    "standard": ("apgd-ce", "apgd-t", "fab-t", "square"),
    "plus": ("apgd-ce", "apgd-dlr", "fab", "square", "apgd-t", "fab-t"),
    "rand": ("apgd-ce", "apgd-dlr"),
}
EOT_SAMPLES = 20
Attack = Callable[[Any, torch.Tensor, torch.Tensor, "ThreatModel"], AttackResult]
TOLD_ONCE = "The model (answers differently|answered [0-9]+ of)"  # by every attack that asks; here once for all


@dataclass(frozen=True, kw_only=True)
class AutoAttackRow:
    """What one attack of the ensemble did.

    Parameters
    ----------
    name : of the attack
    attacked : examples that had held so far
    fooled : of them
    accuracy : what is left after this attack and all before it
    queries : forward passes, summed over the examples
    seconds : wall time
    """

    name: str
    attacked: int
    fooled: int
    accuracy: Estimate
    queries: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class AutoAttackResult:
    """What the ensemble found for each of N examples.

    Parameters
    ----------
    version : of the ensemble
    clean : accuracy without an attack
    rows : one per attack, in order; an attack is missing where no example remained for it
    first : integer tensor (N,), place in `rows` of the attack that fooled the example; -1 where it held or was wrong from the start
    combined : the worst case; `loss` is the margin, and `x_adv` has the largest one found where an example held
    """

    version: str
    clean: Estimate
    rows: tuple[AutoAttackRow, ...]
    first: torch.Tensor
    combined: AttackResult

    @property
    def accuracy(self) -> Estimate:
        """Share of examples that held against every attack, with its Wilson interval."""
        return self.combined.accuracy

    def __str__(self) -> str:
        """The table: one line per attack."""
        lines = [f"{'attack':10} attacked  fooled  accuracy     queries   seconds", f"{'none':10}{self.clean.value:28.3f}"]
        lines += [
            f"{row.name:10} {row.attacked:8d} {row.fooled:7d} {row.accuracy.value:9.3f} {row.queries:11d} {row.seconds:9.1f}"
            for row in self.rows
        ]
        return "\n".join([*lines, f"{'worst case':10} {self.accuracy}"])


def auto_attack(  # noqa: PLR0913 - each argument is a setting chosen by name
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    version: str = "standard",
    steps: int = 100,
    queries: int = 5000,
    seed: int = 0,
    batch_size: int = 500,
    report: Callable[[AutoAttackRow], object] | None = None,
) -> AutoAttackResult:
    """The accuracy that is left after the whole ensemble.

    Parameters
    ----------
    model, x, y, batch_size : as in :func:`~holdfast.attacks.apgd`
    threat : ``"linf"``, ``"l2"`` or ``"l1"``, radius (one or per example), box, mask
    version : ``"standard"`` is APGD on cross entropy, APGD toward 9 classes (5 in L1), FAB toward 9 classes, Square;
        ``"plus"`` adds restarts, APGD on DLR and FAB toward the nearest class; ``"rand"`` is APGD on cross entropy and DLR with
        gradients and decisions averaged over 20 passes, for networks that answer at random
    steps : of each run of APGD and FAB; 100 in the source
    queries : of Square per example; 5000 in the source
    seed : of all random starts and searches
    report : called with the row of each attack as soon as it is done

    Raises
    ------
    InputError : see :func:`~holdfast.attacks.problem.pose`; an unknown version

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.nets import mlp
    >>> x, y = torch.rand(20, 8), torch.arange(20) % 5
    >>> result = auto_attack(mlp(8, classes=5), x, y, ThreatModel("linf", 0.1), steps=5, queries=20)
    >>> [row.name for row in result.rows][0], result.accuracy.value <= result.clean.value
    ('apgd-ce', True)
    """
    check_one_of(version, "version", allowed=VERSIONS)
    for name, number in (("steps", steps), ("queries", queries), ("batch_size", batch_size)):
        check_whole(number, name, low=1)
    problem = pose(model, x, y, threat)
    ensemble = _ensemble(
        version, threat, steps=steps, queries=queries, seeds=Seeds(seed).child("auto_attack"), batch_size=batch_size
    )
    samples = EOT_SAMPLES if version == "rand" else 1
    with frozen(model):
        classes = problem.probe(samples=samples)
        found = Found(problem, make_objective("cw_margin", classes=classes, targeted=False))
        jury = _Jury(problem, found, samples=samples, batch_size=batch_size)
        everyone = torch.arange(len(x), device=x.device)
        jury.hear(everyone, problem.x)
        clean = proportion(int((~found.success).sum()), len(x))
        rows: list[AutoAttackRow] = []
        first = torch.full_like(everyone, -1)
        for name in VERSIONS[version]:
            left = everyone[~found.success & (problem.eps > 0)]
            if len(left) == 0:
                break
            rows.append(_run(name, ensemble[name], jury, left))
            first[left[found.success[left]]] = len(rows) - 1
            if report is not None:
                report(rows[-1])
    return AutoAttackResult(version=version, clean=clean, rows=tuple(rows), first=first, combined=found.result())


def _ensemble(version: str, threat: ThreatModel, *, steps: int, queries: int, seeds: Seeds, batch_size: int) -> dict[str, Attack]:
    """Every attack that an ensemble may hold, by its name."""
    sparse, plus = threat.norm == "l1", version == "plus"
    samples = EOT_SAMPLES if version == "rand" else 1
    climb = {"steps": steps, "batch_size": batch_size, "eot_samples": samples}
    walk = {"steps": steps, "batch_size": batch_size}
    restarts = 5 if plus or (sparse and version == "standard") else 1
    return {
        "apgd-ce": _seeded(apgd, seeds.child("apgd-ce"), loss="ce", restarts=restarts, **climb),
        "apgd-dlr": _seeded(apgd, seeds.child("apgd-dlr"), loss="dlr", restarts=restarts, **climb),
        "apgd-t": _seeded(apgd_targeted, seeds.child("apgd-t"), classes=5 if sparse and not plus else 9, **climb),
        "fab": _seeded(fab, seeds.child("fab"), restarts=5, **walk),
        "fab-t": _seeded(fab_targeted, seeds.child("fab-t"), classes=9, **walk),
        "square": partial(square, queries=queries, seed=seeds.integer("square"), batch_size=batch_size),
    }


def _seeded(attack: Callable[..., AttackResult], seeds: Seeds, **settings: Any) -> Attack:
    """`attack` with these settings and a seed of its own."""

    def run(model: Any, x: torch.Tensor, y: torch.Tensor, threat: ThreatModel) -> AttackResult:
        return attack(model, x, y, threat, **settings, seed=seeds.integer("starts"))

    return run


class _Jury:
    """Asks about every input that an attack comes up with, and keeps the worst."""

    def __init__(self, problem: Problem, found: Found, *, samples: int, batch_size: int) -> None:
        self.problem, self.found, self.samples, self.batch_size = problem, found, samples, batch_size

    @torch.no_grad()
    def hear(self, rows: torch.Tensor, adv: torch.Tensor, *, steps: torch.Tensor | None = None) -> None:
        """Judge the inputs `adv` (n, ...) of the examples `rows` (n,) by the mean of as many answers as the attack averaged."""
        taken = torch.zeros_like(rows) if steps is None else steps
        parts = zip(*(values.split(self.batch_size) for values in (rows, adv, taken)), strict=True)
        for some, inputs, some_steps in parts:
            logits = torch.stack([self.problem.ask(some, inputs) for _ in range(self.samples)]).mean(0)
            self.found.queries[some] += self.samples
            self.found.take(some, inputs, logits, success=self.problem.fooled(logits, some), steps=some_steps)


def _run(name: str, attack: Attack, jury: _Jury, rows: torch.Tensor) -> AutoAttackRow:
    """One attack on the examples `rows` that have held so far."""
    problem, found = jury.problem, jury.found
    before, start = int(found.queries.sum()), time.perf_counter()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=TOLD_ONCE)
        left = problem.of_rows(rows)
        result = attack(left.target, left.returned(torch.arange(len(rows), device=rows.device), left.x), left.y, left.threat)
    found.queries[rows] += result.queries
    found.no_gradient[rows] |= result.no_gradient
    jury.hear(rows, result.x_adv.to(problem.x), steps=result.steps_used)
    return AutoAttackRow(
        name=name,
        attacked=len(rows),
        fooled=int(found.success[rows].sum()),
        accuracy=proportion(int((~found.success).sum()), len(found.success)),
        queries=int(found.queries.sum()) - before,
        seconds=time.perf_counter() - start,
    )
