r"""Phase noise of oscillators and what synchronisation does to it.

The phase of a free oscillator diffuses with the variance rate

.. math:: \frac{d}{dt} \langle \delta\theta^2 \rangle = \frac{G n}{p_0} (1 + \nu^2)

once powers have relaxed (A. Slavin and V. Tiberkevich, IEEE Trans. Magn. 45 (2009) 1875): the nonlinearity adds power noise to
the phase. The same number in rad/s is the full width at half maximum of its spectral line. K equal oscillators that are
synchronised share one phase, whose rate is K times lower.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.checks import check_whole, refuse
from holdfast.core.estimate import Estimate
from holdfast.devices.spintronics.oscillators.simulation import simulate_network

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from holdfast.devices.spintronics.oscillators.universal import AutoOscillatorNetwork

__all__ = ["phase_advances", "phase_diffusion", "phase_noise_rate", "variance_ratio"]


def phase_noise_rate(net: AutoOscillatorNetwork) -> NDArray[np.float64]:
    """Array (..., K), the module's variance rate in rad^2/s of each oscillator alone; also its line width in rad/s.

    Examples
    --------
    >>> from holdfast.devices.spintronics import AutoOscillatorNetwork
    >>> float(phase_noise_rate(AutoOscillatorNetwork(noise=1e-4))[0].round(-3))
    257000.0
    """
    return np.asarray(2 * np.pi * net.damping * net.noise / net.free_power * (1 + net.phase_amplitude_ratio**2))


def phase_advances(
    net: AutoOscillatorNetwork, *, runs: int = 1000, duration: float = 12e-6, discard: float = 4e-6, dt: float = 1e-9, seed: int = 0
) -> NDArray[np.float64]:
    """Array (runs, K), advance in rad of each phase in the window of independent runs of one network.

    Parameters
    ----------
    net : one network with noise
    runs : their number >= 2
    duration, discard, dt : in s; the window must be long against the relaxation of the power
    seed : of phases and noise
    """
    check_whole(runs, "runs", low=2)
    if net.batch:
        refuse("net", f"is a batch of shape {net.batch}", allowed="one network")
    copies = replace(net, supercriticality=np.broadcast_to(net.supercriticality, (runs, net.oscillators)))
    start = np.broadcast_to(np.sqrt(net.free_power), (runs, net.oscillators))
    seen = simulate_network(copies, duration, discard=discard, dt=dt, seed=seed, start=start)
    return np.asarray(2 * np.pi * (seen.mean_frequency - seen.mean_frequency.mean(axis=0)) * seen.window)


def phase_diffusion(advances: ArrayLike, window: float, *, level: float = 0.95) -> Estimate:
    """Variance rate in rad^2/s of phase advances (runs,) over a window in s, with the chi-squared interval of normal advances."""
    from scipy.stats import chi2

    sample = np.asarray(advances, dtype=float)
    freedom = len(sample) - 1
    rate = float(sample.var(ddof=1)) / window
    low, high = (freedom / float(chi2.ppf(share, freedom)) for share in (0.5 + level / 2, 0.5 - level / 2))
    return Estimate(rate, rate * low, rate * high, len(sample), "chi squared", level)


def variance_ratio(above: ArrayLike, below: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Ratio of the variances of two independent normal samples, with the interval of the F distribution."""
    from scipy.stats import f

    one, other = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    ratio = float(one.var(ddof=1) / other.var(ddof=1))
    freedom = (len(one) - 1, len(other) - 1)
    low, high = (ratio / float(f.ppf(share, *freedom)) for share in (0.5 + level / 2, 0.5 - level / 2))
    return Estimate(ratio, low, high, min(len(one), len(other)), "F", level)
