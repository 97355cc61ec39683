"""Oscillators that classify by which microwave source they follow: input stage, learning rule, classifier."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.data.formants import formants
from holdfast.devices.spintronics import AutoOscillatorNetwork, Source, all_to_all, simulate_network
from holdfast.devices.spintronics.oscillators import injection_half_range, partition_of, partitions, synchronization_classifier
from holdfast.devices.spintronics.oscillators.locking_rule import LockingPass, LockingRule, learn_frequencies
from holdfast.devices.spintronics.oscillators.source_mixing import SourceMixing, design_mixing
from holdfast.devices.spintronics.oscillators.synchronization_classifier import (
    SynchronizationClassifier,
    linear_baselines,
    locked_to,
    pattern_names,
)

LADDER = 20e6 + 4e6 * (np.arange(4) - 1.5)
ATTRACTING = np.arctan(20 / 3)  # atan(nu), the phase at which a pair locks over the widest range
OPPOSED = ATTRACTING + np.pi


@pytest.fixture(scope="module")
def vowels():
    return formants(seed=0)


@pytest.fixture(scope="module")
def unheard():
    return formants(seed=0, per_class=200, name="test")


@pytest.fixture(scope="module")
def taught(vowels):
    """Four equal oscillators that begin with equal currents, in a circuit whose coupling opposes mutual locking."""
    net = AutoOscillatorNetwork(coupling=all_to_all(4, 2e5))
    return SynchronizationClassifier(net, coupling_phase=OPPOSED, rule=LockingRule(passes=16), seed=0).fit(vowels.x, vowels.y)


def test_an_oscillator_follows_a_source_within_its_analytic_range():
    # |F| sqrt(1 + nu^2) / sqrt(p0), Slavin and Tiberkevich; the edge of a weak force is met within 5 %
    net, force = AutoOscillatorNetwork(supercriticality=np.full(4, 2.0)), 0.1e6
    half = float(injection_half_range(net, Source(0.0, np.full(4, force)))[0])
    sources = float(net.free_frequency[0]) + half * np.array([-1.05, -0.95, 0.0, 0.95, 1.05])
    driven = replace(net, sources=(Source(sources, np.full(4, force)),))
    seen = simulate_network(driven, 20e-6, discard=10e-6)
    assert locked_to(seen, sources[:, None])[:, :, 0].T.tolist() == [[False, True, True, True, False]] * 4


def test_with_two_sources_each_oscillator_follows_the_one_that_is_near():
    net = AutoOscillatorNetwork(
        frequency=[-6e6, 0.0, 6e6, 9e6], sources=tuple(Source(np.array([f]), np.full(4, 0.1e6)) for f in (14.3e6, 25.8e6))
    )
    found = locked_to(simulate_network(net, 4e-6, discard=2e-6), np.array([[14.3e6, 25.8e6]]))
    assert pattern_names(found).tolist() == ["A-B-"]


def test_half_a_turn_of_coupling_phase_keeps_four_oscillators_from_locking_as_one():
    groups = []
    for phase in (ATTRACTING, OPPOSED):
        net = AutoOscillatorNetwork(frequency=2e6 * (np.arange(4) - 1.5), coupling=all_to_all(4, 2e5, phase))
        groups.append(partitions(4)[int(partition_of(simulate_network(net, 8e-6, discard=4e-6)))])
    assert groups == ["1234", "12 34"]


def test_the_coupling_phase_is_a_setting_of_the_circuit(vowels):
    few = np.isin(vowels.y, [0, 4]) & (np.arange(len(vowels.y)) % 4 == 0)

    def learnt(phase, **settings):
        net = AutoOscillatorNetwork(coupling=all_to_all(4, 2e5, phase))
        return SynchronizationClassifier(net, rule=LockingRule(passes=3), **settings).fit(vowels.x[few], vowels.y[few])

    given, turned, kept = learnt(OPPOSED), learnt(0.7, coupling_phase=OPPOSED), learnt(ATTRACTING)
    assert np.allclose(turned.currents_, given.currents_, rtol=1e-9)
    assert not np.allclose(kept.currents_, given.currents_, rtol=1e-3)
    assert turned.get_params()["coupling_phase"] == OPPOSED


def test_the_default_circuit_opposes_mutual_locking():
    plain, stated = SynchronizationClassifier(), SynchronizationClassifier(coupling_phase=OPPOSED)
    assert np.allclose(plain._group.coupling, stated._group.coupling)
    assert np.abs(plain._group.coupling).max() == pytest.approx(2e5)


def test_the_design_owns_patterns_of_all_classes_and_beats_one_formant(vowels):
    mixing = design_mixing(vowels.x, vowels.y, LADDER)
    assert set(mixing.owner.ravel()) - {-1} == set(range(7))
    sources = mixing.frequencies(vowels.x)
    wanted, known = mixing.wanted(sources, vowels.y)
    assert known.all()
    assert (wanted.sum(axis=1) <= 1).all()  # a source takes one oscillator or none
    ideal = np.abs(sources[:, None, :] - LADDER[:, None]) < 2e6
    assert (ideal == wanted).all(axis=(1, 2)).mean() > 0.75


def test_the_design_does_not_depend_on_units(vowels):
    plain, scaled = (design_mixing(x, vowels.y, LADDER) for x in (vowels.x, vowels.x * [1e-3, 7.0] + [2.0, -3.0]))
    assert np.allclose(plain.frequencies(vowels.x), scaled.frequencies(vowels.x * [1e-3, 7.0] + [2.0, -3.0]), rtol=1e-9)


def test_sources_stay_in_their_range(vowels):
    mixing = design_mixing(vowels.x, vowels.y, LADDER)
    far = mixing.frequencies([[1e6, -1e6], [-1e6, 1e6]])
    assert far.min() >= LADDER.min() - 4e6
    assert far.max() <= LADDER.max() + 4e6


def test_wanted_patterns_are_the_nearest_of_the_class():
    owner = np.full((3, 3), -1)
    owner[0, 1], owner[1, 2], owner[2, 2] = 0, 1, 2
    mixing = SourceMixing(matrix=np.eye(2), offset=np.zeros(2), ladder=np.array([10e6, 14e6]), owner=owner, margin=4e6)
    wanted, known = mixing.wanted(np.array([[10.5e6, 13e6], [14.2e6, 18e6], [6e6, 18e6], [10e6, 14e6]]), np.array([0, 1, 2, 3]))
    assert pattern_names(wanted).tolist()[:3] == ["AB", "-A", "--"]
    assert known.tolist() == [True, True, True, False]


def test_the_rule_draws_oscillators_to_their_sources_and_stops_there():
    sources = np.tile([[11e6, 17e6]], (4, 1))
    wanted = np.tile(np.eye(2, dtype=bool), (4, 1, 1))

    def present(frequencies, number):
        locked = np.abs(frequencies[:, None] - sources[0]) < 1e6
        return LockingPass(
            locked=np.tile(locked, (4, 1, 1)), measured=np.tile(frequencies, (4, 1)), right=np.full(4, (locked == np.eye(2)).all())
        )

    for start in ([16e6, 12e6], [5e6, 6e6], [22e6, 23e6]):
        limits = (np.full(2, 2e6), np.full(2, 30e6))
        rule = LockingRule(passes=40, step=2e6, decay=20, narrowing=20)
        lesson = learn_frequencies(present, np.array(start), rule, sources=sources, wanted=wanted, limits=limits)
        assert lesson.accuracy[-1] == 1, start
        assert (np.abs(lesson.frequencies - sources[0]) < 1e6).all(), start
        assert (lesson.trajectory[-1] == lesson.trajectory[-2]).all(), "what is right must not move"


def test_the_rule_never_leaves_the_range_of_currents():
    sources, wanted = np.array([[30e6, 40e6]]), np.zeros((1, 2, 2), dtype=bool)
    wanted[0, :, 1] = True
    limits = (np.array([5e6, 6e6]), np.array([25e6, 24e6]))

    def present(frequencies, number):
        return LockingPass(locked=~wanted, measured=frequencies[None], right=np.zeros(1, dtype=bool))

    path = learn_frequencies(present, np.full(2, 20e6), LockingRule(reach=50e6), sources=sources, wanted=wanted, limits=limits)
    assert (path.trajectory >= limits[0]).all()
    assert (path.trajectory <= limits[1]).all()


def test_equal_oscillators_learn_vowels_they_have_not_heard(taught, vowels, unheard):
    assert taught.lesson_.accuracy[0] < 0.55, "equal currents cannot tell seven vowels apart"
    # the same draw every time; chance is 1/7, and 1400 examples make the bound stand 20 standard errors above it
    score = taught.accuracy(unheard.x, unheard.y)
    assert score.value > 0.8
    best = max(estimate.value for estimate in linear_baselines(vowels.x, vowels.y, x_test=unheard.x, y_test=unheard.y).values())
    assert score.value > best - 0.1, "far behind a straight line"


def test_learning_parts_the_currents(taught):
    free = AutoOscillatorNetwork(supercriticality=taught.currents_).free_frequency
    assert np.diff(np.sort(free)).min() > 1.5e6


def test_answers_are_patterns_and_repeat(taught, unheard):
    few = unheard.x[::40]
    assert (taught.predict(few) == taught.predict(few)).all()
    assert set("".join(pattern_names(taught.respond(few)))) <= set("AB-X")


def test_the_step_does_not_depend_on_the_examples(taught, unheard, monkeypatch):
    used = []

    def spied(net, *args, **settings):
        used.append(settings["dt"])
        return simulate_network(net, *args, **settings)

    monkeypatch.setattr(synchronization_classifier, "simulate_network", spied)
    for shown in (unheard.x[:1], unheard.x[500:520], unheard.x[::40]):
        taught.respond(shown)
    assert len(set(used)) == 1


def test_without_sources_nothing_can_be_told(taught, unheard):
    deaf = SynchronizationClassifier(taught.net, mixing=taught.mixing_, force=1.0, rule=LockingRule(passes=1))
    deaf.fit(unheard.x[::10], unheard.y[::10])
    assert deaf.lesson_.accuracy.max() < 0.55


def test_labels_of_any_kind_and_conventions_of_scikit_learn(vowels):
    from sklearn.base import clone, is_classifier

    words = np.array(vowels.words)[vowels.y]
    few = np.isin(words, ["heed", "hod", "who'd"]) & (np.arange(len(words)) % 4 == 0)
    first = SynchronizationClassifier(rule=LockingRule(passes=2))
    twin = clone(first).set_params(seed=1)
    assert is_classifier(first)
    assert twin.get_params()["seed"] == 1
    twin.fit(vowels.x[few], words[few])
    assert set(twin.predict(vowels.x[few])) <= {"heed", "hod", "who'd"}
    assert twin.score(vowels.x[few], words[few]) > 0.9


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda x, y: SynchronizationClassifier(AutoOscillatorNetwork()).fit(x, y), "2 or more"),
        (lambda x, y: SynchronizationClassifier(AutoOscillatorNetwork(coupling=all_to_all(11, 0.0))).fit(x, y), "2 to 10"),
        (lambda x, y: SynchronizationClassifier(nominal=AutoOscillatorNetwork()).fit(x, y), "as many nominal"),
        (lambda x, y: SynchronizationClassifier(spacing=0.0).fit(x, y), "spacing"),
        (lambda x, y: SynchronizationClassifier(force=-1.0).fit(x, y), "force"),
        (lambda x, y: SynchronizationClassifier(coupling_phase=np.inf).fit(x, y), "coupling_phase"),
        (lambda x, y: SynchronizationClassifier().fit(x, y[:-1]), "rows"),
        (lambda x, y: SynchronizationClassifier().fit(x, np.zeros(len(x))), "two classes"),
        (lambda x, y: SynchronizationClassifier().fit(x[:, :1] * 0, y), "never changes"),
        (lambda x, y: SynchronizationClassifier().fit(x * np.nan, y), "NaN"),
        (lambda x, y: SynchronizationClassifier().fit(x[:, 0], y), "one row per example"),
        (lambda x, y: SynchronizationClassifier().predict(x), "not been fitted"),
        (lambda x, y: SynchronizationClassifier().set_params(pace=1), "pace"),
        (lambda x, y: design_mixing(x, y, [20e6]), "ladder"),
        (lambda x, y: design_mixing(x, y, LADDER).frequencies(x[:, :1]), r"\(n, 2\)"),
        (lambda x, y: LockingRule(step=0.0), "step"),
        (lambda x, y: LockingRule(correcting=1.5), "correcting"),
    ],
)
def test_bad_input(make, part, vowels):
    with pytest.raises(InputError, match=part):
        make(vowels.x, vowels.y)
