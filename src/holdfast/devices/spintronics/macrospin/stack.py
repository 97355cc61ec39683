"""A whole rectifier, layer, junction, torques and circuit, and the numbers that the equations of motion need of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import check_quantity, refuse
from holdfast.devices.spintronics.constants import GAMMA0, MU0, spin_transfer_field
from holdfast.devices.spintronics.macrospin import equations as eq
from holdfast.devices.spintronics.macrospin.junction import READOUTS, TunnelJunction
from holdfast.devices.spintronics.macrospin.layer import AntiferromagnetDevice, MacrospinDevice, unit_vector
from holdfast.devices.spintronics.macrospin.torque import SpinTorque

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from holdfast.devices.spintronics.macrospin.drive import Drive, SeriesDiode

__all__ = ["SpinDiode", "coefficients", "current_for_pull", "fastest_field", "numbers_of", "terms_of"]

Convert = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True)
class SpinDiode:
    """A free layer, the junction that reads it, and the torques of the current.

    Parameters
    ----------
    layer : the free layer, or an antiferromagnet
    junction : the element that is read
    torque : one source of torque or a tuple of several
    series : a semiconducting barrier in series, or None
    """

    layer: MacrospinDevice
    junction: TunnelJunction = field(default_factory=TunnelJunction)
    torque: SpinTorque | Sequence[SpinTorque] = ()
    series: SeriesDiode | None = None

    def __post_init__(self) -> None:
        if len(self.torques) > 1 and any(np.any(np.asarray(source.asymmetry) != 0) for source in self.torques):
            refuse("torque", "mixes several sources with an asymmetric one", allowed="one asymmetric source, or symmetric ones")
        if self.series is not None and self.junction.v_half is not None:
            refuse(
                "junction", "has `v_half` beside a series diode", allowed="one of the two", remedy="Their circuit is not solved."
            )

    @property
    def torques(self) -> tuple[SpinTorque, ...]:
        """The sources as a tuple."""
        return (self.torque,) if isinstance(self.torque, SpinTorque) else tuple(self.torque)

    @property
    def parts(self) -> dict[str, Any]:
        """What :func:`~holdfast.core.device.fabricate` varies: layer, junction and every source of torque, by their labels."""
        sources = {f"torque {place}": source for place, source in enumerate(self.torques)}
        return {"layer": self.layer, "junction": self.junction, **sources}

    def assembled(self, parts: Mapping[str, Any]) -> SpinDiode:
        """The same diode from other :attr:`parts`."""
        sources = tuple(parts[label] for label in self.parts if label.startswith("torque"))
        torque = sources[0] if len(sources) == 1 else sources
        return replace(self, layer=parts["layer"], junction=parts["junction"], torque=torque)

    def replace(self, **changes: Any) -> SpinDiode:
        """The same diode with numbers or parts changed: names of its parts, or of parameters of the layer or the junction."""
        parts = {name: changes.pop(name) for name in ("layer", "junction", "torque", "series") if name in changes}
        diode = replace(self, **parts)
        for part in ("layer", "junction"):
            own = {name: changes.pop(name) for name in list(changes) if name in getattr(diode, part).__dataclass_fields__}
            diode = replace(diode, **{part: replace(getattr(diode, part), **own)}) if own else diode
        if changes:
            refuse("replace", f"names {', '.join(changes)}", allowed="parts of the diode, or parameters of its layer and junction")
        return diode


def _present(values: Any) -> bool:
    """Whether a term is needed: a number that is not 0, or an array, of which a part of a batch may hold other values."""
    found = values.detach() if hasattr(values, "detach") else np.asarray(values)
    return found.ndim > 0 or bool(found != 0)


def _pointing(values: Any) -> bool:
    """The same for a vector (..., 3)."""
    found = values.detach() if hasattr(values, "detach") else np.asarray(values)
    return found.ndim > 1 or bool((found != 0).any())


def terms_of(diode: SpinDiode, drive: Drive) -> eq.Terms:
    """Which terms of the equations this diode needs under this drive."""
    layer = diode.layer
    axial = _present(layer.hk1) or _present(layer.hk2) or _present(layer.vcma)
    biased = (
        _present(layer.vcma) or diode.junction.v_half is not None or any(_present(source.quadratic) for source in diode.torques)
    )
    return eq.Terms(
        axis=axial,
        angular=any(_present(source.asymmetry) for source in diode.torques),
        biased=biased,
        series=diode.series is not None,
        coupled=isinstance(layer, AntiferromagnetDevice),
        spin=bool(diode.torques) and any(_present(value) for value in (drive.i_dc, drive.i_ac, drive.v_dc, drive.v_ac)),
        swing=_pointing(drive.field_ac),
        readout=READOUTS.index(diode.junction.readout),
    )


def coefficients(diode: SpinDiode, drive: Drive, *, convert: Convert, dt: Any = 1.0) -> dict[int, Any]:
    """Values of the rows of :mod:`~holdfast.devices.spintronics.macrospin.equations`, which broadcast; others are 0.

    Parameters
    ----------
    convert : makes an array or tensor of a number
    dt : time step in s; with 1 the equations give derivatives in 1/s
    """
    layer = diode.layer
    alpha = convert(layer.alpha)
    scale = GAMMA0 / (1 + alpha**2) * convert(dt)
    per_ampere = spin_transfer_field(1.0, 1.0) / (convert(layer.ms) * convert(layer.thickness) * convert(layer.area)) * scale
    rows = {eq.ALPHA: alpha} | _vector(eq.FIELD_X, convert(layer.field), scale) | _vector(eq.DEMAG_X, convert(layer.demag), scale)
    rows |= _vector(eq.WAVE_X, convert(drive.field_ac), scale) | _vector(eq.AXIS_X, convert(unit_vector(layer.axis, "axis")), 1.0)
    rows |= {eq.HK1: convert(layer.hk1) * scale, eq.HK2: convert(layer.hk2) * scale}
    lift = 2 * convert(layer.vcma) / (MU0 * convert(layer.ms) * convert(layer.thickness) * convert(layer.barrier))
    rows |= {eq.VCMA: lift * scale}
    if isinstance(layer, AntiferromagnetDevice):
        rows[eq.EXCHANGE] = convert(layer.exchange) * scale
    for source in diode.torques:
        _add(rows, _torque_rows(source, per_ampere, scale, convert))
    return rows | _circuit_rows(diode, drive, convert)


def _vector(first: int, values: Any, scale: Any) -> dict[int, Any]:
    """Three rows from `first` on."""
    return {first + axis: values[..., axis] * scale for axis in range(3)}


def _add(rows: dict[int, Any], more: dict[int, Any]) -> None:
    for number, values in more.items():
        rows[number] = rows[number] + values if number in rows else values


def _torque_rows(source: SpinTorque, per_ampere: Any, scale: Any, convert: Convert) -> dict[int, Any]:
    """What one source adds."""
    spins = convert(unit_vector(source.polarization, "polarization"))
    pull = convert(source.efficiency) * per_ampere
    rows = _vector(eq.PULL_X, spins, pull) | _vector(eq.BIAS_X, spins, convert(source.quadratic) * per_ampere)
    push: dict[int, Any] = {}
    if _present(source.asymmetry):  # the field-like part follows the angle too
        rows |= _vector(eq.SPIN_X, spins, 1.0) | {
            eq.ASYMMETRY: convert(source.asymmetry),
            eq.FIELD_LIKE: convert(source.field_like),
        }
    else:
        push = _vector(eq.PUSH_X, spins, convert(source.field_like) * pull)
    rows |= push
    _add(rows, _vector(eq.PUSH_X, convert(source.current_field), scale))
    return rows


def _circuit_rows(diode: SpinDiode, drive: Drive, convert: Convert) -> dict[int, Any]:
    """Rows of the drive and of the junction."""
    junction = diode.junction
    rows = _vector(eq.REF_X, convert(unit_vector(junction.reference, "reference")), 1.0)
    r_p, tmr = convert(junction.r_p), convert(junction.tmr)
    if junction.readout == "anisotropic":
        rows |= {eq.ELECTRIC_MEAN: r_p, eq.ELECTRIC_SWING: r_p * tmr}
    elif junction.readout == "resistance":
        rows |= {eq.ELECTRIC_MEAN: r_p * (1 + tmr / 2), eq.ELECTRIC_SWING: -r_p * tmr / 2}
    else:
        rows |= {eq.ELECTRIC_MEAN: (2 + tmr) / (2 * r_p * (1 + tmr)), eq.ELECTRIC_SWING: tmr / (2 * r_p * (1 + tmr))}
    rows |= {eq.TMR: tmr, eq.V_HALF: convert(1e9 if junction.v_half is None else junction.v_half)}
    if diode.series is None:
        if _present(drive.v_dc) or _present(drive.v_ac):
            refuse("drive", "has a voltage for a stack without series diode", allowed="currents i_dc and i_ac")
        return rows | {eq.I_DC: convert(drive.i_dc), eq.I_AC: convert(drive.i_ac)}
    if _present(drive.i_dc) or _present(drive.i_ac):
        refuse("drive", "has a current for a stack with a series diode", allowed="voltages v_dc and v_ac of the source")
    series = diode.series
    rows |= {eq.SERIES_R: convert(series.source_resistance), eq.I_SAT: convert(series.saturation_current)}
    return rows | {eq.V_THERMAL: convert(series.thermal_voltage), eq.I_DC: convert(drive.v_dc), eq.I_AC: convert(drive.v_ac)}


def numbers_of(values: Any) -> NDArray[np.floating]:
    """A number, an array or a tensor as an array without gradients."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=float)


