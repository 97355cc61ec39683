"""Chance is what guessing gives: the share of the largest class. A network that guesses is found out, whatever its accuracy."""

import pytest
import torch
from torch import nn

import holdfast
from holdfast.attacks import ThreatModel, check_masking
from holdfast.auditing.grading import curve_summary
from holdfast.auditing.probing.plausibility import check_accuracy
from holdfast.auditing.probing.probe import probe
from holdfast.core.curve import Curve
from holdfast.core.errors import InputError
from holdfast.core.estimate import exact, proportion
from holdfast.core.target import Target
from holdfast.data import Examples

N = 200
SETTINGS = {
    "adversarial": {"pgd": {"eps": [0, 0.05, 0.1], "steps": 3}, "masking": {"eps": 0.1, "steps": 3, "queries": 20}},
    "run": {"threads": 1},
}


class Names(nn.Module):
    """Names a class by the brightness of the image, above and below a threshold; the same class always where that is 2."""

    def __init__(self, threshold):
        super().__init__()
        self.threshold = threshold

    def forward(self, x):
        z = 20 * (x.flatten(1).mean(1) - self.threshold)
        return torch.stack([-z, z], 1)


def rare(share=0.05):
    """Images of which a few are bright, and belong to class 1."""
    y = (torch.arange(N) % round(1 / share) == 0).long()
    draws = torch.rand(N, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return Examples(0.1 + 0.2 * draws + 0.6 * y.view(-1, 1, 1, 1), y)


@pytest.fixture(scope="module")
def constant(tmp_path_factory):
    gates = ["clean.accuracy >= 0.9", "clean.accuracy >= clean.chance + 0.04"]
    out = str(tmp_path_factory.mktemp("runs") / "constant")
    return holdfast.audit(Names(2.0), rare(), stresses=["clean", "pgd", "masking"], gates=gates, out=out, settings=SETTINGS)


def test_a_network_that_always_names_the_largest_class_is_a_finding(constant):
    (finding,) = [finding for finding in constant.document.findings if finding.card == "clean" and finding.severity == "high"]
    assert finding.id == "clean.constant"
    assert "gives class 0 to all 200 examples" in finding.text
    assert finding.estimate.value == 0.95
    assert finding.threshold == "chance, 0.95"
    notes = " ".join(constant.document.target.notes)
    assert "not significantly above chance" in notes
    assert "gives class 0 to all 200 examples of the probe" in notes


def test_chance_is_a_number_that_gates_can_name(constant):
    assert [verdict.status for verdict in constant.document.gates] == ["pass", "fail"]


def test_letters_and_half_points_are_of_the_margin_above_chance(constant):
    cards = constant.document.cards
    assert cards["clean"].grade.letter == "E", "0.95 is the share of the class that it names"
    assert cards["adversarial"].grade is None, "there is nothing to keep"
    half = cards["adversarial"].stresses["pgd"].summary.half_point
    assert (half.value, half.text) == (0, "has no margin above chance to lose")


def test_the_page_draws_chance_where_it_is(constant):
    assert constant.document.data.chance == 0.95
    assert "chance 0.95" in constant.page.read_text(encoding="utf-8")


def test_a_network_that_cannot_be_moved_is_not_masked(constant):
    flags = [check for point in constant.document.stresses()["masking"].points for check in point.details.checks]
    assert not [check for check in flags if check.id == "ii" and check.flag]


@pytest.mark.parametrize(("share", "chance"), [(0.5, 0.5), (0.25, 0.75), (0.05, 0.95)])
def test_the_unbounded_attack_is_held_against_the_largest_class(share, chance):
    data = rare(share)
    checks = check_masking(Names(0.5), data.x, data.y, ThreatModel("linf", 0.05), steps=3, queries=10)
    (unbounded,) = [check for check in checks if check.id == "ii"]
    assert unbounded.threshold == pytest.approx(chance)
    assert f"chance is {100 * chance:.3g} %" in unbounded.text


def test_a_network_that_tells_a_rare_class_has_no_such_finding(tmp_path):
    report = holdfast.audit(Names(0.5), rare(), stresses=["clean"], out=str(tmp_path), settings=SETTINGS)
    assert not [finding.id for finding in report.document.findings if finding.id in {"clean.constant", "clean.chance"}]
    assert report.document.cards["clean"].grade.letter == "A"


def test_answers_that_vary_and_are_no_better_than_chance_are_a_finding(tmp_path):
    data = rare()
    flipped = Examples(data.x, torch.where(torch.arange(N) % 20 == 7, 1, 0))  # nothing to do with the images
    report = holdfast.audit(Names(0.5), flipped, stresses=["clean"], out=str(tmp_path), settings=SETTINGS)
    (finding,) = [finding for finding in report.document.findings if finding.id == "clean.chance"]
    assert finding.severity == "high"
    assert "not significantly above 0.95" in finding.text


@pytest.mark.parametrize(
    ("right", "chance", "message"),
    [
        (14, 0.1, "allowed: at least 0.15, 1.5 times chance"),
        (30, 0.3, "allowed: at least 0.45, 1.5 times chance"),
        (70, 0.5, "allowed: at least 0.75, 1.5 times chance"),
        (70, 0.95, "allowed: at least 0.75[.]"),
    ],
)
def test_an_accuracy_near_chance_is_refused(right, chance, message):
    with pytest.raises(InputError, match=message):
        check_accuracy(proportion(right, 100), chance=chance)


@pytest.mark.parametrize(("right", "noted"), [(990, False), (950, True), (900, True)])
def test_an_accuracy_that_a_large_class_explains_is_noted(right, noted):
    notes = check_accuracy(proportion(right, 1000), chance=0.95)
    assert bool(notes) == noted
    assert not noted or "chance" in notes[0]


def test_a_curve_above_chance_loses_half_of_what_lies_above_it():
    curve = Curve(name="pgd", axis="eps", at=(0.0, 1.0), estimates=(exact(1.0), exact(0.5)))
    found = curve_summary((curve,), chance=0.8, axes={})
    assert found.half_point.value == pytest.approx(0.2)  # 0.9 lies a fifth of the way from 1 to 0.5
    assert found.retention == pytest.approx(0.75)


def test_sigmoids_that_are_taken_for_logits_are_noted():
    data = rare()

    class Shifted(Names):
        def forward(self, x):
            return super().forward(x) + 1  # so that the two sigmoids do not sum to 1

    for answers, noted in (
        (Shifted(0.5), False),
        (nn.Sequential(Shifted(0.5), nn.Sigmoid()), True),
        (nn.Sequential(Shifted(0.5), nn.Softmax(1)), False),
    ):
        found = probe(Target(model=answers.eval()), data)
        assert ("if they come from a sigmoid" in " ".join(found.notes)) == noted
