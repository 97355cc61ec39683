"""A store keeps what was committed, refuses what is not its own, and lets one process write."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from holdfast.core.errors import InputError, RunLockedError, RunMismatchError, StorageError
from holdfast.core.estimate import proportion
from holdfast.core.experiment import Measurement
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


def test_every_commit_is_flushed_whatever_the_journal(tmp_path):
    with Store.create(tmp_path, IDENTITY) as store, store._session() as connection:
        assert connection.execute("pragma synchronous").fetchone()[0] == 2  # full


def test_write_ahead_logging_is_on(tmp_path):
    with Store.create(tmp_path, IDENTITY) as store:
        assert sqlite3.connect(store.database).execute("pragma journal_mode").fetchone()[0] == "wal"
        assert store.notes == ()


def test_a_network_file_system_gets_the_rollback_journal_and_a_note(tmp_path, monkeypatch):
    monkeypatch.setattr("holdfast.core.store.is_on_network", lambda folder: True)
    with Store.create(tmp_path, IDENTITY) as store:
        assert sqlite3.connect(store.database).execute("pragma journal_mode").fetchone()[0] == "delete"
        assert "write-ahead" in store.notes[0]


def test_another_model_is_refused_and_named(tmp_path):
    with Store.create(tmp_path, IDENTITY):
        pass
    with (
        pytest.raises(RunMismatchError, match=r"another target; .*--out FOLDER \(Python: out='FOLDER'\)\.$"),
        Store.create(tmp_path, IDENTITY | {"target": "cc"}),
    ):
        pass


def test_a_live_process_keeps_others_out_and_a_dead_one_does_not(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
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
    (tmp_path / "run.sqlite").touch()  # killed before it made its tables
    with pytest.raises(InputError, match="holds no run"):
        Store.read(tmp_path)
    with Store.create(tmp_path, IDENTITY) as store:
        assert store.records() == []


def spoil_missing(folder):
    (folder / "blobs" / f"{KEYS[0]}.npz").unlink()


def spoil_torn(folder):
    blob = folder / "blobs" / f"{KEYS[0]}.npz"
    blob.write_bytes(blob.read_bytes()[:100])


def spoil_swapped(folder):
    (folder / "blobs" / f"{KEYS[0]}.npz").write_bytes((folder / "blobs" / f"{KEYS[1]}.npz").read_bytes())


def spoil_row(folder):
    with closing(sqlite3.connect(folder / "run.sqlite")) as connection, connection:
        connection.execute("update points set estimates = ? where key = ?", ('{"accuracy": ', KEYS[0]))


KEYS = ("a" * 64, "b" * 64)


@pytest.mark.parametrize("spoil", [spoil_missing, spoil_torn, spoil_swapped, spoil_row])
def test_a_point_that_is_not_whole_counts_as_not_measured_and_is_said(tmp_path, spoil):
    with Store.create(tmp_path, IDENTITY) as store:
        store.commit(record(KEYS[0], 3))
        store.commit(record(KEYS[1], 4))
    spoil(tmp_path)
    with Store.create(tmp_path, IDENTITY) as store:
        assert store.find(KEYS[0]) is None
        assert [kept.key for kept in store.records()] == [KEYS[1]]
        assert "were not whole" in store.notes[0]
        store.commit(record(KEYS[0], 3))
        np.testing.assert_array_equal(store.find(KEYS[0]).measurement.arrays["correct"], np.arange(10) < 3)


def test_a_run_of_a_version_without_digests_goes_on(tmp_path):
    with Store.create(tmp_path, IDENTITY) as store:
        store.commit(record(KEYS[0], 3))
        store.commit(record(KEYS[1], 4))
    with closing(sqlite3.connect(tmp_path / "run.sqlite")) as connection, connection:
        connection.execute("alter table points drop column digest")
    assert len(Store.read(tmp_path).records()) == 2
    spoil_missing(tmp_path)
    with Store.create(tmp_path, IDENTITY) as store:
        assert store.find(KEYS[0]) is None
        assert store.find(KEYS[1]).measurement.estimates == record(KEYS[1], 4).measurement.estimates
    spoil_swapped_back = (tmp_path / "blobs" / f"{KEYS[1]}.npz").read_bytes()
    (tmp_path / "blobs" / f"{KEYS[0]}.npz").write_bytes(spoil_swapped_back)
    assert Store.read(tmp_path).find(KEYS[0]) is None


def no_database(file):
    file.write_bytes(b"this is not a database, but it is long enough to be looked at" * 20)


def cut_database(file):
    file.write_bytes(file.read_bytes()[:2000])


def emptied_database(file):
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("drop table facts")


def another_database(file):
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript("drop table facts; drop table points; create table facts (a); create table points (b);")


def facts_without_json(file):
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("update facts set value = '{'")


@pytest.mark.parametrize("spoil", [no_database, cut_database, another_database, facts_without_json])
def test_a_damaged_database_gets_one_sentence_and_is_left_alone(tmp_path, spoil):
    with Store.create(tmp_path, IDENTITY) as store:
        store.commit(record())
    spoil(tmp_path / "run.sqlite")
    before = (tmp_path / "run.sqlite").read_bytes()
    for opened in (lambda: Store.create(tmp_path, IDENTITY).__enter__(), lambda: Store.read(tmp_path).records()):
        with pytest.raises(InputError, match=r"holds a run that cannot be read \(.+\); allowed: .*--out FOLDER") as refusal:
            opened()
        assert "fresh" not in str(refusal.value)
    assert (tmp_path / "run.sqlite").read_bytes() == before


def test_a_database_without_its_tables_is_refused_for_reading(tmp_path):
    with Store.create(tmp_path, IDENTITY):
        pass
    emptied_database(tmp_path / "run.sqlite")
    with pytest.raises(InputError, match="no such table: facts"):
        Store.read(tmp_path)


def commit_many(store):
    for number in range(100):
        store.commit(record(f"more-{number}"))


def test_a_full_disk_ends_the_run_with_one_sentence_and_keeps_what_was_stored(tmp_path):
    with Store.create(tmp_path, IDENTITY) as store:
        store.commit(record("k1"))
        pages = store._writer.execute("pragma page_count").fetchone()[0]
        store._writer.execute(f"pragma max_page_count = {pages}")
        with pytest.raises(
            StorageError, match=r"cannot be stored in .* \(database or disk is full\). What was stored before is kept"
        ):
            commit_many(store)
    assert Store.read(tmp_path).find("k1") is not None


AS_NOBODY = """
import encodings.cp437, os, sys  # all that is needed later, for Python itself may be out of reach then
from holdfast.core.errors import InputError
from holdfast.core.store import Store
if os.geteuid() == 0:  # permissions do not bind the superuser
    os.setgid(65534)
    os.setuid(65534)
