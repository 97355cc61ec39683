r"""Magnetic neurons: a free layer that a drive moves, a tunnel junction that reads it, and the curves of a whole wafer of them.

The subclasses of :class:`JunctionNeuron` define how the free layer responds to the drive, in closed form and as an experiment with
macrospins. All of them read it through the junction's
conductance, linear in the alignment `c` of free and reference layer,

.. math:: G = \frac{G_P + G_{AP}}{2} + \frac{G_P - G_{AP}}{2}\, c, \qquad G_P = \mathrm{area} / RA, \qquad G_{AP} = G_P / (1 + TMR).

A moment that fluctuates faster than it is read shows the *mean conductance*, so the resistance of such a junction is
``R(<c>) = 1 / <G>``: that is what a constant read voltage measures, and to first order in the fluctuation what a read current
does. The resistance follows the area, because the product of both belongs to the barrier; fabrication that varies areas varies it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from holdfast.core.checks import check_one_of, check_quantity, check_whole
from holdfast.core.device import fabricate
from holdfast.devices.neuron import CharacteristicCurves
from holdfast.devices.spintronics.constants import BOLTZMANN, MU0, spin_transfer_field
from holdfast.devices.spintronics.macrospin.layer import MacrospinDevice
from holdfast.devices.spintronics.units import BOUNDS, check_magnet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from holdfast.devices.spintronics.neurons.simulation import NeuronExperiment

__all__ = ["JunctionNeuron", "neuron_curves"]

Array = np.ndarray
MORE_RUNS = 8
POSITIVE, NOT_NEGATIVE, ANY = (0.0, True), (0.0, False), (-np.inf, False)  # lower end, and whether it is left out


@dataclass(frozen=True, kw_only=True)
class JunctionNeuron:
    """A free layer under a tunnel barrier: what all magnetic neurons share.

    Numbers may be scalars or arrays (n,): an ensemble of n devices.

    Parameters
    ----------
    ms : saturation magnetisation in A/m, 1e4 to 3e6
    thickness : of the free layer in m, 5e-11 to 1e-5
    area : of the junction in m^2, 1e-18 to 1e-8
    alpha : Gilbert damping, > 0
    temperature : in K, >= 0
    resistance_area : resistance of the parallel junction times its area in ohm m^2, > 0
    tmr : tunnel magnetoresistance ratio, ``R_AP / R_P - 1``, >= 0
    read_current : in A, what the junction is read with

    Raises
    ------
    InputError : a parameter outside its range; the message names its unit
    """

    limits: ClassVar[dict[str, tuple[str, tuple[float, bool]]]] = {
        "alpha": ("", POSITIVE),
        "temperature": ("K", NOT_NEGATIVE),
        "resistance_area": ("ohm m^2", POSITIVE),
        "tmr": ("", NOT_NEGATIVE),
        "read_current": ("A", ANY),
    }

    ms: float | Array = 1e6
    thickness: float | Array = 1.5e-9
    area: float | Array = 7e-16
    alpha: float | Array = 0.02
    temperature: float | Array = 300.0
    resistance_area: float | Array = 5e-12
    tmr: float | Array = 1.0
    read_current: float | Array = 1e-6

    def __post_init__(self) -> None:
        for name, (unit, (low, low_open)) in self.limits.items():
            check_quantity(getattr(self, name), name, unit=unit, low=low, low_open=low_open)
        for name in BOUNDS:
            check_magnet(getattr(self, name), name)

    @property
    def volume(self) -> Any:
        """Of the free layer in m^3."""
        return np.asarray(self.area) * self.thickness

    @property
    def per_field(self) -> Any:
        """Zeeman energy over thermal energy per field, in m/A; infinite at 0 K."""
        with np.errstate(divide="ignore"):
            return MU0 * np.asarray(self.ms) * self.volume / (BOLTZMANN * np.asarray(self.temperature, dtype=float))

    @property
    def torque_per_ampere(self) -> Any:
        """Damping-like field per ampere of fully polarised current, in 1/m."""
        return spin_transfer_field(self.ms, self.volume)

    def resistance(self, alignment: ArrayLike) -> NDArray[np.float64]:
        """Of the junction in ohm at the (mean) alignment `c`, between -1 and 1."""
        parallel = np.asarray(self.area) / self.resistance_area
        ratio = np.asarray(self.tmr) / (1 + np.asarray(self.tmr))
        return np.asarray(1 / (parallel * (1 - ratio * (1 - np.asarray(alignment)) / 2)))

    def macrospin(self, *, field: tuple[Any, Any, Any], demag: tuple[Any, Any, Any], **others: Any) -> MacrospinDevice:
        """The free layer as a macrospin; the components of field and demagnetisation, in A/m, broadcast against each other."""
        vectors = (np.stack(np.broadcast_arrays(*(np.asarray(part, dtype=float) for part in each)), -1) for each in (field, demag))
        names = ("ms", "thickness", "area", "alpha", "temperature")
        return _NeuronLayer(
            **{name: getattr(self, name) for name in names} | dict(zip(("field", "demag"), vectors, strict=True)) | others
        )

    @property
    def operating_range(self) -> tuple[float, float]:
        """Smallest and largest drive that belong on the nominal device's curve."""
        raise NotImplementedError

    def mean_state(self, drive: ArrayLike) -> NDArray[np.float64]:
        """What is read, averaged over time, at `drive`: by the closed form. n devices broadcast along the last axis."""
        raise NotImplementedError

    def output(self, state: ArrayLike) -> NDArray[np.floating]:
        """What the junction makes of the mean state: by default the voltage in V of the read current at this mean alignment."""
        return np.asarray(np.asarray(self.read_current) * self.resistance(state))

    def response(self, drive: ArrayLike) -> NDArray[np.floating]:
        """Output at `drive` by the closed form; the units of both stand in the device's own docstring."""
        return self.output(self.mean_state(drive))

    def experiment(self, drive: NDArray[np.floating]) -> NeuronExperiment:
        """The macrospins that show the mean state at `drive` (K, 1), with times that suit them."""
        raise NotImplementedError


