"""Reference designs: whole diodes with round numbers, one for each class of spintronic diodes. Their numbers are ours.

They are of the order of published devices and stand for none of them. A design is a :class:`SpinDiode` like any other: change it
with its ``replace``, or give an array for a number.
"""

from __future__ import annotations

from math import cos, pi, radians, sin
from typing import Any, Literal

from holdfast.core.checks import check_one_of
from holdfast.devices.spintronics.macrospin.junction import TunnelJunction
from holdfast.devices.spintronics.macrospin.layer import AntiferromagnetDevice, MacrospinDevice, Vector
from holdfast.devices.spintronics.macrospin.stack import SpinDiode
from holdfast.devices.spintronics.macrospin.torque import SpinTorque

__all__ = ["antiferromagnetic_diode", "cone_diode", "in_plane_diode", "van_der_waals_diode"]

CONES = {"cone": (-2e4, 8e4), "deep_cone": (-4e4, 6e4), "perpendicular": (4e4, 0.0)}  # A/m, of first and second order
SPINS: dict[str, Vector] = {"low_symmetry": (0.0, 0.03, 0.01), "in_plane": (0.0, 1.0, 0.0)}
HALL_ANGLE = (0.03**2 + 0.01**2) ** 0.5


def in_plane_diode(degrees: float = 60.0, *, field_like: float = 0.0, **layer: Any) -> SpinDiode:
    """A disc of 100 nm, magnetised in its plane by a field of 4e4 A/m: passive at 60 degrees, a good oscillator at 150.

    Parameters
    ----------
    degrees : between the magnetisation and the spins, which lie in the plane and along the junction's reference
    field_like : field-like torque in units of the damping-like one
    layer : further numbers of :class:`~holdfast.devices.spintronics.MacrospinDevice`, e.g. ``temperature=300.0``
    """
    spins = (cos(radians(degrees)), sin(radians(degrees)), 0.0)
    numbers: dict[str, Any] = {"ms": 1e6, "thickness": 2e-9, "area": pi * 50e-9**2, "alpha": 0.01}
    fields: dict[str, Any] = {"field": (4e4, 0.0, 0.0), "demag": (0.0, 0.0, 6e5)}
    return SpinDiode(
        layer=MacrospinDevice(**numbers | fields | layer),
        junction=TunnelJunction(r_p=500.0, tmr=1.0, reference=spins),
        torque=SpinTorque(polarization=spins, efficiency=0.6, field_like=field_like),
    )


def cone_diode(name: Literal["cone", "deep_cone", "perpendicular"] = "cone", **layer: Any) -> SpinDiode:
    """A disc of 60 nm with a perpendicular anisotropy of second order and a weak easy axis in the plane, along the spins.

    Parameters
    ----------
    name : the moment rests on a cone of 30 degrees, on one of 55 degrees, or along the normal
    layer : further numbers of the layer
    """
    hk1, hk2 = CONES[check_one_of(name, "name", allowed=CONES)]
    numbers: dict[str, Any] = {"ms": 1e6, "thickness": 1.6e-9, "area": pi * 30e-9**2, "alpha": 0.02, "demag": (-1e3, 0.0, 0.0)}
    return SpinDiode(
        layer=MacrospinDevice(**numbers | {"hk1": hk1, "hk2": hk2} | layer),
        junction=TunnelJunction(r_p=500.0, tmr=1.0),
        torque=SpinTorque(efficiency=0.6),
    )


def antiferromagnetic_diode(easy: float = 2e4, exchange: float = 4e6, **layer: Any) -> SpinDiode:
    """Two sublattices with the easy axis x under spins along z, read by an anisotropic magnetoresistance along x.

    Parameters
    ----------
    easy, exchange : fields of the easy axis and of the exchange in A/m; 2e6 and 2e8 make a resonance of 1 THz
    layer : further numbers of the layer
    """
    numbers: dict[str, Any] = {"ms": 1e6, "thickness": 2e-9, "area": 1e-14, "alpha": 0.005, "demag": (-easy, 0.0, 0.0)}
    return SpinDiode(
        layer=AntiferromagnetDevice(exchange=exchange, **numbers | layer),
        junction=TunnelJunction(readout="anisotropic", tmr=0.01),
        torque=SpinTorque(polarization=(0.0, 0.0, 1.0), efficiency=0.6),
    )


def van_der_waals_diode(source: Literal["low_symmetry", "in_plane"] = "low_symmetry", **layer: Any) -> SpinDiode:
    """An antiferromagnetic film on a strip of 100 nm x 5 nm whose current gives it spins.

    The film's fields are of the order of nickel oxide's: a weak easy axis x in the plane, a strong hard axis along the normal z
    (resonances of 0.22 and 1.12 THz). The strip is a two-dimensional material of low symmetry, which gives spins along the normal
    beside those in the plane, with efficiencies of 0.01 and 0.03, the order that WTe2 has (D. MacNeill et al., Nature Phys. 13
    (2017) 300); or a conventional one, whose spins all lie in the plane. A planar magnetoresistance at 45 degrees reads the film.

    Parameters
    ----------
    source : of the spins, both with one total efficiency
    layer : further numbers of the film
    """
    spins = SPINS[check_one_of(source, "source", allowed=SPINS)]
    numbers: dict[str, Any] = {"ms": 3.5e5, "thickness": 2e-9, "area": 1e-14, "alpha": 1e-3, "demag": (-5e4, 0.0, 1.25e6)}
    return SpinDiode(
        layer=AntiferromagnetDevice(exchange=3.9e8, **numbers | layer),
        junction=TunnelJunction(r_p=100.0, readout="anisotropic", tmr=0.01, reference=(1.0, 1.0, 0.0)),
        torque=SpinTorque.spin_orbit(spins, spin_hall_angle=HALL_ANGLE, area=1e-14, cross_section=100e-9 * 5e-9),
    )
