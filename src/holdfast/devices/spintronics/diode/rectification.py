r"""A rectified voltage beside the power that made it.

Two sensitivities are in use and differ by the mismatch to the line: the voltage per watt that the device absorbs,
:math:`P = I_{ac}^2 R / 2`, and per watt of the wave that arrives on a line of impedance :math:`Z_0`,
:math:`I_{ac} = \sqrt{8 P Z_0} / (R + Z_0)`. Both are here, by name. Published detectors are compared per incident watt: on a
line of 50 ohm a device of 1 kohm absorbs 18 % of the wave, so its voltage per absorbed watt is 5.5 times as large. Runs at 0 K
leave out the noise that works against the locking of a weak drive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import check_quantity
from holdfast.devices.spintronics.macrospin.drive import LINE_IMPEDANCE

if TYPE_CHECKING:
    from holdfast.devices.spintronics.macrospin.drive import Drive
    from holdfast.devices.spintronics.macrospin.response import Response
    from holdfast.devices.spintronics.macrospin.stack import SpinDiode

__all__ = ["Rectification", "supplied"]

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Rectification:
    """What a diode makes of an alternating drive. Arrays have the shape of the batch (B...).

    Parameters
    ----------
    frequency : of the drive in Hz
    v_dc : rectified voltage in V: the mean voltage less that without the alternating drive
    resistance : in ohm, without the alternating drive
    absorbed : power in W that the alternating current leaves in the device
    incident : power in W of the wave that makes this current
    response : of the driven run in time, or None
    idle : of the run without alternating drive, or None
    """

    frequency: Array
    v_dc: Array
    resistance: Array
    absorbed: Array
    incident: Array
    response: Response | None = field(default=None, repr=False)
    idle: Response | None = field(default=None, repr=False)

    @property
    def sensitivity_absorbed(self) -> Array:
        """V/W of the absorbed power; NaN where there is none. It exceeds that of the incident power by the mismatch to the line."""
        return _per_watt(self.v_dc, self.absorbed)

    @property
    def sensitivity_incident(self) -> Array:
        """V/W of the incident power, as published detectors quote it; NaN where there is none."""
        return _per_watt(self.v_dc, self.incident)


def _per_watt(voltage: Array, power: Array) -> Array:
    return np.asarray(np.divide(voltage, power, out=np.full(np.shape(voltage), np.nan), where=np.asarray(power) > 0))


def supplied(diode: SpinDiode, drive: Drive, resistance: Any, *, impedance: float = LINE_IMPEDANCE) -> tuple[Array, Array]:
    """Absorbed and incident power in W of the alternating part of a drive, for small amplitudes.

    Parameters
    ----------
    diode, drive : as they are run
    resistance : array (B...), of the junction in ohm; with a series diode that of the whole stack at the working point
    impedance : of the line in ohm; a series diode's source has its own resistance
    """
    line = check_quantity(impedance, "impedance", unit="ohm", low=0, low_open=True)
    r = np.asarray(resistance, dtype=float)
    if diode.series is None:
        amplitude = np.asarray(drive.i_ac, dtype=float)
        return amplitude**2 * r / 2, amplitude**2 * (r + line) ** 2 / (8 * line)
    source, volts = np.asarray(diode.series.source_resistance, dtype=float), np.asarray(drive.v_ac, dtype=float)
    with np.errstate(divide="ignore"):
        available = np.where(volts == 0, 0.0, volts**2 / (8 * source))  # an ideal source could give any power
    return (volts / (r + source)) ** 2 * r / 2, available
