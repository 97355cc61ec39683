from dataclasses import replace

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.devices.spintronics import (
    AutoOscillatorNetwork,
    Oscillation,
    Source,
    all_to_all,
    locking_range,
    simulate_network,
    synchronization_map,
)
from holdfast.devices.spintronics.oscillators import (
    LockCriterion,
    adiabatic_half_range,
    injection_half_range,
    partition_of,
    partitions,
)

NU = 20 / 3
BEST = np.arctan(NU)


def pair(phase, *, strength=2e5, nonlinearity=60e6):
    return AutoOscillatorNetwork(supercriticality=[2.0, 2.0], nonlinearity=nonlinearity, coupling=all_to_all(2, strength, phase))


def seen(frequency, swing, window=4e-6):
    shape = np.shape(frequency)[:-1]
    blank = np.zeros(shape)
    return Oscillation(
        mean_frequency=np.asarray(frequency, dtype=float),
        power=np.zeros(np.shape(frequency)),
        swing=np.asarray(swing, dtype=float),
        order=blank,
        emitted=blank,
        state=np.zeros(np.shape(frequency), complex),
        time=window,
        steps=1,
        window=window,
    )


@pytest.mark.parametrize(("phase", "half"), [(0.0, 0.400), (BEST, 2.696), (np.pi / 2, 2.667), (-BEST, 2.578)])
def test_a_pair_locks_over_the_adiabatic_range(phase, half):
    """Half-ranges 2 Omega sqrt(1 + nu^2) |cos(beta - atan nu)| in MHz, Omega 0.2 MHz."""
    net = pair(phase)
    assert adiabatic_half_range(net) == pytest.approx(half * 1e6, rel=1e-3)
    found = locking_range(net, duration=24e-6, discard=12e-6)
    assert found.half_range == pytest.approx(half * 1e6, rel=0.03)
    assert found.lower == pytest.approx(-found.upper, rel=0.01)


def test_the_nonlinearity_widens_locking_and_the_orthogonal_phase_undoes_it():
    narrow = locking_range(pair(BEST + np.pi / 2), duration=24e-6, discard=12e-6).half_range
    isochronous = locking_range(pair(0.0, nonlinearity=0.0), duration=24e-6, discard=12e-6).half_range
    assert isochronous == pytest.approx(0.4e6, rel=0.03)
    assert narrow < 0.1e6


def test_a_source_locks_one_oscillator_within_the_injection_range():
    frequency = 20e6 + np.linspace(-1.5, 1.5, 61)[:, None] * 1e6
    force = Source(frequency[:, 0], np.array([1e5, 0.0]))
    net = AutoOscillatorNetwork(supercriticality=[2.0, 2.0], sources=(force,))
    half = float(injection_half_range(net, force)[0])
    assert half == pytest.approx(1e5 * np.sqrt(1 + NU**2) * np.sqrt(3), rel=1e-12)
    locked = np.abs(simulate_network(net, 12e-6, discard=6e-6).mean_frequency[:, 0] - frequency[:, 0]) < 1e4
    assert np.abs(frequency[locked, 0] - 20e6).max() == pytest.approx(half, abs=0.06e6)


def test_a_range_always_has_a_resolution():
    """Noise of 0.3 makes phases slip at equal frequencies: no range is found, and the step of the search says how well."""
    drowned = replace(pair(BEST), noise=0.3)
    found = locking_range(drowned, widest=1e6, duration=8e-6, discard=4e-6)
    assert (found.lower, found.upper) == (0, 0)
    assert found.resolution == pytest.approx(1e6 / 63)
    assert not np.signbit(found.lower)
    for seed in range(3):
        noisy = locking_range(replace(pair(BEST), noise=3e-3), duration=8e-6, discard=4e-6, seed=seed)
        assert noisy.resolution > 0
        assert noisy.lower <= 0 <= noisy.upper


