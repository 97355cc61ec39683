r"""Sequences of events that bind: oscillators that synchronise only when the right events came in the right order.

Event number k of a sequence sets the current of oscillator k, which holds it: its free frequency becomes

.. math:: f_k = f_{base} + W_k (e_k - r_k)

with the event's number :math:`e_k` in [-1, 1] and a trained offset :math:`r_k`. Oscillators whose event has not come yet idle far
away. The partition after each event shows what is bound: the first two events when oscillators 1 and 2 lock, a sequence of three
when all three do. The weights :math:`W_k` must be incommensurate: with equal ones every sequence that is shifted by the same
amount would lock too. A residual mismatch, added to the frequencies and inside the locking range, makes sure that it is coupling
that binds and not the programmed equality of frequencies.

The idea is that of M. Romera et al., Nat. Commun. 13 (2022) 883; encoding, weights and learning rule are reconstructions.
"""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from holdfast.core.checks import check_one_of, check_whole, refuse
from holdfast.core.seeds import Seeds
from holdfast.devices.spintronics.oscillators.binding_rule import Answer, BindingRule, Learned, learn_offsets
from holdfast.devices.spintronics.oscillators.coupling import all_to_all
from holdfast.devices.spintronics.oscillators.simulation import simulate_network
from holdfast.devices.spintronics.oscillators.synchronization import LockCriterion, partition_of, partitions
from holdfast.devices.spintronics.oscillators.universal import AutoOscillatorNetwork, supercriticality_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from holdfast.devices.spintronics.oscillators.oscillation import Oscillation

__all__ = ["EventCourse", "SequenceBinder"]

IDLE = 14e6  # Hz from the base frequency, in turns above and below it
SET_BY_RULE = (0.05, 0.6)  # powers between which a source of current may set an oscillator whose offset is learnt


@dataclass(frozen=True, kw_only=True)
class EventCourse:
    """What happened event by event, for n sequences presented to m groups of K oscillators.

    Parameters
    ----------
    partition : array (m, n, K), place in :func:`~holdfast.devices.spintronics.oscillators.partitions` after each event
    set_frequency : array (m, n, K, K), free frequencies in Hz, event by oscillator
    mean_frequency : array (m, n, K, K), measured frequencies in Hz, event by oscillator
    emitted : array (m, n, K), power into one load after each event
    seen : what the simulation gave for each event, its transient left out
    times : array (times,), s since the first event, where traces were requested
    frequency : array (m, n, times, K), frequency in Hz of each oscillator, transients included; it resolves what lies within half
        of the inverse trace interval of the mean of a group's frequencies
    """

    partition: NDArray[np.intp]
    set_frequency: NDArray[np.float64]
    mean_frequency: NDArray[np.float64]
    emitted: NDArray[np.float64]
    seen: tuple[Oscillation, ...]
    times: NDArray[np.float64] | None = None
    frequency: NDArray[np.float64] | None = None

    @property
    def bound(self) -> NDArray[np.bool_]:
        """Array (m, n), True where all oscillators are synchronised at the end."""
        return np.asarray(self.partition[..., -1] == len(partitions(self.partition.shape[-1])) - 1)


