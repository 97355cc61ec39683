"""What is sent through a device: direct and alternating current, alternating field, or the voltage of a source.

The drive runs as ``constant + amplitude sin(2 pi f t + phase)``. Power that comes along a line is not wholly absorbed by a device
of another impedance: :func:`incident_amplitude` gives the current that it makes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from holdfast.core.checks import check_quantity
from holdfast.devices.spintronics.macrospin.layer import Scalar, Vector, check_vector

__all__ = ["LINE_IMPEDANCE", "Drive", "SeriesDiode", "absorbed_power", "incident_amplitude"]

LINE_IMPEDANCE = 50.0  # ohm


@dataclass(frozen=True, kw_only=True)
class Drive:
    """A drive. Every number may be an array that broadcasts against the devices.

    Parameters
    ----------
    i_dc : direct current in A; positive current pulls the free layer towards the spin direction
    i_ac : amplitude of the alternating current in A
    frequency : in Hz, >= 0
    phase : in rad at time 0
    field_ac : amplitude of an alternating field in A/m, (..., 3)
    v_dc, v_ac : voltages of the source in V, for a stack with a series diode (the currents must then be 0)
    """

    i_dc: Scalar = 0.0
    i_ac: Scalar = 0.0
    frequency: Scalar = 0.0
    phase: Scalar = 0.0
    field_ac: Vector = (0.0, 0.0, 0.0)
    v_dc: Scalar = 0.0
    v_ac: Scalar = 0.0

    def __post_init__(self) -> None:
        for name, unit in (("i_dc", "A"), ("i_ac", "A"), ("phase", "rad"), ("v_dc", "V"), ("v_ac", "V")):
            check_quantity(getattr(self, name), name, unit=unit)
        check_quantity(self.frequency, "frequency", unit="Hz", low=0)
        check_vector(self.field_ac, "field_ac", unit="A/m")

    def replace(self, **changes: Any) -> Drive:
        """The same drive with some numbers changed."""
        return replace(self, **changes)


@dataclass(frozen=True, kw_only=True)
class SeriesDiode:
    r"""A semiconducting barrier in series with the junction, :math:`I = I_s (e^{V / n V_T} - 1)`, such as MoS2.

    Its own rectification adds to that of the magnetisation or competes with it. The stack is then driven by a voltage.

    Parameters
    ----------
    saturation_current : :math:`I_s` in A, > 0
    thermal_voltage : :math:`n k_B T / e` in V, > 0
    source_resistance : of the source in ohm, >= 0
    """

    saturation_current: Scalar = 1e-6
    thermal_voltage: Scalar = 0.0258
    source_resistance: Scalar = LINE_IMPEDANCE

    def __post_init__(self) -> None:
        check_quantity(self.saturation_current, "saturation_current", unit="A", low=0, low_open=True)
        check_quantity(self.thermal_voltage, "thermal_voltage", unit="V", low=0, low_open=True)
        check_quantity(self.source_resistance, "source_resistance", unit="ohm", low=0)


def incident_amplitude(power: Any, resistance: Any, *, impedance: Any = LINE_IMPEDANCE) -> Any:
    r"""Amplitude in A of the current that a wave on a line drives through a device, :math:`\sqrt{8 P Z_0} / (R + Z_0)`.

    Parameters
    ----------
    power : array, of the incident wave in W, >= 0
    resistance : array, of the device in ohm, > 0
    impedance : of the line in ohm, > 0

    Examples
    --------
    >>> i = incident_amplitude(1e-6, 50.0)  # matched: all is absorbed
    >>> f"{absorbed_power(i, 50.0):.3g}"
    '1e-06'
    """
    watts = check_quantity(power, "power", unit="W", low=0)
    ohms = check_quantity(resistance, "resistance", unit="ohm", low=0, low_open=True)
    line = check_quantity(impedance, "impedance", unit="ohm", low=0, low_open=True)
    return (8 * watts * line) ** 0.5 / (ohms + line)


def absorbed_power(amplitude: Any, resistance: Any) -> Any:
    """Power in W that an alternating current of this amplitude in A leaves in a resistance in ohm."""
    return check_quantity(amplitude, "amplitude", unit="A") ** 2 * check_quantity(resistance, "resistance", unit="ohm") / 2
