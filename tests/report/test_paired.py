"""Two models on the same examples: the tests are the exact ones, and swapping the models negates every difference."""

import numpy as np
import pytest
import report_samples as samples
import report_world

from holdfast.core.errors import InputError
from holdfast.core.estimate import holm, mcnemar, paired_difference
from holdfast.report import Document, PerExampleTable, RunEntry, compare, row_name

N = 40
FIRST = np.array([True] * 30 + [False] * 10)
SECOND = np.array([True] * 20 + [False] * 10 + [True] * 10)


def table(right, name="pgd"):
    return PerExampleTable(
        np.arange(N), np.zeros(N, dtype=int), {row_name(name, {"eps": 0.1}): right, row_name("clean", {}): FIRST}
    )


def documents():
    return samples.audit_document(), samples.audit_document()


def test_each_row_carries_the_exact_test_and_the_paired_interval():
    comparison = compare(table(FIRST), table(SECOND), documents=documents())
    row = next(row for row in comparison.rows if row.metric == "adversarial.pgd.accuracy")
    assert row.p == mcnemar(FIRST, SECOND)
    assert row.delta.estimate() == paired_difference(FIRST, SECOND)
    assert (row.regressions, row.improvements) == (10, 10)
    assert row.examples == list(range(20, 30))
    assert [row.p_holm for row in comparison.rows] == holm([row.p for row in comparison.rows])


def test_swapping_the_models_negates_every_difference_exactly():
    _, _, comparison = samples.compared()
    tables = [report_world.World(seed=seed, shift=shift) for seed, shift in ((1, 0.0), (2, 0.45))]
    for world in tables:
        report_world.clean_card(world)
        report_world.adversarial_card(world)
        report_world.precision_card(world)
    before, after = (samples.per_example(world) for world in tables)
    swapped = compare(after, before, documents=documents())
    for row, back in zip(comparison.rows, swapped.rows, strict=True):
        assert (back.delta.value, back.delta.lo, back.delta.hi) == (-row.delta.value, -row.delta.hi, -row.delta.lo)
        assert back.p == row.p
        assert (back.regressions, back.improvements) == (row.improvements, row.regressions)


def test_a_stress_of_no_card_and_points_of_one_run_alone():
    empty = Document(run=RunEntry(id="a", name="before")), Document(run=RunEntry(id="b", name="after"))
    comparison = compare(table(FIRST, "fgsm"), table(SECOND), documents=empty)
    assert [row.metric for row in comparison.rows] == ["other.clean.accuracy"], "only what both measured"
    assert (comparison.before, comparison.after) == ("before", "after")


def test_other_examples_are_refused():
    other = PerExampleTable(np.arange(N) + 1, np.zeros(N, dtype=int), {})
    with pytest.raises(InputError, match="same examples"):
        compare(table(FIRST), other, documents=documents())
