r"""Compiled time steps of auto-oscillator networks, 64 networks side by side.

The networks of a block are the innermost index ("lane") of one flat work array: quantity `r` of lane `i` is ``w[r * 64 + i]``.
For small networks the loops over oscillators are unrolled when the kernel is compiled (the length of a tuple is part of its
type), so one Runge-Kutta step of four lanes stays in vector registers and the first-level cache; larger networks take one pass
per oscillator pair. Blocks are padded, so a lane always goes through the same instructions: a result depends neither on the
number of threads nor on how a batch is cut.

Noise is counter-based: a hash of (seed, number of the network, step, oscillator) gives the increments of that step. They are
uniform with the right variance instead of normal, which keeps the weak order of the Euler-Maruyama method (P. Kloeden and
E. Platen, Numerical Solution of Stochastic Differential Equations, section 14.1), and they are vectorised.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from holdfast.devices.spintronics.lanes import LANES, arctangent, compiled, inlined, mixed

__all__ = ["FORCE", "HEAD", "SMALL", "Plan", "local_rates", "run_block"]

SMALL = 4  # oscillators up to which their loops are unrolled; beyond it unrolling takes longer to compile than it saves
# first rows of the quantities in units of the number of oscillators
X, Y, GAIN, LOSS, DETUNING, SHIFT, U, V, A, B, DX, DY, FORCE = range(13)
SIGMA, PHASE, ANGLE, POWER, HEAD = 18, 19, 20, 21, 22
TURN = 2 * np.pi


class Plan(NamedTuple):
    """The settings of a kernel besides the numbers of its lanes; all in steps or rows."""

    oscillators: int
    discard: int
    window: int
    stride: int
    every: int
    first_step: int
    sources: int
    source_row: int
    delayed_row: int
    slots: int
    vortex_row: int
    noisy: int


def local_rates(x: Any, y: Any, gain: Any, loss: Any, detuning: Any, shift: Any) -> Any:
    """Rates of real and imaginary part of an uncoupled oscillator, for floats, arrays and tensors alike.

    The amplitude grows at ``gain - loss |c|^2`` and turns at ``-(detuning + shift |c|^2)``, all in rad/s.
    """
    power = x * x + y * y
    growth = gain - loss * power
    turn = detuning + shift * power
    return growth * x + turn * y, growth * y - turn * x


def gyration_rates(  # noqa: PLR0913, PLR0917 - one argument per quantity of a lane
    x: Any, y: Any, push_x: Any, push_y: Any, pump: Any, ratio: Any, stiffness: Any, hardening: Any, growth: Any, frame: Any
) -> Any:  # pragma: no cover - compiled
    """Rates of the conjugate core position of a vortex; see :mod:`holdfast.devices.spintronics.oscillators.vortex`."""
    power = x * x + y * y
    damping = ratio * (1 + growth * power)
    restoring = stiffness * (1 + hardening * power)
    scale = 1 / (1 + damping * damping)
    gain = (pump - restoring * damping) * scale
    turn = (restoring + pump * damping) * scale - frame
    return (
        gain * x + turn * y + (push_x + damping * push_y) * scale,
        gain * y - turn * x + (push_y - damping * push_x) * scale,
    )


_local = inlined(local_rates)
_gyration = inlined(gyration_rates)


@inlined
def _stage(w: Any, oscillators: Any, force: Any, i: Any, at: Any, reach: Any, weight: Any) -> None:  # pragma: no cover - compiled
    """One Runge-Kutta stage of lane `i`: rates at (U, V), their share of the result, the place of the next stage."""
    K = len(oscillators)
    for k in range(K):
        dx, dy = _local(
            w[(U * K + k) * LANES + i],
            w[(V * K + k) * LANES + i],
            w[(GAIN * K + k) * LANES + i],
            w[(LOSS * K + k) * LANES + i],
            w[(DETUNING * K + k) * LANES + i],
            w[(SHIFT * K + k) * LANES + i],
        )
        for j in range(K):
            if j != k:
                real, imag = w[(HEAD * K + k * K + j) * LANES + i], w[(HEAD * K + K * K + k * K + j) * LANES + i]
                u, v = w[(U * K + j) * LANES + i], w[(V * K + j) * LANES + i]
                dx += real * u - imag * v
                dy += real * v + imag * u
        if len(force) > 0:
            dx += w[((FORCE + 2 * at) * K + k) * LANES + i]
            dy += w[((FORCE + 2 * at + 1) * K + k) * LANES + i]
        w[(DX * K + k) * LANES + i] = dx
        w[(DY * K + k) * LANES + i] = dy
    for k in range(K):
        dx, dy = w[(DX * K + k) * LANES + i], w[(DY * K + k) * LANES + i]
        w[(A * K + k) * LANES + i] += weight * dx
        w[(B * K + k) * LANES + i] += weight * dy
        w[(U * K + k) * LANES + i] = w[(X * K + k) * LANES + i] + reach * dx
        w[(V * K + k) * LANES + i] = w[(Y * K + k) * LANES + i] + reach * dy


@compiled
def _step_unrolled(w: Any, oscillators: Any, force: Any, dt: Any) -> None:  # pragma: no cover - compiled
    """One Runge-Kutta step of all lanes of a small network."""
    K = len(oscillators)
    for i in range(LANES):
        for k in range(K):
            x, y = w[(X * K + k) * LANES + i], w[(Y * K + k) * LANES + i]
            w[(U * K + k) * LANES + i] = x
            w[(V * K + k) * LANES + i] = y
            w[(A * K + k) * LANES + i] = x
            w[(B * K + k) * LANES + i] = y
        _stage(w, oscillators, force, i, 0, 0.5 * dt, dt / 6)
        _stage(w, oscillators, force, i, 1, 0.5 * dt, dt / 3)
        _stage(w, oscillators, force, i, 1, dt, dt / 3)
        _stage(w, oscillators, force, i, 2, 0.0, dt / 6)
        for k in range(K):
            w[(X * K + k) * LANES + i] = w[(A * K + k) * LANES + i]
            w[(Y * K + k) * LANES + i] = w[(B * K + k) * LANES + i]


@inlined
def _row(w: Any, number: Any) -> Any:  # pragma: no cover - compiled
    return w[number * LANES : (number + 1) * LANES]


@compiled
def _gyrate(w: Any, K: Any, vortex_row: Any) -> None:  # pragma: no cover - compiled
    """Turn the forces in (DX, DY) on vortices into rates."""
    for k in range(K):
        u, v, dx, dy = _row(w, U * K + k), _row(w, V * K + k), _row(w, DX * K + k), _row(w, DY * K + k)
        pump, ratio = _row(w, GAIN * K + k), _row(w, LOSS * K + k)
        stiffness, hardening = _row(w, DETUNING * K + k), _row(w, SHIFT * K + k)
        growth, frame = _row(w, vortex_row + k), _row(w, vortex_row + K + k)
        for i in range(LANES):
            dx[i], dy[i] = _gyration(u[i], v[i], dx[i], dy[i], pump[i], ratio[i], stiffness[i], hardening[i], growth[i], frame[i])


@compiled
def _couple(w: Any, K: Any, k: Any, itself: Any) -> None:  # pragma: no cover - compiled
    """Add to the rates of oscillator `k` what all others, and with `itself` it too, do to it."""
    dx, dy = _row(w, DX * K + k), _row(w, DY * K + k)
    for j in range(K):
        if j != k or itself:
            real, imag = _row(w, HEAD * K + k * K + j), _row(w, HEAD * K + K * K + k * K + j)
            u, v = _row(w, U * K + j), _row(w, V * K + j)
            for i in range(LANES):
                dx[i] += real[i] * u[i] - imag[i] * v[i]
                dy[i] += real[i] * v[i] + imag[i] * u[i]


@compiled
def _rates_in_passes(w: Any, plan: Any, forced: Any, at: Any) -> None:  # pragma: no cover - compiled
    """The rates at (U, V) of any number of oscillators, one pass over the lanes per pair."""
    K, vortex = plan.oscillators, plan.vortex_row > 0
    for k in range(K):
        u, v, dx, dy = _row(w, U * K + k), _row(w, V * K + k), _row(w, DX * K + k), _row(w, DY * K + k)
        gain, loss = _row(w, GAIN * K + k), _row(w, LOSS * K + k)
        detuning, shift = _row(w, DETUNING * K + k), _row(w, SHIFT * K + k)
        if vortex:
            for i in range(LANES):
                dx[i] = dy[i] = 0.0
        else:
            for i in range(LANES):
                dx[i], dy[i] = _local(u[i], v[i], gain[i], loss[i], detuning[i], shift[i])
        _couple(w, K, k, vortex)
        if forced:
            real, imag = _row(w, (FORCE + 2 * at) * K + k), _row(w, (FORCE + 2 * at + 1) * K + k)
            for i in range(LANES):
                dx[i] += real[i]
                dy[i] += imag[i]
    if vortex:
        _gyrate(w, K, plan.vortex_row)


@compiled
def _step_in_passes(w: Any, plan: Any, forced: Any, dt: Any) -> None:  # pragma: no cover - compiled
    """One Runge-Kutta step of all lanes of a network of any size."""
    size = plan.oscillators * LANES
    for i in range(2 * size):  # X and Y are neighbours, and so are U and V, A and B, DX and DY
        w[U * size + i] = w[X * size + i]
        w[A * size + i] = w[X * size + i]
    for stage in range(4):
        _rates_in_passes(w, plan, forced, (stage + 1) // 2)
        reach = 0.5 * dt if stage < 2 else dt
        weight = dt / 6 if stage in {0, 3} else dt / 3
        for i in range(2 * size):
            w[A * size + i] += weight * w[DX * size + i]
            w[U * size + i] = w[X * size + i] + reach * w[DX * size + i]
    for i in range(2 * size):
        w[X * size + i] = w[A * size + i]


@compiled
def _drive(w: Any, plan: Any) -> None:  # pragma: no cover - compiled
    """Add the external sources at begin, middle and end of the step to the forces, and turn them by one step.

    Rows of a source: real and imaginary part of its phasor and of its turn in half a step, then the amplitudes at the oscillators.
    """
    K = plan.oscillators
    for source in range(plan.sources):
        row = plan.source_row + source * (4 + 2 * K)
        real, imag, turn, turned = _row(w, row), _row(w, row + 1), _row(w, row + 2), _row(w, row + 3)
        for at in range(3):
            for k in range(K):
                to_x, to_y = _row(w, (FORCE + 2 * at) * K + k), _row(w, (FORCE + 2 * at + 1) * K + k)
                a, b = _row(w, row + 4 + k), _row(w, row + 4 + K + k)
                for i in range(LANES):
                    to_x[i] += a[i] * real[i] - b[i] * imag[i]
                    to_y[i] += a[i] * imag[i] + b[i] * real[i]
            if at < 2:
                for i in range(LANES):
                    before = real[i]
                    real[i] = before * turn[i] - imag[i] * turned[i]
                    imag[i] = before * turned[i] + imag[i] * turn[i]


@compiled
def _copy(rows: Any, which: Any, w: Any, count: Any) -> None:  # pragma: no cover - compiled
    for i in range(count):
        rows[which, i] = w[i]


@compiled
def _remember(w: Any, plan: Any, step: Any, lags: Any, past: Any) -> None:  # pragma: no cover - compiled
    """Keep the present state and add the delayed coupling to the forces, linear between kept states."""
    K, slots = plan.oscillators, len(past)
    _copy(past, step % slots, w, 2 * K * LANES)
    for k in range(K):
        for j in range(K):
            if lags[k, j] > 0:
                row = plan.delayed_row + k * K + j
                real, imag = _row(w, row), _row(w, row + K * K)
                for at in range(3):
                    to_x, to_y = _row(w, (FORCE + 2 * at) * K + k), _row(w, (FORCE + 2 * at + 1) * K + k)
                    when = step + 0.5 * at - lags[k, j]
                    whole = int(np.floor(when))
                    late = when - whole
                    before, after = past[whole % slots], past[(whole + 1) % slots]
                    for i in range(LANES):
                        u = before[j * LANES + i] + late * (after[j * LANES + i] - before[j * LANES + i])
                        v = before[(K + j) * LANES + i] + late * (after[(K + j) * LANES + i] - before[(K + j) * LANES + i])
                        to_x[i] += real[i] * u - imag[i] * v
                        to_y[i] += real[i] * v + imag[i] * u


@compiled
def _kick(w: Any, keys: Any, K: Any, step: Any) -> None:  # pragma: no cover - compiled
    """Add the noise of one step; the two halves of one hash serve the two components."""
    for k in range(K):
        x, y, sigma = _row(w, X * K + k), _row(w, Y * K + k), _row(w, SIGMA * K + k)
        count = np.uint64(step * K + k + 1)
        for i in range(LANES):
            drawn = mixed(keys[i] + count * np.uint64(0x9E3779B97F4A7C15))
            x[i] += sigma[i] * (np.float64(np.int32(drawn & np.uint64(0xFFFFFFFF))) + 0.5)
            y[i] += sigma[i] * (np.float64(np.int32(drawn >> np.uint64(32))) + 0.5)


@compiled
def _compare(w: Any, K: Any) -> None:  # pragma: no cover - compiled
    """Extremes of the phase differences, order and power emitted into one load."""
    pairs = K * (K - 1) // 2
    extremes = HEAD * K + 2 * K * K
    order, emitted = _row(w, extremes + 2 * pairs), _row(w, extremes + 2 * pairs + 1)
    pair = 0
    for k in range(K):
        for j in range(k + 1, K):
            one, other = _row(w, PHASE * K + k), _row(w, PHASE * K + j)
            low, high = _row(w, extremes + pair), _row(w, extremes + pairs + pair)
            for i in range(LANES):
                apart = one[i] - other[i]
                low[i] = apart if apart < low[i] else low[i]  # noqa: FURB136 - min() is not vectorised
                high[i] = apart if apart > high[i] else high[i]  # noqa: FURB136 - nor is max()
            pair += 1
    for i in range(LANES):
        cosine = sine = real = imag = 0.0
        for k in range(K):
            x, y = w[(X * K + k) * LANES + i], w[(Y * K + k) * LANES + i]
            scale = 1 / np.sqrt(x * x + y * y + 1e-300)
            cosine += x * scale
            sine += y * scale
            real += x
            imag += y
        order[i] += np.sqrt(cosine * cosine + sine * sine) / K
        emitted[i] += real * real + imag * imag


@compiled
def _observe(w: Any, K: Any, begin: Any) -> None:  # pragma: no cover - compiled
    """Unwrap the phases and add to the sums; `begin` sets them to zero instead."""
    pairs = K * (K - 1) // 2
    extremes = HEAD * K + 2 * K * K
    if begin:
        for r in range(extremes * LANES, (extremes + 2 * pairs + 2) * LANES):
            w[r] = 0.0
    for k in range(K):
        x, y, angle = _row(w, X * K + k), _row(w, Y * K + k), _row(w, ANGLE * K + k)
        phase, power = _row(w, PHASE * K + k), _row(w, POWER * K + k)
        for i in range(LANES):
            now = arctangent(-y[i], x[i])
            change = now - angle[i]
            change -= TURN * np.floor(change / TURN + 0.5)
            angle[i] = now
            phase[i] = 0.0 if begin else phase[i] + change
            power[i] = 0.0 if begin else power[i] + x[i] * x[i] + y[i] * y[i]
    if not begin:
        _compare(w, K)


@compiled
def _advance(  # noqa: PLR0913, PLR0917 - all that a block has
    w: Any, keys: Any, oscillators: Any, force: Any, plan: Any, dt: Any, lags: Any, past: Any, step: Any
) -> None:  # pragma: no cover - compiled
    """One time step with its forces and its noise."""
    K = plan.oscillators
    if len(force) > 0:
        for i in range(FORCE * K * LANES, (FORCE + 6) * K * LANES):
            w[i] = 0.0
        _drive(w, plan)
        if plan.delayed_row > 0:
            _remember(w, plan, step, lags, past)
    if len(oscillators) > 0:
        _step_unrolled(w, oscillators, force, dt)
    else:
        _step_in_passes(w, plan, len(force), dt)
    if plan.noisy:
        _kick(w, keys, K, plan.first_step + step)


@compiled
def run_block(
    w: Any, keys: Any, oscillators: Any, force: Any, plan: Any, dt: Any, lags: Any, trace: Any
) -> Any:  # pragma: no cover - compiled
    """Integrate one block through its transient and its window; the sums, and the number of samples in them.

    Parameters
    ----------
    w : array (rows * 64,), changed in place
    keys : array (64,) of uint64, one stream of noise per lane
    oscillators : one entry per oscillator of a small network, empty for a large one
    force : empty if there are neither sources nor delays
    plan, dt : see :class:`Plan`; s
    lags : array (K, K), delays in steps; 0 is immediate
    trace : array (times, 2 K * 64), filled every `plan.every` samples; may be empty
    """
    K = plan.oscillators
    past = np.empty((plan.slots, 2 * K * LANES))
    for slot in range(plan.slots):
        _copy(past, slot, w, 2 * K * LANES)
    samples, next_sample = 0, plan.discard
    for step in range(plan.discard + plan.window + 1):
        if step == next_sample:
            _observe(w, K, step == plan.discard)
            if plan.every > 0 and samples % plan.every == 0 and samples // plan.every < len(trace):
                _copy(trace, samples // plan.every, w, 2 * K * LANES)
            samples += 1
            next_sample = min(step + plan.stride, plan.discard + plan.window)
        if step == plan.discard + plan.window:
            break
        _advance(w, keys, oscillators, force, plan, dt, lags, past, step)
    return samples - 1
