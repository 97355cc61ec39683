"""A pool of processes refuses what it cannot do in one sentence, and leaves no process and no setting behind."""

import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from small_experiments import NoisyMean

from holdfast.core.errors import InputError
from holdfast.core.executors import Task
from holdfast.core.experiment import Context
from holdfast.core.pool import SpawnPool
from holdfast.core.runner import Identity, run, run_until_interrupted
from holdfast.core.seeds import Seeds
from holdfast.core.target import Target

IDENTITY = Identity(seed=3)
CONTEXT = Context(seeds=Seeds(3))
UNGUARDED = """
from small_experiments import NoisyMean
from holdfast.core.experiment import Context
from holdfast.core.pool import SpawnPool
from holdfast.core.runner import Identity, run
context = Context(extras={"large": bytes(1_000_000)})  # more than a pipe holds
run([NoisyMean()], context, identity=Identity(), executor=SpawnPool(2, threads=1))
"""


class Unsendable:
    """Refuses to be pickled, with an exception of one's choice."""

    def __init__(self, error):
        self.error = error

    def __reduce__(self):
        raise self.error

    def __call__(self, x):
        return x


class Unreadable:
    """Can be sent, but not read on the other side."""

    def __reduce__(self):
        return _raise, (ValueError, "no such thing here")


def _raise(kind, text):
    raise kind(text)


@dataclass(frozen=True, kw_only=True)
class Telling(NoisyMean):
    """Tells the environment of its process, which is sent a Ctrl-C; at strength 1 its answer cannot be sent back."""

    name: ClassVar[str] = "telling"
    strengths: tuple[float, ...] = (0.0, 1.0)
    curve: Any = None

    def measure(self, point, context):
        os.kill(os.getpid(), signal.SIGINT)  # as a terminal does to every process: the parent decides what it ends
        found = super().measure(point, context)
        found.details["policy"] = os.environ.get("OMP_WAIT_POLICY")
        if point["strength"] == 1.0:
            found.details["answer"] = Unsendable(OverflowError("too long"))
        return found


@dataclass(frozen=True, kw_only=True)
class Uneven(NoisyMean):
    """At strength 1 a point that does not end, elsewhere quick ones."""

    name: ClassVar[str] = "uneven"

    def measure(self, point, context):
        if point["strength"] == 1.0:
            time.sleep(600)
        found = super().measure(point, context)
        found.details["policy"] = os.environ.get("OMP_WAIT_POLICY")
        return found


def run_script(folder, text, *words):
    script = folder / "script.py"
    script.write_text(text)
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, str(script), *words],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_script_without_a_guard_is_told_so_instead_of_hanging(tmp_path):
    done = run_script(tmp_path, UNGUARDED)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1, done.stderr
    assert '`if __name__ == "__main__":`' in done.stderr.splitlines()[-1]


def test_a_script_that_cannot_be_imported_again_is_named(tmp_path):
    guarded = UNGUARDED.replace("context =", "assert __name__ == '__main__', 'only once'\ncontext =")
    done = run_script(tmp_path, guarded)
    assert done.returncode == 1
    assert "ended before they were ready (exit code 1)" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "error", [ValueError("no"), RuntimeError("no"), RecursionError("no"), pickle.PicklingError("no")], ids=repr
)
@pytest.mark.parametrize(
    ("name", "context"),
    [
        ("the model", lambda thing: Context(target=Target(model=thing))),
        ("its preprocessing", lambda thing: Context(target=Target(model=abs, preprocess=thing))),
        ("the data", lambda thing: Context(data=thing)),
        ("`baseline`", lambda thing: Context(extras={"baseline": thing})),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name_whatever_the_error(error, name, context):
    with pytest.raises(
        InputError, match=rf"but {name} cannot be sent to another process \({type(error).__name__}: no\); allowed: --workers 1 "
    ):
        run([NoisyMean()], context(Unsendable(error)), identity=IDENTITY, executor=SpawnPool(2, threads=1))


def test_what_cannot_be_read_by_a_worker_is_refused():
    with pytest.raises(InputError, match=r"cannot be read in another process \(ValueError: no such thing here\)"):
        run([NoisyMean()], Context(data=Unreadable()), identity=IDENTITY, executor=SpawnPool(1, threads=1))


def test_workers_sleep_when_idle_and_what_cannot_be_sent_back_is_the_points_own_error(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    sent, lost = run([Telling()], CONTEXT, identity=IDENTITY, executor=SpawnPool(1, threads=1))
    assert sent.measurement.details["policy"] == "PASSIVE"
    assert "OMP_WAIT_POLICY" not in os.environ
    assert (lost.status, lost.reason) == ("error", "OverflowError: too long")


def test_settings_that_cannot_be_sent_are_refused_by_name():
    task = Task(experiment=Telling(curve=Unsendable(ValueError("no"))), point={"strength": 0.0})
    with pytest.raises(InputError, match=r"but the settings of `telling` cannot be sent to another process \(ValueError: no\)"):
        SpawnPool(2, threads=1).submit(task)


def test_an_interrupt_ends_workers_that_do_not_return(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    policies = []

    def interrupt(record):
        policies.append(record.measurement.details["policy"])
        raise KeyboardInterrupt

    begun = time.monotonic()
    found = run_until_interrupted([Uneven()], CONTEXT, identity=IDENTITY, executor=SpawnPool(2, threads=1), on_record=interrupt)
    assert found.interrupted
    assert time.monotonic() - begun < 60  # the point would take 600 s
    assert policies == ["ACTIVE"]  # what the user has set stands
