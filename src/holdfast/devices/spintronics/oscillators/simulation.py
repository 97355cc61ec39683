"""Oscillator networks carried through time.

Equations are integrated in a frame that rotates at the mean free frequency of each network, so steps resolve frequency
differences, not the microwave itself. Noise enters once per step, after it (Euler-Maruyama; the noise is additive).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from holdfast.core.checks import check_one_of, check_within, refuse
from holdfast.devices.spintronics.oscillators.integration import Run, integrate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from holdfast.devices.spintronics.oscillators.network import OscillatorNetwork
    from holdfast.devices.spintronics.oscillators.oscillation import Oscillation

__all__ = ["simulate_network"]

RESOLUTION = 0.1  # largest angle or relative change in one step
Backend = Literal["numba", "torch"]


def simulate_network(  # noqa: PLR0913 (each is a choice of its own)
    net: OscillatorNetwork,
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
    """All networks of a batch, integrated with the Runge-Kutta method of fourth order.

    Parameters
    ----------
    net : one network of auto-oscillators or vortices, or a batch (...,) of them
    duration : in s, the transient included
    dt : time step in s, at most a tenth of the inverse of ``net.fastest_rate``
    discard : transient in s that no observable includes
    start : complex amplitudes (..., K), or an :class:`Oscillation` that goes on (with the history of delays forgotten);
        default: powers of the free oscillators and random phases
    seed : of initial phases and noise
    first_point : number of the first network of this batch: networks have their own random numbers by their number,
        so a batch may be cut into parts, at the same `dt`, without a change of any bit
    trace_every : keep the amplitudes of the window this often, in s
    backend : ``"numba"``, or ``"torch"`` to differentiate through the integration

    Raises
    ------
    InputError : a step that is too long (the largest safe one is named), a window of less than one step

    Examples
    --------
    >>> from holdfast.devices.spintronics import AutoOscillatorNetwork
    >>> float(simulate_network(AutoOscillatorNetwork(), 1e-6).mean_frequency.round(-3)[0])
    20000000.0
    """
    check_one_of(backend, "backend", allowed=("numba", "torch"))
    run = _run(net, duration, discard, dt=dt, start=start, seed=seed, first_point=first_point, trace_every=trace_every)
    if backend == "numba":
        return integrate(net, run)
    if "q" not in net.rows:
        refuse("backend", "is 'torch'", allowed="'numba' for this model", remedy="Map it onto auto-oscillators first.")
    from holdfast.devices.spintronics.oscillators.gradients import integrate_tensors

    return integrate_tensors(cast("Any", net), run)


def _run(net: OscillatorNetwork, duration: float, discard: float, *, dt: float, **others: Any) -> Run:
    """The settings in steps, if a step resolves the motion and the window has at least one."""
    check_within(dt, "dt", low=0, low_open=True)
    check_within(duration, "duration", low=0, low_open=True)
    check_within(discard, "discard", low=0)
    if dt * net.fastest_rate > RESOLUTION:
        safe = RESOLUTION / net.fastest_rate
        refuse("dt", f"is {dt:.4g} s", allowed=f"steps up to {safe:.4g} s for this network")
    short = net.delay[(net.delay > 0) & (net.delay < dt)]
    if short.size:
        refuse(
            "delay",
            f"is {short.max():.4g} s, less than one step of {dt:.4g} s",
            allowed="0, or at least one step",
            remedy="Shorten `dt`, or put the phase of a short delay into the coupling.",
        )
    whole, skipped = round(duration / dt), round(discard / dt)
    if whole - skipped < 1:
        refuse("discard", f"is {discard:.4g} s of {duration:.4g} s", allowed="at least one step less than `duration`")
    return Run(dt=dt, discard=skipped, window=whole - skipped, **others)
