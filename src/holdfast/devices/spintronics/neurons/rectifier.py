r"""A rectifier from a spin diode: an alternating current in, its rectified voltage out, with a soft threshold.

The free layer lies on an easy cone about its normal, ``sin^2(theta) = -H_k1 / H_k2``, and a current with spins in the plane kicks
it. Far below the resonance small currents only tilt the moment; from a certain amplitude on it is carried around the cone in step
with the current, and the resistance that swings with it rectifies, :math:`V = \langle I R \rangle`. Heat rounds the threshold.
There is no closed form: the response is always simulated. Each drive
begins anew with the moment on the side of the cone along the spins, +x; nothing is swept up or down. By symmetry both hemispheres
answer alike. The two ends of the easy axis in the plane do not: a barrier between them of some thermal energies, and 0 K, keep the
moment at its own, and the voltage is that of a device that was set to +x.

The class of non-resonant rectifiers is that of G. Finocchio et al.,
arXiv:2103.13793; the device and its numbers are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from holdfast.core.checks import check_quantity, refuse
from holdfast.devices.spintronics.constants import GAMMA0
from holdfast.devices.spintronics.macrospin.junction import TunnelJunction
from holdfast.devices.spintronics.neurons.junction_neuron import ANY, POSITIVE, JunctionNeuron
from holdfast.devices.spintronics.neurons.simulation import NeuronExperiment, simulate_neuron, time_step

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["RectifierNeuron"]


@dataclass(frozen=True, kw_only=True)
class RectifierNeuron(JunctionNeuron):
    """An easy-cone spin diode: amplitude in A of the alternating current in, rectified voltage in V out.

    The sign of an amplitude is a phase: drives start at 0.

    Parameters
    ----------
    ms, thickness, area, alpha, temperature, resistance_area, tmr : as in :class:`JunctionNeuron`; there is no read current
    hk1, hk2 : anisotropy fields of first and second order about the normal in A/m; ``0 < -hk1 < hk2`` makes the cone
    in_plane : anisotropy field of an easy axis in the plane, along the spins, in A/m
    efficiency : of the spin transfer
    frequency : of the current in Hz, > 0
    largest : amplitude at the end of the operating range in A, > 0
    """

    limits: ClassVar = {name: limit for name, limit in JunctionNeuron.limits.items() if name != "read_current"} | {
        "hk1": ("A/m", ANY),
        "hk2": ("A/m", POSITIVE),
        "in_plane": ("A/m", ANY),
        "efficiency": ("", ANY),
        "frequency": ("Hz", POSITIVE),
        "largest": ("A", POSITIVE),
    }

    thickness: float | np.ndarray = 1.6e-9
    area: float | np.ndarray = 2.83e-15
    resistance_area: float | np.ndarray = 1.4e-12
    hk1: float | np.ndarray = -4e4
    hk2: float | np.ndarray = 6e4
    in_plane: float | np.ndarray = 1e3
    efficiency: float | np.ndarray = 0.6
    frequency: float = 1e8
    largest: float = 3e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        check_quantity(self.frequency, "frequency", unit="Hz", low=0, low_open=True)
        if not (np.all(np.asarray(self.hk1) < 0) and np.all(-np.asarray(self.hk1) < self.hk2)):
            refuse("hk1", f"runs up to {np.max(self.hk1):g} A/m", allowed="fields in (-hk2, 0) A/m, which make an easy cone")

    def mean_state(self, drive: ArrayLike) -> NDArray[np.float64]:
        """There is no closed form."""
        del drive
        refuse("method", "is 'closed' for a rectifier", allowed="'simulation', because this neuron has no closed form")

    def output(self, state: ArrayLike) -> NDArray[np.floating]:
        """The rectified voltage in V, which is the state itself."""
        return np.asarray(state, dtype=float)

    def response(self, drive: ArrayLike) -> NDArray[np.floating]:
        """Rectified voltage in V at the amplitudes `drive` in A, simulated with the default settings."""
        grid = np.asarray(drive, dtype=float)
        ensemble = grid.ndim > 1
        found = simulate_neuron(self, grid[:, 0] if ensemble else grid).output
        return found if ensemble else found.reshape(grid.shape)

    def experiment(self, drive: NDArray[np.floating]) -> NeuronExperiment:
        """A macrospin that starts on its cone, towards +x; 20 periods of the current in each window."""
        cone = np.sqrt(-np.asarray(self.hk1) / np.asarray(self.hk2))
        reading = np.asarray(self.resistance_area) / np.asarray(self.area)
        torque = np.asarray(self.efficiency) * self.torque_per_ampere * np.max(np.abs(drive))
        hot = np.asarray(self.temperature) > 0
        free = np.where(hot, self.per_field, np.inf) / (2 * GAMMA0 * np.asarray(self.alpha))
        still: Any = 0.0
        return NeuronExperiment(
            layer=self.macrospin(
                field=(still, still, still),
                demag=(-np.asarray(self.in_plane, dtype=float), still, still),
                hk1=self.hk1,
                hk2=self.hk2,
            ),
            current=drive,
            frequency=self.frequency,
            junction=TunnelJunction(r_p=reading, tmr=self.tmr, reference=(1.0, 0.0, 0.0)),
            spins=(1.0, 0.0, 0.0),
            efficiency=self.efficiency,
            state=lambda response: response.v_dc,
            start=np.stack(np.broadcast_arrays(cone, 0.02, np.sqrt(1 - cone**2)), axis=-1),
            duration=20 / self.frequency,
            settle=5 / self.frequency,
            dt=time_step(
                np.abs(self.hk1) + np.asarray(self.hk2) + np.abs(self.in_plane) + np.abs(torque), alpha=self.alpha, free=free
            ),
        )

    @property
    def operating_range(self) -> tuple[float, float]:
        """From no current to the largest amplitude, in A."""
        return 0.0, float(self.largest)
