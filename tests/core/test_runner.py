"""The runner measures each point once, wherever and however often it is started."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_experiments import Asking, Careless, Logged, NoisyMean, Troubled

from holdfast.core.errors import InputError
from holdfast.core.experiment import Context, Experiment
from holdfast.core.pool import SpawnPool
from holdfast.core.runner import Allowance, Identity, measurements, point_key, run, run_until_interrupted, settings_of
from holdfast.core.seeds import Seeds
from holdfast.core.store import Store
from holdfast.core.target import Target

IDENTITY = Identity(seed=3)
CONTEXT = Context(seeds=Seeds(3))


def means(records):
    return [record.measurement.estimates["mean"] for record in records]


def test_the_small_experiments_keep_the_protocol():
    assert isinstance(NoisyMean(), Experiment)


def test_records_come_in_the_order_of_the_points():
    records = run([NoisyMean()], CONTEXT, identity=IDENTITY)
    assert [record.at["strength"] for record in records] == [0, 1, 2]
    assert all(record.status == "ok" for record in records)


def test_the_number_of_workers_changes_no_number():
    here = run([NoisyMean()], CONTEXT, identity=IDENTITY)
    there = run([NoisyMean()], CONTEXT, identity=IDENTITY, executor=SpawnPool(2, threads=1))
    assert means(here) == means(there)
    for one, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(one.measurement.arrays["draws"], other.measurement.arrays["draws"])


def test_global_generators_start_from_the_seed_of_the_point():
    whole = run([Careless()], CONTEXT, identity=IDENTITY)
    there = run([Careless()], CONTEXT, identity=IDENTITY, executor=SpawnPool(2, threads=1))
    part = run([Careless(strengths=(2.0,))], CONTEXT, identity=IDENTITY)
    draws = [[record.measurement.arrays["draws"].tolist() for record in records] for records in (whole, there, part)]
    assert draws[0] == draws[1]
    assert draws[0][2:] == draws[2]
    assert len({number for row in draws[0] for number in row}) == 9


def test_a_point_is_the_same_alone_and_among_others():
    alone = run([NoisyMean(strengths=(2.0,))], CONTEXT, identity=IDENTITY)
    assert means(alone) == means(run([NoisyMean()], CONTEXT, identity=IDENTITY))[2:]


def test_finished_points_are_reused_and_equal(tmp_path):
    log = tmp_path / "log"
    experiment = Logged(log=str(log), seconds=0)
    with Store.create(tmp_path / "run", {}) as store:
        first = run([experiment], CONTEXT, identity=IDENTITY, store=store)
        second = run([experiment], CONTEXT, identity=IDENTITY, store=store)
    assert means(first) == means(second)
    assert all(record.reused for record in second)
    assert len(log.read_text().splitlines()) == 12


@pytest.mark.parametrize(
    "changed",
    [
        (NoisyMean(samples=51), IDENTITY),
        (NoisyMean(), Identity(seed=4)),
        (NoisyMean(), Identity(seed=3, target="other")),
        (NoisyMean(), Identity(seed=3, data="other")),
        (type("Revised", (NoisyMean,), {"version": 2})(), IDENTITY),
    ],
    ids=["settings", "seed", "target", "data", "version"],
)
def test_the_key_changes_with_everything_that_numbers_depend_on(changed):
    experiment, identity = changed
    point = {"strength": 0.0}
    assert point_key(experiment, point, identity) != point_key(NoisyMean(), point, IDENTITY)


def test_settings_are_the_dataclass_fields():
    assert settings_of(NoisyMean(samples=2)) == {"strengths": [0.0, 1.0, 2.0], "samples": 2}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_crash_becomes_a_record_and_the_rest_goes_on(tmp_path, workers):
    executor = SpawnPool(2, threads=1) if workers > 1 else None
    with Store.create(tmp_path, {}) as store:
        records = run([Troubled(), NoisyMean()], CONTEXT, identity=IDENTITY, store=store, executor=executor)
    assert [record.status for record in records] == ["ok", "error", "ok", "ok", "ok", "ok"]
    assert "the point went wrong" in records[1].error
    assert "Traceback" in Store.read(tmp_path).find(records[1].key).error


def test_a_killed_worker_costs_its_own_point_only():
    records = run([Troubled(trouble="die")], CONTEXT, identity=IDENTITY, executor=SpawnPool(2, threads=1))
    assert [record.status for record in records] == ["ok", "error", "ok"]
    assert "killed" in records[1].error


def test_a_point_that_runs_out_of_memory_is_tried_with_smaller_batches():
    records = run([Troubled(trouble="memory")], CONTEXT, identity=IDENTITY)
    assert [record.status for record in records] == ["ok"] * 3


def test_failed_points_are_tried_again(tmp_path):
    with Store.create(tmp_path, {}) as store:
        run([Troubled()], CONTEXT, identity=IDENTITY, store=store)
        again = run([Troubled()], CONTEXT, identity=IDENTITY, store=store)
    assert [record.reused for record in again] == [True, False, True]


def test_time_is_checked_between_batches_and_late_points_are_not_stored(tmp_path):
    experiment = Troubled(trouble="time")
    with Store.create(tmp_path, {}) as store:
        begun = time.monotonic()
        records = run([experiment], CONTEXT, identity=IDENTITY, store=store, allowance=Allowance(deadline=time.time() + 0.5))
        spent = time.monotonic() - begun
        assert [record.status for record in records] == ["ok", "late", "late"]
        assert [record.status for record in store.records()] == ["ok"]
    assert spent < 5  # the point alone would take 10 s


def test_a_point_ends_at_its_own_limit_and_that_is_its_error():
    allowance = Allowance(limit=lambda experiment, point: 0.1)
    begun = time.monotonic()
    records = run([Troubled(trouble="time")], CONTEXT, identity=IDENTITY, allowance=allowance)
    assert [record.status for record in records] == ["ok", "error", "ok"]
    assert "longer than its limit of 0.1 s" in records[1].reason
    assert time.monotonic() - begun < 5  # the point alone would take 10 s


def test_a_budget_that_ends_before_the_limit_makes_a_point_late():
    allowance = Allowance(deadline=time.time() + 0.3, limit=lambda experiment, point: 60.0)
    records = run([Troubled(trouble="time")], CONTEXT, identity=IDENTITY, allowance=allowance)
    assert [record.status for record in records] == ["ok", "late", "late"]


def test_sys_exit_within_a_point_is_its_error():
    records = run([Troubled(trouble="leave")], CONTEXT, identity=IDENTITY)
    assert [record.status for record in records] == ["ok", "error", "ok"]
    assert records[1].reason == "SystemExit: 0"


def test_points_that_failed_before_come_last(tmp_path):
    order = []
    with Store.create(tmp_path, {}) as store:
        run([Troubled(strengths=(1.0,))], CONTEXT, identity=IDENTITY, store=store)
    with Store.create(tmp_path, {}) as store:
        (key,) = [record.key for record in store.records()]
        store.commit(replace(store.find(key), key=point_key(Troubled(), {"strength": 1.0}, IDENTITY)))
        run([Troubled()], CONTEXT, identity=IDENTITY, store=store, on_begin=lambda task: order.append(task.point["strength"]))
    assert order == [0.0, 2.0, 1.0]


def test_a_query_allowance_is_never_exceeded():
    target = Target(model=lambda x: x)
    context = Context(seeds=Seeds(3), target=target)
    allowance = Allowance(queries=lambda experiment, point: 9 if point["strength"] == 1 else 10)
    records = run([Asking()], context, identity=IDENTITY, allowance=allowance)
    assert [record.status for record in records] == ["ok", "error", "ok"]
    assert [record.queries for record in records] == [10, 0, 10]
    assert "exceed the limit of 9" in records[1].error


def test_what_cannot_be_sent_to_a_worker_is_refused_with_the_way_out():
    context = Context(seeds=Seeds(3), target=Target(model=lambda x: x))
    with pytest.raises(InputError, match="allowed: --workers 1"):
        run([NoisyMean()], context, identity=IDENTITY, executor=SpawnPool(2, threads=1))


def test_summaries_are_given_finished_points_only():
    records = run([Troubled()], CONTEXT, identity=IDENTITY)
    assert [at["strength"] for at, _ in measurements(Troubled(), records)] == [0, 2]


SCRIPT = """
import sys
from small_experiments import Logged
from holdfast.core.experiment import Context
from holdfast.core.runner import Identity, run
from holdfast.core.seeds import Seeds
from holdfast.core.store import Store
folder, log = sys.argv[1:]
with Store.create(folder, {}) as store:
    run([Logged(log=log)], Context(seeds=Seeds(3)), identity=Identity(seed=3), store=store)
