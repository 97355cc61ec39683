r"""A magnetic tunnel junction as an electrical element: its resistance follows the magnetisation of the free layer.

With :math:`c = m \cdot r` to the reference direction the conductance is

.. math:: G = G_P \frac{1 + c}{2} + G_{AP} \frac{1 - c}{2}, \qquad G_{AP} = \frac{G_P}{1 + TMR},

(J. C. Slonczewski, Phys. Rev. B 39 (1989) 6995). The TMR may roll off with the bias as :math:`TMR_0 / (1 + (V / V_h)^2)`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from holdfast.core.checks import check_one_of, check_quantity, refuse
from holdfast.devices.spintronics.macrospin.layer import Scalar, Vector, unit_vector

__all__ = ["Readout", "TunnelJunction"]

Readout = Literal["conductance", "resistance", "anisotropic"]
READOUTS: tuple[Readout, ...] = ("conductance", "resistance", "anisotropic")


@dataclass(frozen=True, kw_only=True)
class TunnelJunction:
    """The element that is read.

    Parameters
    ----------
    r_p : resistance in ohm with the free layer parallel to the reference, > 0
    tmr : relative change of the resistance, >= 0 (of either sign for ``"anisotropic"``, > -1)
    reference : direction, (..., 3), normalised for you
    v_half : voltage in V that halves the TMR; None for one that does not depend on the bias
    readout : ``"conductance"`` is linear in the cosine to the reference; ``"resistance"`` is so, between the same ends;
        ``"anisotropic"`` is an anisotropic magnetoresistance, ``r_p (1 + tmr c^2)``
    breakdown : voltage in V above which the barrier is at risk

    Examples
    --------
    >>> float(TunnelJunction(r_p=500.0, tmr=1.0).resistance(0.0))  # half-way in conductance
    666.6666666666666
    """

    directions: ClassVar[tuple[str, ...]] = ("reference",)

    r_p: Scalar = 500.0
    tmr: Scalar = 1.0
    reference: Vector = (1.0, 0.0, 0.0)
    v_half: Scalar | None = None
    readout: Readout = "conductance"
    breakdown: float = 1.0

    def __post_init__(self) -> None:
        check_one_of(self.readout, "readout", allowed=READOUTS)
        check_quantity(self.r_p, "r_p", unit="ohm", low=0, low_open=True)
        check_quantity(self.tmr, "tmr", low=-1 if self.readout == "anisotropic" else 0, low_open=self.readout == "anisotropic")
        check_quantity(self.breakdown, "breakdown", unit="V", low=0, low_open=True)
        unit_vector(self.reference, "reference")
        if self.v_half is not None:
            check_quantity(self.v_half, "v_half", unit="V", low=0, low_open=True)
            if self.readout != "conductance":
                refuse("v_half", f"is given for readout {self.readout!r}", allowed="with readout 'conductance'")

    def resistance(self, cosine: Any) -> Any:
        """Resistance in ohm at 0 V for the cosine to the reference."""
        c = np.asarray(cosine, dtype=float)
        r_p, tmr = np.asarray(self.r_p, dtype=float), np.asarray(self.tmr, dtype=float)
        if self.readout == "anisotropic":
            return r_p * (1 + tmr * c**2)
        if self.readout == "resistance":
            return r_p * (1 + tmr * (1 - c) / 2)
        return r_p * (1 + tmr) / (1 + tmr * (1 + c) / 2)

    def replace(self, **changes: Any) -> TunnelJunction:
        """The same junction with some numbers changed."""
        return replace(self, **changes)
