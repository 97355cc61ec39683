"""Hamiltonian chains: what leapfrog conserves, and posteriors that are known in closed form."""

import math

import pytest
import torch
from torch import nn

from holdfast.bayes import Prior, hmc, sghmc
from holdfast.bayes.chains import run_chains
from holdfast.bayes.diagnostics import bulk_ess, split_rhat
from holdfast.bayes.hmc import HMCSettings
from holdfast.bayes.hmc import build as build_hmc
from holdfast.bayes.leapfrog import leapfrog, place_at
from holdfast.bayes.potential import FunctionPotential, gaussian, network_potential
from holdfast.bayes.sghmc import SGHMCSettings
from holdfast.bayes.sghmc import build as build_sghmc
from holdfast.nets import mlp, weights_digest

PAIRWISE = FunctionPotential(lambda q: (q**4).sum(1) / 4 + (q[:, 1:] * q[:, :-1]).sum(1) / 2)  # neither separable nor quadratic


def places(chains=3, size=5):
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(chains, size, generator=generator, dtype=torch.float64) for _ in range(2))


def energy(state, momentum):
    return state.energy + 0.5 * momentum.square().sum(1)


def test_leapfrog_comes_back_when_time_is_reversed():
    q, p = places()
    size = torch.tensor([0.05, 0.1, 0.2], dtype=torch.float64)
    end, kicked = leapfrog(PAIRWISE, place_at(PAIRWISE, q), p, step_size=size, steps=20)
    back, turned = leapfrog(PAIRWISE, end, -kicked, step_size=size, steps=20)
    assert not torch.allclose(end.position, q)
    torch.testing.assert_close(back.position, q, rtol=0, atol=1e-11)
    torch.testing.assert_close(-turned, p, rtol=0, atol=1e-11)


def test_leapfrog_keeps_the_volume_of_phase_space():
    def flow(qp):
        end, kicked = leapfrog(PAIRWISE, place_at(PAIRWISE, qp[None, :2]), qp[None, 2:], step_size=torch.tensor([0.2]), steps=5)
        return torch.cat([end.position[0], kicked[0]])

    point, h = torch.tensor([0.3, -0.7, 0.5, 0.2], dtype=torch.float64), 1e-6
    columns = [(flow(point + h * one) - flow(point - h * one)) / (2 * h) for one in torch.eye(4, dtype=torch.float64)]
    assert torch.linalg.det(torch.stack(columns, 1)).item() == pytest.approx(1.0, abs=1e-7)


def test_the_energy_error_shrinks_with_the_square_of_the_step():
    q, p = places()
    start = place_at(PAIRWISE, q)

    def error(size, steps):
        end, kicked = leapfrog(PAIRWISE, start, p, step_size=torch.full((3,), size), steps=steps)
        return (energy(end, kicked) - energy(start, p)).abs()

    ratio = error(0.02, 50) / error(0.01, 100)
    torch.testing.assert_close(ratio, torch.full_like(ratio, 4.0), rtol=0.05, atol=0)


def test_a_trajectory_costs_one_gradient_per_step():
    calls = []

    class Counted:
        def value_and_gradient(self, q):
            calls.append(len(q))
            return PAIRWISE.value_and_gradient(q)

        def gradient(self, q):
            calls.append(len(q))
            return PAIRWISE.gradient(q)

    q, _ = places()
    run_chains(build_hmc(Counted(), HMCSettings(samples=4, warmup=3, steps=6, step_size=0.1)), q)
    assert len(calls) == 1 + 7 * 6


def test_chains_are_compared_on_all_classes_of_sorted_data():
    # the first hundred inputs are zero, where a network without bias answers zero under any weights: they would see no difference
    x = torch.cat([torch.zeros(100, 2), torch.rand(100, 2, generator=torch.Generator().manual_seed(0))])
    y = (torch.arange(200) >= 100).long()
    apart = {"weight": torch.tensor([[[9.0, 9.0], [-9.0, -9.0]], [[-9.0, -9.0], [9.0, 9.0]]])}
    settings = {"samples": 8, "warmup": 0, "chains": 2, "step_size": 1e-4, "target_accept": None}
    post = hmc(nn.Linear(2, 2, bias=False), (x, y), prior=Prior(), init=apart, **settings)
    assert post.diagnostics.high_rhat_logits > 2
    assert post.diagnostics.worst_rhat_logits > 2
    assert not post.diagnostics.converged


def test_a_noisy_chain_keeps_the_energy_of_the_place_that_it_keeps():
    class Exact:
        x = torch.zeros(10, 1)

        def estimate(self, q, rows):
            del rows
            return PAIRWISE.value_and_gradient(q)

    q, _ = places()
    found = run_chains(build_sghmc(Exact(), SGHMCSettings(samples=5, warmup=2, steps=3, step_size=0.05, batch_size=10)), q)
    torch.testing.assert_close(found.potential, PAIRWISE.value_and_gradient(found.positions.flatten(0, 1))[0].view(3, 5))


