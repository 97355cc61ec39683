"""Compiled time stepping of blocks of macrospins, with what is measured accumulated on the way.

A block holds 64 devices as a structure of arrays in one vector, row after row. One pass of the inner loop carries a device
through a whole step in registers, and because all rows have one base address the compiler can see that devices are independent
and computes four or eight at once. A block is always full (the last one is padded), so a device's bits do not depend on its
neighbours, on the number of devices or on the threads.

Noise is counter-based: the numbers of a step are a hash of the device's key and the number of the step. Heun's stochastic
scheme is of weak order one, for which increments need mean zero, the right variance and no third moment (P. E. Kloeden and
E. Platen, Numerical Solution of Stochastic Differential Equations, 14.1), so uniform numbers serve, three from one 64-bit word;
Gaussian ones are there for work along single paths.
"""

from __future__ import annotations

import inspect
import math
import zlib
from functools import cache
from typing import Any

import numba
import numpy as np

from holdfast.devices.spintronics import lanes
from holdfast.devices.spintronics.lanes import FAST, GOLDEN, LANES, mixed, shared
from holdfast.devices.spintronics.macrospin import equations as eq
from holdfast.devices.spintronics.macrospin.equations import Terms, current_and_resistance, row, torque

__all__ = ["GAUSSIAN", "NO_NOISE", "SUMS", "UNIFORM", "compiled"]

NO_NOISE, UNIFORM, GAUSSIAN = range(3)
STIR = 1024  # steps after which the drive's sine is computed afresh, so that the error of its recurrence stays below 1e-13

# rows of the sums, one block of them per block of devices
(
    WEIGHT, CURRENT, RESISTANCE, VOLTAGE,
    WAVE_SIN, WAVE_COS, RESISTANCE_SIN, RESISTANCE_COS,
    SUM_X, SUM_Y, SUM_Z, SQUARE_X, SQUARE_Y, SQUARE_Z,
    WATCHED, WATCHED_SQUARE, WATCHED_SIN, WATCHED_COS,
    CROSSINGS, FIRST, LAST, BEFORE,
    PUMP_X, PUMP_Y, PUMP_Z, NORM_ERROR,
) = range(26)  # fmt: skip
SUMS = 26

TURNED = 2.0**-20  # 21 bits become [-1, 1)
EQUATIONS = zlib.crc32("".join(map(inspect.getsource, (eq, lanes))).encode())  # numba's cache on disk looks at this file only


@shared
def word(key: Any, count: Any) -> Any:
    """64 random bits of the stream `key` at the place `count`."""
    return mixed(key + np.uint64(count) * GOLDEN)


@shared
def three_uniform(key: Any, count: Any) -> Any:
    """Three independent uniform numbers in (-1, 1), of variance 1/3."""
    bits = word(key, count)
    field = np.uint64(0x1FFFFF)
    a, b, c = np.int32(bits & field), np.int32((bits >> np.uint64(21)) & field), np.int32((bits >> np.uint64(42)) & field)
    half = 1 - 0.5 * TURNED
    return a * TURNED - half, b * TURNED - half, c * TURNED - half


@shared
def three_gaussian(key: Any, count: Any) -> Any:
    """Three independent normal numbers of variance 1/3, by the method of Box and Muller."""
    first, second = word(key, 2 * count), word(key, 2 * count + 1)
    scale, shift = 2.0**-32, np.uint64(32)
    low = np.uint64(0xFFFFFFFF)
    r1 = math.sqrt(-2 / 3 * math.log((np.float64(first >> shift) + 0.5) * scale))
    r2 = math.sqrt(-2 / 3 * math.log((np.float64(second >> shift) + 0.5) * scale))
    t1, t2 = 2 * math.pi * scale * np.float64(first & low), 2 * math.pi * scale * np.float64(second & low)
    return r1 * math.cos(t1), r1 * math.sin(t1), r2 * math.cos(t2)


@shared
def thermal(w: Any, key: Any, count: Any, i: int, noise: int) -> Any:
    """The thermal field of a step."""
    if noise == NO_NOISE:
        return 0.0, 0.0, 0.0
    strength = row(w, eq.THERMAL, i)
    x, y, z = three_gaussian(key, count) if noise == GAUSSIAN else three_uniform(key, count)
    return strength * x, strength * y, strength * z


