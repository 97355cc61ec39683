"""The intersection of attacks: what it counts, and what it keeps."""

import pytest
import torch

from holdfast.attacks import AttackResult, worst_case
from holdfast.core.errors import InputError


def found(*success, mark=0.0):
    n = len(success)
    hit = torch.tensor(success, dtype=torch.bool)
    return AttackResult(
        x_adv=torch.full((n, 2), mark),
        success=hit,
        loss=torch.full((n,), mark),
        queries=torch.full((n,), 10),
        steps_used=torch.zeros(n, dtype=torch.long),
        norm=torch.full((n,), mark),
        no_gradient=torch.zeros(n, dtype=torch.bool),
        invalid=torch.zeros(n, dtype=torch.bool),
    )


def test_an_example_is_robust_only_if_every_attack_failed_on_it():
    both = worst_case({"a": found(1, 1, 0, 0, mark=1.0), "b": found(0, 1, 1, 0, mark=2.0)})
    assert both.combined.success.tolist() == [True, True, True, False]
    assert both.accuracy.value == 0.25
    assert both.accuracy.method == "wilson"
    assert both.first.tolist() == [0, 0, 1, -1]
    assert both.combined.norm.tolist() == [1.0, 1.0, 2.0, 1.0], "the first attack that fooled it is kept"
    assert both.combined.queries.tolist() == [20] * 4
    assert [(row.name, row.accuracy.value, row.left.value, row.alone, row.queries) for row in both.rows] == [
        ("a", 0.5, 0.5, 1, 40),
        ("b", 0.5, 0.25, 1, 40),
    ]


def test_the_order_changes_who_is_first_and_not_how_many_fall():
    results = {"a": found(1, 0, 0), "b": found(1, 1, 0), "c": found(0, 0, 0)}
    forth, back = worst_case(results), worst_case(dict(reversed(results.items())))
    assert torch.equal(forth.combined.success, back.combined.success)
    assert forth.rows[0].alone == back.rows[-1].alone == 0


def test_one_attack_is_its_own_worst_case():
    only = worst_case({"a": found(1, 0)})
    assert only.combined.success.tolist() == [True, False]
    assert only.accuracy == only.rows[0].accuracy == only.rows[0].left


def test_the_table_has_a_line_per_attack():
    text = str(worst_case({"a": found(1, 0), "long name of it": found(0, 0)}))
    assert len(text.splitlines()) == 4
    assert "worst case" in text.splitlines()[-1]


@pytest.mark.parametrize(("results", "message"), [({}, "empty"), ({"a": found(1, 0), "b": found(1)}, "same examples")])
def test_results_that_do_not_belong_together_are_refused(results, message):
    with pytest.raises(InputError, match=message):
        worst_case(results)