class SequenceBinder:
    """A classifier of sequences made of oscillators: one group of coupled oscillators per sequence that must be recognised.

    It follows scikit-learn's conventions (``clone``, grid search and cross-validation work) without importing scikit-learn.

    Parameters
    ----------
    net : one group of oscillators; default: three, all-to-all, 0.1 MHz at the phase that widens locking most
    alphabet : number of events, coded as 0, 1, ..., or the events themselves; encoded as equidistant numbers in [-1, 1]
    length : number of events in a sequence; the number of oscillators
    weights : frequency change of each oscillator over half of the alphabet's range, in Hz
    base : frequency in Hz of an event in the middle of the alphabet, without offset
    mismatch : frequencies in Hz, fixed, that come on top of what the currents are meant to give
    learning : ``"closed"`` takes offsets from the target sequence, ``"rule"`` learns them from random ones
    rule : see :class:`BindingRule`
    reject : the label of sequences to which no oscillators should bind
    nominal : the oscillators that the currents are computed for; default `net`. Another one stands for devices that deviate
    hold, discard : time in s that each event is held, and transient of each
    dt : time step in s; default: the largest up to 1 ns that is safe for all sequences of the alphabet, whichever are presented
    criterion : when oscillators count as synchronised
    seed : of phases, noise and learning; every presentation of the rule has other phases and other noise

    Attributes
    ----------
    classes_ : labels
    targets_ : array (m, length), encoded sequence of each group
    labels_ : array (m,), its label
    offsets_ : array (m, K) in Hz, W r of each group
    learned_ : what the rule did, or None

    Raises
    ------
    InputError : events that repeat in the alphabet, numbers of oscillators, weights and events that disagree, frequencies that no
        current gives, or with the rule those, without offsets, that are beyond what it may set: powers from 0.05 to 0.6

    Warns
    -----
    UserWarning : learnt offsets put two events of an oscillator beyond the same end of what may be set: the end is set for both,
        and sequences that differ in them are one. A single event that is set to the end stays apart from the others

    Examples
    --------
    >>> binder = SequenceBinder().fit([[0, 1, 2], [2, 1, 0]], [1, 0])
    >>> binder.predict([[0, 1, 2], [2, 1, 0], [1, 2, 0]])
    array([1, 0, 0])
    """

    _estimator_type = "classifier"

    def __init__(  # noqa: PLR0913 - an estimator's settings are its parameters
        self,
        net: AutoOscillatorNetwork | None = None,
        *,
        alphabet: int | Sequence[Any] = 3,
        length: int = 3,
        weights: Sequence[float] = (3e6, 5e6, 7.5e6),
        base: float = 18e6,
        mismatch: Sequence[float] | float = 0.0,
        learning: Literal["closed", "rule"] = "closed",
        rule: BindingRule | None = None,
        reject: Any = 0,
        nominal: AutoOscillatorNetwork | None = None,
        hold: float = 8e-6,
        discard: float = 4e-6,
        dt: float | None = None,
        criterion: LockCriterion | None = None,
        seed: int = 0,
    ) -> None:
        self.net, self.alphabet, self.length, self.weights, self.base = net, alphabet, length, weights, base
        self.mismatch, self.learning, self.rule, self.reject, self.nominal = mismatch, learning, rule, reject, nominal
        self.hold, self.discard, self.dt, self.criterion, self.seed = hold, discard, dt, criterion, seed

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - scikit-learn's signature
        """The settings by name."""
        del deep
        return {name: getattr(self, name) for name in inspect.signature(SequenceBinder).parameters}

    def set_params(self, **params: Any) -> SequenceBinder:
        """Change settings; returns the binder itself."""
        for name, value in params.items():
            check_one_of(name, "params", allowed=self.get_params())
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        return f"SequenceBinder(length={self.length}, weights={tuple(self.weights)}, learning={self.learning!r})"

    def __sklearn_tags__(self) -> Any:
        """The tags of the estimator for scikit-learn."""
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(categorical=True),
        )

    def fit(self, sequences: ArrayLike, labels: ArrayLike) -> SequenceBinder:
        """Give one group of oscillators to each sequence whose label is not `reject`, and find its offsets.

        Parameters
        ----------
        sequences : array (n, length) of events
        labels : array (n,)
        """
        self._check()
        check_one_of(self.learning, "learning", allowed=("closed", "rule"))
        values, given = self.encode(sequences), np.asarray(labels)
        if given.shape != (len(values),):
            refuse("labels", f"has shape {given.shape} for {len(values)} sequences", allowed="one label per sequence")
        self.classes_ = np.unique(np.append(given, np.asarray(self.reject, dtype=given.dtype)))
        wanted = given != self.reject
        if not wanted.any():
            refuse("labels", f"are all {self.reject!r}", allowed="at least one sequence that should bind")
        self.targets_, first = np.unique(values[wanted], axis=0, return_index=True)
        self.labels_ = given[wanted][first]
        self.offsets_, self.learned_ = self.targets_ * np.asarray(self.weights), None
        if self.learning == "rule":
            self._check_currents(np.zeros((1, self.length)))
            self.learned_ = self._learn(values)
            self.offsets_ = self.learned_.offsets
            self._warn_of_merged_events()
        else:
            self._check_currents(self.offsets_)
        return self

    def predict(self, sequences: ArrayLike) -> NDArray[Any]:
        """The label of the group that binds, that with the largest emitted power if several do, or `reject`."""
        course = self.events(sequences)
        loudest = np.where(course.bound, course.emitted[..., -1], -1.0).argmax(axis=0)
        return np.where(course.bound.any(axis=0), self.labels_[loudest], np.asarray(self.reject, dtype=self.labels_.dtype))

    def score(self, sequences: ArrayLike, labels: ArrayLike) -> float:
        """Share of right labels."""
        return float((self.predict(sequences) == np.asarray(labels)).mean())

    def events(self, sequences: ArrayLike, *, trace_every: float | None = None) -> EventCourse:
        """The course of presentations to all groups, event by event.

        Parameters
        ----------
        sequences : array (n, length) of events
        trace_every : measure frequencies this often, in s, the transients after each event included
        """
        if not hasattr(self, "offsets_"):
            refuse("SequenceBinder", "has not been fitted", allowed="calls after fit(sequences, labels)")
        final = self._set_frequencies(self.encode(sequences), self.offsets_)
        idle = self._idle
        stages: list[NDArray[np.float64]] = []
        seen: list[Oscillation] = []
        traced: list[Oscillation] = []
        start = None
        for event in range(self.length):
            stages.append(np.where(np.arange(self.length) <= event, final, idle))
            net = self._driven(stages[-1])
            if trace_every is not None:
                start = self._hold(net, self.discard, start=start, trace_every=trace_every)
                traced.append(start)
                seen.append(self._hold(net, self.hold - self.discard, start=start, trace_every=trace_every))
                traced.append(seen[-1])
            else:
                seen.append(self._hold(net, self.hold, discard=self.discard, start=start))
            start = seen[-1]
        begins = [0.0, *(one.time for one in traced)]
        return EventCourse(
            partition=np.stack([partition_of(one, self.criterion) for one in seen], axis=-1),
            set_frequency=np.stack(stages, axis=-2),
            mean_frequency=np.stack([one.mean_frequency for one in seen], axis=-2),
            emitted=np.stack([one.emitted for one in seen], axis=-1),
            seen=tuple(seen),
            times=np.concatenate([at + one.trace_times[1:] for at, one in zip(begins, traced, strict=False)]) if traced else None,
            frequency=np.concatenate([one.trace_frequency for one in traced], axis=-2) if traced else None,
        )

    def encode(self, sequences: ArrayLike) -> NDArray[np.float64]:
        """Array (n, length) of the numbers in [-1, 1] that stand for the events."""
        known = self._events()
        given = np.asarray(sequences)
        if given.ndim != 2 or given.shape[1] != self.length or not len(given):
            refuse("sequences", f"has shape {given.shape}", allowed=f"(n, {self.length}), n >= 1")
        places = {event: place for place, event in enumerate(known)}
        strange = sorted({str(event) for event in given.ravel().tolist() if event not in places})
        if strange:
            refuse("sequences", f"holds {', '.join(strange)}", allowed=f"events of the alphabet: {', '.join(map(str, known))}")
        numbers = np.array([places[event] for event in given.ravel().tolist()]).reshape(given.shape)
        return np.asarray(2 * numbers / (len(known) - 1) - 1)

    def all_sequences(self) -> NDArray[Any]:
        """Array (events ** length, length) of all sequences of the alphabet."""
        return np.array([*product(self._events(), repeat=self.length)])

    @property
    def _weights(self) -> NDArray[np.float64]:
        return np.asarray(self.weights, dtype=float)

    @property
    def _group(self) -> AutoOscillatorNetwork:
        if self.net is not None:
            return self.net
        ratio = AutoOscillatorNetwork().phase_amplitude_ratio[0]
        return AutoOscillatorNetwork(coupling=all_to_all(3, 1e5, np.arctan(ratio)))

    @property
    def _device(self) -> AutoOscillatorNetwork:
        return self.nominal or self._group

    @property
    def _idle(self) -> NDArray[np.float64]:
        return np.asarray(self.base + IDLE * np.resize([1.0, -1.0], self.length))

    @property
    def _powers(self) -> tuple[float, float]:
        return SET_BY_RULE if self.learning == "rule" else (0.0, 1.0)

    def _events(self) -> list[Any]:
        known = [*range(self.alphabet)] if isinstance(self.alphabet, int) else [*self.alphabet]
        twice = sorted({str(event) for event in known if known.count(event) > 1})
        if twice:
            refuse("alphabet", f"repeats {', '.join(twice)}", allowed="different events")
        if len(known) < 2:
            refuse("alphabet", f"has {len(known)} events", allowed="at least 2")
        return known

    def _check(self) -> None:
        check_whole(self.length, "length", low=2)
        self._events()
        found = {"oscillators of net": self._group.oscillators, "weights": len(self.weights)}
        wrong = [f"{count} {name}" for name, count in found.items() if count != self.length]
        if wrong:
            refuse("length", f"is {self.length} for {' and '.join(wrong)}", allowed="one oscillator and one weight per event")
        if self._group.batch:
            refuse("net", f"is a batch of shape {self._group.batch}", allowed="one group of oscillators")

    def _set_frequencies(self, values: NDArray[np.float64], offsets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Free frequencies (m, n, K) that encoded events (n, K) set; where biases are learnt the source of current has ends."""
        wanted = self.base + values * self._weights - offsets[:, None, :]
        return np.clip(wanted, *self._reach()) if self.learning == "rule" else wanted

    def _check_currents(self, offsets: NDArray[np.float64]) -> None:
        """Refuse an event, and an idle oscillator, whose frequency cannot be set."""
        if strays := self._strays(offsets):
            refuse("weights", strays[0], allowed=strays[1], remedy="Choose smaller weights or another base frequency.")
        supercriticality_at(self._device, self._idle)

    def _strays(self, offsets: NDArray[np.float64]) -> tuple[str, str] | None:
        """The first event whose frequency cannot be set with offsets (m, K), and the allowed range, in words."""
        known, powers = self._events(), self._powers
        for number, event in enumerate(known):
            frequency = self.base + (2 * number / (len(known) - 1) - 1) * self._weights - offsets
            low, high = (np.broadcast_to(end, frequency.shape) for end in self._reach())
            bad = (frequency <= low) | (frequency >= high)
            if bad.any():
                place = tuple(np.argwhere(bad)[0])
                span = f"between {low[place] / 1e6:.4g} and {high[place] / 1e6:.4g} MHz"
                return (
                    f"put event {event!r} of oscillator {place[1] + 1} at {frequency[place] / 1e6:.4g} MHz",
                    f"{span}, where powers lie between {powers[0]:g} and {powers[1]:g}",
                )
        return None

    def _warn_of_merged_events(self) -> None:
        """Warn of events of an oscillator that set the same frequency after learning."""
        known = self._events()
        every = np.repeat(np.linspace(-1, 1, len(known))[:, None], self.length, axis=1)
        same = (np.diff(self._set_frequencies(every, self.offsets_), axis=1) == 0) & (self._weights != 0)
        if same.any():
            _, event, oscillator = np.argwhere(same)[0]
            events = f"events {known[event]!r} and {known[event + 1]!r} of oscillator {oscillator + 1}"
            end = "the same end of what can be set, powers from {:g} to {:g}".format(*self._powers)
            warnings.warn(f"learnt offsets put {events} beyond {end}: sequences that differ in them are one", stacklevel=3)

    def _driven(self, frequency: NDArray[np.float64]) -> AutoOscillatorNetwork:
        """The groups at currents that are meant to give `frequency` (..., K)."""
        return self._fed(supercriticality_at(self._device, frequency))

    def _fed(self, currents: NDArray[np.float64]) -> AutoOscillatorNetwork:
        group = self._group
        return replace(group, frequency=group.frequency + np.asarray(self.mismatch, dtype=float), supercriticality=currents)

    def _hold(self, net: AutoOscillatorNetwork, duration: float, **settings: Any) -> Oscillation:
        return simulate_network(net, duration, **({"dt": self.dt or self._step(), "seed": self.seed} | settings))

    def _step(self) -> float:
        """A time step in s for all that the alphabet may set: each oscillator at either end, the others there or at the other."""
        settable = self._reach() if self.learning == "rule" else self.base - self.offsets_ + self._weights * [[[-1.0]], [[1.0]]]
        all_set = np.stack(np.broadcast_arrays(*settable, self._idle))
        currents = supercriticality_at(self._device, np.stack([all_set.min(axis=0), all_set.max(axis=0)]))
        low, high = (np.atleast_2d(end) for end in (currents.min(axis=0), currents.max(axis=0)))
        one = np.eye(self.length, dtype=bool)[:, None]
        corners = np.concatenate([np.where(one, high, low), np.where(one, low, high), low[None], high[None]])
        return min(1e-9, 0.999 * 0.1 / self._fed(corners).fastest_rate)

    def _learn(self, values: NDArray[np.float64]) -> Learned:
        """Offsets by the rule, from the states that follow the last event of each sequence."""
        sequences = np.unique(values, axis=0)
        wanted = (sequences[None] == self.targets_[:, None]).all(axis=-1)

        seeds = Seeds(self.seed)

        def respond(offsets: NDArray[np.float64], number: int) -> Answer:
            given = self._set_frequencies(sequences, offsets)
            seed = seeds.integer("presentation", number)
            seen = self._hold(self._driven(given), self.hold, discard=self.discard, seed=seed)
            return given, seen.mean_frequency, partition_of(seen, self.criterion) == len(partitions(self.length)) - 1

        return learn_offsets(respond, wanted, self.rule or BindingRule(), seeds.numpy("binding"), oscillators=self.length)

    def _reach(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Least and largest frequency that may be set."""
        ends = [self._device.frequency + power * self._device.nonlinearity for power in self._powers]
        return np.minimum(*ends), np.maximum(*ends)
