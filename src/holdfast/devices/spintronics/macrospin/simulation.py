"""Carrying any number of macrospins through time, with averages taken on the way.

Deterministic runs use the classical Runge-Kutta method; runs with temperature use Heun's stochastic method in Stratonovich's sense
with the same thermal field in predictor and corrector. The same seed gives the same bits for any number of threads and for any
split of the batch (with `offset`): nothing that is decided for the whole batch depends on the values of one device, as long as
what varies is given as an array in every part.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from holdfast.core.checks import check_one_of, check_whole, refuse
from holdfast.core.seeds import Seeds
from holdfast.devices.spintronics.constants import GAMMA0, thermal_field
from holdfast.devices.spintronics.lanes import LANES, lane_keys
from holdfast.devices.spintronics.macrospin import equations as eq
from holdfast.devices.spintronics.macrospin import kernels
from holdfast.devices.spintronics.macrospin.drive import Drive
from holdfast.devices.spintronics.macrospin.layer import AntiferromagnetDevice, unit_vector
from holdfast.devices.spintronics.macrospin.response import Response, from_sums
from holdfast.devices.spintronics.macrospin.schedule import EVERY, Schedule, check_thermal_step, schedule
from holdfast.devices.spintronics.macrospin.size import warn_of_width
from holdfast.devices.spintronics.macrospin.stack import SpinDiode, coefficients, terms_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Window", "natural_start", "simulate"]

Window = Literal["hann", "flat"]
NOISES = {"uniform": kernels.UNIFORM, "gaussian": kernels.GAUSSIAN}
PACE = 64 * kernels.STIR  # steps between two looks at progress and interrupts; a multiple of STIR, so that no bit depends on it


def natural_start(diode: SpinDiode) -> NDArray[np.floating]:
    """The direction (..., 3) in which a run begins by default: along the field, or the axis, tilted by 1 degree.

    The tilt takes the moment off directions of unstable equilibrium.
    """
    field, axis = np.asarray(diode.layer.field, dtype=float), unit_vector(diode.layer.axis, "axis")
    strength = np.linalg.norm(field, axis=-1, keepdims=True)
    easy = np.where(np.asarray(diode.layer.demag, dtype=float) < 0, 1.0, 0.0)
    rest = np.where(easy.any(-1, keepdims=True), easy, axis) if isinstance(diode.layer, AntiferromagnetDevice) else axis
    along = np.where(strength > 0, field / np.where(strength > 0, strength, 1), rest)
    tilt = np.deg2rad(1.0) * np.array([0.36, 0.48, 0.8])
    return unit_vector(along + tilt, "start")


def simulate(  # noqa: PLR0913 (each is a choice of its own)
    diode: SpinDiode,
    drive: Drive | None = None,
    *,
    duration: float,
    settle: float = 0.0,
    dt: float = 1e-12,
    start: ArrayLike | None = None,
    noise: Literal["uniform", "gaussian"] = "uniform",
    method: Literal["auto", "rk4", "heun"] = "auto",
    seed: int = 0,
    offset: int = 0,
    window: Window = "hann",
    every: int = EVERY,
    watch: ArrayLike = (0.0, 1.0, 0.0),
    trace: bool = False,
    threads: int | None = None,
    tick: Callable[[float], None] | None = None,
) -> Response:
    """Averages over a run of every device of a batch.

    Parameters
    ----------
    diode : one device or an ensemble; its numbers, the drive's and `start` broadcast to the shape of the batch (B...)
    drive : what is sent through it; default: nothing
    duration : of the averaging window in s
    settle : time before the window in s
    dt : time step in s
    start : first direction of the magnetisation, (..., 3); of sublattice one in an antiferromagnet, where (..., 2, 3) gives both
    noise : ``"uniform"`` increments are right for averages and fast, ``"gaussian"`` ones also for single paths
    method : ``"rk4"`` is for 0 K only, ``"heun"`` for any temperature
    seed : of the noise; device k of the batch has the stream (seed, offset + k)
    offset : place of the first device in a larger batch that is run in parts
    window : ``"hann"`` suits windows that are not a whole number of periods, ``"flat"`` weighs all samples equally
    every : steps from sample to sample; there must be 4 samples in a period of the drive
    watch : direction (..., 3) whose component is watched for its frequency
    trace : keep the magnetisation at each sample
    threads : default: one for each processor that this process may use
    tick : called with the share that is done

    Returns
    -------
    Response with arrays (B...)

    Raises
    ------
    InputError : a step that turns the moment by more than 0.2 rad, or heats it (the largest safe one is named), a drive faster than
        0.2 cycles per step or 0.25 per sample, a window of fewer than 10 periods, a temperature with ``"rk4"``
    FloatingPointError : a result that is not a number; the device is named

    Warns
    -----
    MacrospinWarning : a layer wider than 4 exchange lengths, once per process

    Examples
    --------
    >>> from holdfast.devices.spintronics import MacrospinDevice, SpinDiode
    >>> layer = MacrospinDevice(ms=1e6, thickness=2e-9, area=7.85e-15, alpha=0.01, field=(4e4, 0, 0), demag=(0, 0, 6e5))
    >>> rung = simulate(SpinDiode(layer=layer), duration=5e-9, start=(1, 0.01, 0))
    >>> f"{rung.frequency / 1e9:.2f} GHz"
    '5.63 GHz'
    """
    warn_of_width(diode.layer)
    drive = Drive() if drive is None else drive
    check_one_of(window, "window", allowed=("hann", "flat"))
    kind = _noise_of(diode, noise, method)
    plan = schedule(diode, drive, duration=duration, settle=settle, dt=dt, every=every, averages=not trace)
    if kind != kernels.NO_NOISE:
        check_thermal_step(diode, drive, dt)
    first = natural_start(diode) if start is None else np.asarray(start, dtype=float)
    shape, block_rows = _pack(diode, drive, plan, first=first, watch=watch)
    count = int(np.prod(shape))
    terms = terms_of(diode, drive)
    keys = _keys(seed, count, check_whole(offset, "offset"))
    sums = np.zeros((len(block_rows), kernels.SUMS * LANES))
    traces = np.zeros((len(block_rows), plan.samples if trace else 0, 6, LANES))
    if plan.steps:
        _run(
            kernels.compiled(terms, kind), block_rows, (sums, traces, keys), plan, hann=window == "hann", threads=threads, tick=tick
        )
    by_device = sums.reshape(-1, kernels.SUMS, LANES).transpose(1, 0, 2).reshape(kernels.SUMS, -1)[:, :count]
    ends = block_rows.reshape(-1, eq.ROWS, LANES).transpose(1, 0, 2).reshape(eq.ROWS, -1)[:, :count]
    if not (np.isfinite(by_device).all() and np.isfinite(ends[:6]).all()):
        bad = int(np.argwhere(~(np.isfinite(by_device).all(axis=0) & np.isfinite(ends[:6]).all(axis=0)))[0, 0])
        raise FloatingPointError(
            f"device {tuple(map(int, np.unravel_index(bad, shape)))} of the batch {shape} became NaN; take a smaller `dt` "
            f"than {dt:g} s, or look at its parameters"
        )
    path = traces.transpose(1, 2, 0, 3).reshape(-1, 6, traces.shape[0] * LANES)[:, :, :count] if trace else None
    return from_sums(
        by_device, ends, shape=shape, dt=dt, every=plan.every, first=plan.first, coupled=terms.coupled, trace=path, drive=drive
    )


def _noise_of(diode: SpinDiode, noise: str, method: str) -> int:
    """The kind of noise that the temperature asks for."""
    check_one_of(noise, "noise", allowed=NOISES)
    check_one_of(method, "method", allowed=("auto", "rk4", "heun"))
    temperature = np.asarray(diode.layer.temperature)
    warm = bool((temperature > 0).any())
    if warm and method == "rk4":
        refuse(
            "method",
            "is 'rk4' for a temperature above 0 K",
            allowed="'heun' or 'auto'",
            remedy="Runge-Kutta converges to another process.",
        )
    several = temperature.ndim > 0 and method == "auto"  # a part of a batch at 0 K goes with the warm part
    return NOISES[noise] if warm or several or method == "heun" else kernels.NO_NOISE


def _keys(seed: int, count: int, offset: int) -> NDArray[np.uint64]:
    """One key per device, (blocks, LANES)."""
    blocks = -(-count // LANES)
    return lane_keys(Seeds(seed).integer("macrospin"), offset + np.arange(blocks * LANES)).reshape(blocks, LANES)


def _pack(
    diode: SpinDiode, drive: Drive, plan: Schedule, *, first: NDArray[Any], watch: ArrayLike
) -> tuple[tuple[int, ...], NDArray[np.floating]]:
    """Shape of the batch, and its blocks (blocks, ROWS LANES)."""
    layer, dt = diode.layer, plan.dt

    def convert(values: Any) -> NDArray[np.floating]:
        return np.asarray(values, dtype=float)

    rows = coefficients(diode, drive, convert=convert, dt=dt)
    scale = GAMMA0 / (1 + convert(layer.alpha) ** 2) * dt
    volume = convert(layer.thickness) * convert(layer.area)
    rows[eq.THERMAL] = np.sqrt(3.0) * scale * thermal_field(layer.alpha, layer.temperature, ms=layer.ms, volume=volume, dt=dt)
    coupled = isinstance(layer, AntiferromagnetDevice)
    both = coupled and first.ndim >= 2 and first.shape[-2] == 2
    up = unit_vector(first[..., 0, :] if both else first, "start")
    down = unit_vector(first[..., 1, :], "start") if both else -up
    watched = unit_vector(watch, "watch")
    for axis in range(3):
        rows |= {eq.MX + axis: up[..., axis], eq.WATCH_X + axis: watched[..., axis]}
        if coupled:
            rows[eq.NX + axis] = down[..., axis]
    cycles = convert(drive.frequency) * dt
    angle = np.pi * cycles
    rows |= {eq.TURN_SIN: np.sin(angle), eq.TURN_COS: np.cos(angle), eq.SIN: convert(drive.phase) / (2 * np.pi), eq.COS: cycles}
    shape = np.broadcast_shapes(*(np.shape(values) for values in rows.values()))
    count = int(np.prod(shape))
    if count == 0:
        refuse("diode", f"has the batch shape {shape}", allowed="at least one device")
    blocks = -(-count // LANES)
    table = np.zeros((eq.ROWS, blocks * LANES))
    for number, values in rows.items():
        table[number, :count] = np.broadcast_to(values, shape).ravel()
    table[:, count:] = table[:, :1]  # the last block is filled with copies of the first device
    return shape, np.ascontiguousarray(table.reshape(eq.ROWS, blocks, LANES).transpose(1, 0, 2).reshape(blocks, -1))


def _run(
    kernel: Any,
    blocks: NDArray[np.floating],
    results: tuple[NDArray[Any], ...],
    plan: Schedule,
    *,
    hann: bool,
    threads: int | None,
    tick: Callable[[float], None] | None,
) -> None:
    """Carry all blocks through all steps, each block in one thread."""
    sums, traces, keys = results
    phases = blocks.reshape(len(blocks), eq.ROWS, LANES)[:, eq.SIN : eq.COS + 1].copy()
    turns = range(0, plan.steps, PACE)
    if threads is not None:
        check_whole(threads, "threads", low=1)
    workers = min(
        len(blocks), threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else threads or os.cpu_count() or 1
    )

    def carry(number: int, begin: int) -> None:
        steps = min(PACE, plan.steps - begin)
        when = (begin, steps, plan.every, plan.first, plan.samples)
        kernel(blocks[number], sums[number], keys[number], phases[number], when, hann, traces[number])

    with ThreadPoolExecutor(max(1, workers)) as pool:
        for done, begin in enumerate(turns, start=1):
            list(pool.map(lambda number, begin=begin: carry(number, begin), range(len(blocks))))
            if tick is not None:
                tick(done / len(turns))
