"""What is printed: nothing is cut or broken, on a narrow terminal and in a file."""

import io
import re
import sys

import pytest
import report_samples as samples

from holdfast.report.console import Console

PLAN = [
    {"stress": "corruptions", "decision": "run", "points": 15, "examples": 1000, "queries": 15000, "seconds": 12.3, "reason": ""},
    {
        "stress": "activation_variation",
        "decision": "reduced",
        "points": 5,
        "examples": 150,
        "queries": 150_000_000,
        "seconds": 4.0,
        "reason": "150 instead of 1000 examples, so that all stresses fit into the time budget of 2 min",
    },
]
GATES = [entry.statement for entry in samples.gates()]


class Window(io.StringIO):
    """A terminal of some width, which the environment names."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def printed(monkeypatch):
    def run(show, *, columns: int | None) -> list[str]:
        stream = io.StringIO() if columns is None else Window()
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setenv("COLUMNS", str(columns or 80))  # that of a pipe does not count
        monkeypatch.setenv("TERM", "xterm")
        show(Console())
        return re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue()).splitlines()

    return run


def test_in_a_file_every_line_of_the_plan_is_whole(printed):
    lines = printed(lambda console: console.plan(PLAN, seconds=16.3), columns=None)
    assert len(lines) == 4
    assert any(line.endswith(PLAN[1]["reason"]) for line in lines)
    assert all(line == line.rstrip() for line in lines)


def test_in_a_file_every_gate_and_every_finding_stands_on_its_line(printed):
    document = samples.audit_document()
    lines = printed(lambda console: console.verdicts(document), columns=None)
    assert [any(statement in line for line in lines) for statement in GATES] == [True] * len(GATES)
    assert sum(line.startswith(("high ", "medium ")) for line in lines) == 2


@pytest.mark.parametrize("columns", [80, 60, 40])
def test_on_a_narrow_terminal_no_number_and_no_word_of_a_gate_is_broken(printed, columns):
    document = samples.audit_document()
    text = "\n".join(printed(lambda console: console.verdicts(document), columns=columns))
    assert "…" not in text
    for entry in document.gates:
        assert [word for word in entry.statement.split() if word not in text] == []
        if entry.value is not None and entry.lo != entry.hi:
            assert f"{entry.value:.4g} [{entry.lo:.4g}, {entry.hi:.4g}]" in text
    words = [word for line in printed(lambda console: console.plan(PLAN, seconds=16.3), columns=columns) for word in line.split()]
    assert {"150000000", "activation_variation", *PLAN[1]["reason"].split()} <= set(words)


@pytest.mark.parametrize("columns", [None, 80, 60])
def test_a_comparison_keeps_each_difference_with_its_interval_in_one_piece(printed, columns):
    comparison = samples.baseline_document().baseline
    lines = printed(lambda console: console.comparison(comparison), columns=columns)
    for row in comparison.rows:
        whole = f"{row.delta.value:.4g} [{row.delta.lo:.4g}, {row.delta.hi:.4g}]"
        assert any(row.metric in line and whole in line for line in lines), row
    assert len(lines) == len(comparison.rows) + 2, "one line for each row, the header and the names"


def test_a_terminal_that_is_wide_enough_is_not_exceeded(printed):
    document = samples.audit_document()
    gates = printed(lambda console: console.verdicts(document), columns=110)[: len(document.gates) + 4]
    assert max(map(len, gates)) <= 110


def test_a_gate_is_not_followed_by_the_threshold_that_it_already_names(printed):
    lines = printed(lambda console: console.verdicts(samples.audit_document()), columns=None)
    assert [line.count(">= 0.93") for line in lines if "clean.accuracy >= 0.93" in line] == [1]
