"""The page of a study opens with the paper's sentences, and each claim stands in one place."""

from holdfast.report import ClaimEntry, Document, RunEntry, SentenceEntry, SentenceFigure, render
from holdfast.report.studied import answer, study_view


def claim(id_, kind="paper", status="pass"):
    return ClaimEntry(id=id_, statement=f"Claim {id_}", status=status, value=1.0, lo=1.0, hi=1.0, expected=">= 0", kind=kind)


def sentence(n, *claims, verdict="holds"):
    return SentenceEntry(n=n, says=f"Says {n} <b>", verdict=verdict, reason="all pass", claims=list(claims))


CLAIMS = [claim("1"), claim("2"), claim("3", "control"), claim("4", "ours"), claim("5", "ours", "fail"), claim("6")]
DOCUMENT = Document(
    run=RunEntry(id="a", kind="study", title="A study"),
    claims=CLAIMS,
    sentences=[sentence(4, "1", "3"), sentence(5, "1", "2").model_copy(update={"figure": SentenceFigure(text="0.9 m", claim="2")})],
)


def test_a_claim_stands_below_the_first_sentence_that_it_decides():
    view = study_view(DOCUMENT)
    assert [[one.id for one in sentence.claims] for sentence in view.sentences] == [["1"], ["2"]]
    assert [[one.id for one in sentence.elsewhere] for sentence in view.sentences] == [["3"], ["1"]]
    assert [one.id for one in view.others] == ["6"]
    assert [one.id for one in view.controls] == ["3"]
    assert [one.id for one in view.checks] == ["4", "5"]


def test_the_page_opens_with_sentences_then_claims_then_folded_checks():
    page = render(DOCUMENT)
    places = [page.index(text) for text in ("Of 2 sentences", "Says 4", "0.9 m", "Claim 1", "Claim 2", "Claim 3", "1 of 2 pass")]
    assert places == sorted(places)
    assert "Says 4 &lt;b&gt;" in page
    assert page.count('id="1"') == 1, "a claim that decides two sentences has one place, which links lead to"


def test_the_answer_counts_sentences():
    assert answer(DOCUMENT) == "Of 2 sentences that state a result, 2 hold."
    only = DOCUMENT.model_copy(update={"sentences": [sentence(4, verdict="untestable")]})
    assert answer(only) == "Its one result: 1 cannot be tested here."
    assert answer(DOCUMENT.model_copy(update={"sentences": []})) == ""
