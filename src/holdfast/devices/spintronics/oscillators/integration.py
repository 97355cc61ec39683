"""From a network of oscillators to the blocks of lanes that the compiled steps take, and back to arrays."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from holdfast.core.checks import check_finite, check_whole, check_within, refuse
from holdfast.devices.spintronics.lanes import LANES, lane_keys, uniform_phases
from holdfast.devices.spintronics.oscillators.kernels import HEAD, PHASE, POWER, SIGMA, SMALL, Plan, run_block
from holdfast.devices.spintronics.oscillators.oscillation import Oscillation, pairs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from holdfast.devices.spintronics.oscillators.network import OscillatorNetwork

__all__ = ["Run", "integrate", "trace_steps"]

TURN = 2 * math.pi
STRIDE = 10  # steps between two looks at the phases: at the longest safe step no rate turns more than 1 rad between them
UNIFORM = math.sqrt(3) / 2**31  # a uniform 32-bit number times this has variance 1


@dataclass(frozen=True, kw_only=True)
class Run:
    """How long and from where to integrate; `discard` and `window` in steps."""

    dt: float
    discard: int
    window: int
    start: Any
    seed: int
    first_point: int
    trace_every: float | None


def _flat(net: OscillatorNetwork, value: Any, *, tail: int = 1) -> NDArray[Any]:
    """Array (networks, ...) with one row per network of the batch; `tail` axes belong to the network."""
    tails = (net.oscillators,) * tail
    array = np.broadcast_to(np.asarray(value), (*net.batch, *tails))
    return array.reshape(math.prod(net.batch), *tails)


def trace_steps(run: Run) -> tuple[int, int]:
    """Steps between two looks at the phases, and looks between two rows of the trace (0 without one).

    They depend on the settings of the run alone: a network is sampled equally often whatever else is in its batch.
    """
    if run.trace_every is None:
        return STRIDE, 0
    check_within(run.trace_every, "trace_every", low=run.dt)
    every = round(run.trace_every / run.dt)
    looks = next(count for count in range(math.ceil(every / STRIDE), every + 1) if every % count == 0)
    return every // looks, looks


def initial_state(net: OscillatorNetwork, run: Run) -> tuple[NDArray[np.complex128], float, int]:
    """Amplitudes (networks, K) in the laboratory frame, the time and the number of steps at which they hold."""
    if run.start is None:
        check_whole(run.seed, "seed")
        keys = lane_keys(run.seed, run.first_point + np.arange(math.prod(net.batch)))
        phases = uniform_phases(keys, net.oscillators)
        return np.sqrt(_flat(net, net.free_power)) * np.exp(-1j * phases), 0.0, 0
    going_on = isinstance(run.start, Oscillation)
    amplitudes = np.asarray(run.start.state if going_on else run.start, dtype=complex)
    check_finite(amplitudes, "start")
    try:
        flat = _flat(net, amplitudes)
    except ValueError:
        refuse("start", f"has shape {amplitudes.shape}", allowed=f"shapes that broadcast to {(*net.batch, net.oscillators)}")
    return flat, *((run.start.time, run.start.steps) if going_on else (0.0, 0))


class _Blocks:
    """All numbers of a network as (networks, rows), in the order that the kernel expects."""

    def __init__(self, net: OscillatorNetwork, run: Run) -> None:
        K = net.oscillators
        self.net, self.run, self.count = net, run, math.prod(net.batch)
        self.frame = TURN * _flat(net, net.reference, tail=0)
        state, self.time, self.first_step = initial_state(net, run)
        self.rows = [np.zeros((K, self.count)) for _ in range(HEAD)]
        state = state * np.exp(1j * self.frame * self.time)[:, None]
        matrix = TURN * _flat(net, net.coupling if net.coupling.ndim else np.zeros((K, K), complex), tail=2)
        self.lags = np.broadcast_to(net.delay, (K, K)) / run.dt
        late = self.lags > 0
        direct = np.where(late, 0, matrix)
        own = np.diagonal(direct, axis1=1, axis2=2)
        gain, loss, detuning, shift, *further = (_flat(net, part) for part in net.lane_quantities(self.frame.reshape(net.batch)))
        if further:  # a vortex takes its own force like that of others
            own = np.zeros_like(own)
        quantities = (state.real, state.imag, gain + own.real, loss, detuning - own.imag, shift)
        self.rows[: len(quantities)] = [part.T for part in quantities]
        self.rows[SIGMA] = UNIFORM * np.sqrt(TURN * _flat(net, net.damping) * _flat(net, net.noise) * run.dt).T
        self.rows += [part.reshape(self.count, K * K).T for part in (direct.real, direct.imag)]
        self.rows.append(np.zeros((K * (K - 1) + 2, self.count)))
        self.source_row = sum(map(len, self.rows))
        for source in net.sources:
            self.rows.append(self._source_rows(source))
        self.delayed_row = 0
        if late.any():
            self.delayed_row = sum(map(len, self.rows))
            delayed = np.where(late, matrix, 0) * np.exp(1j * self.frame[:, None, None] * self.lags * run.dt)
            self.rows += [part.reshape(self.count, K * K).T for part in (delayed.real, delayed.imag)]
        self.vortex_row = sum(map(len, self.rows)) if further else 0
        self.rows += [part.T for part in further]
        self.keys = lane_keys(run.seed, run.first_point + np.arange(self.count))

    def _source_rows(self, source: Any) -> NDArray[np.float64]:
        offset = TURN * _flat(self.net, source.frequency, tail=0) - self.frame
        amplitude = TURN * _flat(self.net, source.amplitude)
        now, turn = np.exp(-1j * offset * self.time), np.exp(-0.5j * offset * self.run.dt)
        return np.concatenate([np.stack([now.real, now.imag, turn.real, turn.imag]), amplitude.real.T, amplitude.imag.T])

    def block(self, number: int) -> tuple[NDArray[np.float64], NDArray[np.uint64]]:
        """Work array (rows, 64) and keys of one block; the last network fills up the last block."""
        lanes = np.minimum(np.arange(number * LANES, (number + 1) * LANES), self.count - 1)
        return np.concatenate([rows[:, lanes] for rows in self.rows]), self.keys[lanes]

    def plan(self) -> Plan:
        """The numbers that all blocks share."""
        stride, every = trace_steps(self.run)
        return Plan(
            oscillators=self.net.oscillators,
            discard=self.run.discard,
            window=self.run.window,
            stride=stride,
            every=every,
            first_step=self.first_step,
            sources=len(self.net.sources),
            source_row=self.source_row,
            delayed_row=self.delayed_row,
            slots=math.ceil(self.lags.max()) + 2 if self.delayed_row else 0,
            vortex_row=self.vortex_row,
            noisy=int(self.rows[SIGMA].any()),
        )


def integrate(net: OscillatorNetwork, run: Run) -> Oscillation:
    """Integrate all networks, block by block, on as many threads as ``NUMBA_NUM_THREADS`` allows (default: one for each core).

    A pool of threads runs the compiled blocks, which hold no interpreter lock: blocks share nothing, and unlike numba's own
    parallel loops it may be used from several threads of the user at once. Numba's threads are not started, nor asked for their
    number, because that sets how many threads OpenMP gives torch, and with it the last bits of everything torch computes.
    """
    blocks, K = _Blocks(net, run), net.oscillators
    plan = blocks.plan()
    oscillators = tuple(range(K)) if K <= SMALL and not plan.vortex_row else ()
    force = (0,) if plan.sources or plan.delayed_row else ()
    times = 1 + run.window // (plan.stride * plan.every) if plan.every else 0

    def work(number: int) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
        rows, keys = blocks.block(number)
        trace = np.empty((times, 2 * K * LANES))
        flat = rows.ravel()
        samples = run_block(flat, keys, oscillators, force, plan, run.dt, blocks.lags, trace)
        kept = flat.reshape(rows.shape)
        return kept[: blocks.source_row], trace.reshape(times, 2 * K, LANES), samples

    numbers = range(math.ceil(blocks.count / LANES))
    threads = min(len(numbers), numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]  # set when numba reads its settings
    if threads == 1:
        done = [work(number) for number in numbers]
    else:
        with ThreadPoolExecutor(threads) as pool:
            done = list(pool.map(work, numbers))
    rows = np.concatenate([found[0] for found in done], axis=1)[:, : blocks.count]
    trace = np.concatenate([found[1] for found in done], axis=2)[:, :, : blocks.count] if plan.every else None
    return _collected(blocks, rows, trace, samples=done[0][2])


def _collected(blocks: _Blocks, rows: NDArray[np.float64], trace: NDArray[np.float64] | None, *, samples: int) -> Oscillation:
    """The observables of all networks from the rows (rows, networks) that the kernel left."""
    net, run, K = blocks.net, blocks.run, blocks.net.oscillators
    pairs = len(pairs_of(K))
    extremes = rows[HEAD * K + 2 * K * K :]
    window = run.window * run.dt
    end = blocks.time + (run.discard + run.window) * run.dt
    state = (rows[:K] + 1j * rows[K : 2 * K]) * np.exp(-1j * blocks.frame * end)

    def shaped(values: NDArray[Any]) -> NDArray[Any]:
        return np.moveaxis(values, 0, -1).reshape(*net.batch, len(values))

    kept = None
    if trace is not None:
        kept = np.moveaxis(trace[:, :K] + 1j * trace[:, K:], 2, 0).reshape(*net.batch, len(trace), K)
    plan = blocks.plan()
    return Oscillation(
        mean_frequency=shaped(rows[PHASE * K : (PHASE + 1) * K] / (TURN * window)) + net.reference[..., None],
        power=shaped(rows[POWER * K : (POWER + 1) * K] / samples),
        swing=shaped(extremes[pairs : 2 * pairs] - extremes[:pairs]),
        order=shaped(extremes[2 * pairs : 2 * pairs + 1] / samples)[..., 0],
        emitted=shaped(extremes[2 * pairs + 1 : 2 * pairs + 2] / samples)[..., 0],
        state=shaped(state),
        time=end,
        steps=blocks.first_step + run.discard + run.window,
        window=window,
        trace=kept,
        trace_interval=plan.stride * plan.every * run.dt,
        reference=net.reference,
    )
