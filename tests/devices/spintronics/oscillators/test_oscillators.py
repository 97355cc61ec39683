import numba
import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from holdfast.core.errors import InputError
from holdfast.devices.spintronics import AutoOscillatorNetwork, Source, all_to_all, simulate_network
from holdfast.devices.spintronics.lanes import increments, lane_keys, uniform_phases
from holdfast.devices.spintronics.oscillators import (
    integration,
    nearest,
    pairs_of,
    phase_advances,
    phase_diffusion,
    phase_noise_rate,
)

TURN = 2 * np.pi
BEST = np.arctan(20 / 3)
OBSERVED = ("mean_frequency", "power", "swing", "order", "emitted", "state")


def network(*, noise=0.0, batch=(), oscillators=3, seed=0, **changes):
    """Unequal oscillators with a random coupling matrix and two sources."""
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(2, oscillators, oscillators)) * 2e5
    force = generator.normal(size=(2, oscillators)) * 2e5
    fields = {
        "frequency": 1e6,
        "supercriticality": generator.uniform(1.7, 2.2, size=(*batch, oscillators)),
        "coupling": matrix[0] + 1j * matrix[1],
        "noise": noise,
        "sources": (Source(22e6, force[0] + 1j * force[1]), Source(19e6, force[1])),
    }
    return AutoOscillatorNetwork(**fields | changes)


def laboratory_rates(net):
    """The model as it is written, in the laboratory frame."""
    damping = TURN * net.damping

    def rates(time, c):
        power = np.abs(c) ** 2
        own = -1j * TURN * (net.frequency + net.nonlinearity * power) - damping * (1 + net.q * power)
        own = own + damping * net.supercriticality * (1 - power)
        forced = sum(TURN * source.amplitude * np.exp(-1j * TURN * source.frequency * time) for source in net.sources)
        return own * c + TURN * net.coupling @ c + forced

    return rates


def equal(one, other, names=OBSERVED):
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def test_a_free_oscillator_runs_as_its_closed_forms_say():
    net = AutoOscillatorNetwork(supercriticality=[2.0])
    assert net.phase_amplitude_ratio[0] == pytest.approx(20 / 3, rel=1e-12)
    assert net.free_power[0] == pytest.approx(1 / 3, rel=1e-12)
    assert net.relaxation[0] == pytest.approx(3e6, rel=1e-12)
    seen = simulate_network(AutoOscillatorNetwork(supercriticality=[2.0, 2.0, 2.0]), 1e-6)
    assert seen.mean_frequency == pytest.approx([20e6] * 3, rel=1e-9)
    assert seen.power == pytest.approx([1 / 3] * 3, rel=1e-9)


def test_a_kick_of_the_power_decays_at_twice_the_relaxation_rate():
    net = AutoOscillatorNetwork(supercriticality=[2.0, 2.0, 2.0])
    seen = simulate_network(net, 30e-9, dt=5e-10, start=np.sqrt(net.free_power) * 1.001, trace_every=1e-9)
    kick = np.abs(seen.trace[:, 0]) ** 2 - net.free_power[0]
    rate = -np.polyfit(seen.trace_times, np.log(kick), 1)[0]
    assert rate == pytest.approx(2 * TURN * net.relaxation[0], rel=0.01)


@pytest.mark.parametrize("oscillators", [3, 5])
def test_the_compiled_steps_agree_with_a_reference_integrator(oscillators):
    net = network(oscillators=oscillators)
    start = 1.1 * np.sqrt(net.free_power) * np.exp(1j * np.arange(oscillators))
    reference = solve_ivp(laboratory_rates(net), (0, 1e-6), start.astype(complex), method="DOP853", rtol=1e-10, atol=1e-12)
    assert simulate_network(net, 1e-6, dt=5e-10, start=start).state == pytest.approx(reference.y[:, -1], abs=5e-6)


def test_unrolled_steps_and_steps_in_passes_are_the_same(monkeypatch):
    net = network(noise=1e-4)
    unrolled = simulate_network(net, 2e-7)
    monkeypatch.setattr(integration, "SMALL", 0)
    assert simulate_network(net, 2e-7).state == pytest.approx(unrolled.state, abs=1e-12)


def test_bits_depend_neither_on_threads_nor_on_how_a_batch_is_cut(monkeypatch):
    net = network(noise=1e-3, batch=(150,))
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 1)
    alone = simulate_network(net, 3e-7, seed=5)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 2)
    together = simulate_network(net, 3e-7, seed=5)
    assert equal(alone, together)
    for begin, end in ((0, 1), (1, 70), (70, 150)):
        part = network(noise=1e-3, supercriticality=net.supercriticality[begin:end])
        seen = simulate_network(part, 3e-7, seed=5, first_point=begin)
        assert np.array_equal(seen.state, alone.state[begin:end])
        assert np.array_equal(seen.swing, alone.swing[begin:end])


def test_numbas_own_threads_are_not_started(monkeypatch):
    """Started late in a process, they set how many threads OpenMP gives torch, and with it the last bits of later trainings."""
    launched = []
    monkeypatch.setattr("numba.np.ufunc.parallel._launch_threads", lambda: launched.append(True))
    simulate_network(network(batch=(150,)), 1e-7)
    assert not launched


