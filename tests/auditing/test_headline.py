"""The three numbers that stand for a run, the examples that it used, and the commit that it was made at."""

import importlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

import holdfast
from holdfast.auditing.sources import code_files
from holdfast.auditing.stresses.attacked import nominal_eps
from holdfast.auditing.stresses.precision import fewest_safe_bits
from holdfast.core.experiment import Measurement
from holdfast.core.stress import Facts
from holdfast.report.provenance import commit

GIT = shutil.which("git")
FAST = {"run": {"threads": 1}}


def rounded(bits, wrong, n=200):
    right = np.ones(n, dtype=bool)
    right[:wrong] = False
    return {"bits": bits}, Measurement(estimates={}, arrays={"correct": right})


def test_the_fewest_safe_bits_are_those_before_the_first_significant_loss():
    # 5 losses and no gain have p = 0.0625, 6 have 0.03125
    assert fewest_safe_bits([rounded(8, 0), rounded(4, 5), rounded(3, 6), rounded(2, 0)]) == 4
    assert fewest_safe_bits([rounded(8, 0), rounded(4, 0)]) == 4


def test_no_width_is_safe_where_the_widest_already_loses():
    points = [rounded(8, 6), rounded(4, 6)]
    assert fewest_safe_bits(points, rounded(32, 0)[1]) is None
    assert fewest_safe_bits(points) == 4, "without the network itself the widest one stands for it"


@pytest.mark.parametrize(
    ("shape", "bounds", "size"), [((3, 32, 32), (0, 1), 8 / 255), ((3, 8, 8), (-1, 1), 16 / 255), ((1, 28, 28), (0, 1), 0.1)]
)
def test_the_nominal_size_is_the_usual_one(shape, bounds, size):
    facts = Facts(shape=shape, classes=10, bounds=bounds)
    assert nominal_eps(facts) == pytest.approx(size)


def test_the_headline_repeats_numbers_that_gates_can_name(audited):
    clean, worst, bits = audited.document.headline
    table = {name: stress for _, name, stress in audited.document.placed_stresses()}
    assert clean.estimate == table["clean"].points[0].metrics["accuracy"]
    assert worst.at == {"eps": 0.1}
    assert worst.metric == "adversarial.worst_case.accuracy[eps=0.1]"
    (point,) = [point for point in table["worst_case"].points if point.at == {"eps": 0.1}]
    assert worst.estimate == point.metrics["accuracy"]
    assert bits.estimate.value in {8, 6, 5, 4, 3, 2}
    assert "L-inf eps 0.1, on 120 examples" in worst.text


def test_what_was_not_measured_is_said(digits_cnn, digits_small, tmp_path):
    report = holdfast.audit(digits_cnn, digits_small[1], stresses=["clean"], out=str(tmp_path), settings=FAST)
    _, worst, bits = report.document.headline
    assert (worst.estimate, worst.text) == (None, "no attack was measured")
    assert (bits.estimate, bits.text) == (None, "not measured in this run")


def test_the_report_counts_the_examples_that_were_used(digits_cnn, digits_small, tmp_path):
    settings = {**FAST, "clean": {"clean": {"examples": 40}}, "precision": {"weight_bits": {"examples": 30}}}
    report = holdfast.audit(digits_cnn, digits_small[1], stresses=["clean", "weight_bits"], out=str(tmp_path), settings=settings)
    assert report.document.data.n == 40
    assert "n = 40 of" in report.page.read_text()


def git(folder, *words):
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run([GIT, *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    if GIT is None:
        pytest.skip("git is not installed")
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "theirnet.py").write_text("import torch\n\n\nclass Net(torch.nn.Linear):\n    pass\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_a_commit_says_whether_files_that_git_knows_were_changed(repository):
    clean = commit(repository)
    assert len(clean) == 12
    (repository / "runs").mkdir()
    (repository / "runs" / "report.json").write_text("{}")
    assert commit(repository) == clean, "the folder of the run itself is no change"
    assert commit(repository, files=[repository / "runs" / "report.json"]) == f"{clean}+"
    (repository / "theirnet.py").write_text("changed")
    assert commit(repository) == f"{clean}+"


def test_outside_a_repository_and_without_git_there_is_no_commit(tmp_path, monkeypatch):
    assert commit(tmp_path) == ""
    assert commit(tmp_path / "nowhere") == ""
    monkeypatch.setenv("PATH", "")
    assert commit(tmp_path) == ""


def test_the_commit_is_that_of_the_network_s_code_and_changes_no_identity(repository, tmp_path, monkeypatch, digits_small):
    monkeypatch.syspath_prepend(str(repository))
    net = torch.nn.Sequential(torch.nn.Flatten(), importlib.import_module("theirnet").Net(64, 10))
    assert code_files(net) == [(repository / "theirnet.py").resolve()]
    settings = {**FAST, "allow_low_accuracy": True}
    runs = []
    for name in ("before", "after"):
        report = holdfast.audit(net, digits_small[1], stresses=["clean"], out=str(tmp_path / name), settings=settings)
        runs.append(report.document)
        (repository / "theirnet.py").write_text(Path(repository / "theirnet.py").read_text() + "\n# changed\n")
    first, second = runs
    assert first.run.commit == commit(repository).removesuffix("+")
    assert second.run.commit == f"{first.run.commit}+"
    assert (first.run.id, first.target.digest) == (second.run.id, second.target.digest)
