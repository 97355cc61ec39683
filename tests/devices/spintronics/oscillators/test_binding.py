import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV

from holdfast.core.errors import InputError
from holdfast.devices.spintronics import AutoOscillatorNetwork, SequenceBinder, all_to_all, simulate_network
from holdfast.devices.spintronics.oscillators import BindingRule, binding, supercriticality_at

BEST = np.arctan(20 / 3)
MISMATCH = (0.4e6, -0.4e6, 0.0)
SEQUENCES = SequenceBinder().all_sequences()


def binder(strength=1e5, *, noise=1e-4, **settings):
    net = AutoOscillatorNetwork(supercriticality=[2.0] * 3, coupling=all_to_all(3, strength, BEST), noise=noise)
    return SequenceBinder(net, **{"mismatch": MISMATCH} | settings)


def labels(*targets):
    found = np.zeros(len(SEQUENCES), dtype=int)
    for number, target in enumerate(targets, start=1):
        found[(target == SEQUENCES).all(axis=1)] = number
    return found


def test_a_bank_binds_each_target_and_nothing_else():
    """27 sequences to three groups: coupling that holds against fixed mismatches recognises all and confuses none."""
    wanted = labels((0, 1, 2), (2, 0, 1), (1, 1, 1))
    bank = binder().fit(SEQUENCES, wanted)
    assert (bank.predict(SEQUENCES) == wanted).all()
    assert bank.score(SEQUENCES, wanted) == 1
    assert bank.classes_.tolist() == [0, 1, 2, 3]


def test_without_coupling_nothing_binds():
    wanted = labels((0, 1, 2))
    assert not binder(0.0).fit(SEQUENCES, wanted).predict(SEQUENCES).any()


def test_events_bind_one_after_the_other():
    course = binder().fit(SEQUENCES, labels((0, 1, 2))).events([(0, 1, 2), (0, 1, 0), (1, 0, 2)])
    assert course.partition[0].tolist() == [[0, 1, 4], [0, 1, 1], [0, 0, 0]]  # none, 12, 123
    assert course.bound[0].tolist() == [True, False, False]
    assert course.emitted[0, 0, -1] > course.emitted[0, 2, -1]
    assert course.set_frequency[0, 0, -1] == pytest.approx([18e6] * 3)
    assert np.ptp(course.mean_frequency[0, 0, -1]) < 1e5


def test_commensurate_weights_confuse_sequences():
    wanted = labels((1, 1, 1))
    confused = binder(2e5, weights=(2.8e6, 3.5e6, 4.55e6)).fit(SEQUENCES, wanted).predict(SEQUENCES)
    assert confused[wanted == 1].all()
    assert 0.11 < confused[wanted == 0].mean() < 0.39


@pytest.mark.parametrize("seed", [0, 1])
def test_biases_are_learnt_from_random_ones(seed):
    wanted = labels((0, 1, 2))
    learned = binder(learning="rule", seed=seed).fit(SEQUENCES, wanted)
    errors = learned.learned_.errors[0]
    assert errors[-1] == 0
    assert len(errors) <= 40
    assert (learned.predict(SEQUENCES) == wanted).mean() > 0.9
    frequencies = 18e6 + np.array([-1, 0, 1]) * learned.weights - learned.offsets_[0] + MISMATCH
    assert np.ptp(frequencies) < 2.8e6  # inside the locking range that 0.1 MHz gives


def test_learning_repairs_devices_that_deviate_from_the_ones_that_currents_are_meant_for():
    nominal = binder().net
    actual = AutoOscillatorNetwork(
        supercriticality=[2.0] * 3, nonlinearity=[54e6, 63e6, 60e6], coupling=nominal.coupling, noise=1e-4
    )
    wanted = labels((0, 1, 2))
    settings = {"nominal": nominal, "mismatch": MISMATCH}
    assert SequenceBinder(actual, **settings).fit(SEQUENCES, wanted).score(SEQUENCES, wanted) < 1
    assert SequenceBinder(actual, learning="rule", **settings).fit(SEQUENCES, wanted).score(SEQUENCES, wanted) == 1


def test_every_presentation_of_the_rule_has_noise_of_its_own(monkeypatch):
    """Uncoupled oscillators never learn, so each pass presents again; phases and noise differ every time."""
    used = []

    def spied(net, *args, **settings):
        used.append(settings["seed"])
        return simulate_network(net, *args, **settings)

    monkeypatch.setattr(binding, "simulate_network", spied)
    binder(0.0, learning="rule", rule=BindingRule(passes=3)).fit(SEQUENCES, labels((0, 1, 2)))
    assert len(used) >= 3
    assert len(set(used)) == len(used)


