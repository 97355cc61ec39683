"""Claims as data: families are written out, mistakes in the file are refused, and a claim knows the points that it needs."""

import pytest

from holdfast.core.errors import InputError
from holdfast.core.grammar import parse_metric
from holdfast.core.paper import Paper, points_behind

CLAIM = '[[claim]]\nid = "a"\nstatement = "s"\ncheck = "part.x >= 1"\nkind = "paper"\nsource = "here"\n'
SENTENCE = '[[sentence]]\nn = 3\nsays = "so"\nclaims = ["a*"]\n'


def test_a_family_is_one_claim_for_each_combination():
    text = CLAIM.replace('"a"', '"a.{kind}.{on[tag]}"').replace("part.x", "part.x[kind={kind}, eps={on[eps]}]")
    paper = Paper.parse(text + 'each.kind = ["u", "v"]\neach.on = [{ tag = "small", eps = 0.1 }, { tag = "large", eps = 8.0 }]\n')
    assert [claim.id for claim in paper.claims] == ["a.u.small", "a.u.large", "a.v.small", "a.v.large"]
    assert paper.claims[1].check == "part.x[kind=u, eps=8.0] >= 1"


def test_sources_have_short_names():
    assert Paper.parse('[sources]\nhere = "A. Author, 2020"\n' + CLAIM).claims[0].source == "A. Author, 2020"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[[claims]]\n", r"\[\[sentence\]\] and \[\[claim\]\]"),
        (CLAIM.replace("paper", "papers"), "kind of claim a"),
        (CLAIM.replace("source", "sauce"), "sauce"),
        (CLAIM.replace(">= 1", ">= 1 %"), "check"),
        (CLAIM + CLAIM, "more than once"),
        (CLAIM + SENTENCE.replace("a*", "b*"), "names 'b\\*'"),
        (CLAIM.replace("paper", "ours") + SENTENCE, "kind paper or control"),
        (CLAIM + SENTENCE + 'untestable = "no wafer"\n', "both or neither"),
        (CLAIM + SENTENCE.replace('claims = ["a*"]\n', ""), "both or neither"),
        (CLAIM + SENTENCE + 'shown = "x"\n', "shown"),
    ],
)
def test_mistakes_in_the_file_are_refused(text, part):
    with pytest.raises(InputError, match=part):
        Paper.parse(text)


POINTS = [{"part": "map", "engine": "a", "noise": 0.0}, {"part": "map", "engine": "b", "noise": 0.0}, {"part": "model"}]


@pytest.mark.parametrize(
    ("metric", "count"),
    [
        ("map.least", 2),
        ("map.least[engine=a]", 1),
        ("map.least[engine=c]", 0),
        ("map.least[engine=a, targets=six]", 1),
        ("other.x", 0),
    ],
)
def test_a_claim_needs_the_points_that_have_the_values_of_its_selector(metric, count):
    assert len(points_behind(parse_metric(metric), POINTS)) == count
