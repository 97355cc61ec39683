r"""The universal auto-oscillator that stands for a simulated macrospin: five numbers from a few currents.

With the power :math:`p = (1 - \langle m \cdot e \rangle) / 2` of the precession about the direction of rest `e`, the model
(:mod:`holdfast.devices.spintronics.oscillators.universal`) is linear in its unknowns: the stationary powers at currents I give the
threshold and Q,

.. math:: \frac{I (1 - p)}{I_{th}} - Q p = 1,

the frequencies give :math:`f = f_0 + N p / 2 \pi`, and the decay of a small precession without current gives the damping G.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import refuse
from holdfast.devices.spintronics.macrospin.drive import Drive
from holdfast.devices.spintronics.macrospin.simulation import simulate
from holdfast.devices.spintronics.oscillators.universal import AutoOscillatorNetwork

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from holdfast.devices.spintronics.macrospin.stack import SpinDiode

__all__ = ["AutoOscillatorFit", "fit_autooscillator"]

LEAST_POWER = 1e-3  # below it the oscillation is too weak to be fitted
TILT = 0.05  # rad, of the precession whose decay is watched


@dataclass(frozen=True, kw_only=True)
class AutoOscillatorFit:
    """An auto-oscillator in the place of a macrospin.

    Parameters
    ----------
    threshold_current : in A
    frequency, nonlinearity, damping : over 2 pi, in Hz
    q : nonlinear damping
    currents, powers, frequencies : what was fitted, in A, dimensionless, in Hz
    """

    threshold_current: float
    frequency: float
    nonlinearity: float
    damping: float
    q: float
    currents: NDArray[np.float64]
    powers: NDArray[np.float64]
    frequencies: NDArray[np.float64]

    def network(self, currents: ArrayLike, **settings: Any) -> AutoOscillatorNetwork:
        """Oscillators like this one at `currents` (..., K) in A, with the coupling, noise and sources of `settings`."""
        return AutoOscillatorNetwork(
            frequency=self.frequency,
            nonlinearity=self.nonlinearity,
            damping=self.damping,
            q=self.q,
            supercriticality=np.asarray(currents, dtype=float) / self.threshold_current,
            **settings,
        )


def fit_autooscillator(
    diode: SpinDiode, currents: ArrayLike, *, duration: float = 50e-9, settle: float = 200e-9, dt: float = 1e-12
) -> AutoOscillatorFit:
    """The auto-oscillator whose powers and frequencies come closest to those of a macrospin at a few direct currents.

    Parameters
    ----------
    diode : one device at 0 K, without a batch
    currents : array (n,) in A, n >= 3, above the threshold
    duration, settle, dt : of the simulated runs, in s

    Returns
    -------
    AutoOscillatorFit; the model is exact for small powers, so choose currents around those of later use

    Raises
    ------
    InputError : fewer than 3 currents, or one at which the device does not oscillate
    """
    given = np.asarray(currents, dtype=float)
    if given.ndim != 1 or len(given) < 3:
        refuse("currents", f"has shape {given.shape}", allowed="at least 3 currents in one row")
    rest = np.asarray(simulate(diode, duration=duration, settle=settle, dt=dt).end, dtype=float)
    across = np.eye(3)[np.abs(rest).argmin()]
    across -= (across @ rest) * rest
    across /= np.linalg.norm(across)
    tilted = rest + 0.2 * across
    seen = simulate(diode, Drive(i_dc=given), duration=duration, settle=settle, dt=dt, start=tilted, watch=across)
    powers, frequencies = (1 - np.asarray(seen.m_mean) @ rest) / 2, np.asarray(seen.frequency)
    silent = powers < LEAST_POWER
    if silent.any():
        refuse(
            "currents",
            f"leave the device at a power of {powers.min():.2g} at {given[powers.argmin()]:.4g} A",
            allowed="currents above the threshold, of the sign that excites",
        )
    (inverse, q), *_ = np.linalg.lstsq(np.stack([given * (1 - powers), -powers], axis=1), np.ones(len(given)), rcond=None)
    nonlinearity, frequency = np.polyfit(powers, frequencies, 1)
    return AutoOscillatorFit(
        threshold_current=float(1 / inverse),
        frequency=float(frequency),
        nonlinearity=float(nonlinearity),
        damping=_decay(diode, rest, across, float(frequency), dt=dt) / (2 * np.pi),
        q=float(q),
        currents=given,
        powers=powers,
        frequencies=frequencies,
    )


def _decay(diode: SpinDiode, rest: NDArray[np.float64], across: NDArray[np.float64], frequency: float, *, dt: float) -> float:
    """Rate in 1/s at which the amplitude of a small precession about `rest` decays without current."""
    seen = simulate(diode, duration=10 / frequency, dt=dt, start=rest + TILT * across, trace=True)
    assert seen.trace is not None, "a trace was requested"
    assert seen.times is not None, "it comes with the trace"
    power = 1 - seen.trace @ rest
    return -0.5 * float(np.polyfit(seen.times, np.log(power), 1)[0])