def test_uncoupled_oscillators_closer_than_the_inverse_window_count_as_locked():
    apart = AutoOscillatorNetwork(frequency=[[0.0, 5e4], [0.0, 4e5]], supercriticality=2.0)
    short, long = (LockCriterion().locked(simulate_network(apart, 2e-6 + window, discard=2e-6))[:, 0] for window in (4e-6, 40e-6))
    assert short.tolist() == [True, False]
    assert long.tolist() == [False, False]


def test_the_map_has_five_partitions_and_the_symmetry_of_its_oscillators():
    net = AutoOscillatorNetwork(supercriticality=[2.0] * 3, coupling=all_to_all(3, 2e5, BEST))
    currents = np.linspace(1.4, 2.6, 13)
    found = synchronization_map(net, {"i1": currents, "i3": currents}, starts=3)
    shares = found.fractions()
    assert min(shares.values()) > 0.05
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["12"] == pytest.approx(shares["23"], abs=0.03)
    middle = found.partition[6, 6]
    assert found.labels[middle] == "123"
    assert np.ptp(found.frequencies[6, 6]) < 1e4
    assert found.agreement.min() >= 1 / 3
    assert found.plot().axes[0].get_xlabel() == "current 1 (threshold currents)"


def test_an_axis_may_be_a_frequency_and_uncoupled_oscillators_never_lock():
    net = AutoOscillatorNetwork(supercriticality=[2.0] * 2, coupling=np.zeros((2, 2)))
    found = synchronization_map(net, {"f2": [2e6, 5e6]})
    assert found.fractions() == {"none": 1.0, "12": 0.0}
    assert found.frequencies[:, 1] == pytest.approx([22e6, 25e6], rel=1e-6)


def test_near_degeneracy_is_not_locking():
    close = [[20e6, 20.3e6]]
    assert partition_of(seen(close, [[1.0]])).tolist() == [1]
    assert partition_of(seen(close, [[7.0]])).tolist() == [0]  # the phase slipped by more than a turn
    assert partition_of(seen(close, [[7.0]]), LockCriterion(slip_rate=1e6)).tolist() == [1]
    assert partition_of(seen([[20e6, 20.6e6]], [[1.0]])).tolist() == [0]


def test_two_that_lock_to_a_third_belong_together():
    both = seen([[20e6, 20.4e6, 20.8e6]], [[1.0, 9.0, 1.0]])
    assert partitions(3)[partition_of(both)[0]] == "123"
    chain = seen([[1e6, 2e6, 1e6, 2e6]], [[9, 0, 9, 9, 0, 9]])
    assert partitions(4)[partition_of(chain)[0]] == "13 24"


def test_there_are_as_many_partitions_as_bell_numbers_say():
    assert [len(partitions(size)) for size in range(1, 7)] == [1, 2, 5, 15, 52, 203]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LockCriterion(tolerance=1e5).tolerance_in(4e-6), "Observe for 5e-05 s"),
        (lambda: LockCriterion(tolerance=0.0), "tolerance"),
        (lambda: locking_range(AutoOscillatorNetwork(supercriticality=np.full((3, 2), 2.0))), "one network"),
        (lambda: locking_range(pair(BEST), widest=1e6, duration=8e-6, discard=4e-6), "still locks"),
        (lambda: locking_range(pair(BEST), widest=0.0), "widest"),
        (lambda: synchronization_map(pair(0.0), {"i3": [2.0]}), "i1, f1, i2, f2"),
        (lambda: synchronization_map(pair(0.0), {"i1": [0.9]}), "for oscillator 0"),
        (lambda: synchronization_map(pair(0.0), {"i1": [2.0]}, starts=0), "starts"),
        (lambda: synchronization_map(pair(0.0), {"i1": [2.0]}).plot(), "2 axes"),
        (lambda: partitions(7), "oscillators"),
    ],
)
def test_questions_without_an_answer_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
