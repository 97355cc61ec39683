"""A stress of another package, in one file, with a new card: it is planned, set, judged, graded and drawn like the others."""

import importlib
import sys

import pytest

import holdfast
from holdfast.auditing import plan_audit, read_settings
from holdfast.auditing.plan import LEAST_EXAMPLES, choose, make_plan
from holdfast.auditing.pricing import Prices
from holdfast.auditing.stresses import known_stresses
from holdfast.core.errors import InputError
from holdfast.core.stress import Facts
from holdfast.report import load, render

PLUGIN = '''
"""Rows of the weight memory that are lost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from holdfast.core.curve import Curve
from holdfast.core.estimate import proportion
from holdfast.core.experiment import Finding, Measurement, Quantity, Summary
from holdfast.core.stress import Axis, Card, Cost, Stress


@dataclass(frozen=True, kw_only=True)
class LostRows(Stress):
    """The first rows of each image read as 0.

    Parameters
    ----------
    lost : rows, increasing
    examples : rows of the data, None for all
    """

    name: ClassVar[str] = "lost_rows"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Lost rows of the frame buffer"
    card: ClassVar[Card] = Card(name="memory", title="Memory faults", text="Images whose memory lost some rows.")
    requires: ClassVar[str] = "labels"
    short: ClassVar[str] = "Frame buffer"
    axes: ClassVar[Mapping[str, Axis]] = {"lost": Axis(words="rows that are lost", symbol="r", clause="with {value:.0f} rows lost")}
    remedy: ClassVar[str] = "Protect the frame buffer with a parity bit."
    importance: ClassVar[float] = 2.0
    lost: tuple[int, ...] = (0, 2, 4, 8)
    examples: int | None = None

    @classmethod
    def preset(cls, preset, facts):
        return cls()

    def points(self):
        return [{"lost": rows} for rows in self.lost]

    def estimate(self, point):
        return Cost(forward=1, queries=1)

    def measure(self, point, context):
        data = context.data
        x = data.x.clone()
        x[:, :, : point["lost"]] = 0
        with torch.no_grad():
            right = (context.target(x).argmax(1) == data.y).numpy()
        return Measurement(estimates={"accuracy": proportion(int(right.sum()), len(right))}, arrays={"correct": right})

    def summarise(self, measurements):
        at = tuple(float(point["lost"]) for point, _ in measurements)
        accuracies = tuple(found.estimates["accuracy"] for _, found in measurements)
        curve = Curve(name="lost_rows", axis="lost", at=at, estimates=accuracies)
        finding = Finding(id="memory.lost_rows", severity="low", text="Rows were lost.", estimate=accuracies[-1])
        quantities = (Quantity("worst", accuracies[-1], {"lost": at[-1]}),)
        return Summary(curves=(curve,), quantities=quantities, findings=(finding,))
'''
GATES = ["memory.lost_rows.accuracy[lost=2] >= 0.2", "memory.lost_rows.worst[lost=8] >= 0.9", "clean.accuracy >= 0.5"]


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """What pip leaves of a package with one stress: the module, and its entry point beside it."""
    site = tmp_path / "site"
    info = site / "memory_faults-0.1.dist-info"
    info.mkdir(parents=True)
    (site / "memory_faults.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: memory-faults\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[holdfast.stresses]\nlost_rows = memory_faults:LostRows\n")
    monkeypatch.syspath_prepend(site)
    yield site
    sys.modules.pop("memory_faults", None)


@pytest.fixture
def report(plugin, tmp_path, digits_cnn, digits_small):
    settings = {"memory": {"lost_rows": {"lost": [0, 2, 8]}}}
    options = {"stresses": ["lost_rows", "clean"], "gates": GATES, "settings": settings, "out": str(tmp_path / "run")}
    return holdfast.audit(digits_cnn, digits_small[1], **options)


def test_a_new_card_is_in_the_report(report):
    entry = report.document.cards["memory"]
    stress = entry.stresses["lost_rows"]
    assert list(report.document.cards) == ["clean", "memory"], "built-in cards come first"
    assert (entry.title, entry.text) == ("Memory faults", "Images whose memory lost some rows.")
    assert (stress.title, stress.short) == ("Lost rows of the frame buffer", "Frame buffer")
    assert stress.axes == {"lost": "rows that are lost"}
    assert stress.curves[0].at == [0, 2, 8], "the settings of the table were taken"
    assert entry.grade.score == pytest.approx(stress.summary.retention)
    assert stress.summary.half_point.text.startswith("loses half its margin above chance with ")
    assert [gate.status for gate in report.document.gates] == ["pass", "fail", "pass"]
    assert report.document.findings[-1].remedy == "Protect the frame buffer with a parity bit."


def test_the_page_is_drawn_from_the_store_alone(report, plugin, monkeypatch):
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(plugin)])
    importlib.invalidate_caches()
    assert "lost_rows" not in known_stresses()
    page = render(load(report.folder))
    assert page == report.page.read_text()
    for words in (
        "Memory faults",
        "Images whose memory lost some rows.",
        "Lost rows of the frame buffer",
        "Frame buffer",
        "Accuracy against rows that are lost",
        "Protect the frame buffer with a parity bit.",
        "memory.lost_rows.accuracy[lost=2] &gt;= 0.2",
        "loses half its margin above chance with",
    ):
        assert words in page, words


def test_its_importance_decides_what_a_budget_leaves_out(plugin):
    facts = Facts(shape=(1, 8, 8), classes=10, examples=1000)
    stresses = choose(["resolution", "lost_rows"], preset="quick", facts=facts, known=known_stresses())
    lines = make_plan(stresses, facts, Prices(forward=1e-3, backward=2e-3), queries=5 * LEAST_EXAMPLES - 1).lines
    assert {line.stress.name: line.decision for line in lines} == {"resolution": "skipped", "lost_rows": "reduced"}


def test_the_command_that_repeats_it_carries_its_settings(plugin):
    from holdfast.auditing.command import command_line

    settings = read_settings(assignments=("memory.lost_rows.lost=[0, 2]",))
    assert command_line(settings) == "holdfast audit --set 'memory.lost_rows.lost=[0, 2]'"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("memori.lost_rows.lost=[0]", r"`memori` is not a setting; .*Did you mean 'memory'\?"),
        ("memory.lost_row.lost=[0]", r"Did you mean lost_rows|Did you mean 'lost_rows'"),
        ("memory.lost_rows.lots=[0]", r"`memory.lost_rows.lots` is not a setting; .*Did you mean 'lost'\?"),
        ("shift.lost_rows.lost=[0]", r"`shift.lost_rows` is not a setting; allowed: memory.lost_rows"),
    ],
)
def test_a_slip_is_refused_with_the_nearest_word(plugin, text, message):
    with pytest.raises(InputError, match=message):
        plan_audit(read_settings(assignments=(text,)), progress=False)


def test_a_plug_in_that_is_not_a_stress_is_left_out_with_a_warning(plugin):
    (plugin / "memory_faults.py").write_text("class LostRows:\n    name = 'lost_rows'\n    card = 'shift'\n")
    with pytest.warns(UserWarning, match=r"'lost_rows' is left out: it lacks .*estimate, .*card = Card"):
        assert "lost_rows" not in known_stresses()
