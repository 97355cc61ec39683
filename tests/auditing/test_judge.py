"""Gates are judged from a report alone; what was not measured never passes."""

import pytest

from holdfast.auditing.judge import judge_gates
from holdfast.core.estimate import exact, proportion
from holdfast.core.experiment import Quantity, Summary
from holdfast.report import CardEntry, Document, EstimateEntry, PointEntry, RunEntry, StressEntry
from holdfast.report.result import exit_code


def stress(metric, *points, status="ok", reason="", metrics=None):
    entries = [
        PointEntry(
            at=at, metrics={metric: EstimateEntry.of(value)} if value else {}, status="ok" if value else "error", error=error
        )
        for at, value, error in points
    ]
    return StressEntry(points=entries, status=status, reason=reason, metrics=metrics or {})


def document(accuracy=950, pgd=400):
    flags = {"flags": EstimateEntry.of(exact(0, 200))}
    return Document(
        run=RunEntry(id="a"),
        cards={
            "clean": CardEntry(stresses={"clean": stress("accuracy", ({}, proportion(accuracy, 1000), ""))}),
            "adversarial": CardEntry(
                stresses={
                    "pgd": stress(
                        "accuracy",
                        ({"eps": 0.0}, proportion(accuracy, 1000), ""),
                        ({"eps": 8 / 255}, proportion(pgd, 1000), ""),
                        ({"eps": 0.3}, None, "Traceback\nValueError: boom"),
                    ),
                    "masking": stress("flags", ({}, exact(0, 200), ""), metrics=flags),
                    "fgsm": stress("accuracy", status="skipped", reason="it does not fit into the time budget"),
                }
            ),
        },
    )


@pytest.mark.parametrize(
    ("gate", "status"),
    [
        ("clean.accuracy >= 0.90", "pass"),
        ("clean.accuracy >= 0.97", "fail"),
        ("clean.accuracy >= 0.95", "undecided"),
        ("adversarial.pgd.accuracy[eps=8/255] >= 0.30", "pass"),
        ("adversarial.pgd.accuracy[eps=0.031372549] >= 0.50", "fail"),
        ("adversarial.masking.flags == 0", "pass"),
        ("adversarial.pgd.accuracy[eps=8/255] >= clean.accuracy - 0.6", "pass"),
        ("adversarial.pgd.accuracy[eps=0.3] >= 0.1", "error"),
        ("adversarial.pgd.accuracy[eps=0.2] >= 0.1", "error"),
        ("adversarial.fgsm.accuracy[eps=0.1] >= 0.1", "error"),
        ("clean.accuracy >= baseline - 0.01", "error"),
    ],
)
def test_verdicts(gate, status):
    [verdict] = judge_gates([gate], document())
    assert verdict.status == status, verdict.reason


def test_a_crash_and_a_skip_say_their_reason():
    crashed, skipped = judge_gates(
        ["adversarial.pgd.accuracy[eps=0.3] >= 0.1", "adversarial.fgsm.accuracy[eps=0.1] >= 0.1"], document()
    )
    assert "ValueError: boom" in crashed.reason
    assert "does not fit" in skipped.reason


@pytest.mark.parametrize(
    ("gate", "status"), [("learning.solved[spread=0.05] >= 0.7", "pass"), ("learning.solved[spread=0.2] >= 0.7", "fail")]
)
def test_a_quantity_of_several_points_is_selected_by_what_they_share(gate, status):
    found = [Quantity("solved", exact(value), {"spread": spread}) for spread, value in ((0.05, 0.9), (0.2, 0.4))]
    metrics = {text: EstimateEntry.of(estimate) for text, estimate in Summary(quantities=tuple(found)).metrics.items()}
    cards = {"learning": CardEntry(stresses={"learning": StressEntry(metrics=metrics)})}
    [verdict] = judge_gates([gate], Document(run=RunEntry(id="a"), cards=cards))
    assert verdict.status == status, verdict.reason


def test_a_baseline_is_the_same_quantity_of_the_other_run():
    [worse] = judge_gates(["adversarial.pgd.accuracy[eps=8/255] >= baseline - 0.02"], document(pgd=300), baseline=document(pgd=600))
    assert (worse.status, worse.id, worse.source) == ("fail", "gate.1", "user")


@pytest.mark.parametrize(
    ("gates", "status", "undecided", "code"),
    [
        (["clean.accuracy >= 0.9"], "complete", "warn", 3),  # one point of the document crashed
        (["clean.accuracy >= 0.97"], "complete", "warn", 1),
        (["clean.accuracy >= 0.95"], "complete", "fail", 1),
        (["clean.accuracy >= 0.97"], "interrupted", "warn", 130),
    ],
)
def test_exit_codes(gates, status, undecided, code):
    found = document()
    found = found.model_copy(update={"gates": judge_gates(gates, found), "run": found.run.model_copy(update={"status": status})})
    assert exit_code(found, undecided) == code


@pytest.mark.parametrize(("undecided", "code"), [("warn", 0), ("pass", 0), ("fail", 1)])
def test_an_undecided_gate_does_what_it_was_told(undecided, code):
    whole = document()
    clean = whole.model_copy(update={"cards": {"clean": whole.cards["clean"]}})
    judged = clean.model_copy(update={"gates": judge_gates(["clean.accuracy >= 0.95"], clean)})
    assert exit_code(judged, undecided) == code


def test_a_gate_that_could_not_be_measured_is_no_pass():
    whole = document()
    clean = whole.model_copy(update={"cards": {"clean": whole.cards["clean"]}})
    judged = clean.model_copy(update={"gates": judge_gates(["adversarial.pgd.accuracy[eps=0.1] >= 0"], clean)})
    assert exit_code(judged) == 3
