"""Attacks in an audit: joined per example, held to their queries, taught by what has no labels."""

from dataclasses import dataclass

import numpy as np
import pytest

import holdfast
from holdfast.auditing.stresses import PGD
from holdfast.core.errors import InputError
from holdfast.report import read_per_example, row_name


def wrong(table, stress, at):
    """Which rows an attack point got wrong; rows that it did not try count as right."""
    return np.asarray(table.arrays[row_name(stress, at)]) == 0


def test_an_example_is_robust_in_the_worst_case_only_where_every_attack_failed(audited):
    entry = audited.document.stresses()["worst_case"]
    table = read_per_example(audited.folder)
    for point in entry.points:
        eps = point.at["eps"]
        fooled = np.zeros(len(table.example), dtype=bool)
        for name in ("fgsm", "pgd", "apgd"):
            for other in audited.document.stresses()[name].points:
                if other.at["eps"] <= eps:
                    fooled |= wrong(table, name, other.at)
        if eps >= 0.1:
            fooled |= wrong(table, "square", {"queries": 30}) | wrong(table, "transfer", {"surrogate": 1})
            fooled |= wrong(table, "hopskipjump", {"queries": 200})
        assert point.metrics["accuracy"].value == pytest.approx(1 - fooled.mean())
    assert audited.document.cards["adversarial"].grade.metric == "retention of the worst case over all attacks"


def test_rows_that_no_attack_tried_are_not_counted_as_robust(digits_cnn, digits_small, small, tmp_path):
    # square alone ran at 0.05, on few rows: there is no worst case at that size, only at the sizes of the attack on all rows
    settings = {**small, "adversarial": {"pgd": {"eps": [0.1], "steps": 5}, "square": {"eps": 0.05, "examples": 20, "queries": 30}}}
    report = holdfast.audit(digits_cnn, digits_small[1], out=str(tmp_path), stresses=["pgd", "square"], settings=settings)
    stresses = report.document.stresses()
    (point,) = stresses["worst_case"].points
    assert point.at == {"eps": 0.1}
    assert point.metrics["accuracy"].value <= stresses["pgd"].points[0].metrics["accuracy"].value


@dataclass(frozen=True, kw_only=True)
class Fragile(PGD):
    """An attack that fails beyond its first size."""

    def measure(self, point, context):
        if point["eps"] > 0.05:
            raise RuntimeError("as it was told")
        return super().measure(point, context)


def test_a_worst_case_that_lacks_an_attack_is_not_judged(digits_cnn, digits_small, small, tmp_path):
    fragile = Fragile(eps=(0.0, 0.05, 0.1), steps=3)
    gates = ["adversarial.worst_case.accuracy[eps=0.05] >= 0", "adversarial.worst_case.accuracy[eps=0.1] >= 0"]
    report = holdfast.audit(digits_cnn, digits_small[1], out=str(tmp_path), stresses=["fgsm", fragile], gates=gates, settings=small)
    entry = report.document.stresses()["worst_case"]
    assert entry.status == "partial"
    assert [point.status for point in entry.points] == ["ok", "ok", "skipped", "skipped", "skipped"]
    assert "pgd[eps=0.1]" in entry.points[2].error
    assert [verdict.status for verdict in report.document.gates] == ["pass", "error"]
    assert report.document.cards["adversarial"].grade is None
    assert report.exit_code == 3


def test_attacks_of_the_most_common_norm_are_joined(digits_cnn, digits_small, small, tmp_path):
    settings = {**small, "adversarial": {**small["adversarial"], "fgsm": {"norm": "l2"}}}
    report = holdfast.audit(digits_cnn, digits_small[1], out=str(tmp_path), stresses=["fgsm", "pgd", "apgd"], settings=settings)
    notes = " ".join(report.document.stresses()["worst_case"].notes)
    assert "all in linf" in notes
    assert "not linf: fgsm" in notes


def test_the_worst_case_is_below_every_attack_and_never_rises(audited):
    stresses = audited.document.stresses()
    worst = {point.at["eps"]: point.metrics["accuracy"].value for point in stresses["worst_case"].points}
    assert list(worst.values()) == sorted(worst.values(), reverse=True)
    for name in ("fgsm", "pgd", "apgd"):
        assert all(worst[point.at["eps"]] <= point.metrics["accuracy"].value for point in stresses[name].points)


def test_a_query_attack_is_read_off_at_smaller_budgets(audited):
    entry = audited.document.stresses()["square"]
    (curve,) = entry.curves
    assert curve.at == [1, 3, 10, 30]
    values = [estimate.value for estimate in curve.estimates]
    assert values == sorted(values, reverse=True)
    assert values[-1] == entry.points[0].metrics["accuracy"].value
    assert entry.points[0].queries <= 40 * 31


