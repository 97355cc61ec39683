"""Nothing that a network does ends an audit with exit code 0 and without its report, and no signal loses what was measured."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import chdir
from itertools import takewhile
from pathlib import Path
from random import Random

import pytest

from holdfast.auditing import Report
from holdfast.cli import main
from holdfast.core.store import Store

NETWORK = """
import ctypes, os, sys, time
import torch

class Troubled(torch.nn.Module):
    '''A classifier that makes trouble as soon as its weights have at most 4 bits.'''

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.linear = torch.nn.Linear(64, 10)

    def forward(self, x):
        if self.how == "slow":
            time.sleep(0.1)
        if self.linear.weight[0].unique().numel() <= 16 and self.how != "none":
            print("in trouble", flush=True)
            self.make_trouble()
        return self.linear(x.flatten(1))

    def make_trouble(self):
        if self.how == "exit":
            sys.exit(0)
        if self.how == "_exit":
            os._exit(0)
        if self.how == "fault":
            ctypes.string_at(0)
        while self.how == "loop":
            pass
        if self.how == "sleep":
            time.sleep(600)
        while self.how == "deaf":
            try:
                time.sleep(600)
            except BaseException:
                pass

def make(how: str = "none"):
    torch.manual_seed(0)
    return Troubled(how)

def leave():
    sys.exit(0)

def hang():
    time.sleep(600)

class Early(torch.nn.Module):
    def forward(self, x):
        sys.exit(0)
"""
STARTED: list[subprocess.Popen] = []
FAST = ("--data", "digits", "--examples", "50", "--allow-low-accuracy", "--stress", "clean", "--stress", "weight_bits")
PASSES = ("--gate", "clean.accuracy >= 0")
SCRIPT = """
import ctypes, os, signal, sys, time
from pathlib import Path
from holdfast.cli.supervised import measure
from holdfast.cli.supervisor import supervise

assert not {"numpy", "torch"} & set(sys.modules), "the supervisor stays small"

def command(send):
    os.write(4, b"what is no message\\n")  # a network that writes where it should not
    send({"doing": "loading", "seconds": None})
    if stage in ("measuring", "writing"):
        send({"folder": "runs/a", "kind": "audit"})
        send({"begin": "key", "doing": "measuring a point", "seconds": 0.1 if how in ("loop", "sleep") else None})
    if stage == "writing":
        send({"doing": "writing the report", "seconds": None})
        time.sleep(3)  # longer than a point might have taken
        send({"reported": True})
        return 0
    if stage == "reported":
        send({"reported": True})
    if how == "fine":
        return 1
    if how == "_exit":
        os._exit(0)
    if how == "fault":
        ctypes.string_at(0)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    while how == "loop":
        pass
    while True:
        try:
            print("begun", os.getpid(), flush=True)
            time.sleep(600)
        except KeyboardInterrupt:
            if how == "deaf":
                continue
            print("farewell", flush=True)
            send({"reported": True})
            return 130

def conclude(left):
    print("concluded", left.folder, left.kind, left.running, left.code)
    return left.code

how, stage = sys.argv[1:]
sys.exit(supervise(lambda send, lifeline: measure(lambda: command(send), send, lifeline), conclude))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A user's folder with a network that makes trouble, and a supervised process that loads no torch."""
    place = tmp_path_factory.mktemp("user")
    (place / "troubled.py").write_text(NETWORK)
    (place / "light.py").write_text(SCRIPT)
    return place


@pytest.fixture(autouse=True)
def none_left():
    """A test that fails leaves no process behind."""
    yield
    while STARTED:
        with STARTED.pop() as process:
            process.kill()


