r"""A classifier made of coupled oscillators that lock to two microwave sources: which follows which is the answer.

Features set the frequencies of two sources (:mod:`~holdfast.devices.spintronics.oscillators.source_mixing`). Oscillators whose
free frequencies come near lock to one of them, the others do not: this pattern names the class. Learned are the dc currents, hence
the free frequencies, of the oscillators (:mod:`~holdfast.devices.spintronics.oscillators.locking_rule`), and then which pattern
belongs to which class.

The circuit sets the phase of the coupling. At atan(nu) oscillators lock to each other over the widest range, which competes with
the sources; half a turn further the coupling opposes that. ``benchmarks/vowels.py`` measures what it changes.

The topology, four electrically coupled spin-torque oscillators whose currents are trained until they recognise spoken vowels that
come in through two microwave sources, is that of M. Romera et al., "Vowel recognition with four coupled spin-torque
nano-oscillators", Nature 563 (2018) 230, arXiv:1711.02704. Only the abstract and short descriptions were read: device
parameters, combinations of features, patterns and learning rule are ours, and so are all accuracies.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import check_labels, check_one_of, check_same_length, check_within, refuse
from holdfast.core.estimate import Estimate, proportion
from holdfast.devices.spintronics.oscillators.coupling import all_to_all
from holdfast.devices.spintronics.oscillators.locking_rule import LockingLesson, LockingPass, LockingRule, learn_frequencies
from holdfast.devices.spintronics.oscillators.network import Source, plain
from holdfast.devices.spintronics.oscillators.simulation import simulate_network
from holdfast.devices.spintronics.oscillators.source_mixing import SourceMixing, design_mixing
from holdfast.devices.spintronics.oscillators.universal import AutoOscillatorNetwork, supercriticality_at

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from holdfast.devices.spintronics.oscillators.oscillation import Oscillation

__all__ = ["SynchronizationClassifier", "linear_baselines", "locked_to", "pattern_names"]

LOWEST, HIGHEST = 0.08, 0.55  # powers between which currents may be set
OVERLAP = 0.62  # locking half-range over the spacing of the ladder: neighbours' ranges touch and overlap a little


def locked_to(seen: Oscillation, sources: ArrayLike) -> NDArray[np.bool_]:
    """Which oscillators follow which source: those whose phase moves less than half a turn against it over the window.

    Parameters
    ----------
    seen : what n networks of K oscillators did
    sources : array (n, S), frequencies of the sources in Hz

    Returns
    -------
    array (n, K, S)
    """
    apart = np.asarray(seen.mean_frequency)[..., :, None] - np.asarray(sources)[..., None, :]
    return np.asarray(np.abs(apart) * seen.window < 0.5)


def pattern_names(locked: NDArray[np.bool_]) -> NDArray[np.str_]:
    """Patterns (..., K, 2) as words with one letter per oscillator: A or B for the source it follows, X for both, - for none.

    Examples
    --------
    >>> pattern_names(np.array([[[True, False], [False, False], [False, True]]]))
    array(['A-B'], dtype='<U3')
    """
    letters = np.array(list("-ABX"))[locked[..., 0] + 2 * locked[..., 1].astype(int)]
    return np.asarray(np.ascontiguousarray(letters).view(f"<U{letters.shape[-1]}")[..., 0])


def linear_baselines(x: ArrayLike, y: ArrayLike, *, x_test: ArrayLike, y_test: ArrayLike) -> dict[str, Estimate]:
    """Test accuracy, with Wilson intervals, of what needs no oscillators: the nearest class mean and logistic regression.

    The features of both are scaled to unit variance.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import NearestCentroid
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    found = {}
    for name, model in (("nearest class mean", NearestCentroid()), ("logistic regression", LogisticRegression(max_iter=1000))):
        right = make_pipeline(StandardScaler(), model).fit(x, y).predict(x_test) == np.asarray(y_test)
        found[name] = proportion(int(right.sum()), len(right))
    return found


def _four_apart() -> AutoOscillatorNetwork:
    """Four oscillators, 4 MHz apart, whose coupling opposes mutual locking."""
    ratio = AutoOscillatorNetwork().phase_amplitude_ratio[0]
    return AutoOscillatorNetwork(frequency=4e6 * (np.arange(4) - 1.5), coupling=all_to_all(4, 2e5, np.arctan(ratio) + np.pi))


