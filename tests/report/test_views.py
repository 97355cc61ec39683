"""What the page shows of a document: every curve is drawn once, in company that it can be told apart from."""

import report_samples as samples

from holdfast.core.curve import Curve
from holdfast.core.estimate import proportion
from holdfast.report import (
    CardEntry,
    CurveEntry,
    Details,
    Document,
    EstimateEntry,
    FindingEntry,
    PointEntry,
    RunEntry,
    StressEntry,
    StressSummary,
    TargetEntry,
    glance,
    views,
)
from holdfast.report.measured import Check


def curve(name, hits=(95, 90, 80), axis="spread", quantity="accuracy"):
    estimates = tuple(proportion(h, 100) for h in hits)
    return CurveEntry.of(Curve(name=name, axis=axis, at=(0.0, 0.1, 0.3), estimates=estimates, quantity=quantity))


def pictures(*curves, kind="audit", **more):
    stress = StressEntry(curves=list(curves), **more)
    document = Document(
        run=RunEntry(id="a", kind=kind),
        target=TargetEntry(name="net", classes=10),
        cards={"device": CardEntry(stresses={"noise": stress})},
    )
    return views.card_views(document)[0].pictures


def test_curves_over_one_axis_share_a_chart_and_others_do_not():
    drawn = pictures(curve("a"), curve("b"), curve("c", axis="sigma"), curve("d", quantity="loss"))
    assert [picture.title for picture in drawn] == ["Accuracy against spread", "Accuracy against sigma", "Loss against spread"]


def test_many_curves_with_family_names_get_one_chart_a_family():
    drawn = pictures(
        *(curve(f"{net} {mode}") for net in ("short relu", "short sigmoid") for mode in ("in situ", "carried", "tuned", "aware"))
    )
    assert [picture.title for picture in drawn] == ["Accuracy against spread: short relu", "Accuracy against spread: short sigmoid"]
    assert ">in situ</text>" in drawn[0].body


def test_many_unrelated_curves_become_small_multiples():
    [picture] = pictures(*(curve(f"kind{k}") for k in range(8)))
    assert picture.body.count('class="multiple"') == 8


def test_a_single_measured_strength_is_no_curve():
    single = CurveEntry(name="a", axis="eps", at=[0.1], estimates=[{"value": 0.5}])
    assert pictures(single) == []


def study(*curves):
    return Document(run=RunEntry(id="a", kind="study"), cards={"a": CardEntry(stresses={"part": StressEntry(curves=list(curves))})})


def test_only_studies_zoom_into_the_accuracy_axis_and_say_so():
    [audit] = pictures(curve("a"))
    [zoomed] = views.study_pictures(study(curve("a")))
    assert ">0</text>" in audit.body
    assert "does not start at 0" not in audit.note
    assert "does not start at 0" in zoomed.note
    assert views.card_views(study(curve("a")))[0].pictures == [], "charts of a study stand before its claims"


def test_curves_of_a_study_share_the_chart_that_they_name():
    named = [curve(name).model_copy(update={"chart": "Locking range against coupling"}) for name in ("simulated", "theory")]
    drawn = views.study_pictures(study(*named, curve("other")))
    assert [picture.title for picture in drawn] == ["Locking range against coupling", "Accuracy against spread"]
    assert ">simulated</text>" in drawn[0].body
    assert ">theory</text>" in drawn[0].body


def test_an_axis_in_powers_of_ten_has_ticks_at_powers():
    values = [EstimateEntry(value=10.0**power) for power in (-3, 0, 3)]
    wide = CurveEntry(name="a", axis="f", at=[1.0, 2.0, 3.0], estimates=values, quantity="gain", log="y")
    [drawn] = views.study_pictures(study(wide))
    assert all(f">{tick}</text>" in drawn.body for tick in ("0.01", "1", "100"))
    assert "does not start at 0" not in drawn.note


def test_curves_of_several_stresses_in_one_chart_carry_the_names_of_the_stresses():
    card = samples.audit_document().cards["precision"]
    document = samples.audit_document().model_copy(update={"cards": {"precision": card}})
    body = views.card_views(document)[0].pictures[0].body
    assert ">Weight bits</text>" in body
    assert ">Activation bits</text>" in body


def tile_rows(stress, name="pgd"):
    return glance.tiles(Document(run=RunEntry(id="a"), cards={"adversarial": CardEntry(stresses={name: stress})}))[0].rows


