"""Simulated neurons: every device at every drive, several times over, in one batch of macrospins.

The :class:`NeuronExperiment` of a device holds its macrospins, what is read of them, and how long they need. The time average of
the state comes from independent runs, which give its standard error too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from holdfast.core.checks import check_whole
from holdfast.devices.spintronics.constants import GAMMA0
from holdfast.devices.spintronics.macrospin.drive import Drive
from holdfast.devices.spintronics.macrospin.junction import TunnelJunction
from holdfast.devices.spintronics.macrospin.simulation import simulate
from holdfast.devices.spintronics.macrospin.stack import SpinDiode
from holdfast.devices.spintronics.macrospin.torque import SpinTorque

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from holdfast.devices.spintronics.macrospin.layer import MacrospinDevice, Scalar, Vector
    from holdfast.devices.spintronics.macrospin.response import Response

__all__ = ["NeuronExperiment", "NeuronRun", "Simulated", "simulate_neuron", "time_step"]

Array = np.ndarray
LARGEST_TURN = 0.1  # rad in a step, in the largest field
HEATING = 0.65  # over the cube root of the damping: a larger turn makes Heun's method heat the moment by more than 4 %
KICKS = 400  # steps in the free moment's relaxation: the bath turns the moment by 0.05 rad in each


@dataclass(frozen=True, kw_only=True)
class NeuronExperiment:
    """How a neuron is simulated.

    Parameters
    ----------
    layer : the macrospins
    current : through them in A, amplitude of an alternating one where `frequency` is not 0; with those of the layer its shape makes
        (runs, K, n)
    frequency : of the current in Hz
    junction : what reads them, where `state` is electrical
    spins, efficiency : of the current's spin transfer
    state : what is read of a run, (runs, K, n)
    start : first direction, (..., 3), with those of the runs first where they differ; the same at each drive: nothing is swept
    duration, settle, dt : averaging window, time before it and time step in s
    """

    layer: MacrospinDevice
    current: Scalar = 0.0
    frequency: float = 0.0
    junction: TunnelJunction = field(default_factory=TunnelJunction)
    spins: Vector = (0.0, 0.0, 1.0)
    efficiency: Scalar = 0.0
    state: Callable[[Response], Array]
    start: ArrayLike
    duration: float
    settle: float
    dt: float


def time_step(field: ArrayLike, *, alpha: ArrayLike, free: ArrayLike = np.inf, turn: float = LARGEST_TURN) -> float:
    """A time step in s that suits all devices of an ensemble.

    Parameters
    ----------
    field : largest fields in A/m
    alpha : Gilbert dampings
    free : relaxation times in s of the free moments in contact with their bath; infinite without one
    turn : largest turn in rad
    """
    largest = min(turn, HEATING * float(np.min(alpha)) ** (1 / 3))
    return min(largest / (GAMMA0 * float(np.max(field))), float(np.min(free)) / KICKS)


class Simulated(Protocol):
    """A neuron that can be simulated."""

    @property
    def temperature(self) -> Any:
        """In K."""

    def experiment(self, drive: NDArray[np.floating]) -> NeuronExperiment:
        """The macrospins that show the state at `drive` (runs, K, 1)."""

    def output(self, state: ArrayLike) -> NDArray[np.floating]:
        """What the read-out makes of the mean state."""


@dataclass(frozen=True, kw_only=True)
class NeuronRun:
    """What :func:`simulate_neuron` measured, arrays (K, n).

    Parameters
    ----------
    state, state_stderr : mean over runs of the time-averaged state, and its standard error; 0 for the one run that a device at 0 K
        needs
    output, stderr : what the read-out makes of the mean, and its standard error to first order
    """

    state: Array
    state_stderr: Array
    output: Array
    stderr: Array


def simulate_neuron(
    device: Simulated,
    drive: ArrayLike,
    *,
    runs: int = 8,
    duration: float | None = None,
    settle: float | None = None,
    dt: float | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> NeuronRun:
    """The response of one neuron or an ensemble of n, by the equation of motion.

    Parameters
    ----------
    device : with scalar parameters, or arrays (n,)
    drive : array (K,), what the device's own closed form takes
    runs : independent runs, >= 2; at 0 K one is made
    duration, settle, dt : averaging window of each run, time before it and time step in s; default: what suits the device
    seed : of the thermal field
    threads : default: one for each processor

    Examples
    --------
    >>> from holdfast.devices.spintronics import HardAxisNeuron
    >>> cold = HardAxisNeuron(temperature=0.0)
    >>> run = simulate_neuron(cold, [0.01, 0.02])
    >>> bool(abs(run.state[:, 0] - cold.mean_state([0.01, 0.02])).max() < 1e-6)
    True
    """
    cold = bool((np.asarray(device.temperature) == 0).all())
    count = 1 if cold else check_whole(runs, "runs", low=2)
    grid = np.atleast_1d(np.asarray(drive, dtype=float))
    plan = device.experiment(np.broadcast_to(grid[None, :, None], (count, len(grid), 1)))
    response = simulate(
        SpinDiode(layer=plan.layer, junction=plan.junction, torque=SpinTorque(polarization=plan.spins, efficiency=plan.efficiency)),
        Drive(i_ac=plan.current, frequency=plan.frequency) if plan.frequency else Drive(i_dc=plan.current),
        duration=plan.duration if duration is None else duration,
        settle=plan.settle if settle is None else settle,
        dt=plan.dt if dt is None else dt,
        start=plan.start,
        seed=seed,
        window="flat",
        threads=threads,
    )
    states = plan.state(response)
    mean = states.mean(axis=0)
    error = np.zeros_like(mean) if cold else states.std(axis=0, ddof=1) / np.sqrt(count)
    step = 1e-4
    slope = (device.output(mean + step) - device.output(mean - step)) / (2 * step)
    return NeuronRun(state=mean, state_stderr=error, output=device.output(mean), stderr=np.abs(slope) * error)