class SynchronizationClassifier:
    """A classifier whose answer is the pattern in which oscillators lock to two sources.

    It follows scikit-learn's conventions (``clone``, grid search and cross-validation work) without importing scikit-learn.

    Parameters
    ----------
    net : the oscillators, at the currents from which learning starts; default: four, 4 MHz apart, coupled all-to-all with 0.2 MHz
        at the phase atan(nu) + pi
    coupling_phase : of the electrical coupling in rad, which a circuit sets by delay lines or phase shifters: the magnitudes of
        `net`'s couplings stay, their phases all become this one. Default: the phases that `net` has
    mixing : how features set the sources; default: designed from the training examples, see
        :func:`~holdfast.devices.spintronics.oscillators.design_mixing`
    spacing : distance in Hz of the free frequencies at which the design places the oscillators
    force : of both sources on each oscillator, in Hz; default: it locks over 0.62 of the spacing, to both sides
    rule : see :class:`LockingRule`
    nominal : the oscillators that currents are computed for; default `net`. Another one stands for devices that deviate
    duration, discard : time in s for which each example is presented, and how much of it is transient
    dt : time step in s; default: the largest up to 1 ns that is safe at the currents for all frequencies that the input stage can
        give, whichever examples are presented
    seed : of phases, noise and design

    Attributes
    ----------
    classes_ : labels
    mixing_ : the input stage
    lesson_ : what the rule did
    currents_ : array (K,), learnt supercriticalities
    patterns_ : array (m, K, 2), the patterns met in training
    owners_ : array (m,), the place in `classes_` of each one's class

    Raises
    ------
    InputError : fewer than two oscillators, a batch of networks, frequencies that no current gives

    Examples
    --------
    >>> from holdfast.data.formants import formants
    >>> vowels = formants(["heed", "hod"], per_class=8)
    >>> classifier = SynchronizationClassifier(rule=LockingRule(passes=2)).fit(vowels.x, vowels.y)
    >>> classifier.score(vowels.x, vowels.y)
    1.0
    """

    _estimator_type = "classifier"

    def __init__(  # noqa: PLR0913 - an estimator's settings are its parameters
        self,
        net: AutoOscillatorNetwork | None = None,
        *,
        coupling_phase: float | None = None,
        mixing: SourceMixing | None = None,
        spacing: float = 4e6,
        force: float | None = None,
        rule: LockingRule | None = None,
        nominal: AutoOscillatorNetwork | None = None,
        duration: float = 3e-6,
        discard: float = 1e-6,
        dt: float | None = None,
        seed: int = 0,
    ) -> None:
        self.net, self.coupling_phase, self.mixing = net, coupling_phase, mixing
        self.spacing, self.force, self.rule = spacing, force, rule
        self.nominal, self.duration, self.discard, self.dt, self.seed = nominal, duration, discard, dt, seed

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - scikit-learn's signature
        """The settings by name."""
        del deep
        return {name: getattr(self, name) for name in inspect.signature(SynchronizationClassifier).parameters}

    def set_params(self, **params: Any) -> SynchronizationClassifier:
        """Change settings; returns the classifier itself."""
        for name, value in params.items():
            check_one_of(name, "params", allowed=self.get_params())
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        return f"SynchronizationClassifier(oscillators={self._group.oscillators}, spacing={self.spacing:g})"

    def __sklearn_tags__(self) -> Any:
        """The tags of the estimator for scikit-learn."""
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        tags = {"target_tags": TargetTags(required=True), "classifier_tags": ClassifierTags(), "input_tags": InputTags()}
        return Tags(estimator_type="classifier", **tags)

    def fit(self, x: ArrayLike, y: ArrayLike) -> SynchronizationClassifier:
        """Design the input stage unless it is given, learn the currents, and assign the patterns to the classes.

        Parameters
        ----------
        x : array (n, D), features
        y : array (n,), labels of any kind
        """
        self._check()
        features = np.asarray(x, dtype=float)
        self.classes_, classes = np.unique(np.asarray(y), return_inverse=True)
        check_same_length(features, classes)
        self.mixing_ = self.mixing or design_mixing(features, classes, self._ladder(), seed=self.seed)
        sources = self.mixing_.frequencies(features)
        wanted, taught = self.mixing_.wanted(sources, classes)

        def present(frequencies: NDArray[np.float64], number: int) -> LockingPass:
            seen = self._present(sources, self._currents(frequencies), seed=self.seed + number)
            locked = locked_to(seen, sources)
            self._name_patterns(locked, classes)
            # an example whose class has no pattern is taught the one that it shows
            wanted[~taught] = locked[~taught]
            return LockingPass(locked=locked, measured=np.asarray(seen.mean_frequency), right=self._answer(locked) == classes)

        start = np.array(np.broadcast_to(self._device.free_frequency, (self._group.oscillators,)))
        self.lesson_: LockingLesson = learn_frequencies(
            present, start, self.rule or LockingRule(), sources=sources, wanted=wanted, limits=self._limits()
        )
        self.currents_ = self._currents(self.lesson_.frequencies)
        self._name_patterns(locked_to(self._present(sources, self.currents_, seed=self.seed), sources), classes)
        return self

    def respond(self, x: ArrayLike) -> NDArray[np.bool_]:
        """Array (n, K, 2), True where an oscillator follows a source (A, B) for features (n, D)."""
        if not hasattr(self, "currents_"):
            refuse("SynchronizationClassifier", "has not been fitted", allowed="calls after fit(x, y)")
        sources = self.mixing_.frequencies(x)
        return locked_to(self._present(sources, self.currents_, seed=self.seed), sources)

    def predict(self, x: ArrayLike) -> NDArray[Any]:
        """The class of each example's pattern; one never met in training counts as the most similar one that was."""
        return self.read(self.respond(x))

    def read(self, locked: NDArray[np.bool_]) -> NDArray[Any]:
        """The classes (n,) of patterns (n, K, 2), as :meth:`respond` gives them."""
        return np.asarray(self.classes_[self._answer(locked)])

    def score(self, x: ArrayLike, y: ArrayLike) -> float:
        """Share of right labels."""
        return self.accuracy(x, y).value

    def accuracy(self, x: ArrayLike, y: ArrayLike) -> Estimate:
        """Share of right labels with its Wilson interval."""
        right = self.predict(x) == np.asarray(y)
        return proportion(int(right.sum()), len(right))

    @property
    def _group(self) -> AutoOscillatorNetwork:
        net = self.net if self.net is not None else _four_apart()
        if self.coupling_phase is None:
            return net
        return replace(net, coupling=np.abs(plain(net.coupling)) * np.exp(1j * self.coupling_phase))

    @property
    def _device(self) -> AutoOscillatorNetwork:
        return self.nominal or self._group

    def _check(self) -> None:
        if self.coupling_phase is not None:
            check_within(self.coupling_phase, "coupling_phase")
        check_within(self.spacing, "spacing", low=0, low_open=True)
        group = self._group
        if group.oscillators < 2 or group.batch or self._device.oscillators != group.oscillators:
            refuse(
                "net",
                f"has {group.oscillators} oscillators, batch {group.batch}, {self._device.oscillators} nominal oscillators",
                allowed="one network of 2 or more oscillators, and as many nominal ones",
            )
        if group.oscillators > 10:
            refuse("net", f"has {group.oscillators} oscillators", allowed="2 to 10", remedy="Patterns are counted one by one.")

    def _ladder(self) -> NDArray[np.float64]:
        """Equidistant frequencies around the mean, in the order in which the nominal oscillators stand."""
        free = np.broadcast_to(self._device.free_frequency, (self._group.oscillators,))
        rank = np.argsort(np.argsort(free, kind="stable"), kind="stable")
        return np.asarray(free.mean() + self.spacing * (rank - (len(free) - 1) / 2))

    def _limits(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        device = self._device
        low, high = (device.frequency + power * device.nonlinearity for power in (LOWEST, HIGHEST))
        return np.minimum(low, high), np.maximum(low, high)

    def _currents(self, frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
        return supercriticality_at(self._device, frequencies)

    def _force(self) -> float:
        if self.force is not None:
            return check_within(self.force, "force", low=0, low_open=True)
        device = self._device
        ratio = np.sqrt(1 + device.phase_amplitude_ratio**2) / np.sqrt(device.free_power)
        return float(OVERLAP * self.spacing / ratio.mean())

    def _present(self, sources: NDArray[np.float64], currents: NDArray[np.float64], *, seed: int) -> Oscillation:
        """All examples at once, one network each."""
        amplitude = np.full(self._group.oscillators, self._force())
        driven = tuple(Source(frequency, amplitude) for frequency in sources.T)
        net = replace(self._group, supercriticality=currents, sources=driven)
        extreme = replace(net, sources=tuple(Source(end, amplitude) for end in self.mixing_.ends))
        dt = self.dt or min(1e-9, 0.999 * 0.1 / extreme.fastest_rate)
        return simulate_network(net, self.duration, dt=dt, discard=self.discard, seed=seed)

    def _name_patterns(self, locked: NDArray[np.bool_], classes: NDArray[np.intp]) -> None:
        """Give each pattern to the class that shows it most often."""
        check_labels(classes, "y", classes=len(self.classes_))
        self.patterns_, codes = np.unique(locked, axis=0, return_inverse=True)
        counts = np.zeros((len(self.patterns_), len(self.classes_)), dtype=int)
        np.add.at(counts, (codes.ravel(), classes), 1)
        self.owners_ = counts.argmax(axis=1)
        self._met = counts.sum(axis=1)

    def _answer(self, locked: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Places in `classes_`; among equally similar patterns that met most often decides."""
        differing = (locked[:, None] ^ self.patterns_[None]).sum(axis=(2, 3))
        nearest = (differing - self._met / (1 + self._met.sum())).argmin(axis=1)
        return np.asarray(self.owners_[nearest])
