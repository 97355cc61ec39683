"""An audit of a real network: complete, repeatable, resumable, within its limits, and leaving the network as it was."""

import json
import sqlite3
from dataclasses import dataclass
from typing import ClassVar

import jsonschema
import numpy as np
import pytest
import torch

import holdfast
from holdfast.auditing.stresses import BUILT_IN, PGD, Clean
from holdfast.core.errors import InputError, RunMismatchError
from holdfast.core.store import Store
from holdfast.nets import fit, tiny_cnn, weights_digest
from holdfast.report import ARTEFACTS, json_schema, load, write_report

TIMES = ("started", "finished", "seconds", "t_forward", "t_backward", "resume", "command", "out", "commit")


def without_times(entry):
    """A report's JSON without what differs from run to run: times, and where the run lies."""
    if isinstance(entry, dict):
        return {key: without_times(item) for key, item in entry.items() if key not in TIMES}
    return [without_times(item) for item in entry] if isinstance(entry, list) else entry


def facts(report):
    return without_times(json.loads(report.to_json()))


@dataclass(frozen=True, kw_only=True)
class Trouble(Clean):
    """A stress that goes wrong as `how` says."""

    name: ClassVar[str] = "trouble"
    how: type[BaseException] = RuntimeError

    def measure(self, point, context):
        raise self.how("as it was told")


def test_every_stress_is_there_and_measured(audited):
    stresses = audited.document.stresses()
    assert set(stresses) == {*BUILT_IN, "worst_case"}
    assert {name: stress.reason for name, stress in stresses.items() if stress.status != "ok"} == {}
    assert audited.document.run.status == "complete"


def test_all_artefacts_are_written(audited):
    for name in (*ARTEFACTS, "per_example.npz"):
        assert (audited.folder / name).stat().st_size > 0, name


def test_the_report_follows_its_published_schema(audited):
    jsonschema.validate(json.loads((audited.folder / "report.json").read_text()), json_schema())


def test_the_page_is_small_and_asks_for_nothing(audited):
    page = audited.page.read_text()
    assert len(page) < 1.5e6
    for fragment in ("<link", "<script src", "@import", "url(http", 'src="http', "src='http"):
        assert fragment not in page


def test_drawing_again_gives_the_same_bytes(audited, tmp_path):
    write_report(load(audited.folder), tmp_path)
    for name in ARTEFACTS:
        assert (tmp_path / name).read_bytes() == (audited.folder / name).read_bytes(), name


def test_gates_are_judged(audited):
    assert [gate.status for gate in audited.document.gates] == ["pass", "pass", "pass"]
    assert audited.exit_code == 0


def test_curves_and_per_example_rows_agree(audited):
    curve = audited.cards["adversarial"].curve("pgd")
    for strength, estimate in zip(curve.at, curve.estimates, strict=True):
        assert audited.per_example("pgd", eps=strength)["correct"].mean() == pytest.approx(estimate.value)


def test_examples_are_those_of_the_user_in_his_numbering(audited, digits_small):
    rows = audited.per_example("clean")
    np.testing.assert_array_equal(rows["label"], digits_small[1].y[rows["example"].copy()])


def test_robust_accuracy_never_rises_with_the_attack_size(audited):
    for name in ("fgsm", "pgd"):
        assert (np.diff(audited.cards["adversarial"].curve(name).values) <= 0.02).all()


def test_no_stress_changes_the_network(digits_cnn, digits_small, small, tmp_path):
    before = weights_digest(digits_cnn)
    flags = [(module.training, len(module._forward_hooks)) for module in digits_cnn.modules()]
    grads = [parameter.requires_grad for parameter in digits_cnn.parameters()]
    holdfast.audit(digits_cnn, digits_small[1], out=str(tmp_path), settings=small | {"data": {"examples": 30}})
    assert weights_digest(digits_cnn) == before
    assert [(module.training, len(module._forward_hooks)) for module in digits_cnn.modules()] == flags
    assert [parameter.requires_grad for parameter in digits_cnn.parameters()] == grads