@shared
def slopes(w: Any, i: int, m: Any, n: Any, wave: Any, field: Any, other_field: Any, terms: Any) -> Any:
    """Torques on both sublattices; that on a missing one is zero."""
    dm = torque(m, n, wave, field, w, i, terms, math.exp, math.log)
    if not terms.coupled:
        return dm, (0.0, 0.0, 0.0)
    return dm, torque(n, m, wave, other_field, w, i, terms, math.exp, math.log)


@shared
def moved(m: Any, k: Any, share: Any) -> Any:
    """The magnetisation after a `share` of the step `k`."""
    return m[0] + share * k[0], m[1] + share * k[1], m[2] + share * k[2]


@shared
def on_sphere(m: Any) -> Any:
    """The magnetisation back on the unit sphere by one Newton step, which suffices for the norm errors that are allowed."""
    scale = 1.5 - 0.5 * (m[0] * m[0] + m[1] * m[1] + m[2] * m[2])
    return m[0] * scale, m[1] * scale, m[2] * scale


@shared
def advance(w: Any, i: int, keys: Any, count: Any, terms: Any, noise: int) -> None:
    """One step of the device `i`: Runge-Kutta of fourth order, or stochastic Heun where there is noise."""
    m = row(w, eq.MX, i), row(w, eq.MY, i), row(w, eq.MZ, i)
    n = (row(w, eq.NX, i), row(w, eq.NY, i), row(w, eq.NZ, i)) if terms.coupled else (0.0, 0.0, 0.0)
    sine, cosine, turn_s, turn_c = row(w, eq.SIN, i), row(w, eq.COS, i), row(w, eq.TURN_SIN, i), row(w, eq.TURN_COS, i)
    half_s, half_c = sine * turn_c + cosine * turn_s, cosine * turn_c - sine * turn_s
    full_s, full_c = half_s * turn_c + half_c * turn_s, half_c * turn_c - half_s * turn_s
    none = (0.0, 0.0, 0.0)
    if noise == NO_NOISE:
        k1, l1 = slopes(w, i, m, n, sine, none, none, terms)
        k2, l2 = slopes(w, i, moved(m, k1, 0.5), moved(n, l1, 0.5), half_s, none, none, terms)
        k3, l3 = slopes(w, i, moved(m, k2, 0.5), moved(n, l2, 0.5), half_s, none, none, terms)
        k4, l4 = slopes(w, i, moved(m, k3, 1.0), moved(n, l3, 1.0), full_s, none, none, terms)
        m = moved(moved(moved(moved(m, k1, 1 / 6), k2, 1 / 3), k3, 1 / 3), k4, 1 / 6)
        if terms.coupled:
            n = moved(moved(moved(moved(n, l1, 1 / 6), l2, 1 / 3), l3, 1 / 3), l4, 1 / 6)
    else:
        field = thermal(w, keys[i], count, i, noise)
        other = thermal(w, ~keys[i], count, i, noise) if terms.coupled else none
        k1, l1 = slopes(w, i, m, n, sine, field, other, terms)
        k2, l2 = slopes(w, i, moved(m, k1, 1.0), moved(n, l1, 1.0), full_s, field, other, terms)
        m = moved(moved(m, k1, 0.5), k2, 0.5)
        if terms.coupled:
            n = moved(moved(n, l1, 0.5), l2, 0.5)
    m = on_sphere(m)
    w[eq.MX * LANES + i], w[eq.MY * LANES + i], w[eq.MZ * LANES + i] = m
    if terms.coupled:
        n = on_sphere(n)
        w[eq.NX * LANES + i], w[eq.NY * LANES + i], w[eq.NZ * LANES + i] = n
    w[eq.SIN * LANES + i], w[eq.COS * LANES + i] = full_s, full_c


@shared
def cross(a: Any, b: Any) -> Any:
    """Vector product."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@shared
def add(sums: Any, number: int, i: int, value: Any) -> None:
    """Add to a device's sum."""
    sums[number * LANES + i] += value