def test_a_network_does_not_notice_how_fast_its_neighbours_in_the_batch_are():
    """The second network's rates are several times those of the others; all are looked at equally often, alone and together."""
    currents = np.array([[2.0, 2.05, 2.0], [2.0, 2.9, 1.3], [2.0, 2.0, 2.0]])
    net = AutoOscillatorNetwork(supercriticality=currents, coupling=all_to_all(3, 1e5, BEST), noise=1e-4)
    settings = {"seed": 4, "dt": 1e-9, "trace_every": 1.6e-8}
    together = simulate_network(net, 2e-7, **settings)
    for place, zeta in enumerate(currents):
        part = AutoOscillatorNetwork(supercriticality=zeta[None], coupling=net.coupling, noise=1e-4)
        alone = simulate_network(part, 2e-7, first_point=place, **settings)
        assert alone.trace_interval == together.trace_interval
        for name in (*OBSERVED, "trace"):
            assert np.array_equal(np.asarray(getattr(alone, name))[0], np.asarray(getattr(together, name))[place]), name


def test_between_two_looks_no_phase_turns_by_more_than_half():
    """At the longest safe step the fastest rate turns by 1 rad between two looks, so unwrapped frequencies are the true ones."""
    free = AutoOscillatorNetwork(supercriticality=[1.05, 5.0])
    seen = simulate_network(free, 1e-6, dt=0.0999 / free.fastest_rate)
    assert seen.mean_frequency == pytest.approx(free.free_frequency, rel=1e-5)


def test_a_run_that_goes_on_is_a_run_that_was_never_interrupted():
    net = network(noise=1e-3)
    whole = simulate_network(net, 4e-7, seed=2)
    half = simulate_network(net, 1.5e-7, seed=2)
    rest = simulate_network(net, 2.5e-7, seed=2, start=half)
    assert rest.state == pytest.approx(whole.state, abs=1e-12)
    assert (rest.time, rest.steps) == (pytest.approx(4e-7), 400)


def test_a_delay_turns_the_phase_of_the_coupling_while_frequencies_hardly_differ():
    """Equal oscillators at 20 MHz: a delay of 10 ns turns by 0.4 pi; the amplitudes move by 1e-2 within it."""
    start = np.sqrt(1 / 3) * np.exp(1j * np.array([0.0, 0.5, 1.0]))
    equal_ones = [2.0] * 3
    late = AutoOscillatorNetwork(supercriticality=equal_ones, coupling=all_to_all(3, 1e5), delay=10e-9)
    turned = AutoOscillatorNetwork(supercriticality=equal_ones, coupling=all_to_all(3, 1e5, TURN * 20e6 * 10e-9))
    opposite = AutoOscillatorNetwork(supercriticality=equal_ones, coupling=all_to_all(3, 1e5, -TURN * 20e6 * 10e-9))
    shift = [simulate_network(net, 4e-7, start=start).mean_frequency.mean() - 20e6 for net in (late, turned, opposite)]
    assert shift[0] == pytest.approx(shift[1], rel=0.15)
    assert abs(shift[0] - shift[2]) > 0.5 * abs(shift[0])


def test_interpolated_delays_converge_with_the_square_of_the_step():
    matrix = np.array([[0, 3e5j, 0], [3e5, 0, 1e5], [0, 0, 0]])
    delay = np.array([[0, 17.3e-9, 0], [25e-9, 0, 8.1e-9], [0, 0, 0]])
    net = AutoOscillatorNetwork(supercriticality=[2.0, 2.05, 2.1], coupling=matrix, delay=delay)
    start = np.sqrt(net.free_power) * np.exp(1j * np.arange(3.0))
    coarse, fine, finest = (simulate_network(net, 1e-6, dt=dt, start=start).state for dt in (1e-9, 5e-10, 1.25e-10))
    assert 2.5 < np.abs(coarse - finest).max() / np.abs(fine - finest).max() < 7


def test_torch_takes_the_same_steps_with_the_same_noise():
    net = network(noise=1e-3, batch=(2,))
    compiled = simulate_network(net, 2e-7, discard=5e-8, trace_every=5e-8)
    tensors = simulate_network(net, 2e-7, discard=5e-8, trace_every=5e-8, backend="torch")
    for name in (*OBSERVED[1:], "trace"):
        assert getattr(tensors, name).numpy() == pytest.approx(getattr(compiled, name), abs=1e-11)
    assert tensors.mean_frequency.numpy() == pytest.approx(compiled.mean_frequency, abs=1e-3)