def fastest_field(diode: SpinDiode, drive: Drive) -> float:
    """An upper bound in A/m of the effective field in any device, which limits the time step."""
    layer = diode.layer

    def size(values: Any) -> Any:
        return np.abs(numbers_of(values))

    def length(values: Any) -> Any:
        return np.sqrt((size(values) ** 2).sum(-1))

    total = length(layer.field) + size(layer.demag).max(-1) + size(layer.hk1) + size(layer.hk2) + length(drive.field_ac)
    if isinstance(layer, AntiferromagnetDevice):
        total = total + size(layer.exchange)
    current, voltage = _extremes(diode, drive, size)
    per_ampere = spin_transfer_field(size(layer.ms), size(layer.thickness) * size(layer.area))
    for source in diode.torques:
        strength = size(source.efficiency) * (1 + size(source.field_like)) / (1 - size(source.asymmetry))
        strength = strength + size(source.quadratic) * voltage
        total = total + current * (strength * per_ampere + length(source.current_field))
    lift = 2 * size(layer.vcma) / (MU0 * size(layer.ms) * size(layer.thickness) * size(layer.barrier))
    return float(np.max(total + lift * voltage))


def _extremes(diode: SpinDiode, drive: Drive, size: Convert) -> tuple[Any, Any]:
    """Upper bounds of the current in A and of the voltage over the junction in V."""
    least, most = size(diode.junction.r_p), size(diode.junction.r_p) * (1 + size(diode.junction.tmr))
    if diode.series is None:
        current = size(drive.i_dc) + size(drive.i_ac)
        return current, current * most
    voltage = size(drive.v_dc) + size(drive.v_ac)
    return voltage / (size(diode.series.source_resistance) + least), voltage


def current_for_pull(diode: SpinDiode, pull: ArrayLike) -> NDArray[np.floating]:
    """The current in A whose damping-like field is `pull` in A/m, by the first source of torque.

    Examples
    --------
    >>> from holdfast.devices.spintronics import MacrospinDevice, SpinDiode, SpinTorque
    >>> layer = MacrospinDevice(ms=1e6, thickness=2e-9, area=7.85e-15, alpha=0.01)
    >>> f"{1e3 * current_for_pull(SpinDiode(layer=layer, torque=SpinTorque(efficiency=0.6)), 1e4):.3f} mA"
    '0.999 mA'
    """
    layer = diode.layer
    strength = np.asarray(diode.torques[0].efficiency) * spin_transfer_field(layer.ms, layer.volume)
    return np.asarray(check_quantity(pull, "pull", unit="A/m") / strength)
