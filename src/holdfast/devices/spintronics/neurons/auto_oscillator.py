r"""A rectifier from self-oscillation: silent until the current overcomes the damping, then its power rises and saturates.

The free layer has an easy plane and stands upright in a stronger field along its normal; a current polarised the other way drives
it out. With the power ``p = (1 - m_z) / 2`` its equation of motion is exactly

.. math:: \frac{dp}{dt} = -2 \alpha \omega_0\, [1 + \nu p - \zeta]\, p\,(1 - p), \qquad \omega_0 = \gamma_0 (H - M), \quad
          \nu = \frac{2 M}{H - M}, \quad \zeta = \frac{I}{I_{th}}, \quad a_J(I_{th}) = \alpha (H - M)

so ``p = (zeta - 1) / nu`` above the threshold. To first order in the power it is the oscillator of
:mod:`~holdfast.devices.spintronics.oscillators.oscillation_power` with ``Q = nu - 1``. The symmetry about the normal makes the
thermal average exact too, as for :class:`~holdfast.devices.spintronics.ThermalSigmoidNeuron`, with a negative barrier.

What is read is the microwave power of a junction whose reference layer lies in the plane: its resistance swings with
``sin(theta)``, and to first order in the swing the power available to a matched load is

.. math:: P = \frac{I_r^2 \bar R}{8} \bigl(\frac{TMR}{2 + TMR}\bigr)^2 \langle 1 - m_z^2 \rangle, \qquad \bar R = R(c = 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from holdfast.core.checks import refuse
from holdfast.devices.spintronics.constants import GAMMA0
from holdfast.devices.spintronics.macrospin.boltzmann import axial_moments
from holdfast.devices.spintronics.neurons.junction_neuron import ANY, POSITIVE, JunctionNeuron
from holdfast.devices.spintronics.neurons.simulation import NeuronExperiment, time_step

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["AutoOscillatorNeuron"]

LAST = 0.25  # power at the end of the operating range: beyond 0.5 the moment has passed the plane and emits less again


@dataclass(frozen=True, kw_only=True)
class AutoOscillatorNeuron(JunctionNeuron):
    r"""A spin-torque oscillator: current in A through the layer in, emitted microwave power in W out.

    Parameters
    ----------
    ms, thickness, area, alpha, temperature, resistance_area, tmr, read_current : as in :class:`JunctionNeuron`
    field : along the normal in A/m, > meff
    meff : easy-plane field in A/m, > 0
    efficiency : of the spin transfer, > 0

    Examples
    --------
    >>> neuron = AutoOscillatorNeuron(temperature=0.0)
    >>> threshold = float(neuron.threshold_current)
    >>> neuron.power([0.5 * threshold, threshold, 2 * threshold]).round(9).tolist()
    [0.0, 0.0, 0.25]
    """

    limits: ClassVar = JunctionNeuron.limits | {
        "field": ("A/m", ANY),
        "meff": ("A/m", POSITIVE),
        "efficiency": ("", POSITIVE),
    }

    area: float | np.ndarray = 1e-14
    thickness: float | np.ndarray = 2e-9
    field: float | np.ndarray = 1.5e5
    meff: float | np.ndarray = 1e5
    efficiency: float | np.ndarray = 0.6
    read_current: float | np.ndarray = 5e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not np.all(np.asarray(self.field) > self.meff):
            refuse(
                "field", f"goes down to {np.min(self.field):g} A/m", allowed="fields above `meff`, which hold the moment upright"
            )

    @property
    def threshold_current(self) -> Any:
        """In A."""
        return self.alpha * (np.asarray(self.field) - self.meff) / (np.asarray(self.efficiency) * self.torque_per_ampere)

    @property
    def frequency_shift(self) -> Any:
        r"""Relative rise of the frequency per power, :math:`\nu`; the nonlinear damping is one less."""
        return 2 * np.asarray(self.meff) / (np.asarray(self.field) - self.meff)

    @property
    def noise(self) -> Any:
        """Thermal energy over the energy of the oscillation at unit power."""
        return 1 / (2 * self.per_field * (np.asarray(self.field) - self.meff))

    def _moments(self, current: ArrayLike) -> tuple[Any, Any]:
        """Mean and mean square of the moment's component along the normal."""
        torque = np.asarray(self.efficiency) * self.torque_per_ampere * np.asarray(current, dtype=float)
        pull = np.asarray(self.field) - torque / self.alpha
        cold = np.asarray(self.temperature) == 0
        still = np.clip(pull / self.meff, -1, 1)
        per_field = np.where(cold, 0.0, self.per_field)
        mean, square = axial_moments(-per_field * self.meff / 2, per_field * pull)
        return np.where(cold, still, mean), np.where(cold, still**2, square)

    def power(self, current: ArrayLike) -> NDArray[np.float64]:
        """Mean power ``p`` of the oscillation, dimensionless; n devices broadcast along the last axis."""
        return np.asarray((1 - self._moments(current)[0]) / 2)

    def mean_state(self, drive: ArrayLike) -> NDArray[np.float64]:
        """Mean square of the moment's part in the plane, ``4 p (1 - p)`` of a quiet oscillation, at the current `drive` in A."""
        return np.asarray(1 - self._moments(drive)[1])

    def output(self, state: ArrayLike) -> NDArray[np.floating]:
        """Emitted power in W."""
        return np.asarray(self.emission * np.asarray(state))

    def experiment(self, drive: NDArray[np.floating]) -> NeuronExperiment:
        """A macrospin that a current polarised against its field drives out.

        It has one stable state at each current, without hysteresis. The windows of 30 decay times of the quiet moment, after 15 of
        them, grow with the slowing down at the threshold, where the power relaxes at the rate that its noise leaves. At 0 K it
        relaxes there as one over time, and no window is long enough.
        """
        excess = np.asarray(self.field) - self.meff
        time = 1 / (np.asarray(self.alpha) * GAMMA0 * excess)
        hot = np.asarray(self.temperature) > 0
        per_field = np.where(hot, self.per_field, 0.0)
        slow = time * np.sqrt(per_field * self.meff) / self.frequency_shift
        torque = np.asarray(self.efficiency) * self.torque_per_ampere * np.abs(drive)
        return NeuronExperiment(
            layer=self.macrospin(field=(0.0, 0.0, self.field), demag=(0.0, 0.0, self.meff)),
            current=drive,
            spins=(0.0, 0.0, -1.0),
            efficiency=self.efficiency,
            state=lambda response: 1 - response.m_square[..., 2],
            start=(0.5, 0.0, 0.87),
            duration=max(30 * float(np.max(time)), 5 * float(np.max(slow))),
            settle=max(15 * float(np.max(time)), 3 * float(np.max(slow))),
            dt=time_step(
                np.asarray(self.field) + self.meff + torque,
                alpha=self.alpha,
                free=np.where(hot, per_field / (2 * GAMMA0 * np.asarray(self.alpha)), np.inf),
                turn=0.15,
            ),
        )

    @property
    def emission(self) -> Any:
        """Power in W that is available from a moment that turns in the plane."""
        swing = np.asarray(self.tmr) / (2 + np.asarray(self.tmr))
        return np.asarray(self.read_current) ** 2 * self.resistance(0.0) * swing**2 / 8

    @property
    def operating_range(self) -> tuple[float, float]:
        """From twice as far below the threshold as above it, up to a power of 0.25."""
        above = LAST * float(self.frequency_shift)
        return float(self.threshold_current) * (1 - 2 * above), float(self.threshold_current) * (1 + above)
