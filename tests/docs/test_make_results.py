"""A study's report becomes a page that hides nothing: every claim with its status, value, interval, expectation and source."""

import importlib.util

import pytest
from doc_blocks import ROOT

from holdfast.core.curve import Curve
from holdfast.core.errors import InputError
from holdfast.core.estimate import mean_t, proportion
from holdfast.report import CardEntry, ClaimEntry, CurveEntry, Document, EstimateEntry, FindingEntry, Run, StressEntry, dump

SPEC = importlib.util.spec_from_file_location("make_results", ROOT / "docs" / "make_results.py")
make_results = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make_results)

CLAIMS = [
    ClaimEntry(id="1", statement="It holds", status="pass", value=0.99, lo=0.98, hi=0.995, expected=">= 0.97", source="Table 1"),
    ClaimEntry(id="2", statement="a | b < c", status="fail", value=0.5, lo=0.5, hi=0.5, expected=">= 0.9", source="ours"),
    ClaimEntry(id="3", statement="Who knows", status="undecided", value=0.1, lo=-0.1, hi=0.3, expected=">= 0", note="small scale"),
    ClaimEntry(id="4", statement="Lost", status="error", expected=">= 0", reason="the point crashed"),
]


def a_study(claims):
    estimates = [EstimateEntry.of(proportion(hits, 100)) for hits in (95, 80)]
    curve = CurveEntry(name="short sigmoid in situ", axis="spread", at=[0.0, 0.1], estimates=estimates)
    return Document(
        run=Run(
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
        cards={"tiny-study": CardEntry(stresses={"tiny-study": StressEntry(curves=[curve])})},
    )


@pytest.fixture
def page(tmp_path):
    dump(a_study(CLAIMS), tmp_path / "report.json")
    return make_results.write(tmp_path, tmp_path / "results").read_text()


def test_every_claim_stands_in_the_table_with_its_status(page):
    rows = [line for line in page.splitlines() if line.startswith(("| 1 ", "| 2 ", "| 3 ", "| 4 "))]
    assert [mark in row for mark, row in zip(("✓ pass", "✗ fail", "? undecided", "! error"), rows, strict=True)] == [True] * 4
    assert "4 claims: 1 pass, 1 fail, 1 undecided, 1 error." in page
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


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (7, [7]), (8, [4, 4]), (11, [5, 6]), (15, [5, 5, 5]), (22, [5, 6, 5, 6])])
def test_curves_are_shared_out_evenly(count, sizes):
    assert [len(part) for part in make_results.split(list(range(count)))] == sizes


def test_a_legend_does_not_repeat_its_title():
    curve = Curve(name="short sigmoid in situ", axis="spread", at=(0.0,), estimates=(proportion(95, 100),))
    assert make_results.shortened(curve, "short sigmoid").name == "in situ"
    assert make_results.shortened(curve, "short sigmoid in situ").name == "short sigmoid in situ"


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


def test_a_run_without_claims_says_so(tmp_path):
    dump(a_study([]), tmp_path / "report.json")
    assert "judged no claim" in make_results.write(tmp_path, tmp_path / "results").read_text()


def test_the_report_of_an_audit_is_refused(tmp_path):
    dump(Document(run=Run(id="a", name="mine")), tmp_path / "report.json")
    with pytest.raises(InputError, match="holds an audit"):
        make_results.write(tmp_path, tmp_path / "results")
