"""A run folder is data: `holdfast resume` executes what it names only if this installation began it so, or the user agrees."""

import json
import re
import shutil
import sqlite3
import sys
from contextlib import chdir, closing
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file
from test_cli import holdfast

import holdfast as package
from holdfast.core.errors import InputError

MODULE = """
from pathlib import Path
from holdfast.nets import tiny_cnn

def make(mark: str = "executed.txt"):
    Path(mark).write_text("a factory ran")
    return tiny_cnn(size=8)
"""
WORDS = ("--weights", "w.safetensors", "--data", "test.npz", "--stress", "clean", "--threads", "1", "--examples", "100")


@pytest.fixture
def project(tmp_path, monkeypatch, digits_cnn, digits_small):
    """A user's folder with a finished run in runs/a, of an installation of its own."""
    monkeypatch.setenv("HOLDFAST_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("net_of_user", "other"):
        sys.modules.pop(name, None)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "net_of_user.py").write_text(MODULE)
    save_file(digits_cnn.state_dict(), folder / "w.safetensors")
    np.savez(folder / "test.npz", x=digits_small[1].x.numpy(), y=digits_small[1].y.numpy())
    done = holdfast("audit", "--model", "net_of_user.py:make", *WORDS, "--out", "runs/a", folder=folder)
    assert done.returncode == 0, done.stderr
    (folder / "executed.txt").unlink()
    return folder


def facts(run, **changed):
    """Change facts of a stored run."""
    with closing(sqlite3.connect(run / "run.sqlite")) as connection, connection:
        for name, value in changed.items():
            connection.execute("insert or replace into facts values (?, ?)", (name, json.dumps(value)))


def config(run):
    with closing(sqlite3.connect(run / "run.sqlite")) as connection:
        return json.loads(connection.execute("select value from facts where name = 'config'").fetchone()[0])


def refused(done, folder):
    """The command ended with one sentence that names the flag, and nothing of the folder's code ran."""
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "would execute code: --" in done.stderr
    assert "If you trust all of this code: --trust (Python: trust=True)." in done.stderr
    assert not list(folder.rglob("executed.txt"))
    return done.stderr


def test_a_run_that_was_begun_here_goes_on(project):
    done = holdfast("resume", "runs/a", folder=project)
    assert done.returncode == 0, done.stderr
    assert (project / "executed.txt").exists()


def test_a_start_that_is_cut_while_it_plans_leaves_a_run_that_goes_on(project, monkeypatch):
    words = ("--model", "net_of_user.py:make", *WORDS, "--gate", "clean.accuracy >= 0.5", "--out", "runs/a")
    with monkeypatch.context() as cut:
        cut.setattr("holdfast.auditing.pipeline.kept_plan", interrupt)
        holdfast("audit", *words, folder=project)
    (project / "executed.txt").unlink()
    assert holdfast("resume", "runs/a", folder=project).returncode == 0
    assert (project / "executed.txt").exists()


def test_a_copy_of_an_own_run_is_an_own_run(project):
    shutil.copytree(project / "runs" / "a", project / "kept")
    assert holdfast("resume", "kept", folder=project).returncode == 0


def test_a_folder_of_another_installation_needs_consent_once(project, tmp_path, monkeypatch):
    shutil.copytree(project / "runs" / "a", project / "copied")
    monkeypatch.setenv("HOLDFAST_CONFIG", str(tmp_path / "of-another"))
    said = refused(holdfast("resume", "copied", folder=project), project)
    assert f"--model net_of_user.py:make ({project / 'net_of_user.py'})" in said
    assert holdfast("resume", "copied", "--trust", folder=project).returncode == 0
    assert holdfast("resume", "copied", folder=project).returncode == 0


