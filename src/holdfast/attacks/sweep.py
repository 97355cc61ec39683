"""An attack at several sizes in one call: each example goes inward, ball by ball, until it holds.

All begin in the largest ball, at the input itself, so that what fools an example lies near to it, and counts at every radius from
there on. An example that fell goes on in the largest ball that does not hold what fooled it, all of them in one batch. In the balls
inside the one where it held it is tried with one step, from its best point.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from holdfast.attacks.gradient import pgd
from holdfast.attacks.precision import at_least_single
from holdfast.attacks.threat import per_example
from holdfast.attacks.worst import taken, with_rows
from holdfast.core.checks import check_whole, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdfast.attacks.threat import AttackResult, ThreatModel

__all__ = ["pgd_sweep"]

CARRIED_STEPS = 1  # in a ball inside one in which an example held: four and ten found no more, on three networks in three norms


def pgd_sweep(
    model: Any, x: torch.Tensor, y: torch.Tensor, threat: ThreatModel, *, eps: Sequence[float], **settings: Any
) -> tuple[AttackResult, ...]:
    """:func:`~holdfast.attacks.pgd` at each radius of `eps`: an accuracy curve at the cost of a few points.

    Accuracy never rises along the sweep. In smaller balls examples that held in a larger one take one step.

    Parameters
    ----------
    model, x, y : as in :func:`~holdfast.attacks.pgd`
    threat : norm, box and mask; its own radius is not used
    eps : increasing radii >= 0
    settings : further arguments of :func:`~holdfast.attacks.pgd`, except `skip_wrong`, `start` and `target_class`; in the largest
        ball the first run begins at `x`, all others according to `random_start`, also that of examples without a gradient at `x`

    Returns
    -------
    one result per radius, in order; `queries` are those of the run that gave an example's result, which may stand at several radii

    Examples
    --------
    >>> from holdfast.attacks import ThreatModel
    >>> from holdfast.nets import mlp
    >>> x, y = torch.rand(20, 8), torch.arange(20) % 3
    >>> sweep = pgd_sweep(mlp(8, classes=3), x, y, ThreatModel("linf", 0), eps=[0.1, 0.2], steps=5)
    >>> sweep[0].accuracy.value >= sweep[1].accuracy.value
    True
    """
    try:
        sizes = [size.item() if hasattr(size, "item") else size for size in eps]  # of arrays and tensors
    except TypeError:
        refuse("eps", f"is {eps}", allowed="increasing radii, at least one")
    for size in sizes:
        replace(threat, eps=size)  # checks it
    if not sizes or sizes != sorted(set(sizes)):
        refuse("eps", f"is {sizes}", allowed="increasing radii, at least one")
    for name in ("skip_wrong", "start", "target_class"):
        if name in settings:
            refuse(name, "is set", allowed="the other arguments of pgd; a sweep chooses its starts itself and is not targeted")
    if settings.get("step_size") is not None:
        settings["step_size"] = per_example(settings["step_size"], "step_size", at_least_single(x))
    steps = check_whole(settings.pop("steps", 40), "steps", low=1)
    shared = {name: settings[name] for name in ("batch_size", "loss", "eot_samples") if name in settings}
    clean = pgd(model, x, y, replace(threat, eps=0.0), **shared)
    sweep = _Sweep(partial(pgd, model, skip_wrong=False), x, y, threat=threat, sizes=sizes, settings=settings, clean=clean)
    sweep.go_inward(steps)
    sweep.try_inside()
    return sweep.inherited()


class _Sweep:
    """What is known at each radius, and how far inward each example held.

    Parameters
    ----------
    attack : PGD on the network
    x, y, threat, sizes, settings : as in :func:`pgd_sweep`
    clean : what it makes of the examples as they are
    """

    def __init__(
        self,
        attack: Callable[..., AttackResult],
        x: torch.Tensor,
        y: torch.Tensor,
        *,
        threat: ThreatModel,
        sizes: list[float],
        settings: dict[str, Any],
        clean: AttackResult,
    ) -> None:
        self.attack, self.x, self.y, self.threat, self.settings = attack, x, y, threat, settings
        self.radii = torch.tensor(sizes, dtype=clean.norm.dtype, device=x.device)
        self.results = [clean] * len(sizes)
        self.first = sizes.index(0) + 1 if 0 in sizes else 0  # place of the first ball with room in it
        self.best = x.clone()
        self.held = torch.zeros(len(x), dtype=torch.long, device=x.device)  # places inside the ball where an example held

    def go_inward(self, steps: int) -> None:
        """Attack every example in smaller and smaller balls until it holds."""
        last = len(self.results) - 1
        rows = (~self.results[0].success).nonzero().squeeze(1)
        places = torch.full_like(rows, last)
        start: torch.Tensor | None = self.x
        while len(rows) and last >= self.first:
            found = self.run(rows, places, steps=steps, start=start)
            if start is None:  # a second run in the largest ball counts where it found more
                worse = (places == last) & ~found.success & (found.loss < self.results[last].loss[rows])
                rows, places, found = rows[~worse], places[~worse], taken(found, (~worse).nonzero().squeeze(1))
            fell = found.success
            inward = torch.minimum(torch.searchsorted(self.radii, found.norm) - 1, places - 1)  # next place of those that fell
            for place in range(self.first, last + 1):
                self.enter(place, rows, found, (places == place) | (fell & (inward < place) & (place < places)))
            self.best[rows], self.held[rows] = found.x_adv, torch.where(fell, 0, places)
            on = fell & (inward >= self.first)
            if start is not None and self.settings.get("random_start", True):
                on |= ~fell & found.no_gradient  # the gradient at a random start may differ from zero
            rows, places, start = rows[on], torch.where(fell, inward, places)[on], None

    def try_inside(self) -> None:
        """One step in each ball inside the one where an example held."""
        for place in range(self.first, len(self.results)):
            rows = (self.held > place).nonzero().squeeze(1)
            if len(rows):
                found = self.run(rows, torch.full_like(rows, place), steps=CARRIED_STEPS, start=self.best)
                self.enter(place, rows, found, torch.ones_like(rows, dtype=torch.bool))

    def inherited(self) -> tuple[AttackResult, ...]:
        """All of it; what fools at one radius counts at all larger ones."""
        everyone = torch.arange(len(self.x), device=self.x.device)
        for place in range(1, len(self.results)):
            nearer = self.results[place - 1]
            self.enter(place, everyone, nearer, nearer.success & ~self.results[place].success)
        return tuple(self.results)

    def run(self, rows: torch.Tensor, places: torch.Tensor, *, steps: int, start: torch.Tensor | None) -> AttackResult:
        """The attack on some examples, each in the ball at its place, from the points `start` (N, ...)."""
        pace = self.settings.get("step_size")
        chosen = self.settings | {"steps": steps, "start": None if start is None else start[rows]}
        chosen["step_size"] = None if pace is None else pace[rows]
        return self.attack(self.x[rows], self.y[rows], replace(self.threat, eps=self.radii[places]), **chosen)

    def enter(self, place: int, rows: torch.Tensor, found: AttackResult, chosen: torch.Tensor) -> None:
        """Put what was `found` of the examples `rows` (n,) at one place, where they are `chosen` (n,)."""
        if bool(chosen.any()):
            self.results[place] = with_rows(self.results[place], rows[chosen], taken(found, chosen.nonzero().squeeze(1)))
