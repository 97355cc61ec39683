"""A hundred kills at random moments, of audits and studies, with one and two workers: nothing is lost, repeated or left behind."""

import json
import multiprocessing
import random
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest
from safetensors.torch import save_file

from holdfast.core.durable import is_scratch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
KILLS = 25  # of each of the four kinds of run
TIMES = ("started", "finished", "seconds", "t_forward", "t_backward", "resume", "command", "out", "commit", "workers")
FACTORY = "from holdfast.nets import tiny_cnn\n\n\ndef make():\n    return tiny_cnn(size=8)\n"
STRESSES = ["clean", "fgsm", "pgd", "weight_bits", "weight_noise", "transfer"]
SMALL = {
    "adversarial": {"pgd": {"steps": 5}, "transfer": {"examples": 20, "queries": 60, "steps": 5}},
    "device": {"weight_noise": {"chips": 3}},
}


def audit_again(user, out, workers):
    """Begin or go on with the audit in `out`."""
    import torch

    from holdfast.auditing import audit

    torch.set_num_threads(1)
    sources = (f"{user}/mynet.py:make", f"{user}/test.npz")
    options = {"weights": f"{user}/w.safetensors", "examples": 60, "unlabelled": "digits", "workers": workers, "threads": 1}
    audit(*sources, stresses=STRESSES, settings=SMALL, out=str(out), **options)


def study_again(user, out, workers):
    """Begin or go on with the study in `out`."""
    from holdfast.studies import run_study

    run_study("spintronic-neuron", preset="tiny", out=out, workers=workers, threads=1)


@pytest.fixture(scope="module")
def processes():
    """A server that has loaded everything and forks a process for each start, which saves the seconds of loading."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["holdfast.auditing", "holdfast.auditing.stresses", "holdfast.studies.run", "holdfast.report.page"]
    )
    return context


@pytest.fixture(scope="module")
def user(tmp_path_factory, digits_cnn, digits_small):
    folder = tmp_path_factory.mktemp("user")
    (folder / "mynet.py").write_text(FACTORY)
    save_file(digits_cnn.state_dict(), folder / "w.safetensors")
    np.savez(folder / "test.npz", x=digits_small[1].x.numpy(), y=digits_small[1].y.numpy())
    return folder


def without_times(entry):
    if isinstance(entry, dict):
        return {key: without_times(item) for key, item in entry.items() if key not in TIMES}
    return [without_times(item) for item in entry] if isinstance(entry, list) else entry


def committed(run):
    """Key -> place and time of each stored point."""
    try:
        with closing(sqlite3.connect(f"file:{run}/run.sqlite?mode=ro", uri=True, timeout=5)) as connection:
            return {key: (row, *rest) for key, row, *rest in connection.execute("select key, rowid, finished, digest from points")}
    except sqlite3.OperationalError:  # not there yet
        return {}


def files(run):
    return {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}


@dataclass
class Tally:
    """What became of the runs that were killed."""

    kills: int = 0
    while_reporting: int = 0
    lost: int = 0
    repeated: int = 0
    differing: int = 0
    left_behind: list = field(default_factory=list)

    def compare(self, before, after):
        self.lost += len(before.keys() - after.keys())
        self.repeated += sum(before[key] != after[key] for key in before.keys() & after.keys())


def wait_among_points(dice, process, run):
    """Return soon after some further points were committed, or at any moment of the start."""
    more, before = dice.choice([0, 1, 1, 2, 3]), len(committed(run))
    while more and process.is_alive() and len(committed(run)) < before + more:
        time.sleep(0.005)
    time.sleep(dice.uniform(0, 0.05 if more else 2.0))


def wait_for_report(dice, process, run):
    """Return while the first file of the report is being written, or shortly after."""
    while process.is_alive() and not any(is_scratch(path.name) for path in run.iterdir()):
        time.sleep(0.0005)
    time.sleep(dice.choice([0, dice.uniform(0, 0.3)]))


def kill_often(start, processes, folder, *, kills, whole):
    """Kill runs that `start` begins until there were `kills` of them, each run to its end; compare with the `whole` one."""
    dice, tally, number = random.Random(0), Tally(), 0
    points = len(committed(whole))
    report = without_times(json.loads((whole / "report.json").read_text()))
    while tally.kills < kills:
        run, reporting, before = folder / f"killed-{number}", 0, {}
        number += 1
        while tally.kills < kills and reporting < 4:
            only_report = len(before) == points
            reporting += only_report
            process = processes.Process(target=start, args=(run,))
            process.start()
            (wait_for_report if only_report else wait_among_points)(dice, process, run)
            tally.kills += process.is_alive()
            tally.while_reporting += process.is_alive() and only_report
            process.kill()
            process.join()
            now = committed(run)
            tally.compare(before, now)
            before = now
        last = processes.Process(target=start, args=(run,))
        last.start()
        last.join()
        assert last.exitcode == 0
        tally.compare(before, committed(run))
        tally.differing += without_times(json.loads((run / "report.json").read_text())) != report
        tally.left_behind += sorted(files(run) ^ files(whole))
    return tally


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("begin", [audit_again, study_again])
def test_kills_lose_repeat_and_leave_nothing(tmp_path, user, processes, begin, workers, record_property):
    start = partial(begin, user, workers=workers)
    whole = processes.Process(target=start, args=(tmp_path / "whole",))
    whole.start()
    whole.join()
    assert whole.exitcode == 0
    tally = kill_often(start, processes, tmp_path, kills=KILLS, whole=tmp_path / "whole")
    record_property(f"{begin.__name__}, {workers} workers", str(tally))
    assert tally.kills >= KILLS
    assert tally.while_reporting >= 4
    assert (tally.lost, tally.repeated, tally.differing, tally.left_behind) == (0, 0, 0, [])
