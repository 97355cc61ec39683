"""No broken or hostile input runs code, hangs, ends in a Python stack or takes more than 2 GB; what is accepted is read rightly."""

import os
from collections import Counter

import pytest
from torture_case import planned
from torture_runner import FAULTS, run_all, table

pytestmark = pytest.mark.slow


def test_there_are_a_thousand_inputs_and_each_is_made_once():
    names = [(kind, variant, number) for kind, variant, number, _ in planned()]
    assert len(names) >= 1000
    assert len(set(names)) == len(names)


@pytest.mark.timeout(3600)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the runner forks for each input")
def test_a_thousand_broken_and_hostile_inputs_are_refused_or_read_rightly():
    outcomes = run_all(workers=int(os.environ.get("JOBS", "1")))
    print(table(outcomes))
    counts = Counter(outcome.ends for outcome in outcomes)
    failed = [
        (outcome.ends, outcome.kind, outcome.variant, outcome.number, outcome.says[-400:])
        for outcome in outcomes
        if outcome.ends in FAULTS
    ]
    assert not failed, f"{len(failed)} of {sum(counts.values())} inputs: {failed[:5]}"
    assert sum(outcome.compared for outcome in outcomes) >= 100
