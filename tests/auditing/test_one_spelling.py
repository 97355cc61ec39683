"""One run writes its attack sizes in one way, says the number of a finding once, and shows no setting that is not given."""

import re

import pytest
import torch
from torch import nn

import holdfast
from holdfast.report.views import says

FAST = {
    "run": {"threads": 1},
    "allow_low_accuracy": True,
    "adversarial": {"pgd": {"steps": 3}, "square": {"queries": 20, "examples": 20}, "masking": {"examples": 20, "queries": 10}},
    "device": {"activation_variation": {"spread": [0.0, 0.3]}},
}
SIZE = re.compile(r"\beps[\s\u00a0=]+(\d[\d.]*(?:/\d+)?)(?<!\.)(?!\d|\s%)")


@pytest.fixture(scope="module")
def coloured(tmp_path_factory):
    """The audit of a network for small images in colour."""
    torch.manual_seed(0)
    x = torch.rand(60, 3, 8, 8)
    y = (x.mean((2, 3)).argmax(1)).long()
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(216, 3))
    stresses = ["clean", "fgsm", "pgd", "square", "masking", "activation_variation"]
    out = tmp_path_factory.mktemp("runs") / "coloured"
    return holdfast.audit(net, (x, y), stresses=stresses, out=str(out), settings=FAST)


def words(html):
    body = html.split("<main>")[0].split("<body>")[1] + html.split("<main>")[1].split('<section id="provenance">')[0]
    return re.sub(r"<[^>]+>", " ", body)


def test_sizes_of_images_in_colour_are_levels_everywhere(coloured):
    found = SIZE.findall(words(coloured.page.read_text()))
    assert len(found) > 10
    assert {size for size in found if not re.fullmatch(r"0|[\d.]+/255", size)} == set()


def test_sizes_of_digits_are_decimals_everywhere(audited):
    found = SIZE.findall(words(audited.page.read_text()))
    assert len(found) > 10
    assert not [size for size in found if "/" in size]


def test_the_number_of_a_finding_stands_once(audited):
    html = audited.page.read_text()
    blocks = re.findall(r'<li class="finding.*?</li>', html, flags=re.DOTALL)
    assert len(blocks) == len(audited.document.findings) > 1
    for finding, block in zip(audited.document.findings, blocks, strict=True):
        rows = re.findall(r"<dd>(.*?)</dd>", block, flags=re.DOTALL)
        assert says(finding.text, finding.estimate.value)
        assert not any(says(re.sub(r"<[^>]+>|\[.*?\]", " ", row), finding.estimate.value) for row in rows), finding.id


def test_settings_that_are_not_given_and_versions_are_not_shown(coloured):
    settings = re.findall(r'<p class="settings">(.*?)</p>', coloured.page.read_text())
    assert settings
    assert not [text for text in settings if re.search(r"version|none|digest", text)]


def test_the_cards_count_the_examples_that_were_used(coloured):
    html = coloured.page.read_text()
    assert "n = 60" in html
    assert "examples 1000" not in words(html)
