r"""A sigmoid without agitation: a moment that a field turns away from its easy axis, from one hard direction to the other.

The layer is magnetised along its normal; the field of a current in a strip line lies in the plane, along the reference layer.
With ``h = H / H_k`` its energy is ``-1/2 cos^2 - h sin``: at 0 K the moment lies at ``sin = clip(h, -1, 1)``, a straight line
between two hard corners. Three things round them:

* temperature: the exact Boltzmann average (:func:`~holdfast.devices.spintronics.macrospin.boltzmann.transverse_mean`);
* a constant field along the easy axis, `bias`;
* a line that is tilted out of the plane by `misalignment`, whose field then has a part along the easy axis.

At 0 K the moment is at the lowest of its energies, ``sin + |h_b| tan = |h|``, without hysteresis: that is what a slow read-out
of an agitated moment approaches, and what a bias field enforces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from holdfast.devices.spintronics.constants import GAMMA0
from holdfast.devices.spintronics.macrospin.boltzmann import transverse_mean
from holdfast.devices.spintronics.neurons.junction_neuron import ANY, POSITIVE, JunctionNeuron
from holdfast.devices.spintronics.neurons.simulation import NeuronExperiment, time_step
from holdfast.devices.spintronics.neurons.well_crossing import SETTLE, WINDOW, barrier_left, check_crossed, crossing_time

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["HardAxisNeuron"]

DAMPING = 0.5  # of the simulation: with it the equilibrium is reached soonest
EQUAL = 1e-3  # error of a state below which it does not matter whether the moment ever reaches its other well
REACH = 2.0  # anisotropy fields at the ends of the operating range


@dataclass(frozen=True, kw_only=True)
class HardAxisNeuron(JunctionNeuron):
    """A perpendicular free layer over a strip line: current in A in the line in, voltage in V of the read current out.

    Parameters
    ----------
    ms, thickness, area, alpha, temperature, resistance_area, tmr, read_current : as in :class:`JunctionNeuron`
    hk : anisotropy field of the normal in A/m, > 0
    line_width : of the strip in m, > 0; its field is ``I / (2 w)``
    field : constant field along the reference layer in A/m
    bias : constant field along the easy axis in A/m
    misalignment : angle of the line's field out of the plane in rad

    Examples
    --------
    >>> neuron = HardAxisNeuron(temperature=0.0, hk=2e4, bias=0.0, line_width=1e-6)
    >>> neuron.mean_state([0.0, 0.02, 0.04, 0.08]).round(9).tolist()  # 1e4 A/m is half of the anisotropy field
    [0.0, 0.5, 1.0, 1.0]
    """

    limits: ClassVar = JunctionNeuron.limits | {
        "hk": ("A/m", POSITIVE),
        "line_width": ("m", POSITIVE),
        "field": ("A/m", ANY),
        "bias": ("A/m", ANY),
        "misalignment": ("rad", ANY),
    }

    hk: float | np.ndarray = 2e4
    line_width: float | np.ndarray = 1e-6
    field: float | np.ndarray = 0.0
    bias: float | np.ndarray = 1e3
    misalignment: float | np.ndarray = 0.0

    def fields(self, current: ArrayLike) -> tuple[Any, Any]:
        """Along the easy axis and along the reference layer, in A/m."""
        line = np.asarray(current, dtype=float) / (2 * np.asarray(self.line_width))
        return self.bias + line * np.sin(self.misalignment), self.field + line * np.cos(self.misalignment)

    def mean_state(self, drive: ArrayLike) -> NDArray[np.float64]:
        """Mean cosine between free and reference layer at the line current `drive` in A."""
        along, across = self.fields(drive)
        cold = np.asarray(self.temperature) == 0
        if cold.all():
            return _lowest(along / self.hk, across / self.hk)
        if cold.any():
            per_field = np.where(cold, 1.0, self.per_field)
            warm = transverse_mean(per_field * self.hk / 2, per_field * along, per_field * across)
            return np.where(cold, _lowest(along / self.hk, across / self.hk), warm)
        return transverse_mean(self.per_field * self.hk / 2, self.per_field * along, self.per_field * across)

    def experiment(self, drive: NDArray[np.floating]) -> NeuronExperiment:
        """A macrospin in the fields of line and bias; with a damping of 0.5, on which its equilibrium does not depend.

        It starts in the deeper well. At 0 K it relaxes; with temperature the window is 200 times the free moment's relaxation,
        and 50 times the crossing of the barrier to the other well, where what is read there is another state.

        Raises
        ------
        InputError : a barrier of more than 8 kT to a well that the moment must visit
        """
        along, across = self.fields(drive)
        largest = np.hypot(along, across) + np.asarray(self.hk)
        hot = np.asarray(self.temperature) > 0
        per_field = np.where(hot, self.per_field, 0.0)
        free = per_field / (2 * GAMMA0 * DAMPING)
        barrier = check_crossed(self._other_well(per_field, along[0], across[0])).max(axis=0)
        crossing = float(np.max(free * crossing_time(barrier)))
        relaxation = 200 / (DAMPING * GAMMA0 * float(np.min(self.hk)))
        return NeuronExperiment(
            layer=self.macrospin(field=(across, 0.0, along), demag=(0.0, 0.0, -np.asarray(self.hk, dtype=float)), alpha=DAMPING),
            state=lambda response: response.m_mean[..., 0],
            start=np.stack(np.broadcast_arrays(0.05 * np.sign(across), 0.0, np.where(along < 0, -1.0, 1.0)), axis=-1),
            duration=max(200 * float(np.max(free)), WINDOW * crossing, relaxation / 10),
            settle=max(SETTLE * crossing, relaxation),
            dt=time_step(largest, alpha=DAMPING, free=np.where(hot, free, np.inf)),
        )

    def _other_well(self, per_field: Any, along: Any, across: Any) -> NDArray[np.float64]:
        """Barrier to the shallower well over thermal energy, or 0 where that well, as often as it is visited, changes nothing."""
        hard, easy = np.abs(across / self.hk), np.abs(along / self.hk)
        upright = np.sqrt(1 - np.minimum(hard, 1) ** 2)
        visited = np.exp(-2 * per_field * np.abs(along) * upright)
        return np.where(2 * easy * hard * visited > EQUAL, barrier_left(per_field * self.hk / 2, hard), 0.0)

    @property
    def operating_range(self) -> tuple[float, float]:
        """Currents in A whose field is twice the anisotropy field, either way."""
        end = REACH * float(self.hk) * 2 * float(self.line_width)
        return -end, end


def _lowest(along: Any, across: Any) -> NDArray[np.float64]:
    """Sine of the angle to the easy axis at the lowest energy, by bisection of ``sin + |h_b| tan = |h|``."""
    easy, hard = np.abs(np.broadcast_arrays(along, across))
    low, high = np.zeros(easy.shape), np.full(easy.shape, np.pi / 2)
    for _ in range(60):
        middle = (low + high) / 2
        before = np.sin(middle) * np.cos(middle) + easy * np.sin(middle) < hard * np.cos(middle)
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    return np.asarray(np.sign(across) * np.sin((low + high) / 2))
