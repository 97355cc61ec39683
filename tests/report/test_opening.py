"""The first screen of an audit's page: whether it may ship, which network and code that is about, on how many examples."""

import re

import pytest
import report_samples as samples

from holdfast.report import (
    DataEntry,
    Document,
    EstimateEntry,
    HeadlineEntry,
    PointEntry,
    RunEntry,
    StressEntry,
    render,
    render_comparison,
)
from holdfast.report.measured import CardEntry
from holdfast.report.opening import badge, commit_words, examples_words

DIGEST = "sha256:" + "97363cc9bbd1" + "0" * 52


def judged(*statuses):
    gates = [samples.gate(place, f"clean.accuracy >= 0.{place}", status) for place, status in enumerate(statuses, 1)]
    return Document(run=RunEntry(id="a", name="net"), gates=gates)


@pytest.mark.parametrize(
    ("statuses", "word"),
    [
        (("pass", "pass"), "PASS"),
        (("pass", "undecided"), "UNDECIDED"),
        (("pass", "fail", "undecided", "error"), "FAIL"),
        (("pass", "error", "undecided"), "NOT JUDGED"),
        ((), "NO GATES"),
    ],
)
def test_the_badge_is_that_of_the_gravest_gate(statuses, word):
    assert badge(judged(*statuses).gates).word == word
    assert f"{word}</span>" in render(judged(*statuses))


def head(document):
    return render(document).split('<header class="head">')[1].split("</header>")[0]


def test_badge_and_gates_come_before_everything_that_was_measured():
    page = render(samples.audit_document())
    ids = [f'id="{name}"' for name in ("verdicts", "glance", "findings", "card-clean")]
    places = [page.index(text) for text in ("verdictbadge fail", *ids)]
    assert places == sorted(places)


def test_three_numbers_stand_where_there_are_no_gates_and_only_there():
    entries = [
        HeadlineEntry(id="clean", title="Clean accuracy", estimate=EstimateEntry(value=0.95), metric="clean.accuracy"),
        HeadlineEntry(id="worst_case", title="Accuracy under attack", text="no attack was measured"),
        HeadlineEntry(id="safe_bits", title="Fewest safe weight bits", estimate=EstimateEntry(value=4), at={"bits": 4}),
    ]
    document = Document(run=RunEntry(id="a", name="net"), headline=entries)
    assert head(document).count("<dt>") >= 3
    assert "no attack was measured" in head(document)
    assert "<b>0.95</b>" in head(document)
    assert "<b>4</b>" in head(document)
    gated = judged("pass").model_copy(update={"headline": entries})
    assert "Fewest safe weight bits" not in render(gated)


def test_the_head_names_the_version_of_the_network_and_the_commit():
    document = samples.audit_document()
    target = document.target.model_copy(update={"digest": DIGEST})
    run = document.run.model_copy(update={"commit": "4f1c2d9a0b11+"})
    words = re.sub(r"<[^>]+>", "", head(document.model_copy(update={"run": run, "target": target})))
    assert "version 97363cc9bbd1" in words
    assert "commit 4f1c2d9a0b11, with changes" in words
    assert commit_words("4f1c2d9a0b11") == "4f1c2d9a0b11"


def used(**counts):
    stresses = {name: StressEntry(points=[PointEntry(at={}, n=n)] * (n > 0), short=name.upper()) for name, n in counts.items()}
    data = DataEntry(name="mine", n=1000, total=10000)
    return Document(run=RunEntry(id="a", name="net"), data=data, cards={"clean": CardEntry(stresses=stresses)})


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"a": 150, "b": 150}, "n = 150 of 10\u202f000"),
        ({"a": 150, "b": 50, "c": 0}, "n = 150 of 10\u202f000 (B 50)"),
        ({"a": 1000, "b": 50, "c": 60, "d": 70, "e": 80}, "n = 1000 of 10\u202f000 (4 stresses used fewer, from 50)"),
        ({}, "n = 1000 of 10\u202f000"),
    ],
)
def test_the_head_counts_the_examples_that_were_used(counts, words):
    assert examples_words(used(**counts)) == words
    assert words in render(used(**counts))


def test_a_comparison_that_is_judged_opens_with_the_badge_and_both_commits():
    before, after, comparison = samples.compared()
    plain = render_comparison(before, after, comparison)
    assert 'class="verdictbadge' not in plain
    assert plain.count("commit <code>4f1c2d9</code>") == 2
    judged_one = comparison.model_copy(update={"gates": judged("pass", "undecided").gates})
    assert "UNDECIDED</span>" in render_comparison(before, after, judged_one)
