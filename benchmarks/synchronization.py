"""A map of three coupled oscillators: our compiled blocks beside SciPy's solve_ivp and JiTCODE. One thread, one process.

Usage: ``python benchmarks/synchronization.py [--repeats 5] [--side 41] [--json FILE]``

Work: networks of three oscillators, all to all, 8 us in steps of 1 ns, 1681 of them for us and a few for the slow peers, with the
classical Runge-Kutta step (ours) or with the peer's own adaptive method at a relative tolerance of 1e-6, which is what a user of
the peer would take. The unit of work is therefore the microsecond of one oscillator, and we also print steps per second.
Contenders take turns; times are CPU times of the one thread; tables show medians and the ratio to ours. JiTCODE is optional.

Roofline: a Runge-Kutta step takes about 148 floating-point operations per oscillator of three (2 x 4 x 8 for coupling, the rest for
its own rates and for the method): 16 double-precision operations per cycle on AVX2 with two fused multiply-adds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numba
import numpy as np
import scipy
from scipy.integrate import solve_ivp

from holdfast.devices.spintronics import AutoOscillatorNetwork, all_to_all, simulate_network

if TYPE_CHECKING:
    from collections.abc import Callable

GOAL, FLOPS = 6e7, 148  # oscillator-steps per second and core; operations per oscillator-step
DURATION, DT, OSCILLATORS = 8e-6, 1e-9, 3
TURN = 2 * np.pi


def network(side: int, *, noise: float = 0.0) -> AutoOscillatorNetwork:
    current = np.linspace(1.4, 2.6, side)
    currents = np.stack(np.broadcast_arrays(current[:, None], 2.0, current), axis=-1)
    return AutoOscillatorNetwork(supercriticality=currents, coupling=all_to_all(3, 2e5, np.arctan(20 / 3)), noise=noise)


def chosen(net: AutoOscillatorNetwork, count: int) -> list[np.ndarray]:
    """Currents of a few networks spread over the map."""
    flat = net.supercriticality.reshape(-1, OSCILLATORS)
    return list(flat[np.linspace(0, len(flat) - 1, count).astype(int)])


def rates_of(net: AutoOscillatorNetwork, zeta: np.ndarray) -> tuple[Callable, np.ndarray]:
    """The model in the rotating frame and its first amplitudes."""
    power = (zeta - 1) / (zeta + 1)
    frame, damping = TURN * 60e6 * power.mean(), TURN * 3e6
    matrix = TURN * net.coupling

    def rates(_: float, c: np.ndarray) -> np.ndarray:
        square = c.real**2 + c.imag**2
        own = damping * (zeta - 1) + 1j * frame - (damping * (1 + zeta) + 1j * TURN * 60e6) * square
        return own * c + matrix @ c

    return rates, np.sqrt(power) * np.exp(1j * np.arange(OSCILLATORS))


def time_ours(net: AutoOscillatorNetwork) -> tuple[float, int]:
    start = time.process_time()
    simulate_network(net, DURATION, dt=DT, discard=DURATION / 2)
    return time.process_time() - start, net.supercriticality.size // OSCILLATORS


def time_scipy(net: AutoOscillatorNetwork, count: int = 2) -> tuple[float, int]:
    start = time.process_time()
    for zeta in chosen(net, count):
        rates, begin = rates_of(net, zeta)
        solve_ivp(rates, (0, DURATION), begin.astype(complex), method="RK45", rtol=1e-6, atol=1e-9)
    return time.process_time() - start, count


def jitcode_timer(net: AutoOscillatorNetwork, count: int = 40) -> Callable[[], tuple[float, int]]:
    """A timer of JiTCODE's compiled equations, currents as control parameters; compiling is left out of the time."""
    import symengine
    from jitcode import jitcode, y

    zeta = [symengine.Symbol(f"zeta{k}") for k in range(OSCILLATORS)]
    frame, damping, shift = symengine.Symbol("frame"), TURN * 3e6, TURN * 60e6
    equations = []
    for k in range(OSCILLATORS):
        real, imag = y(2 * k), y(2 * k + 1)
        square = real**2 + imag**2
        growth = damping * (zeta[k] - 1) - damping * (1 + zeta[k]) * square
        turn = shift * square - frame
        x, v = growth * real + turn * imag, growth * imag - turn * real
        for j in range(OSCILLATORS):
            coupling = TURN * complex(net.coupling[k, j])
            x += coupling.real * y(2 * j) - coupling.imag * y(2 * j + 1)
            v += coupling.real * y(2 * j + 1) + coupling.imag * y(2 * j)
        equations += [x, v]
    solver = jitcode(equations, control_pars=[*zeta, frame], verbose=False)
    solver.compile_C()

    def measure() -> tuple[float, int]:
        start = time.process_time()
        for values in chosen(net, count):
            power = (values - 1) / (values + 1)
            begin = np.sqrt(power) * np.exp(1j * np.arange(OSCILLATORS))
            solver.set_integrator("dopri5", rtol=1e-6, atol=1e-9, nsteps=10**7)
            solver.set_parameters(*values, TURN * 60e6 * power.mean())
            solver.set_initial_value(np.stack([begin.real, begin.imag], axis=1).ravel(), 0.0)
            solver.integrate(DURATION)
        return time.process_time() - start, count

    return measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--side", type=int, default=41)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    numba.set_num_threads(1)
    net, noisy = network(options.side), network(options.side, noise=1e-4)
    contenders = {
        "holdfast": lambda: time_ours(net),
        "holdfast, noise": lambda: time_ours(noisy),
        "solve_ivp": lambda: time_scipy(net),
    }
    versions = f"numba {numba.__version__}, numpy {np.__version__}, scipy {scipy.__version__}"
    try:
        import jitcode

        contenders["JiTCODE"] = jitcode_timer(net)
        versions += f", jitcode {getattr(jitcode, '__version__', '?')}"
    except ImportError:
        print("JiTCODE is not installed: pip install jitcode (it needs a C compiler) to see it here")
    print(f"{versions}; medians of {options.repeats} turns, CPU time of one thread")

    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(options.repeats + 1):
        for name, measure in contenders.items():
            seconds, networks = measure()
            if turn:
                times[name].append(seconds / (networks * OSCILLATORS * DURATION * 1e6))
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"\n{'':18s}{'us of CPU per us':>18s}{'ratio':>8s}{'oscillator-steps/s':>20s}")
    rows = []
    for name, value in medians.items():
        steps = 1e-6 / DT / value if name.startswith("holdfast") else None
        ratio = value / medians["holdfast"]
        rows.append({"name": name, "seconds_per_simulated_us": value, "ratio": ratio, "steps_per_second": steps})
        print(f"{name:18s}{value * 1e6:18.3f}{ratio:8.1f}" + (f"{steps:20.3g}" if steps else f"{'(adaptive)':>20s}"))
    ours = rows[0]["steps_per_second"]
    verdict = "met" if ours >= GOAL else "missed"
    print(f"goal: >= {GOAL:.0e} oscillator-steps/s per core: {verdict}")
    print(f"roofline: {ours * FLOPS / 1e9:.1f} GFLOP/s with {FLOPS} operations per oscillator-step")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