def test_the_step_follows_from_the_alphabet_and_not_from_what_is_presented():
    for learning in ("closed", "rule"):
        fitted = binder(learning=learning).fit(SEQUENCES, labels((0, 1, 2)))
        steps = {fitted.events(shown).seen[-1].steps for shown in ([(0, 1, 2)], [(2, 0, 0), (1, 1, 1)], SEQUENCES)}
        assert len(steps) == 1


@pytest.mark.parametrize("weights", [(3e6, 5e6, 7.5e6), (8.5e6, 2e6, 8e6)])
def test_the_step_is_safe_for_all_sequences(weights):
    """No sequence is refused, whatever group it is shown to."""
    bank = binder(weights=weights, hold=2e-7, discard=1e-7).fit(SEQUENCES, labels((0, 1, 2), (2, 0, 1), (1, 1, 1)))
    assert bank.events(SEQUENCES).seen[-1].steps >= 600


def test_learnt_offsets_beyond_what_can_be_set_are_reported():
    """Offsets drawn from +-100 MHz that hardly move end where the source of current does not reach."""
    wild = binder(0.0, learning="rule", rule=BindingRule(passes=1, reach=100e6, largest=1.0))
    with pytest.warns(UserWarning, match=r"put events \d and \d of oscillator \d beyond the same end .* powers from 0.05 to 0.6"):
        wild.fit(SEQUENCES, labels((0, 1, 2)))


def test_learning_repeats_with_its_seed():
    one, again = (binder(learning="rule", seed=3).fit(SEQUENCES, labels((2, 0, 1))) for _ in range(2))
    assert np.array_equal(one.offsets_, again.offsets_)
    assert one.learned_.presented == again.learned_.presented


def test_events_may_have_names():
    letters = np.array(["a", "b", "c"])[SEQUENCES]
    given = binder(alphabet=["a", "b", "c"], reject="none").fit(letters, np.where(labels((0, 1, 2)) == 1, "abc", "none"))
    assert given.predict([["a", "b", "c"], ["c", "b", "a"]]).tolist() == ["abc", "none"]


def test_scikit_learn_takes_it_for_a_classifier():
    copy = clone(binder(hold=6e-6))
    assert copy.hold == 6e-6
    assert is_classifier(copy)
    assert copy.set_params(base=17e6).get_params()["base"] == 17e6
    targets = np.array([(0, 1, 2), (2, 1, 0)] * 3)
    search = GridSearchCV(binder(), {"base": [17e6, 18e6]}, cv=3).fit(targets, [1, 0] * 3)
    assert search.best_score_ == 1


def test_currents_invert_frequencies():
    net = AutoOscillatorNetwork(frequency=[1e6, 2e6], supercriticality=[1.5, 2.5])
    assert supercriticality_at(net, net.free_frequency) == pytest.approx(net.supercriticality)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: supercriticality_at(AutoOscillatorNetwork(), [[20e6, 61e6]]),
            r"61 MHz for oscillator 1 at place \(0,\); allowed: between 0",
        ),
        (
            lambda: binder(base=8e6).fit(SEQUENCES, labels((0, 2, 2))),
            "put event 0 of oscillator 2 at -2 MHz; allowed: between 0 and 60",
        ),
        (lambda: binder(base=10e6).fit(SEQUENCES, labels((1, 1, 1))), "for oscillator 1 at place"),
        (
            lambda: binder(base=40e6, learning="rule").fit(SEQUENCES, labels((0, 1, 2))),
            "put event 0 of oscillator 1 at 37 MHz; allowed: between 3 and 36 MHz, where powers lie between 0.05 and 0.6",
        ),
        (lambda: binder(alphabet=["a", "b", "a"]).fit([["a", "b", "a"]], [1]), "repeats a"),
        (lambda: binder(alphabet=1).fit([[0, 0, 0]], [1]), "at least 2"),
        (lambda: binder().fit([[0, 1, 3]], [1]), "holds 3; allowed: events of the alphabet: 0, 1, 2"),
        (lambda: binder().fit([[0, 1]], [1]), r"\(n, 3\)"),
        (lambda: binder().fit([[0, 1, 2]], [1, 0]), "one label per sequence"),
        (lambda: binder().fit([[0, 1, 2]], [0]), "at least one sequence"),
        (lambda: binder(length=2).fit([[0, 1]], [1]), "one oscillator and one weight per event"),
        (lambda: binder(learning="magic").fit([[0, 1, 2]], [1]), "closed, rule"),
        (lambda: binder().predict([[0, 1, 2]]), "after fit"),
        (lambda: binder().set_params(bias=1), "bias"),
        (lambda: BindingRule(pull=0.0), "pull"),
        (lambda: BindingRule(passes=0), "passes"),
    ],
)
def test_what_cannot_be_bound_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