def test_a_tile_says_where_the_half_point_lies_in_the_strengths_own_unit():
    lost = StressSummary(curve="a", half_point={"value": 3.1 / 255})
    kept = StressSummary(curve="a", half_point={"value": None})
    assert tile_rows(StressEntry(curves=[curve("a", axis="eps")], summary=lost))[0].aside == "half-point at eps 0.0122"
    assert tile_rows(StressEntry(curves=[curve("a")], summary=kept))[0].aside == "above half throughout"
    assert tile_rows(StressEntry(curves=[curve("a")]))[0].aside == ""


def test_a_tile_counts_flags_and_admits_what_was_not_run():
    checks = [Check(id="i", title="a", flag=True), Check(id="ii", title="b", flag=None), Check(id="iii", title="c", flag=False)]
    flagged = StressEntry(points=[PointEntry(at={}, details=Details(checks=checks))])
    assert tile_rows(flagged)[0].text == "1 of 3 checks flagged"
    assert tile_rows(StressEntry(status="skipped"))[0].text == "not run"
    assert tile_rows(StressEntry(status="error"))[0].text == "crashed"


def chips_of(count):
    at = [0.0, 0.1]
    points = [
        PointEntry(
            at={"sigma": sigma},
            n=100,
            metrics={name: EstimateEntry(value=0.9, n=count) for name in ("accuracy", "p05", "worst")},
            details=Details(chips=[0.9 - 0.01 * chip for chip in range(count if sigma else 1)]),
        )
        for sigma in at
    ]
    stress = StressEntry(points=points, config={"sigma": at, "chips": count, "curves": None, "curves_digest": "", "examples": 1000})
    return views.card_views(Document(run=RunEntry(id="a"), cards={"device": CardEntry(stresses={"weight_noise": stress})}))[0]


def test_few_chips_have_no_column_and_no_bar_for_the_5th_percentile():
    few, many = chips_of(5), chips_of(20)
    assert few.stresses[0].metrics == ["accuracy", "worst"]
    assert many.stresses[0].metrics == ["accuracy", "p05", "worst"]
    assert few.pictures[0].note == "5 chips each. Long bar: mean; short bar: worst chip."
    assert "5th percentile" not in few.pictures[0].body
    assert "worst of 5 chips 0.86" in few.pictures[0].body
    assert many.pictures[0].note == "20 chips each. Long bar: mean; short bar: 5th percentile."


def test_settings_show_what_was_used_and_leave_out_what_was_not_given():
    assert chips_of(5).stresses[0].settings == [("chips", "5"), ("examples", "100")]


def test_a_row_says_at_which_strength_its_numbers_hold_and_at_which_size_an_attack_of_queries():
    asked = curve("square", hits=(98, 60, 44), axis="queries").model_copy(update={"at": [1.0, 30.0, 300.0], "unit": "per example"})
    [row] = tile_rows(StressEntry(curves=[asked], config={"eps": 8 / 255, "queries": 300}), name="square")
    assert row.text.replace("\u00a0", " ") == "0.98 → 0.44 at 300 queries, eps 8/255"
    assert tile_rows(StressEntry(curves=[curve("a", axis="eps")]))[0].text.replace("\u00a0", " ") == "0.95 → 0.80 at eps 0.3"
    assert tile_rows(StressEntry(curves=[curve("a", axis="bits")]))[0].text.replace("\u00a0", " ").endswith("at 0.3 bits")


def test_the_number_of_a_finding_is_added_only_where_its_text_does_not_say_it():
    number = EstimateEntry(value=0.438, lo=0.395, hi=0.482)
    told = FindingEntry(id="a", severity="high", text="Accuracy under attack: 0.438 [0.395, 0.482].", estimate=number)
    assert views.measured_value(told) == ""
    silent = FindingEntry(id="a", severity="high", text="The attack at eps 0.1 succeeds on most of 44 examples.", estimate=number)
    assert views.measured_value(silent) == "0.438 [0.395, 0.482]"


def test_findings_are_ordered_by_severity_and_verdicts_with_failures_first():
    document = samples.audit_document()
    assert [finding.severity for finding in views.findings_by_severity(document)] == ["high", "medium", "low", "info"]
    assert views.tally(document.judged) == [("fail", 2), ("error", 1), ("undecided", 1), ("pass", 3)]


def test_the_widest_interval_is_that_of_an_accuracy():
    stress = samples.audit_document().cards["adversarial"].stresses["pgd"]
    widths = [point.metrics["accuracy"].hi - point.metrics["accuracy"].lo for point in stress.points]
    assert views.widest_interval(stress) == max(widths)
    assert views.widest_interval(StressEntry()) is None
