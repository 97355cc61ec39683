"""The same equations on torch tensors: the result can be differentiated with respect to every field of the network.

Steps, looks at the phases and random numbers are those of the compiled engine. The history of a run is kept only between two
looks; within, it is computed again in the backward pass (checkpointing), so memory grows with the number of looks. torch is
imported when this module is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.checkpoint import checkpoint

from holdfast.core.checks import refuse
from holdfast.devices.spintronics.lanes import increments, lane_keys
from holdfast.devices.spintronics.oscillators.integration import UNIFORM, Run, initial_state, trace_steps
from holdfast.devices.spintronics.oscillators.kernels import local_rates
from holdfast.devices.spintronics.oscillators.oscillation import Oscillation, pairs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.devices.spintronics.oscillators.universal import AutoOscillatorNetwork

__all__ = ["integrate_tensors"]

TURN = 2 * math.pi


class _Equations:
    """The right-hand side and the steps, in a frame that rotates at the reference of each network."""

    def __init__(self, net: AutoOscillatorNetwork, run: Run) -> None:
        if np.any(net.delay > 0):
            refuse("delay", "is not 0", allowed="0 with backend='torch'", remedy="Give its phase to the coupling, or use 'numba'.")
        given = [
            getattr(net, name) for name in ("frequency", "nonlinearity", "damping", "q", "supercriticality", "coupling", "noise")
        ]
        given += [part for source in net.sources for part in (source.frequency, source.amplitude)]
        tensors = [value for value in given if isinstance(value, torch.Tensor)]
        kind = torch.promote_types(tensors[0].dtype, torch.float32) if tensors else torch.float64
        self.options: Any = {"device": tensors[0].device if tensors else "cpu", "dtype": kind.to_real()}
        self.net, self.run, self.shape = net, run, (*net.batch, net.oscillators)
        self.frame = self.tensor(net.reference) * TURN
        zeta, q, damping = self.tensor(net.supercriticality), self.tensor(net.q), TURN * self.tensor(net.damping)
        self.gain, self.loss = damping * (zeta - 1), damping * (q + zeta)
        self.detuning = TURN * self.tensor(net.frequency) - self.frame[..., None]
        self.shift = TURN * self.tensor(net.nonlinearity)
        self.sigma = UNIFORM * (damping * self.tensor(net.noise) * run.dt).sqrt()
        self.noisy = bool((self.sigma.detach() > 0).any())
        matrix = TURN * self.tensor(net.coupling, complex_=True)
        real, imag = matrix.real, matrix.imag
        self.coupled = net.coupling.ndim > 0
        self.matrix = torch.cat([torch.cat([real, -imag], -1), torch.cat([imag, real], -1)], -2) if self.coupled else matrix.real
        count = math.prod(net.batch)
        self.keys = lane_keys(run.seed, run.first_point + np.arange(count))
        amplitudes, self.time, self.first_step = self.begin()
        turned = amplitudes * torch.polar(torch.ones_like(self.frame), self.frame * self.time)[..., None]
        self.start = torch.cat([turned.real, turned.imag], -1)

    def begin(self) -> tuple[torch.Tensor, float, int]:
        """Amplitudes in the laboratory frame with their history, the time and the number of steps at which they hold."""
        start = self.run.start
        given = start.state if isinstance(start, Oscillation) else start
        if isinstance(given, torch.Tensor):
            state = self.tensor(given, complex_=True).expand(self.shape)
            return state, *((start.time, start.steps) if isinstance(start, Oscillation) else (0.0, 0))
        known, time, steps = initial_state(self.net, self.run)
        state = self.tensor(known.reshape(self.shape), complex_=True)
        if start is None:  # the free power follows the parameters
            power = (self.gain / self.loss).expand(self.shape)
            state = state / state.abs() * power.sqrt()
        return state, time, steps

    def tensor(self, value: Any, *, complex_: bool = False) -> torch.Tensor:
        """`value` as a tensor of this run's kind."""
        options = self.options | {"dtype": self.options["dtype"].to_complex()} if complex_ else self.options
        return (value if isinstance(value, torch.Tensor) else torch.tensor(np.array(value))).to(**options)

    def forces(self, time: float) -> torch.Tensor | float:
        """The sources' common force (..., 2 K) at `time`."""
        total: torch.Tensor | float = 0.0
        for source in self.net.sources:
            angle = (self.frame - TURN * self.tensor(source.frequency)) * time
            force = TURN * self.tensor(source.amplitude, complex_=True) * torch.polar(torch.ones_like(angle), angle)[..., None]
            total = total + torch.cat([force.real, force.imag], -1)
        return total

    def rates(self, z: torch.Tensor, force: torch.Tensor | float) -> torch.Tensor:
        """Rates of change (..., 2 K)."""
        x, y = z.chunk(2, -1)
        own = torch.cat(local_rates(x, y, self.gain, self.loss, self.detuning, self.shift), -1)
        if self.coupled:
            own = own + (self.matrix @ z[..., None])[..., 0]
        return own + force

    def advance(self, z: torch.Tensor, first: int, steps: int) -> torch.Tensor:
        """`steps` Runge-Kutta steps, each with its noise, from step number `first` of this run on."""
        dt = self.run.dt
        for step in range(first, first + steps):
            now = self.time + step * dt
            at = [self.forces(now + share * dt) for share in (0, 0.5, 1)] if self.net.sources else [0.0] * 3
            a = self.rates(z, at[0])
            b = self.rates(z + 0.5 * dt * a, at[1])
            c = self.rates(z + 0.5 * dt * b, at[1])
            d = self.rates(z + dt * c, at[2])
            z = z + dt / 6 * (a + 2 * (b + c) + d)
            if self.noisy:
                drawn = increments(self.keys, self.first_step + step, self.net.oscillators)
                x, y = (self.tensor(part.reshape(self.shape)) for part in drawn)
                z = z + torch.cat([self.sigma * x, self.sigma * y], -1)
        return z

    def looks(self, stride: int) -> Iterator[torch.Tensor]:
        """The states at which the window is sampled, the first at its begin."""
        z, step, end = self.start, 0, self.run.discard + self.run.window
        while True:
            if step >= self.run.discard:
                yield z
            if step == end:
                return
            steps = min(stride, (self.run.discard if step < self.run.discard else end) - step)
            z = checkpoint(self.advance, z, step, steps, use_reentrant=False, preserve_rng_state=False)
            step += steps


