"""The audit as its user runs it, whole: on MNIST, under kills, within a time budget. Minutes of work."""

import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file
from test_audit import without_times

from holdfast.report import ARTEFACTS, load

pytestmark = pytest.mark.slow
COMMAND = Path(sys.executable).with_name("holdfast")
FACTORY = "from holdfast.nets import tiny_cnn\n\n\ndef make(size: int = 28):\n    return tiny_cnn(size=size)\n"


def user_folder(folder, network, examples):
    (folder / "mynet.py").write_text(FACTORY)
    save_file(network.state_dict(), folder / "w.safetensors")
    np.savez(folder / "test.npz", x=examples.x.numpy(), y=examples.y.numpy())
    return folder


def words(out, *more, size):
    model = ("--model", "mynet:make", "--model-arg", f"size={size}", "--weights", "w.safetensors", "--data", "test.npz")
    return [str(COMMAND), "audit", *model, "--threads", "1", "--out", out, *more]


def test_the_quick_audit_of_an_mnist_network_is_whole_and_lean(tmp_path, trained_cnn, mnist_small):
    folder = user_folder(tmp_path, trained_cnn, mnist_small[1])
    done = subprocess.run(words("run", "--preset", "quick", size=28), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in (*ARTEFACTS, "per_example.npz"):
        assert (folder / "run" / name).stat().st_size > 0
    assert (folder / "run" / "report.html").stat().st_size < 1.5e6
    assert load(folder / "run").run.status == "complete"
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1.5 * 2**20  # KiB


def committed(run):
    try:
        with sqlite3.connect(f"file:{run}/run.sqlite?mode=ro", uri=True, timeout=5) as connection:
            return connection.execute("select count(*) from points").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def test_ten_kills_change_nothing_in_the_report(tmp_path, digits_cnn, digits_small):
    folder = user_folder(tmp_path, digits_cnn, digits_small[1])
    more = ("--examples", "500", "--set", "adversarial.pgd.steps=100", "--gate", "clean.accuracy >= 0.8")
    subprocess.run(words("whole", *more, size=8), cwd=folder, capture_output=True, check=True)
    moments = random.Random(0)
    kills = 0
    while kills < 10:
        before = committed(folder / "killed")
        process = subprocess.Popen(words("killed", *more, size=8), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for = moments.choice([0, 1, 2])
        while process.poll() is None and committed(folder / "killed") < before + wait_for:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.05 if wait_for else 3.0))  # among the points, or anywhere in the start
        assert process.poll() is None, "the run ended before it could be killed ten times"
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    ended = subprocess.run([str(COMMAND), "resume", "killed"], cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode == 2:  # killed before its settings were stored
        ended = subprocess.run(words("killed", *more, size=8), cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    reports = [without_times(json.loads((folder / run / "report.json").read_text())) for run in ("whole", "killed")]
    assert reports[0] == reports[1]


@pytest.mark.parametrize("seconds", [30])
def test_a_time_budget_is_kept_and_the_report_says_what_was_cut(tmp_path, trained_cnn, mnist_small, seconds):
    folder = user_folder(tmp_path, trained_cnn, mnist_small[1])
    more = ("--preset", "standard", "--budget", f"{seconds}s")
    begun = time.monotonic()
    done = subprocess.run(words("run", *more, size=28), cwd=folder, capture_output=True, text=True, check=False, env=os.environ)
    spent = time.monotonic() - begun
    assert done.returncode == 0, done.stderr
    document = load(folder / "run")
    assert spent < 1.2 * seconds
    assert document.reduced or document.skipped
    assert all("time budget" in entry.reason for entry in document.reduced)
