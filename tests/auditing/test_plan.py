"""A plan keeps its limits, says why, and never changes which examples a stress sees first."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

import holdfast
from holdfast.auditing.gates import gated_stresses
from holdfast.auditing.plan import LEAST_EXAMPLES, choose, make_plan
from holdfast.auditing.pricing import Prices
from holdfast.auditing.stresses.adversarial import PGD
from holdfast.auditing.stresses.cards import SHIFT
from holdfast.auditing.stresses.clean import Clean
from holdfast.auditing.stresses.queries import Square
from holdfast.core.errors import InputError
from holdfast.core.stress import Card, Cost, Facts, Stress

FACTS = Facts(shape=(1, 28, 28), classes=10, examples=1000)
PRICES = Prices(forward=1e-3, backward=2e-3)


@dataclass(frozen=True, kw_only=True)
class Fixed(Stress):
    """A stress whose cost is known: `passes` forward passes at each of `strengths` points."""

    name: ClassVar[str] = "fixed"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Fixed"
    card: ClassVar[Card] = SHIFT
    requires: ClassVar[str] = "labels"
    importance: ClassVar[float] = 0.5
    passes: int = 1
    strengths: int = 3
    examples: int | None = None

    @classmethod
    def preset(cls, preset, facts):
        return None if preset == "quick" else cls()

    @classmethod
    def named(cls, name):
        return type(name.title(), (cls,), {"name": name})

    def unfit(self, facts):
        return ""

    def points(self):
        return [{"strength": strength} for strength in range(self.strengths)]

    def estimate(self, point):
        return Cost(forward=self.passes, queries=self.passes)


class White(Fixed):
    name: ClassVar[str] = "pgd"
    importance: ClassVar[float] = 0.95
    requires: ClassVar[str] = "weights"


class Grumpy(Fixed):
    name: ClassVar[str] = "grumpy"

    def unfit(self, facts):
        return "it does not like it"


KNOWN = {"fixed": Fixed, "pgd": White, "grumpy": Grumpy}


def test_cost_is_examples_times_passes_times_price():
    [line] = make_plan([Fixed(passes=2)], FACTS, PRICES).lines
    assert line.seconds == pytest.approx(1000 * 3 * 2 * 1e-3)
    assert (line.decision, line.examples, line.points, line.queries) == ("run", 1000, 3, 6000)


def test_only_stresses_that_cannot_see_the_network_spend_queries():
    assert make_plan([White()], FACTS, PRICES).lines[0].queries == 0


def test_without_limits_nothing_is_reduced():
    plan = make_plan([Fixed(passes=1000), White(passes=1000)], FACTS, PRICES)
    assert [line.decision for line in plan.lines] == ["run", "run"]


def test_each_stress_gets_its_own_number_of_examples():
    plan = make_plan([Fixed(passes=4), White(passes=4), Fixed.named("cheap")(passes=1)], FACTS, PRICES, seconds=16.0)
    examples = {line.stress.name: line.examples for line in plan.lines}
    assert examples["cheap"] == 1000
    assert LEAST_EXAMPLES < examples["fixed"] < examples["pgd"] < 1000
    assert all("time budget" in line.reason for line in plan.lines if line.decision == "reduced")
    assert all(line.stress.examples == line.examples for line in plan.lines if line.decision == "reduced")


def test_the_number_is_the_largest_that_fits():
    plan = make_plan([Fixed(passes=4)], FACTS, PRICES, seconds=10.0)
    [line] = plan.lines
    granted = 10.0 * 0.95 - 2.0
    per_example = 3 * 4 * 1e-3
    assert line.examples == int(granted / per_example)
    assert line.whole == 1000


def test_clean_keeps_all_examples_and_gated_stresses_come_before_others():
    clean = Fixed.named("clean")(passes=1)
    plan = make_plan([White(passes=2), Fixed(passes=2), clean], FACTS, PRICES, seconds=14.0, gated={"fixed"})
    decided = {line.stress.name: (line.decision, line.examples) for line in plan.lines}
    assert decided["clean"] == ("run", 1000)
    assert decided["fixed"] == ("run", 1000)
    assert decided["pgd"][0] == "reduced"
    scarce = make_plan([White(passes=2), Fixed(passes=2), clean], FACTS, PRICES, seconds=9.0, gated={"fixed"})
    assert [line.decision for line in scarce.lines] == ["skipped", "reduced", "run"]


def test_what_is_left_out_makes_room_for_the_others():
    plan = make_plan([White(passes=20), Fixed(passes=200)], FACTS, PRICES, seconds=20.0)
    assert [line.decision for line in plan.lines] == ["reduced", "skipped"]
    assert "does not fit" in plan.lines[1].reason
    granted = 20.0 * 0.95 - 2.0
    assert plan.seconds > 0.98 * granted
    assert plan.lines[0].examples > 4 * LEAST_EXAMPLES


def test_a_query_limit_is_met_and_leaves_white_box_stresses_alone():
    plan = make_plan([Fixed(), White()], FACTS, PRICES, queries=500)
    assert plan.lines[0].queries <= 500
    assert plan.lines[0].examples == 166
    assert plan.lines[1].examples == 1000
    assert plan.query_limit(plan.lines[0].stress, {"strength": 0}) == 166
    assert plan.query_limit(plan.lines[1].stress, {"strength": 0}) is None


def test_no_queries_at_all_skips_what_needs_them():
    plan = make_plan([Fixed(), White()], FACTS, PRICES, queries=0)
    assert [line.decision for line in plan.lines] == ["skipped", "run"]


def test_access_and_fitness_are_reasons_to_skip():
    facts = Facts(shape=(1, 8, 8), classes=10, access="scores", examples=100)
    plan = make_plan([White(), Grumpy(), Fixed()], facts, PRICES)
    assert [line.reason for line in plan.lines] == [
        "it needs access to weights, and the target gives scores",
        "it does not like it",
        "",
    ]


def test_a_plan_that_was_kept_is_restored_whatever_the_prices_are_now():
    before = make_plan([Fixed(passes=4), White()], FACTS, PRICES, seconds=8.0)
    now = make_plan([Fixed(passes=4), White()], FACTS, Prices(forward=1e-5, backward=1e-5), seconds=8.0)
    assert now != before
    assert now.like(before.rows()) == before


def test_presets_leave_stresses_out_unless_they_are_named_or_changed():
    assert choose(["all"], preset="quick", facts=FACTS, known=KNOWN) == []
    assert choose(["fixed"], preset="quick", facts=FACTS, known=KNOWN) == [Fixed()]
    changed = choose(["all"], preset="quick", facts=FACTS, known=KNOWN, overrides={"fixed": {"passes": 7}})
    assert changed == [Fixed(passes=7)]


def test_a_stress_with_settings_is_taken_as_it_is():
    mine = Fixed(passes=9)
    assert choose([mine], preset="quick", facts=FACTS, known=KNOWN) == [mine]


@pytest.mark.parametrize(
    ("names", "overrides", "message"),
    [
        (["fxed"], {}, r"`stresses` is 'fxed'; .*Did you mean 'fixed'\?"),
        (["all"], {"fixd": {"passes": 1}}, r"Did you mean 'fixed'\?"),
        (["all"], {"fixed": {"pases": 1}}, r"`shift.fixed.pases` is not a setting; .*Did you mean 'passes'\?"),
    ],
)
def test_unknown_names_are_refused(names, overrides, message):
    with pytest.raises(InputError, match=message):
        choose(names, preset="quick", facts=FACTS, known=KNOWN, overrides=overrides)


def test_gates_name_the_stresses_that_are_served_first():
    lines = make_plan([Fixed(), White(), Fixed.named("cheap")()], FACTS, PRICES).lines
    assert gated_stresses([], lines) == frozenset()
    assert gated_stresses(["shift.pgd.accuracy[strength=1] >= 0.5", "shift.fixed.accuracy >= baseline"], lines) == {"pgd", "fixed"}


def test_a_gate_on_the_worst_case_needs_every_attack():
    attacks = [PGD(eps=(0.1,)), Square(eps=0.1), Clean()]
    lines = make_plan(attacks, FACTS, PRICES).lines
    assert gated_stresses(["adversarial.worst_case.accuracy[eps=0.1] >= 0.5"], lines) == {"pgd", "square"}


def test_the_plan_shows_the_clean_accuracy_that_the_probe_measured(digits_cnn, digits_small):
    plan = holdfast.plan(digits_cnn, digits_small[1], stresses=["clean", "pgd"], threads=1)
    shown = plan.accuracy
    rows = {row["stress"]: row for row in plan.rows()}
    assert rows["clean"]["probed"] == shown.to_json()
    assert "probed" not in rows["pgd"]
    assert f"clean accuracy on the {shown.n} examples of the probe: {shown.value:.4g} [{shown.lo:.4g}, {shown.hi:.4g}]" in str(plan)
