"""Gates whose sides hold the same examples are judged by pairs, while an audit runs and from its folder."""

import shutil

import numpy as np
import pytest
import torch

import holdfast
from holdfast.auditing.stored import judge_run
from holdfast.auditing.stresses import FGSM, PGD, ActivationVariation, Clean, Corruptions, WeightBits
from holdfast.report import read_per_example

SIZES = (0.0, 0.1)
STRESSES = [
    Clean(),
    FGSM(eps=SIZES, examples=200),
    PGD(eps=SIZES, steps=3),
    WeightBits(bits=(8, 4), layers_at=None),
    Corruptions(kinds=("fog", "contrast"), severities=(1, 3), examples=300),
    ActivationVariation(spread=(0.0, 0.1), chips=3),
]
ITSELF = [
    "clean.accuracy >= baseline - 0",
    "clean.accuracy == baseline",
    "adversarial.pgd.accuracy[eps=0.1] >= baseline",
    "adversarial.worst_case.accuracy[eps=0.1] >= baseline",
    "adversarial.worst_case.accuracy[eps=0.1, examples=200] >= baseline",
    "shift.corruptions.mean_accuracy >= baseline",
    "device.activation_variation.accuracy[spread=0.1] >= baseline",
]


class Forgetful(torch.nn.Module):
    """The network `net`, except that it takes the inputs `lost` for the next class."""

    def __init__(self, net, lost):
        super().__init__()
        self.net = net
        self.register_buffer("lost", lost.flatten(1))

    def forward(self, x):
        """Logits."""
        logits = self.net(x)
        hit = (x.flatten(1)[:, None] == self.lost[None]).all(2).any(1)
        return torch.where(hit[:, None], logits.roll(1, 1), logits)


@pytest.fixture(scope="module")
def run(digits_cnn, digits_small, tmp_path_factory):
    """Folder of a run on all 500 test digits."""
    out = tmp_path_factory.mktemp("paired") / "before"
    holdfast.audit(digits_cnn, digits_small[1], stresses=STRESSES, out=str(out), run={"threads": 1})
    return out


@pytest.fixture(scope="module")
def fallen(digits_cnn, digits_small, run, tmp_path_factory):
    """The report of a network that gets 18 of the 500 wrong which that of `run` got right, judged against it."""
    test = digits_small[1]
    table = read_per_example(run)
    right = table.example[table.arrays["clean|{}|correct"]]
    lost = test.x[torch.from_numpy(right[::20][:18])]
    assert len(lost) == 18
    out = tmp_path_factory.mktemp("paired") / "after"
    return holdfast.audit(
        Forgetful(digits_cnn, lost),
        test,
        stresses=[Clean()],
        baseline=str(run),
        gates=["clean.accuracy >= baseline - 0.01", "clean.accuracy >= baseline", "clean.accuracy >= baseline - 0.1"],
        out=str(out),
        run={"threads": 1},
    )


def test_a_significant_fall_of_3_6_points_fails_where_independent_samples_would_not_decide(fallen):
    one_point, none, ten = fallen.document.gates
    assert [gate.status for gate in (one_point, none, ten)] == ["fail", "fail", "pass"]
    assert none.value == pytest.approx(-0.036)
    assert "paired on 500 examples: 18 lost, 0 won" in none.reason
    assert fallen.exit_code == 1


def test_a_stored_run_is_judged_as_the_audit_was(fallen, run, tmp_path):
    texts = tuple(gate.statement for gate in fallen.document.gates)
    assert judge_run(fallen.folder, texts, baseline=run).document.gates == fallen.document.gates


def test_without_its_examples_a_run_is_judged_by_independent_intervals_and_says_so(fallen, run, tmp_path):
    shutil.copytree(fallen.folder, tmp_path / "alone")
    (tmp_path / "alone/per_example.npz").unlink()
    [gate] = judge_run(tmp_path / "alone", ("clean.accuracy >= baseline - 0.01",), baseline=run).document.gates
    assert gate.status == "undecided"
    assert "(not paired: no values per example are kept for clean.accuracy)" in gate.reason


@pytest.mark.parametrize("gate", ITSELF)
def test_a_run_against_itself_is_exactly_0(run, gate):
    report = judge_run(run, (gate,), baseline=run)
    [found] = report.document.gates
    assert (found.status, found.value, found.lo, found.hi) == ("pass", 0, 0, 0), found.reason
    assert report.exit_code == 0


def test_two_stresses_of_one_run_are_paired_on_the_examples_of_both(run):
    gates = (
        "precision.weight_bits.accuracy[bits=8] >= clean.accuracy - 0.02",
        "adversarial.fgsm.accuracy[eps=0] == clean.accuracy",
        "shift.corruptions.mean_accuracy >= 0.2 * clean.accuracy",
        "device.activation_variation.accuracy[spread=0] == clean.accuracy",
        "device.activation_variation.accuracy[spread=0.1] >= clean.accuracy - 0.2",
    )
    found = judge_run(run, gates).document.gates
    assert [gate.status for gate in found] == ["pass", "pass", "pass", "undecided", "pass"]
    paired = [int(gate.reason.split("paired on ")[1].split(" ")[0]) for gate in found]
    assert paired == [500, 200, 300, 500, 500]


def test_what_joins_several_points_keeps_its_examples(run):
    table = read_per_example(run)
    left = table.arrays['pgd|{"eps":0.1}|correct'].copy()
    left[:200] &= table.arrays['fgsm|{"eps":0.1}|correct'][:200] == 1
    assert np.array_equal(table.arrays['worst_case|{"eps":0.1}|correct'], left)
    shares = table.arrays["corruptions|{}|mean_accuracy"]
    assert np.isnan(shares[300:]).all()
    assert set(shares[:300]) <= {0, 0.25, 0.5, 0.75, 1}


def test_what_a_plan_may_name_is_judged_where_every_answer_is_finite_and_the_same(run):
    gates = (
        "clean.not_finite == 0",
        "clean.one_pass_accuracy == clean.accuracy",
        "adversarial.pgd.not_finite[eps=0.1] == 0",
        "device.activation_variation.not_finite[spread=0.1] == 0",
    )
    report = judge_run(run, gates, baseline=run)
    assert [gate.status for gate in report.document.gates] == ["pass"] * 4, [gate.reason for gate in report.document.gates]
    assert report.exit_code == 0
    [compared] = judge_run(run, ("clean.not_finite <= baseline",), baseline=run).document.gates
    assert compared.status == "pass"
