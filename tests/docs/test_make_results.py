"""A study's report becomes a page that hides nothing: every claim with its status, value, interval, expectation and source."""

import base64
import importlib.util

import pytest
from doc_blocks import ROOT

from holdfast.core.errors import InputError
from holdfast.core.estimate import mean_t, proportion
from holdfast.report import (
    CardEntry,
    ClaimEntry,
    CurveEntry,
    Document,
    DrawingEntry,
    EstimateEntry,
    FindingEntry,
    RunEntry,
    SentenceEntry,
    SentenceFigure,
    StressEntry,
    dump,
)
from holdfast.studies import list_studies

SPEC = importlib.util.spec_from_file_location("make_results", ROOT / "docs" / "make_results.py")
make_results = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make_results)

CLAIMS = [
    ClaimEntry(
        id="1",
        statement="It holds",
        status="pass",
        value=0.99,
        lo=0.98,
        hi=0.995,
        expected=">= 0.97",
        source="Table 1",
        kind="paper",
    ),
    ClaimEntry(
        id="2", statement="a | b < c", status="fail", value=0.5, lo=0.5, hi=0.5, expected=">= 0.9", source="ours", kind="control"
    ),
    ClaimEntry(id="3", statement="Who knows", status="undecided", value=0.1, lo=-0.1, hi=0.3, expected=">= 0", note="small scale"),
    ClaimEntry(id="4", statement="Lost", status="error", expected=">= 0", reason="the point crashed"),
]
SENTENCES = [
    SentenceEntry(
        n=4,
        says="Networks stay right",
        verdict="fails",
        reason="2 of its 2 claims and controls fails",
        claims=["1", "2"],
        figure=SentenceFigure(text="0.50 at eps 0.1", claim="2"),
    ),
    SentenceEntry(n=5, says="Out of reach", verdict="untestable", reason="it needs a wafer"),
]


def a_study(claims):
    estimates = [EstimateEntry.of(proportion(hits, 100)) for hits in (95, 80)]
    curve = CurveEntry(name="short sigmoid in situ", axis="spread", at=[0.0, 0.1], estimates=estimates)
    return Document(
        run=RunEntry(
            id="a",
            kind="study",
            name="tiny-study",
            title="A tiny study",
            source="a paper",
            preset="quick",
            seed=3,
            seconds=12.0,
            command="holdfast study run tiny-study --preset quick --seed 3",
            versions={"holdfast": "0.1.0", "torch": "2"},
            hardware={"cores": 2},
            notes=["It ran on a small set."],
        ),
        claims=claims,
        sentences=SENTENCES if claims else [],
        cards={"tiny-study": CardEntry(stresses={"tiny-study": StressEntry(curves=[curve])})},
    )


@pytest.fixture
def page(tmp_path):
    dump(a_study(CLAIMS), tmp_path / "report.json")
    return make_results.write(tmp_path, tmp_path / "results").read_text()


def test_every_claim_stands_in_the_table_with_its_status(page):
    rows = [line for line in page.splitlines() if line.startswith(("| 1 ", "| 2 ", "| 3 ", "| 4 "))]
    assert [mark in row for mark, row in zip(("✓ pass", "✗ fail", "? undecided", "! error"), rows, strict=True)] == [True] * 4
    assert "| 0.99 | [0.98, 0.995] | `>= 0.97` | 1 |" in rows[0]
    assert rows[1].endswith("| 2 |")
    assert "1. Table 1\n2. ours\n" in page
    assert "(small scale)" in rows[2]
    assert "the point crashed" in rows[3]
    assert "| – |" in rows[3]


def test_text_of_a_claim_cannot_break_the_table(page):
    assert "a \\| b &lt; c" in page


def test_the_page_says_how_to_make_it_again(page):
    for fact in (
        "holdfast study run tiny-study --preset quick --seed 3",
        "torch 2",
        "`quick`",
        "cores: 2",
        "* It ran on a small set.",
    ):
        assert fact in page


def test_findings_stand_on_the_page(tmp_path):
    found = FindingEntry(id="f", severity="info", text="Both fell by a third: 0.3 [0.2, 0.4] < 0.5.")
    dump(a_study(CLAIMS).model_copy(update={"findings": [found]}), tmp_path / "report.json")
    text = make_results.write(tmp_path, tmp_path / "results").read_text()
    assert "## Findings\n\n* Both fell by a third: 0.3 [0.2, 0.4] &lt; 0.5.\n" in text


