r"""Networks of nonlinear auto-oscillators: spin-torque nano-oscillators that couple to each other and to microwave sources.

The universal model of A. Slavin and V. Tiberkevich, IEEE Trans. Magn. 45 (2009) 1875, for the complex amplitude
:math:`c_k = \sqrt{p_k}\, e^{-i \theta_k}` of each oscillator, all rates in rad/s:

.. math::

    \dot c_k = {} & -i (\omega_k + N_k p_k) c_k - G_k (1 + Q_k p_k) c_k + G_k \zeta_k (1 - p_k) c_k \\
        & + \sum_j \Omega_{kj} e^{i \beta_{kj}} c_j(t - \tau_{kj}) + \sum_s F_{sk} e^{-i \omega_s t}
        + \sqrt{G_k n_k}\, (\xi_1 + i \xi_2)

with the supercriticality :math:`\zeta = I / I_{th}` and white noise :math:`\langle \xi(t) \xi(t') \rangle = \delta(t - t')`. A free
oscillator has

.. math::

    p_0 = \frac{\zeta - 1}{\zeta + Q}, \quad \omega_0 = \omega_k + N p_0, \quad G_p = G (\zeta - 1), \quad
    \nu = \frac{N}{G (Q + \zeta)}

and a kick of its power decays as :math:`e^{-2 G_p t}`. In public, frequencies and rates are in Hz:
``damping`` is :math:`G / 2 \pi`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from holdfast.core.checks import refuse
from holdfast.devices.spintronics.oscillators.network import OscillatorNetwork, Source, plain

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["AutoOscillatorNetwork", "supercriticality_at"]

TURN = 2 * math.pi


@dataclass(frozen=True, kw_only=True, eq=False)
class AutoOscillatorNetwork(OscillatorNetwork):
    r"""K coupled auto-oscillators, or a batch of such networks.

    Parameters
    ----------
    frequency : array (..., K), :math:`\omega / 2 \pi` at zero power in Hz
    nonlinearity : array (..., K), frequency shift :math:`N / 2 \pi` per unit of power in Hz
    damping : array (..., K), :math:`G / 2 \pi` in Hz, > 0
    q : array (..., K), nonlinear damping :math:`Q`, > -1
    supercriticality : array (..., K), :math:`\zeta`, current over threshold current, > 1
    coupling : complex array (..., K, K) in Hz, row = who is driven; its diagonal is a feedback of an oscillator on itself
    delay : array (K, K) or one number, :math:`\tau` of the coupling in s; at least one time step where it is not 0.
        Between steps the delayed amplitude is interpolated linearly in the rotating frame; before the start it is the initial one
    noise : array (..., K), dimensionless :math:`n` >= 0
    sources : external microwave sources

    All arrays broadcast; leading axes are the batch. Fields may be torch tensors, for
    ``simulate_network(..., backend="torch")``.

    Raises
    ------
    InputError : a supercriticality <= 1, shapes that do not broadcast, a coupling matrix that is not square

    Examples
    --------
    >>> from holdfast.devices.spintronics import all_to_all
    >>> net = AutoOscillatorNetwork(supercriticality=[2.0, 2.1], coupling=all_to_all(2, 2e5, 1.4))
    >>> net.free_frequency.round(-3)
    array([20000000., 21290000.])
    """

    frequency: Any = 0.0
    nonlinearity: Any = 60e6
    damping: Any = 3e6
    q: Any = 1.0
    supercriticality: Any = 2.0
    coupling: Any = 0j
    delay: Any = 0.0
    noise: Any = 0.0
    sources: tuple[Source, ...] = ()

    rows: ClassVar[tuple[str, ...]] = ("frequency", "nonlinearity", "damping", "q", "supercriticality", "noise")
    least: ClassVar[dict[str, tuple[float, str]]] = {
        "damping": (0, "> 0"),
        "q": (-1, "> -1"),
        "delay": (0, ">= 0"),
        "noise": (0, ">= 0"),
    }

    @cached_property
    def free_power(self) -> NDArray[np.float64]:
        """Array (..., K), power p0 of each oscillator alone."""
        zeta, q = plain(self.supercriticality), plain(self.q)
        return np.asarray((zeta - 1) / (zeta + q) + np.zeros(self.oscillators))

    @cached_property
    def free_frequency(self) -> NDArray[np.float64]:
        """Array (..., K), frequency of each oscillator alone in Hz."""
        return np.asarray(plain(self.frequency) + plain(self.nonlinearity) * self.free_power)

    @cached_property
    def relaxation(self) -> NDArray[np.float64]:
        """Array (..., K), amplitude relaxation rate G_p over 2 pi in Hz."""
        return np.asarray(plain(self.damping) * (plain(self.supercriticality) - 1) + np.zeros(self.oscillators))

    @cached_property
    def phase_amplitude_ratio(self) -> NDArray[np.float64]:
        """Array (..., K), dimensionless nonlinearity nu: how strongly the phase follows the amplitude."""
        ratio = plain(self.nonlinearity) / (plain(self.damping) * (plain(self.q) + plain(self.supercriticality)))
        return np.asarray(ratio + np.zeros(self.oscillators))

    def lane_quantities(self, frame: NDArray[np.float64]) -> tuple[Any, ...]:
        """Gain, loss, detuning and shift, all in rad/s."""
        damping, zeta = TURN * self.damping, self.supercriticality
        detuning = TURN * self.frequency - frame[..., None]
        return damping * (zeta - 1), damping * (self.q + zeta), detuning, TURN * self.nonlinearity


def supercriticality_at(net: AutoOscillatorNetwork, frequency: ArrayLike) -> NDArray[np.float64]:
    r"""The currents, over threshold, at which the free oscillators of a network run at given frequencies.

    .. math:: p = (f - f_k) / N_k, \qquad \zeta = \frac{1 + Q p}{1 - p}

    Parameters
    ----------
    net : its supercriticality is not used
    frequency : array (..., K) in Hz

    Returns
    -------
    array (..., K), each > 1

    Raises
    ------
    InputError : a power outside (0, 1); oscillator, place and allowed frequencies are named

    Examples
    --------
    >>> supercriticality_at(AutoOscillatorNetwork(), [20e6]).round(12)
    array([2.])
    """
    wanted = np.asarray(frequency, dtype=float)
    power = (wanted - net.frequency) / net.nonlinearity
    bad = np.argwhere(~((power > 0) & (power < 1)))
    if len(bad):
        place = tuple(int(index) for index in bad[0])
        low = np.broadcast_to(net.frequency, power.shape)[place]
        high = low + np.broadcast_to(net.nonlinearity, power.shape)[place]
        refuse(
            "frequency",
            f"is {np.broadcast_to(wanted, power.shape)[place] / 1e6:.4g} MHz for oscillator {place[-1]} at place {place[:-1]}",
            allowed=f"between {low / 1e6:.4g} and {high / 1e6:.4g} MHz, where powers lie between 0 and 1",
            remedy="Bring base frequency, weights and offsets closer together.",
        )
    return np.asarray((1 + net.q * power) / (1 - power))
