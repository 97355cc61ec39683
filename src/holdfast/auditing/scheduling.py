"""Which plan a run follows: a new one, or the one that it was begun with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.auditing.judge import check_gates
from holdfast.auditing.plan import Plan, Prices, check_choice, choose, make_plan
from holdfast.auditing.stresses import known_stresses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.auditing.inputs import Inputs
    from holdfast.auditing.settings import AuditSettings
    from holdfast.core.store import Store
    from holdfast.core.stress import Stress

__all__ = ["check_names", "kept_plan", "new_plan"]

PLANNED_BY = {"preset", "budget", "max_queries", "stresses", "clean", "adversarial", "precision", "device", "shift"}


def check_names(settings: AuditSettings, stresses: Sequence[str | Stress] | None = None) -> None:
    """Refuse unknown stresses and settings before anything is loaded."""
    check_choice(stresses or settings.stresses, settings.overrides(), known_stresses())


def new_plan(
    settings: AuditSettings, inputs: Inputs, stresses: Sequence[str | Stress] | None = None, *, spent: float = 0.0
) -> Plan:
    """The plan for these inputs.

    Parameters
    ----------
    settings, inputs : of the audit
    stresses : in place of those that the settings name
    spent : part of the time budget that is over, in s
    """
    chosen = choose(
        stresses or settings.stresses,
        preset=settings.preset,
        facts=inputs.facts,
        known=known_stresses(),
        overrides=settings.overrides(),
    )
    check_gates(settings.gates, {stress.name: stress.card for stress in chosen})
    prices = Prices(forward=inputs.probe.t_forward, backward=inputs.probe.t_backward)
    return make_plan(
        chosen,
        inputs.facts,
        prices,
        seconds=None if settings.budget is None else settings.budget - spent,
        queries=None if settings.max_queries is None else max(0, settings.max_queries - inputs.probe.queries),
    )


def kept_plan(
    store: Store, settings: AuditSettings, inputs: Inputs, stresses: Sequence[str | Stress] | None = None, *, spent: float = 0.0
) -> Plan:
    """The plan that the run in `store` was begun with, so that a restart changes nothing; a new one if settings changed."""
    plan = new_plan(settings, inputs, stresses, spent=spent)
    asked = settings.model_dump(mode="json", include=PLANNED_BY)
    kept = store.fact("plan")
    same = kept is not None and kept["asked"] == asked
    if same and {row["stress"] for row in kept["rows"]} == {row["stress"] for row in plan.rows()}:
        return plan.like(kept["rows"])
    store.remember(plan={"asked": asked, "rows": plan.rows()})
    return plan
