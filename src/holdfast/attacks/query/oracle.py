"""The only way from a query attack to its target: every query is counted, and none exceeds the budget.

Two budgets hold at once: one per example, and the target's own (:class:`~holdfast.core.target.QueryCounter`), which other users of
the target may share. When the second is spent the attack ends with what it has; it never raises. Every input that
fools the target is kept if it lies in ball and box, whatever its query was for.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

import torch

from holdfast.attacks.found import Found
from holdfast.attacks.losses import Loss, cw_margin, make_objective
from holdfast.attacks.problem import PROBE_ROWS, Problem, invalid, pose
from holdfast.attacks.projection import perturbation_norm
from holdfast.core.checks import check_whole, refuse
from holdfast.core.errors import QueryBudgetError
from holdfast.core.target import as_target
from holdfast.nets import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.attacks.threat import AttackResult, ThreatModel

__all__ = ["GROUP", "Oracle", "query_problem"]

GROUP = 500  # examples that draw their random numbers together, however many fit into a pass: results do not depend on memory
ROUNDING = 1e-6  # relative, of a norm
SEVERAL = 10  # examples of which a network that knows their classes is right on one
ENOUGH = 50  # queries per example from which one can be spared to ask the same thing twice


class _SpentError(Exception):
    """The target accepts no more queries; caught by :meth:`Oracle.asking`."""


def query_problem(
    model: Any,
    x: torch.Tensor,
    y: torch.Tensor,
    threat: ThreatModel,
    *,
    target_class: int | torch.Tensor | None,
    access: Literal["labels", "scores"],
) -> Problem:
    """The checked problem of an attack by queries; refuses a target that gives too little, and names the attack that needs less."""
    if access == "scores" and not as_target(model, bounds=threat.bounds).allows("scores"):
        refuse(
            "access",
            "is 'labels'",
            allowed="'scores' or more for this attack",
            remedy="Attack answers that are labels alone with hopskipjump().",
        )
    return pose(model, x, y, threat, target_class=target_class, access=access)


class Oracle:
    """Sends queries about the examples of a problem within a budget, and keeps the best input found for each.

    Parameters
    ----------
    problem : from :func:`query_problem`
    queries : that may be spent on each example, the first look at the example itself included, >= 1
    loss : as in :func:`~holdfast.attacks.pgd`; decides which input is kept among those that do not fool
    access : ``"labels"`` shows the attack the predicted class only
    batch_size : inputs per pass

    Attributes
    ----------
    left : integer tensor (N,), what is left of each example's own budget
    found : the best inputs so far
    clean : answers (N, K) to the examples themselves, once :meth:`begin` has looked
    """

    def __init__(
        self,
        problem: Problem,
        *,
        queries: int,
        loss: str | Loss = "cw_margin",
        access: Literal["labels", "scores"] = "scores",
        batch_size: int = 500,
    ) -> None:
        self.queries = check_whole(queries, "queries", low=1)
        self.batch_size = check_whole(batch_size, "batch_size", low=1)
        self.problem, self.loss, self.access = problem, loss, access
        self.clean = torch.empty(0)
        self.left = torch.full((len(problem.x),), queries, dtype=torch.long, device=problem.x.device)
        targeted = problem.goal is not None
        self.found = Found(problem, make_objective(cw_margin, classes=2, targeted=targeted))  # until the first answer is known

    @contextmanager
    def asking(self) -> Iterator[None]:
        """A block in evaluation mode, without gradients, that ends once the target accepts no more queries.

        A warning counts the examples that were never asked about: they do not count as fooled, but their robustness is unknown.
        """
        with frozen(self.problem.target), torch.no_grad(), suppress(_SpentError):
            yield
        unasked = int((self.found.queries == 0).sum())
        if unasked:
            warnings.warn(
                f"The target accepts no more queries: {unasked} of {len(self.left)} examples were never asked about, and count "
                "as not fooled. Raise its limit, or attack fewer examples.",
                UserWarning,
                stacklevel=4,
            )

    def begin(self) -> torch.Tensor:
        """Look at the examples themselves, one query each; those that remain to be attacked (n,)."""
        everyone = torch.arange(len(self.left), device=self.left.device)
        scores: list[torch.Tensor] = []
        largest = 0
        for rows in everyone.split(self.batch_size):
            self.left[rows] -= 1
            answers = self._answers(rows, self.problem.x[rows])
            if not scores:
                self._examine(answers)
            largest = max(largest, int(answers.max())) if answers.ndim == 1 else 0
            scores.append(self._book(rows, self.problem.x[rows], answers, steps=0, allowed=True))
        self.clean = torch.cat(scores) if self.access == "scores" else torch.empty(0)
        if answers.ndim == 1:
            self._check_labels(largest)
        rows = ((~self.found.success) & (self.problem.eps > 0)).nonzero().squeeze(1)
        if self.access == "scores" and self.queries >= ENOUGH and self.problem.target.samples == 1:
            self._warn_of_randomness(self.going(rows)[:PROBE_ROWS])
        return self.going(rows)

    def going(self, rows: torch.Tensor) -> torch.Tensor:
        """Those of the examples `rows` that are not fooled yet and may still be asked about."""
        return rows[~self.found.success[rows] & (self.left[rows] > 0)]

    def ask(self, rows: torch.Tensor, inputs: torch.Tensor, *, steps: int = 0, allowed: bool = True) -> torch.Tensor:
        """Answers (n, K) to the `inputs` (n, ...), which belong to the examples `rows` (n,).

        Under access ``"labels"`` the answer is 1 for the class that was named and 0 for the others; classes that are
        neither a label nor a target of any example share the last column.

        Parameters
        ----------
        rows : examples; they may repeat only where `allowed` is false, and must have queries left
        inputs : queries
        steps : that led there
        allowed : all inputs are known to lie in ball and box. Otherwise those that fool are checked, and the others dropped
        """
        self.left.index_add_(0, rows, torch.full_like(rows, -1))
        assert bool((self.left[rows] >= 0).all()), "a query beyond the budget of its example"
        parts = []
        for some, some_inputs in zip(rows.split(self.batch_size), inputs.split(self.batch_size), strict=True):
            answers = self._answers(some, some_inputs)
            parts.append(self._book(some, some_inputs, answers, steps=steps, allowed=allowed))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def value(self, rows: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """What the attack climbs (n,): the objective at the answers `logits` (n, K) to queries about the examples `rows`."""
        goal = None if self.problem.goal is None else self.problem.goal[rows]
        return self.found.objective.climb(logits, self.problem.y[rows], goal)

    def result(self) -> AttackResult:
        """What was found."""
        return self.found.result()

    def _answers(self, rows: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Answers to as many of the leading `inputs` as the target still accepts; fewer only if then it accepts no more."""
        left = self.problem.target.answers_left
        rows, inputs = rows[:left], inputs[:left]
        if len(inputs) == 0:
            raise _SpentError
        try:
            return self.problem.ask(rows, inputs)
        except QueryBudgetError:  # of a counter inside the model: find out how far it goes
            if len(inputs) == 1:
                raise _SpentError from None
        half = len(inputs) // 2
        first = self._answers(rows[:half], inputs[:half])
        try:
            return torch.cat([first, self._answers(rows[half:], inputs[half:])])
        except _SpentError:
            return first

    def _book(self, rows: torch.Tensor, inputs: torch.Tensor, answers: torch.Tensor, *, steps: int, allowed: bool) -> torch.Tensor:
        """Count and keep the `answers` (n, ...); end the attack if there are fewer of them than `rows`."""
        asked = len(answers)
        spent = asked < len(rows)
        rows, inputs = rows[:asked], inputs[:asked]
        self.found.queries.index_add_(0, rows, torch.ones_like(rows))
        scores = self._scores(answers)
        hit = self.problem.fooled(scores, rows)
        if allowed:
            self.found.take(rows, inputs, scores, success=hit, steps=steps)
        elif bool(hit.any()):
            self._capture(rows, inputs, scores, hit & ~self.found.success[rows], steps)
        if spent:
            raise _SpentError
        return scores

    def _capture(self, rows: torch.Tensor, inputs: torch.Tensor, scores: torch.Tensor, hit: torch.Tensor, steps: int) -> None:
        """Keep the first allowed one of the `inputs` that fool, per example."""
        places = hit.nonzero().squeeze(1)
        places = places[inside(self.problem, rows[places], inputs[places])]
        order = rows[places].argsort(stable=True)
        places = places[order]
        fresh = torch.ones_like(places, dtype=torch.bool)
        fresh[1:] = rows[places][1:] != rows[places][:-1]
        places = places[fresh]
        self.found.take(rows[places], inputs[places], scores[places], success=hit[places], steps=steps)

    def _scores(self, answers: torch.Tensor) -> torch.Tensor:
        """The answers as logits (n, K), of which an attack on labels uses only the largest."""
        if self.access == "scores":
            return answers
        named = answers if answers.ndim == 1 else answers.argmax(1)
        other = 1 + max(int(wanted.max()) for wanted in (self.problem.y, self.problem.goal) if wanted is not None)
        named = named.long().masked_fill((named < 0) | (named > other), other)
        scores = torch.nn.functional.one_hot(named, other + 1).to(self.problem.x.dtype)
        return scores if answers.ndim == 1 else scores.masked_fill(invalid(answers)[:, None], torch.nan)

    def _examine(self, answers: torch.Tensor) -> None:
        """Refuse a target that is not fit to be attacked."""
        named = answers.ndim == 1 and not answers.is_floating_point()
        if self.access == "labels":
            if not named and (answers.ndim != 2 or answers.shape[1] < 2):
                refuse("model", f"answers with shape {tuple(answers.shape)}", allowed="labels (N,) or scores (N, classes)")
            if not named:
                self.problem.check_classes(answers.shape[1])
            return
        if named:
            refuse(
                "model",
                "answers with labels",
                allowed="scores (N, classes) for this attack",
                remedy="Attack answers that are labels alone with hopskipjump().",
            )
        classes = self.problem.examine(answers[:PROBE_ROWS], min(len(answers), PROBE_ROWS))
        self.found.objective = make_objective(self.loss, classes=classes, targeted=self.problem.goal is not None)

    def _check_labels(self, largest: int) -> None:
        """Doubt the labels where a target of unknown classes, the `largest` that it named known, gives no example its own."""
        if self.problem.goal is not None or not bool(self.found.success.all()):
            return
        y, asked = self.problem.y, len(self.left)
        remedy = "Labels that start at 1 need `- 1`; otherwise model and data do not belong together."
        if asked >= SEVERAL and int(y.max()) > largest:
            got = f"runs from {int(y.min())} to {int(y.max())}, and the model gives none of the {asked} examples its label"
            refuse("y", got, allowed=f"0 to {largest}, the largest class that it names", remedy=remedy)
        warnings.warn(
            f"The model gives none of the {asked} examples its label, so that all count as fooled without an attack. {remedy}",
            UserWarning,
            stacklevel=4,
        )

    def _warn_of_randomness(self, rows: torch.Tensor) -> None:
        """Ask about a few examples again, and warn if the answers differ."""
        if len(rows) == 0:
            return
        before = self.found.loss[rows].clone()
        goal = None if self.problem.goal is None else self.problem.goal[rows]
        again = self.found.objective.value(self.ask(rows, self.problem.x[rows]), self.problem.y[rows], goal)
        if not torch.allclose(again.to(before.dtype), before, rtol=1e-4, atol=1e-5):
            warnings.warn(
                "The model answers differently when it is asked the same thing again: differences between answers are noise, and "
                "what fooled it once may not do so again. Attack the mean of several answers.",
                UserWarning,
                stacklevel=4,
            )


def inside(problem: Problem, rows: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """Boolean (n,): which of the `inputs` (n, ...) the ball and the box of their examples `rows` (n,) contain."""
    ball = problem.ball(rows)
    shift = inputs if ball.norm == "linf" else inputs - ball.x
    fits = ((shift >= ball.low) & (shift <= ball.high)).flatten(1).all(1)
    return fits & (perturbation_norm(inputs - ball.x, ball.norm) <= ball.eps * (1 + ROUNDING))