def integrate_tensors(net: AutoOscillatorNetwork, run: Run) -> Oscillation:
    """Integrate all networks with torch; the fields of the result are tensors with a history where the network's have one."""
    equations = _Equations(net, run)
    stride, every = trace_steps(run)
    states = torch.stack([*equations.looks(stride)], -2).expand(*net.batch, -1, -1)
    x, y = states.chunk(2, -1)
    angle = torch.atan2(-y, x)
    change = angle.diff(dim=-2)
    change = change - TURN * torch.floor(change.detach() / TURN + 0.5)
    phase = torch.cat([torch.zeros_like(change[..., :1, :]), change.cumsum(-2)], -2)
    x, y = x[..., 1:, :], y[..., 1:, :]
    power = x * x + y * y
    pairs = [phase[..., i] - phase[..., j] for i, j in pairs_of(net.oscillators)]
    swing = torch.stack([apart.amax(-1) - apart.amin(-1) for apart in pairs], -1) if pairs else phase.new_zeros(*net.batch, 0)
    size = (power + 1e-300 if power.dtype == torch.float64 else power + 1e-30).sqrt()
    window, end = run.window * run.dt, equations.time + (run.discard + run.window) * run.dt
    back = torch.polar(torch.ones_like(equations.frame), -equations.frame * end)[..., None]
    kept = torch.complex(*(part.contiguous() for part in states.chunk(2, -1)))
    return Oscillation(
        mean_frequency=phase[..., -1, :] / (TURN * window) + equations.frame[..., None] / TURN,
        power=power.mean(-2),
        swing=swing,
        order=torch.hypot((x / size).sum(-1), (y / size).sum(-1)).mean(-1) / net.oscillators,
        emitted=(x.sum(-1) ** 2 + y.sum(-1) ** 2).mean(-1),
        state=kept[..., -1, :] * back,
        time=end,
        steps=equations.first_step + run.discard + run.window,
        window=window,
        trace=kept[..., ::every, :] if every else None,
        trace_interval=stride * every * run.dt,
        reference=net.reference,
    )
