"""The cross view: who fails where, who fails together, and where each example breaks."""

import numpy as np
import pytest
import report_samples as samples

from holdfast.core.errors import InputError
from holdfast.report import CrossColumn, breaking_point, cross_view


def column(name):
    return CrossColumn(stress=name, label=name)


def test_outcomes_are_one_letter_per_column_and_gaps_are_dashes():
    view = cross_view([(column("a"), [True, False]), (column("b"), [np.nan, 1.0])], examples=[5, 6])
    assert view.outcomes == ["1-", "01"]
    assert view.examples == [5, 6]


def test_groups_are_the_largest_sets_that_fail_in_exactly_the_same_places():
    right = {"a": [0, 0, 0, 1, 1], "b": [0, 0, 0, 0, 1], "c": [0, 1, 1, 1, 1]}
    view = cross_view([(column(name), rows) for name, rows in right.items()], examples=[10, 11, 12, 13, 14])
    assert [(group.columns, group.count, group.examples) for group in view.groups] == [([0, 1], 2, [11, 12]), ([0, 1, 2], 1, [10])]


def test_group_counts_agree_with_a_plain_count_of_patterns():
    cross = samples.audit_document().cross
    for group in cross.groups:
        pattern = "".join("0" if place in group.columns else "1" for place in range(len(cross.columns)))
        assert group.count == cross.outcomes.count(pattern)


def test_an_example_breaks_at_the_mildest_strength_that_fools_it():
    rights = [(0.0, [True, True, False]), (0.1, [True, False, True]), (0.2, [True, True, False])]
    entry = breaking_point("pgd", rights, axis="eps")
    assert entry.values == [None, 0.1, 0.0]
    assert entry.strengths == [0.0, 0.1, 0.2]


def test_columns_of_another_length_are_refused():
    with pytest.raises(InputError, match="one value per example"):
        cross_view([(column("a"), [True])], examples=[1, 2])


def test_no_columns_give_an_empty_view():
    assert cross_view([], examples=[1, 2]).outcomes == ["", ""]