def test_equal_seeds_give_equal_reports(audited, digits_cnn, digits_small, small, tmp_path):
    gates = [gate.statement for gate in audited.document.gates]
    again = holdfast.audit(digits_cnn, digits_small[1], out=str(tmp_path), gates=gates, settings=small)
    assert facts(again) == facts(audited)


def test_a_run_that_lost_points_is_completed_to_the_same_report(digits_cnn, digits_small, small, tmp_path):
    options = {"stresses": ["clean", "fgsm", "weight_noise"], "out": str(tmp_path), "settings": small}
    whole = holdfast.audit(digits_cnn, digits_small[1], **options)
    with sqlite3.connect(tmp_path / "run.sqlite") as connection:
        connection.execute("delete from points where rowid % 3 = 0")
    kept = {record.key for record in Store.read(tmp_path).records()}
    completed = holdfast.audit(digits_cnn, digits_small[1], **options)
    assert len(kept) < len(completed.document.points())
    assert facts(completed) == facts(whole)


def test_the_number_of_workers_changes_nothing(digits_cnn, digits_small, small, tmp_path):
    options = {"stresses": ["clean", "pgd", "weight_noise", "corruptions"], "settings": small}
    alone = holdfast.audit(digits_cnn, digits_small[1], out=str(tmp_path / "one"), **options)
    shared = holdfast.audit(
        digits_cnn,
        digits_small[1],
        out=str(tmp_path / "two"),
        **options | {"settings": small | {"run": {"threads": 1, "workers": 2}}},
    )
    assert facts(shared)["cards"] == facts(alone)["cards"]


def test_a_crash_stays_in_its_stress(digits_cnn, digits_small, small, tmp_path):
    report = holdfast.audit(
        digits_cnn,
        digits_small[1],
        stresses=["clean", Trouble(examples=10)],
        gates=["clean.accuracy >= 0.5"],
        out=str(tmp_path),
        settings=small,
    )
    found = report.document.stresses()
    assert (found["clean"].status, found["trouble"].status) == ("ok", "error")
    assert "RuntimeError: as it was told" in found["trouble"].points[0].error
    assert report.document.run.status == "partial"
    assert report.exit_code == 3


def test_an_interrupt_leaves_a_partial_report_and_the_way_on(digits_cnn, digits_small, small, tmp_path):
    report = holdfast.audit(
        digits_cnn, digits_small[1], stresses=["clean", Trouble(how=KeyboardInterrupt)], out=str(tmp_path), settings=small
    )
    assert report.document.run.status == "interrupted"
    assert report.exit_code == 130
    assert not report.document.run.resume  # a network made in Python cannot be found again by a command
    assert report.document.stresses()["clean"].status == "ok"
    assert "interrupted" in report.page.read_text()


def test_a_folder_belongs_to_one_network(audited, digits_small, small):
    other = tiny_cnn(size=8, seed=5)
    fit(other, digits_small[0], epochs=3, lr=1e-2)
    with pytest.raises(RunMismatchError, match="another network"):
        holdfast.audit(other, digits_small[1], out=str(audited.folder), settings=small)


def test_a_gate_outside_the_plan_is_refused_before_anything_runs(digits_cnn, digits_small, small, tmp_path):
    with pytest.raises(InputError, match="which the plan does not measure"):
        holdfast.audit(
            digits_cnn,
            digits_small[1],
            stresses=["clean"],
            gates=["shift.corruptions.mean_accuracy > 0"],
            out=str(tmp_path),
            settings=small,
        )


