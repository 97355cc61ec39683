"""Time stepping of macrospins beside cmtj, and agreement with it. One thread, one process.

Usage: ``python benchmarks/macrospin.py [--repeats 5] [--json FILE]``

The work: a free layer with an easy plane of 6e5 A/m under a field of 4e4 A/m and an alternating one of 100 A/m at 5 GHz, steps of
1 ps, a sample every 10 steps; Runge-Kutta at 0 K and stochastic Heun at 300 K. holdfast carries 256 devices through 20 000 steps
in one call, cmtj (``pip install cmtj``) one device after another. Contenders take turns after a warm-up, times are CPU times of one
thread, and the table shows medians and their ratio. The floor is what the arithmetic alone would take: 190 floating-point
operations per Runge-Kutta step at the rate of a compiled loop of multiply-adds on this core.

Where there is a CUDA device, 100 000 devices are carried through 1000 steps on tensors as well.

Agreement: largest difference of the magnetisation after 1 ns of motion under damping-like and field-like torque that follow a
sine, with cmtj's constants. What cmtj logs at a time is the magnetisation a step later.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numba
import numpy as np

from holdfast.core.errors import MacrospinWarning
from holdfast.devices.spintronics import Drive, MacrospinDevice, SpinDiode, SpinTorque, simulate
from holdfast.devices.spintronics.constants import GAMMA0, spin_transfer_field
from holdfast.devices.spintronics.lanes import LANES
from holdfast.devices.spintronics.macrospin.cmtj_peer import CMTJ_GAMMA0, cmtj_junction

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    import cmtj
except ImportError:
    cmtj = None

warnings.simplefilter("ignore", MacrospinWarning)  # the peer integrates one moment too
DEVICES, STEPS, DT = 256, 20_000, 1e-12
MS, MEFF, THICKNESS, AREA, ALPHA = 1e6, 6e5, 2e-9, math.pi * 50e-9**2, 0.01
WAVE = Drive(frequency=5e9, field_ac=(0, 100.0, 0))
FLOPS_PER_STEP = 190
GOALS = {"RK4, 0 K": 30, "Heun, 300 K": 20}


def layer(**changes) -> MacrospinDevice:
    numbers = {"ms": MS, "thickness": THICKNESS, "area": AREA, "alpha": ALPHA, "field": (4e4, 0, 0), "demag": (0, 0, MEFF)}
    return MacrospinDevice(**numbers | changes)


def ours(temperature: float) -> Callable[[], float]:
    """Steps per second of holdfast."""
    diode = SpinDiode(layer=layer(alpha=np.full(DEVICES, ALPHA), temperature=temperature))

    def measure() -> float:
        start = time.process_time()
        simulate(diode, WAVE, duration=STEPS * DT, dt=DT, every=10, threads=1, start=(1, 0.1, 0))
        return DEVICES * STEPS / (time.process_time() - start)

    return measure


def peer(temperature: float) -> Callable[[], float]:
    """Steps per second of cmtj."""

    def measure() -> float:
        spent, runs = 0.0, 8
        for _ in range(runs):
            junction = cmtj_junction(layer(temperature=temperature), WAVE, start=(1, 0.1, 0))
            start = time.process_time()
            junction.runSimulation(STEPS * DT, DT, 10 * DT)
            spent += time.process_time() - start
        return runs * STEPS / spent

    return measure


@numba.njit(fastmath=True)
def multiply_adds(values: np.ndarray, rounds: int) -> None:
    for _ in range(rounds):
        for i in range(values.size):
            x = values[i]
            a, b, c, d = x, x + 1, x + 2, x + 3
            for _ in range(24):
                a, b, c, d = a * x + b, b * x + c, c * x + d, d * x + a
            values[i] = 1e-9 * (a + b + c + d)


def arithmetic_rate() -> float:
    """Floating-point operations per second of a compiled, vectorised loop in the first-level cache."""
    values, rounds = np.full(LANES, 0.5), 20_000
    multiply_adds(values, 10)
    start = time.process_time()
    multiply_adds(values, rounds)
    return rounds * values.size * 24 * 8 / (time.process_time() - start)


def agreement() -> float:
    """Largest difference of the magnetisation after 1 ns."""
    pull, push, dt = 300.0, 120.0, 1e-13
    junction = cmtj_junction(layer(), Drive(), start=(1, 0.1, 0))
    junction.getLayer("free").setReferenceLayer(cmtj.CVector(0.5, math.sqrt(0.75), 0))
    junction.setLayerDampingLikeTorqueDriver("free", cmtj.sineDriver(0, pull, 5e9, 0))
    junction.setLayerFieldLikeTorqueDriver("free", cmtj.sineDriver(0, push, 5e9, 0))
    junction.runSimulation(1e-9 + 2 * dt, dt, dt)
    log = junction.getLog()
    path = np.array([log["free_mx"], log["free_my"], log["free_mz"]]).T
    slower = CMTJ_GAMMA0 / GAMMA0  # the same motion in less time
    amplitude = pull / (0.6 * float(spin_transfer_field(MS, THICKNESS * AREA)))
    torque = SpinTorque(polarization=(0.5, math.sqrt(0.75), 0), efficiency=0.6, field_like=push / pull)
    drive = Drive(i_ac=amplitude, frequency=5e9 / slower)
    run = simulate(
        SpinDiode(layer=layer(), torque=torque),
        drive,
        duration=10_000 * dt * slower,
        dt=dt * slower,
        every=1,
        start=(1, 0.1, 0),
        trace=True,
    )
    return float(np.abs(path[:9_999] - run.trace[1:10_000]).max())


def on_graphics_processor() -> dict | None:
    """Steps per second of the tensors on a graphics processor with 100 000 devices, or None without one."""
    import torch

    from holdfast.devices.spintronics.macrospin.tensors import integrate

    if not torch.cuda.is_available():
        return None
    devices, steps = 100_000, 1000
    diode = SpinDiode(layer=layer(alpha=np.full(devices, ALPHA)))

    def carry(count: int) -> float:
        torch.cuda.synchronize()
        start = time.perf_counter()
        with torch.no_grad():
            integrate(diode, WAVE, start=(1, 0.1, 0), steps=count, device="cuda")
        torch.cuda.synchronize()
        return time.perf_counter() - start

    carry(20)
    return {
        "work": f"tensors, {devices} devices",
        "gpu": torch.cuda.get_device_name(),
        "steps_per_second": devices * steps / carry(steps),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"numba {numba.__version__}, numpy {np.__version__}, cmtj {getattr(cmtj, '__version__', 'not installed')}; ", end="")
    print(f"medians of {options.repeats} turns, CPU time of one thread")
    ceiling = statistics.median(arithmetic_rate() for _ in range(options.repeats)) / FLOPS_PER_STEP
    rows = []
    print(f"{'':14s}{'holdfast':>14s}{'cmtj':>14s}{'ratio':>8s}   goal")
    for name, temperature in (("RK4, 0 K", 0.0), ("Heun, 300 K", 300.0)):
        mine, theirs = ours(temperature), peer(temperature) if cmtj else None
        mine()
        turns = [(mine(), theirs() if theirs else math.nan) for _ in range(options.repeats)]
        median_ours, median_peer = (statistics.median(column) for column in zip(*turns, strict=True))
        ratio = statistics.median(a / b for a, b in turns)
        rows.append({"work": name, "holdfast": median_ours, "cmtj": median_peer, "ratio": ratio})
        print(f"{name:14s}{median_ours:12.3g}/s{median_peer:12.3g}/s{ratio:8.1f}   >= {GOALS[name]}")
    print(f"arithmetic alone at {FLOPS_PER_STEP} operations: {ceiling:.3g} Runge-Kutta steps/s on this core")
    if cmtj:
        difference = agreement()
        rows.append({"work": "agreement after 1 ns", "difference": difference})
        print(f"largest difference to cmtj after 1 ns of driven motion: {difference:.2g} (goal <= 1e-5)")
    found = on_graphics_processor()
    rows += [found] if found else []
    print(
        f"{found['work']} on {found['gpu']}: {found['steps_per_second']:.3g} steps/s"
        if found
        else "no CUDA device: tensors not timed"
    )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