def test_a_surrogate_learns_from_inputs_without_labels_within_its_queries(audited):
    entry = audited.document.stresses()["transfer"]
    assert entry.points[0].queries == 100 + 2 * 40
    assert entry.points[0].metrics["agreement"].value > 0.5
    assert entry.metrics["accuracy"].value == entry.points[0].metrics["accuracy"].value


def test_without_inputs_to_learn_from_the_transfer_attack_is_left_out(digits_cnn, digits_small, small, tmp_path):
    settings = {**small, "data": {"examples": 100}}
    report = holdfast.audit(digits_cnn, digits_small[1], out=str(tmp_path), stresses=["transfer"], settings=settings)
    (skipped,) = report.document.skipped
    assert "200 inputs to learn from" in skipped.reason
    assert "there are 60" in skipped.reason


def test_labels_alone_are_enough_to_be_imitated(digits_cnn, digits_small, small, tmp_path):
    def clerk(x):
        return digits_cnn(x).argmax(1)

    settings = {**small, "model": {"access": "labels"}}
    report = holdfast.audit(clerk, digits_small[1], out=str(tmp_path), stresses=["transfer"], settings=settings)
    assert report.document.stresses()["transfer"].status == "ok"


def test_unlabelled_inputs_of_another_shape_are_refused(digits_cnn, digits_small, small, tmp_path):
    np.savez(tmp_path / "wide.npz", x=np.zeros((300, 1, 8, 9), dtype=np.float32))
    settings = {**small, "data": {"examples": 100, "unlabelled": str(tmp_path / "wide.npz")}}
    with pytest.raises(InputError, match="unlabelled"):
        holdfast.audit(digits_cnn, digits_small[1], out=str(tmp_path / "run"), stresses=["transfer"], settings=settings)


def test_a_query_limit_holds_for_all_attacks_together(digits_cnn, digits_small, small, tmp_path):
    asked = 0

    def network(x):
        nonlocal asked
        asked += len(x)
        return digits_cnn(x)

    settings = {**small, "model": {"access": "scores"}}
    report = holdfast.audit(
        network, digits_small[1], max_queries=1500, out=str(tmp_path), stresses=["clean", "square", "transfer"], settings=settings
    )
    assert asked == report.document.run.queries <= 1500


def test_a_gate_may_name_the_worst_case_where_an_attack_is_planned(digits_cnn, digits_small, small, tmp_path):
    gate = "adversarial.worst_case.accuracy[eps=0.1] >= 0.99"
    settings = {"out": str(tmp_path / "run"), "settings": small, "gates": [gate]}
    report = holdfast.audit(digits_cnn, digits_small[1], stresses=["pgd"], **settings)
    assert [verdict.status for verdict in report.document.gates] == ["fail"]
    with pytest.raises(InputError, match="worst_case"):
        holdfast.audit(digits_cnn, digits_small[1], stresses=["clean"], **settings)


def test_the_worst_case_stands_on_the_examples_of_its_most_important_attack(digits_cnn, digits_small, small, tmp_path):
    # a single step on all rows must not stand for the iterated attack on those that it had no time for
    settings = {**small, "adversarial": {"pgd": {"examples": 60, "steps": 5}, "square": {"examples": 20, "queries": 30}}}
    report = holdfast.audit(digits_cnn, digits_small[1], out=str(tmp_path), stresses=["fgsm", "pgd", "square"], settings=settings)
    entry = report.document.stresses()["worst_case"]
    table = read_per_example(report.folder)
    assert entry.examples == 60
    assert "on the first 60 examples" in entry.notes[0]
    for point in entry.points:
        fooled = np.zeros(60, dtype=bool)
        for name in ("fgsm", "pgd"):
            for other in report.document.stresses()[name].points:
                if other.at["eps"] <= point.at["eps"]:
                    fooled |= wrong(table, name, other.at)[:60]
        if point.at["eps"] >= 0.1:
            fooled |= wrong(table, "square", {"queries": 30})[:60]
        found = point.metrics["accuracy"]
        assert (found.value, found.n) == (pytest.approx(1 - fooled.mean()), 60)


def test_breaking_points_stand_on_the_examples_that_a_stress_used(digits_cnn, digits_small, small, tmp_path):
    settings = {**small, "adversarial": {"pgd": {"examples": 60, "steps": 5}}}
    report = holdfast.audit(digits_cnn, digits_small[1], out=str(tmp_path), stresses=["clean", "fgsm", "pgd"], settings=settings)
    breaking = {entry.stress: entry for entry in report.document.cross.breaking}
    assert {name: len(entry.values) for name, entry in breaking.items()} == {"fgsm": 120, "pgd": 60}