def test_queries_are_never_exceeded_and_the_report_says_what_was_cut(digits_cnn, digits_small, small, tmp_path):
    asked = 0

    def network(x):
        nonlocal asked
        asked += len(x)
        return digits_cnn(x)

    report = holdfast.audit(
        network,
        digits_small[1],
        max_queries=2000,
        out=str(tmp_path),
        stresses=["clean", "corruptions", "resolution"],
        settings=small,
    )
    assert asked == report.document.run.queries <= 2000
    assert report.document.reduced or report.document.skipped
    assert all("query limit" in entry.reason for entry in report.document.reduced)


def test_networks_that_only_their_answers_tell_apart_share_no_points(digits_cnn, digits_small, small, tmp_path):
    def shifted(by):
        def network(x):
            return digits_cnn(x).roll(by, dims=1)

        return network

    options = {"stresses": ["clean"], "out": str(tmp_path), "settings": small | {"allow_low_accuracy": True}}
    first = holdfast.audit(shifted(0), digits_small[1], **options)
    second = holdfast.audit(shifted(1), digits_small[1], **options)
    right = [report.document.stresses()["clean"].points[0].metrics["accuracy"].value for report in (first, second)]
    assert right[0] > 0.9
    assert right[1] < 0.1


def test_a_baseline_that_cannot_serve_is_refused_before_anything_is_measured(digits_cnn, digits_small, audited, tmp_path):
    for baseline, message in ((tmp_path / "nowhere", "no such file"), (audited.folder, "on 120 other examples")):
        with pytest.raises(InputError, match=message):
            holdfast.audit(digits_cnn, digits_small[1], stresses=["clean"], baseline=str(baseline), out=str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"adversarial": {"weight_bits": {"bits": [4]}}},
            r"`adversarial.weight_bits` is not a setting; allowed: precision.weight_bits",
        ),
        ({"clean": {"clean": {"examples": 0}}}, r"`clean.clean.examples` is 0"),
        ({"adversarial": {"pgd": {"eps": {"most": 0.3}}}}, r"`adversarial.pgd.eps` is {'most': 0.3}; allowed: numbers"),
        ({"adversarial": {"pgd": {"eps": [0.3, 0.1]}}}, r"increasing sizes"),
        ({"precision": {"weight_bits": {"bits": [0]}}}, r"falling whole numbers"),
        ({"shift": {"corruptions": {"kinds": ["foggy"]}}}, r"Did you mean 'fog'\?"),
        ({"device": {"weight_noise": {"chips": 1}}}, r"`chips` is 1"),
    ],
)
def test_settings_of_stresses_are_checked(digits_cnn, digits_small, settings, message, tmp_path):
    with pytest.raises(InputError, match=message):
        holdfast.audit(digits_cnn, digits_small[1], settings=settings, out=str(tmp_path))


def test_an_interrupted_run_says_which_stresses_were_not_begun(digits_cnn, digits_small, small, tmp_path):
    report = holdfast.audit(
        digits_cnn, digits_small[1], stresses=[Trouble(how=KeyboardInterrupt), "fgsm"], out=str(tmp_path), settings=small
    )
    assert report.document.stresses()["fgsm"].status == "partial"
    assert report.document.stresses()["fgsm"].reason == "5 of 5 points were not begun"


def test_a_callable_is_stressed_as_far_as_it_can_be_seen(digits_cnn, digits_small, small, tmp_path):
    report = holdfast.audit(digits_cnn.__call__, digits_small[1], out=str(tmp_path), settings=small)
    reasons = {entry.stress: entry.reason for entry in report.document.skipped}
    assert set(reasons) == {"fgsm", "pgd", "apgd", "masking", "weight_bits", "act_bits", "weight_noise", "activation_variation"}
    assert reasons["pgd"] == "it needs access to gradients, and the target gives scores"
    assert report.document.stresses()["corruptions"].status == "ok"


class Scaled(torch.nn.Module):
    """A network whose logits are multiplied, so that its softmax saturates."""

    def __init__(self, network, factor):
        super().__init__()
        self.network, self.factor = network, factor

    def forward(self, x):
        return self.factor * self.network(x)


