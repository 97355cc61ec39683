"""The files of a report: all there, equal when written again, and part of the installed package."""

import importlib.metadata
from importlib.resources import files

import pytest
import report_samples as samples

from holdfast.report import ARTEFACTS, load, write_report


def test_all_files_are_written_and_written_again_equal(tmp_path):
    first = write_report(samples.audit_document(), tmp_path / "a")
    second = write_report(load(tmp_path / "a"), tmp_path / "b")
    assert tuple(first) == ARTEFACTS
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(ARTEFACTS), "no scratch file is left"
    assert [path.read_bytes() for path in first.values()] == [path.read_bytes() for path in second.values()]


@pytest.mark.parametrize("name", ["page.html.j2", "comparison.html.j2", "frame.html.j2", "macros.j2", "page.css", "page.js"])
def test_templates_are_found_through_the_package(name):
    assert files("holdfast.report").joinpath("templates", name).is_file()
    assert importlib.metadata.version("holdfast")