@shared
def observe(w: Any, sums: Any, i: int, weight: float, sample: Any, terms: Any) -> None:
    """Add what the device shows now to its sums, with the `weight` of the averaging window."""
    m = row(w, eq.MX, i), row(w, eq.MY, i), row(w, eq.MZ, i)
    n = (row(w, eq.NX, i), row(w, eq.NY, i), row(w, eq.NZ, i)) if terms.coupled else (0.0, 0.0, 0.0)
    order = (0.5 * (m[0] - n[0]), 0.5 * (m[1] - n[1]), 0.5 * (m[2] - n[2])) if terms.coupled else m
    sine, cosine = row(w, eq.SIN, i), row(w, eq.COS, i)
    current, resistance = current_and_resistance(order[0], order[1], order[2], sine, w, i, terms, math.exp, math.log)
    add(sums, WEIGHT, i, weight)
    add(sums, CURRENT, i, weight * current)
    add(sums, RESISTANCE, i, weight * resistance)
    add(sums, VOLTAGE, i, weight * current * resistance)
    add(sums, WAVE_SIN, i, weight * sine)
    add(sums, WAVE_COS, i, weight * cosine)
    add(sums, RESISTANCE_SIN, i, weight * resistance * sine)
    add(sums, RESISTANCE_COS, i, weight * resistance * cosine)
    add(sums, SUM_X, i, weight * order[0])
    add(sums, SUM_Y, i, weight * order[1])
    add(sums, SUM_Z, i, weight * order[2])
    add(sums, SQUARE_X, i, weight * order[0] * order[0])
    add(sums, SQUARE_Y, i, weight * order[1] * order[1])
    add(sums, SQUARE_Z, i, weight * order[2] * order[2])
    watched = order[0] * row(w, eq.WATCH_X, i) + order[1] * row(w, eq.WATCH_Y, i) + order[2] * row(w, eq.WATCH_Z, i)
    add(sums, WATCHED, i, weight * watched)
    add(sums, WATCHED_SQUARE, i, weight * watched * watched)
    add(sums, WATCHED_SIN, i, weight * watched * sine)
    add(sums, WATCHED_COS, i, weight * watched * cosine)
    before, crossings = row(sums, BEFORE, i), row(sums, CROSSINGS, i)
    upward = before < 0 <= watched
    moment = sample - watched / (watched - before if upward else 1.0)
    sums[FIRST * LANES + i] = moment if upward and crossings == 0 else row(sums, FIRST, i)
    sums[LAST * LANES + i] = moment if upward else row(sums, LAST, i)
    sums[CROSSINGS * LANES + i] = crossings + (1.0 if upward else 0.0)
    sums[BEFORE * LANES + i] = watched
    if terms.coupled:
        dm, dn = slopes(w, i, m, n, sine, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), terms)
        pump, pump_other = cross(m, dm), cross(n, dn)
        add(sums, PUMP_X, i, 0.5 * weight * (pump[0] + pump_other[0]))
        add(sums, PUMP_Y, i, 0.5 * weight * (pump[1] + pump_other[1]))
        add(sums, PUMP_Z, i, 0.5 * weight * (pump[2] + pump_other[2]))
    error = abs(m[0] * m[0] + m[1] * m[1] + m[2] * m[2] - 1)
    sums[NORM_ERROR * LANES + i] = max(row(sums, NORM_ERROR, i), error)


@cache
def compiled(terms: Terms, noise: int) -> Any:  # noqa: C901 (one loop nest)
    """The kernel for these terms; see :func:`run` in its text for the arguments. Compiled once and kept on disk."""
    edition = EQUATIONS

    @numba.njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
    def run(w: Any, sums: Any, keys: Any, phases: Any, when: Any, hann: Any, trace: Any) -> None:
        """Carry a block through `steps` steps from step `start`, with ``when = (start, steps, every, first, samples)``.

        From step `first` on, each `every`-th is one of `samples` samples; `trace` (samples, 6, LANES) takes the magnetisation, or
        nothing if it is empty. `phases` (2, LANES) are the drive's cycles at step 0 and per step.
        """
        start, steps, every, first, samples = when
        assert edition  # a free variable is part of the cache's key
        for offset in range(steps):
            count = start + offset
            if offset % STIR == 0:
                for i in range(LANES):
                    cycles = phases[0, i] + phases[1, i] * count
                    angle = 2 * math.pi * (cycles - math.floor(cycles))
                    w[eq.SIN * LANES + i], w[eq.COS * LANES + i] = math.sin(angle), math.cos(angle)
            place = count - first
            if place >= 0 and place % every == 0 and place // every < samples:
                sample = place // every
                weight = 1.0 - math.cos(2 * math.pi * (sample + 0.5) / samples) if hann else 1.0
                for i in range(LANES):
                    observe(w, sums, i, weight, sample, terms)
                if len(trace):
                    for i in range(LANES):
                        for axis in range(6):
                            trace[sample, axis, i] = w[axis * LANES + i]
            for i in range(LANES):
                advance(w, i, keys, count, terms, noise)

    return run
