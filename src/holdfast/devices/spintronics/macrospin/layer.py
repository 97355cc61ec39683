r"""The free layer of a magnetic device as one rigid moment.

The effective field is

.. math:: H = H_{ext} - (D_x m_x, D_y m_y, D_z m_z) + \left[H_{k1} + H_{k2} (1 - (m \cdot u)^2)\right] (m \cdot u)\, u

with the diagonal :math:`D` of shape and easy-plane fields and a uniaxial anisotropy of second order about :math:`u`. With
:math:`H_{k1} < 0` and :math:`H_{k2} > -H_{k1}` the moment lies on an easy cone, :math:`\sin^2\theta = -H_{k1} / H_{k2}`. A voltage
`V` across the barrier lowers :math:`H_{k1}` by :math:`2 \xi V / (\mu_0 M_s d\, t_{ox})`. Magnetisation that varies inside the layer
(vortices, spin waves, reversal by domain walls) is left out: a macrospin holds for layers of a few exchange lengths.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from holdfast.core.checks import check_quantity, refuse
from holdfast.devices.spintronics.constants import MU0
from holdfast.devices.spintronics.units import BOUNDS, LEAST_FIELD, check_fields, check_magnet

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["AntiferromagnetDevice", "MacrospinDevice", "Scalar", "Vector", "anisotropy_field", "check_vector", "unit_vector"]

Scalar = float | np.ndarray
Vector = tuple[float, float, float] | np.ndarray


def unit_vector(direction: Any, name: str) -> Any:
    """`direction` (..., 3) with length 1; one of length 0 is refused."""
    found = check_vector(direction, name)
    length = (found * found).sum(-1)[..., None] ** 0.5
    if (length == 0).any():
        refuse(name, "has length 0", allowed="directions, which are normalised for you")
    return found / length


def check_vector(values: Any, name: str, *, unit: str = "") -> Any:
    """`values` (..., 3) as floats if they are finite and end in three components; a tensor as it is."""
    found = check_quantity(values, name, unit=unit)
    if not np.ndim(found) or found.shape[-1] != 3:
        refuse(name, f"has shape {np.shape(found)}", allowed="(3,) or (..., 3): x, y and z")
    return found


def anisotropy_field(energy: ArrayLike, ms: ArrayLike, *, order: int = 1) -> NDArray[np.floating]:
    r"""Anisotropy field in A/m of an energy density :math:`K_1 \sin^2\theta + K_2 \sin^4\theta`.

    :math:`2 K_1 / (\mu_0 M_s)` for the first `order` and :math:`4 K_2 / (\mu_0 M_s)` for the second.

    Parameters
    ----------
    energy : array, in J/m^3
    ms : array, saturation magnetisation in A/m
    order : 1 or 2
    """
    return np.asarray(2 * order * np.asarray(energy, dtype=float) / (MU0 * np.asarray(ms, dtype=float)))


@dataclass(frozen=True, kw_only=True)
class MacrospinDevice:
    """A free layer. Every number may be an array; all broadcast against each other and against the drive.

    Parameters
    ----------
    ms : saturation magnetisation in A/m, 1e4 to 3e6
    thickness : of the layer in m, 5e-11 to 1e-5
    area : of the layer in m^2, 1e-18 to 1e-8
    alpha : Gilbert damping, > 0
    field : external field in A/m, (..., 3): 0, or 10 A/m and more; :func:`~holdfast.devices.spintronics.tesla` converts
    demag : fields in A/m, (..., 3), that oppose the components of the magnetisation: shape (demagnetising factor times `ms`), less
        any perpendicular anisotropy; a negative entry is an easy axis
    axis : of the uniaxial anisotropy, (..., 3)
    hk1, hk2 : its fields of first and second order in A/m
    vcma : voltage-controlled anisotropy in J/(V m), typically 30e-15 to 100e-15
    barrier : thickness of the tunnel barrier in m, > 0
    temperature : in K, >= 0

    Raises
    ------
    InputError : a value outside its range, which the message names with its unit, and with the unit that was probably meant

    Examples
    --------
    >>> layer = MacrospinDevice(ms=1e6, thickness=2e-9, area=7.85e-15, alpha=0.01, field=(4e4, 0, 0), demag=(0, 0, 6e5))
    >>> f"{layer.volume:.3g}"
    '1.57e-23'
    """

    directions: ClassVar[tuple[str, ...]] = ("axis",)
    least_field: ClassVar[float] = LEAST_FIELD

    ms: Scalar
    thickness: Scalar
    area: Scalar
    alpha: Scalar
    field: Vector = (0.0, 0.0, 0.0)
    demag: Vector = (0.0, 0.0, 0.0)
    axis: Vector = (0.0, 0.0, 1.0)
    hk1: Scalar = 0.0
    hk2: Scalar = 0.0
    vcma: Scalar = 0.0
    barrier: Scalar = 1e-9
    temperature: Scalar = 0.0

    def __post_init__(self) -> None:
        for name in BOUNDS:
            check_magnet(getattr(self, name), name)
        for name, unit in (("alpha", ""), ("barrier", "m")):
            check_quantity(getattr(self, name), name, unit=unit, low=0, low_open=True)
        check_quantity(self.vcma, "vcma", unit="J/(V m)")
        check_quantity(self.temperature, "temperature", unit="K", low=0)
        for name in ("hk1", "hk2"):
            check_fields(getattr(self, name), name)
        check_fields(check_vector(self.field, "field", unit="A/m"), "field", least=self.least_field)
        check_fields(check_vector(self.demag, "demag", unit="A/m"), "demag", otherwise="demagnetising factors: multiply by `ms`")
        unit_vector(self.axis, "axis")

    @property
    def volume(self) -> Any:
        """Volume of the layer in m^3."""
        return self.thickness * self.area

    def replace(self, **changes: Any) -> MacrospinDevice:
        """The same layer with some numbers changed."""
        return replace(self, **changes)


@dataclass(frozen=True, kw_only=True)
class AntiferromagnetDevice(MacrospinDevice):
    r"""Two equal sublattices that hold each other antiparallel by the exchange field :math:`H_E`.

    Each obeys the equation of motion of a macrospin with :math:`-H_E m_j` added to its field. The easy axis :math:`H_a` and the
    hard one :math:`H_h` stand in `demag`: ``(-H_a, 0, H_h)``. `ms` is that of one sublattice.

    Parameters
    ----------
    exchange : :math:`H_E` in A/m, > 0
    """

    exchange: Scalar = 4e6

    def __post_init__(self) -> None:
        super().__post_init__()
        check_quantity(self.exchange, "exchange", unit="A/m", low=0, low_open=True)
