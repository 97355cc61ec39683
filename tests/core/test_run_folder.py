"""Of a folder, a run touches only files whose names are its own."""

import numpy as np
import pytest
import torch

from holdfast.core.errors import InputError
from holdfast.core.estimate import proportion
from holdfast.core.experiment import Measurement
from holdfast.core.store import Record, Store
from holdfast.report import ARTEFACTS, write_per_example

IDENTITY = {"kind": "audit", "target": "aa", "data": "bb", "seed": 0}
ENDED = 2**22 + 1  # no process has this number: Linux counts to 2**22
MINE = ("thesis.txt", "report.tex", "figures/one.npz", "blobs/mine.npz", "memo/weights.safetensors", "blobs/notes/a.txt")


def written_run(folder):
    """A folder with everything that a run writes; gives the names of the files."""
    measured = Measurement(estimates={"accuracy": proportion(1, 2)}, arrays={"correct": np.eye(2)})
    with Store.create(folder, IDENTITY) as store:
        store.commit(Record(key="a" * 64, experiment="e", at={}, status="ok", measurement=measured))
        store.keep_arrays("network-0", answers=np.eye(2))
        store.memo("scope")("net", {}, lambda: {"w": torch.zeros(2)})
        store.memo("scope")("ensemble", {}, lambda: {"w": np.zeros(2)})
    write_per_example(folder / "per_example.npz", {}, example=[0], label=[1])
    for name in (*ARTEFACTS, "per_example.parquet", f"blobs/.arrays.{ENDED}.scratch.npz", f".report.{ENDED}.scratch.json"):
        (folder / name).write_text("")
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_fresh_deletes_what_a_run_wrote(tmp_path):
    written = written_run(tmp_path)
    with Store.create(tmp_path, IDENTITY | {"seed": 1}, fresh=True) as store:
        assert store.records() == []
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {"run.sqlite", "run.lock"}
    assert written > {"run.sqlite", "run.lock"}


def test_fresh_leaves_every_other_file_as_it_is(tmp_path):
    written_run(tmp_path)
    for name in MINE:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("precious")
    with Store.create(tmp_path, IDENTITY | {"seed": 1}, fresh=True):
        pass
    assert {name: (tmp_path / name).read_text() for name in MINE} == dict.fromkeys(MINE, "precious")
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"run.sqlite", "run.lock", *MINE}


def test_fresh_begins_anew_where_the_database_is_damaged(tmp_path):
    written_run(tmp_path)
    (tmp_path / "run.sqlite").write_text("damaged")
    with Store.create(tmp_path, IDENTITY, fresh=True) as store:
        assert store.records() == []


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="not of a run"), Store.create(tmp_path, IDENTITY, fresh=True):
        pass
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("thesis.txt", "precious")]


def test_a_start_removes_the_scratch_files_of_killed_processes(tmp_path):
    written_run(tmp_path)
    (tmp_path / ".notes.txt.swp").write_text("mine")
    with Store.create(tmp_path, IDENTITY):
        pass
    assert [path.name for path in tmp_path.rglob(".*")] == [".notes.txt.swp"]
