"""The devices of the study. Their numbers are ours: of the perspective only the abstract was read."""

from __future__ import annotations

from math import cos, pi, radians, sin
from typing import Any

from holdfast.devices.spintronics import AntiferromagnetDevice, MacrospinDevice, SpinDiode, SpinTorque, TunnelJunction

__all__ = ["ALPHA", "EASY_PLANE", "FIELD", "TAILS", "antiferromagnet", "cone", "in_plane"]

FIELD, EASY_PLANE, ALPHA = 4e4, 6e5, 0.01  # A/m along x, A/m normal to the layer
TAILS = {"cone": (-2e4, 8e4), "deep_cone": (-4e4, 6e4), "perpendicular": (4e4, 0.0)}  # anisotropy fields in A/m


def in_plane(degrees: float = 60.0, *, field_like: float = 0.0, **layer: Any) -> SpinDiode:
    """A disc of 100 nm magnetised in its plane; spins and reference lie in the plane, `degrees` away from the magnetisation."""
    spins = (cos(radians(degrees)), sin(radians(degrees)), 0.0)
    numbers = {"ms": 1e6, "thickness": 2e-9, "area": pi * 50e-9**2, "alpha": ALPHA} | layer
    return SpinDiode(
        layer=MacrospinDevice(**numbers, field=(FIELD, 0.0, 0.0), demag=(0.0, 0.0, EASY_PLANE)),
        junction=TunnelJunction(r_p=500.0, tmr=1.0, reference=spins),
        torque=SpinTorque(polarization=spins, efficiency=0.6, field_like=field_like),
    )


def cone(name: str, *, temperature: float = 300.0, alpha: Any = 0.02) -> SpinDiode:
    """A disc of 60 nm with a perpendicular anisotropy of second order and a weak easy axis in the plane, along the spins."""
    hk1, hk2 = TAILS[name]
    layer = MacrospinDevice(
        ms=1e6,
        thickness=1.6e-9,
        area=pi * 30e-9**2,
        alpha=alpha,
        hk1=hk1,
        hk2=hk2,
        demag=(-1e3, 0.0, 0.0),
        temperature=temperature,
    )
    return SpinDiode(layer=layer, junction=TunnelJunction(r_p=500.0, tmr=1.0), torque=SpinTorque(efficiency=0.6))


def antiferromagnet(*, easy: float, exchange: float = 4e6, alpha: float = 0.005) -> SpinDiode:
    """Two sublattices with the easy axis x and spins along z, read by an anisotropic magnetoresistance."""
    layer = AntiferromagnetDevice(ms=1e6, thickness=2e-9, area=1e-14, alpha=alpha, demag=(-easy, 0.0, 0.0), exchange=exchange)
    return SpinDiode(
        layer=layer,
        junction=TunnelJunction(readout="anisotropic", tmr=0.01),
        torque=SpinTorque(polarization=(0.0, 0.0, 1.0), efficiency=0.6),
    )
