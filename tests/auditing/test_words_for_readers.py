"""What an audit writes has the digits of its page, the unit of its inputs, and the strength at which each number holds."""

import re

import numpy as np
import pytest
import torch

import holdfast
from holdfast.attacks.masking import _percent
from holdfast.auditing.crossing import cross_of
from holdfast.auditing.plan import PlannedStress
from holdfast.auditing.stresses import FGSM, ActivationVariation, Corruptions, Resolution, Square, WeightBits, WeightNoise
from holdfast.core.digits import with_interval
from holdfast.core.estimate import exact, proportion
from holdfast.core.experiment import Measurement
from holdfast.core.record import Record
from holdfast.report.wording import estimate_text

FAST = {"run": {"threads": 1}}
INTERVAL = re.compile(r"\d[\d.]* \[[^\]]*\]")


def answered(wrong, n=100):
    right = np.ones(n, dtype=bool)
    right[:wrong] = False
    return Measurement(estimates={"accuracy": proportion(n - wrong, n)}, arrays={"correct": right})


def test_findings_write_their_numbers_with_the_digits_of_the_page(audited):
    told = [(finding, INTERVAL.findall(finding.text)) for finding in audited.document.findings]
    found = [(finding, texts) for finding, texts in told if finding.estimate is not None and texts]
    assert len(found) >= 2
    for finding, texts in found:
        assert texts[0] == estimate_text(finding.estimate), finding.text


def test_an_accuracy_that_ends_in_zeros_keeps_them():
    assert with_interval(proportion(0, 200)) == "0.000 [0.000, 0.019]"
    assert with_interval(exact(0.9)) == "0.9"


class Sum(torch.nn.Module):
    """Answers by the sign of the sum of all features."""

    def forward(self, x):
        return torch.stack([-x.sum(1), x.sum(1)], 1)


def test_the_finding_of_a_table_says_what_its_sizes_are_measured_in(tmp_path):
    pandas = pytest.importorskip("pandas")
    values = np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32)
    table = pandas.DataFrame(values, columns=list("abcd")).assign(side=np.where(values.sum(1) > 0, "right", "left"))
    report = holdfast.audit(Sum(), table, label_column="side", stresses=["clean", "pgd"], out=str(tmp_path), settings=FAST)
    [finding] = [finding for finding in report.document.findings if finding.id.startswith("adversarial")]
    assert re.search(r"eps [\d.]+ spreads of each feature, ", finding.text), finding.text


def test_smaller_and_larger_images_are_two_curves_that_both_start_at_the_images_own_size():
    stress = Resolution(scales=(0.5, 1.0, 2.0), mode="native")
    hits = {0.5: 40, 1.0: 10, 2.0: 60}
    smaller, larger = stress.summarise([({"scale": scale}, answered(wrong)) for scale, wrong in hits.items()]).curves
    assert smaller.at == (1.0, 0.5)
    assert larger.at == (1.0, 2.0)
    assert smaller.estimates[0].value == larger.estimates[0].value == 0.9
    assert larger.name != smaller.name
    assert larger.unit != smaller.unit, "so that they get a chart each"


def test_only_smaller_images_are_one_curve():
    [curve] = Resolution().summarise([({"scale": scale}, answered(9)) for scale in (0.25, 0.5, 1.0)]).curves
    assert curve.at == (1.0, 0.5, 0.25)


def test_an_image_that_a_stress_leaves_as_it_is_is_not_shown_as_stressed(digits_small, tmp_path):
    any_size = [torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    net = torch.nn.Sequential(*any_size, torch.nn.Linear(4, 10))
    options = {"stresses": ["clean", "resolution"], "allow_low_accuracy": True, "settings": FAST}
    report = holdfast.audit(net, digits_small[1], out=str(tmp_path), **options)
    assert report.document.stresses()["resolution"].config["mode"] == "native"
    assert [image for image in report.document.images if image.stress == "resolution"] == []


def test_shares_of_a_check_have_one_place_in_percent():
    assert _percent(proportion(1, 178)) == "0.6 % (0.1 to 3.1 %)"
    assert _percent(proportion(0, 200)) == "0 % (0 to 1.9 %)"
    assert _percent(proportion(200, 200)) == "100 % (98.1 to 100 %)"


def columns(stress, found):
    """Labels of the cross view over one stress and its finished points."""
    line = PlannedStress(stress=stress, decision="run", examples=100, points=len(found), queries=0, seconds=1.0)
    records = [Record(key=str(at), experiment=stress.name, at=at, status="ok", measurement=one) for at, one in found]
    return [column.label for column in cross_of([line], records, index=np.arange(100), chance=0.1).columns]


def test_the_cross_view_says_what_its_numbers_count():
    assert columns(Square(eps=0.1, queries=300), [({"queries": 300}, answered(40))]) == ["Square 300 queries"]
    fog = [({"corruption": "fog", "severity": 5}, answered(40))]
    assert columns(Corruptions(), fog) == ["Corruptions fog severity 5"]
    assert columns(WeightNoise(), [({"sigma": 0.2}, answered(40))]) == ["Weight noise sigma 0.2"], "as its chart says"
    assert columns(WeightBits(), [({"bits": 2}, answered(40))]) == ["Weight bits 2"]


def test_the_cross_view_shows_a_stress_where_it_stresses():
    same = [({"spread": spread}, answered(wrong)) for spread, wrong in ((0.0, 3), (0.1, 2), (0.3, 1))]
    assert columns(ActivationVariation(), same) == ["Activation variation spread 0.1"]
    tied = [({"eps": eps}, answered(3)) for eps in (0.0, 0.1, 0.3)]
    assert columns(FGSM(eps=(0.0, 0.1, 0.3)), tied) == ["FGSM eps 0.3"], "the strongest of those that tell the same"


def test_the_cross_view_measures_the_middle_from_the_best_point():
    scales = [({"scale": scale}, answered(wrong)) for scale, wrong in ((0.25, 80), (0.5, 45), (1.0, 5))]
    assert columns(Resolution(), scales) == ["Resolution scale 0.5"]
