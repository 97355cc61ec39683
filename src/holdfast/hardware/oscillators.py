r"""A layer of coupled oscillators: inputs set their currents, and what comes out is who is synchronised with whom.

Each example sets the supercriticalities of K oscillators,

.. math:: \zeta = \zeta_{low} + (\zeta_{high} - \zeta_{low})\, \sigma(W x + b),

which then run for a while (:class:`~holdfast.devices.spintronics.AutoOscillatorNetwork`). Read out are the order parameter of each
pair, near 1 for two that are locked and near 0 for two that drift, and the mean power of each oscillator:

.. math:: r_{ij} = \left| \langle e^{i (\theta_i - \theta_j)} \rangle \right|, \qquad p_k = \langle |c_k|^2 \rangle

Both are smooth in the currents, so that networks with such a layer train end to end through the physics. Weights and biases are
parameters; what fabrication decided are buffers. The idea of computing with patterns of synchronisation: M. Romera et al., Nature
563 (2018) 230; training through the equations of motion is ours.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from holdfast.core.checks import check_whole, check_within, refuse
from holdfast.core.seeds import Seeds
from holdfast.devices.spintronics import AutoOscillatorNetwork, Oscillation, all_to_all, simulate_network

__all__ = ["OscillatorLayer"]

ROWS = ("frequency", "nonlinearity", "damping", "q", "noise")
EVERY = 8  # steps between two looks at the phases


class OscillatorLayer(nn.Module):
    """Coupled oscillators between an affine map to their currents and a read-out of synchronisation and power.

    Parameters
    ----------
    in_features : number of inputs
    oscillators : their number K >= 2
    net : the devices, their coupling and noise; its supercriticality is not used. Default: `oscillators` devices with free
        frequencies 2 MHz apart, coupled all-to-all with 0.1 MHz at the phase that widens locking most
    currents : lowest and highest supercriticality that the layer sets, both > 1
    duration, discard : time in s for which the oscillators run, and how much of it is transient
    dt : time step in s; default: the largest that is safe for all currents in the range
    seed : of the initial phases, which are the same for all examples, and of the noise, the same at each call

    Shapes
    ------
    input (..., in_features); output (..., K (K - 1) / 2 + K): the pairs' order parameters in the order of
    :func:`~holdfast.devices.spintronics.oscillators.pairs_of`, then the powers. Number format and place follow the input.

    Raises
    ------
    InputError : a lowest current that does not oscillate, a step that is too long (the largest safe one is named), a window shorter
        than one look, a batch of networks or delayed coupling

    Examples
    --------
    >>> layer = OscillatorLayer(2, 3, duration=3e-7, discard=1e-7)
    >>> layer(torch.zeros(5, 2)).shape
    torch.Size([5, 6])
    """

    q: torch.Tensor
    coupling: torch.Tensor
    phases: torch.Tensor

    def __init__(
        self,
        in_features: int,
        oscillators: int = 4,
        *,
        net: AutoOscillatorNetwork | None = None,
        currents: tuple[float, float] = (1.5, 2.5),
        duration: float = 1e-6,
        discard: float = 4e-7,
        dt: float | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.drive = nn.Linear(check_whole(in_features, "in_features", low=1), check_whole(oscillators, "oscillators", low=2))
        self.oscillators, self.seed = oscillators, check_whole(seed, "seed")
        self.out_features = oscillators * (oscillators + 1) // 2
        self.low, self.high = _checked_currents(currents)
        devices = _default_devices(oscillators) if net is None else net
        if devices.oscillators != oscillators or devices.batch:
            refuse("net", f"has {devices.oscillators} oscillators, batch {devices.batch}", allowed=f"one network of {oscillators}")
        if np.any(devices.delay > 0):
            refuse("net", "has delayed coupling", allowed="coupling without delay", remedy="Give its phase to the coupling.")
        number = torch.get_default_dtype()
        for name in ROWS:
            values = np.array(np.broadcast_to(getattr(devices, name), (oscillators,)), dtype=float)
            self.register_buffer(name, torch.from_numpy(values).to(number))
        matrix = (
            np.broadcast_to(devices.coupling, (oscillators, oscillators)) if devices.coupling.ndim else np.zeros((oscillators,) * 2)
        )
        parts = np.stack([matrix.real, matrix.imag])  # a complex buffer would lose its imaginary part in `.to(dtype)`
        self.register_buffer("coupling", torch.from_numpy(parts).to(number))
        phases = Seeds(seed).numpy("phases").uniform(0, 2 * math.pi, oscillators)
        self.register_buffer("phases", torch.from_numpy(phases).to(number))
        self.dt, self.discard, self.duration = self._timing(devices, dt, discard=discard, duration=duration)

    def _timing(
        self, devices: AutoOscillatorNetwork, dt: float | None, *, discard: float, duration: float
    ) -> tuple[float, float, float]:
        """Step, transient and duration in s; the last two whole numbers of looks."""
        extreme = np.where(np.eye(self.oscillators, dtype=bool), self.high, self.low)
        corners = np.concatenate([extreme, self.high + self.low - extreme, np.full((1, self.oscillators), self.high)])
        safe = 0.1 / replace(devices, supercriticality=corners).fastest_rate
        step = 0.999 * safe if dt is None else check_within(dt, "dt", low=0, low_open=True)
        if step > safe:
            refuse("dt", f"is {step:.4g} s", allowed=f"steps up to {safe:.4g} s for currents up to {self.high:g}")
        look = EVERY * step
        skipped = round(check_within(discard, "discard", low=0) / look)
        looks = round(check_within(duration, "duration", low=0, low_open=True) / look)
        if looks - skipped < 1:
            refuse("duration", f"is {duration:.4g} s with {discard:.4g} s discarded", allowed=f"a window of at least {look:.4g} s")
        return step, skipped * look, looks * look

    def extra_repr(self) -> str:
        """The layer's line in a printed network."""
        return f"currents=({self.low:g}, {self.high:g}), duration={self.duration:.3g}, discard={self.discard:.3g}, dt={self.dt:.3g}"

    def supercriticality(self, x: torch.Tensor) -> torch.Tensor:
        """Currents over threshold (..., K) that inputs (..., in_features) set."""
        if not x.is_floating_point() or x.ndim == 0 or x.shape[-1] != self.drive.in_features or x.numel() == 0:
            refuse(
                "x", f"has dtype {x.dtype} and shape {tuple(x.shape)}", allowed=f"floats of shape (..., {self.drive.in_features})"
            )
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        argument = nn.functional.linear(wide, self.drive.weight.to(wide), self.drive.bias.to(wide))
        return self.low + (self.high - self.low) * torch.sigmoid(argument)

    def network(self, supercriticality: torch.Tensor) -> AutoOscillatorNetwork:
        """The oscillators at given currents (..., K)."""
        rows: dict[str, Any] = {name: getattr(self, name).to(supercriticality) for name in ROWS}
        matrix = torch.complex(*self.coupling.to(supercriticality))
        return AutoOscillatorNetwork(supercriticality=supercriticality, coupling=matrix, **rows)

    def oscillate(self, x: torch.Tensor) -> Oscillation:
        """What the oscillators do, with the trace that is read out."""
        zeta = self.supercriticality(x)
        power = (zeta - 1) / (zeta + self.q.to(zeta))
        start = torch.polar(power.sqrt(), -self.phases.to(zeta).expand_as(zeta))
        return simulate_network(
            self.network(zeta),
            self.duration,
            dt=self.dt,
            discard=self.discard,
            start=start,
            seed=self.seed,
            trace_every=EVERY * self.dt,
            backend="torch",
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Order parameters of all pairs, then powers."""
        trace = self.oscillate(x).trace
        power = trace.real**2 + trace.imag**2
        direction = trace / (power + 1e-12).sqrt()
        first, second = torch.triu_indices(self.oscillators, self.oscillators, 1, device=x.device)
        together = (direction[..., first] * direction[..., second].conj()).mean(dim=-2)
        order = (together.real**2 + together.imag**2 + 1e-12).sqrt()
        return torch.cat([order, power.mean(dim=-2)], dim=-1).to(x.dtype)


def _checked_currents(currents: tuple[float, float]) -> tuple[float, float]:
    low, high = currents
    check_within(high, "currents[1]")
    if not 1 < low < high:
        refuse(
            "currents",
            f"are {currents}",
            allowed="1 < lowest < highest, in threshold currents",
            remedy="At or below its threshold current an oscillator does not oscillate.",
        )
    return float(low), float(high)


def _default_devices(oscillators: int) -> AutoOscillatorNetwork:
    ratio = AutoOscillatorNetwork().phase_amplitude_ratio[0]
    apart = 2e6 * (np.arange(oscillators) - (oscillators - 1) / 2)
    return AutoOscillatorNetwork(frequency=apart, coupling=all_to_all(oscillators, 1e5, np.arctan(ratio)))
