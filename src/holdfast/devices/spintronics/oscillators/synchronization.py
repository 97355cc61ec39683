r"""Who is synchronised with whom: the lock criterion, partitions of a network, maps over currents, locking ranges.

Two equal oscillators with frequencies that differ by :math:`\delta` obey, where powers follow adiabatically,

.. math:: \dot\psi = \delta - 2 \Omega \sqrt{1 + \nu^2} \cos(\beta - \arctan \nu) \sin \psi

so they lock for :math:`|\delta|` up to the factor before the sine: with the right coupling phase the nonlinearity :math:`\nu`
widens the range :math:`\sqrt{1 + \nu^2}` times over that of phase oscillators, whose half-range is :math:`2 \Omega |\cos \beta|`
(A. Slavin and V. Tiberkevich, IEEE Trans. Magn. 45 (2009) 1875). A source of force `F` locks one oscillator within
:math:`|F| \sqrt{1 + \nu^2} / \sqrt{p_0}`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from holdfast.core.checks import check_whole, check_within, refuse
from holdfast.devices.spintronics.oscillators.oscillation import Oscillation, pairs_of
from holdfast.devices.spintronics.oscillators.simulation import simulate_network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from holdfast.devices.spintronics.oscillators.network import OscillatorNetwork, Source

__all__ = [
    "LockCriterion",
    "LockingRange",
    "SynchronizationMap",
    "adiabatic_half_range",
    "injection_half_range",
    "locking_range",
    "partition_of",
    "partitions",
    "synchronization_map",
]

COLOURS = ("#d9d9d9", "#56b4e9", "#e69f00", "#009e73", "#0072b2")
BATCH = 1 << 15  # networks that are integrated at once


@dataclass(frozen=True, kw_only=True)
class LockCriterion:
    """When two oscillators count as synchronised: their mean frequencies agree and their phases do not slip.

    A window has a floor: two uncoupled oscillators whose frequencies differ by less than about 1 / window slip by less than a
    turn within it and count as synchronised. Only a longer window distinguishes them from locked ones.

    Parameters
    ----------
    tolerance : largest difference of mean frequencies in Hz; default: 2 / window + 50 kHz. The window must last at least
        5 / tolerance where it is given; with the default the slips decide
    slip_rate : phase slips (turns of the phase difference beyond the first one) per second that noise may cause, >= 0

    Examples
    --------
    >>> LockCriterion().tolerance_in(4e-6)
    550000.0
    """

    tolerance: float | None = None
    slip_rate: float = 0.0

    def __post_init__(self) -> None:
        if self.tolerance is not None:
            check_within(self.tolerance, "tolerance", low=0, low_open=True)
        check_within(self.slip_rate, "slip_rate", low=0)

    def tolerance_in(self, window: float) -> float:
        """The tolerance in Hz for a window in s; refuses a window that is too short for a tolerance that was given."""
        if self.tolerance is None:
            return 2 / window + 5e4
        if window * self.tolerance < 5:
            refuse(
                "tolerance",
                f"is {self.tolerance:.4g} Hz for a window of {window:.4g} s",
                allowed=f"at least {5 / window:.4g} Hz",
                remedy=f"Observe for {5 / self.tolerance:.4g} s or more.",
            )
        return self.tolerance

    def locked(self, seen: Oscillation) -> NDArray[np.bool_]:
        """Array (..., pairs), True where a pair of :func:`pairs_of` is synchronised."""
        frequency = np.asarray(seen.mean_frequency)
        first, second = np.array(pairs_of(frequency.shape[-1]), dtype=int).reshape(-1, 2).T
        near = np.abs(frequency[..., first] - frequency[..., second]) < self.tolerance_in(seen.window)
        turns = np.asarray(seen.swing) / (2 * np.pi)
        return np.asarray(near & (turns < 1 + self.slip_rate * seen.window))


@lru_cache
def partitions(oscillators: int) -> tuple[str, ...]:
    """Names of all ways in which up to 6 oscillators can group; those of one group stand together.

    Examples
    --------
    >>> partitions(3)
    ('none', '12', '13', '23', '123')
    """
    check_whole(oscillators, "oscillators", low=1, high=6)
    grown: list[tuple[int, ...]] = [(0,)]
    for _ in range(oscillators - 1):
        grown = [(*groups, label) for groups in grown for label in range(max(groups) + 2)]
    names = {_name(groups) for groups in grown}
    return tuple(sorted(names, key=lambda name: (0 if name == "none" else len(name), name)))


def _name(groups: tuple[int, ...]) -> str:
    members = ["".join(str(k + 1) for k, group in enumerate(groups) if group == label) for label in sorted(set(groups))]
    return " ".join(member for member in members if len(member) > 1) or "none"


def partition_of(seen: Oscillation, criterion: LockCriterion | None = None) -> NDArray[np.intp]:
    """Which oscillators form groups: an array (...,) of places in :func:`partitions`.

    Two oscillators that both lock to a third one belong together.

    Parameters
    ----------
    seen : what the networks did
    criterion : default: :class:`LockCriterion`
    """
    locked = (criterion or LockCriterion()).locked(seen)
    K = int(np.asarray(seen.mean_frequency).shape[-1])
    names = partitions(K)
    together = np.broadcast_to(np.eye(K, dtype=bool), (*locked.shape[:-1], K, K)).copy()
    for place, (i, j) in enumerate(pairs_of(K)):
        together[..., i, j] = together[..., j, i] = locked[..., place]
    for _ in range(K - 2):
        together = (together[..., :, :, None] & together[..., None, :, :]).any(axis=-2)
    leader = together.argmax(axis=-1)  # the first member of each oscillator's group
    codes = (leader * K ** np.arange(K)).sum(axis=-1)
    found, inverse = np.unique(codes, return_inverse=True)
    places = [names.index(_name(tuple(code // K**k % K for k in range(K)))) for code in found]
    return np.asarray(np.array(places, dtype=np.intp)[inverse].reshape(codes.shape))


def adiabatic_half_range(net: OscillatorNetwork, pair: tuple[int, int] = (0, 1)) -> NDArray[np.float64]:
    """Half of the range of frequency differences, in Hz, over which two equal and weakly coupled oscillators lock.

    The module's equation, with the means of both oscillators' nonlinearities and of both couplings.

    Examples
    --------
    >>> from holdfast.devices.spintronics import AutoOscillatorNetwork, all_to_all
    >>> net = AutoOscillatorNetwork(coupling=all_to_all(2, 2e5, np.arctan(20 / 3)))
    >>> float(adiabatic_half_range(net).round(-3))
    2696000.0
    """
    i, j = pair
    nu = (net.phase_amplitude_ratio[..., i] + net.phase_amplitude_ratio[..., j]) / 2
    coupling = np.asarray(net.coupling)
    mean = (coupling[..., i, j] + coupling[..., j, i]) / 2
    return np.asarray(2 * np.abs(mean) * np.sqrt(1 + nu**2) * np.abs(np.cos(np.angle(mean) - np.arctan(nu))))


def injection_half_range(net: OscillatorNetwork, source: Source) -> NDArray[np.float64]:
    """Half of the range of frequencies, in Hz (..., K), over which a weak source locks each oscillator."""
    nu = net.phase_amplitude_ratio
    return np.asarray(np.abs(source.amplitude) * np.sqrt(1 + nu**2) / np.sqrt(net.free_power))


@dataclass(frozen=True, kw_only=True)
class LockingRange:
    """Where a pair stays locked.

    Parameters
    ----------
    lower, upper : ends of the range of free-frequency differences in Hz
    resolution : distance in Hz of the last locked from the first unlocked difference that was tried, on the coarser side; where
        not even equal frequencies lock, as under strong noise, both ends are 0 and this is the least difference that was tried
    """

    lower: float
    upper: float
    resolution: float

    @property
    def half_range(self) -> float:
        """Half of the range in Hz."""
        return (self.upper - self.lower) / 2


def locking_range(
    net: OscillatorNetwork,
    pair: tuple[int, int] = (0, 1),
    *,
    widest: float | None = None,
    duration: float = 40e-6,
    discard: float = 20e-6,
    dt: float = 1e-9,
    criterion: LockCriterion | None = None,
    seed: int = 0,
) -> LockingRange:
    """The range of detunings over which two oscillators of a network, without the others, synchronise.

    Free frequencies are moved apart in opposite directions, first on a coarse grid, then on a fine one around the first
    difference that does not lock. Close to the edge the beat is slow: the window must be long against its period.

    Parameters
    ----------
    net : one network, not a batch
    pair : the two oscillators
    widest : largest difference tried in Hz; default: twice the adiabatic half-range and 0.5 MHz
    duration, discard, dt : of each run in s
    criterion : default: :class:`LockCriterion`
    seed : of the initial phases

    Raises
    ------
    InputError : a batch of networks, a `widest` that is not > 0, or a pair that still locks there
    """
    if net.batch:
        refuse("net", f"is a batch of shape {net.batch}", allowed="one network")
    alone = _pair_of(net, pair)
    reach = 2 * float(adiabatic_half_range(alone)) + 5e5 if widest is None else check_within(widest, "widest", low=0, low_open=True)

    def locks(differences: NDArray[np.float64]) -> NDArray[np.bool_]:
        shift = (alone.free_frequency.mean() - alone.free_frequency) + differences[:, None] * np.array([0.5, -0.5])
        moved = replace(cast("Any", alone), frequency=alone.frequency + shift)
        seen = simulate_network(moved, duration, discard=discard, dt=dt, seed=seed)
        return (criterion or LockCriterion()).locked(seen)[:, 0]

    (left, left_step), (right, right_step) = (_edge(locks, reach, sign) for sign in (-1.0, 1.0))
    return LockingRange(lower=left, upper=right, resolution=max(left_step, right_step))


def _edge(locks: Callable[[NDArray[np.float64]], NDArray[np.bool_]], reach: float, sign: float) -> tuple[float, float]:
    """One end of the range, and the distance of the two differences between which it lies."""
    coarse = np.linspace(0.0, reach, 64)
    free = np.flatnonzero(~locks(sign * coarse))
    if not len(free):
        refuse("widest", f"is {reach:.4g} Hz, where the pair still locks", allowed="differences beyond the locking range")
    if free[0] == 0:  # not even equal frequencies lock
        return 0.0, float(coarse[1])
    low, high = coarse[free[0] - 1], coarse[free[0]]
    fine = np.linspace(low, high, 64)
    locked = locks(sign * fine)
    if locked[0] and not locked.all():  # else noise moved the edge between both looks: what the coarse grid says is kept
        first = int(locked.argmin())
        low, high = fine[first - 1], fine[first]
    return float(sign * (low + high) / 2), float(high - low)


def _pair_of(net: OscillatorNetwork, pair: tuple[int, int]) -> OscillatorNetwork:
    """The network of two oscillators alone."""
    members = list(pair)
    chosen: dict[str, Any] = {name: np.broadcast_to(getattr(net, name), (net.oscillators,))[members] for name in net.rows}
    delay = net.delay[np.ix_(members, members)] if net.delay.ndim else net.delay
    return replace(cast("Any", net), coupling=net.coupling[np.ix_(members, members)], delay=delay, sources=(), **chosen)


@dataclass(frozen=True, kw_only=True)
class SynchronizationMap:
    """Partitions of a network over its currents.

    Parameters
    ----------
    axes : name -> array, in the order of the arrays' axes
    partition : array (n1, n2, ...), places in `labels`
    labels : names of the partitions
    frequencies : array (n1, n2, ..., K), mean frequencies in Hz of the first start
    emitted : array (n1, n2, ...), power into one load of the first start
    agreement : array (n1, n2, ...), share of the starts that ended in this partition
    """

    axes: Mapping[str, NDArray[np.float64]]
    partition: NDArray[np.intp]
    labels: tuple[str, ...]
    frequencies: NDArray[np.float64]
    emitted: NDArray[np.float64]
    agreement: NDArray[np.float64]

    def fractions(self) -> dict[str, float]:
        """Share of the map that each partition covers."""
        return {label: float((self.partition == place).mean()) for place, label in enumerate(self.labels)}

    def plot(self, *, title: str = "Who is synchronised") -> Figure:
        """The map over its first two axes, one colour per partition."""
        from matplotlib.colors import BoundaryNorm, ListedColormap

        from holdfast.core.figures import PALETTE, new_figure

        if self.partition.ndim != 2:
            refuse("axes", f"are {len(self.axes)}", allowed="2 axes for a figure")
        figure, (axes,) = new_figure(size=(5.0, 3.6))
        count = len(self.labels)
        colours = COLOURS if count <= len(COLOURS) else [*COLOURS, *PALETTE] * (count // 5 + 1)
        (across, columns), (up, rows) = self.axes.items()
        norm = BoundaryNorm(np.arange(count + 1) - 0.5, count)
        drawn = axes.pcolormesh(
            columns,
            rows,
            self.partition.T,
            cmap=ListedColormap(list(colours[:count])),
            norm=norm,
            shading="nearest",
            rasterized=True,
        )
        axes.grid(visible=False)
        bar = figure.colorbar(drawn, ax=axes, ticks=range(count))
        bar.ax.set_yticklabels(self.labels)
        bar.ax.minorticks_off()
        axes.set(xlabel=_axis_label(across), ylabel=_axis_label(up), title=title)
        return figure


def _axis_label(name: str) -> str:
    number = name[1:]
    return f"current {number} (threshold currents)" if name[0] == "i" else f"frequency {number} at zero power (Hz)"


def synchronization_map(
    net: OscillatorNetwork,
    axes: Mapping[str, ArrayLike],
    *,
    duration: float = 8e-6,
    discard: float = 4e-6,
    dt: float = 1e-9,
    criterion: LockCriterion | None = None,
    starts: int = 1,
    seed: int = 0,
) -> SynchronizationMap:
    """The partition of one network at every point of a grid of currents or frequencies.

    Parameters
    ----------
    net : the network at rest; what an axis names is replaced
    axes : ``"i1"`` is the supercriticality of the first oscillator, ``"f2"`` the frequency of the second one in Hz, and so on
    duration, discard, dt : of each run in s
    criterion : default: :class:`LockCriterion`
    starts : runs from other phases (and with other noise); the partition is that of most of them, the first among equals.
        Take 3 or more where several states are stable
    seed : of phases and noise

    Raises
    ------
    InputError : an axis that names no oscillator
    """
    check_whole(starts, "starts", low=1)
    grids = {name: np.asarray(values, dtype=float).ravel() for name, values in axes.items()}
    mesh = np.meshgrid(*grids.values(), indexing="ij")
    shape = tuple(map(len, grids.values()))
    fields: dict[str, Any] = {}
    for name, values in zip(grids, mesh, strict=True):
        field, oscillator = _named(name, net.oscillators)
        rest = np.broadcast_to(getattr(net, field), (values.size, net.oscillators))
        fields.setdefault(field, rest.astype(float))[:, oscillator] = values.ravel()
    labels = partitions(net.oscillators)
    votes = np.zeros((len(labels), mesh[0].size), dtype=int)
    parts, frequencies, emitted = [], [], []
    for begin in range(0, mesh[0].size, BATCH):
        part = replace(cast("Any", net), **{field: values[begin : begin + BATCH] for field, values in fields.items()})
        for start in range(starts):
            seen = simulate_network(part, duration, discard=discard, dt=dt, seed=seed + start, first_point=begin)
            found = partition_of(seen, criterion)
            votes[found, begin + np.arange(len(found))] += 1
            if start == 0:
                parts.append(found)
                frequencies.append(seen.mean_frequency)
                emitted.append(seen.emitted)
    first = np.concatenate(parts)
    most = votes.max(axis=0)
    partition = np.where(votes[first, np.arange(len(first))] == most, first, votes.argmax(axis=0))
    return SynchronizationMap(
        axes=grids,
        partition=partition.reshape(shape),
        labels=labels,
        frequencies=np.concatenate(frequencies).reshape(*shape, net.oscillators),
        emitted=np.concatenate(emitted).reshape(shape),
        agreement=(most / starts).reshape(shape),
    )


def _named(name: str, oscillators: int) -> tuple[str, int]:
    """Field and number of the oscillator that an axis names."""
    number = int(name[1:]) if name[1:].isdigit() else 0
    if name[:1] not in {"i", "f"} or not 1 <= number <= oscillators:
        known = ", ".join(f"i{k + 1}, f{k + 1}" for k in range(oscillators))
        refuse("axes", f"names {name!r}", allowed=known)
    return ("supercriticality" if name[0] == "i" else "frequency"), number - 1
