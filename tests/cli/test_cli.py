"""The command line as a user types it: its exit code and what it prints."""

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from safetensors.torch import save_file

from holdfast.cli import main
from holdfast.core.errors import StorageError

COMMANDS = (
    "",
    "audit",
    "plan",
    "resume",
    "status",
    "report",
    "compare",
    "gate",
    "list",
    "describe",
    "schema",
    "study",
    "study list",
    "study run",
    "data",
    "data list",
    "data fetch",
    "data verify",
)
MODULE = """
import torch
from holdfast.nets import tiny_cnn

def make(width: int = 64):
    return tiny_cnn(size=8)
"""
FAST = ("--stress", "clean", "--stress", "weight_bits", "--threads", "1", "--examples", "100")


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def holdfast(*words, folder):
    """Run a command as the console script does, in `folder`, within this process."""
    out, err = io.StringIO(), io.StringIO()
    with chdir(folder), redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ending:
        main([*map(str, words)])
    return Done(ending.value.code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def workplace(tmp_path_factory, digits_cnn, digits_small):
    """A user's folder: a module with a factory, weights, and data as .npz."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "mynet.py").write_text(MODULE)
    save_file(digits_cnn.state_dict(), folder / "w.safetensors")
    test = digits_small[1]
    np.savez(folder / "test.npz", x=test.x.numpy(), y=test.y.numpy())
    return folder


@pytest.fixture(scope="session")
def finished(workplace):
    """An audit of the user's network that ended well."""
    done = holdfast(
        *("audit", "--model", "mynet:make", "--weights", "w.safetensors", "--data", "test.npz", "--out", "runs/a"),
        *("--gate", "clean.accuracy >= 0.8", *FAST),
        folder=workplace,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_help_of_every_command_teaches_and_loads_no_torch():
    script = """
import sys
from holdfast.cli import app
for command in sys.argv[1:]:
    print(f"=== {command}")
    app([*command.split(), "--help"], exit_on_error=False, result_action="return_value")
heavy = {"torch", "matplotlib", "sklearn", "numba", "scipy"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", script, *COMMANDS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = dict(part.split("\n", maxsplit=1) for part in done.stdout.split("=== ")[1:])
    for command in COMMANDS:
        assert "Usage" in pages[command]
        assert "Example" in pages[command]


def test_importing_the_package_loads_no_torch():
    script = "import sys, holdfast; assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules); holdfast.__all__; dir(holdfast)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_root_keeps_few_names_and_all_of_them_exist():
    import holdfast as package

    assert len(package.__all__) <= 15
    for name in package.__all__:
        assert getattr(package, name) is not None


@pytest.mark.parametrize(("given", "found"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_idle_threads_sleep_unless_the_user_wants_them_awake(tmp_path, monkeypatch, given, found):
    monkeypatch.setenv("OMP_WAIT_POLICY", given or "")
    if given is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    holdfast("--version", folder=tmp_path)
    assert os.environ["OMP_WAIT_POLICY"] == found


def test_alone_it_says_what_to_do_first(tmp_path):
    done = holdfast(folder=tmp_path)
    assert done.returncode == 0
    assert "holdfast audit --model" in done.stdout


def test_the_installed_command_audits_in_a_process_of_its_own(workplace):
    command = Path(sys.executable).with_name("holdfast")
    words = ("audit", "--model", "mynet.py:make", "--weights", "w.safetensors", "--data", "test.npz", "--out", "runs/b", *FAST)
    done = subprocess.run(
        [command, *words, "--gate", "clean.accuracy >= 0.999"], cwd=workplace, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.strip().endswith("runs/b/report.html")


def test_an_audit_ends_with_the_path_of_its_page(finished, workplace):
    page = Path(finished.stdout.strip().splitlines()[-1])
    assert (workplace / page).is_file()
    assert json.loads((workplace / "runs/a/report.json").read_text())["gates"][0]["status"] == "pass"


def test_a_second_start_keeps_what_was_measured(finished, workplace):
    del finished
    done = holdfast("resume", "runs/a", folder=workplace)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("kept from before") == 7


def test_gates_on_a_stored_run_are_written_into_its_page(finished, workplace):
    del finished
    shutil.copytree(workplace / "runs/a", workplace / "runs/gated")
    (workplace / "gates.toml").write_text('gates = ["clean.accuracy >= 0.999"]')
    failed = holdfast("gate", "runs/gated", "-g", "gates.toml", "--junit", "j.xml", "--sarif", "s.sarif", folder=workplace)
    assert failed.returncode == 1
    assert "The gate fails: Clean accuracy." in failed.stdout
    assert failed.stdout.split()[-3:] == ["runs/gated/report.html", "j.xml", "s.sarif"]
    assert "<failure" in (workplace / "j.xml").read_text()
    assert json.loads((workplace / "s.sarif").read_text())["version"] == "2.1.0"
    for name in ("report.html", "report.json", "junit.xml", "results.sarif"):
        assert "clean.accuracy &gt;= 0.999" in (text := (workplace / "runs/gated" / name).read_text()) or ">= 0.999" in text, name
    passed = holdfast("gate", "runs/gated", "--gate", "clean.accuracy >= 0.5", folder=workplace)
    assert passed.returncode == 0
    assert json.loads((workplace / "runs/gated/report.json").read_text())["gates"][0]["status"] == "pass"


def artefacts(file):
    """The files that the results of a SARIF file name."""
    results = json.loads(file.read_text())["runs"][0]["results"]
    return {result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in results}


def test_sarif_names_the_configuration_that_was_read(workplace):
    (workplace / "ci").mkdir()
    (workplace / "ci/audit.toml").write_text("""
preset = "quick"
stresses = ["clean"]
gates = ["clean.accuracy >= 0.9999"]
out = "runs/configured"
[model]
source = "mynet:make"
weights = "w.safetensors"
[data]
source = "test.npz"
examples = 100
""")
    done = holdfast("audit", "-c", workplace / "ci/audit.toml", folder=workplace)
    assert done.returncode == 1, done.stderr
    results = workplace / "runs/configured/results.sarif"
    assert artefacts(results) == {"ci/audit.toml"}
    results.unlink()
    assert holdfast("resume", "runs/configured", folder=workplace).returncode == 1
    assert artefacts(results) == {"ci/audit.toml"}
    (workplace / "later.toml").write_text('gates = ["clean.accuracy >= 0.9998"]')
    assert holdfast("gate", "runs/configured", "-g", "later.toml", "--sarif", "later.sarif", folder=workplace).returncode == 1
    assert artefacts(workplace / "later.sarif") >= {"later.toml"}
    assert json.loads((workplace / "runs/configured/report.json").read_text())["run"]["host"]


def test_verdicts_go_elsewhere_where_that_is_asked(finished, workplace):
    del finished
    before = (workplace / "runs/a/report.json").read_bytes()
    done = holdfast("gate", "runs/a", "--gate", "clean.accuracy >= 0.999", "-o", "pages/gated.html", folder=workplace)
    assert done.returncode == 1
    assert done.stdout.strip().endswith("pages/gated.html")
    assert "0.999" in (workplace / "pages/gated.html").read_text()
    assert (workplace / "runs/a/report.json").read_bytes() == before
    refused = holdfast("gate", "runs/a", "--gate", "clean.accuracy >= 0.9", "-o", "mynet.py/page.html", folder=workplace)
    assert refused.returncode == 2
    assert "where nothing can be written" in refused.stderr
    assert "--out FILE" in refused.stderr


def test_a_comparison_is_judged_by_gates(finished, workplace):
    del finished
    words = ("compare", "runs/a", "runs/a", "-o", "pages/compared.html")
    plain = holdfast(*words, folder=workplace)
    assert (plain.returncode, "Gates" in (workplace / "pages/compared.html").read_text()) == (0, False)
    same = holdfast(*words, "--gate", "clean.accuracy >= baseline", folder=workplace)
    assert same.returncode == 0, same.stdout
    assert "The gate holds." in same.stdout
    (workplace / "more.toml").write_text('gates = ["clean.accuracy >= baseline + 0.01"]')
    both = holdfast(*words, "-g", "more.toml", "--gate", "clean.accuracy >= baseline", folder=workplace)
    assert both.returncode == 1
    assert "1 of 2 gates fails: clean accuracy; 1 holds." in both.stdout
    page = (workplace / "pages/compared.html").read_text()
    assert "clean.accuracy &gt;= baseline + 0.01" in page
    assert "1 of 2 gates fails" in page
    near = f"clean.accuracy >= {json.loads((workplace / 'runs/a/report.json').read_text())['probe']['accuracy']['value']}"
    assert holdfast(*words, "--gate", near, folder=workplace).returncode == 0
    assert holdfast(*words, "--gate", near, "--undecided", "fail", folder=workplace).returncode == 1
    slip = holdfast(*words, "--gate", "clean.acuracy >= baseline", folder=workplace)
    assert (slip.returncode, "Did you mean clean.accuracy?" in slip.stderr) == (2, True)


def test_status_report_and_compare(finished, workplace):
    del finished
    assert " 7 " in holdfast("status", "runs/a", folder=workplace).stdout
    drawn = holdfast("report", "runs/a", folder=workplace)
    assert drawn.stdout.strip().endswith("report.html")
    compared = holdfast("compare", "runs/a", "runs/a", "-o", "diff.html", folder=workplace)
    assert compared.returncode == 0, compared.stderr
    assert "</html>" in (workplace / "diff.html").read_text()


def test_a_plan_runs_nothing(workplace):
    done = holdfast("plan", "--model", "mynet:make", "--weights", "w.safetensors", "--data", "test.npz", *FAST, folder=workplace)
    assert done.returncode == 0, done.stderr
    assert "weight_bits" in done.stdout
    assert not (workplace / "runs" / "mynet").exists()


def test_a_printed_configuration_reproduces_the_settings(workplace):
    printed = holdfast("audit", "--budget", "5m", "--set", "adversarial.pgd.steps=7", "--print-config", folder=workplace)
    (workplace / "again.toml").write_text(printed.stdout)
    assert holdfast("audit", "-c", "again.toml", "--print-config", folder=workplace).stdout == printed.stdout
    assert "steps = 7" in printed.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("audti",), "Did you mean 'audit'?"),
        (("audit", "--presett", "quick"), "--preset"),
        (("audit", "--preset", "quik"), "quik"),
        (("audit", "--stress", "pdg"), "Did you mean 'pgd'?"),
        (("audit", "--budget", "soon"), "allowed: a time such as 90s"),
        (("audit", "--model", "mynet:mak"), "make"),
        (("audit", "--model", "mynet:make", "--weights", "nowhere.safetensors"), "nowhere.safetensors"),
        (("audit", "--gate", "clean.accuracy > 97%"), "Write a share"),
        (("audit", "--set", "adversarial.pgd.stps=3"), "Did you mean 'steps'?"),
        (("audit", "--device", "quda"), "quda"),
        (("audit", "--model", "mynet:make", "--data", "test.npz", "--range", "-1,x"), "`bounds` is '-1,x'"),
        (("audit", "--model", "mynet:make", "--weights", "w.safetensors", "--data", "test.npz", "--out", "mynet.py"), "mynet.py"),
        (("resume", "nowhere"), "holds no run"),
        (("study", "run", "spintronic"), "Did you mean 'spintronic-neuron'?"),
        (("describe", "pdg"), "Did you mean 'pgd'?"),
        (("data", "fetch", "minst"), "Did you mean 'mnist'?"),
        (("gate", "nowhere", "--gate", "clean.accuracy > 0"), "nowhere"),
    ],
)
def test_what_cannot_be_used_is_refused_with_exit_code_2(workplace, words, message):
    done = holdfast(*words, folder=workplace)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("what", ["stresses", "presets", "studies", "data"])
def test_lists(workplace, what):
    done = holdfast("list", what, folder=workplace)
    assert done.returncode == 0, done.stderr
    assert {"stresses": "pgd", "presets": "quick", "studies": "spintronic-neuron", "data": "mnist"}[what] in done.stdout


def test_a_reader_that_leaves_early_is_no_error(workplace):
    """`holdfast ... | head`: silence, and the exit code that a shell gives a program whose reader is gone."""
    reader = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE)
    reader.wait()
    ended = subprocess.run(
        [sys.executable, "-c", "from holdfast.cli import main; main()", "list", "stresses"],
        stdout=reader.stdin,
        stderr=subprocess.PIPE,
        check=False,
        cwd=workplace,
        text=True,
    )
    reader.stdin.close()
    assert (ended.returncode, ended.stderr) == (141, "")


def test_schemas_are_json(workplace):
    for what in ("report", "config"):
        assert json.loads(holdfast("schema", what, folder=workplace).stdout)["properties"]


@pytest.mark.parametrize("flag", ["--bounds", "--range"])
def test_the_bounds_of_the_input_have_two_names(flag, tmp_path):
    shown = holdfast("audit", f"{flag}=-1,1", "--print-config", folder=tmp_path)
    assert "bounds = [-1.0, 1.0]" in shown.stdout


def test_a_point_that_cannot_be_stored_ends_with_3_and_one_sentence(workplace, monkeypatch):
    def full(self, record):
        raise StorageError("A measured point cannot be stored in `runs/full` (database or disk is full).")

    monkeypatch.setattr("holdfast.core.store.Store.commit", full)
    words = ("--model", "mynet:make", "--weights", "w.safetensors", "--data", "test.npz", "--out", "runs/full", *FAST)
    done = holdfast("audit", *words, folder=workplace)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "disk is full" in done.stderr


@pytest.mark.parametrize("command", ["status", "resume"])
def test_a_damaged_database_gets_one_sentence(tmp_path, command):
    (tmp_path / "run.sqlite").write_text("damaged " * 100)
    done = holdfast(command, tmp_path, folder=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "holds a run that cannot be read (file is not a database)" in done.stderr
    assert "--fresh" not in done.stderr


BROKEN_TEXTS = {
    "not UTF-8": b"\xff\xfe\x00{",
    "nested": b"a = " + b"[" * 100_000,
    "cut": b'gates = ["clean.accuracy',
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("content", BROKEN_TEXTS.values(), ids=BROKEN_TEXTS)
@pytest.mark.parametrize(
    "words", [("gate", "runs/a", "-g", "broken"), ("audit", "-c", "broken"), ("report", "broken"), ("gate", "broken")]
)
def test_a_text_file_that_cannot_be_read_gets_one_sentence(workplace, finished, words, content):
    (workplace / "broken").write_bytes(content)
    done = holdfast(*words, folder=workplace)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


def npz(**arrays):
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    return packed.getvalue()


def npy():
    packed = io.BytesIO()
    np.save(packed, np.eye(3))
    return packed.getvalue()


BROKEN_TABLES = {
    "cut": npz(example=np.arange(100), label=np.arange(100))[:200],
    "text": b"example,label",
    "empty": b"",
    "other names": npz(a=np.ones(2)),
    "other lengths": npz(example=np.arange(3), label=np.arange(2)),
    "a number": npz(example=np.int64(1), label=np.int64(1), more=np.arange(3)),
    "one array": npy(),
    "objects": npz(example=np.array([{}, {}], dtype=object), label=np.arange(2)),
}


@pytest.mark.parametrize("content", BROKEN_TABLES.values(), ids=BROKEN_TABLES)
def test_a_table_of_examples_that_cannot_be_read_gets_one_sentence(workplace, finished, content, tmp_path):
    shutil.copytree(workplace / "runs" / "a", tmp_path / "broken")
    (tmp_path / "broken" / "per_example.npz").write_bytes(content)
    done = holdfast("compare", "runs/a", tmp_path / "broken", folder=workplace)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


def test_a_report_that_cannot_be_written_ends_with_3_and_the_points_are_kept(workplace):
    words = ("--model", "mynet:make", "--weights", "w.safetensors", "--data", "test.npz", "--out", "runs/barred", *FAST)
    (workplace / "runs" / "barred" / "report.json" / "a").mkdir(parents=True)  # a folder stands where the file has to go
    (workplace / "runs" / "barred" / "run.lock").touch()
    done = holdfast("audit", *words, folder=workplace)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert "The report cannot be written into" in done.stderr
    shutil.rmtree(workplace / "runs" / "barred" / "report.json")
    assert holdfast("resume", "runs/barred", folder=workplace).returncode == 0
