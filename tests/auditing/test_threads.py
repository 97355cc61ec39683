"""An audit runs on the number of threads on which the network is fastest, and a number that the user gives stands."""

import time

import pytest
import torch
from torch import nn

from holdfast import audit
from holdfast.auditing.probing.threads import fastest_threads
from holdfast.core.executors import thread_budget
from holdfast.core.target import QueryCounter, Target


class Paced(nn.Module):
    """A classifier that takes `one` s on one thread and `more` s on several."""

    def __init__(self, one, more):
        super().__init__()
        self.pace = {True: one, False: more}
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        time.sleep(self.pace[torch.get_num_threads() == 1])
        return x.flatten(1)[:, :10] * 10


@pytest.fixture
def two_threads():
    with thread_budget(2):
        yield


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("one", "more", "fastest"), [(0.0, 0.03, 1), (0.03, 0.0, 2)])
def test_the_faster_number_of_threads_is_found_and_torch_keeps_its_own(digits_small, one, more, fastest):
    target = Target(model=Paced(one, more))
    assert fastest_threads(target, digits_small[1], seconds=1e-4) == fastest
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_a_network_that_takes_long_on_all_threads_is_not_tried_on_one(digits_small):
    net = Paced(60.0, 0.3)
    assert fastest_threads(Target(model=net), digits_small[1], seconds=1e-4) == 2
    assert net.calls == 2


@pytest.mark.usefixtures("two_threads")
def test_no_query_is_spent_on_the_choice_where_queries_are_limited(digits_small):
    net = Paced(0.0, 0.03)
    assert fastest_threads(Target(model=net, queries=QueryCounter(limit=5000)), digits_small[1], seconds=1e-4) == 2
    assert net.calls == 0


@pytest.mark.usefixtures("two_threads")
def test_an_audit_says_which_threads_it_chose_and_a_second_start_keeps_them(tmp_path, digits_small, monkeypatch):
    chosen = []

    def choose(target, rows, *, seconds):
        chosen.append(1)
        return 1 if len(chosen) == 1 else 2

    monkeypatch.setattr("holdfast.auditing.probing.sounding.fastest_threads", choose)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    options = {"stresses": ["clean"], "examples": 50, "allow_low_accuracy": True, "out": tmp_path / "run"}
    for _ in range(2):
        run = audit(net, digits_small[1], **options).document.run
        assert run.threads == 1
        assert any("faster on 1 thread than on 2; --threads N" in note for note in run.notes)
    assert audit(net, digits_small[1], **options, threads=2).document.run.threads == 2
    assert len(chosen) == 2
    assert torch.get_num_threads() == 2
