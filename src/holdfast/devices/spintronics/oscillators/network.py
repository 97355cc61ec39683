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

and a kick of its power decays as :math:`e^{-2 G_p t}`. Equations are integrated in a frame that rotates at the mean free frequency
of each network, so steps resolve frequency differences, not the microwave itself. Noise enters once per step, after
it (Euler-Maruyama; the noise is additive). In public, frequencies and rates are in Hz: ``damping`` is :math:`G / 2 \pi`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from holdfast.core.checks import check_finite, check_one_of, check_within, refuse
from holdfast.devices.spintronics.oscillators.integration import Run, integrate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from holdfast.devices.spintronics.oscillators.oscillation import Oscillation

__all__ = ["AutoOscillatorNetwork", "Source"]

TURN = 2 * math.pi
RESOLUTION = 0.1  # largest angle or relative change in one step
Backend = Literal["numba", "torch"]


def _plain(value: Any) -> NDArray[Any]:
    """An array of numbers or of a tensor, without its history."""
    return np.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value)


@dataclass(frozen=True, eq=False)
class Source:
    """A microwave source that forces all or some oscillators.

    Parameters
    ----------
    frequency : array (...,) in Hz
    amplitude : complex array (..., K) in Hz: the force `F` on each oscillator, divided by 2 pi
    """

    frequency: Any
    amplitude: Any