def test_masked_gradients_raise_a_flag(digits_cnn, digits_small, small, tmp_path):
    report = holdfast.audit(Scaled(digits_cnn, 1e4), digits_small[1], stresses=["masking"], out=str(tmp_path), settings=small)
    assert report.document.stresses()["masking"].metrics["flags"].value >= 1
    assert any(finding.id.startswith("adversarial.masking.") for finding in report.document.findings)


@pytest.fixture(scope="module")
def before_and_after(digits_cnn, digits_small, tmp_path_factory):
    """Reports of the plain network and of one trained on attacked inputs."""
    from holdfast.attacks import ThreatModel, pgd

    def attacked(model, x, y, generator):
        seed = int(torch.randint(2**31, (), generator=generator))
        return pgd(model, x, y, ThreatModel(norm="linf", eps=0.1), steps=5, seed=seed).x_adv, y

    hardened = tiny_cnn(size=8, seed=0)
    fit(hardened, digits_small[0], epochs=15, lr=1e-2, batch_size=64, on_batch=attacked)
    folder = tmp_path_factory.mktemp("pair")
    stresses = [Clean(), PGD(eps=(0.0, 0.1), steps=10)]
    reports = [
        holdfast.audit(network, digits_small[1], stresses=stresses, out=str(folder / name), name=name)
        for name, network in (("plain", digits_cnn), ("hardened", hardened))
    ]
    return [*reports, hardened]


def test_adversarial_training_shows_as_a_significant_paired_gain(before_and_after, tmp_path):
    comparison = holdfast.compare(*before_and_after[:2], out=tmp_path / "diff.html")
    row = next(row for row in comparison.rows if row.metric == "adversarial.pgd.accuracy" and row.at == {"eps": 0.1})
    assert row.delta.lo > 0
    assert row.p_holm < 0.01
    assert any(row.metric == "clean.accuracy" for row in comparison.rows)
    assert "hardened" in (tmp_path / "diff.html").read_text()


def test_swapping_two_runs_negates_every_difference_exactly(before_and_after):
    there, back = holdfast.compare(*before_and_after[:2]), holdfast.compare(*before_and_after[1::-1])
    for one, other in zip(there.rows, back.rows, strict=True):
        assert (one.delta.value, one.delta.lo, one.delta.hi) == (-other.delta.value, -other.delta.hi, -other.delta.lo)
        assert (one.p, one.regressions) == (other.p, other.improvements)


def test_a_baseline_enters_the_report_and_its_gates(before_and_after, digits_small, tmp_path):
    plain, _, hardened = before_and_after
    report = holdfast.audit(
        hardened,
        digits_small[1],
        stresses=[Clean()],
        baseline=str(plain.folder),
        gates=["clean.accuracy >= baseline - 0.2"],
        out=str(tmp_path),
    )
    assert report.document.gates[0].status == "pass"
    assert {row.metric for row in report.document.baseline.rows} == {"clean.accuracy"}


def test_what_a_message_advises_works_in_python(digits_cnn, digits_small, tmp_path):
    test = digits_small[1][:60]
    wide = (2 * test.x - 1, test.y)
    with pytest.raises(InputError, match=r"--bounds=-1,1 \(Python: bounds=\(-1, 1\)\)"):
        holdfast.audit(digits_cnn, wide, stresses=["clean"])
    options = {"stresses": ["clean"], "allow_low_accuracy": True, "out": str(tmp_path / "run"), "examples": 40}
    report = holdfast.audit(digits_cnn, wide, bounds=(-1, 1), **options)
    assert report.document.target.input.range == [-1, 1]
    assert report.document.data.n == 40


def test_stresses_may_be_named_among_the_settings(digits_cnn, digits_small, tmp_path):
    report = holdfast.audit(digits_cnn, digits_small[1], settings={"stresses": ["clean"]}, out=str(tmp_path / "run"))
    assert [name for card in report.document.cards.values() for name in card.stresses] == ["clean"]
