"""The worst case of several attacks: an example is robust only if every one of them failed on it.

Which attack is strongest differs from example to example, so the accuracy under the intersection is at most the smallest of the
attacks' own accuracies, and usually less (F. Croce and M. Hein, arXiv:2003.01690, section 5).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch

from holdfast.attacks.threat import AttackResult
from holdfast.core.checks import refuse
from holdfast.core.estimate import Estimate, proportion

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["WorstCase", "WorstCaseRow", "taken", "with_rows", "worst_case"]


@dataclass(frozen=True, kw_only=True)
class WorstCaseRow:
    """What one attack added.

    Parameters
    ----------
    name : of the attack
    accuracy : under this attack alone
    left : accuracy under this attack and all before it
    alone : number of examples that no other attack fooled
    queries : forward passes, summed over the examples
    """

    name: str
    accuracy: Estimate
    left: Estimate
    alone: int
    queries: int


@dataclass(frozen=True, kw_only=True)
class WorstCase:
    """What A attacks found together on the same N examples.

    Parameters
    ----------
    names : the attacks, in order
    fooled : boolean tensor (A, N), which attack fooled which example
    first : integer tensor (N,), place in `names` of the first attack that fooled the example, -1 where none did
    combined : per example the result of that first attack, or of the first of all where none succeeded (losses of different attacks
        have different scales); queries add up
    rows : one line per attack
    """

    names: tuple[str, ...]
    fooled: torch.Tensor
    first: torch.Tensor
    combined: AttackResult
    rows: tuple[WorstCaseRow, ...]

    @property
    def accuracy(self) -> Estimate:
        """Share of examples on which every attack failed, with its Wilson interval."""
        return self.combined.accuracy

    def __str__(self) -> str:
        """The table: one line per attack, the worst case last."""
        wide = max(10, *map(len, self.names))
        lines = [f"{'attack':{wide}}  accuracy  so far  alone    queries"]
        lines += [
            f"{row.name:{wide}}  {row.accuracy.value:8.3f}  {row.left.value:6.3f}  {row.alone:5d}  {row.queries:9d}"
            for row in self.rows
        ]
        return "\n".join([*lines, f"{'worst case':{wide}}  {self.accuracy}"])


def worst_case(results: Mapping[str, AttackResult]) -> WorstCase:
    """The intersection of several attacks on the same examples.

    Parameters
    ----------
    results : from the name of an attack to what it found; all on the same examples in the same order, in one norm

    Raises
    ------
    InputError : no results; results on different numbers or shapes of examples

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel, fgsm, pgd
    >>> from holdfast.nets import mlp
    >>> net, x, y, threat = mlp(8, classes=3), torch.rand(20, 8), torch.arange(20) % 3, ThreatModel("linf", 0.1)
    >>> both = worst_case({"fgsm": fgsm(net, x, y, threat), "pgd": pgd(net, x, y, threat, steps=5)})
    >>> both.accuracy.value <= min(row.accuracy.value for row in both.rows)
    True
    """
    if not results:
        refuse("results", "is empty", allowed="at least one attack's result")
    shapes = {name: tuple(result.x_adv.shape) for name, result in results.items()}
    if len(set(shapes.values())) > 1:
        refuse("results", f"have shapes {shapes}", allowed="the same examples in every attack")
    fooled = torch.stack([result.success for result in results.values()])
    first = fooled.byte().argmax(0).masked_fill(~fooled.any(0), -1)
    return WorstCase(
        names=tuple(results),
        fooled=fooled,
        first=first,
        combined=_combined(list(results.values()), first),
        rows=_rows(results, fooled),
    )


def taken(result: AttackResult, rows: torch.Tensor) -> AttackResult:
    """The examples `rows` (n,) of `result` alone."""
    return AttackResult(**{entry.name: getattr(result, entry.name)[rows] for entry in fields(AttackResult)})


def with_rows(base: AttackResult, rows: torch.Tensor, other: AttackResult) -> AttackResult:
    """`base` with its examples `rows` (n,) taken from `other`, which has n."""
    values = {entry.name: getattr(base, entry.name).clone() for entry in fields(AttackResult)}
    for name, value in values.items():
        value[rows] = getattr(other, name)
    return AttackResult(**values)


def _combined(results: list[AttackResult], first: torch.Tensor) -> AttackResult:
    chosen = first.clamp_min(0)
    everyone = torch.arange(len(first), device=first.device)
    values = {}
    for entry in fields(AttackResult):
        values[entry.name] = torch.stack([getattr(result, entry.name) for result in results])[chosen, everyone]
    values["queries"] = torch.stack([result.queries for result in results]).sum(0)
    values["no_gradient"] = torch.stack([result.no_gradient for result in results]).any(0)
    return AttackResult(**values)


def _rows(results: Mapping[str, AttackResult], fooled: torch.Tensor) -> tuple[WorstCaseRow, ...]:
    times = fooled.sum(0)
    so_far = fooled.long().cumsum(0) > 0
    return tuple(
        WorstCaseRow(
            name=name,
            accuracy=result.accuracy,
            left=proportion(int((~so_far[place]).sum()), len(times)),
            alone=int((fooled[place] & (times == 1)).sum()),
            queries=int(result.queries.sum()),
        )
        for place, (name, result) in enumerate(results.items())
    )
