r"""Power that an array of diodes delivers to a load.

A diode is a source of its rectified voltage behind its resistance. In series voltages and resistances add, in parallel the currents
of short circuit and the conductances; a load :math:`R_L` then gets :math:`P_L = V^2 R_L / (R + R_L)^2`, most where it matches the
array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from holdfast.core.checks import check_one_of, check_quantity, refuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Harvest", "harvest"]

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Harvest:
    """An array of diodes at a load. Arrays (...) are without the axis of the devices.

    Parameters
    ----------
    voltage : of the open array in V
    resistance : of the array in ohm; the load that takes most power
    load : in ohm
    load_power : in W
    efficiency : load power over the power that all devices were given
    """

    voltage: Array
    resistance: Array
    load: Array
    load_power: Array
    efficiency: Array


def harvest(
    v_dc: ArrayLike,
    resistance: ArrayLike,
    power: ArrayLike,
    *,
    load: ArrayLike | None = None,
    connection: Literal["series", "parallel"] = "series",
) -> Harvest:
    """What an array of diodes, equal or not, gives to a load.

    Parameters
    ----------
    v_dc : array (..., N), rectified voltage of each device in V
    resistance : array (..., N), of each device in ohm, > 0
    power : array (..., N), microwave power given to each device in W (absorbed or incident, as you wish to count), > 0
    load : array (...) in ohm, > 0; default: matched
    connection : of the devices to each other

    Examples
    --------
    >>> one, eight = (harvest(np.full(n, 1e-3), np.full(n, 1e3), np.full(n, 1e-6)) for n in (1, 8))
    >>> round(float(eight.voltage / one.voltage), 12), round(float(eight.load_power / one.load_power), 12)
    (8.0, 8.0)
    """
    volts = np.asarray(check_quantity(v_dc, "v_dc", unit="V"))
    ohms = np.asarray(check_quantity(resistance, "resistance", unit="ohm", low=0, low_open=True))
    watts = np.asarray(check_quantity(power, "power", unit="W", low=0, low_open=True))
    volts, ohms, watts = np.broadcast_arrays(volts, ohms, watts)
    if volts.ndim == 0 or volts.shape[-1] == 0:
        refuse("v_dc", f"has shape {volts.shape}", allowed="(..., N): one entry per device, at least one")
    if check_one_of(connection, "connection", allowed=("series", "parallel")) == "series":
        voltage, inner = volts.sum(axis=-1), ohms.sum(axis=-1)
    else:
        inner = 1 / (1 / ohms).sum(axis=-1)
        voltage = inner * (volts / ohms).sum(axis=-1)
    outer = inner if load is None else np.asarray(check_quantity(load, "load", unit="ohm", low=0, low_open=True))
    delivered = voltage**2 * outer / (inner + outer) ** 2
    return Harvest(
        voltage=np.asarray(voltage),
        resistance=np.asarray(inner),
        load=np.asarray(outer),
        load_power=np.asarray(delivered),
        efficiency=np.asarray(delivered / watts.sum(axis=-1)),
    )
