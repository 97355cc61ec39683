"""The finding about attacks is that of the worst case: a number that a gate can name and a command measures again."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

import holdfast
from holdfast.auditing.judge import report_table
from holdfast.auditing.stresses import PGD
from holdfast.cli import main
from holdfast.core.grammar import parse_metric
from holdfast.report.rules import MEANINGS, meaning_of

FAST = {"data": {"examples": 100}, "run": {"threads": 1}}
HALF = "adversarial.worst_case.half"


class Rounded(torch.nn.Module):
    """Rounds its input: no gradient passes, and small steps change nothing."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net((8 * x).round() / 8)


class Misleading(torch.nn.Module):
    """Misleads the first step: on the grid of sixteenths, where the digits lie, the gradient has the wrong sign."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        grid = (16 * x.detach()).round() / 16
        near = ((x - grid).detach().abs().flatten(1).amax(1) < 1e-6).view(-1, 1, 1, 1)
        return self.net(torch.where(near, 2 * x.detach() - x, x))


def findings_of(report):
    return {finding.id: finding for finding in report.document.findings}


def test_the_evidence_of_every_finding_is_a_number_that_gates_can_name(audited):
    table = report_table(audited.document)
    assert HALF in findings_of(audited)
    for finding in audited.document.findings:
        metric = parse_metric(finding.evidence)
        found = table.find(metric.path, metric.selector)
        if finding.estimate is not None:
            assert found.value == finding.estimate.value, finding.evidence
    for point in audited.document.stresses()["worst_case"].points:
        whole = table.find("adversarial.worst_case.accuracy", point.at)
        assert (whole.value, whole.n) == (point.metrics["accuracy"].value, 120), "the size alone means all examples"


def test_the_page_names_the_worst_case_of_the_examples_that_all_attacks_tried(audited):
    assert "Accuracy at eps 0.1, examples 10" in audited.page.read_text(encoding="utf-8")


def test_the_only_finding_about_attacks_is_that_of_the_worst_case(audited):
    about = [name for name in findings_of(audited) if name.startswith("adversarial.") and name.endswith(".half")]
    assert about == [HALF]
    finding, stresses = findings_of(audited)[HALF], audited.document.stresses()
    assert finding.stress == "worst_case"
    at = {key: value for key, value in finding.at.items() if key == "eps"}
    (pgd,) = [point for point in stresses["pgd"].points if point.at == at]
    assert finding.estimate.value <= pgd.metrics["accuracy"].value
    assert "worst case of FGSM, PGD, APGD, Square, HopSkipJump and Transfer" in finding.text
    smaller = [point for point in stresses["worst_case"].points if point.at["eps"] < at["eps"]]
    clean = smaller[0].metrics["accuracy"].value
    assert all(point.metrics["accuracy"].hi >= clean / 2 for point in smaller), "it is the smallest such size"


@pytest.mark.parametrize(("eps", "attack"), [(0.2, "square"), (0.3, "hopskipjump")])
def test_a_network_that_blinds_pgd_and_falls_to_queries_has_a_finding(digits_cnn, digits_small, tmp_path, eps, attack):
    settings = {
        **FAST,
        "adversarial": {
            "pgd": {"eps": [0.0, eps], "steps": 5},
            "square": {"eps": eps, "examples": 30, "queries": 300},
            "hopskipjump": {"eps": eps, "examples": 30, "queries": 1000},
            "masking": {"eps": eps, "examples": 30, "steps": 5, "queries": 50},
        },
    }
    report = holdfast.audit(
        Rounded(digits_cnn), digits_small[1], out=str(tmp_path), stresses=["pgd", attack, "masking"], settings=settings
    )
    stresses, found = report.document.stresses(), findings_of(report)
    assert stresses["pgd"].points[1].metrics["accuracy"].value > 0.7, "the gradient is blind"
    assert found[HALF].evidence == f"adversarial.worst_case.accuracy[eps={eps}, examples=30]"
    assert found[HALF].estimate.n == 30
    assert "on the 30 examples that each of them tried" in found[HALF].text
    assert any(name.startswith("adversarial.masking.") for name in found)
    assert "Train on attacked" not in " ".join(finding.remedy for finding in report.document.findings)
    assert "what masks the gradients" in found[HALF].remedy


def test_a_network_that_falls_to_apgd_alone_has_a_finding(digits_cnn, digits_small, tmp_path):
    settings = {**FAST, "adversarial": {"fgsm": {"eps": [0, 0.15]}, "apgd": {"eps": [0, 0.15], "steps": 20, "goals": 3}}}
    net = Misleading(digits_cnn)
    report = holdfast.audit(net, digits_small[1], out=str(tmp_path), stresses=["fgsm", "apgd"], settings=settings)
    (single,) = [point for point in report.document.stresses()["fgsm"].points if point.at["eps"] > 0]
    assert single.metrics["accuracy"].value > 0.7
    finding = findings_of(report)[HALF]
    assert finding.evidence == "adversarial.worst_case.accuracy[eps=0.15]"
    assert finding.estimate.value < 0.3
    assert "--stress masking" in finding.remedy, "nobody looked for masked gradients"


@dataclass(frozen=True, kw_only=True)
class Broken(PGD):
    """An attack that crashes at every size, under the name of another."""

    name = "apgd"

    def measure(self, point, context):
        raise RuntimeError("as it was told")


def test_where_an_attack_crashed_the_strongest_of_the_others_stands_for_the_worst_case(digits_cnn, digits_small, tmp_path):
    stresses = ["fgsm", PGD(eps=(0.0, 0.2), steps=5), Broken(eps=(0.0, 0.2))]
    report = holdfast.audit(digits_cnn, digits_small[1], out=str(tmp_path), stresses=stresses, settings=FAST)
    finding = next(finding for name, finding in findings_of(report).items() if name.endswith(".half"))
    assert finding.id == "adversarial.pgd.half"
    assert finding.evidence == "adversarial.pgd.accuracy[eps=0.2]"
    assert "PGD alone" in finding.text


def test_a_robust_network_has_none(digits_small, tmp_path):
    def brightness(x):
        return torch.stack([x.flatten(1).mean(1), 0.5 - x.flatten(1).mean(1)], 1) * 40

    x = torch.cat([torch.full((50, 1, 8, 8), 0.1), torch.full((50, 1, 8, 8), 0.9)])
    settings = {"adversarial": {"pgd": {"eps": [0, 0.1], "steps": 3}}, "run": {"threads": 1}}
    data = (x, torch.tensor([1] * 50 + [0] * 50))
    report = holdfast.audit(brightness, data, out=str(tmp_path), stresses=["pgd"], settings=settings)
    assert not report.document.findings


def test_the_command_of_a_finding_measures_what_it_quotes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = "audit --data digits --examples 60 --budget 10m --threads 1 --out first --stress clean --stress pgd --stress square"
    sizes = ["adversarial.pgd.eps=[0, 0.1, 0.3]", "adversarial.pgd.steps=3", "adversarial.square.queries=30"]
    sizes += ["adversarial.square.examples=20", "adversarial.square.eps=0.3"]
    run([*words.split(), *(word for size in sizes for word in ("--set", size))])
    first = findings_in("first")[HALF]
    assert "--budget" not in first["command"], "another choice of stresses would be granted other numbers of examples"
    run([*shlex.split(first["command"])[1:], "--out", "again"])
    again = findings_in("again")[HALF]
    assert json.dumps(again["estimate"]) == json.dumps(first["estimate"])
    assert again["threshold"] == first["threshold"]


def run(words):
    with pytest.raises(SystemExit) as ending:
        main(words)
    assert ending.value.code == 0


def findings_in(folder):
    return {entry["id"]: entry for entry in json.loads(Path(folder, "report.json").read_text(encoding="utf-8"))["findings"]}


def test_every_finding_has_a_meaning_of_its_own(audited):
    titles = {meaning_of(finding).title for finding in audited.document.findings}
    assert titles
    assert titles <= {meaning.title for meaning in MEANINGS.values()}