def test_torch_differentiates_through_the_integration():
    def order(currents):
        net = AutoOscillatorNetwork(supercriticality=currents, coupling=all_to_all(3, 2e5, BEST))
        return simulate_network(net, 1e-7, backend="torch", seed=1).order

    currents = torch.tensor([2.0, 2.02, 1.99], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(order(currents), currents)
    steps = 1e-5 * torch.eye(3, dtype=torch.float64)
    with torch.no_grad():
        numeric = torch.stack([(order(currents + step) - order(currents - step)) / 2e-5 for step in steps])
    assert slope.numpy() == pytest.approx(numeric.numpy(), rel=1e-5)


def test_phase_noise_has_its_theoretical_rate():
    """2000 runs: the rate's standard deviation is 3.2 %, so a tolerance of 20 % errs in less than 1e-9 of all draws."""
    net = AutoOscillatorNetwork(supercriticality=[2.0] * 2, noise=1e-4)
    advances = phase_advances(net, runs=2000, duration=3e-6, discard=1e-6)
    assert phase_diffusion(advances[:, 0], 2e-6).value == pytest.approx(phase_noise_rate(net)[0], rel=0.2)
    assert abs(np.corrcoef(advances.T)[0, 1]) < 0.13  # independent oscillators; 6 standard deviations of 1/sqrt(2000)


def test_random_numbers_of_a_lane_are_uniform_and_its_own():
    """20000 numbers with mean 0 and variance 1 when scaled: deviations of 6 standard errors."""
    x, y = increments(lane_keys(3, np.arange(100)), step=7, oscillators=100)
    drawn = np.stack([x, y]) * np.sqrt(3) / 2**31
    assert abs(drawn.mean()) < 6 / np.sqrt(drawn.size)
    assert abs(drawn.var() - 1) < 6 * np.sqrt(0.8 / drawn.size)
    assert abs((drawn[0] * drawn[1]).mean()) < 6 / np.sqrt(drawn[0].size)
    assert len(np.unique(lane_keys(0, np.arange(10_000)))) == 10_000
    phases = uniform_phases(lane_keys(0, np.arange(4)), 3)
    assert ((phases >= 0) & (phases < TURN)).all()


def test_equal_synchronised_oscillators_emit_their_number_squared():
    net = AutoOscillatorNetwork(supercriticality=[2.0] * 3, coupling=all_to_all(3, 2e5, BEST))
    seen = simulate_network(net, 4e-6, discard=3e-6)
    assert seen.order == pytest.approx(1, abs=1e-3)
    assert seen.emitted == pytest.approx(9 * seen.power.mean(), rel=1e-3)


def test_coupling_matrices_are_what_their_names_say():
    assert np.abs(all_to_all(4, 2.0, 1.0)).sum() == pytest.approx(2.0 * 12)
    assert np.angle(all_to_all(2, 2.0, 1.0)[0, 1]) == pytest.approx(1.0)
    assert np.abs(nearest(4, 1.0)).sum() == pytest.approx(6)
    assert np.abs(nearest(4, 1.0, ring=True)).sum() == pytest.approx(8)
    assert all_to_all(3, np.ones(5)).shape == (5, 3, 3)
    assert pairs_of(3) == [(0, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"supercriticality": [2.0, 1.0]}, "1 for oscillator 1"),
        ({"supercriticality": [[2.0, 2.0], [0.5, 2.0]]}, r"network \(1,\)"),
        ({"coupling": np.ones((2, 3))}, "one row and one column per oscillator"),
        ({"coupling": np.ones(3)}, "one row and one column"),
        ({"supercriticality": [2.0, 2.0, 2.0], "coupling": all_to_all(2, 1.0)}, "broadcast"),
        ({"damping": 0.0}, "numbers > 0"),
        ({"noise": -1.0}, "numbers >= 0"),
        ({"q": -1.0}, "numbers > -1"),
        ({"delay": np.zeros(3), "coupling": all_to_all(2, 1.0)}, "one number or"),
        ({"frequency": np.nan}, "NaN"),
    ],
)
def test_networks_that_cannot_be_are_refused(fields, message):
    with pytest.raises(InputError, match=message):
        AutoOscillatorNetwork(**fields)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dt": 1e-8}, r"steps up to 2\.65\d*e-09 s"),
        ({"dt": 0.0}, "dt"),
        ({"discard": 1e-6}, "less than `duration`"),
        ({"start": np.ones(4)}, "shapes that broadcast"),
        ({"start": [np.nan, 1, 1]}, "NaN"),
        ({"backend": "jax"}, "numba, torch"),
        ({"seed": -1}, "seed"),
        ({"trace_every": 1e-10}, "trace_every"),
    ],
)
def test_runs_that_cannot_be_are_refused(settings, message):
    net = AutoOscillatorNetwork(supercriticality=[2.0, 2.0, 2.0], coupling=all_to_all(3, 1e5))
    with pytest.raises(InputError, match=message):
        simulate_network(net, 1e-6, **settings)


def test_delays_that_an_engine_cannot_keep_are_refused():
    net = AutoOscillatorNetwork(supercriticality=[2.0, 2.0], coupling=all_to_all(2, 1e5), delay=5e-10)
    with pytest.raises(InputError, match="less than one step"):
        simulate_network(net, 1e-6)
    with pytest.raises(InputError, match="backend='torch'"):
        simulate_network(net, 1e-6, dt=2.5e-10, backend="torch")
