r"""What a current does to a free layer: spin-transfer and spin-orbit torques, and the field of the current itself.

A current `I` acts as a damping-like field :math:`a_J = \eta\, \hbar I / (2 e \mu_0 M_s V)` along the spin direction `p`, which
pulls the magnetisation towards `p` where positive, and as a field-like one :math:`b_J = \xi a_J`, plus a part quadratic in the
bias. A layer of low crystal symmetry, such as WTe2, is a source whose spins point out of the plane (D. MacNeill et al., Nature
Phys. 13 (2017) 300).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from holdfast.core.checks import check_quantity
from holdfast.devices.spintronics.macrospin.layer import Scalar, Vector, check_vector, unit_vector

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["SpinTorque"]


@dataclass(frozen=True, kw_only=True)
class SpinTorque:
    r"""One source of torque. Several act together as a tuple of sources.

    The efficiency at the angle :math:`\theta` to the spins is ``efficiency / (1 + asymmetry cos(theta))``.

    Parameters
    ----------
    polarization : direction of the spins, (..., 3), normalised for you
    efficiency : :math:`\eta`, torque per charge in units of :math:`\hbar / 2e`; may be negative
    asymmetry : of the efficiency, in (-1, 1); 0 for a voltage-driven tunnel junction
    field_like : :math:`\xi = b_J / a_J`
    quadratic : field-like torque per ampere and volt, in units of :math:`\hbar / (2 e \mu_0 M_s V)` per volt
    current_field : Oersted field per ampere in 1/m, (..., 3)

    Examples
    --------
    >>> SpinTorque.metallic((1, 0, 0), polarization_degree=0.4, asymmetry_parameter=1.0).efficiency
    0.2
    """

    directions: ClassVar[tuple[str, ...]] = ("polarization",)
    angles: ClassVar[dict[str, str]] = {"misalignment": "polarization"}  # what fabrication tilts, and by which name

    polarization: Vector = (1.0, 0.0, 0.0)
    efficiency: Scalar = 0.6
    asymmetry: Scalar = 0.0
    field_like: Scalar = 0.0
    quadratic: Scalar = 0.0
    current_field: Vector = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        unit_vector(self.polarization, "polarization")
        for name, unit in (("efficiency", ""), ("field_like", ""), ("quadratic", "1/V")):
            check_quantity(getattr(self, name), name, unit=unit)
        check_quantity(self.asymmetry, "asymmetry", low=-1, low_open=True, high=np.nextafter(1, 0))
        check_vector(self.current_field, "current_field", unit="1/m")

    @classmethod
    def slonczewski(cls, polarization: Vector, *, polarization_degree: Scalar, **others: Any) -> SpinTorque:
        r"""A tunnel junction at constant current, :math:`\eta = P / (1 + P^2 \cos\theta)`.

        J. C. Slonczewski, Phys. Rev. B 71 (2005) 024411, for equal electrodes.
        """
        check_quantity(polarization_degree, "polarization_degree", low=0, high=1)
        return cls(polarization=polarization, efficiency=polarization_degree, asymmetry=polarization_degree**2, **others)

    @classmethod
    def metallic(
        cls, polarization: Vector, *, polarization_degree: Scalar, asymmetry_parameter: Scalar, **others: Any
    ) -> SpinTorque:
        r"""A metallic spin valve, :math:`\eta = P \Lambda^2 / [(\Lambda^2 + 1) + (\Lambda^2 - 1) \cos\theta]`.

        J. Xiao, A. Zangwill and M. D. Stiles, Phys. Rev. B 70 (2004) 172405.
        """
        check_quantity(polarization_degree, "polarization_degree", low=0, high=1)
        square = check_quantity(asymmetry_parameter, "asymmetry_parameter", low=0, low_open=True) ** 2
        return cls(
            polarization=polarization,
            efficiency=polarization_degree * square / (square + 1),
            asymmetry=(square - 1) / (square + 1),
            **others,
        )

    @classmethod
    def spin_orbit(
        cls, polarization: Vector, *, spin_hall_angle: Scalar, area: ArrayLike, cross_section: ArrayLike, **others: Any
    ) -> SpinTorque:
        r"""A heavy-metal strip under the layer, :math:`a_J = \hbar \theta_{SH} J / (2 e \mu_0 M_s d)`, :math:`J = I / A_{strip}`.

        The efficiency per charge is the Hall angle times the ratio of the layer's `area` to the strip's `cross_section` (both in
        m^2), and exceeds 1 for thin strips.
        """
        layer = check_quantity(area, "area", unit="m^2", low=0, low_open=True)
        strip = check_quantity(cross_section, "cross_section", unit="m^2", low=0, low_open=True)
        angle = check_quantity(spin_hall_angle, "spin_hall_angle")
        return cls(polarization=polarization, efficiency=angle * layer / strip, **others)

    def replace(self, **changes: Any) -> SpinTorque:
        """The same source with some numbers changed."""
        return replace(self, **changes)
