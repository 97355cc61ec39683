"""What every attack on scores keeps while it runs: the best input so far of each example, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from holdfast.attacks.precision import at_least_single, finite_rows
from holdfast.attacks.problem import Problem, invalid, warn_of_invalid
from holdfast.attacks.projection import perturbation_norm
from holdfast.attacks.threat import AttackResult

if TYPE_CHECKING:
    from holdfast.attacks.losses import Objective

__all__ = ["Found", "averaged", "make_result"]


def averaged(values: torch.Tensor, samples: int) -> torch.Tensor:
    """The mean over stacked samples, from (samples n, ...) to (n, ...)."""
    return values if samples == 1 else values.view(samples, -1, *values.shape[1:]).mean(0)


def make_result(problem: Problem, *, x_adv: torch.Tensor, success: torch.Tensor, **found: torch.Tensor) -> AttackResult:
    """The result of every attack: its inputs in the user's precision, finite, and measured as they are returned.

    Where an attack ends at an input that is not finite the example itself is returned, and does not count as fooled.

    Parameters
    ----------
    problem : the checked problem
    x_adv : tensor (N, ...), in ball and box
    success : boolean (N,)
    found : the other fields of :class:`~holdfast.attacks.threat.AttackResult` but the norm
    """
    usable = finite_rows(x_adv)
    x_adv = torch.where(usable.view(-1, *(1,) * (x_adv.ndim - 1)), x_adv, problem.x)
    returned = problem.returned(torch.arange(len(x_adv), device=x_adv.device), x_adv)
    norm = perturbation_norm(at_least_single(returned) - problem.x, problem.threat.norm)
    return AttackResult(x_adv=returned, success=success & usable, norm=norm, **found)


class Found:
    """The best input found so far for every example.

    Parameters
    ----------
    problem : the checked problem
    objective : decides between inputs that fool, and between inputs that do not
    """

    def __init__(self, problem: Problem, objective: Objective) -> None:
        self.problem, self.objective = problem, objective
        n, device = len(problem.x), problem.x.device
        self.x_adv = problem.x.clone()
        self.success = torch.zeros(n, dtype=torch.bool, device=device)
        self.no_gradient = torch.zeros(n, dtype=torch.bool, device=device)
        self.invalid = torch.zeros(n, dtype=torch.bool, device=device)
        self.loss = torch.full((n,), -torch.inf, dtype=problem.x.dtype, device=device)
        self.queries = torch.zeros(n, dtype=torch.long, device=device)
        self.steps_used = torch.zeros(n, dtype=torch.long, device=device)

    def ask(self, rows: torch.Tensor, inputs: torch.Tensor, *, samples: int = 1) -> torch.Tensor:
        """Answers (samples k n, K), stacked, to `inputs` (k n, ...), which are k views of the examples `rows` (n,).

        Each sample is a pass of its own, because a network may draw its randomness once a pass: the weights of a chip, a posterior
        sample, the size of a random crop.
        """
        self.queries[rows] += samples * (len(inputs) // len(rows))
        answers = [self.problem.ask(rows, inputs) for _ in range(samples)]
        return answers[0] if samples == 1 else torch.cat(answers)

    @torch.no_grad()
    def judge(self, rows: torch.Tensor, adv: torch.Tensor, *, steps: int | torch.Tensor, samples: int = 1) -> None:
        """Ask about the inputs `adv` (n, ...) of the examples `rows` (n,), `samples` times, and keep those that are better."""
        logits = averaged(self.ask(rows, adv, samples=samples), samples)
        self.take(rows, adv, logits, success=self.problem.fooled(logits, rows), steps=steps)

    @torch.no_grad()
    def take(
        self, rows: torch.Tensor, adv: torch.Tensor, logits: torch.Tensor, *, success: torch.Tensor, steps: int | torch.Tensor
    ) -> None:
        """Keep `adv` where it succeeds for the first time or, all else equal, has the larger loss.

        Parameters
        ----------
        rows : distinct examples (n,)
        adv, logits : inputs (n, ...) in ball and box, and the answers to them (n, K); an input that is not finite is left out
        success : boolean (n,), from :meth:`Problem.fooled`
        steps : that led there, one number or one per row
        """
        goal = None if self.problem.goal is None else self.problem.goal[rows]
        loss, wild = self.objective.value(logits, self.problem.y[rows], goal).to(self.loss.dtype), invalid(logits)
        loss = loss.masked_fill(wild | loss.isnan(), -torch.inf)  # NaN and infinity give way to any number
        old = self.success[rows]
        better = (success & ~old) | ((success == old) & ((loss > self.loss[rows]) | self.loss[rows].isneginf()))
        better &= finite_rows(adv)
        chosen = rows[better]
        self.x_adv[chosen] = adv[better]
        self.success[chosen] = success[better]
        self.loss[chosen] = loss[better]
        self.invalid[chosen] = wild[better]
        self.steps_used[chosen] = steps[better] if isinstance(steps, torch.Tensor) else steps

    def result(self) -> AttackResult:
        """All of it, detached; warns of answers that are NaN or infinite."""
        warn_of_invalid(self.invalid)
        return make_result(
            self.problem,
            x_adv=self.x_adv,
            success=self.success,
            loss=self.loss,
            queries=self.queries,
            steps_used=self.steps_used,
            no_gradient=self.no_gradient,
            invalid=self.invalid,
        )