"""


POOL = """
from small_experiments import Logged
from holdfast.core.pool import SpawnPool
from holdfast.core.experiment import Context
from holdfast.core.runner import Identity, run
from holdfast.core.seeds import Seeds
if __name__ == "__main__":
    import sys
    run([Logged(log=sys.argv[1], seconds=30)], Context(seeds=Seeds(3)), identity=Identity(seed=3), executor=SpawnPool(1, threads=1))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")
def test_workers_do_not_outlive_a_parent_that_was_killed(tmp_path):
    script, log = tmp_path / "pool.py", tmp_path / "log"
    script.write_text(POOL)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])}
    parent = subprocess.Popen([sys.executable, str(script), str(log)], env=environment)
    while not log.exists():
        assert parent.poll() is None
        time.sleep(0.05)
    workers = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    assert workers
    parent.kill()
    parent.wait()
    limit = time.monotonic() + 20  # the point itself would take 30 s
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < limit, "a worker is still there"
        time.sleep(0.1)


def test_kill_minus_nine_ten_times_repeats_at_most_one_point_per_kill(tmp_path):
    """The process is killed at random moments; what it committed is whole and is never measured again."""
    log, folder = tmp_path / "log", tmp_path / "run"
    command = [sys.executable, "-c", SCRIPT, str(folder), str(log)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])}
    moments = random.Random(0)
    kills = 0
    for _ in range(10):
        process = subprocess.Popen(command, env=environment)
        before = len(log.read_text().splitlines()) if log.exists() else 0
        while process.poll() is None and (len(log.read_text().splitlines()) if log.exists() else 0) <= before:
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.06))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
    subprocess.run(command, env=environment, check=True)
    records = Store.read(folder).records()
    uninterrupted = run([Logged(log=str(log), seconds=0)], CONTEXT, identity=IDENTITY)
    measured = log.read_text().splitlines()[: -len(uninterrupted)]
    assert kills >= 5
    assert len(measured) <= len(records) + kills
    by_strength = sorted(records, key=lambda record: record.at["strength"])
    assert means(by_strength) == means(uninterrupted)


def test_an_interrupt_keeps_what_was_measured_and_the_observer_sees_each_point_once():
    seen = []

    def observe(record):
        seen.append(record.at["strength"])
        if len(seen) == 2:
            raise KeyboardInterrupt

    found = run_until_interrupted([NoisyMean()], CONTEXT, identity=IDENTITY, on_record=observe)
    assert found.interrupted
    assert [record.at["strength"] for record in found.records] == seen == [0, 1]
    whole = run_until_interrupted([NoisyMean()], CONTEXT, identity=IDENTITY)
    assert not whole.interrupted
    assert means(whole.records)[:2] == means(found.records)
