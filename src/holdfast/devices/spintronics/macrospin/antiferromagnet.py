r"""Closed forms of an antiferromagnet with an easy axis x under a torque whose spins point along the hard axis z.

With exchange field :math:`H_E`, easy axis :math:`H_a` and hard axis :math:`H_h` the Neel vector obeys the equation of a damped
pendulum in its plane (H. V. Gomonay and V. M. Loktev, Phys. Rev. B 81 (2010) 144427; R. Khymyn et al., Sci. Rep. 7 (2017) 43705). A
damping-like field :math:`a` tilts it by :math:`\sin 2\varphi = -a / a_{th}` and softens its resonance; beyond
:math:`a_{th} = H_a / 2` it rotates. All forms hold for :math:`H_a \ll H_E`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import check_quantity, refuse
from holdfast.devices.spintronics.constants import GAMMA0
from holdfast.devices.spintronics.macrospin.layer import AntiferromagnetDevice, MacrospinDevice, unit_vector

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from holdfast.devices.spintronics.macrospin.response import Response

__all__ = [
    "antiferromagnetic_modes",
    "neel_rotation",
    "neel_start",
    "neel_tilt",
    "retention_field",
    "rotation_field",
    "spin_pumping_voltage",
    "tilted_resonance",
]


def _fields(layer: MacrospinDevice) -> tuple[Any, Any, Any]:
    """Exchange, easy-axis and hard-axis field in A/m."""
    if not isinstance(layer, AntiferromagnetDevice):
        refuse("layer", f"is a {type(layer).__name__}", allowed="an AntiferromagnetDevice")
    demag = np.asarray(layer.demag, dtype=float)
    easy, hard = -demag[..., 0], demag[..., 2]
    if (easy <= 0).any() or (hard < 0).any() or demag[..., 1].any() or np.any(np.asarray(layer.hk1)):
        refuse("demag", f"is {layer.demag}", allowed="(-H_a, 0, H_h) with H_a > 0 and H_h >= 0, and no hk1")
    return np.asarray(layer.exchange, dtype=float), easy, hard


def antiferromagnetic_modes(layer: MacrospinDevice) -> tuple[Any, Any]:
    r"""Resonances in Hz of the Neel vector in the plane and out of it, without field and damping.

    :math:`\gamma_0 \sqrt{H_a (2 H_E + H_a + H_h)} / 2\pi` and :math:`\gamma_0 \sqrt{(H_a + H_h)(2 H_E + H_a)} / 2\pi` (F. Keffer
    and C. Kittel, Phys. Rev. 85 (1952) 329); they are equal without a hard axis.

    Examples
    --------
    >>> layer = AntiferromagnetDevice(ms=1e6, thickness=2e-9, area=1e-14, alpha=5e-3, demag=(-2e4, 0, 0), exchange=4e6)
    >>> f"{antiferromagnetic_modes(layer)[0] / 1e9:.2f} GHz"
    '14.10 GHz'
    """
    exchange, easy, hard = _fields(layer)
    inside = np.sqrt(easy * (2 * exchange + easy + hard))
    outside = np.sqrt((easy + hard) * (2 * exchange + easy))
    return GAMMA0 * inside / (2 * np.pi), GAMMA0 * outside / (2 * np.pi)


def rotation_field(layer: MacrospinDevice) -> Any:
    """Damping-like field in A/m above which the Neel vector does not rest, half the easy-axis field."""
    return _fields(layer)[1] / 2


def retention_field(layer: MacrospinDevice) -> Any:
    r"""Damping-like field in A/m down to which a rotation goes on once begun, :math:`(2 \alpha / \pi) \sqrt{2 H_E H_a}`.

    Holds where it lies well below :func:`rotation_field`, that is for weak damping.
    """
    exchange, easy, _ = _fields(layer)
    return 2 * np.asarray(layer.alpha) / np.pi * np.sqrt(2 * exchange * easy)


def neel_tilt(layer: MacrospinDevice, pull: ArrayLike) -> Any:
    r"""Angle in rad of the resting Neel vector from the easy axis, :math:`\sin 2\varphi = -a / a_{th}`.

    Parameters
    ----------
    layer : the antiferromagnet
    pull : array, damping-like field in A/m along z, smaller than :func:`rotation_field`
    """
    share = np.asarray(check_quantity(pull, "pull", unit="A/m")) / rotation_field(layer)
    if (np.abs(share) > 1).any():
        refuse("pull", f"is {float(np.abs(share).max()):.3g} of rotation_field", allowed="at most 1: beyond it there is no rest")
    return -0.5 * np.arcsin(share)


def neel_start(angle: ArrayLike) -> NDArray[np.floating]:
    """Directions (..., 2, 3) of both sublattices for a Neel vector at `angle` rad from x in the plane."""
    phi = np.asarray(check_quantity(angle, "angle", unit="rad"))
    n = np.stack([np.cos(phi), np.sin(phi), np.zeros_like(phi)], axis=-1)
    return np.stack([n, -n], axis=-2)


def tilted_resonance(layer: MacrospinDevice, pull: ArrayLike) -> Any:
    r"""Resonance in Hz in the plane under a torque, :math:`f_0 [1 - (a / a_{th})^2]^{1/4}`."""
    share = np.asarray(check_quantity(pull, "pull", unit="A/m")) / rotation_field(layer)
    return antiferromagnetic_modes(layer)[0] * np.maximum(1 - share**2, 0.0) ** 0.25


def neel_rotation(layer: MacrospinDevice, pull: ArrayLike) -> Any:
    r"""Frequency in Hz at which the Neel vector rotates, once it does.

    :math:`\gamma_0 a / 2\pi\alpha` where inertia carries it (:func:`retention_field` below :func:`rotation_field`), otherwise the
    mean :math:`\gamma_0 \sqrt{a^2 - a_{th}^2} / 2\pi\alpha` of a motion that slows down at each hard direction; 0 without rotation.
    Both are limits: where the two fields are within a factor of about 2, neither is better than 50 %. A rotation cants the
    sublattices out of its plane until they are parallel at the frequency :math:`2 \gamma_0 H_E / 2\pi`: nan beyond it.

    Examples
    --------
    >>> layer = AntiferromagnetDevice(ms=1e6, thickness=2e-9, area=1e-14, alpha=5e-3, demag=(-2e4, 0, 0), exchange=4e6)
    >>> (neel_rotation(layer, [1e3, 2e4, 5e4]) / 1e9).round(1).tolist()
    [0.0, 140.9, nan]
    """
    a = np.abs(np.asarray(check_quantity(pull, "pull", unit="A/m")))
    least, lasting = rotation_field(layer), retention_field(layer)
    inertial = lasting < least
    speed = np.where(inertial, np.where(a > lasting, a, 0.0), np.sqrt(np.maximum(a**2 - least**2, 0.0)))
    field, most = speed / np.asarray(layer.alpha), 2 * _fields(layer)[0] * (1 + 1e-9)
    return np.where(field <= most, GAMMA0 * field / (2 * np.pi), np.nan)[()]


def spin_pumping_voltage(response: Response, polarization: ArrayLike, *, conversion: ArrayLike) -> NDArray[np.floating]:
    r"""Direct voltage in V that the moving sublattices pump into a neighbour, up to what turns spin into charge there.

    :math:`V = c\, \langle n \times \dot n + m \times \dot m \rangle \cdot p` (R. Cheng et al., Phys. Rev. Lett. 113 (2014) 057601).

    Parameters
    ----------
    response : of an antiferromagnet
    polarization : direction of the spins that the neighbour reads, (..., 3)
    conversion : `c` in V s/rad, from the interface's mixing conductance and the neighbour's Hall angle
    """
    return np.asarray((response.pumping * unit_vector(polarization, "polarization")).sum(-1) * np.asarray(conversion))
