"""The report of a run whose process is gone is the one that the process would have written, without its network and data."""

import json
from contextlib import chdir

import numpy as np
import pytest
from safetensors.torch import save_file

from holdfast.auditing import partial
from holdfast.auditing.frame import Frame
from holdfast.auditing.pipeline import audit_with
from holdfast.auditing.settings import read_settings
from holdfast.core.digest import jsonable
from holdfast.core.errors import InputError
from holdfast.core.store import Store
from holdfast.report import load
from holdfast.studies import run as study_runner
from holdfast.studies import run_study

FACTORY = "from holdfast.nets import tiny_cnn\ndef make():\n    return tiny_cnn(size=8)\n"
CHANGES = {"finished", "seconds", "notes", "resume"}


def facts(folder):
    """What a report says, but for the time at which it was written."""
    document = json.loads((folder / "report.json").read_text())
    document["run"] = {key: value for key, value in document["run"].items() if key not in CHANGES}
    return document.pop("run"), document


@pytest.fixture(scope="module")
def finished(tmp_path_factory, digits_cnn, digits_small):
    """A complete audit of the kind that the command line makes; its network and data are gone."""
    place = tmp_path_factory.mktemp("user")
    (place / "gone.py").write_text(FACTORY)
    save_file(digits_cnn.state_dict(), place / "w.safetensors")
    np.savez(place / "test.npz", x=digits_small[1].x.numpy(), y=digits_small[1].y.numpy())
    flags = {
        "model": {"source": "gone.py:make", "weights": "w.safetensors"},
        "data": {"source": "test.npz", "examples": 100},
        "stresses": ("clean", "fgsm", "weight_bits", "corruptions"),
        "gates": ("clean.accuracy >= 0.5", "adversarial.worst_case.accuracy[eps=0] >= 0.5"),
        "corruptions": None,
        "out": "run",
    }
    with chdir(place):
        audit_with(read_settings(flags={key: value for key, value in flags.items() if value}))
    for file in ("gone.py", "w.safetensors", "test.npz"):
        (place / file).unlink()
    return place / "run"


def test_a_complete_run_is_reported_alike_from_its_folder(finished):
    before, table = facts(finished), dict(np.load(finished / "per_example.npz"))
    with chdir(finished.parent):  # whose commit the report names
        report = partial.conclude(finished, running="", reason="the process ended", interrupted=False)
    assert report.exit_code == 0
    assert facts(finished) == before
    after = dict(np.load(finished / "per_example.npz"))
    assert after.keys() == table.keys()
    for name, column in table.items():
        np.testing.assert_array_equal(after[name], column)


def test_a_point_that_was_under_way_counts_as_crashed_and_keeps_its_reason(finished, tmp_path):
    copy = tmp_path / "run"
    with Store.create(copy, Store.read(finished).fact("identity")) as store:
        known = Store.read(finished)
        store.remember(**{name: known.fact(name) for name in ("started", "config", "frame", "plan")})
        first, second, *_ = known.records()
        store.commit(first)
    report = partial.conclude(copy, running=second.key, reason="the process ended while measuring it", interrupted=False)
    points = [point for _, _, point in report.document.points()]
    assert [(point.status, point.error) for point in points if point.status == "error"] == [
        ("error", "the process ended while measuring it")
    ]
    assert report.document.run.status == "partial"
    assert "the process ended while measuring it" in report.document.run.notes
    assert "holdfast resume" in report.document.run.resume
    interrupted = partial.conclude(copy, running=second.key, reason="SIGTERM", interrupted=True)
    assert load(copy).run.status == "interrupted"
    assert interrupted.exit_code == 130


def test_the_description_of_network_and_data_survives_the_store(finished):
    stored = Store.read(finished).fact("frame")
    frame = Frame.from_json(stored)
    assert jsonable(frame.to_json()) == stored
    assert frame.facts.shape == (1, 8, 8)
    assert len(frame.index) == len(frame.labels) == 100


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        partial.conclude(tmp_path, running="", reason="", interrupted=False)


@pytest.mark.slow
def test_a_study_is_reported_alike_from_its_folder(tmp_path):
    run_study("spintronic-neuron", preset="tiny", out=tmp_path / "run", threads=1)
    before = facts(tmp_path / "run")
    study_runner.conclude(tmp_path / "run", running="", reason="the process ended", interrupted=False)
    after = facts(tmp_path / "run")
    for run, _ in (before, after):
        run.pop("command")  # names the folder
    assert after == before
