"""A sentence of an abstract is decided by the claims that it names, and the number beside it by its own words."""

import pytest

from holdfast.core.claim import Verdict
from holdfast.core.estimate import exact
from holdfast.core.metrics import MetricTable
from holdfast.core.paper import Paper
from holdfast.report.sentences import decide

CLAIM = '[[claim]]\nid = "a"\nstatement = "s"\ncheck = "part.x >= 1"\nkind = "paper"\nsource = "here"\n'
SENTENCE = '[[sentence]]\nn = 3\nsays = "so"\nclaims = ["a*"]\n'
PAIR = CLAIM + CLAIM.replace('"a"', '"ab"') + CLAIM.replace('"a"', '"ac"').replace("paper", "control")


def decided(statuses, *, later=None, extra=""):
    paper = Paper.parse(PAIR + SENTENCE + extra)
    known = {claim.id: claim for claim in paper.claims}
    verdicts = [
        Verdict(claim=known[id_], status=status, expected=">= 1", value=2.0, lo=2.0, hi=2.0) for id_, status in statuses.items()
    ]
    table = MetricTable()
    table.add("part.x", exact(2.0))
    [entry] = decide(paper, verdicts, table, later=later or {})
    return entry


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ({"a": "pass", "ab": "pass", "ac": "pass"}, "holds"),
        ({"a": "pass", "ab": "pass", "ac": "undecided"}, "holds"),
        ({"a": "pass", "ab": "fail", "ac": "pass"}, "fails"),
        ({"a": "pass", "ab": "pass", "ac": "fail"}, "fails"),
        ({"a": "pass", "ab": "undecided", "ac": "pass"}, "undecided"),
        ({"a": "pass", "ab": "error", "ac": "pass"}, "undecided"),
        ({}, "undecided"),
    ],
)
def test_a_sentence_is_decided_by_its_claims(statuses, verdict):
    assert decided(statuses).verdict == verdict


def test_what_a_preset_does_not_measure_is_said():
    assert decided({}, later={"a": "standard", "ab": "paper"}).reason == "measured from `standard` on"
    partly = decided({"a": "pass"}, later={"ab": "standard"})
    assert (partly.verdict, partly.reason) == ("holds", "its claim passes, 1 more is measured from `standard` on")


def test_another_regime_leaves_a_sentence_open_whatever_its_claims_say():
    entry = decided({"a": "fail"}, extra='regime = "too small"\n')
    assert (entry.verdict, entry.reason) == ("undecided", "too small")


def test_the_figure_stands_in_the_words_of_the_sentence():
    assert decided({"a": "pass"}, extra='shows = "{value} m, {part.x} measured"\n').figure.text == "2 m, 2 measured"
    assert decided({"a": "pass"}, extra='shows = "{part.y}"\n').figure.text == "2", "what was not measured is not shown"
    failed = decided({"a": "pass", "ab": "fail"})
    assert failed.figure.claim == "ab"
    assert decided({"a": "pass", "ab": "fail"}, extra='figure = "a"\n').figure.claim == "a"