def linear_regression(noise=0.5, n=40):
    """A network without hidden layer, its data, and its posterior (mean, covariance) in closed form under N(0, 1)."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    y = (
        x @ torch.tensor([[1.0], [-2.0]], dtype=torch.float64)
        + 0.3
        + noise * torch.randn(n, 1, generator=generator, dtype=torch.float64)
    )
    design = torch.cat([x, torch.ones(n, 1, dtype=torch.float64)], 1)  # the order of the flat vector: weight, bias
    covariance = torch.linalg.inv(design.T @ design / noise**2 + torch.eye(3, dtype=torch.float64))
    return nn.Linear(2, 1).double(), (x, y), (covariance @ design.T @ y / noise**2).flatten(), covariance


def check_samples_gaussian(draws, mean, covariance, *, bias=0.0):
    """Draws (chains, draws, 3) have this mean and covariance, up to a share `bias` of the deviations.

    With at least 1000 effective draws the mean of a coordinate, in posterior deviations, scatters by 0.032 and a covariance, in
    units of the deviations, by at most sqrt(2 / 1000) = 0.045. 5.6 of these are exceeded with a chance of 2e-8 each, 2e-7 over
    nine comparisons.
    """
    assert bulk_ess(draws.numpy()).min() > 1000
    flat, deviation = draws.flatten(0, 1), covariance.diagonal().sqrt()
    assert ((flat.mean(0) - mean) / deviation).abs().max() < 5.6 * 0.032 + bias
    assert ((flat.T.cov() - covariance) / deviation.outer(deviation)).abs().max() < 5.6 * 0.045 + bias


def test_hmc_finds_the_posterior_of_linear_regression():
    net, data, mean, covariance = linear_regression()
    # three steps of about 1.4 deviations each: ten would go round in circles
    post = hmc(net, data, prior=Prior(), likelihood=gaussian(0.5), samples=80, warmup=60, chains=20, steps=3)
    draws = torch.cat([values.flatten(1) for values in post.params.values()], 1).reshape(20, 80, 3)
    check_samples_gaussian(draws, mean, covariance)
    assert post.diagnostics.converged
    assert 1.0 < post.diagnostics.worst_rhat_logits < 1.1


class Regression:
    """The energy of linear regression as matrices, in whole and from some of the rows."""

    def __init__(self, data, noise=0.5):
        self.x = torch.cat([data[0], torch.ones(len(data[0]), 1, dtype=torch.float64)], 1)
        self.y, self.noise = data[1].squeeze(1), noise

    def estimate(self, q, rows):
        error = q @ self.x[rows].T - self.y[rows]
        scale = len(self.x) / len(rows) / self.noise**2
        return 0.5 * scale * error.square().sum(1) + 0.5 * q.square().sum(1), scale * error @ self.x[rows] + q


def test_the_matrices_are_the_network():
    net, data, *_ = linear_regression()
    potential = network_potential(net, data, prior=Prior(), likelihood=gaussian(0.5))
    q = torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows = torch.tensor([3, 5, 9])
    (one, slope), (other, gradient) = potential.estimate(q, rows), Regression(data).estimate(q, rows)
    torch.testing.assert_close(slope, gradient)
    torch.testing.assert_close(one - one[0], other - other[0])  # up to the constant of the normal density


@pytest.mark.parametrize(
    ("batch_size", "bias"),
    [
        (40, 0.03),  # steps of 0.01 against deviations of 0.07: the error of the discretisation is of second order, below 1 %
        (20, 0.12),  # half of the data leave some of the gradient's noise as heat
    ],
)
def test_sghmc_finds_it_within_the_bias_of_its_step(batch_size, bias):
    _, data, mean, covariance = linear_regression()
    settings = SGHMCSettings(samples=150, warmup=20, steps=20, step_size=0.01, friction=0.2, batch_size=batch_size)
    found = run_chains(build_sghmc(Regression(data), settings), mean.repeat(20, 1))
    check_samples_gaussian(found.positions, mean, covariance, bias=bias)


def test_a_known_noise_of_the_gradient_is_less_heat():
    # beta takes its share of the friction's heat away: variances shrink by (alpha - beta) / alpha with exact gradients
    _, data, mean, covariance = linear_regression()
    settings = SGHMCSettings(samples=150, warmup=20, steps=20, step_size=0.01, friction=0.2, noise=0.1, batch_size=40)
    found = run_chains(build_sghmc(Regression(data), settings), mean.repeat(20, 1))
    check_samples_gaussian(found.positions, mean, covariance / 2, bias=0.03)


@pytest.mark.parametrize("deviations", [(1.0, 1.0), (0.1, 1.0)])
def test_a_normal_of_unequal_widths_is_sampled(deviations):
    scale = torch.tensor(deviations, dtype=torch.float64)
    normal = FunctionPotential(lambda q: 0.5 * (q / scale).square().sum(1))
    found = run_chains(build_hmc(normal, HMCSettings(samples=60, warmup=40, steps=20)), torch.ones(40, 2, dtype=torch.float64))
    assert split_rhat(found.positions.numpy()).max() < 1.1
    # 2400 draws: a deviation scatters by 1.5 % of itself if they were independent, and 20 % is 5 of these for 350 effective ones
    assert bulk_ess(found.positions.numpy()).min() > 350
    torch.testing.assert_close(found.positions.std((0, 1)) / scale, torch.ones(2, dtype=torch.float64), rtol=0.2, atol=0)


def test_dual_averaging_meets_its_target():
    normal = FunctionPotential(lambda q: 0.5 * q.square().sum(1))
    start = torch.randn(8, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for target in (0.65, 0.9):
        told = []
        run_chains(build_hmc(normal, HMCSettings(samples=1, warmup=200, target_accept=target)), start, progress=told.append)
        # 800 rates with a deviation below 0.4; successive ones pull each other to the target, which only helps
        assert sum(step.accept for step in told[100:200]) / 100 == pytest.approx(target, abs=5.6 * 0.4 / math.sqrt(800))


def test_without_a_target_the_step_size_stays():
    q, _ = places()
    found = run_chains(build_hmc(PAIRWISE, HMCSettings(samples=4, warmup=4, step_size=0.05, target_accept=None)), q)
    torch.testing.assert_close(found.step_size, torch.full((3,), 0.05, dtype=torch.float64))


def test_divergences_are_counted_and_rejected():
    q, _ = places()
    stiff = FunctionPotential(lambda q: 1e6 * q.square().sum(1))
    found = run_chains(build_hmc(stiff, HMCSettings(samples=5, warmup=0, step_size=1.0, target_accept=None)), q)
    assert found.divergences == 15
    assert torch.equal(found.positions, q[:, None].expand(3, 5, 5))
    wild = FunctionPotential(lambda q: (q - q.detach()).sum(1) + torch.where(q.detach()[:, 0] == q0, 0.0, math.nan))
    q0 = q[:, 0]
    assert run_chains(build_hmc(wild, HMCSettings(samples=2, warmup=0, step_size=0.1)), q).divergences == 6


@pytest.fixture
def data():
    x = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    return x, (x[:, 0] > x[:, 1]).long()


def sampled(data, **changes):
    settings = {"prior": Prior(), "samples": 6, "warmup": 4, "chains": 3, "init_steps": 20, "seed": 5} | changes
    net = mlp(3, hidden=(5,), classes=2).double()
    return hmc(net, (data[0].double(), data[1]), **settings)


def test_a_chain_does_not_depend_on_the_others(data):
    # each chain has its own streams; in double precision rounding is not amplified much over 10 trajectories
    many, one = sampled(data), sampled(data, chains=1)
    for name, values in one.params.items():
        torch.testing.assert_close(many.params[name][:6], values, rtol=1e-7, atol=1e-9)


def test_the_seed_decides_every_bit_and_the_global_generator_nothing(data):
    torch.manual_seed(1)
    first, state = sampled(data), torch.get_rng_state()
    torch.manual_seed(2)
    second, other = sampled(data), sampled(data, seed=6)
    for name in first.params:
        assert torch.equal(first.params[name], second.params[name])
        assert not torch.equal(first.params[name], other.params[name])
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("sampler", [hmc, sghmc])
def test_the_network_is_left_alone_and_progress_is_told(data, sampler):
    net, told = mlp(3, hidden=(5,), classes=2).train(), []
    digest = weights_digest(net)
    post = sampler(net, data, prior=Prior(), samples=5, warmup=3, chains=2, init_steps=5, progress=told.append)
    assert weights_digest(net) == digest
    assert all(module.training for module in net.modules())
    assert all(p.grad is None for p in net.parameters())
    assert [step.iteration for step in told] == list(range(1, 9))
    assert [step.warmup for step in told] == [True] * 3 + [False] * 5
    assert told[-1].iterations == 8
    assert post.chains == post.diagnostics.chains == 2
    assert post.diagnostics.samples == 5


def test_going_downhill_first_saves_warm_up(data):
    potential = network_potential(mlp(3, hidden=(5,), classes=2), data, prior=Prior())

    def energies(post):
        return potential.value_and_gradient(potential.layout.flatten(post.params))[0]

    settings = {"prior": Prior(), "samples": 1, "warmup": 0, "chains": 8, "step_size": 1e-4}
    net = mlp(3, hidden=(5,), classes=2)
    assert energies(hmc(net, data, init="map", **settings)).mean() < energies(hmc(net, data, init="prior", **settings)).mean()


def test_chains_go_on_from_where_others_ended(data):
    post = sampled(data, samples=1, warmup=0, init_steps=3)
    further = sampled(data, init=post.params, samples=1, warmup=0, step_size=1e-9)
    for name, values in post.params.items():
        torch.testing.assert_close(further.params[name], values, rtol=0, atol=1e-6)


def test_a_diverging_sghmc_says_so(data):
    with pytest.raises(FloatingPointError, match="lower `step_size`"):
        sghmc(mlp(3, classes=2), data, prior=Prior(), samples=50, warmup=0, step_size=1e3)
