"""Records become entries, the same way for audits and studies, and checks read the entries."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from holdfast.core.errors import InputError
from holdfast.core.estimate import exact, proportion
from holdfast.core.experiment import Finding, Measurement, Quantity, Summary
from holdfast.core.store import Record
from holdfast.report import StressEntry, finding_entry, metric_table, stress_entry

CRASH = "Traceback (most recent call last):\n  ...\nValueError: boom"


@dataclass(frozen=True)
class Learning:
    name: ClassVar[str] = "learning"
    version: ClassVar[int] = 2

    def points(self):
        return [{"spread": spread} for spread in (0.05, 0.1, 0.2)]


def record(spread, status="ok", experiment="learning", error="", **place):
    measured = Measurement(estimates={"accuracy": proportion(9, 10)}) if status == "ok" else None
    return Record(
        key="k", experiment=experiment, at={"spread": spread, **place}, status=status, measurement=measured, queries=7, error=error
    )


def entry(*records, summary=None, **options):
    return stress_entry(Learning(), records, summary or Summary(), **options)


def test_an_entry_holds_its_own_points_and_quantities():
    summary = Summary(quantities=(Quantity("solved.share", exact(0.9), {"spread": 0.05}),), notes=("small",))
    found = entry(record(0.05), record(0.1), record(0.2), record(0.3, experiment="other"), summary=summary, title="Learning")
    assert (found.status, found.version, found.title, found.notes) == ("ok", 2, "Learning", ["small"])
    assert [point.at["spread"] for point in found.points] == [0.05, 0.1, 0.2]
    assert list(found.metrics) == ["solved.share[spread=0.05]"]
    assert StressEntry.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("records", "planned", "status", "reason"),
    [
        ([record(0.05), record(0.1), record(0.2)], ("reduced", "fewer examples"), "reduced", "fewer examples"),
        ([record(0.05), record(0.1, "error", error=CRASH)], ("ok", ""), "error", "1 of 2 points crashed: ValueError: boom"),
        ([record(0.05), record(0.1, "late", error="too late")], ("ok", ""), "partial", "1 of 2 points had no time left"),
        ([record(0.05)], ("ok", ""), "partial", "2 of 3 points were not begun"),
        ([], ("skipped", "it does not fit"), "skipped", "it does not fit"),
    ],
)
def test_the_status_says_what_is_missing(records, planned, status, reason):
    found = entry(*records, planned=planned)
    assert (found.status, found.reason) == (status, reason)


def test_queries_are_reported_where_they_count():
    counted, free = (entry(record(0.05), counts_queries=counts).points[0].queries for counts in (True, False))
    assert (counted, free) == (7, 0)


def test_a_finding_keeps_its_number_and_threshold():
    found = Finding(id="a.b", severity="low", text="It fell.", estimate=proportion(1, 2), threshold="half", remedy="Train.")
    kept = finding_entry(found, card="shift", stress="learning", command="holdfast audit")
    assert kept.estimate.estimate() == proportion(1, 2)
    assert (kept.threshold, kept.remedy, kept.card, kept.command) == ("half", "Train.", "shift", "holdfast audit")


def test_a_quantity_that_needs_a_crashed_point_says_which_and_why():
    table = metric_table({"": entry(record(0.05), record(0.1, "error", error=CRASH), record(0.2))})
    assert table.find("accuracy", {"spread": 0.05}).value == 0.9
    with pytest.raises(InputError, match=r"solved.share\[spread=0.1\], which was not measured: .*spread 0.1: ValueError: boom"):
        table.find("solved.share", {"spread": 0.1})
    with pytest.raises(InputError, match=r"which was not measured: spread 0.1: ValueError: boom"):
        table.find("locking.width")


def test_a_part_of_a_study_has_its_own_points_and_no_settings():
    @dataclass(frozen=True)
    class Parts(Learning):
        starts: int = 3

        def points(self):
            return [{"part": part, "spread": 0.1} for part in ("solved", "locking")]

    records = [record(0.1, part="solved"), record(0.1, "error", error=CRASH, part="locking")]
    solved, locking = (stress_entry(Parts(), records, Summary(), part=part) for part in ("solved", "locking"))
    assert (solved.status, locking.status) == ("ok", "error")
    assert [point.at for point in solved.points] == [{"spread": 0.1}]
    assert solved.config == {}


def test_a_stored_entry_gives_the_same_table():
    summary = Summary(quantities=(Quantity("share", exact(1 / 3), {"spread": 0.05, "kind": "per channel"}),))
    found = entry(record(0.05), record(0.1), record(0.2), summary=summary)
    stored = StressEntry.model_validate_json(found.model_dump_json())
    for table in (metric_table({"": found}), metric_table({"": stored})):
        assert table.find("share", {"spread": 0.05, "kind": "per channel"}) == exact(1 / 3)
