r"""Vortex oscillators: the core of a magnetic vortex that gyrates in a disc, by the Thiele equation.

The core position X in a disc of radius a, with :math:`s = |X| / a`, obeys

.. math:: \mathcal G\, \hat z \times \dot X = -\kappa (1 + \kappa' s^2) X - D (1 + \xi s^2) \dot X + \sigma J\, \hat z \times X + F

(A. Dussaux et al., Phys. Rev. B 86 (2012) 014402). With :math:`\omega = \kappa / \mathcal G`, :math:`d = D / \mathcal G` and the
current over its threshold :math:`\zeta = \sigma J \mathcal G / (\kappa D)` the complex position :math:`c = (X_x - i X_y) / a` has

.. math::

    \dot c = \frac{-\omega (1 + \kappa' p) - i \zeta \omega d}{d (1 + \xi p) - i}\, c
        + \sum_j \frac{\Omega_j c_j}{1 + i d (1 + \xi p)}, \quad p = |c|^2

where the sum is the coupling to other cores. A free core gyrates at :math:`\omega (1 + \kappa' p)` on the radius where
:math:`(1 + \kappa' p)(1 + \xi p) = \zeta`, exactly. To first order in `p` it is an auto-oscillator with :math:`N = \omega \kappa'`,
:math:`G = \omega d` and :math:`Q + \zeta = \kappa' + \xi`: here the current does not lose efficiency as the power grows, which the
factor :math:`\zeta (1 - p)` of the universal model assumes, and Q makes up for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from holdfast.core.checks import refuse
from holdfast.devices.spintronics.oscillators.network import OscillatorNetwork, Source
from holdfast.devices.spintronics.oscillators.universal import AutoOscillatorNetwork

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["VortexNetwork", "gyrovector", "vortex_damping", "vortex_to_autooscillator"]

TURN = 2 * math.pi


def gyrovector(ms: ArrayLike, thickness: ArrayLike) -> NDArray[np.float64]:
    r"""Gyrovector of a vortex, :math:`2 \pi M_s h / \gamma`, in N s/m.

    Parameters
    ----------
    ms : saturation magnetisation in A/m
    thickness : of the disc in m
    """
    from holdfast.devices.spintronics.constants import GAMMA

    return np.asarray(TURN * np.asarray(ms) * np.asarray(thickness) / GAMMA)


def vortex_damping(alpha: ArrayLike, radius: ArrayLike, core: ArrayLike) -> NDArray[np.float64]:
    r"""Ratio of damping to gyrovector, :math:`\alpha (\ln(a / 2 b) + 1/4) / 2`.

    Parameters
    ----------
    alpha : Gilbert damping
    radius, core : radii of the disc and of the core in m
    """
    return np.asarray(np.asarray(alpha) * (np.log(np.asarray(radius) / (2 * np.asarray(core))) + 0.25) / 2)


@dataclass(frozen=True, kw_only=True, eq=False)
class VortexNetwork(OscillatorNetwork):
    r"""K coupled vortex oscillators, or a batch of such networks; simulated and mapped like auto-oscillators.

    Parameters
    ----------
    frequency : array (..., K), gyration at small radius :math:`\kappa / 2 \pi \mathcal G` in Hz
    hardening : array (..., K), :math:`\kappa'`, how the restoring force grows with the power :math:`s^2`
    damping_ratio : array (..., K), :math:`D / \mathcal G`, > 0
    damping_growth : array (..., K), :math:`\xi` >= 0
    supercriticality : array (..., K), current over threshold current, > 1
    coupling : complex array (..., K, K) in Hz; the force on a core over :math:`2 \pi \mathcal G` and the other core's position
    delay, noise, sources : as in :class:`~holdfast.devices.spintronics.AutoOscillatorNetwork`

    Raises
    ------
    InputError : as there; a free core that would leave its disc

    Examples
    --------
    >>> core = VortexNetwork(supercriticality=[1.4])
    >>> bool(abs((1 + core.hardening * core.free_power) * (1 + core.damping_growth * core.free_power) - 1.4) < 1e-12)
    True
    """

    rows: ClassVar[tuple[str, ...]] = ("frequency", "hardening", "damping_ratio", "damping_growth", "supercriticality", "noise")
    least: ClassVar[dict[str, tuple[float, str]]] = {
        "frequency": (0, "> 0"),
        "hardening": (0, ">= 0"),
        "damping_ratio": (0, "> 0"),
        "damping_growth": (0, ">= 0"),
        "delay": (0, ">= 0"),
        "noise": (0, ">= 0"),
    }

    frequency: Any = 300e6
    hardening: Any = 0.25
    damping_ratio: Any = 0.01
    damping_growth: Any = 0.5
    supercriticality: Any = 1.3
    coupling: Any = 0j
    delay: Any = 0.0
    noise: Any = 0.0
    sources: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.free_power < 1).all():
            refuse(
                "supercriticality",
                f"reaches {np.max(self.supercriticality):.4g}",
                allowed="currents below (1 + hardening) (1 + damping_growth), where the core stays in its disc",
            )

    @cached_property
    def free_power(self) -> NDArray[np.float64]:
        """Array (..., K), squared radius ``s^2`` of the free gyration; infinite where nothing limits it."""
        square, linear = self.hardening * self.damping_growth, self.hardening + self.damping_growth
        above = self.supercriticality - 1
        with np.errstate(divide="ignore"):
            return np.asarray(2 * above / (linear + np.sqrt(linear**2 + 4 * square * above)) + np.zeros(self.oscillators))

    @cached_property
    def free_frequency(self) -> NDArray[np.float64]:
        """Array (..., K), frequency of each free gyration in Hz."""
        return np.asarray(self.frequency * (1 + self.hardening * self.free_power))

    @cached_property
    def damping(self) -> NDArray[np.float64]:
        """Array (..., K), damping G over 2 pi in Hz."""
        return np.asarray(self.frequency * self.damping_ratio)

    @cached_property
    def relaxation(self) -> NDArray[np.float64]:
        """Array (..., K), amplitude relaxation rate over 2 pi in Hz, to lowest order in the damping."""
        square, linear = self.hardening * self.damping_growth, self.hardening + self.damping_growth
        return np.asarray(self.damping * self.free_power * (linear + 2 * square * self.free_power))

    @cached_property
    def phase_amplitude_ratio(self) -> NDArray[np.float64]:
        """Array (..., K), dimensionless nonlinearity: frequency shift by the power over the relaxation rate."""
        return np.asarray(self.frequency * self.hardening * self.free_power / self.relaxation)

    def lane_quantities(self, frame: NDArray[np.float64]) -> tuple[Any, ...]:
        """Pump, damping ratio, gyration, hardening, growth of the damping, and the frame; rates in rad/s."""
        turn = TURN * self.frequency
        pump = self.supercriticality * turn * self.damping_ratio
        return pump, self.damping_ratio, turn, self.hardening, self.damping_growth, frame[..., None]


def vortex_to_autooscillator(vortex: VortexNetwork) -> AutoOscillatorNetwork:
    """The auto-oscillators with the free power, free frequency, damping and coupling of vortices at their currents.

    To first order in the power ``Q = hardening + damping_growth - supercriticality``; the value here makes the free power exact.
    Change the currents of the vortices and map them again, not those of the result.
    """
    power = vortex.free_power
    return AutoOscillatorNetwork(
        frequency=vortex.frequency,
        nonlinearity=vortex.frequency * vortex.hardening,
        damping=vortex.damping,
        q=(vortex.supercriticality - 1) / power - vortex.supercriticality,
        supercriticality=vortex.supercriticality,
        coupling=vortex.coupling,
        delay=vortex.delay,
        noise=vortex.noise,
        sources=vortex.sources,
    )
