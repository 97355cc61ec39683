"""A study in a package of its own: one folder, an entry point, and it is listed, run, judged and drawn like the others."""

import sys
from pathlib import Path

import pytest

from holdfast.studies import list_studies, run_study

HOME = Path(__file__).parent / "plugin"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    info = tmp_path / "site" / "holdfast_coins-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: holdfast-coins\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[holdfast.studies]\ncoins = coins\n")
    monkeypatch.syspath_prepend(str(info.parent))
    monkeypatch.syspath_prepend(str(HOME))
    yield
    sys.modules.pop("coins", None)


def test_a_study_is_one_folder_of_few_lines():
    assert sum(len(file.read_text().splitlines()) for file in (HOME / "coins").iterdir() if file.is_file()) <= 40


@pytest.mark.usefixtures("installed")
def test_it_is_listed_run_judged_and_drawn(tmp_path):
    row = next(row for row in list_studies() if row["study"] == "coins")
    assert row["decides"] == "quick 1, standard 1 of 1 sentences"
    report = run_study("coins", out=tmp_path / "run")
    assert report.exit_code == 0
    [claim], [sentence] = report.document.claims, report.document.sentences
    assert (claim.status, sentence.verdict, sentence.figure.claim) == ("pass", "holds", "near")
    assert sentence.figure.text.endswith("from one half")
    page = report.page.read_text()
    assert "Is a fair coin fair?" in page
    assert "comes near to one half" in page


@pytest.mark.usefixtures("installed")
def test_a_crashed_point_is_the_reason_of_the_claims_that_need_it_and_of_no_others(tmp_path, monkeypatch):
    import coins

    measured = coins.Coins.measure

    def crash(self, point, context):
        if point["coin"] == 2:
            raise ZeroDivisionError("the coin stood on its edge")
        return measured(self, point, context)

    monkeypatch.setattr(coins.Coins, "measure", crash)
    report = run_study("coins", out=tmp_path / "run")
    [claim], [sentence] = report.document.claims, report.document.sentences
    assert report.exit_code == 3
    assert claim.status == "error"
    assert "coin 2" in claim.reason
    assert "stood on its edge" in claim.reason
    assert sentence.verdict == "undecided"
    assert "near" in sentence.reason