try:
    with Store.create(sys.argv[1], {"kind": "audit", "target": "aa", "data": "bb", "seed": 0}):
        print("written")
except InputError as error:
    print(error)
print(len(Store.read(sys.argv[2]).records()))
"""


def test_folders_that_are_only_readable_get_one_sentence_and_can_be_read():
    with TemporaryDirectory() as place:  # pytest's own folders are closed to other users
        folder = Path(place)
        with Store.create(folder / "run", IDENTITY) as store:
            store.commit(record())
        (folder / "closed").mkdir()
        for entry, mode in ((folder / "run", 0o555), (folder / "closed", 0o555), (folder, 0o755)):
            entry.chmod(mode)
        for out in ("run", "closed", "closed/new"):
            words = [sys.executable, "-c", AS_NOBODY, str(folder / out), str(folder / "run")]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            assert "cannot be written (Permission denied); allowed: " in done.stdout, done.stderr
            assert done.stdout.endswith("\n1\n"), done.stderr
        (folder / "run").chmod(0o755)


def test_arrays_of_a_run_are_found_by_name_unless_they_were_changed(tmp_path):
    with Store.create(tmp_path, IDENTITY) as store:
        assert store.kept_arrays("few") is None
        store.keep_arrays("few", answers=np.eye(3))
        np.testing.assert_array_equal(store.kept_arrays("few")["answers"], np.eye(3))
        (tmp_path / "blobs" / "arrays-few.npz").write_bytes(b"torn")
        assert store.kept_arrays("few") is None