def test_a_page_opens_with_the_paper_and_what_came_out(page):
    assert page.index("| the paper says | here |") < page.index("## Claims") < page.index("## The run")
    assert "| Networks stay right (4) | **fails**. 0.50 at eps 0.1. 2 of its 2 claims and controls fails. |" in page
    assert "| Out of reach (5) | **untestable**. It needs a wafer. |" in page


def test_claims_stand_below_their_sentence_and_checks_are_folded_away(page):
    places = [
        page.index(text)
        for text in ("### Networks stay right (4)", "It holds", "### Controls", "a \\| b", "<details>", "Who knows")
    ]
    assert places == sorted(places)
    assert "Also decided by 2." in page
    assert "Checks of the implementation: 0 of 2 pass." in page


def test_pictures_of_a_study_come_with_their_words(tmp_path):
    drawing = DrawingEntry(title="A map", note="In red what binds.", png=base64.b64encode(b"picture").decode())
    dump(a_study(CLAIMS).model_copy(update={"drawings": [drawing]}), tmp_path / "report.json")
    text = make_results.write(tmp_path, tmp_path / "results").read_text()
    assert "tiny-study-picture-1.png" in text
    assert "A map. In red what binds." in text
    assert (tmp_path / "results" / "tiny-study-picture-1.png").read_bytes() == b"picture"


def test_curves_of_one_chart_share_a_figure():
    curves = [
        CurveEntry(name=name, axis="spread", at=[0.0, 0.1], estimates=[EstimateEntry(value=1.0)] * 2, chart="A") for name in "ab"
    ]
    other = CurveEntry(name="c", axis="spread", at=[0.0, 0.1], estimates=[EstimateEntry(value=1.0)] * 2)
    study = a_study([]).model_copy(update={"cards": {"tiny": CardEntry(stresses={"tiny": StressEntry(curves=[*curves, other])})}})
    assert {title: [curve.name for curve in found] for title, found in make_results.charts(study).items()} == {
        "A": ["a", "b"],
        "accuracy against spread": ["c"],
    }


def test_equal_reports_give_equal_pages_and_pictures(tmp_path):
    dump(a_study(CLAIMS), tmp_path / "report.json")
    one, two = (make_results.write(tmp_path, tmp_path / name) for name in ("one", "two"))
    for path in one.parent.iterdir():
        assert path.read_bytes() == (two.parent / path.name).read_bytes()
    assert sorted(path.suffix for path in one.parent.iterdir()) == [".md", ".png"]


def test_a_single_training_whose_interval_has_no_end_can_be_drawn(tmp_path):
    endless = [EstimateEntry.of(mean_t([share])) for share in (0.9, 0.8)]
    curve = CurveEntry(name="one seed", axis="spread", at=[0.0, 0.1], estimates=endless)
    study = a_study([]).model_copy(update={"cards": {"tiny": CardEntry(stresses={"tiny": StressEntry(curves=[curve])})}})
    dump(study, tmp_path / "report.json")
    make_results.write(tmp_path, tmp_path / "results")
    assert (tmp_path / "results" / "tiny-study-1.png").stat().st_size > 1000


def test_every_study_shows_the_figure_of_an_example_that_names_its_paper():
    papers = {row["study"]: row["source"] for row in list_studies()}
    assert set(make_results.GALLERY) == set(papers)
    for study, (name, place, caption) in make_results.GALLERY.items():
        assert papers[study].rpartition("arXiv:")[2] in (ROOT / "docs" / "examples" / f"{name}.py").read_text()
        text = "\n".join(make_results.example(study))
        assert f"/gallery/images/sphx_glr_{name}_{place:03}.png" in text
        assert f"{caption}." in text
    assert make_results.example("a-plug-in") == []


def test_the_report_of_an_audit_is_refused(tmp_path):
    dump(Document(run=RunEntry(id="a", name="mine")), tmp_path / "report.json")
    with pytest.raises(InputError, match="holds an audit"):
        make_results.write(tmp_path, tmp_path / "results")
