r"""A sigmoid from thermal agitation: a free layer whose barrier is so low that the bath turns it all the time.

A current polarised along the layer's axis of symmetry biases the dice. With a damping-like field `a_J` along that axis the
stationary distribution is exactly that of a moment in the field ``H + a_J / alpha``, because the torque enters the
Fokker-Planck equation (W. F. Brown, Phys. Rev. 130 (1963) 1677) as the damping of such a field does,

.. math:: P(m_z) \propto e^{\Delta m_z^2 + \xi m_z}, \quad \Delta = \frac{\mu_0 M_s V H_k}{2 k_B T}, \quad
          \xi = \frac{\mu_0 M_s V}{k_B T}\bigl(H + \frac{a_J}{\alpha}\bigr), \quad a_J = \frac{\hbar \eta I}{2 e \mu_0 M_s V}.

Without a barrier the mean is Langevin's ``coth xi - 1/xi``; with a high one it is ``tanh xi``. The volume cancels in the part of
`xi` that the current makes: at zero barrier and field only damping, efficiency and temperature set the steepness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from holdfast.devices.spintronics.constants import GAMMA0
from holdfast.devices.spintronics.macrospin.boltzmann import axial_moments
from holdfast.devices.spintronics.neurons.junction_neuron import ANY, POSITIVE, JunctionNeuron
from holdfast.devices.spintronics.neurons.simulation import NeuronExperiment, time_step
from holdfast.devices.spintronics.neurons.well_crossing import SETTLE, WINDOW, barrier_left, check_crossed, crossing_time

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["ThermalSigmoidNeuron"]

REACH = 16.0  # bias over thermal energy at the ends of the operating range


@dataclass(frozen=True, kw_only=True)
class ThermalSigmoidNeuron(JunctionNeuron):
    r"""A superparamagnetic tunnel junction: current in A along the axis in, voltage in V of the read current out.

    Parameters
    ----------
    ms, thickness, area, alpha, resistance_area, tmr, read_current : as in :class:`JunctionNeuron`
    temperature : in K, > 0
    hk : anisotropy field along the axis in A/m; negative for an easy plane
    field : along the reference layer in A/m
    efficiency : of the spin transfer, :math:`\eta`

    Examples
    --------
    >>> neuron = ThermalSigmoidNeuron()
    >>> neuron.mean_state([-1e-5, 0.0, 1e-5]).round(2).tolist()
    [-0.9, 0.0, 0.9]
    """

    limits: ClassVar = JunctionNeuron.limits | {
        "temperature": ("K", POSITIVE),
        "hk": ("A/m", ANY),
        "field": ("A/m", ANY),
        "efficiency": ("", ANY),
    }

    thickness: float | np.ndarray = 1e-9
    area: float | np.ndarray = 3e-16
    alpha: float | np.ndarray = 0.05
    hk: float | np.ndarray = 5e3
    field: float | np.ndarray = 0.0
    efficiency: float | np.ndarray = 0.6

    @property
    def barrier(self) -> Any:
        r"""Anisotropy energy over thermal energy, :math:`\Delta`."""
        return self.per_field * self.hk / 2

    def bias(self, current: ArrayLike) -> Any:
        r"""What the current and the field do, over thermal energy, :math:`\xi`."""
        torque = np.asarray(self.efficiency) * self.torque_per_ampere * np.asarray(current, dtype=float)
        return self.per_field * (np.asarray(self.field) + torque / self.alpha)

    def mean_state(self, drive: ArrayLike) -> NDArray[np.float64]:
        """Mean cosine between free and reference layer at the current `drive` in A."""
        return axial_moments(self.barrier, self.bias(drive))[0]

    def experiment(self, drive: NDArray[np.floating]) -> NeuronExperiment:
        """A macrospin with its axis along the spins of the current; every other run starts in the other well.

        Windows last 200 times the free moment's relaxation, and 50 times the crossing of a barrier, which 10 times precede them.

        Raises
        ------
        InputError : a barrier of more than 8 kT, which no run crosses often enough
        """
        free = self.per_field / (2 * GAMMA0 * np.asarray(self.alpha))
        bias, barrier = self.bias(drive[0]), np.asarray(self.barrier)
        against = np.abs(bias) / np.maximum(2 * barrier, 1e-12)
        crossing = float(np.max(free * crossing_time(check_crossed(barrier_left(barrier, against)).max(axis=0))))
        pull = np.abs(np.asarray(self.field)) + np.asarray(self.alpha) * np.abs(bias) / self.per_field + np.abs(self.hk)
        side = np.where(np.arange(len(drive)) % 2, -0.8, 0.8)[:, None, None]
        return NeuronExperiment(
            layer=self.macrospin(field=(0.0, 0.0, self.field), demag=(0.0, 0.0, -np.asarray(self.hk, dtype=float))),
            current=drive,
            efficiency=self.efficiency,
            state=lambda response: response.m_mean[..., 2],
            start=np.stack(np.broadcast_arrays(0.0, 0.6, side), axis=-1),
            duration=max(200 * float(np.max(free)), WINDOW * crossing),
            settle=SETTLE * crossing,
            dt=time_step(pull, alpha=self.alpha, free=free),
        )

    @property
    def operating_range(self) -> tuple[float, float]:
        """Currents in A at which the bias is 16 times the thermal energy, either way."""
        zero, one = float(self.bias(0.0)), float(self.bias(1.0))
        return (-REACH - zero) / (one - zero), (REACH - zero) / (one - zero)