class _NeuronLayer(MacrospinDevice):
    """A free layer in the field of a current, which may be as small as the current."""

    least_field = 0.0


def neuron_curves(
    device: JunctionNeuron,
    *,
    spread: Mapping[str, Any] | None = None,
    absolute: Mapping[str, Any] | None = None,
    samples: int = 512,
    points: int = 65,
    seed: int = 0,
    method: Literal["closed", "simulation"] = "closed",
    drive: tuple[float, float] | None = None,
    **settings: Any,
) -> CharacteristicCurves:
    """Output against drive of an ensemble of magnetic neurons, in the units of the device.

    One affine map for all, :func:`holdfast.devices.in_network_units`, brings them to those of a network.

    Parameters
    ----------
    device : the nominal device, scalar parameters
    spread : parameter name -> relative standard deviation from device to device
    absolute : parameter name -> standard deviation in the parameter's own unit, for those whose nominal value is 0
    samples : number of devices; without any spread there is one
    points : number of drives, >= 4
    seed : of the draw, and of the noise
    method : ``"closed"`` tabulates the closed form; ``"simulation"`` averages over the motion of macrospins, all devices and drives
        in one batch, and gives standard errors
    drive : smallest and largest drive; default: the operating range of the nominal device
    settings : of :func:`~holdfast.devices.spintronics.simulate_neuron`; the nominal device, on which the map to network units
        rests, has 8 times the runs

    Raises
    ------
    InputError : unknown parameters (the valid ones are listed), negative spreads, fewer than 4 points, the closed form of a device
        that has none

    Examples
    --------
    >>> from holdfast.devices.spintronics import ThermalSigmoidNeuron
    >>> neuron_curves(ThermalSigmoidNeuron(), spread={"alpha": 0.05, "thickness": 0.03}, samples=20).y.shape
    (20, 65)
    """
    check_one_of(method, "method", allowed=("closed", "simulation"))
    check_whole(points, "points", low=4)
    lo, hi = device.operating_range if drive is None else drive
    grid = np.linspace(lo, hi, points)
    ensemble = fabricate(device, spread or {}, samples=samples, seed=seed, absolute=absolute)
    count = samples if spread or absolute else 1
    if method == "closed":
        output = np.broadcast_to(ensemble.output(ensemble.mean_state(grid[:, None])), (points, count))
        return CharacteristicCurves(x=grid, y=output.T, nominal=device.output(device.mean_state(grid)))
    from holdfast.devices.spintronics.neurons.simulation import simulate_neuron

    run = simulate_neuron(ensemble, grid, seed=seed, **settings)
    longer = settings | {"runs": MORE_RUNS * settings.get("runs", 8)}
    nominal = simulate_neuron(device, grid, seed=seed + 1, **longer)
    return CharacteristicCurves(x=grid, y=run.output.T, stderr=run.stderr.T, nominal=nominal.output[:, 0])
