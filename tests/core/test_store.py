"""A store keeps what was committed, refuses what is not its own, and lets one process write."""

import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from holdfast.core.errors import InputError, RunLockedError, RunMismatchError
from holdfast.core.estimate import proportion
from holdfast.core.experiment import Measurement
from holdfast.core.memo import Memo
from holdfast.core.store import Record, Store

HOLD = """
import sys, time
from holdfast.core.store import Store
with Store.create(sys.argv[1], {"kind": "audit", "target": "aa", "data": "bb", "seed": 0}):
    print("held", flush=True)
    time.sleep(60)
"""
IDENTITY = {"kind": "audit", "target": "aa", "data": "bb", "seed": 0}


def record(key="k1", value=7):
    measured = Measurement(
        estimates={"accuracy": proportion(value, 10)},
        arrays={"correct": np.arange(10) < value},
        details={"chips": [0.5, 0.25]},
    )
    return Record(key=key, experiment="pgd", at={"eps": 0.1}, status="ok", measurement=measured, seconds=1.5, queries=3)


def test_what_is_committed_is_found_again_by_another_reader(tmp_path):
    with Store.create(tmp_path / "run", IDENTITY) as store:
        store.commit(record())
        store.remember(plan={"points": 1})
    found = Store.read(tmp_path / "run").find("k1")
    assert found.measurement.estimates == record().measurement.estimates
    assert found.measurement.details == record().measurement.details
    assert (found.at, found.status, found.seconds, found.queries) == ({"eps": 0.1}, "ok", 1.5, 3)
    np.testing.assert_array_equal(found.measurement.arrays["correct"], np.arange(10) < 7)
    assert found.reused
    assert Store.read(tmp_path / "run").fact("plan") == {"points": 1}
    assert Store.read(tmp_path / "run").find("k2") is None


def test_order_is_kept(tmp_path):
    measured = Measurement(estimates={"z": proportion(1, 2), "a": proportion(1, 2)}, details={"z": 1, "a": 2})
    with Store.create(tmp_path, IDENTITY) as store:
        store.commit(Record(key="k", experiment="e", at={"sigma": 0.1, "kind": "x"}, status="ok", measurement=measured))
        found = store.find("k")
    assert (list(found.at), list(found.measurement.estimates), list(found.measurement.details)) == (
        ["sigma", "kind"],
        ["z", "a"],
        ["z", "a"],
    )


def test_a_second_commit_of_the_same_point_replaces_the_first(tmp_path):
    with Store.create(tmp_path, IDENTITY) as store:
        store.commit(Record(key="k1", experiment="pgd", at={}, status="error", error="Traceback"))
        store.commit(record())
        assert [kept.status for kept in store.records()] == ["ok"]


def test_write_ahead_logging_is_on(tmp_path):
    with Store.create(tmp_path, IDENTITY) as store:
        assert sqlite3.connect(store.database).execute("pragma journal_mode").fetchone()[0] == "wal"
        assert store.notes == ()


def test_a_network_file_system_gets_the_rollback_journal_and_a_note(tmp_path, monkeypatch):
    monkeypatch.setattr("holdfast.core.store._on_network", lambda folder: True)
    with Store.create(tmp_path, IDENTITY) as store:
        assert sqlite3.connect(store.database).execute("pragma journal_mode").fetchone()[0] == "delete"
        assert "write-ahead" in store.notes[0]


def test_another_model_is_refused_and_named(tmp_path):
    with Store.create(tmp_path, IDENTITY):
        pass
    with (
        pytest.raises(RunMismatchError, match=r"another target; .*--out.*--fresh"),
        Store.create(tmp_path, IDENTITY | {"target": "cc"}),
    ):
        pass


def test_fresh_throws_the_old_run_away(tmp_path):
    with Store.create(tmp_path, IDENTITY) as store:
        store.commit(record())
    with Store.create(tmp_path, IDENTITY | {"seed": 1}, fresh=True) as store:
        assert store.records() == []


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="not of a run"), Store.create(tmp_path, IDENTITY, fresh=True):
        pass
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_a_live_process_keeps_others_out_and_a_dead_one_does_not(tmp_path):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            HOLD,
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunLockedError, match="another process"), Store.create(tmp_path, IDENTITY):
            pass
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with Store.create(tmp_path, IDENTITY):
        pass


def test_reading_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        Store.read(tmp_path)


def test_memo_keeps_tensors_as_tensors_and_arrays_as_arrays(tmp_path):
    import torch

    memo = Memo(tmp_path)
    weights = memo("net", {"seed": 0}, lambda: {"w": torch.arange(3.0)})
    assert torch.equal(memo("net", {"seed": 0}, lambda: 1 / 0)["w"], weights["w"])
    assert {path.suffix for path in tmp_path.iterdir()} == {".safetensors", ".lock"}
    assert memo("net", {"seed": 1}, lambda: {"w": np.ones(2)})["w"].tolist() == [1, 1]


def test_memo_of_another_scope_is_another_artefact(tmp_path):
    assert Memo(tmp_path, "model a")("n", {}, lambda: {"v": np.zeros(1)})["v"][0] == 0
    assert Memo(tmp_path, "model b")("n", {}, lambda: {"v": np.ones(1)})["v"][0] == 1


def test_a_build_that_fails_leaves_nothing_behind(tmp_path):
    memo = Memo(tmp_path)
    with pytest.raises(ZeroDivisionError):
        memo("n", {}, lambda: 1 / 0)
    assert memo("n", {}, lambda: {"v": np.ones(1)})["v"][0] == 1
