"""What an audit costs beyond its measurements: loading, planning, storing, judging and drawing, beside the points themselves.

Run with one thread on a quiet core::

    OMP_NUM_THREADS=1 python benchmarks/audit.py --json audit.json

The floor measures the same points of the same stresses in a bare loop, without plan, store, judge and report. Whole, floor and the
drawing of the page alone alternate in one process; times are CPU times, the sum of the points is wall time as the report gives it.
The goal is at most 5 % of the points' time, or 3 s.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

import torch

import holdfast
from holdfast.auditing import AuditSettings
from holdfast.auditing.example import example_network
from holdfast.auditing.inputs import gather
from holdfast.auditing.plan import choose
from holdfast.auditing.stresses import known_stresses
from holdfast.core.experiment import Context
from holdfast.core.seeds import Seeds
from holdfast.report import load, render


def audited(network, examples, options, folder):
    """CPU and wall seconds of one audit, and the sum of its points."""
    cpu, wall = time.process_time(), time.perf_counter()
    report = holdfast.audit(network, examples, preset=options.preset, stresses=options.stress, out=folder, fresh=True)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    failed = [point.error for _, _, point in report.document.points() if point.status != "ok"]
    if failed:
        raise SystemExit(failed[0])
    return cpu, wall, sum(point.seconds or 0.0 for _, _, point in report.document.points())


def bare(inputs, stresses):
    """CPU seconds of the same points in a loop of our own."""
    context = Context(seeds=Seeds(0), target=inputs.target, data=inputs.data)
    begun = time.process_time()
    for stress in stresses:
        own = context.for_experiment(stress.name)
        for point in stress.points():
            stress.measure(point, own)
    return time.process_time() - begun


def drawn(folder):
    """CPU seconds of reading the record and drawing the page."""
    begun = time.process_time()
    render(load(folder))
    return time.process_time() - begun


def main():
    parser = argparse.ArgumentParser(description="overhead of the audit's orchestration")
    parser.add_argument("--preset", default="quick", choices=("quick", "standard"))
    parser.add_argument("--stress", nargs="*", default=["all"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)

    network, examples = example_network(seed=0)
    inputs = gather(AuditSettings(preset=options.preset), network, examples)
    stresses = [
        stress
        for stress in choose(options.stress, preset=options.preset, facts=inputs.facts, known=known_stresses())
        if not stress.unfit(inputs.facts)
    ]
    points = sum(len(stress.points()) for stress in stresses)
    versions = {"holdfast": holdfast.__version__, "torch": torch.__version__, "python": platform.python_version()}
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print(f"{options.preset}: {len(stresses)} stresses, {points} points, {len(inputs.data)} digits, one thread")

    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds + 1):  # the first round warms up
            floor = bare(inputs, stresses)
            cpu, wall, measured = audited(network, examples, options, folder)
            page = drawn(folder)
            if number:
                rounds.append({"whole_cpu": cpu, "whole_wall": wall, "points_wall": measured, "floor_cpu": floor, "page_cpu": page})

    median = {key: statistics.median(entry[key] for entry in rounds) for key in rounds[0]}
    beyond = statistics.median(entry["whole_wall"] - entry["points_wall"] for entry in rounds)
    share = statistics.median(entry["whole_wall"] / entry["points_wall"] - 1 for entry in rounds)
    over_floor = statistics.median(entry["whole_cpu"] / entry["floor_cpu"] for entry in rounds)
    print(f"whole audit      {median['whole_cpu']:8.2f} s CPU  {median['whole_wall']:8.2f} s wall")
    print(f"sum of points    {'':8}        {median['points_wall']:8.2f} s wall")
    print(f"floor, bare loop {median['floor_cpu']:8.2f} s CPU")
    print(f"drawing the page {median['page_cpu']:8.2f} s CPU")
    print(f"beyond the points: {beyond:.2f} s, {share:.1%} of their time; whole audit / floor: {over_floor:.3f}")
    if options.json:
        settings = {"preset": options.preset, "stresses": [stress.name for stress in stresses], "points": points}
        result = {
            "settings": settings,
            "versions": versions,
            "rounds": rounds,
            "beyond_s": beyond,
            "share": share,
            "whole_over_floor": over_floor,
        }
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