HEEDING = """
import os, signal, sys
for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # a shell that runs the tests in the background has them ignored
    signal.signal(getattr(signal, name), signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def start(folder, *words, **options):
    command = [sys.executable, "-c", HEEDING, *map(str, words)]
    STARTED.append(subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options))
    return STARTED[-1]


def audit(folder, how, *words, out, **options):
    model = ("--model", "troubled:make", "--model-arg", f"how={how}")
    return start(folder, "-m", "holdfast", "audit", *model, *FAST, *words, "--out", out, **options)


def points_of(folder):
    return {point.at.get("bits"): point for _, _, point in Report.read(folder).document.points()}


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("_exit", "the process ended by itself (exit status 0) while measuring a point; what was measured is reported."),
        ("fault", "SIGSEGV ended the process while measuring a point"),
        ("kill", "SIGKILL (killed, or out of memory) ended the process while measuring a point"),
        pytest.param("loop", "measuring a point did not end within its limit of 0.1 s", marks=pytest.mark.slow),
        (
            "sleep",
            "measuring a point did not end within its limit of 0.1 s (--point-limit or --budget sets it), so the process was ended",
        ),
    ],
)
def test_a_process_that_ends_or_hangs_within_a_point_is_a_crash_whose_run_is_reported(folder, how, says):
    process = start(folder, "light.py", how, "measuring")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert says in err
    assert out.splitlines()[-1] == "concluded runs/a audit key 3"


def test_a_process_that_ends_before_it_has_measured_leaves_nothing_to_report(folder):
    process = start(folder, "light.py", "_exit", "loading")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "while loading; nothing was measured." in err
    assert "concluded" not in out


def test_the_exit_code_of_a_process_that_says_its_last_word_is_that_of_the_command(folder):
    process = start(folder, "light.py", "fine", "reported")
    assert (process.communicate(timeout=60)[1], process.returncode) == ("", 1)


def test_the_limit_of_a_point_is_not_that_of_the_report(folder):
    process = start(folder, "light.py", "loop", "writing")
    assert (process.communicate(timeout=60)[1], process.returncode) == ("", 0)


def test_a_word_without_a_report_is_a_crash_unless_nothing_was_measured(folder):
    process = start(folder, "light.py", "fine", "measuring")
    assert "concluded runs/a audit key 3" in process.communicate(timeout=60)[0]
    assert process.returncode == 3


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_signals_end_a_run_with_its_report_and_their_own_code(folder, name, code):
    process = start(folder, "light.py", "wait", "measuring")
    process.stdout.readline()
    process.send_signal(signal.Signals[name])
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (code, "farewell\n", "")


def test_a_signal_to_the_process_and_to_its_group_is_one_signal(folder):
    process = start(folder, "light.py", "wait", "measuring", start_new_session=True)
    child = int(process.stdout.readline().split()[1])
    for target in (process.pid, child):
        os.kill(target, signal.SIGTERM)
    os.killpg(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (143, "farewell\n", "")


def test_what_swallows_a_signal_is_ended_by_the_second_one(folder):
    process = start(folder, "light.py", "deaf", "measuring")
    process.stdout.readline()
    process.terminate()
    time.sleep(1.2)
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "SIGTERM ended the run while measuring a point" in err
    assert "concluded runs/a audit key 143" in out


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_the_measuring_process_does_not_outlive_its_supervisor(folder):
    process = start(folder, "light.py", "deaf", "measuring")
    child = int(process.stdout.readline().split()[1])
    assert is_alive(child)
    process.kill()
    process.communicate(timeout=60)
    limit = time.monotonic() + 10
    while is_alive(child):
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_a_network_that_ends_the_process_leaves_a_partial_report_and_exit_code_3(folder):
    process = audit(folder, "_exit", *PASSES, out="a")
    out, err = process.communicate(timeout=250)
    assert process.returncode == 3
    assert "(exit status 0) while measuring weight_bits bits=4;" in err
    assert out.splitlines()[-1] == "holdfast resume a"
    document = Report.read(folder / "a").document
    assert document.run.status == "partial"
    assert [gate.status for gate in document.gates] == ["pass"]
    points = points_of(folder / "a")
    assert {bits: point.status for bits, point in points.items()} == {None: "ok", 8: "ok", 6: "ok", 5: "ok", 4: "error"}
    assert "exit status 0" in points[4].error


def test_a_reader_that_leaves_costs_no_report_and_no_exit_code(folder):
    process = audit(folder, "none", "--gate", "clean.accuracy >= 0.99", out="b")
    process.stdout.close()
    assert process.wait(timeout=250) == 1
    assert process.stderr.read() == ""
    assert json.loads((folder / "b" / "report.json").read_text())["run"]["status"] == "complete"


@pytest.mark.parametrize(
    ("model", "code", "says"),
    [
        (("troubled:make", "--model-arg", "how=exit"), 3, ""),
        (("troubled:leave",), 2, "your factory `leave` raised SystemExit: 0"),
        (("troubled:Early",), 2, "raised SystemExit: 0 (troubled.py, line"),
    ],
)
def test_sys_exit_of_a_model_is_never_the_exit_code(folder, capsys, model, code, says):
    with chdir(folder), pytest.raises(SystemExit) as ending:
        main(["audit", "--model", *model, *FAST, *PASSES, "--out", f"c{code}"])
    assert ending.value.code == code
    assert says in capsys.readouterr().err
    if code == 3:
        assert points_of(folder / "c3")[4].error.splitlines()[-1] == "SystemExit: 0"


def test_an_interrupt_before_the_first_point_is_one_sentence(folder, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("holdfast.auditing.pipeline.gather", interrupted)
    for command in ("audit", "plan"):
        with chdir(folder), pytest.raises(SystemExit) as ending:
            main([command])
        assert ending.value.code == 130
        assert capsys.readouterr().err == "holdfast: interrupted\n"


@pytest.mark.slow
@pytest.mark.parametrize(("how", "status"), [("fault", "SIGSEGV"), ("loop", "its limit of 5 s"), ("sleep", "its limit of 5 s")])
def test_faults_and_hangs_of_a_network_end_in_a_partial_report(folder, how, status):
    process = audit(folder, how, *PASSES, "--point-limit", "5s", out=f"d-{how}")
    assert status in process.communicate(timeout=250)[1]
    assert process.returncode == 3
    assert points_of(folder / f"d-{how}")[4].status == "error"
    again = start(folder, "-m", "holdfast", "resume", f"d-{how}")
    out = again.communicate(timeout=250)[0]
    assert again.returncode == 3
    assert out.count("kept from before") == 4


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
@pytest.mark.parametrize("how", ["sleep", "deaf"])
def test_signals_end_an_audit_with_its_report_and_no_worker_is_left(folder, workers, name, code, how):
    out = folder / f"e-{workers}-{name}-{how}"
    process = audit(folder, how, "--workers", workers, *PASSES, out=out)
    while "in trouble" not in process.stdout.readline():
        assert process.poll() is None
    begun = family(process.pid)
    assert len(begun) > workers - 1
    process.send_signal(signal.Signals[name])
    last = process.communicate(timeout=250)[0].splitlines()[-1]
    assert process.returncode == code
    assert last.startswith("holdfast resume")
    assert Report.read(out).document.run.status == "interrupted"
    assert not any(map(is_alive, begun))


def family(pid):
    """The processes that `pid` has begun, and those that they have."""
    children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*children, *(one for child in children for one in family(child))]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_supervisor_takes_all_processes_with_it(folder, workers):
    process = audit(folder, "deaf", "--workers", workers, out=f"f-{workers}")
    while "in trouble" not in process.stdout.readline():
        assert process.poll() is None
    begun = family(process.pid)
    process.kill()
    process.communicate(timeout=250)
    limit = time.monotonic() + 10
    while any(map(is_alive, begun)):
        assert time.monotonic() < limit
        time.sleep(0.05)


def told(folder):
    """What a report says, but for times and for where it lies."""
    document = json.loads((folder / "report.json").read_text())
    own = {"started", "finished", "seconds", "command", "config"}
    document["run"] = {key: value for key, value in document["run"].items() if key not in own}
    document["probe"] = {key: value for key, value in document["probe"].items() if not key.startswith("t_")}
    for card in document["cards"].values():
        for stress in card["stresses"].values():
            stress.pop("seconds", None)
            for point in stress["points"]:
                point.pop("seconds", None)
    return document


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("workers", [1, 2])
def test_kills_lose_no_finished_point_and_repeat_none(folder, workers):
    whole, killed = folder / f"i-{workers}", folder / f"j-{workers}"
    options = ("--workers", workers, *PASSES)
    assert audit(folder, "slow", *options, out=whole).communicate(timeout=250)[1] == ""
    random, before, starts = Random(workers), 0, 0
    while not (killed / "report.json").is_file():
        starts += 1
        process = audit(folder, "slow", *options, out=killed)
        said = [*takewhile(lambda line, new=f"{before + 1}/7": not line.strip().startswith(new), process.stdout)]
        time.sleep(random.uniform(0.0, 1.0))
        process.kill()
        out, err = process.communicate(timeout=250)
        assert err == ""
        assert "".join([*said, out]).count("kept from before") == before
        before = len(Store.read(killed).records())
        assert starts < 100
    last = audit(folder, "slow", *options, out=killed)
    assert last.communicate(timeout=250)[0].count("kept from before") == 7
    assert told(killed) == told(whole)
    assert {path.name for path in killed.rglob("[!.]*")} == {path.name for path in whole.rglob("[!.]*")}


@pytest.mark.slow
def test_a_factory_that_hangs_ends_with_the_budget(folder):
    begun = time.monotonic()
    process = start(folder, "-m", "holdfast", "audit", "--model", "troubled:hang", *FAST, "--budget", "5s", "--out", "g")
    assert "did not end within its limit of 5 s" in process.communicate(timeout=250)[1]
    assert process.returncode == 3
    assert time.monotonic() - begun < 30


@pytest.mark.slow
@pytest.mark.parametrize("redirection", [">&-", ">&- 2>&-", ">/dev/full", "| head -1"])
def test_a_closed_or_full_output_loses_no_report(folder, redirection):
    out = f"h-{abs(hash(redirection))}"
    words = " ".join(["-m holdfast audit --model troubled:make", *FAST, "--out", out, "--gate 'clean.accuracy >= 0.99'"])
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{sys.executable} {words} {redirection}"], cwd=folder, check=False, timeout=250
    )
    assert done.returncode == 1
    assert Report.read(folder / out).document.run.status == "complete"