@dataclass(frozen=True, kw_only=True, eq=False)
class AutoOscillatorNetwork:
    r"""K coupled auto-oscillators, or a batch of such networks.

    Parameters
    ----------
    frequency : array (..., K), :math:`\omega / 2 \pi` at zero power in Hz
    nonlinearity : array (..., K), frequency shift :math:`N / 2 \pi` per unit of power in Hz
    damping : array (..., K), :math:`G / 2 \pi` in Hz, > 0
    q : array (..., K), nonlinear damping :math:`Q`, >= 0
    supercriticality : array (..., K), :math:`\zeta`, current over threshold current, > 1
    coupling : complex array (..., K, K) in Hz, row = who is driven; its diagonal is a feedback of an oscillator on itself
    delay : array (K, K) or one number, :math:`\tau` of the coupling in s; at least one time step where it is not 0.
        Between steps the delayed amplitude is interpolated linearly in the rotating frame; before the start it is the initial one
    noise : array (..., K), dimensionless :math:`n` >= 0
    sources : external microwave sources

    All arrays broadcast; leading axes are the batch. Fields may be torch tensors, for ``simulate(backend="torch")``.

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

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            object.__setattr__(self, entry.name, tuple(value) if entry.name == "sources" else self._taken(value))
        for name in ("frequency", "nonlinearity", "damping", "q", "supercriticality", "coupling", "delay", "noise"):
            check_finite(_plain(getattr(self, name)), name)
        self._check_shapes()
        for name in ("q", "delay", "noise"):
            if _plain(getattr(self, name)).min() < 0:
                refuse(name, f"falls to {_plain(getattr(self, name)).min():.4g}", allowed="numbers >= 0")
        if _plain(self.damping).min() <= 0:
            refuse("damping", f"falls to {_plain(self.damping).min():.4g} Hz", allowed="numbers > 0")
        self._check_oscillation()

    @staticmethod
    def _taken(value: Any) -> Any:
        return value if hasattr(value, "detach") else np.asarray(value)

    def _check_shapes(self) -> None:
        shape = tuple(self.coupling.shape)
        if shape and (len(shape) < 2 or shape[-1] != shape[-2]):
            refuse("coupling", f"has shape {shape}", allowed="(..., K, K), one row and one column per oscillator")
        if self.delay.ndim and self.delay.shape != (self.oscillators, self.oscillators):
            refuse("delay", f"has shape {self.delay.shape}", allowed=f"one number or {(self.oscillators,) * 2}")
        try:
            self.batch  # noqa: B018 - broadcasts everything
        except ValueError:
            shapes = ", ".join(f"{name} {tuple(getattr(self, name).shape)}" for name in (*ROWS, "coupling"))
            refuse("AutoOscillatorNetwork", f"has shapes {shapes}", allowed="shapes (..., K) that broadcast and (..., K, K)")

    def _check_oscillation(self) -> None:
        zeta = np.broadcast_to(_plain(self.supercriticality), (*self.batch, self.oscillators))
        if zeta.min() > 1:
            return
        place = tuple(int(index) for index in np.unravel_index(zeta.argmin(), zeta.shape))
        refuse(
            "supercriticality",
            f"is {zeta[place]:.4g} for oscillator {place[-1]}" + (f" of network {place[:-1]}" if len(place) > 1 else ""),
            allowed="numbers > 1",
            remedy="Below its threshold current an oscillator does not oscillate: raise the current.",
        )

    @cached_property
    def oscillators(self) -> int:
        """Their number K."""
        if self.coupling.ndim:
            return int(self.coupling.shape[-1])
        shapes = [tuple(getattr(self, name).shape[-1:]) for name in ROWS]
        return int(np.broadcast_shapes(*shapes)[0]) if any(shapes) else 1

    @cached_property
    def batch(self) -> tuple[int, ...]:
        """Shape of the batch, () for one network."""
        shapes = [tuple(getattr(self, name).shape) for name in ROWS] + [(self.oscillators,)]
        leading = [np.broadcast_shapes(*shapes)[:-1], tuple(self.coupling.shape[:-2])]
        for source in self.sources:
            leading += [_plain(source.frequency).shape, _plain(source.amplitude).shape[:-1]]
        return np.broadcast_shapes(*leading)

    @cached_property
    def free_power(self) -> NDArray[np.float64]:
        """Array (..., K), power p0 of each oscillator alone."""
        zeta, q = _plain(self.supercriticality), _plain(self.q)
        return np.asarray((zeta - 1) / (zeta + q) + np.zeros(self.oscillators))

    @cached_property
    def free_frequency(self) -> NDArray[np.float64]:
        """Array (..., K), frequency of each oscillator alone in Hz."""
        return np.asarray(_plain(self.frequency) + _plain(self.nonlinearity) * self.free_power)

    @cached_property
    def relaxation(self) -> NDArray[np.float64]:
        """Array (..., K), amplitude relaxation rate G_p over 2 pi in Hz."""
        return np.asarray(_plain(self.damping) * (_plain(self.supercriticality) - 1) + np.zeros(self.oscillators))

    @cached_property
    def phase_amplitude_ratio(self) -> NDArray[np.float64]:
        """Array (..., K), dimensionless nonlinearity nu: how strongly the phase follows the amplitude."""
        ratio = _plain(self.nonlinearity) / (_plain(self.damping) * (_plain(self.q) + _plain(self.supercriticality)))
        return np.asarray(ratio + np.zeros(self.oscillators))

    @cached_property
    def reference(self) -> NDArray[np.float64]:
        """Array (...,), frequency of the rotating frame in Hz: the mean of the free frequencies of each network."""
        return np.asarray(np.broadcast_to(self.free_frequency.mean(axis=-1), self.batch))

    @cached_property
    def fastest_rate(self) -> float:
        """The fastest rate in rad/s that steps must resolve: detunings, relaxation of the power, coupling and forces."""
        detunings = np.abs(self.free_frequency - self.reference[..., None]).max()
        rates = [detunings, 2 * self.relaxation.max(), np.abs(_plain(self.coupling)).max()]
        if self.coupling.ndim:
            rates.append(np.abs(_plain(self.coupling)).sum(axis=-1).max())
        for source in self.sources:
            rates.append(np.abs(_plain(source.frequency) - self.reference).max())
            rates.append((np.abs(_plain(source.amplitude)) / np.sqrt(self.free_power)).max())
        return TURN * float(max(rates))

    def simulate(
        self,
        duration: float,
        *,
        dt: float = 1e-9,
        discard: float = 0.0,
        start: Oscillation | ArrayLike | None = None,
        seed: int = 0,
        first_point: int = 0,
        trace_every: float | None = None,
        backend: Backend = "numba",
    ) -> Oscillation:
        """Integrate all networks with the Runge-Kutta method of fourth order.

        Parameters
        ----------
        duration : in s, the transient included
        dt : time step in s, at most a tenth of the inverse of :attr:`fastest_rate`
        discard : transient in s that no observable sees
        start : complex amplitudes (..., K), or an :class:`Oscillation` that goes on (with the history of delays forgotten);
            default: powers of the free oscillators and random phases
        seed : of initial phases and noise
        first_point : number of the first network of this batch: networks have their own random numbers by their number,
            so a batch may be cut into parts without a change of any bit
        trace_every : keep the amplitudes of the window this often, in s
        backend : ``"numba"``, or ``"torch"`` to differentiate through the integration

        Raises
        ------
        InputError : a step that is too long (the largest safe one is named), a window of less than one step
        """
        check_one_of(backend, "backend", allowed=("numba", "torch"))
        check_within(dt, "dt", low=0, low_open=True)
        check_within(duration, "duration", low=0, low_open=True)
        check_within(discard, "discard", low=0)
        if dt * self.fastest_rate > RESOLUTION:
            safe = RESOLUTION / self.fastest_rate
            refuse("dt", f"is {dt:.4g} s", allowed=f"steps up to {safe:.4g} s for this network")
        self._check_delay(dt)
        whole, skipped = round(duration / dt), round(discard / dt)
        if whole - skipped < 1:
            refuse("discard", f"is {discard:.4g} s of {duration:.4g} s", allowed="at least one step less than `duration`")
        run = Run(
            dt=dt, discard=skipped, window=whole - skipped, start=start, seed=seed, first_point=first_point, trace_every=trace_every
        )
        if backend == "torch":
            from holdfast.devices.spintronics.oscillators.gradients import integrate_tensors

            return integrate_tensors(self, run)
        return integrate(self, run)

    def _check_delay(self, dt: float) -> None:
        short = self.delay[(self.delay > 0) & (self.delay < dt)]
        if short.size:
            refuse(
                "delay",
                f"is {short.max():.4g} s, less than one step of {dt:.4g} s",
                allowed="0, or at least one step",
                remedy="Shorten `dt`, or put the phase of a short delay into the coupling.",
            )


ROWS = ("frequency", "nonlinearity", "damping", "q", "supercriticality", "noise")