def test_a_database_of_another_installation_in_an_own_folder_needs_consent(project, tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_CONFIG", str(tmp_path / "of-another"))
    done = holdfast("audit", "--model", "net_of_user.py:make", *WORDS, "--out", "theirs", folder=project)
    assert done.returncode == 0, done.stderr
    (project / "executed.txt").unlink()
    monkeypatch.setenv("HOLDFAST_CONFIG", str(tmp_path / "config"))
    shutil.copy(project / "theirs" / "run.sqlite", project / "runs" / "a" / "run.sqlite")
    refused(holdfast("resume", "runs/a", folder=project), project)


@pytest.mark.parametrize(
    ("table", "changes", "shown"),
    [
        ("model", {"source": "os:system", "arguments": ["command=touch executed.txt"]}, "os:system ("),
        ("model", {"source": "other.py:make"}, "other.py:make ("),
        ("model", {"arguments": ["mark=runs/a/executed.txt"]}, "net_of_user.py:make ("),
        ("data", {"source": "os:system"}, "--data os:system ("),
        ("data", {"unlabelled": "os:system"}, "--unlabelled os:system ("),
        ("model", {"source": "pickled.pt", "unsafe_pickle": True}, "executing a pickle"),
    ],
)
def test_settings_that_were_changed_after_the_start_need_consent(project, table, changes, shown):
    run = project / "runs" / "a"
    (project / "other.py").write_text(MODULE)
    stored = config(run)
    facts(run, config=stored | {table: stored[table] | changes})
    assert shown in refused(holdfast("resume", "runs/a", folder=project), project)


def test_a_proof_does_not_serve_for_code_in_another_place(project, tmp_path):
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    (hostile / "net_of_user.py").write_text(MODULE)
    shutil.copytree(project / "runs", hostile / "runs")
    said = refused(holdfast("resume", "runs/a", folder=hostile), hostile)
    assert str(hostile / "net_of_user.py") in said


def test_a_run_that_names_no_code_needs_no_consent(project, tmp_path, monkeypatch):
    words = ("--stress", "clean", "--threads", "1", "--examples", "100", "--out", "runs/example")
    assert holdfast("audit", *words, folder=project).returncode == 0
    monkeypatch.setenv("HOLDFAST_CONFIG", str(tmp_path / "of-another"))
    assert holdfast("resume", "runs/example", folder=project).returncode == 0


def interrupt(*arguments, **options):
    raise KeyboardInterrupt


def test_where_no_key_can_be_kept_the_report_says_how_to_resume(project, monkeypatch):
    monkeypatch.setenv("HOLDFAST_CONFIG", str(project / "test.npz"))
    with monkeypatch.context() as interrupted:
        interrupted.setattr("holdfast.auditing.stresses.Clean.measure", interrupt)
        done = holdfast("audit", "--model", "net_of_user.py:make", *WORDS, "--out", "runs/short", folder=project)
    assert done.returncode == 130
    stored = json.loads((project / "runs" / "short" / "report.json").read_text())
    assert stored["run"]["resume"] == "holdfast resume runs/short --trust"
    (project / "executed.txt").unlink()
    refused(holdfast("resume", "runs/short", folder=project), project)
    holdfast("resume", "runs/short", "--trust", folder=project)
    assert (project / "executed.txt").exists()


def test_python_asks_for_the_same_consent(project, tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_CONFIG", str(tmp_path / "of-another"))
    with chdir(project):
        with pytest.raises(InputError, match=r"would execute code: --model .*trust=True"):
            package.auditing.resume("runs/a")
        assert not Path("executed.txt").exists()
        assert package.auditing.resume("runs/a", trust=True).exit_code == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"config": {"seed": -1}}, "whose setting 'seed' cannot be used"),
        ({"config": {"run": {"workers": "many"}}}, "whose setting 'run.workers' cannot be used"),
        ({"config": [1, 2]}, "Python objects"),
        ({"config": None}, "ended before its settings were stored; .*Give the command that began it again"),
        ({"identity": {"kind": "study", "name": "coins"}}, "is 'runs/a', the run of a study; .* --out runs/a"),
        ({"identity": "a study"}, "holds a run that cannot be read|another"),
        ({"plan": {"asked": 1, "rows": [{}]}}, ""),
    ],
)
def test_a_database_that_was_edited_gets_one_sentence(project, changed, message):
    run = project / "runs" / "a"
    facts(run, **changed)
    for words in (("resume", "runs/a", "--trust"), ("status", "runs/a")):
        done = holdfast(*words, folder=project)
        assert "Traceback" not in done.stderr
        assert done.returncode in (0, 2)
        if message and words[0] == "resume":
            assert re.search(message, done.stderr), done.stderr
            assert done.stderr.count("\n") == 1
