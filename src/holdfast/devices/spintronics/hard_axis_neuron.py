r"""A sigmoid without agitation: a moment that a field turns away from its easy axis, from one hard direction to the other.

The layer is magnetised along its normal; the field of a current in a strip line lies in the plane, along the reference layer.
With ``h = H / H_k`` its energy is ``-1/2 cos^2 - h sin``: at 0 K the moment lies at ``sin = clip(h, -1, 1)``, a straight line
between two hard corners. Three things round them:

* temperature: the exact Boltzmann average over the sphere, :func:`~holdfast.devices.spintronics.boltzmann.transverse_mean`;
* a constant field along the easy axis, `bias`;
* a line that is tilted out of the plane by `misalignment`, whose field then has a part along the easy axis.

At 0 K the moment is at the lowest of its energies, ``sin + |h_b| tan = |h|``, without hysteresis: that is what a slow read-out
of an agitated moment approaches, and what a bias field enforces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from holdfast.devices.spintronics.boltzmann import transverse_mean
from holdfast.devices.spintronics.neuron import JunctionNeuron

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["HardAxisNeuron"]

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
    >>> neuron.alignment([0.0, 0.02, 0.04, 0.08]).round(9).tolist()  # 1e4 A/m is half of the anisotropy field
    [0.0, 0.5, 1.0, 1.0]
    """

    positive: ClassVar[tuple[str, ...]] = (*JunctionNeuron.positive, "hk", "line_width")

    hk: float | np.ndarray = 2e4
    line_width: float | np.ndarray = 1e-6
    field: float | np.ndarray = 0.0
    bias: float | np.ndarray = 1e3
    misalignment: float | np.ndarray = 0.0

    def fields(self, current: ArrayLike) -> tuple[Any, Any]:
        """Along the easy axis and along the reference layer, in A/m."""
        line = np.asarray(current, dtype=float) / (2 * np.asarray(self.line_width))
        return self.bias + line * np.sin(self.misalignment), self.field + line * np.cos(self.misalignment)

    def alignment(self, current: ArrayLike) -> NDArray[np.float64]:
        """Mean cosine between free and reference layer; n devices broadcast along the last axis."""
        along, across = self.fields(current)
        cold = np.asarray(self.temperature) == 0
        if cold.all():
            return _lowest(along / self.hk, across / self.hk)
        if cold.any():
            per_field = np.where(cold, 1.0, self.per_field)
            warm = transverse_mean(per_field * self.hk / 2, per_field * along, per_field * across)
            return np.where(cold, _lowest(along / self.hk, across / self.hk), warm)
        return transverse_mean(self.per_field * self.hk / 2, self.per_field * along, self.per_field * across)

    def response(self, drive: ArrayLike) -> NDArray[np.floating]:
        """Voltage in V at the line current `drive` in A, ``read_current * R(<c>)``."""
        return np.asarray(np.asarray(self.read_current) * self.resistance(self.alignment(drive)))

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
